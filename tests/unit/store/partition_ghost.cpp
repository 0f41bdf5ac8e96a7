// SPDX-License-Identifier: MIT
#include <pagefold/store/partition_ghost.hpp>

#include <support/pages.hpp>
#include <support/partition_fixture.hpp>
#include <support/test_source.hpp>

#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/probation_clock.hpp>
#include <pagefold/evict/s3_fifo.hpp>
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>
#include <pagefold/store/room.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing::unit_store_partition_ghost {
namespace {

struct remembering_config : default_config {
    using eviction_type = probation_clock;
};
struct forgetful_config : default_config {
    using eviction_type = clock;
};
using ghost = partition_ghost<probation_clock, test_source>;
constexpr std::size_t plenty = 1 << 30;
constexpr pool_kind ephemeral = pool_kind::ephemeral, persistent = pool_kind::persistent;

TEST_CASE("partition_ghost: there is none for a policy that doesn't remember") {
    test_source source;
    partition_ghost<clock, test_source> none{source, any_node};
    none.follow(1'000'000, 100, plenty);
    CHECK(none.trim(0, 100));
    CHECK(none.bytes() == 0);
    CHECK(source.acquisitions() == 0);
}

TEST_CASE("partition_ghost: follows the pages, two bytes each, a page of memory a call") {
    test_source source;
    ghost g{source, any_node};
    g.follow(511, 100, plenty);
    CHECK(g.bytes() == 0);
    g.follow(600, 100, plenty);
    CHECK(g.bytes() == 4096);
    for (std::uint64_t pages = 600; pages <= 100'000; ++pages) {
        const std::uint64_t before = source.acquisitions();
        g.follow(pages, 100, plenty);
        REQUIRE(source.acquisitions() <= before + 2); // a table of the directory's may come with it
        REQUIRE(g.bytes() <= 2 * pages + 2 * 4096);
    }
    CHECK(g.bytes() >= 2 * 96'000);
    CHECK(g.bytes() == source.bytes_held());
    unsigned calls = 1; // each some pages
    for (; !g.trim(10'000, 100); ++calls) {
        REQUIRE(calls < 100);
    }
    CHECK(g.bytes() <= 20'000 + 3 * 4096);
    CHECK(g.bytes() >= 20'000);
    CHECK(g.trim(10'000, 100));
    CHECK(g.trim(0, 100));
    CHECK(g.bytes() == 0);
    CHECK(source.bytes_held() == 0);
}

TEST_CASE("partition_ghost: keeps up with many pages") {
    test_source source;
    ghost g{source, any_node};
    for (std::uint64_t pages = 1; pages <= 400'000; ++pages) {
        g.follow(pages, 100, plenty);
    }
    CHECK(g.bytes() >= 2 * 396'000);
    CHECK(g.bytes() <= 2 * 404'000 + 4096);
}

TEST_CASE("partition_ghost: is as long as the policy wants it, and takes a part of what is held at most") {
    test_source source;
    ghost half{source, any_node}, none{source, any_node}, bound{source, any_node};
    for (std::uint64_t pages = 1; pages <= 50'000; ++pages) {
        half.follow(pages, 50, plenty);
        none.follow(pages, 0, plenty);
        bound.follow(pages, 100, std::size_t{24} * to_size(pages)); // pages that take little but entries
        REQUIRE(bound.bytes() * ghost::part <= 24 * pages);
    }
    CHECK(half.bytes() >= 44'000);
    CHECK(half.bytes() <= 56'000);
    CHECK(none.bytes() == 0);
    CHECK(bound.bytes() == 4096);
}

TEST_CASE("partition_ghost: a refusal is no failure, and it asks again when there are more pages") {
    test_source source;
    ghost g{source, any_node};
    source.refuse_all(true);
    for (std::uint64_t pages = 1; pages <= 10'000; ++pages) {
        g.follow(pages, 100, plenty);
    }
    CHECK(g.bytes() == 0);
    CHECK(source.refusals() > 10);
    CHECK(source.refusals() < 300);
    g.remember(1);
    CHECK_FALSE(g.recall(1));
    source.refuse_all(false);
    g.follow(11'000, 100, plenty);
    CHECK(g.bytes() == 4096);
    g.remember(1);
    CHECK(g.recall(1));
}

/// Pages 0 to count − 1 of 500 bytes, in a state with a ghost.
struct filled : lone_state<remembering_config> {
    explicit filled(std::uint64_t count, std::size_t limit = ~std::size_t{0}) : lone_state{ephemeral, limit} {
        for (std::uint64_t i = 0; i < count; ++i) {
            REQUIRE(put(i, 500) == status::ok);
        }
    }
    [[nodiscard]] std::uint8_t hook(std::uint64_t index) { return state.index.hook(slot(index)); }
    room<remembering_config> here{state};
};

TEST_CASE("partition_ghost: a page that left its probation is known when it comes again, and no other is") {
    filled f{4000};
    REQUIRE(f.state.ghost.bytes() >= 4096);
    CHECK(f.check());
    CHECK(f.state.ephemeral_pages == 4000);
    for (unsigned dropped = 0; dropped < 500;) {
        std::size_t steps = 64;
        dropped += f.here.drop_one(0, 0, true, steps) == eviction_outcome::dropped ? 1u : 0u;
    }
    CHECK(f.state.ephemeral_pages == 3500);
    unsigned known = 0, gone = 0, unknown = 0;
    for (std::uint64_t i = 0; i < 4000; ++i) {
        if (f.lacks(i)) {
            ++gone;
            REQUIRE(f.put(i, 500) == status::ok);
            known += f.hook(i) == 2 ? 1u : 0u;
        }
    }
    for (std::uint64_t i = 4000; i < 5000; ++i) {
        REQUIRE(f.put(i, 500) == status::ok);
        unknown += f.hook(i) == 0 ? 1u : 0u;
    }
    CHECK(gone == 500);
    CHECK(known >= 495);
    CHECK(unknown >= 990);
    CHECK(f.check());
    // What is known is the key, not the slot: of another object, or as a pool with another id, it is not.
    CHECK(f.hasher.page(f.at(1, 7).extent_hash, f.id, 7) == f.at(1, 7).sum_seed);
    CHECK(f.hasher.page(f.at(1, 7).extent_hash, pool_ids::next(f.id, 0, ephemeral), 7) != f.at(1, 7).sum_seed);
}

TEST_CASE("partition_ghost: memory that is refused makes pages unknown, and nothing else") {
    filled f{0};
    for (std::uint64_t i = 0; i < 4000; ++i) {
        REQUIRE(f.put(i, 500) == status::ok);
        f.source.refuse_all(false);
        if (f.state.ghost.bytes() != 0) {
            while (!f.state.ghost.trim(0, 100)) {
            }
        }
    }
    CHECK(f.state.ghost.bytes() == 0);
    for (unsigned dropped = 0; dropped < 100;) {
        std::size_t steps = 64;
        dropped += f.here.drop_one(0, 0, true, steps) == eviction_outcome::dropped ? 1u : 0u;
    }
    CHECK(f.check());
}

TEST_CASE("partition_ghost: goes with the pool's pages, by the end of its drain, and persistent pages have none") {
    lone_partition<remembering_config> p{ephemeral};
    const std::size_t before = p.source.bytes_held();
    for (std::uint64_t i = 0; i < 8000; ++i) {
        REQUIRE(p.put(i, 504) == status::ok);
    }
    CHECK(p.part.check());
    CHECK(p.part.bytes_taken() == p.source.bytes_held());
    p.part.close_pool(p.id);
    while (!p.part.drain_pool(0)) {
    }
    CHECK(p.part.check());
    CHECK(p.part.bytes_taken() == p.source.bytes_held());
    lone_partition<forgetful_config> same{ephemeral};
    for (std::uint64_t i = 0; i < 8000; ++i) {
        REQUIRE(same.put(i, 504) == status::ok);
    }
    same.part.close_pool(same.id);
    while (!same.part.drain_pool(0)) {
    }
    CHECK(p.source.bytes_held() - before == same.source.bytes_held() - before);

    lone_partition<remembering_config> kept{persistent};
    lone_partition<forgetful_config> also{persistent};
    for (std::uint64_t i = 0; i < 8000; ++i) {
        REQUIRE(kept.put(i, 504) == status::ok);
        REQUIRE(also.put(i, 504) == status::ok);
    }
    CHECK(kept.part.bytes_taken() == also.part.bytes_taken());
}

/// How many of 300 pages that are read twice survive a scan.
template <class Store, class... Place>
void fill_past_the_limit(const probation_clock& policy, std::uint64_t& kept, const Place&... place) {
    test_source source;
    store_options options;
    options.limit_bytes = 3 << 20;
    options.partitions = 2;
    options.seed = 5;
    Store store{source, options, {}, {}, place..., policy};
    const pool_id pool = store.create_pool({.kind = pool_kind::ephemeral}).value();
    std::vector<std::byte> page(4096);
    const auto put = [&](std::uint64_t i) {
        REQUIRE(store.put({pool, 1, i}, page_of(4096, page_kind::random, i)) == status::ok);
    };
    for (std::uint64_t round = 0; round < 3; ++round) {
        for (std::uint64_t i = 0; i < 300; ++i) {
            put(i);
            static_cast<void>(store.get({pool, 1, i}, page));
        }
        for (std::uint64_t i = 0; i < 300; ++i) {
            static_cast<void>(store.get({pool, 1, i}, page));
        }
        for (std::uint64_t i = 0; i < 1000; ++i) { // a scan
            put(1000 + round * 1000 + i);
        }
        REQUIRE(store.check());
    }
    kept = 0;
    for (std::uint64_t i = 0; i < 300; ++i) {
        kept += store.get({pool, 1, i}, page) == status::ok ? 1u : 0u;
    }
    CHECK(store.stats().total_bytes == source.bytes_held());
    CHECK(store.destroy_pool(pool) == status::ok);
    CHECK(store.check());
}

TEST_CASE("partition_ghost: a store's pools have the policy that it was handed") {
    using small = page_store<remembering_config>;
    using parted = partitioned_store<remembering_config>;
    std::uint64_t kept_by_tenth = 0, kept_by_all = 0, parted_by_tenth = 0, parted_by_all = 0;
    fill_past_the_limit<small>(probation_clock{}, kept_by_tenth);
    fill_past_the_limit<small>(probation_clock{{100, 100}}, kept_by_all);
    fill_past_the_limit<parted>(probation_clock{}, parted_by_tenth, remembering_config::place_type{});
    fill_past_the_limit<parted>(probation_clock{{100, 100}}, parted_by_all, remembering_config::place_type{});
    CHECK(kept_by_tenth > 20 + kept_by_all); // the scan takes main pages before those on probation
    CHECK(parted_by_tenth > 20 + parted_by_all);
}

} // namespace
} // namespace pagefold::testing::unit_store_partition_ghost
