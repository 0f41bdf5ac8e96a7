// SPDX-License-Identifier: MIT
#include <pagefold/store/room.hpp>

#include "support/partition_fixture.hpp"

#include <pagefold/store/default_config.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace pagefold::testing::unit_store_room {
namespace {

constexpr pool_kind persistent = pool_kind::persistent, ephemeral = pool_kind::ephemeral;
using outcome = eviction_outcome;

/// A state with pages 0 to count − 1, and who drops some of them.
struct fixture : lone_state<default_config> {
    explicit fixture(pool_kind kind, std::uint64_t count = 0, std::size_t size = 1000) : lone_state{kind} {
        for (std::uint64_t i = 0; i < count; ++i) {
            REQUIRE(put(i, size) == status::ok);
        }
    }
    outcome drop(std::size_t need = 0, bool for_its_own = false, std::size_t steps = 64) {
        used = steps;
        const outcome result = here.drop_one(0, need, for_its_own, steps);
        used -= steps;
        return result;
    }

    room<default_config> here{state};
    std::size_t used = 0; // steps, by the last drop
};

TEST_CASE("room: nothing is dropped of no pool, of a closed one, of an empty one, and of a persistent one") {
    fixture f{ephemeral};
    CHECK(f.drop() == outcome::none);
    CHECK(f.used == 0);
    std::size_t steps = 64;
    CHECK(f.here.drop_one(1, 0, true, steps) == outcome::none);
    CHECK(f.here.drop_one(max_pool_slots - 1, 0, true, steps) == outcome::none);
    REQUIRE(f.put(1, 1000) == status::ok);
    f.pool().id = pool_id{};
    CHECK(f.drop() == outcome::none);
    f.pool().id = f.id;
    CHECK(f.drop() == outcome::dropped);
    fixture p{persistent, 3};
    CHECK(p.drop(0, true) == outcome::none);
    CHECK(p.drop(500, true) == outcome::none);
    CHECK(p.holds(0, 1000));
    CHECK(p.check());
}

TEST_CASE("room: a page goes with its object, is counted and settled, one a call, till there is none") {
    fixture f{ephemeral, 10};
    for (std::uint64_t i = 0; i < 10; ++i) {
        CHECK(f.drop() == outcome::dropped);
        CHECK(f.used == 1);
        CHECK(f.lacks(i)); // in the order of the policy, of pages that nobody hit
        CHECK(f.pool().counts.stored_pages == 9 - i);
        CHECK(f.pool().counts.evicted_pages == i + 1);
        CHECK(f.state.totals.evicted_pages == i + 1);
        CHECK(f.record.payload.load(memory_order::relaxed) == f.pool().counts.payload_bytes);
        CHECK(f.record.tables.load(memory_order::relaxed) == f.pool().ring.bytes);
        CHECK(f.check());
    }
    CHECK(f.drop() == outcome::none);
    CHECK(f.state.allocator.allocated_bytes() == 0);
    CHECK(f.pool().counts.evicted_pages == 10);
    CHECK(f.state.erased_pages == 0);
}

TEST_CASE("room: a reservation is kept to the byte, but for the pool's own pages") {
    using state_type = partition_state<default_config>;
    fixture f{ephemeral, 4};
    const std::size_t used = pool_charge::of(f.table, f.record);
    const std::size_t page =
        pool_charge::of(f.table, 4096, state_type::most_page_bytes - 4096); // the most that one is charged
    f.record.reserved.store(used, memory_order::relaxed);
    CHECK(f.drop() == outcome::none);
    f.record.reserved.store(used + 1000, memory_order::relaxed);
    CHECK(f.drop() == outcome::none);
    CHECK(f.drop(0, true) == outcome::dropped);
    while (pool_charge::of(f.table, f.record) < 3 * page) {
        REQUIRE(f.put(100 + f.pool().counts.stored_pages, 4096) == status::ok);
    }
    const std::size_t now = pool_charge::of(f.table, f.record);
    f.record.reserved.store(now - page + 1, memory_order::relaxed);
    CHECK(f.drop() == outcome::none);
    f.record.reserved.store(now - page, memory_order::relaxed);
    CHECK(f.drop() == outcome::dropped);
    CHECK(pool_charge::of(f.table, f.record) >= now - page);
    CHECK(f.check());
}

TEST_CASE("room: without a step nothing is known, and a policy goes on in the next call where it stopped") {
    fixture f{ephemeral, 20};
    CHECK(f.drop(0, false, 0) == outcome::again);
    CHECK(f.pool().counts.stored_pages == 20);
    auto view = f.state.slots(f.pool());
    for (std::uint64_t i = 0; i < 20; ++i) { // all were hit
        f.pool().eviction.on_hit(view, f.slot(i));
    }
    for (int call = 0; call < 3; ++call) {
        CHECK(f.drop(0, false, 5) == outcome::again);
        CHECK(f.used == 5);
    }
    CHECK(f.drop(0, false, 5) == outcome::dropped); // 19 end their probation so, and then the first of them goes
    CHECK(f.used == 5);
    CHECK(f.lacks(0));
    CHECK(f.check());
}

TEST_CASE("room: for an object the place that fits goes before those that don't, however the policy orders them") {
    fixture f{ephemeral, 10, 200};
    REQUIRE(f.put(10, 2000) == status::ok);
    REQUIRE(f.put(11, 200) == status::ok);
    CHECK(f.drop(1990) == outcome::dropped);
    CHECK(f.lacks(10));
    CHECK(f.pool().counts.stored_pages == 11);
    // For pages alone, whichever is the policy's.
    fixture g{ephemeral, 10, 200};
    REQUIRE(g.put(10, 2000) == status::ok);
    CHECK(g.drop(0) == outcome::dropped);
    CHECK(g.lacks(0));
}

TEST_CASE("room: if no page serves, any goes, and none where the steps were used up by looking") {
    fixture f{ephemeral, 10, 200}; // fewer than a search passes over
    CHECK(f.drop(3000) == outcome::dropped);
    CHECK(f.pool().counts.stored_pages == 9);
    fixture g{ephemeral, 10, 200};
    CHECK(g.drop(3000, false, 4) == outcome::again);
    CHECK(g.used == 4);
    CHECK(g.pool().counts.stored_pages == 10);
}

TEST_CASE("room: a search whose steps are used up goes on with what it passed over, and not for ever") {
    fixture f{ephemeral, 100, 200};
    for (int call = 0; call < 4; ++call) {
        CHECK(f.drop(3000, false, 4) == outcome::again);
        CHECK(f.used == 4);
    }
    CHECK(f.drop(3000, false, 4) == outcome::dropped); // sixteen are enough
    CHECK(f.used == 1);
    CHECK(f.pool().counts.stored_pages == 99);
    CHECK(f.check());
}

TEST_CASE("room: after each search in vain twice as many go in the policy's order before the next") {
    fixture f{ephemeral, 500, 200};
    std::uint64_t dropped = 0;
    for (const unsigned pause : {16u, 32u, 64u}) {
        CHECK(f.drop(3000) == outcome::dropped);
        CHECK(f.used == 17); // one more than a search passes over
        for (unsigned i = 0; i < pause; ++i) {
            CHECK(f.drop(3000) == outcome::dropped);
            REQUIRE(f.used == 1);
            CHECK(f.drop(0) == outcome::dropped); // for pages: it is no turn
            REQUIRE(f.used == 1);
        }
        dropped += 1 + 2 * pause;
    }
    CHECK(f.pool().counts.stored_pages == 500 - dropped);
    CHECK(f.check());
}

TEST_CASE("room: a search that finds what fits ends the pauses") {
    fixture f{ephemeral, 200, 200};
    CHECK(f.drop(3000) == outcome::dropped);
    for (int i = 0; i < 16; ++i) {
        CHECK(f.drop(3000) == outcome::dropped);
    }
    CHECK(f.drop(220) == outcome::dropped); // all fit, and well: found at once
    CHECK(f.used == 1);
    CHECK(f.drop(3000) == outcome::dropped); // and the next one searches
    CHECK(f.used == 17);
    for (int i = 0; i < 16; ++i) { // the first pause again
        CHECK(f.drop(3000) == outcome::dropped);
        CHECK(f.used == 1);
    }
    CHECK(f.drop(3000) == outcome::dropped);
    CHECK(f.used == 17);
}

TEST_CASE("room: a policy that damage left without pages learns of them all before one goes") {
    fixture f{ephemeral, 5};
    f.pool().eviction = {};
    CHECK(f.drop() == outcome::dropped);
    CHECK(f.pool().eviction.size() == 4);
    CHECK(f.pool().counts.stored_pages == 4);
    CHECK(f.check());
}

} // namespace
} // namespace pagefold::testing::unit_store_room
