// SPDX-License-Identifier: MIT
//
// Each eviction policy against the plainest program that says what it should do: the same operations, the same victims.

#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/fifo.hpp>
#include <pagefold/evict/lru.hpp>

#include <support/rng.hpp>
#include <support/slot_table.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <list>
#include <map>
#include <set>

namespace pagefold::testing::model_evict {
namespace {

struct naive_fifo {
    std::list<slot_id> queue; // the oldest first

    void on_insert(slot_id slot) { queue.push_back(slot); }
    void on_hit(slot_id) {}
    void on_remove(slot_id slot) { queue.remove(slot); }
    void on_move(slot_id from, slot_id to) { std::replace(queue.begin(), queue.end(), from, to); }
    template <class Predicate>
    slot_id evict(Predicate predicate, std::size_t& steps) {
        const auto end =
            steps < queue.size() ? std::next(queue.begin(), static_cast<std::ptrdiff_t>(steps)) : queue.end();
        const auto found = std::find_if(queue.begin(), end, predicate);
        steps -= static_cast<std::size_t>(std::distance(queue.begin(), found)) + (found == end ? 0 : 1);
        if (found == end) {
            return no_slot;
        }
        const slot_id victim = *found;
        queue.erase(found);
        return victim;
    }
};

struct naive_lru : naive_fifo {
    void on_hit(slot_id slot) {
        queue.remove(slot);
        queue.push_back(slot);
    }
};

struct naive_clock {
    std::map<slot_id, bool> was_hit;
    slot_id hand = no_slot; // the page that is looked at next, or none: the first

    void on_insert(slot_id slot) { was_hit[slot] = false; }
    void on_hit(slot_id slot) { was_hit[slot] = true; }
    void on_remove(slot_id slot) {
        hand = hand == slot ? after(slot) : hand;
        was_hit.erase(slot);
    }
    void on_move(slot_id from, slot_id to) {
        was_hit[to] = was_hit[from];
        was_hit.erase(from);
        hand = hand == from ? to : hand;
    }
    template <class Predicate>
    slot_id evict(Predicate predicate, std::size_t& steps) {
        for (std::set<slot_id> refused; refused.size() < was_hit.size();) { // since the last second chance
            hand = hand != no_slot ? hand : was_hit.begin()->first;
            if (steps == 0) {
                return no_slot;
            }
            --steps;
            const slot_id at = hand;
            if (was_hit[at]) {
                was_hit[at] = false;
                refused.clear();
            } else if (predicate(at)) {
                on_remove(at);
                return at;
            } else {
                refused.insert(at);
            }
            hand = was_hit.size() == 1 ? at : after(at);
        }
        return no_slot;
    }
    [[nodiscard]] slot_id after(slot_id slot) const {
        if (was_hit.size() == 1) {
            return no_slot;
        }
        const auto next = was_hit.upper_bound(slot);
        return next == was_hit.end() ? was_hit.begin()->first : next->first;
    }
};

template <eviction_policy Policy, class Naive>
void compare(std::size_t slot_count, std::uint64_t seed) {
    CAPTURE(slot_count);
    CAPTURE(seed);
    rng random{seed};
    slot_table<typename Policy::hook> slots{slot_count};
    Policy policy;
    Naive naive;
    std::size_t victims = 0;
    for (int i = 0; i < 20000; ++i) {
        const slot_id slot = static_cast<slot_id>(random.below(slot_count));
        if (!slots.has(slot)) {
            slots.add(slot);
            policy.on_insert(slots, slot);
            naive.on_insert(slot);
            if (const slot_id to = static_cast<slot_id>(random.below(slot_count)); random.one_in(4) && !slots.has(to)) {
                const slot_id from = slots.next(to);
                slots.move(from, to);
                policy.on_move(slots, from, to);
                naive.on_move(from, to);
            }
        } else if (random.one_in(6)) {
            policy.on_remove(slots, slot);
            slots.remove(slot);
            naive.on_remove(slot);
        } else {
            policy.on_hit(slots, slot);
            naive.on_hit(slot);
        }
        if (random.one_in(5)) {
            const std::uint64_t divisor = 1 + random.below(3) * random.below(slot_count);
            const auto predicate = [=](slot_id s) noexcept { return s % divisor == 0; };
            std::size_t steps = random.one_in(2) ? ~std::size_t{0} : random.below(2 * slot_count + 2);
            std::size_t naive_steps = steps;
            const slot_id victim = policy.evict(slots, predicate, steps);
            REQUIRE(victim == naive.evict(predicate, naive_steps));
            REQUIRE(steps == naive_steps);
            if (victim != no_slot) {
                slots.remove(victim);
                ++victims;
            }
        }
        REQUIRE(policy.check(slots));
    }
    REQUIRE_FALSE(slots.was_misused());
    CHECK(victims > 1000);
}

template <eviction_policy Policy, class Naive>
void compare() {
    std::uint64_t seed = 1;
    for (const std::size_t slot_count : {1u, 2u, 5u, 40u}) {
        compare<Policy, Naive>(slot_count, seed++);
    }
}

TEST_CASE("fifo evicts what a list in order of arrival would") { compare<fifo, naive_fifo>(); }

TEST_CASE("lru evicts what a list in order of use would") { compare<lru, naive_lru>(); }

TEST_CASE("clock evicts what a hand over a map of reference bits would") { compare<clock, naive_clock>(); }

} // namespace
} // namespace pagefold::testing::model_evict
