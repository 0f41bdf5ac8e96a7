// SPDX-License-Identifier: MIT
#include <pagefold/evict/clock.hpp>

#include <support/policy_fixture.hpp>

#include <doctest/doctest.h>

#include <initializer_list>

namespace pagefold::testing::unit_evict_clock {
namespace {

static_assert(eviction_policy<clock>);
static_assert(clock::hook_bits <= packed_hook_bits);

struct fixture : policy_fixture<clock> {
    fixture(std::initializer_list<slot_id> inserted) { insert(inserted); }
};

TEST_CASE("clock: without hits the hand takes one after the other") {
    fixture f{4, 1, 9};
    CHECK(f.evict() == 1);
    CHECK(f.evict() == 4);
    f.insert({0}); // both behind the hand, which is at 9 by now
    f.insert({5});
    CHECK(f.evict() == 9);
    CHECK(f.evict() == 0);
    CHECK(f.evict() == 5);
    CHECK(f.evict() == no_slot);
}

TEST_CASE("clock: a hit is worth one round") {
    fixture f{1, 2, 3};
    f.hit({1, 1, 1, 2});
    CHECK(f.evict() == 3);
    CHECK(f.slots.get(1) == 0);
    CHECK(f.evict() == 1);
    CHECK(f.evict() == 2);
}

TEST_CASE("clock: when all were hit the first that the hand met goes") {
    fixture f{1, 2, 3};
    f.hit({1, 2, 3});
    CHECK(f.evict() == 1);
    CHECK(f.slots.get(2) == 0);
    CHECK(f.slots.get(3) == 0);
}

TEST_CASE("clock: the steps end a call, and the hand goes on from there in the next") {
    fixture f{1, 2, 3, 4};
    f.hit({1, 2, 3, 4});
    CHECK(f.evict(2) == no_slot);
    CHECK(f.used == 2);
    CHECK(f.slots.get(1) == 0);
    CHECK(f.slots.get(2) == 0);
    CHECK(f.slots.get(3) == 1);
    CHECK(f.evict(0) == no_slot);
    CHECK(f.evict(2) == no_slot);
    CHECK(f.slots.get(4) == 0);
    CHECK(f.evict(3) == 1);
    CHECK(f.used == 1);
    CHECK(f.evict(1) == 2);
    CHECK(f.used == 1);
}

TEST_CASE("clock: an answer costs a round where nothing was hit, and the rest of one for those that were") {
    fixture f{1, 2, 3, 4};
    const auto none = [](slot_id) noexcept { return false; };
    f.hit({2});
    CHECK(f.evict_if(none, 10) == no_slot);
    CHECK(f.used == 6); // 1, 2 and its bit, then 3, 4, 1 and 2 refused in a row
    CHECK(f.evict_if(none, 10) == no_slot);
    CHECK(f.used == 4);
    CHECK(f.evict_if(none, 3) == no_slot);
    CHECK(f.used == 3);
    CHECK(f.evict() == 2); // 3 and 4 in two rounds, and 3, 4 and 1: the hand is at 2
}

TEST_CASE("clock: a page that moves takes its bit along, and the hand if it is at it") {
    fixture f{3, 5, 7};
    CHECK(f.evict() == 3);
    f.hit({5});
    f.move(5, 1);
    CHECK(f.slots.get(1) == 1);
    CHECK(f.evict() == 7); // past 1, whose bit is cleared
    f.insert({4});
    f.insert({2});
    CHECK(f.evict() == 1);
    f.move(4, 8);
    CHECK(f.evict() == 2);
    CHECK(f.evict() == 8);
    f.insert({6});
    f.insert({9});
    CHECK(f.evict() == 6);
    f.move(9, 0);
    CHECK(f.evict() == 0);
}

TEST_CASE("clock: where no page satisfies the predicate all are asked, and none goes") {
    fixture f{1, 2, 3};
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
    fixture f{1, 2, 3};
    f.hit({1, 2});
    CHECK(f.evict() == 3); // the hand stands on 3
    f.policy.on_remove(f.slots, 1);
    f.slots.remove(1);
    CHECK(f.evict() == 2);
}

TEST_CASE("clock: check sees a wrong count and a wrong hook") {
    fixture f{1, 2};
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
} // namespace pagefold::testing::unit_evict_clock
