// SPDX-License-Identifier: MIT
#include <pagefold/evict/lru.hpp>

#include <support/slot_table.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing {
namespace {

static_assert(eviction_policy<lru>);
static_assert(sizeof(lru::hook) == 8);

TEST_CASE("lru: the page whose last use is longest ago goes first") {
    slot_table<lru::hook> slots{8};
    lru policy;
    for (const slot_id slot : {1u, 2u, 3u, 4u}) {
        slots.add(slot);
        policy.on_insert(slots, slot);
    }
    policy.on_hit(slots, 2); // from between
    policy.on_hit(slots, 1); // from the end
    policy.on_hit(slots, 1); // where it is
    for (const slot_id expected : {3u, 4u, 2u, 1u}) {
        CHECK(policy.evict(slots, [](slot_id) noexcept { return true; }) == expected);
        slots.remove(expected);
        CHECK(policy.check(slots));
    }
}

TEST_CASE("lru: a refusal is no use") {
    slot_table<lru::hook> slots{8};
    lru policy;
    for (const slot_id slot : {1u, 2u, 3u}) {
        slots.add(slot);
        policy.on_insert(slots, slot);
    }
    CHECK(policy.evict(slots, [](slot_id slot) noexcept { return slot == 2; }) == 2);
    slots.remove(2);
    CHECK(policy.evict(slots, [](slot_id) noexcept { return true; }) == 1);
}

} // namespace
} // namespace pagefold::testing
