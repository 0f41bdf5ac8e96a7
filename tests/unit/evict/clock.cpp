// SPDX-License-Identifier: MIT
#include <pagefold/evict/clock.hpp>

#include <support/slot_table.hpp>

#include <doctest/doctest.h>

#include <initializer_list>

namespace pagefold::testing {
namespace {

static_assert(eviction_policy<clock<>>);
static_assert(clock<>::hook_bits <= packed_hook_bits);

template <class Policy>
struct fixture {
    explicit fixture(std::initializer_list<slot_id> inserted) {
        for (const slot_id slot : inserted) {
            insert(slot);
        }
    }
    void insert(slot_id slot) {
        slots.add(slot);
        policy.on_insert(slots, slot);
    }
    void hit(std::initializer_list<slot_id> hits) {
        for (const slot_id slot : hits) {
            policy.on_hit(slots, slot);
        }
    }
    template <class Predicate>
    slot_id evict_if(Predicate predicate) {
        const slot_id victim = policy.evict(slots, predicate);
        if (victim != no_slot) {
            slots.remove(victim);
        }
        CHECK(policy.check(slots));
        CHECK_FALSE(slots.was_misused());
        return victim;
    }
    slot_id evict() {
        return evict_if([](slot_id) noexcept { return true; });
    }
    slot_table<std::uint8_t> slots{16};
    Policy policy;
};

TEST_CASE("clock: without hits the hand takes one after the other") {
    fixture<clock<>> f{4, 1, 9};
    CHECK(f.evict() == 1);
    CHECK(f.evict() == 4);
    f.insert(0); // behind the hand
    f.insert(5); // before it
    CHECK(f.evict() == 5);
    CHECK(f.evict() == 9);
    CHECK(f.evict() == 0);
    CHECK(f.evict() == no_slot);
}

TEST_CASE("clock: a hit is worth one round") {
    fixture<clock<>> f{1, 2, 3};
    f.hit({1, 1, 1, 2});
    CHECK(f.evict() == 3);
    CHECK(f.slots.get(1) == 0);
    CHECK(f.evict() == 1);
    CHECK(f.evict() == 2);
}

TEST_CASE("clock: when all were hit the first that the hand met goes") {
    fixture<clock<>> f{1, 2, 3};
    f.hit({1, 2, 3});
    CHECK(f.evict() == 1);
    CHECK(f.slots.get(2) == 0);
    CHECK(f.slots.get(3) == 0);
}

TEST_CASE("clock: the second chances in one call are bounded") {
    fixture<clock<2>> f{1, 2, 3, 4};
    f.hit({1, 2, 3, 4});
    CHECK(f.evict() == 3);
    CHECK(f.slots.get(1) == 0);
    CHECK(f.slots.get(2) == 0);
    CHECK(f.slots.get(4) == 1);
    CHECK(f.evict() == 1); // 4 gets its chance now
}

TEST_CASE("clock: past the bound the predicate still decides") {
    fixture<clock<2>> f{1, 2, 3, 4};
    f.hit({1, 2, 3, 4});
    CHECK(f.evict_if([](slot_id slot) noexcept { return slot == 1; }) == 1);
}

TEST_CASE("clock: where no page satisfies the predicate all are asked, and none goes") {
    fixture<clock<>> f{1, 2, 3};
    f.hit({2});
    unsigned asked = 0;
    CHECK(f.evict_if([&](slot_id slot) noexcept {
        asked |= 1u << slot;
        return false;
    }) == no_slot);
    CHECK(asked == 0b1110);
    CHECK(f.policy.size() == 3);
}

TEST_CASE("clock: the hand may stand on a slot that is gone") {
    fixture<clock<>> f{1, 2, 3};
    f.hit({1, 2});
    CHECK(f.evict() == 3); // the hand stands on 3
    f.policy.on_remove(f.slots, 1);
    f.slots.remove(1);
    CHECK(f.evict() == 2);
}

TEST_CASE("clock: check sees a wrong count and a wrong hook") {
    fixture<clock<>> f{1, 2};
    REQUIRE(f.policy.check(f.slots));
    f.slots.set(2, 2);
    CHECK_FALSE(f.policy.check(f.slots));
    f.slots.set(2, 1);
    CHECK(f.policy.check(f.slots));
    f.slots.add(3);
    CHECK_FALSE(f.policy.check(f.slots));
    f.slots.remove(3);
    f.slots.remove(2);
    CHECK_FALSE(f.policy.check(f.slots));
    f.slots.remove(1);
    CHECK_FALSE(f.policy.check(f.slots));
}

} // namespace
} // namespace pagefold::testing
