// SPDX-License-Identifier: MIT
//
// How pools come and go, in one thread. What their ids are: pool_registry.cpp; with threads: tests/stress.
#include <pagefold/store/store_pools.hpp>

#include "support/store_fixture.hpp"

#include <pagefold/admit/always.hpp>
#include <pagefold/admit/by_pool.hpp>
#include <pagefold/admit/ratio.hpp>
#include <pagefold/admit/second_touch.hpp>
#include <pagefold/compress/lz_block.hpp>
#include <pagefold/compress/page.hpp>
#include <pagefold/compress/routed.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing::unit_store_store_pools {
namespace {

/// Partition n is on node n % 2. Keeps to the node that is wished for, or pays no heed to it.
struct two_nodes {
    [[nodiscard]] partition_id home(const page_key&, std::uint64_t hash, node_id wish,
                                    std::size_t count) const noexcept {
        const partition_id any = static_cast<partition_id>((hash >> 32) * count >> 32);
        return keeps && wish != any_node ? any / 2 * 2 + static_cast<partition_id>(wish) % 2 : any;
    }
    [[nodiscard]] partition_id spill(partition_id home, std::size_t attempt, std::size_t count) const noexcept {
        return (home + 1 + attempt) % count;
    }
    [[nodiscard]] node_id node(partition_id p) const noexcept { return static_cast<node_id>(p % 2); }
    bool keeps = true;
};
struct config : default_config {
    using place_type = two_nodes;
    static constexpr unsigned max_pools = 5;
};
struct fixture : store_fixture<partitioned_store<config>> {
    explicit fixture(std::size_t limit = ~std::size_t{0}, bool keeps = true)
        : store_fixture{store_options{.limit_bytes = limit, .partitions = 4}, config::compressor_type{},
                        config::admission_type{}, two_nodes{keeps}} {}
    status made(const pool_options& options) { return store.create_pool(options).error(); }
};

TEST_CASE("store_pools: what a pool can't be is invalid, and takes no memory") {
    fixture f;
    CHECK(f.made({.weight = 0}) == status::invalid);
    CHECK(f.made({.cap_bytes = 1000, .reserved_bytes = 1001}) == status::invalid);
    CHECK(f.made({.node = node_id{2}, .strict_node = true}) == status::invalid);
    CHECK(f.source.acquisitions() == 0);
    CHECK(f.made({.cap_bytes = 1000, .reserved_bytes = 1000}) == status::ok);
    CHECK(f.made({.weight = 1}) == status::ok);
    CHECK(f.store.check());
}

TEST_CASE("store_pools: a strict node is one that all partitions are on that its pages may come to") {
    fixture keeping;
    CHECK(keeping.made({.node = node_id{1}, .strict_node = true}) == status::ok);
    CHECK(keeping.made({.node = node_id{0}, .strict_node = true}) == status::ok);
    CHECK(keeping.made({.node = node_id{7}, .strict_node = true}) == status::invalid);
    CHECK(keeping.made({.node = node_id{7}}) == status::ok); // a wish
    fixture heedless{~std::size_t{0}, false};                // every second partition is on it
    CHECK(heedless.made({.node = node_id{1}, .strict_node = true}) == status::invalid);
    CHECK(heedless.made({.node = node_id{1}}) == status::ok);
    CHECK(heedless.made({.strict_node = true}) == status::ok); // on any node, strictly
}

TEST_CASE("store_pools: reservations have room beside what the store itself takes, and no more") {
    constexpr std::size_t limit = std::size_t{64} << 20;
    for (const bool too_much : {false, true}) {
        fixture f{limit};
        const pool_id first = f.make_pool();
        const std::size_t fixed = f.source.bytes_held();
        CHECK(f.made({.reserved_bytes = limit}) == status::limit);
        const result<pool_id> half = f.store.create_pool({.reserved_bytes = limit / 2});
        REQUIRE(half);
        CHECK(f.made({.reserved_bytes = limit / 2 - (too_much ? 0 : fixed)}) ==
              (too_much ? status::limit : status::ok));
        CHECK(f.store.destroy_pool(*half) == status::ok); // and it is free again
        CHECK(f.made({.reserved_bytes = limit / 2 - fixed}) == status::ok);
        CHECK(f.store.destroy_pool(first) == status::ok);
        CHECK(f.store.check());
    }
}

TEST_CASE("store_pools: as many as there are slots, the lowest that is free first, and no id twice") {
    fixture f;
    std::vector<pool_id> pools;
    for (std::uint32_t slot = 0; slot < config::max_pools; ++slot) {
        pools.push_back(f.make_pool());
        CHECK(pool_ids::slot(pools.back()) == slot);
    }
    CHECK(f.made({}) == status::limit);
    for (const std::uint32_t slot : {3u, 1u}) {
        CHECK(f.store.destroy_pool(pools[slot]) == status::ok);
    }
    for (const std::uint32_t slot : {1u, 3u}) {
        const pool_id again = f.make_pool();
        CHECK(pool_ids::slot(again) == slot);
        CHECK(again != pools[slot]);
    }
    CHECK(f.made({}) == status::limit);
    CHECK(f.store.check());
}

TEST_CASE("store_pools: whichever acquisition is refused, no pool is made, and the next try has the same slot") {
    bool was_refused = true;
    for (std::uint64_t n = 1; was_refused; ++n) {
        CAPTURE(n);
        REQUIRE(n < 60);
        fixture f;
        f.source.refuse_nth(n, status::limit);
        const result<pool_id> pool = f.store.create_pool({.reserved_bytes = 10'000});
        f.source.refuse_nth(0);
        was_refused = !pool;
        if (was_refused) {
            REQUIRE(pool.error() == status::limit);
            REQUIRE(f.store.check());
            REQUIRE(f.store.stats().total_bytes == f.source.bytes_held());
            const pool_id made = f.make_pool();
            REQUIRE(pool_ids::slot(made) == 0);
            REQUIRE(f.put({made, 1, 1}, 1) == status::ok);
        }
        REQUIRE(f.store.check());
    }
}

TEST_CASE("store_pools: a pool is destroyed once, and what never was one not at all") {
    fixture f;
    CHECK(f.store.destroy_pool(pool_id{}) == status::invalid);
    const pool_id pool = f.make_pool(), kept = f.make_pool();
    for (std::uint64_t i = 0; i < 400; ++i) { // in all partitions, and for several holds
        REQUIRE(f.put({pool, i, i}, i) == status::ok);
        REQUIRE(f.put({kept, i, i}, i + 1) == status::ok);
    }
    const auto number = static_cast<std::uint64_t>(pool);
    for (const std::uint64_t wrong : {number + (1u << 13), number ^ 1u << 12, number + 4000, std::uint64_t{0}}) {
        CHECK(f.store.destroy_pool(static_cast<pool_id>(wrong)) == status::invalid);
    }
    CHECK(f.store.stats().stored_pages == 800);
    CHECK(f.store.destroy_pool(pool) == status::ok);
    CHECK(f.store.stats().stored_pages == 400);
    CHECK(f.store.destroy_pool(pool) == status::invalid);
    CHECK(f.get({pool, 1, 1}) == status::invalid);
    CHECK(f.store.statistics_of(pool).error() == status::invalid);
    CHECK(f.store.check());
    const pool_id next = f.make_pool(); // in the same slot, of which nothing is left
    CHECK(pool_ids::slot(next) == pool_ids::slot(pool));
    for (std::uint64_t i = 0; i < 400; ++i) {
        REQUIRE(f.lacks({next, i, i}));
        REQUIRE(f.has({kept, i, i}, i + 1));
    }
}

TEST_CASE("store_pools: the last pools take their slots' memory along, others leave it to those above") {
    fixture f;
    const pool_id low = f.make_pool();
    const std::size_t one = f.source.bytes_held();
    const pool_id high = f.make_pool(), highest = f.make_pool();
    CHECK(f.store.destroy_pool(high) == status::ok);
    CHECK(f.store.check());
    CHECK(f.store.destroy_pool(highest) == status::ok);
    CHECK(f.source.bytes_held() == one);
    CHECK(f.store.destroy_pool(low) == status::ok);
    CHECK(f.source.bytes_held() < one);
    const std::size_t none = f.source.bytes_held();
    for (int i = 0; i < 3; ++i) {
        CHECK(f.store.destroy_pool(f.make_pool()) == status::ok);
        CHECK(f.source.bytes_held() == none);
    }
    CHECK(f.store.check());
}

// A pool's numbers.

/// Keeps the first half of a page whose second half is zeros, and its own name before it.
template <char Name>
struct half_codec {
    [[nodiscard]] std::size_t scratch_size(std::size_t) const noexcept { return 0; }
    [[nodiscard]] status prepare(byte_span) const noexcept { return status::ok; }
    [[nodiscard]] std::size_t bound(std::size_t n) const noexcept { return n; }
    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span) const noexcept {
        out[0] = static_cast<std::byte>(Name);
        copy_bytes(out.data() + 1, in.data(), in.size() / 2);
        return in.size() / 2 + 1 + (Name == 'b' ? 100u : 0u);
    }
    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span) const noexcept {
        if (in[0] != static_cast<std::byte>(Name) || in.size() <= out.size() / 2) {
            return status::corrupt;
        }
        fill_bytes(out.data(), 0, out.size());
        copy_bytes(out.data(), in.data() + 1, out.size() / 2);
        return status::ok;
    }
};
struct choosing_config : default_config {
    using compressor_type = routed<half_codec<'a'>, half_codec<'b'>>;
    using admission_type = by_pool<always, second_touch, ratio>;
};
using choosing_store = store_fixture<partitioned_store<choosing_config>>;

/// A page that half_codec gives back.
std::vector<std::byte> half_page(std::uint64_t seed) {
    std::vector<std::byte> page = page_of(4096, page_kind::random, seed);
    fill_bytes(page.data() + 2048, 0, 2048);
    return page;
}
/// Bytes of the stream that a put of such a page left, by the pool's statistics.
std::uint64_t stream_of(choosing_store& f, pool_id pool, std::uint64_t i) {
    const std::uint64_t before = f.store.statistics_of(pool).value().compr_data_size;
    REQUIRE(f.store.put({pool, 1, i}, half_page(i)) == status::ok);
    return f.store.statistics_of(pool).value().compr_data_size - before;
}
bool is_there(choosing_store& f, pool_id pool, std::uint64_t i) {
    std::vector<std::byte> out(4096);
    return f.store.get({pool, 1, i}, out) == status::ok && out == half_page(i);
}
constexpr std::uint64_t by_a = 2048 + 2, by_b = 2048 + 2 + 100; // with its name and the mark

TEST_CASE("store_pools: a pool's pages go to its codec, and what is stored stays readable when that changes") {
    choosing_store f{{.limit_bytes = 16 << 20, .partitions = 4}};
    const pool_id first = f.make_pool(), second = f.make_pool({.codec = 1});
    CHECK(stream_of(f, first, 1) == by_a);
    CHECK(stream_of(f, second, 1) == by_b);
    REQUIRE(f.store.set_codec(first, 1) == status::ok);
    CHECK(stream_of(f, first, 2) == by_b);
    CHECK(stream_of(f, second, 2) == by_b);
    REQUIRE(f.store.set_codec(second, 0) == status::ok);
    CHECK(stream_of(f, second, 3) == by_a);
    REQUIRE(f.store.set_codec(first, 1) == status::ok); // which it has
    for (const std::uint64_t i : {1u, 2u}) {
        CHECK(is_there(f, first, i));
        CHECK(is_there(f, second, i));
    }
    CHECK(is_there(f, second, 3));
    CHECK(f.store.take({first, 1, 1}, std::vector<std::byte>(4096)) == status::ok);
    CHECK(f.store.stats().decompress_fail == 0);
    CHECK(f.store.check());
}

TEST_CASE("store_pools: a pool's pages are admitted by its policy, which may change") {
    choosing_store f{{.limit_bytes = 16 << 20, .partitions = 4}};
    const pool_id first = f.make_pool({.kind = pool_kind::ephemeral});
    const pool_id second = f.make_pool({.kind = pool_kind::ephemeral, .admission = 1});
    CHECK(f.put({first, 1, 1}, 1) == status::ok);
    CHECK(f.put({second, 1, 1}, 1) == status::incompressible);
    CHECK(f.put({second, 1, 1}, 1) == status::ok);
    REQUIRE(f.store.set_admission(first, 1) == status::ok);
    REQUIRE(f.store.set_admission(second, 0) == status::ok);
    CHECK(f.put({first, 1, 2}, 2) == status::incompressible);
    CHECK(f.put({second, 1, 2}, 2) == status::ok);
    CHECK(f.store.check());
}

TEST_CASE("store_pools: a number that there is not is invalid, and so is a pool") {
    choosing_store f{{.limit_bytes = 16 << 20, .partitions = 2}};
    CHECK(f.store.create_pool({.codec = 2}).error() == status::invalid);
    CHECK(f.store.create_pool({.codec = 255}).error() == status::invalid);
    CHECK(f.store.create_pool({.admission = 3}).error() == status::invalid);
    CHECK(f.source.acquisitions() == 0);
    CHECK(f.store.set_codec(pool_id{}, 0) == status::invalid);
    const pool_id pool = f.make_pool({.codec = 1, .admission = 2});
    CHECK(f.store.set_codec(pool, 2) == status::invalid);
    CHECK(f.store.set_codec(pool, 256) == status::invalid);
    CHECK(f.store.set_admission(pool, 3) == status::invalid);
    CHECK(f.store.set_admission(pool, 2) == status::ok);
    CHECK(stream_of(f, pool, 1) == by_b);
    REQUIRE(f.store.destroy_pool(pool) == status::ok);
    CHECK(f.store.set_codec(pool, 1) == status::invalid);
    CHECK(f.store.set_admission(pool, 1) == status::invalid);
    const pool_id next = f.make_pool(); // in the same slot
    CHECK(f.store.set_codec(pool, 1) == status::invalid);
    CHECK(f.store.set_admission(pool, 1) == status::invalid);
    CHECK(stream_of(f, next, 1) == by_a);
    CHECK(f.put({next, 1, 2}, 2) == status::ok);

    fixture plain; // without anything to choose
    const pool_id only = plain.make_pool();
    CHECK(plain.store.set_codec(only, 0) == status::ok);
    CHECK(plain.store.set_codec(only, 1) == status::invalid);
    CHECK(plain.store.set_admission(only, 0) == status::ok);
    CHECK(plain.store.set_admission(only, 1) == status::invalid);
    CHECK(plain.made({.codec = 1}) == status::invalid);
    CHECK(plain.made({.admission = 1}) == status::invalid);
}

TEST_CASE("store_pools: a store of chosen codecs of ours") {
    struct of_ours : default_config {
        using compressor_type = routed<lz_block, page_codec>;
    };
    store_fixture<page_store<of_ours>> f;
    const pool_id pool = f.make_pool();
    for (std::uint64_t i = 0; i < 60; ++i) {
        REQUIRE(f.store.set_codec(pool, i / 7 % 2) == status::ok);
        REQUIRE(f.put({pool, 1, i % 30}, i) == status::ok);
    }
    for (std::uint64_t i = 30; i < 60; ++i) {
        CHECK(f.has({pool, 1, i % 30}, i));
    }
    CHECK(f.store.stats().reject_compress_fail == 0);
    CHECK(f.store.check());
}

} // namespace
} // namespace pagefold::testing::unit_store_store_pools
