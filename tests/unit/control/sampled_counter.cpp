// SPDX-License-Identifier: MIT
#include <pagefold/control/sampled_counter.hpp>

#include <doctest/doctest.h>

#include <cstdint>

namespace pagefold::testing::unit_control_sampled_counter {
namespace {

TEST_CASE("sampled_counter: what it rose by, once it was seen") {
    sampled_counter counter;
    CHECK(counter.rise(1'000) == no_sample);
    CHECK(counter.rise(1'000) == 0);
    CHECK(counter.rise(1'007) == 7);
    counter.forget();
    CHECK(counter.rise(2'000) == no_sample);
    CHECK(counter.rise(2'001) == 1);
}

TEST_CASE("sampled_counter: one that began anew, or vanished for a while, tells no rise") {
    sampled_counter counter;
    CHECK(counter.rise(500) == no_sample);
    CHECK(counter.rise(3) == no_sample); // began anew
    CHECK(counter.rise(5) == 2);
    CHECK(counter.rise(no_sample) == no_sample);
    CHECK(counter.rise(900) == no_sample); // of how long?
    CHECK(counter.rise(901) == 1);
    CHECK(counter.rise(no_sample - 1) == no_sample - 902);
    CHECK(counter.rise(0) == no_sample); // went around
    CHECK(counter.rise(0) == 0);
}

} // namespace
} // namespace pagefold::testing::unit_control_sampled_counter
