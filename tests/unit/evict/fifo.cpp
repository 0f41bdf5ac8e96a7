// SPDX-License-Identifier: MIT
#include <pagefold/evict/fifo.hpp>

#include <support/slot_table.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing {
namespace {

static_assert(eviction_policy<fifo>);
static_assert(sizeof(fifo::hook) == 8);

TEST_CASE("fifo: the first to come goes first, hit or not") {
    slot_table<fifo::hook> slots{8};
    fifo policy;
    for (const slot_id slot : {5u, 2u, 7u}) {
        slots.add(slot);
        policy.on_insert(slots, slot);
    }
    policy.on_hit(slots, 5);
    policy.on_hit(slots, 2);
    for (const slot_id expected : {5u, 2u, 7u}) {
        CHECK(policy.evict(slots, [](slot_id) noexcept { return true; }) == expected);
        slots.remove(expected);
        CHECK(policy.check(slots));
    }
    CHECK(policy.size() == 0);
}

TEST_CASE("fifo: a slot that comes again is new") {
    slot_table<fifo::hook> slots{8};
    fifo policy;
    for (const slot_id slot : {1u, 2u}) {
        slots.add(slot);
        policy.on_insert(slots, slot);
    }
    policy.on_remove(slots, 1);
    slots.add(1);
    policy.on_insert(slots, 1);
    CHECK(policy.evict(slots, [](slot_id) noexcept { return true; }) == 2);
}

} // namespace
} // namespace pagefold::testing
