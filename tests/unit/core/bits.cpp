// SPDX-License-Identifier: MIT

#include "support/rng.hpp"

#include <pagefold/core/bits.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace unit_core_bits {

using namespace pagefold;

namespace {

/// The product by halves, as a compiler without a 128-bit integer would.
std::uint64_t by_halves(std::uint64_t a, std::uint64_t b) {
    const std::uint64_t al = a & 0xffffffffu, ah = a >> 32, bl = b & 0xffffffffu, bh = b >> 32;
    const std::uint64_t middle = ((al * bl) >> 32) + ((al * bh) & 0xffffffffu) + ((ah * bl) & 0xffffffffu);
    return (a * b) ^ (ah * bh + ((al * bh) >> 32) + ((ah * bl) >> 32) + (middle >> 32));
}

} // namespace

TEST_CASE("to_size keeps what fits") {
    CHECK(to_size(0) == 0);
    CHECK(to_size(0xffffffff) == 0xffffffff);
    CHECK(to_size(std::uint64_t{~std::size_t{0}}) == ~std::size_t{0});
    static_assert(std::is_same_v<decltype(to_size(std::uint64_t{1})), std::size_t>);
}

TEST_CASE("round_up and ceil_div take any step") {
    CHECK(round_up(0, 7) == 0);
    CHECK(round_up(1, 7) == 7);
    CHECK(round_up(7, 7) == 7);
    CHECK(round_up(8, 7) == 14);
    CHECK(round_up(4097, 4096) == 8192);
    CHECK(ceil_div(0, 7) == 0);
    CHECK(ceil_div(1, 7) == 1);
    CHECK(ceil_div(7, 7) == 1);
    CHECK(ceil_div(8, 7) == 2);
    static_assert(round_up(5, 4) == 8 && ceil_div(5, 4) == 2);
}

TEST_CASE("low_bits from none to all") {
    CHECK(low_bits(0) == 0);
    for (unsigned count = 1; count <= 64; ++count) {
        CHECK(std::popcount(low_bits(count)) == static_cast<int>(count));
        CHECK((low_bits(count) >> (count - 1)) == 1);
    }
    CHECK(low_bits(65) == ~std::uint64_t{0});
}

namespace {

/// Zeros, each single bit, each run from the bottom and the top, and chance, against <bit>.
template <class Word>
void counts_as_the_standard_does() {
    testing::rng random{7};
    for (unsigned i = 0; i < 2000; ++i) {
        const unsigned at = i % (8 * sizeof(Word));
        const auto one = static_cast<Word>(Word{1} << at);
        const auto chance = static_cast<Word>(random() >> random.below(64));
        for (const Word x : {Word{0}, one, static_cast<Word>(one - 1), static_cast<Word>(~one),
                             static_cast<Word>(~(one - 1)), chance}) {
            CHECK(trailing_zeros(x) == static_cast<unsigned>(std::countr_zero(x)));
            CHECK(leading_zeros(x) == static_cast<unsigned>(std::countl_zero(x)));
            CHECK(leading_ones(x) == static_cast<unsigned>(std::countl_one(x)));
            CHECK(bit_length(x) == static_cast<unsigned>(std::bit_width(x)));
            CHECK(last_power_of_two(x) == std::bit_floor(x));
            CHECK(rotate_right(x, at) == std::rotr(x, static_cast<int>(at)));
            if (x <= std::bit_floor(static_cast<Word>(~Word{0}))) {
                CHECK(next_power_of_two(x) == std::bit_ceil(x));
            }
        }
    }
}

} // namespace

TEST_CASE("zeros, ones, lengths, powers and turns are those of <bit>, for words of each size") {
    counts_as_the_standard_does<std::uint8_t>();
    counts_as_the_standard_does<std::uint16_t>();
    counts_as_the_standard_does<std::uint32_t>();
    counts_as_the_standard_does<std::uint64_t>();
    static_assert(trailing_zeros(8u) == 3 && leading_zeros(std::uint8_t{1}) == 7 && next_power_of_two(5u) == 8);
}

TEST_CASE("folded_multiply is the folded 128-bit product") {
    static_assert(folded_multiply(3, 5) == 15);
    static_assert(folded_multiply(std::uint64_t{1} << 63, 2) == 1);
    CHECK(folded_multiply(~std::uint64_t{0}, ~std::uint64_t{0}) == (std::uint64_t{1} ^ (~std::uint64_t{0} - 1)));
    testing::rng random{1};
    for (int i = 0; i < 1000; ++i) {
        const std::uint64_t a = random() >> random.below(64), b = random() >> random.below(64);
        CHECK(folded_multiply(a, b) == by_halves(a, b));
    }
}

TEST_CASE("mix spreads a change of any bit over both halves") {
    testing::rng random{2};
    for (unsigned bit = 0; bit < 64; ++bit) {
        unsigned low = 0, high = 0;
        for (int i = 0; i < 64; ++i) {
            const std::uint64_t a = random(), b = random();
            for (const std::uint64_t change :
                 {mix(a, b) ^ mix(a ^ std::uint64_t{1} << bit, b), mix(a, b) ^ mix(a, b ^ std::uint64_t{1} << bit)}) {
                low += static_cast<unsigned>(std::popcount(change & 0xffffffffu));
                high += static_cast<unsigned>(std::popcount(change >> 32));
            }
        }
        CHECK(low > 128 * 32 * 4 / 10);
        CHECK(low < 128 * 32 * 6 / 10);
        CHECK(high > 128 * 32 * 4 / 10);
        CHECK(high < 128 * 32 * 6 / 10);
    }
}

} // namespace unit_core_bits
