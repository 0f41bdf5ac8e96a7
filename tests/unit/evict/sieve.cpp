// SPDX-License-Identifier: MIT
#include <pagefold/evict/sieve.hpp>

#include <support/policy_fixture.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::unit_evict_sieve {
namespace {

static_assert(eviction_policy<sieve> && !remembering_policy<sieve>);
static_assert(sizeof(sieve::hook) == 12);
using fixture = policy_fixture<sieve>;

TEST_CASE("sieve: without hits the oldest goes, wherever its slot is") {
    fixture f;
    f.insert({7, 3, 30, 0});
    for (const slot_id expected : {7u, 3u, 30u, 0u}) {
        CHECK(f.evict() == expected);
        CHECK(f.used == 1);
    }
    CHECK(f.evict() == no_slot);
    CHECK(f.used == 0);
}

TEST_CASE("sieve: what was read keeps its place, and the hand goes on to the newer ones") {
    fixture f;
    f.insert({1, 2, 3, 4});
    f.hit({1, 1, 3});
    CHECK(f.evict() == 2); // past 1
    CHECK(f.used == 2);
    f.insert({5});
    CHECK(f.evict() == 4); // past 3; 1 is older, but behind the hand
    CHECK(f.evict() == 5);
    f.insert({6});
    CHECK(f.evict() == 1); // it was at the new end, and goes round
    CHECK(f.evict() == 3);
    CHECK(f.evict() == 6);
}

TEST_CASE("sieve: the hand follows a page that moves, and leaves one that goes") {
    fixture f;
    f.insert({1, 2, 3, 4});
    f.hit({1});
    CHECK(f.evict(1) == no_slot); // the hand is at 2
    f.move(2, 12);
    CHECK(f.evict() == 12);
    f.remove(3);
    CHECK(f.evict() == 4);
    CHECK(f.evict() == 1);
}

TEST_CASE("sieve: steps end a call, and what is refused is passed") {
    fixture f;
    f.insert({1, 2, 3});
    f.hit({1, 2, 3});
    CHECK(f.evict(0) == no_slot);
    CHECK(f.evict(2) == no_slot);
    CHECK(f.used == 2);
    CHECK(f.slots.get(2).state == 0);
    CHECK(f.slots.get(3).state == 1);
    CHECK(f.evict_if([](slot_id slot) noexcept { return slot == 2; }) == 2);
    CHECK(f.used == 3); // 3 and its bit, 1, and 2
    CHECK(f.evict_if([](slot_id) noexcept { return false; }) == no_slot);
    CHECK(f.used == 2);
    CHECK(f.policy.size() == 2);
}

TEST_CASE("sieve: links that contradict each other make it forget all") {
    fixture f;
    f.insert({1, 2, 3});
    f.slots.set(2, {{7, 7}, 0});
    CHECK_FALSE(f.policy.check(f.slots));
    f.policy.on_remove(f.slots, 2);
    CHECK(f.policy.size() == 0);
    f.slots.remove(1);
    f.slots.remove(2);
    f.slots.remove(3);
    f.insert({4, 5});
    CHECK(f.policy.check(f.slots));
    f.slots.set(4, {f.slots.get(4).links, 2}); // no state of its own
    CHECK_FALSE(f.policy.check(f.slots));
}

} // namespace
} // namespace pagefold::testing::unit_evict_sieve
