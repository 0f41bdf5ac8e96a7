// SPDX-License-Identifier: MIT
#include <pagefold/control/age_histogram.hpp>

#include <support/rng.hpp>

#include <doctest/doctest.h>

#include <cstdint>

namespace pagefold::testing::unit_control_age_histogram {
namespace {

TEST_CASE("age_histogram: without pages every threshold is enough") {
    const age_histogram none;
    CHECK(none.total() == 0);
    CHECK(none.at_least(0) == 0);
    CHECK(none.threshold(0) == 0);
}

TEST_CASE("age_histogram: counts, and pages of an age or more") {
    age_histogram h;
    h.add(0);
    h.add(0, 9);
    h.add(7, 5);
    h.add(oldest_age, 2);
    CHECK(h.at(0) == 10);
    CHECK(h.total() == 17);
    CHECK(h.at_least(1) == 7);
    CHECK(h.at_least(7) == 7);
    CHECK(h.at_least(8) == 2);
    CHECK(h.at_least(oldest_age) == 2);
    CHECK(h.at_least(no_age) == 0);
    h.remove(oldest_age);
    CHECK(h.at_least(8) == 1);
    h.halve();
    CHECK(h.at(0) == 5);
    CHECK(h.at(7) == 2);
    CHECK(h.at(oldest_age) == 0);
    h.reset();
    CHECK(h == age_histogram{});
}

TEST_CASE("age_histogram: the threshold is the smallest age that so few pages reach") {
    age_histogram h;
    h.add(0, 10);
    h.add(7, 5);
    h.add(oldest_age, 2);
    CHECK(h.threshold(17) == 0);
    CHECK(h.threshold(16) == 1);
    CHECK(h.threshold(7) == 1);
    CHECK(h.threshold(6) == 8);
    CHECK(h.threshold(2) == 8);
    CHECK(h.threshold(1) == no_age);
    CHECK(h.threshold(0) == no_age);
    CHECK(h.threshold(greatest_number) == 0);
}

TEST_CASE("age_histogram: sums that do not fit stop at the greatest number") {
    age_histogram h;
    h.add(3, greatest_number);
    h.add(3, 1);
    CHECK(h.at(3) == greatest_number);
    h.add(4, greatest_number - 1);
    CHECK(h.total() == greatest_number);
    CHECK(h.at_least(4) == greatest_number - 1);
    CHECK(h.threshold(greatest_number - 1) == 4);
    CHECK(h.threshold(greatest_number) == 0);
}

TEST_CASE("age_histogram: a threshold against counting") {
    rng random{3};
    for (int round = 0; round < 200; ++round) {
        age_histogram h;
        for (std::uint64_t i = random.below(40); i > 0; --i) {
            h.add(static_cast<std::uint8_t>(random.below(age_histogram::ages)), random.below(9));
        }
        const std::uint64_t most = random.below(h.total() + 2);
        unsigned wanted = 0;
        while (wanted < no_age && h.at_least(static_cast<std::uint8_t>(wanted)) > most) {
            ++wanted;
        }
        REQUIRE(h.threshold(most) == wanted);
    }
}

} // namespace
} // namespace pagefold::testing::unit_control_age_histogram
