// SPDX-License-Identifier: MIT
#include <pagefold/control/interval.hpp>

#include <doctest/doctest.h>

#include <cstdint>

namespace pagefold::testing::unit_control_interval {
namespace {

using outcome = interval::outcome;

TEST_CASE("interval: the time between steps, in microseconds of any clock") {
    interval nanoseconds;
    CHECK(nanoseconds.advance(5'000'000'000).what == outcome::broken); // the first one
    const interval::reading second = nanoseconds.advance(6'500'000'999);
    CHECK(second.what == outcome::usable);
    CHECK(second.elapsed_us == 1'500'000);

    interval jiffies{{.ticks_a_second = 100}};
    CHECK(jiffies.advance(0).what == outcome::broken);
    CHECK(jiffies.advance(3).elapsed_us == 30'000);
}

TEST_CASE("interval: steps that are too near add up") {
    interval time{{.ticks_a_second = 1'000'000, .least_us = 100}};
    CHECK(time.advance(1'000).what == outcome::broken);
    for (std::uint64_t now = 1'000; now < 1'100; now += 33) {
        CHECK(time.advance(now).what == outcome::too_soon);
    }
    CHECK(time.advance(1'100).elapsed_us == 100);
    // Also where every time is enough: a clock that stands still tells no time.
    interval any{{.ticks_a_second = 1'000'000, .least_us = 0}};
    CHECK(any.advance(7).what == outcome::broken);
    CHECK(any.advance(7).what == outcome::too_soon);
    CHECK(any.advance(8).elapsed_us == 1);
}

TEST_CASE("interval: a clock that goes back or jumps ahead is counted anew") {
    interval time{{.ticks_a_second = 1'000'000, .least_us = 1, .most_us = 1'000}};
    CHECK(time.advance(50'000).what == outcome::broken);
    CHECK(time.advance(50'000 - 1).what == outcome::broken);
    CHECK(time.advance(50'000).elapsed_us == 1);
    CHECK(time.advance(51'000).elapsed_us == 1'000);
    CHECK(time.advance(52'001).what == outcome::broken);
    CHECK(time.advance(52'002).elapsed_us == 1);
    CHECK(time.advance(greatest_number).what == outcome::broken);
    CHECK(time.advance(0).what == outcome::broken);
    CHECK(time.advance(2).elapsed_us == 2);
}

TEST_CASE("interval: a clock without a unit is broken, not divided by") {
    interval time{{.ticks_a_second = 0}};
    CHECK(time.advance(1).what == outcome::broken);
    CHECK(time.advance(2).what == outcome::broken);
}

} // namespace
} // namespace pagefold::testing::unit_control_interval
