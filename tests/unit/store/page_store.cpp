// SPDX-License-Identifier: MIT

// The rules of ephemeral and persistent pools (those of Xen's and Linux's transcendent memory), one by one, and the keys.

#include "support/store_fixture.hpp"

#include <pagefold/admit/ratio.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <vector>

namespace unit_store_page_store {

namespace {

using namespace pagefold;
using namespace pagefold::testing;

/// Refuses what does not shrink, so that a put can be refused while there is memory.
struct choosy_config : default_config {
    using admission_type = ratio;
};

struct choosy_store : store_fixture<page_store<choosy_config>> {
    choosy_store() : store_fixture{store_options{}, choosy_config::compressor_type{}, ratio{875, admission::reject}} {}
};

constexpr pool_kind both_kinds[] = {pool_kind::persistent, pool_kind::ephemeral};

} // namespace

TEST_CASE("a page reads back as it was put, whatever it looks like") {
    choosy_store s;
    for (const pool_kind kind : both_kinds) {
        const pool_id pool = s.make_pool({.kind = kind});
        for (std::uint64_t seed = 0; seed < 5 * page_kinds; ++seed) {
            const bool refused = kind_of(seed) == page_kind::random;
            CHECK(s.put({pool, 7, seed}, seed) == (refused ? status::incompressible : status::ok));
        }
        for (std::uint64_t seed = 0; seed < 5 * page_kinds; ++seed) {
            CHECK((kind_of(seed) == page_kind::random ? s.lacks({pool, 7, seed}) : s.has({pool, 7, seed}, seed)));
        }
    }
    CHECK(s.store.check());
}

TEST_CASE("a duplicate put overwrites") {
    choosy_store s;
    for (const pool_kind kind : both_kinds) {
        const page_key key{s.make_pool({.kind = kind}), 1, 2};
        // From every kind to every other: between entry, small and large slots.
        for (const std::uint64_t seed : {0u, 2u, 1u, 3u, 4u, 6u, 3u, 0u, 1u, 4u, 2u, 8u, 9u}) {
            CHECK(s.put(key, seed) == status::ok);
            CHECK(s.has(key, seed));
        }
        CHECK(s.store.statistics_of(key.pool).value().stored_pages == 1);
    }
    CHECK(s.store.stats().erased_pages == 2 * 12);
    CHECK(s.store.check());
}

TEST_CASE("a refused put leaves no older version") {
    choosy_store s;
    for (const pool_kind kind : both_kinds) {
        const page_key key{s.make_pool({.kind = kind}), 1, 2};
        for (const page_kind older : {page_kind::zeros, page_kind::text}) {
            CHECK(s.put(key, older, 1) == status::ok);
            CHECK(s.put(key, page_kind::random, 2) == status::incompressible);
            CHECK(s.lacks(key));
        }
        const pool_stats p = s.store.statistics_of(key.pool).value();
        CHECK(p.stored_pages == 0);
        CHECK(p.rejected_puts == 2);
    }
    const store_stats all = s.store.stats();
    CHECK(all.reject_compress_poor == 4);
    CHECK(all.reject_alloc_fail + all.reject_reclaim_fail + all.pool_limit_hit == 0);
    CHECK(s.store.check());
}

TEST_CASE("a missed get keeps missing until the next put") {
    choosy_store s;
    for (const pool_kind kind : both_kinds) {
        const page_key key{s.make_pool({.kind = kind}), 1, 2};
        for (int i = 0; i < 3; ++i) {
            CHECK(s.put({key.pool, 1, 3}, 2) == status::ok);
            CHECK(s.lacks(key));
            CHECK(s.take(key) == status::not_found);
            CHECK(s.store.erase(key) == status::not_found);
        }
        CHECK(s.put(key, 4) == status::ok);
        CHECK(s.has(key, 4));
        CHECK(s.store.erase(key) == status::ok);
        CHECK(s.lacks(key));
    }
}

TEST_CASE("a take is exclusive, a get is not") {
    choosy_store s;
    for (const pool_kind kind : both_kinds) {
        const page_key key{s.make_pool({.kind = kind}), 1, 2};
        for (const std::uint64_t seed : {0u, 2u, 4u}) {
            CHECK(s.put(key, seed) == status::ok);
            CHECK(s.has(key, seed));
            CHECK(s.has(key, seed));
            CHECK(s.take(key) == status::ok);
            CHECK(s.got(seed));
            CHECK(s.take(key) == status::not_found);
            CHECK(s.lacks(key));
        }
    }
    CHECK(s.store.stats().stored_pages == 0);
    CHECK(s.store.stats().allocated_bytes == 0);
}

TEST_CASE("persistent pages are never dropped, ephemeral ones may be, and are never stale") {
    store_fixture<page_store<choosy_config>> s{store_options{.limit_bytes = 500'000}};
    const pool_id kept = s.make_pool();
    const pool_id cache = s.make_pool({.kind = pool_kind::ephemeral});
    std::uint64_t accepted = 0;
    for (std::uint64_t i = 0; i < 400; ++i) {
        // Even pages of the cache are put twice: if they are there, then in the second version.
        CHECK(s.put({cache, 1, i}, page_kind::text, i) == status::ok);
        CHECK(s.put({cache, 1, i & ~std::uint64_t{1}}, page_kind::pointers, i) == status::ok);
        if (i % 8 == 0 && s.put({kept, 1, i}, page_kind::text, i) == status::ok) {
            ++accepted;
        }
    }
    CHECK(accepted == 50);
    for (std::uint64_t i = 0; i < 400; i += 8) {
        CHECK(s.has({kept, 1, i}, page_kind::text, i));
    }
    std::size_t found = 0;
    for (std::uint64_t i = 0; i < 400; ++i) {
        if (s.get({cache, 1, i}) == status::ok) {
            ++found;
            CHECK((i % 2 == 0 ? s.got(page_kind::pointers, i + 1) : s.got(page_kind::text, i)));
        }
    }
    CHECK(found > 20);
    CHECK(found < 400);
    CHECK(s.store.statistics_of(kept).value().evicted_pages == 0);
    CHECK(s.store.statistics_of(cache).value().evicted_pages == s.store.stats().evicted_pages);
    CHECK(s.store.check());
}

TEST_CASE("a cache makes room for persistent pages, however small it is against them") {
    store_fixture<page_store<choosy_config>> s{store_options{.limit_bytes = 520'000}};
    const pool_id kept = s.make_pool();
    const pool_id cache = s.make_pool({.kind = pool_kind::ephemeral});
    std::uint64_t count = 0;
    for (; count < 60; ++count) {
        CHECK(s.put({kept, 1, count}, page_kind::random, count) == status::ok);
    }
    for (std::uint64_t i = 0; i < 200; ++i) {
        CHECK(s.put({cache, 1, i}, page_kind::random, i) == status::ok);
    }
    const std::uint64_t cached = s.store.statistics_of(cache).value().stored_pages;
    CHECK(cached > 20);
    CHECK(cached < 60);
    for (; count < 60 + cached; ++count) {
        CHECK(s.put({kept, 1, count}, page_kind::random, count) == status::ok);
    }
    CHECK(s.store.statistics_of(cache).value().stored_pages < 5);
    for (std::uint64_t i = 0; i < count; ++i) {
        CHECK(s.has({kept, 1, i}, page_kind::random, i));
    }
}

TEST_CASE("a persistent put is refused when the store is full, and everything accepted stays") {
    store_fixture<page_store<choosy_config>> s{store_options{.limit_bytes = 400'000}};
    const pool_id pool = s.make_pool();
    std::uint64_t count = 0;
    while (s.put({pool, 1, count}, page_kind::random, count) == status::ok) {
        ++count;
        REQUIRE(count < 200);
    }
    CHECK(count > 60);
    CHECK(s.lacks({pool, 1, count}));
    for (std::uint64_t i = 0; i < count; ++i) {
        CHECK(s.has({pool, 1, i}, page_kind::random, i));
    }
    CHECK(s.store.stats().pool_limit_hit == 1);
    CHECK(s.store.stats().reject_reclaim_fail == 1);
    for (std::uint64_t i = 0; i < 8; ++i) { // a page for the content, and some should the index have to grow
        CHECK(s.store.erase({pool, 1, i}) == status::ok);
    }
    CHECK(s.put({pool, 1, count}, page_kind::random, 5) == status::ok);
}

TEST_CASE("the id of a destroyed pool is invalid, and its slot shows nothing to the next pool") {
    choosy_store s;
    pool_id last{};
    for (int generation = 0; generation < 6; ++generation) {
        const pool_kind kind = both_kinds[generation % 2];
        const pool_id pool = s.make_pool({.kind = kind});
        CHECK(pool != last);
        CHECK(pool != pool_id{});
        for (std::uint64_t i = 0; i < 200; ++i) {
            CHECK(s.lacks({pool, i % 3, i}));
            CHECK(s.put({pool, i % 3, i}, page_kind::text, i) == status::ok);
        }
        CHECK(s.store.destroy_pool(pool) == status::ok);
        CHECK(s.store.stats().stored_pages == 0);
        CHECK(s.store.stats().mem_used_total == 0);
        CHECK(s.put({pool, 0, 0}, 1) == status::invalid);
        CHECK(s.get({pool, 0, 0}) == status::invalid);
        CHECK(s.take({pool, 0, 0}) == status::invalid);
        CHECK(s.store.erase({pool, 0, 0}) == status::invalid);
        CHECK(s.store.erase_object(pool, 0).error() == status::invalid);
        CHECK(s.store.erase_range(pool, 0, 0, 1).error() == status::invalid);
        CHECK(s.store.statistics_of(pool).error() == status::invalid);
        CHECK(s.store.destroy_pool(pool) == status::invalid);
        CHECK(s.store.check());
        last = pool;
    }
}

TEST_CASE("ids of destroyed pools stay invalid while others have the slot") {
    choosy_store s;
    const pool_id first = s.make_pool();
    CHECK(s.store.destroy_pool(first) == status::ok);
    const pool_id second = s.make_pool();
    CHECK(s.put({second, 1, 1}, 2) == status::ok);
    CHECK(s.get({first, 1, 1}) == status::invalid);
    CHECK(s.store.erase({first, 1, 1}) == status::invalid);
    CHECK(s.store.destroy_pool(first) == status::invalid);
    CHECK(s.has({second, 1, 1}, 2));
}

TEST_CASE("keys of different pools, objects and indices never mix") {
    choosy_store s;
    const pool_id pools[] = {s.make_pool(), s.make_pool({.kind = pool_kind::ephemeral}), s.make_pool()};
    const std::uint64_t objects[] = {0, 1, 2, std::uint64_t{1} << 32, std::uint64_t{1} << 63, ~std::uint64_t{0}};
    const std::uint64_t indices[] = {0,
                                     1,
                                     63,
                                     64,
                                     127,
                                     std::uint64_t{1} << 32,
                                     std::uint64_t{1} << 44,
                                     (std::uint64_t{1} << 49) + 64,
                                     max_page_index - 64,
                                     max_page_index - 2,
                                     max_page_index - 1};
    const auto for_all = [&](const auto& visit) {
        std::uint64_t seed = 0;
        for (const pool_id pool : pools) {
            for (const std::uint64_t object : objects) {
                for (const std::uint64_t index : indices) {
                    visit(page_key{pool, object, index}, page_kind::sparse, ++seed);
                }
            }
        }
    };
    for_all(
        [&](const page_key& key, page_kind kind, std::uint64_t seed) { CHECK(s.put(key, kind, seed) == status::ok); });
    for_all([&](const page_key& key, page_kind kind, std::uint64_t seed) { CHECK(s.has(key, kind, seed)); });
    CHECK(s.store.erase_object(pools[0], 1).value() == std::size(indices));
    CHECK(s.store.erase_range(pools[0], 2, max_page_index - 2, ~std::uint64_t{0}).value() == 2);
    CHECK(s.store.erase_range(pools[0], 2, 1, 63).value() == 2);
    CHECK(s.store.erase_range(pools[0], 0, 0, 0).value() == 0);
    CHECK(s.store.erase_range(pools[0], 0, max_page_index, 1).value() == 0);
    for_all([&](const page_key& key, page_kind kind, std::uint64_t seed) {
        const bool erased =
            key.pool == pools[0] && (key.object == 1 || (key.object == 2 && (key.index == 1 || key.index == 63 ||
                                                                             key.index >= max_page_index - 2)));
        CHECK((erased ? s.lacks(key) : s.has(key, kind, seed)));
    });
    CHECK(s.store.check());
}

TEST_CASE("an index of max_page_index or more is invalid") {
    choosy_store s;
    const pool_id pool = s.make_pool();
    for (const std::uint64_t index : {max_page_index, max_page_index + 1, ~std::uint64_t{0}}) {
        CHECK(s.put({pool, 1, index}, 2) == status::invalid);
        CHECK(s.get({pool, 1, index}) == status::invalid);
        CHECK(s.take({pool, 1, index}) == status::invalid);
        CHECK(s.store.erase({pool, 1, index}) == status::invalid);
    }
}

TEST_CASE("a range that begins beyond the last possible page is empty, and no other pool's") {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) { // whichever of the few extents a hash leads to
        store_fixture<page_store<default_config>> s{store_options{.seed = seed}};
        const pool_id empty = s.make_pool(), full = s.make_pool();
        for (const std::uint64_t index : {64u, 0u}) {
            CHECK(s.put({full, 1, index}, page_kind::zeros, 0) == status::ok);
        }
        // As a number of 64 bits, an extent's number this high would run into what stands beside it.
        for (const std::uint64_t first : {max_page_index, std::uint64_t{1} << 58, ~std::uint64_t{0}}) {
            CHECK(s.store.erase_range(empty, 1, first, 1).value() == 0);
            CHECK(s.store.erase_range(empty, 1, first, ~std::uint64_t{0}).value() == 0);
        }
        CHECK(s.store.statistics_of(full).value().stored_pages == 2);
        CHECK(s.store.check());
    }
}

TEST_CASE("pages and buffers of a wrong size are invalid, and touch nothing") {
    choosy_store s;
    const page_key key{s.make_pool(), 1, 1};
    CHECK(s.put(key, 2) == status::ok);
    std::vector<std::byte> bytes(2 * s.page_size);
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, s.page_size - 1, s.page_size + 1, 2 * s.page_size}) {
        CHECK(s.store.put(key, byte_view{bytes}.first(size)) == status::invalid);
        CHECK(s.store.get(key, byte_span{bytes}.first(size)) == status::invalid);
        CHECK(s.store.take(key, byte_span{bytes}.first(size)) == status::invalid);
    }
    CHECK(s.has(key, 2));
}

TEST_CASE("pools that never were are invalid, before and after the first") {
    choosy_store s;
    const auto all_invalid = [&](pool_id pool) {
        return s.put({pool, 1, 1}, 2) == status::invalid && s.get({pool, 1, 1}) == status::invalid &&
               s.store.erase({pool, 1, 1}) == status::invalid &&
               s.store.erase_object(pool, 1).error() == status::invalid &&
               s.store.statistics_of(pool).error() == status::invalid && s.store.destroy_pool(pool) == status::invalid;
    };
    for (const std::uint32_t id : {0u, 1u, 64u, 0x2000u, 0x2001u, 0xffffffffu}) {
        CHECK(all_invalid(pool_id{id}));
    }
    CHECK(s.source.bytes_held() == 0);
    const pool_id pool = s.make_pool();
    for (const std::uint32_t id : {0u, 1u, 64u, 0x2001u, 0x4000u, 0xffffffffu}) {
        CHECK(all_invalid(pool_id{id}));
    }
    // Neither the other kind nor another generation under the same slot.
    CHECK(all_invalid(pool_id{static_cast<std::uint32_t>(pool) ^ 0x1000u}));
    CHECK(all_invalid(pool_id{static_cast<std::uint32_t>(pool) + 0x2000u}));
    CHECK(s.lacks({pool, 1, 1}));
}

} // namespace unit_store_page_store
