// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/evict/concept.hpp>

#include <support/slot_table.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace pagefold::testing {

/// An eviction policy over 32 slots with a ghost of 32 keys; checks it after each eviction.
template <eviction_policy Policy>
struct policy_fixture {
    explicit policy_fixture(const Policy& empty = Policy{}) : policy{empty} { slots.set_ghost(32); }

    void insert(std::initializer_list<slot_id> inserted) {
        for (const slot_id slot : inserted) {
            slots.add(slot);
            policy.on_insert(slots, slot);
        }
    }
    void hit(std::initializer_list<slot_id> hits) {
        for (const slot_id slot : hits) {
            policy.on_hit(slots, slot);
        }
    }
    void remove(slot_id slot) {
        policy.on_remove(slots, slot);
        slots.remove(slot);
        CHECK(policy.check(slots));
    }
    void move(slot_id from, slot_id to) {
        slots.move(from, to);
        policy.on_move(slots, from, to);
        CHECK(policy.check(slots));
    }
    template <class Predicate>
    slot_id evict_if(Predicate predicate, std::size_t budget = ~std::size_t{0}) {
        used = budget;
        const slot_id victim = policy.evict(slots, predicate, budget);
        used -= budget;
        if (victim != no_slot) {
            slots.remove(victim);
        }
        CHECK(policy.check(slots));
        CHECK_FALSE(slots.was_misused());
        return victim;
    }
    slot_id evict(std::size_t budget = ~std::size_t{0}) {
        return evict_if([](slot_id) noexcept { return true; }, budget);
    }

    slot_table<typename Policy::hook> slots{32};
    Policy policy;
    std::size_t used = 0; // steps, by the last call
};

} // namespace pagefold::testing
