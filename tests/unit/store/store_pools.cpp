// SPDX-License-Identifier: MIT
//
// How pools come and go, in one thread. What their ids are: pool_registry.cpp; with threads: tests/stress.
#include <pagefold/store/store_pools.hpp>

#include "support/store_fixture.hpp"

#include <pagefold/store/default_config.hpp>
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

} // namespace
} // namespace pagefold::testing::unit_store_store_pools
