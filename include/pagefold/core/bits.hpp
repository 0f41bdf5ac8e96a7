// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/macros.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// `value`, which must fit. A cast would be one from a type to itself where a size has 64 bits, and -Wuseless-cast counts those.
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE constexpr std::size_t to_size(std::uint64_t value) noexcept {
    return value & ~std::size_t{0};
}

/// `value` rounded up to a multiple of `step`; `step` need not be a power of two.
[[nodiscard]] constexpr std::size_t round_up(std::size_t value, std::size_t step) noexcept {
    return (value + step - 1) / step * step;
}

/// `value / step`, rounded up.
[[nodiscard]] constexpr std::size_t ceil_div(std::size_t value, std::size_t step) noexcept {
    return (value + step - 1) / step;
}

// The library takes these instead of <bit>'s: what the standard library inlines for one processor has the same name as what
// it inlines for another (config/abi.hpp says what comes of that), and without optimisation each would be a call.

/// Zeros below the lowest bit set; all bits of the type where none is.
template <std::unsigned_integral Word>
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE constexpr unsigned trailing_zeros(Word x) noexcept {
    if (x == 0) {
        return 8 * sizeof(Word);
    }
    if constexpr (sizeof(Word) <= sizeof(unsigned)) {
        return static_cast<unsigned>(__builtin_ctz(x));
    } else {
        return static_cast<unsigned>(__builtin_ctzll(x));
    }
}

/// Zeros above the highest bit set; all bits of the type where none is.
template <std::unsigned_integral Word>
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE constexpr unsigned leading_zeros(Word x) noexcept {
    if (x == 0) {
        return 8 * sizeof(Word);
    }
    if constexpr (sizeof(Word) <= sizeof(unsigned)) {
        constexpr unsigned above = 8 * (sizeof(unsigned) - sizeof(Word));
        return static_cast<unsigned>(__builtin_clz(x)) - above;
    } else {
        return static_cast<unsigned>(__builtin_clzll(x));
    }
}

/// Ones above the highest bit that is not set.
template <std::unsigned_integral Word>
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE constexpr unsigned leading_ones(Word x) noexcept {
    return leading_zeros(static_cast<Word>(~x));
}

/// `x` turned to the right by `count` places, below its width.
template <std::unsigned_integral Word>
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE constexpr Word rotate_right(Word x, unsigned count) noexcept {
    constexpr unsigned width = 8 * sizeof(Word);
    return static_cast<Word>(x >> count | x << (width - count) % width);
}

/// The number of bits that it takes to write `x`: 0 for 0.
template <std::unsigned_integral Word>
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE constexpr unsigned bit_length(Word x) noexcept {
    return unsigned{8 * sizeof(Word)} - leading_zeros(x);
}

/// Bits set. std::popcount calls into the compiler's run-time library where the target has no such instruction.
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE constexpr unsigned count_ones(std::uint64_t x) noexcept {
#if defined(__POPCNT__) || defined(__aarch64__)
    return static_cast<unsigned>(__builtin_popcountll(x));
#else
    x -= (x >> 1) & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + ((x >> 2) & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return static_cast<unsigned>((x * 0x0101010101010101u) >> 56);
#endif
}

/// Whether the number of bits set is odd. x86 has a flag for it; elsewhere the built-in may be a call, as above.
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE constexpr bool is_odd(std::uint64_t x) noexcept {
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_parityll(x) != 0;
#else
    x ^= x >> 32;
    x ^= x >> 16;
    x ^= x >> 8;
    x ^= x >> 4;
    return (0x6996u >> (x & 15) & 1u) != 0;
#endif
}

/// Whether exactly one bit is set.
[[nodiscard]] constexpr bool is_power_of_two(std::uint64_t x) noexcept { return x != 0 && (x & (x - 1)) == 0; }

/// The least power of two that is not below `x`, which is not above the greatest one that the type has.
template <std::unsigned_integral Word>
[[nodiscard]] constexpr Word next_power_of_two(Word x) noexcept {
    return x <= 1 ? Word{1} : static_cast<Word>(Word{1} << bit_length(static_cast<Word>(x - 1)));
}

/// The greatest power of two that is not above `x`; 0 for 0.
template <std::unsigned_integral Word>
[[nodiscard]] constexpr Word last_power_of_two(Word x) noexcept {
    return x == 0 ? Word{0} : static_cast<Word>(Word{1} << (bit_length(x) - 1));
}

/// The low `count` bits set; `count` from 0 to 64.
[[nodiscard]] constexpr std::uint64_t low_bits(unsigned count) noexcept {
    return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

/// The 64×64→128-bit product of two words, its halves combined by exclusive or: the mixing step of wyhash (Wang Yi).
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE constexpr std::uint64_t folded_multiply(std::uint64_t a,
                                                                             std::uint64_t b) noexcept {
#if PAGEFOLD_HAS_INT128
    __extension__ using wide = unsigned __int128;
    const wide product = static_cast<wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
#else
    const std::uint64_t al = a & 0xffffffffu, ah = a >> 32, bl = b & 0xffffffffu, bh = b >> 32;
    const std::uint64_t ll = al * bl, lh = al * bh, hl = ah * bl, hh = ah * bh;
    const std::uint64_t middle = (ll >> 32) + (lh & 0xffffffffu) + (hl & 0xffffffffu);
    const std::uint64_t low = (ll & 0xffffffffu) | (middle << 32);
    const std::uint64_t high = hh + (lh >> 32) + (hl >> 32) + (middle >> 32);
    return low ^ high;
#endif
}

/// A full-avalanche mix of two words, for hash tables.
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
    return folded_multiply(a ^ 0x9e3779b97f4a7c15u, b ^ 0xd1b54a32d192ed03u);
}

} // namespace pagefold
