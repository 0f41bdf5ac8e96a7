// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <cstdint>

// Sums and shares for controllers, which have no floating point: exact where the result fits, and the greatest number where
// it doesn't. None of them starts over at zero, whatever a host hands in.

namespace pagefold::inline PAGEFOLD_ABI {

inline constexpr std::uint64_t greatest_number = ~std::uint64_t{0};
inline constexpr std::uint64_t parts_per_million = 1'000'000; ///< also: the microseconds of a second

[[nodiscard]] constexpr std::uint64_t saturated_sum(std::uint64_t a, std::uint64_t b) noexcept {
    return a > greatest_number - b ? greatest_number : a + b;
}
/// `a − b`, or 0 where that is below.
[[nodiscard]] constexpr std::uint64_t difference_or_zero(std::uint64_t a, std::uint64_t b) noexcept {
    return a > b ? a - b : 0;
}
/// `value × numerator / denominator`, rounded down. Of nothing there is nothing, also divided by zero; anything else divided by
/// zero is the greatest number. 64 steps where the product has more than 64 bits, one where it has not.
[[nodiscard]] constexpr std::uint64_t scaled(std::uint64_t value, std::uint64_t numerator,
                                             std::uint64_t denominator) noexcept {
    if (value == 0 || numerator == 0) {
        return 0;
    }
    if (denominator == 0) {
        return greatest_number;
    }
    std::uint64_t low = 0;
    if (!__builtin_mul_overflow(value, numerator, &low)) {
        return low / denominator;
    }
    constexpr std::uint64_t half = 0xffff'ffffu;
    const std::uint64_t bottom = (value & half) * (numerator & half);
    const std::uint64_t left = (value >> 32) * (numerator & half) + (bottom >> 32);
    const std::uint64_t right = (value & half) * (numerator >> 32) + (left & half);
    std::uint64_t rest = (value >> 32) * (numerator >> 32) + (left >> 32) + (right >> 32);
    low = (right << 32) | (bottom & half);
    if (rest >= denominator) {
        return greatest_number;
    }
    std::uint64_t quotient = 0;
    for (int bit_number = 63; bit_number >= 0; --bit_number) {
        const bool is_carried = rest >> 63 != 0;
        rest = rest << 1 | (low >> bit_number & 1u);
        quotient <<= 1;
        if (is_carried || rest >= denominator) {
            rest -= denominator;
            quotient |= 1u;
        }
    }
    return quotient;
}

} // namespace pagefold
