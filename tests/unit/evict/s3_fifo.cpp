// SPDX-License-Identifier: MIT
#include <pagefold/evict/s3_fifo.hpp>

#include <support/policy_fixture.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::unit_evict_s3_fifo {
namespace {

static_assert(eviction_policy<s3_fifo> && remembering_policy<s3_fifo> && configurable_policy<s3_fifo>);

TEST_CASE("s3_fifo: with two bits a page is read twice before it stays, and hits are counted up to 3") {
    policy_fixture<s3_fifo> f;
    f.insert({1, 2, 3});
    f.hit({1, 2, 2});
    CHECK(f.evict() == 1);
    CHECK(f.evict() == 3);
    CHECK(f.slots.get(2).state % 4 == 0); // its hits so far are what it came to the main queue for
    f.hit({2, 2, 2, 2, 2});
    CHECK(f.slots.get(2).state % 4 == 3);
    CHECK(f.policy.ghost_percent() == 90);
}

TEST_CASE("s3_fifo: with one bit the first hit will do, and more are not counted") {
    policy_fixture<s3_fifo> f{s3_fifo{{10, 1, 70}}};
    f.insert({1, 2, 3});
    f.hit({1, 2, 2});
    CHECK(f.evict() == 3);
    f.hit({2, 2, 2});
    CHECK(f.slots.get(2).state % 4 == 1);
    CHECK(f.evict() == 1);
    CHECK(f.policy.ghost_percent() == 70);
}

TEST_CASE("s3_fifo: a small queue of no page, and of all") {
    policy_fixture<s3_fifo> none{s3_fifo{{0, 1, 90}}}, all{s3_fifo{{100, 1, 90}}};
    for (auto* f : {&none, &all}) {
        f->insert({1, 2, 3, 4});
        f->hit({1});
    }
    CHECK(none.evict() == 2);
    CHECK(none.evict() == 3);
    CHECK(all.evict() == 1); // in the main queue, and the small one has not all any more
    CHECK(all.evict() == 2);
}

} // namespace
} // namespace pagefold::testing::unit_evict_s3_fifo
