// SPDX-License-Identifier: MIT
#include <pagefold/evict/probation_queue.hpp>

#include <support/policy_fixture.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::unit_evict_probation_queue {
namespace {

struct half_small : probation_queue {
    half_small() noexcept : probation_queue{{50, 1, 3, 0, 100}} {}
};
static_assert(eviction_policy<half_small> && remembering_policy<half_small>);
static_assert(sizeof(half_small::hook) == 12);
using fixture = policy_fixture<half_small>;

TEST_CASE("probation_queue: new pages leave in their order, and are remembered") {
    fixture f;
    f.insert({9, 1, 4});
    for (const slot_id expected : {9u, 1u, 4u}) {
        CHECK(f.evict() == expected);
        CHECK(f.slots.knows(expected));
    }
    CHECK(f.evict() == no_slot);
    f.insert({1});
    CHECK_FALSE(f.slots.knows(1));
}

TEST_CASE("probation_queue: a page that was read, or is known, is a main page, and leaves without a trace") {
    fixture f;
    f.insert({1, 2, 3, 4});
    f.hit({1, 2});
    CHECK(f.evict() == 3); // 1 and 2 go to the main queue
    CHECK(f.used == 3);
    f.insert({5, 3});      // 3 is known
    CHECK(f.evict() == 1); // two are on probation, three are not
    CHECK_FALSE(f.slots.knows(1));
    CHECK(f.evict() == 4); // two and two
    CHECK(f.slots.knows(4));
    CHECK(f.evict() == 2);
    CHECK(f.evict() == 5);
    CHECK(f.evict() == 3);
    CHECK_FALSE(f.slots.knows(3));
}

TEST_CASE("probation_queue: main pages have a round for each hit, up to what is counted") {
    fixture f;
    f.insert({1, 2, 3, 4, 5});
    f.hit({1, 2});
    CHECK(f.evict() == 3);
    f.remove(4);
    f.remove(5);
    f.hit({1, 1, 1, 1, 1, 2, 2});
    CHECK(f.slots.get(1).state % 4 == 3);
    CHECK(f.evict() == 2); // 1 1 1 and 2 2 in turn
    CHECK(f.used == 6);
    CHECK(f.slots.get(1).state % 4 == 0);
    CHECK(f.evict() == 1);
}

TEST_CASE("probation_queue: what is refused keeps its place, and the other queue is asked") {
    fixture f;
    f.insert({1, 2, 3, 4});
    f.hit({1, 2});
    CHECK(f.evict_if([](slot_id slot) noexcept { return slot == 2; }) == 2); // 3 and 4 refuse, then 1
    CHECK(f.used == 6);
    CHECK(f.evict_if([](slot_id) noexcept { return false; }) == no_slot);
    CHECK(f.policy.size() == 3);
    CHECK(f.evict() == 3);
    CHECK(f.evict_if([](slot_id slot) noexcept { return slot == 1; }, 1) == no_slot);
    CHECK(f.used == 1);
    CHECK(f.evict(0) == no_slot);
    CHECK(f.evict() == 4);
    CHECK(f.evict() == 1);
}

TEST_CASE("probation_queue: pages move and go in both queues") {
    fixture f;
    f.insert({1, 2, 3, 4, 5, 6});
    f.hit({1, 2, 3});
    CHECK(f.evict() == 4);
    f.move(2, 12);
    f.move(5, 15);
    f.remove(1);
    f.remove(6);
    CHECK(f.policy.size() == 3);
    CHECK(f.evict() == 12); // one of three is on probation
    CHECK(f.evict() == 15);
    CHECK(f.evict() == 3);
}

TEST_CASE("probation_queue: damage makes it forget all") {
    for (unsigned kind = 0; kind < 8; ++kind) {
        CAPTURE(kind);
        fixture f;
        f.insert({1, 2, 3, 4});
        f.hit({1, 2});
        CHECK(f.evict() == 3);
        const slot_id hit = (kind & 1) != 0 ? 1 : 4; // in the main queue, or on probation
        listed_hook h = f.slots.get(hit);
        if ((kind & 2) != 0) {
            h.links = {9, 9};
        } else {
            h.state ^= 4; // the queue that it is in
        }
        f.slots.set(hit, h);
        CHECK_FALSE(f.policy.check(f.slots));
        if ((kind & 4) != 0) {
            f.policy.on_remove(f.slots, hit);
        } else {
            f.slots.move(hit, 20);
            f.policy.on_move(f.slots, hit, 20);
        }
        CHECK(f.policy.size() == 0);
    }
}

} // namespace
} // namespace pagefold::testing::unit_evict_probation_queue
