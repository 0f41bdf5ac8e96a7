// SPDX-License-Identifier: MIT
#include <pagefold/control/promotion_rate.hpp>

#include <doctest/doctest.h>

#include <cstdint>

namespace pagefold::testing::unit_control_promotion_rate {
namespace {

constexpr std::uint64_t minute = 60'000'000;

/// Accesses of pages that were all of one age.
age_histogram accesses_at(std::uint8_t age, std::uint64_t count) {
    age_histogram h;
    h.add(0, 1'000'000);
    h.add(age, count);
    return h;
}

TEST_CASE("promotion_rate: nothing leaves in the first time, nor before anything is known") {
    promotion_rate fresh{{.start_us = 0}};
    CHECK(fresh.threshold() == no_age);
    promotion_rate young{{.start_us = 3 * minute}};
    for (int i = 0; i < 2; ++i) {
        young.end_period(accesses_at(5, 1), 1'000'000, minute);
        CHECK(young.threshold() == no_age);
    }
    young.end_period({}, 0, 0); // no time, no period
    CHECK(young.threshold() == no_age);
    young.end_period(accesses_at(5, 1), 1'000'000, minute);
    CHECK(young.threshold() == 1);
}

TEST_CASE("promotion_rate: the bound is in millionths of the working set a minute") {
    const promotion_rate rate{{.ppm_a_minute = 2'000}};
    CHECK(rate.allowed(1'000'000, minute) == 2'000);
    CHECK(rate.allowed(1'000'000, minute / 2) == 1'000);
    CHECK(rate.allowed(300, 5 * minute) == 3);
    CHECK(rate.allowed(0, minute) == 0);
    CHECK(rate.allowed(1, minute) == 0);
    CHECK(rate.allowed(greatest_number, minute) == greatest_number / 500);
    CHECK(rate.allowed(greatest_number, greatest_number) > 0);
}

TEST_CASE("promotion_rate: the best threshold of a period is the smallest that stays within the bound") {
    promotion_rate rate{{.ppm_a_minute = 1'000, .start_us = 0}};
    rate.end_period(accesses_at(9, 1'000), 1'000'000, minute); // just within
    CHECK(rate.last_best() == 1);
    rate.end_period(accesses_at(9, 1'001), 1'000'000, minute);
    CHECK(rate.last_best() == 10);
    rate.end_period(accesses_at(oldest_age, 1'001), 1'000'000, minute);
    CHECK(rate.last_best() == no_age);
    rate.end_period({}, 1'000'000, minute);
    CHECK(rate.last_best() == 1);
    promotion_rate careful{{.start_us = 0, .least_age = 4}};
    careful.end_period({}, 1'000'000, minute);
    CHECK(careful.threshold() == 4);
}

TEST_CASE("promotion_rate: the threshold is a high percentile of the past, or the last minute's") {
    promotion_rate rate{{.ppm_a_minute = 1'000, .percentile = 90, .start_us = 0}};
    for (int i = 0; i < 18; ++i) {
        rate.end_period(accesses_at(2, 5'000), 1'000'000, minute); // best: 3
    }
    CHECK(rate.threshold() == 3);
    rate.end_period(accesses_at(40, 5'000), 1'000'000, minute);
    CHECK(rate.threshold() == 41); // a burst counts at once
    rate.end_period(accesses_at(2, 5'000), 1'000'000, minute);
    CHECK(rate.threshold() == 3); // and is one of twenty then
    rate.end_period(accesses_at(40, 5'000), 1'000'000, minute);
    rate.end_period(accesses_at(40, 5'000), 1'000'000, minute);
    rate.end_period(accesses_at(2, 5'000), 1'000'000, minute);
    CHECK(rate.threshold() == 41); // more than one of ten
}

TEST_CASE("promotion_rate: what was long ago is forgotten") {
    promotion_rate rate{{.ppm_a_minute = 1'000, .percentile = 98, .start_us = 0, .memory = 50}};
    for (int i = 0; i < 10; ++i) {
        rate.end_period(accesses_at(100, 5'000), 1'000'000, minute);
    }
    CHECK(rate.threshold() == 101);
    int periods = 0;
    while (rate.threshold() == 101 && periods < 1'000) {
        rate.end_period({}, 1'000'000, minute);
        ++periods;
    }
    CHECK(rate.threshold() == 1);
    CHECK(periods > 50); // five of a hundred are too many
    CHECK(periods < 400);
}

TEST_CASE("promotion_rate: extremes") {
    promotion_rate all_hot{{.start_us = 0}};
    age_histogram h;
    h.add(0, greatest_number);
    all_hot.end_period(h, greatest_number, minute);
    CHECK(all_hot.threshold() == 1); // what is accessed every time is never old
    promotion_rate none{{.start_us = 0}};
    none.end_period({}, 0, minute);
    CHECK(none.threshold() == 1);
    promotion_rate one_page{{.start_us = 0}};
    one_page.end_period(accesses_at(3, 1), 1, minute);
    CHECK(one_page.threshold() == 4); // no share of one page is a page: it must not come back at all
    promotion_rate strange{
        {.ppm_a_minute = greatest_number, .percentile = 1'000, .start_us = greatest_number, .memory = 0}};
    for (int i = 0; i < 10; ++i) {
        strange.end_period(accesses_at(3, greatest_number), greatest_number, greatest_number);
    }
    CHECK(strange.last_best() == 1);
    CHECK(strange.threshold() == 1); // that long it has run
}

} // namespace
} // namespace pagefold::testing::unit_control_promotion_rate
