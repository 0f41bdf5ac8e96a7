// SPDX-License-Identifier: MIT

// Pool ids, and what a pool may use: caps, reservations and weights.

#include "support/store_fixture.hpp"

#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>

namespace {

using namespace pagefold;
using namespace pagefold::testing;

using fixture = store_fixture<page_store<default_config>>;

// What so many incompressible pages of one extent are charged: themselves, the extent with its bucket, and an array.
constexpr std::size_t raw_pages(std::size_t count) {
    std::size_t array = 0;
    for (const std::size_t capacity : {2u, 4u, 6u, 8u, 12u, 16u, 24u, 32u, 48u, 64u}) {
        array = array == 0 && count > 1 && capacity >= count ? capacity * 12 : array;
    }
    return count * 4096 + 44 + array;
}

status put_raw(fixture& s, pool_id pool, std::uint64_t index) {
    return s.put({pool, index / 100, index}, page_kind::random, index);
}
std::uint64_t stored(const fixture& s, pool_id pool) { return s.store.statistics_of(pool).value().stored_pages; }
std::uint64_t used(const fixture& s, pool_id pool) { return s.store.statistics_of(pool).value().used_bytes; }

} // namespace

TEST_CASE("a pool id tells slot, kind and generation") {
    pool_id id{};
    for (const std::uint32_t slot : {0u, 1u, 63u, 4095u}) {
        for (const pool_kind kind : {pool_kind::persistent, pool_kind::ephemeral}) {
            const pool_id next = pool_ids::next(id, slot, kind);
            CHECK(pool_ids::slot(next) == slot);
            CHECK(pool_ids::kind(next) == kind);
            CHECK(pool_ids::generation(next) == pool_ids::generation(id) + 1);
            id = next;
        }
    }
}

TEST_CASE("an id never comes again, and the last generation of a slot ends it") {
    CHECK(sizeof(pool_id) == 8);
    const std::uint64_t last = (std::uint64_t{1} << (64 - pool_ids::slot_bits - 1)) - 1;
    const pool_id before{last << (pool_ids::slot_bits + 1) | 5u};
    CHECK(pool_ids::generation(before) == last);
    CHECK(pool_ids::next(before, 5, pool_kind::persistent) == pool_id{});
    fixture s;
    const pool_id first = s.make_pool();
    CHECK(s.put({first, 1, 1}, 1) == status::ok);
    REQUIRE(s.store.destroy_pool(first) == status::ok);
    for (unsigned i = 0; i < 600'000; ++i) { // 19 bits came round before
        const pool_id id = s.store.create_pool().value();
        if (id == first || s.store.destroy_pool(id) != status::ok) {
            FAIL("an id came again");
        }
    }
    const pool_id other = s.make_pool();
    CHECK(pool_ids::slot(other) == pool_ids::slot(first));
    CHECK(s.put({other, 1, 1}, 2) == status::ok);
    CHECK(s.get({first, 1, 1}) == status::invalid);
}

TEST_CASE("options that contradict themselves are invalid") {
    fixture s;
    CHECK(s.store.create_pool({.weight = 0}).error() == status::invalid);
    CHECK(s.store.create_pool({.cap_bytes = 4095, .reserved_bytes = 4096}).error() == status::invalid);
    CHECK(s.store.create_pool({.node = node_id{0}, .strict_node = true}).error() == status::invalid);
    CHECK(s.source.bytes_held() == 0);
    CHECK(s.store.create_pool({.node = node_id{0}}));
    CHECK(s.store.create_pool({.strict_node = true}));
    CHECK(s.store.create_pool({.cap_bytes = 4096, .reserved_bytes = 4096}));
}

TEST_CASE("there are max_pools pools, and a slot that came free serves again") {
    fixture s;
    pool_id pools[default_config::max_pools];
    for (pool_id& pool : pools) {
        pool = s.make_pool();
        CHECK(s.put({pool, 1, 1}, 2) == status::ok);
    }
    CHECK(s.store.create_pool().error() == status::limit);
    CHECK(s.store.destroy_pool(pools[40]) == status::ok);
    const pool_id again = s.make_pool({.kind = pool_kind::ephemeral});
    CHECK(s.lacks({again, 1, 1}));
    CHECK(s.store.create_pool().error() == status::limit);
    CHECK(s.store.check());
}

TEST_CASE("a persistent pool refuses puts beyond its cap, exactly") {
    fixture s;
    const pool_id pool = s.make_pool({.cap_bytes = raw_pages(10)});
    const pool_id free = s.make_pool();
    for (std::uint64_t i = 0; i < 10; ++i) {
        CHECK(put_raw(s, pool, i) == status::ok);
    }
    CHECK(used(s, pool) == raw_pages(10));
    CHECK(put_raw(s, pool, 10) == status::limit);
    CHECK(s.put({pool, 9, 9}, page_kind::zeros, 0) == status::limit); // even an entry is too much
    CHECK(put_raw(s, free, 10) == status::ok);
    CHECK(stored(s, pool) == 10);
    CHECK(put_raw(s, pool, 4) == status::ok); // in place of itself
    CHECK(s.put({pool, 0, 5}, page_kind::zeros, 0) == status::ok);
    CHECK(used(s, pool) == raw_pages(10) - 4096);
    CHECK(s.put({pool, 0, 5}, page_kind::sparse, 3) == status::ok);
    CHECK(s.store.erase({pool, 0, 6}) == status::ok);
    CHECK(put_raw(s, pool, 10) == status::ok);
    CHECK(put_raw(s, pool, 11) == status::limit);
    CHECK(s.store.statistics_of(pool).value().rejected_puts == 3);
    CHECK(s.store.statistics_of(pool).value().evicted_pages == 0);
    CHECK(s.store.check());
}

TEST_CASE("a cap below a single page refuses all, and one without any room is no trouble") {
    fixture s;
    const pool_id tight = s.make_pool({.cap_bytes = raw_pages(1) - 1});
    CHECK(put_raw(s, tight, 1) == status::limit);
    CHECK(s.put({tight, 1, 1}, page_kind::zeros, 1) == status::ok);
    const pool_id none = s.make_pool({.kind = pool_kind::ephemeral, .cap_bytes = 0});
    CHECK(s.put({none, 1, 1}, page_kind::zeros, 1) == status::limit);
    CHECK(put_raw(s, none, 1) == status::limit);
    CHECK(stored(s, none) == 0);
}

TEST_CASE("an ephemeral pool at its cap drops its own pages") {
    fixture s;
    const pool_id capped = s.make_pool({.kind = pool_kind::ephemeral, .cap_bytes = raw_pages(10)});
    const pool_id other = s.make_pool({.kind = pool_kind::ephemeral});
    for (std::uint64_t i = 0; i < 30; ++i) {
        CHECK(put_raw(s, other, i) == status::ok);
        CHECK(put_raw(s, capped, i) == status::ok);
        CHECK(s.has({capped, 0, i}, page_kind::random, i));
        CHECK(used(s, capped) <= raw_pages(10));
    }
    CHECK(stored(s, capped) == 10);
    CHECK(stored(s, other) == 30);
    CHECK(s.store.statistics_of(capped).value().evicted_pages == 20);
    CHECK(s.store.check());
}

TEST_CASE("a reservation can't be taken, neither by dropping nor by filling") {
    fixture s{store_options{.limit_bytes = 600'000}};
    constexpr std::uint64_t reserved_pages = 40;
    const pool_id reserved = s.make_pool({.kind = pool_kind::ephemeral, .reserved_bytes = raw_pages(reserved_pages)});
    const pool_id cache = s.make_pool({.kind = pool_kind::ephemeral, .weight = 10'000});
    const pool_id kept = s.make_pool();
    for (std::uint64_t i = 0; i < 25; ++i) {
        CHECK(put_raw(s, reserved, i) == status::ok);
    }
    for (std::uint64_t i = 0; i < 300; ++i) {
        CHECK(put_raw(s, cache, i) == status::ok);
    }
    std::uint64_t accepted = 0;
    while (put_raw(s, kept, accepted) == status::ok) {
        ++accepted;
    }
    CHECK(accepted > 50);
    CHECK(stored(s, cache) == 0);
    CHECK(stored(s, reserved) == 25);
    CHECK(s.store.shrink(600'000) == 0);
    CHECK(stored(s, reserved) == 25);
    // The other fifteen pages' room was held back all the while.
    for (std::uint64_t i = 25; i < reserved_pages; ++i) {
        CHECK(put_raw(s, reserved, i) == status::ok);
    }
    CHECK(stored(s, reserved) == reserved_pages);
    for (std::uint64_t i = 0; i < reserved_pages; ++i) {
        CHECK(s.has({reserved, 0, i}, page_kind::random, i));
    }
    CHECK(s.store.stats().total_bytes <= 600'000);
    CHECK(s.store.check());
}

TEST_CASE("what a pool has above its reservation can be dropped, down to it") {
    fixture s;
    const pool_id reserved = s.make_pool({.kind = pool_kind::ephemeral, .reserved_bytes = raw_pages(30)});
    for (std::uint64_t i = 0; i < 45; ++i) {
        CHECK(put_raw(s, reserved, i) == status::ok);
    }
    CHECK(s.store.resize(0) == status::limit);
    CHECK(stored(s, reserved) == 30);
    CHECK(s.store.check());
}

TEST_CASE("reservations that can't be kept are refused, and no sum overflows") {
    fixture s{store_options{.limit_bytes = 4'000'000}};
    CHECK(s.store.create_pool({.reserved_bytes = std::size_t{1} << 63}).error() == status::limit);
    CHECK(s.store.create_pool({.reserved_bytes = 4'000'000}).error() ==
          status::limit); // with what the store takes itself
    const pool_id half = s.make_pool({.reserved_bytes = 2'000'000});
    CHECK(s.store.create_pool({.reserved_bytes = 2'000'000}).error() == status::limit);
    CHECK(s.store.create_pool({.reserved_bytes = ~std::size_t{0}}).error() == status::limit);
    CHECK(s.store.destroy_pool(half) == status::ok);
    CHECK(s.store.create_pool({.reserved_bytes = 3'000'000}));
    fixture free;
    CHECK(free.store.create_pool({.reserved_bytes = std::size_t{1} << 63}));
    CHECK(free.store.create_pool({.reserved_bytes = std::size_t{1} << 63}).error() == status::limit);
    CHECK(free.store.check());
}

TEST_CASE("a reservation ends with its pool") {
    fixture s{store_options{.limit_bytes = 400'000}};
    const pool_id reserved = s.make_pool({.reserved_bytes = 280'000});
    const pool_id kept = s.make_pool();
    CHECK(put_raw(s, kept, 1) == status::limit);
    CHECK(put_raw(s, reserved, 1) == status::ok);
    CHECK(s.store.destroy_pool(reserved) == status::ok);
    CHECK(put_raw(s, kept, 1) == status::ok);
    CHECK(s.store.check());
}

TEST_CASE("the pools' charges and the fixed part are all that the store takes") {
    for (const bool dense : {true, false}) {
        fixture s;
        const pool_id a = s.make_pool(), b = s.make_pool({.kind = pool_kind::ephemeral});
        const auto whole = [&] {
            const store_stats all = s.store.stats();
            CHECK(used(s, a) + used(s, b) + all.fixed_bytes == all.total_bytes);
            return all;
        };
        whole();
        const std::size_t empty = s.store.stats().total_bytes;
        for (std::uint64_t i = 0; i < 6000; ++i) {
            const pool_id pool = i % 3 == 0 ? a : b;
            CHECK(s.put(dense ? page_key{pool, 1, i} : page_key{pool, i, 0}, i) == status::ok);
        }
        const store_stats full = whole();
        CHECK(full.fixed_bytes < empty + 24 * 4096 + full.total_bytes / 40);
        for (std::uint64_t i = 0; i < 6000; i += 2) {
            CHECK(s.store.erase(dense ? page_key{i % 3 == 0 ? a : b, 1, i} : page_key{i % 3 == 0 ? a : b, i, 0}) ==
                  status::ok);
        }
        static_cast<void>(s.store.compact(~std::size_t{0}));
        const store_stats half = whole();
        CHECK(half.fixed_bytes < empty + 24 * 4096 + half.total_bytes / 40);
        CHECK(s.store.check());
    }
}

TEST_CASE("a cap is memory: a pool takes no more of the source, whatever its pages") {
    for (const page_kind kind : {page_kind::zeros, page_kind::text, page_kind::random}) {
        fixture s;
        const pool_id pool = s.make_pool({.cap_bytes = 1'000'000});
        CHECK(s.put({pool, ~std::uint64_t{0}, 0}, kind, 0) == status::ok);
        const std::size_t before = s.source.bytes_held();
        std::uint64_t object = 0;
        while (s.put({pool, object * 0x9e3779b97f4a7c15u, 0}, kind, object) == status::ok) {
            ++object;
        }
        CHECK(s.source.bytes_held() - before <= 1'100'000);
        CHECK(used(s, pool) > 950'000);
    }
}

TEST_CASE("a reservation can be filled while another pool floods the store") {
    for (const bool dense : {true, false}) {
        fixture s{store_options{.limit_bytes = 8'000'000}};
        const std::size_t bytes = 4'000'000;
        const pool_id reserved = s.make_pool({.reserved_bytes = bytes});
        const pool_id flood = s.make_pool();
        std::uint64_t i = 0;
        for (unsigned refused = 0; refused < 20; ++i) {
            refused += s.put({flood, i % 7, i}, page_kind::text, i) == status::ok ? 0 : 1;
        }
        std::uint64_t kept = 0;
        while (s.put(dense ? page_key{reserved, 1, kept} : page_key{reserved, kept, 0}, page_kind::text, kept) ==
               status::ok) {
            ++kept;
        }
        CHECK(used(s, reserved) > bytes / 100 * 95);
        CHECK(s.store.check());
    }
}

TEST_CASE("shares are the store's: a flood takes nothing of quiet pools, whatever the partitions and weights") {
    for (const std::size_t partitions : {1u, 8u, 64u}) {
        for (const std::uint32_t weight : {100u, 1u << 30}) {
            store_fixture<partitioned_store<default_config>> s{
                store_options{.limit_bytes = 16'000'000, .partitions = partitions}};
            pool_id quiet[3], flood{};
            for (unsigned i = 0; i < 4; ++i) { // the flooding pool's slot lies between
                (i == 1 ? flood : quiet[i == 0 ? 0 : i - 1]) =
                    s.make_pool({.kind = pool_kind::ephemeral, .weight = weight});
            }
            for (std::uint64_t i = 0; i < 3 * 150; ++i) {
                CHECK(s.put({quiet[i % 3], 1, i}, page_kind::text, i) == status::ok);
            }
            for (std::uint64_t i = 0; i < 8000; ++i) {
                CHECK(s.put({flood, i % 5, i}, page_kind::text, i) == status::ok);
            }
            std::uint64_t left = 0;
            for (std::uint64_t i = 0; i < 3 * 150; ++i) {
                left += s.has({quiet[i % 3], 1, i}, page_kind::text, i) ? 1 : 0;
            }
            CAPTURE(partitions);
            CHECK(left == 3 * 150);
            CHECK(s.store.statistics_of(flood).value().evicted_pages > 100);
            CHECK(s.store.check());
        }
    }
}

TEST_CASE("under pressure a pool of twice the weight keeps about twice the pages") {
    fixture s{store_options{.limit_bytes = 4'000'000}};
    const pool_id heavy = s.make_pool({.kind = pool_kind::ephemeral, .weight = 200});
    const pool_id light = s.make_pool({.kind = pool_kind::ephemeral, .weight = 100});
    const auto is_fair = [&] {
        const std::uint64_t heavy_pages = stored(s, heavy), light_pages = stored(s, light);
        CHECK(heavy_pages + light_pages > 800);
        CHECK(heavy_pages * 10 > light_pages * 18);
        CHECK(heavy_pages * 10 < light_pages * 22);
    };
    for (std::uint64_t i = 0; i < 2400; ++i) {
        CHECK(put_raw(s, heavy, i) == status::ok);
        CHECK(put_raw(s, light, i) == status::ok);
    }
    is_fair();
    // Whoever pushes harder takes no more than the share.
    for (std::uint64_t i = 2400; i < 6000; ++i) {
        CHECK(put_raw(s, light, i) == status::ok);
    }
    is_fair();
    CHECK(s.store.check());
}
