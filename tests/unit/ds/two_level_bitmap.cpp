// SPDX-License-Identifier: MIT
#include <pagefold/ds/two_level_bitmap.hpp>

#include <support/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <vector>

namespace pagefold::testing::unit_ds_two_level_bitmap {
namespace {

template <unsigned Bits>
struct of_size : std::integral_constant<unsigned, Bits> {};

/// The plainest thing that says the same.
[[nodiscard]] unsigned find_in(const std::vector<bool>& bits, unsigned from) {
    while (from < bits.size() && !bits[from]) {
        ++from;
    }
    return std::min(from, static_cast<unsigned>(bits.size()));
}

template <unsigned Bits>
void check_agreement(const two_level_bitmap<Bits>& map, const std::vector<bool>& bits) {
    for (unsigned i = 0; i < Bits; ++i) {
        REQUIRE(map.test(i) == bits[i]);
        REQUIRE(map.find_from(i) == find_in(bits, i));
    }
    REQUIRE(map.any() == (find_in(bits, 0) != Bits));
    REQUIRE(map.find_from(Bits) == map.npos);
    REQUIRE(map.find_from(~0u) == map.npos);
    REQUIRE(map.check());
}

TEST_CASE_TEMPLATE("two_level_bitmap: agrees with an array of bools, whatever its size", T, of_size<1>, of_size<2>,
                   of_size<63>, of_size<64>, of_size<65>, of_size<509>, of_size<1024>, of_size<4095>, of_size<4096>) {
    constexpr unsigned bits = T::value;
    two_level_bitmap<bits> map;
    std::vector<bool> plain(bits, false);
    check_agreement(map, plain);
    rng random{bits};
    for (unsigned round = 0; round < 40; ++round) {
        const bool dense = round % 8 < 4;
        for (unsigned i = 0; i < bits / 8 + 3; ++i) {
            const unsigned at = static_cast<unsigned>(random.below(bits));
            const bool value = random.below(8) < (dense ? 7u : 1u);
            value ? map.set(at) : map.clear(at);
            plain[at] = value;
            REQUIRE(map.check());
        }
        check_agreement(map, plain);
    }
    for (unsigned i = 0; i < bits; ++i) {
        map.clear(i);
        map.clear(i); // twice is the same
        REQUIRE(map.check());
    }
    CHECK_FALSE(map.any());
    CHECK(map.find_from(0) == map.npos);
}

TEST_CASE_TEMPLATE("two_level_bitmap: finds every single bit, and skips all words between", T, of_size<1>, of_size<65>,
                   of_size<509>, of_size<4096>) {
    constexpr unsigned bits = T::value;
    for (unsigned i = 0; i < bits; ++i) {
        two_level_bitmap<bits> map;
        map.set(i);
        map.set(i);
        REQUIRE(map.find_from(0) == i);
        REQUIRE(map.find_from(i) == i);
        REQUIRE(map.find_from(i + 1) == map.npos);
        REQUIRE(map.check());
    }
}

constexpr bool works_at_compile_time() {
    two_level_bitmap<200> map;
    map.set(3);
    map.set(190);
    map.clear(3);
    return map.find_from(0) == 190 && map.find_from(191) == map.npos && !map.test(3) && map.any() && map.check();
}
static_assert(works_at_compile_time());

TEST_CASE("two_level_bitmap: check sees a summary that is wrong, and bits past the end") {
    using map_type = two_level_bitmap<130>;
    static_assert(std::is_trivially_copyable_v<map_type> && sizeof(map_type) == 4 * sizeof(std::uint64_t));
    map_type map;
    map.set(70);
    const auto damaged = [&](std::size_t word, unsigned bit) {
        std::uint64_t words[4];
        std::memcpy(words, &map, sizeof words);
        words[word] ^= std::uint64_t{1} << bit;
        map_type copy;
        std::memcpy(static_cast<void*>(&copy), words, sizeof words);
        return !copy.check();
    };
    CHECK(damaged(0, 0));       // summary: a word without a bit
    CHECK(damaged(0, 1));       // the word that has one
    CHECK(damaged(0, 40));      // a word that is not there
    CHECK(damaged(1, 5));       // a word that the summary leaves out
    CHECK(damaged(3, 2));       // past the end
    CHECK_FALSE(damaged(2, 7)); // another bit of a word that has one
}

} // namespace
} // namespace pagefold::testing::unit_ds_two_level_bitmap
