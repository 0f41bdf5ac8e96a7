// SPDX-License-Identifier: MIT

#include "support/rng.hpp"

#include <pagefold/core/bits.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

using namespace pagefold;

namespace {

/// The product by halves, as a compiler without a 128-bit integer would.
std::uint64_t by_halves(std::uint64_t a, std::uint64_t b) {
    const std::uint64_t al = a & 0xffffffffu, ah = a >> 32, bl = b & 0xffffffffu, bh = b >> 32;
    const std::uint64_t middle = ((al * bl) >> 32) + ((al * bh) & 0xffffffffu) + ((ah * bl) & 0xffffffffu);
    return (a * b) ^ (ah * bh + ((al * bh) >> 32) + ((ah * bl) >> 32) + (middle >> 32));
}

} // namespace

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
