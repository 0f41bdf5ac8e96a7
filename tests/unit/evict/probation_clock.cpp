// SPDX-License-Identifier: MIT
#include <pagefold/evict/probation_clock.hpp>

#include <support/policy_fixture.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::unit_evict_probation_clock {
namespace {

static_assert(eviction_policy<probation_clock> && remembering_policy<probation_clock> &&
              configurable_policy<probation_clock> && paced_policy<probation_clock>);
static_assert(probation_clock::hook_bits <= packed_hook_bits);
using fixture = policy_fixture<probation_clock>;

TEST_CASE("probation_clock: a new page leaves when its hand comes by, and is remembered") {
    fixture f;
    f.insert({4, 1, 9});
    CHECK(f.evict() == 1);
    CHECK(f.used == 1);
    CHECK(f.slots.knows(1));
    f.insert({2}); // behind the hand
    CHECK(f.evict() == 4);
    CHECK(f.evict() == 9);
    CHECK(f.evict() == 2);
    CHECK(f.evict() == no_slot);
    CHECK(f.used == 0);
}

TEST_CASE("probation_clock: a read makes it a main page, which leaves without a trace") {
    fixture f;
    f.insert({1, 2, 3});
    f.hit({1, 1, 1, 3});
    CHECK(f.slots.get(1) == 1);
    CHECK(f.evict() == 2); // past 1
    CHECK(f.used == 2);
    CHECK(f.slots.get(1) == 2);
    CHECK(f.evict() == 1); // 3 is a main page now as well, and then none is on probation
    CHECK(f.used == 2);
    CHECK_FALSE(f.slots.knows(1));
    CHECK(f.evict() == 3);
    CHECK_FALSE(f.slots.knows(3));
}

TEST_CASE("probation_clock: how far it has gone is looks, those of the main pages' hand for ten") {
    fixture f;
    f.insert({1, 2, 3});
    f.hit({1, 1, 1, 3});
    CHECK(f.policy.progress() == 0);
    CHECK(f.evict() == 2); // past 1
    CHECK(f.policy.progress() == 2);
    CHECK(f.evict() == 1); // past 3, then by the other hand
    CHECK(f.policy.progress() == 2 + 1 + 10);
    CHECK(f.evict() == 3);
    CHECK(f.policy.progress() == 2 + 1 + 10 + 10);
}

TEST_CASE("probation_clock: a page that is known is a main page, and is not known any more") {
    fixture f;
    f.insert({1, 2});
    CHECK(f.evict() == 1);
    f.insert({1});
    CHECK(f.slots.get(1) == 2);
    CHECK_FALSE(f.slots.knows(1));
    CHECK(f.evict() == 2);
    CHECK(f.evict() == 1);
    f.insert({1});
    CHECK(f.slots.get(1) == 0);
}

TEST_CASE("probation_clock: main pages have a round for each hit, up to three") {
    fixture f;
    f.insert({1, 2});
    CHECK(f.evict() == 1);
    CHECK(f.evict() == 2);
    f.insert({1, 2});
    f.hit({1, 1, 1, 1, 1, 2, 2});
    CHECK(f.slots.get(1) == 5);
    CHECK(f.evict() == 2);
    CHECK(f.used == 6);
    CHECK(f.slots.get(1) == 2);
    CHECK(f.evict() == 1);
}

TEST_CASE("probation_clock: pages on probation go first where there are enough of them, and main pages where not") {
    fixture f{probation_clock{{50, 100}}};
    f.insert({1, 2, 3, 4});
    CHECK(f.evict() == 1);
    CHECK(f.evict() == 2);
    f.insert({1, 2});      // main pages now
    CHECK(f.evict() == 3); // two of four
    CHECK(f.evict() == 1); // one of three is not enough
    CHECK(f.evict() == 4);
    CHECK(f.evict() == 2);
}

TEST_CASE("probation_clock: both hands follow a page that moves and leave one that goes") {
    fixture f{probation_clock{{50, 100}}};
    f.insert({1, 2, 3, 4});
    CHECK(f.evict() == 1); // the hand of probation is at 2
    f.move(2, 0);
    CHECK(f.evict() == 0); // and at 3
    f.remove(3);
    CHECK(f.evict() == 4);
    f.insert({1, 0, 4});   // main pages
    CHECK(f.evict() == 0); // the other hand is at 1
    f.move(1, 20);
    CHECK(f.evict() == 20); // and at 4
    f.insert({5, 6, 7});
    f.hit({6});
    f.remove(4);
    CHECK(f.evict() == 5);
    CHECK(f.evict() == 7);
    CHECK(f.evict() == 6);
}

TEST_CASE("probation_clock: steps end a call, and the hands go on from there") {
    fixture f{probation_clock{{0, 100}}};
    f.insert({1, 2, 3, 4});
    f.hit({1, 2});
    CHECK(f.evict(0) == no_slot);
    CHECK(f.evict(1) == no_slot);
    CHECK(f.used == 1);
    CHECK(f.slots.get(1) == 2);
    CHECK(f.slots.get(2) == 1);
    CHECK(f.evict(1) == no_slot);
    CHECK(f.evict(1) == 3);
    CHECK(f.evict(1) == 4);
    f.hit({1, 2});
    f.insert({9});
    CHECK(f.evict(2) == no_slot); // past both
    CHECK(f.evict(1) == 9);
    CHECK(f.evict(2) == no_slot); // the hits of main pages
    CHECK(f.used == 2);
    CHECK(f.evict(1) == 1);
}

TEST_CASE("probation_clock: pages that a hand passes by take steps") {
    fixture f{probation_clock{{10, 100}}};
    f.insert({0, 1, 2, 3, 4, 5, 6, 7});
    for (unsigned i = 0; i < 8; ++i) {
        CHECK(f.evict() == i);
    }
    f.insert({0, 1, 2, 3, 4, 5, 6, 7}); // main pages, all of them
    f.insert({20});
    CHECK(f.evict(3) == no_slot);
    CHECK(f.used == 3);
    CHECK(f.evict(3) == no_slot);
    CHECK(f.evict() == 20);
    CHECK(f.used == 3);
}

TEST_CASE("probation_clock: where the predicate refuses all, both hands ask and none goes") {
    fixture f;
    f.insert({1, 2, 3, 4});
    CHECK(f.evict() == 1);
    CHECK(f.evict() == 2);
    f.insert({1, 2});
    f.hit({1, 2, 3});
    unsigned asked = 0;
    CHECK(f.evict_if([&](slot_id slot) noexcept {
        asked |= 1u << slot;
        return false;
    }) == no_slot);
    CHECK(asked == 0b11110);
    CHECK(f.policy.size() == 4);
    CHECK(f.evict_if([](slot_id slot) noexcept { return slot == 3; }) == 3); // a main page by now
    CHECK_FALSE(f.slots.knows(3));
}

TEST_CASE("probation_clock: check sees a wrong count and a wrong hook") {
    fixture f;
    f.insert({1, 2});
    REQUIRE(f.policy.check(f.slots));
    f.slots.set(2, 6);
    CHECK_FALSE(f.policy.check(f.slots));
    f.slots.set(2, 3); // of those on probation one less than it knows
    CHECK_FALSE(f.policy.check(f.slots));
    f.slots.set(2, 1);
    CHECK(f.policy.check(f.slots));
    f.slots.add(3);
    CHECK_FALSE(f.policy.check(f.slots));
    f.slots.remove(3);
    f.slots.remove(2);
    CHECK_FALSE(f.policy.check(f.slots));
}

} // namespace
} // namespace pagefold::testing::unit_evict_probation_clock
