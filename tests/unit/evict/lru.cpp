// SPDX-License-Identifier: MIT
#include <pagefold/evict/lru.hpp>

#include <support/slot_table.hpp>

#include <doctest/doctest.h>

#include <cstddef>

namespace pagefold::testing::unit_evict_lru {
namespace {

static_assert(eviction_policy<lru>);
constexpr auto any = [](slot_id) noexcept { return true; };
static_assert(sizeof(lru::hook) == 8);

TEST_CASE("lru: the page whose last use is longest ago goes first") {
    slot_table<lru::hook> slots{8};
    lru policy;
    std::size_t all = ~std::size_t{0};
    for (const slot_id slot : {1u, 2u, 3u, 4u}) {
        slots.add(slot);
        policy.on_insert(slots, slot);
    }
    policy.on_hit(slots, 2); // from between
    policy.on_hit(slots, 1); // from the end
    policy.on_hit(slots, 1); // where it is
    for (const slot_id expected : {3u, 4u, 2u, 1u}) {
        CHECK(policy.evict(slots, any, all) == expected);
        slots.remove(expected);
        CHECK(policy.check(slots));
    }
}

TEST_CASE("lru: a refusal is no use") {
    slot_table<lru::hook> slots{8};
    lru policy;
    std::size_t all = ~std::size_t{0};
    for (const slot_id slot : {1u, 2u, 3u}) {
        slots.add(slot);
        policy.on_insert(slots, slot);
    }
    CHECK(policy.evict(
              slots, [](slot_id slot) noexcept { return slot == 2; }, all) == 2);
    slots.remove(2);
    CHECK(policy.evict(slots, any, all) == 1);
}

TEST_CASE("lru: a page keeps its turn in another slot, and steps end a walk") {
    slot_table<lru::hook> slots{8};
    lru policy;
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
} // namespace pagefold::testing::unit_evict_lru
