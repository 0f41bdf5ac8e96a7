// SPDX-License-Identifier: MIT
#include <pagefold/evict/fifo.hpp>

#include <support/slot_table.hpp>

#include <doctest/doctest.h>

#include <cstddef>

namespace pagefold::testing::unit_evict_fifo {
namespace {

static_assert(eviction_policy<fifo>);
constexpr auto any = [](slot_id) noexcept { return true; };
static_assert(sizeof(fifo::hook) == 8);

TEST_CASE("fifo: the first to come goes first, hit or not") {
    slot_table<fifo::hook> slots{8};
    fifo policy;
    std::size_t all = ~std::size_t{0};
    for (const slot_id slot : {5u, 2u, 7u}) {
        slots.add(slot);
        policy.on_insert(slots, slot);
    }
    policy.on_hit(slots, 5);
    policy.on_hit(slots, 2);
    for (const slot_id expected : {5u, 2u, 7u}) {
        CHECK(policy.evict(slots, any, all) == expected);
        slots.remove(expected);
        CHECK(policy.check(slots));
    }
    CHECK(policy.size() == 0);
}

TEST_CASE("fifo: a slot that comes again is new") {
    slot_table<fifo::hook> slots{8};
    fifo policy;
    std::size_t all = ~std::size_t{0};
    for (const slot_id slot : {1u, 2u}) {
        slots.add(slot);
        policy.on_insert(slots, slot);
    }
    policy.on_remove(slots, 1);
    slots.add(1);
    policy.on_insert(slots, 1);
    CHECK(policy.evict(slots, any, all) == 2);
}

TEST_CASE("fifo: a page keeps its turn in another slot, and steps end a walk") {
    slot_table<fifo::hook> slots{8};
    fifo policy;
    for (const slot_id slot : {1u, 2u, 3u, 0u}) {
        slots.add(slot);
        policy.on_insert(slots, slot);
    }
    for (const slot_id from : {1u, 3u, 0u}) { // at both ends and between
        slots.move(from, from + 4);
        policy.on_move(slots, from, from + 4);
        CHECK(policy.check(slots));
    }
    std::size_t steps = 0;
    CHECK(policy.evict(slots, any, steps) == no_slot);
    steps = 3;
    const auto is_last = [](slot_id slot) noexcept { return slot == 4; };
    CHECK(policy.evict(slots, is_last, steps) == no_slot);
    CHECK(steps == 0);
    steps = 6;
    CHECK(policy.evict(slots, is_last, steps) == 4);
    CHECK(steps == 2);
    slots.remove(4);
    CHECK(policy.evict(slots, is_last, steps = 4) == no_slot);
    CHECK(steps == 1);
    for (const slot_id expected : {5u, 2u, 7u}) {
        CHECK(policy.evict(slots, any, steps = 1) == expected);
        CHECK(steps == 0);
        slots.remove(expected);
        CHECK(policy.check(slots));
    }
    CHECK_FALSE(slots.was_misused());
}

} // namespace
} // namespace pagefold::testing::unit_evict_fifo
