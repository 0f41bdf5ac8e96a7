// SPDX-License-Identifier: MIT
#include <pagefold/control/refault_guard.hpp>

#include <doctest/doctest.h>

#include <cstdint>

namespace pagefold::testing::unit_control_refault_guard {
namespace {

constexpr std::uint64_t second = 1'000'000;
constexpr refault_guard_options tenth{
    .most_ppm = 100'000, .least_pages = 10, .least_pause_us = second, .most_pause_us = 4 * second, .soon_age = 2};

TEST_CASE("refault_guard: a page came straight back if with the memory there is it would have stayed") {
    CHECK(refault_guard::is_soon(0, 0));
    CHECK(refault_guard::is_soon(5, 5));
    CHECK_FALSE(refault_guard::is_soon(6, 5));
    CHECK(refault_guard::is_soon(greatest_number, greatest_number));
}

TEST_CASE("refault_guard: few that come straight back are allowed") {
    refault_guard guard{tenth};
    CHECK(guard.step(100, 10, second) == 0);
    CHECK_FALSE(guard.is_pausing());
    CHECK(guard.step(0, 0, second) == 0);
    CHECK(guard.step(9, 9, second) == 0); // too few to say anything
    CHECK_FALSE(guard.is_pausing());
    CHECK(guard.step(0, 1, second) == 10); // of nine that left, with those before, one more than all
    CHECK(guard.is_pausing());
}

TEST_CASE("refault_guard: too few to say anything are forgotten after a while") {
    refault_guard guard{tenth};
    CHECK(guard.step(9, 9, 30 * second) == 0);
    CHECK(guard.step(0, 0, 30 * second) == 0);
    CHECK(guard.step(0, 9, second) == 0);
    CHECK(guard.step(0, 0, 58 * second) == 0);
    CHECK(guard.step(0, 1, second - 1) == 10); // within the time
}

TEST_CASE("refault_guard: too many begin a pause, twice as long each time, and halved when it helped") {
    refault_guard guard{tenth};
    std::uint64_t pauses[] = {1, 2, 4, 4};
    for (const std::uint64_t seconds : pauses) {
        CHECK(guard.step(100, 30, 1) == 20);
        CHECK(guard.is_pausing());
        CHECK(guard.step(100, 30, 1) == 20); // goes on to say what is missing, and makes no longer pause
        for (std::uint64_t i = 0; i < seconds; ++i) {
            CHECK(guard.is_pausing());
            static_cast<void>(guard.step(0, 0, second));
        }
        CHECK_FALSE(guard.is_pausing());
    }
    CHECK(guard.step(100, 0, 1) == 0);
    CHECK(guard.step(100, 0, 1) == 0); // from four to one, and twice that
    CHECK(guard.step(100, 30, 1) == 20);
    static_cast<void>(guard.step(0, 0, 2 * second - 1));
    CHECK(guard.is_pausing());
    static_cast<void>(guard.step(0, 0, 1));
    CHECK_FALSE(guard.is_pausing());
}

TEST_CASE("refault_guard: ages at refault count as well, and say who is hardly wanted") {
    refault_guard guard{tenth};
    CHECK(guard.quiet_age(100'000) == 0);
    for (int i = 0; i < 90; ++i) {
        guard.note_refault(0);
    }
    for (int i = 0; i < 9; ++i) {
        guard.note_refault(20);
    }
    guard.note_refault(no_age); // away for longer than can be said
    CHECK(guard.quiet_age(100'000) == 1);
    CHECK(guard.quiet_age(99'999) == 21);
    CHECK(guard.quiet_age(10'000) == 21);
    CHECK(guard.quiet_age(9'999) == no_age);
    CHECK(guard.quiet_age(parts_per_million) == 0);
    CHECK(guard.step(100, 0, 1) == 80); // ninety were away for two sweeps or less
    guard.note_refault(2);
    guard.note_refault(3);
    CHECK(guard.step(10, 0, 1) == 0);
    guard.forget_half();
    CHECK(guard.quiet_age(9'999) == 21);
}

TEST_CASE("refault_guard: extremes") {
    refault_guard guard{{.most_ppm = 0, .least_pages = 0, .least_pause_us = 0, .most_pause_us = 0}};
    CHECK(guard.step(0, 0, 0) == 0);
    CHECK(guard.step(0, 1, 0) == 1);
    CHECK_FALSE(guard.is_pausing());
    CHECK(guard.step(greatest_number, greatest_number, greatest_number) == greatest_number);
    refault_guard lenient{{.most_ppm = greatest_number}};
    CHECK(lenient.step(greatest_number, greatest_number, 1) == 0);
    refault_guard sums{tenth};
    CHECK(sums.step(5, 9, 1) == 0);
    CHECK(sums.step(5, greatest_number, 1) == greatest_number - 1);
}

} // namespace
} // namespace pagefold::testing::unit_control_refault_guard
