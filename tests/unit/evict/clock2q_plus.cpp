// SPDX-License-Identifier: MIT
#include <pagefold/evict/clock2q_plus.hpp>

#include <support/policy_fixture.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::unit_evict_clock2q_plus {
namespace {

static_assert(eviction_policy<clock2q_plus> && remembering_policy<clock2q_plus> && configurable_policy<clock2q_plus>);

TEST_CASE("clock2q_plus: hits in the newer half of the small queue don't count") {
    policy_fixture<clock2q_plus> f{clock2q_plus{{80, 50, 50}}};
    f.insert({0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    f.hit({0, 5, 6, 9}); // of eight that the small queue should have, four are in the window
    CHECK(f.slots.get(5).state % 4 == 1);
    CHECK(f.slots.get(6).state % 4 == 0);
    CHECK(f.slots.get(9).state % 4 == 0);
    CHECK(f.evict() == 1);
    CHECK(f.policy.ghost_percent() == 50);
}

TEST_CASE("clock2q_plus: a window of nothing, and of all of the small queue") {
    policy_fixture<clock2q_plus> none{clock2q_plus{{50, 0, 50}}}, all{clock2q_plus{{50, 100, 50}}};
    for (auto* f : {&none, &all}) {
        f->insert({0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
        f->hit({4, 5, 9});
    }
    CHECK(none.slots.get(9).state % 4 == 1);
    CHECK(all.slots.get(9).state % 4 == 0);
    CHECK(all.slots.get(5).state % 4 == 0);
    CHECK(all.slots.get(4).state % 4 == 1);
}

TEST_CASE("clock2q_plus: the window is measured by arrivals, so that removals don't move a page into it") {
    policy_fixture<clock2q_plus> f{clock2q_plus{{100, 50, 50}}};
    f.insert({0, 1, 2, 3, 4, 5, 6, 7});
    for (const slot_id slot : {4u, 5u, 6u, 7u}) {
        f.remove(slot);
    }
    f.hit({3}); // four came since, of which none is left
    CHECK(f.slots.get(3).state % 4 == 1);
}

} // namespace
} // namespace pagefold::testing::unit_evict_clock2q_plus
