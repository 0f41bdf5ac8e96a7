// SPDX-License-Identifier: MIT

// Pool ids, and what a pool may use: caps, reservations and weights.

#include "support/store_fixture.hpp"

#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>

namespace {

using namespace pagefold;
using namespace pagefold::testing;

using fixture = store_fixture<page_store<default_config>>;

constexpr std::size_t raw_page = 4096 + 12; // what an incompressible page counts against its pool: itself and an entry

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

TEST_CASE("generations come round to 1 and never to 0") {
    const std::uint32_t last = (1u << pool_ids::generation_bits) - 1;
    const pool_id before{last << (pool_ids::slot_bits + 1) | 5u};
    CHECK(pool_ids::generation(before) == last);
    const pool_id after = pool_ids::next(before, 5, pool_kind::persistent);
    CHECK(pool_ids::generation(after) == 1);
    CHECK(after != pool_id{});
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
    const pool_id pool = s.make_pool({.cap_bytes = 10 * raw_page});
    const pool_id free = s.make_pool();
    for (std::uint64_t i = 0; i < 10; ++i) {
        CHECK(put_raw(s, pool, i) == status::ok);
    }
    CHECK(used(s, pool) == 10 * raw_page);
    CHECK(put_raw(s, pool, 10) == status::limit);
    CHECK(s.put({pool, 9, 9}, page_kind::zeros, 0) == status::limit); // even an entry is too much
    CHECK(put_raw(s, free, 10) == status::ok);
    CHECK(stored(s, pool) == 10);
    CHECK(put_raw(s, pool, 4) == status::ok); // in place of itself
    CHECK(s.put({pool, 0, 5}, page_kind::zeros, 0) == status::ok);
    CHECK(used(s, pool) == 9 * raw_page + 12);
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
    const pool_id tight = s.make_pool({.cap_bytes = raw_page - 1});
    CHECK(put_raw(s, tight, 1) == status::limit);
    CHECK(s.put({tight, 1, 1}, page_kind::zeros, 1) == status::ok);
    const pool_id none = s.make_pool({.kind = pool_kind::ephemeral, .cap_bytes = 0});
    CHECK(s.put({none, 1, 1}, page_kind::zeros, 1) == status::limit);
    CHECK(put_raw(s, none, 1) == status::limit);
    CHECK(stored(s, none) == 0);
}

TEST_CASE("an ephemeral pool at its cap drops its own pages") {
    fixture s;
    const pool_id capped = s.make_pool({.kind = pool_kind::ephemeral, .cap_bytes = 10 * raw_page});
    const pool_id other = s.make_pool({.kind = pool_kind::ephemeral});
    for (std::uint64_t i = 0; i < 30; ++i) {
        CHECK(put_raw(s, other, i) == status::ok);
        CHECK(put_raw(s, capped, i) == status::ok);
        CHECK(s.has({capped, 0, i}, page_kind::random, i));
        CHECK(used(s, capped) <= 10 * raw_page);
    }
    CHECK(stored(s, capped) == 10);
    CHECK(stored(s, other) == 30);
    CHECK(s.store.statistics_of(capped).value().evicted_pages == 20);
    CHECK(s.store.check());
}

TEST_CASE("a reservation can't be taken, neither by dropping nor by filling") {
    fixture s{store_options{.limit_bytes = 600'000}};
    constexpr std::uint64_t reserved_pages = 40;
    const pool_id reserved = s.make_pool({.kind = pool_kind::ephemeral, .reserved_bytes = reserved_pages * raw_page});
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
    const pool_id reserved = s.make_pool({.kind = pool_kind::ephemeral, .reserved_bytes = 30 * raw_page});
    for (std::uint64_t i = 0; i < 45; ++i) {
        CHECK(put_raw(s, reserved, i) == status::ok);
    }
    CHECK(s.store.resize(0) == status::limit);
    CHECK(stored(s, reserved) == 30);
    CHECK(s.store.check());
}

TEST_CASE("a reservation ends with its pool") {
    fixture s{store_options{.limit_bytes = 400'000}};
    const pool_id reserved = s.make_pool({.reserved_bytes = 1'000'000});
    const pool_id kept = s.make_pool();
    CHECK(put_raw(s, kept, 1) == status::limit);
    CHECK(put_raw(s, reserved, 1) == status::ok);
    CHECK(s.store.destroy_pool(reserved) == status::ok);
    CHECK(put_raw(s, kept, 1) == status::ok);
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
