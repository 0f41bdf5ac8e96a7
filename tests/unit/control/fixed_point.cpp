// SPDX-License-Identifier: MIT
#include <pagefold/control/fixed_point.hpp>

#include <support/rng.hpp>

#include <doctest/doctest.h>

#include <cstdint>

namespace pagefold::testing::unit_control_fixed_point {
namespace {

TEST_CASE("fixed_point: sums and differences stop at the ends") {
    CHECK(saturated_sum(0, 0) == 0);
    CHECK(saturated_sum(greatest_number - 1, 1) == greatest_number);
    CHECK(saturated_sum(greatest_number, 1) == greatest_number);
    CHECK(saturated_sum(greatest_number, greatest_number) == greatest_number);
    CHECK(difference_or_zero(5, 3) == 2);
    CHECK(difference_or_zero(3, 3) == 0);
    CHECK(difference_or_zero(3, 5) == 0);
    CHECK(difference_or_zero(0, greatest_number) == 0);
}

TEST_CASE("fixed_point: scaled is exact where the result fits, and the greatest number where not") {
    CHECK(scaled(7, 3, 2) == 10);
    CHECK(scaled(0, 3, 0) == 0);
    CHECK(scaled(3, 0, 0) == 0);
    CHECK(scaled(1, 1, 0) == greatest_number);
    CHECK(scaled(greatest_number, greatest_number, greatest_number) == greatest_number);
    CHECK(scaled(greatest_number, 2, 1) == greatest_number);
    CHECK(scaled(greatest_number, 999'999, 1'000'000) == 18446725626965477905u);
    CHECK(scaled(greatest_number, greatest_number - 1, greatest_number) == greatest_number - 1);
    static_assert(scaled(std::uint64_t{1} << 63, 6, 8) == 6917529027641081856u);
}

TEST_CASE("fixed_point: scaled is what 128 bits say") {
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 wide;
    rng random{17};
    for (int i = 0; i < 20'000; ++i) {
        const std::uint64_t value = random() >> random.below(64);
        const std::uint64_t numerator = random() >> random.below(64);
        const std::uint64_t denominator = random() >> random.below(64);
        if (denominator == 0) {
            continue;
        }
        const wide exact = wide{value} * numerator / denominator;
        const std::uint64_t wanted = exact > greatest_number ? greatest_number : static_cast<std::uint64_t>(exact);
        REQUIRE(scaled(value, numerator, denominator) == wanted);
    }
#else
    MESSAGE("skipped: this machine has no integers of 128 bits to compare with");
#endif
}

} // namespace
} // namespace pagefold::testing::unit_control_fixed_point
