// SPDX-License-Identifier: MIT
#include <pagefold/compress/page/scalar.hpp>

#include <support/noise_pages.hpp>
#include <support/rng.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <vector>

namespace pagefold::page_coding::scalar::unit_compress_page_scalar {
namespace {

using testing::rng;

std::uint64_t random_bytes(rng& random) { // some of them zero
    std::uint64_t word = random();
    for (unsigned i = 0; i != 8; ++i) {
        word &= random.one_in(3) ? ~(std::uint64_t{0xff} << (8 * i)) : ~std::uint64_t{0};
    }
    return word;
}
unsigned byte_of(std::uint64_t word, unsigned i) { return static_cast<unsigned>(word >> (8 * i)) & 0xff; }

TEST_CASE("scalar: masks, gathering and spreading, byte by byte") {
    rng random{1};
    for (int round = 0; round != 20000; ++round) {
        const std::uint64_t word = random_bytes(random);
        unsigned mask = 0;
        for (unsigned i = 0; i != 8; ++i) {
            mask |= (byte_of(word, i) != 0 ? 1u : 0u) << i;
        }
        REQUIRE(mask_of(nonzero_bytes(word)) == mask);
        const auto chosen = static_cast<unsigned>(random.below(256));
        std::uint64_t gathered = 0;
        unsigned count = 0;
        for (unsigned i = 0; i != 8; ++i) {
            if ((chosen >> i & 1) != 0) {
                gathered |= std::uint64_t{byte_of(word, i)} << (8 * count++);
            }
        }
        REQUIRE(gather(word, chosen) == gathered);
        const std::uint64_t spread_back =
            spread(gathered | (count == 8 ? 0 : random() << (8 * count)), moves.of[chosen]);
        REQUIRE((spread_back & moves.of[chosen].kept) == (word & moves.of[chosen].kept));
    }
}

TEST_CASE("scalar: a score counts wrong bytes, high ones a little more") {
    rng random{2};
    for (int round = 0; round != 5000; ++round) {
        const std::uint64_t low = random_bytes(random);
        const std::uint64_t high = random_bytes(random);
        unsigned expected = 0;
        for (unsigned i = 0; i != 8; ++i) {
            const unsigned weight = i % 2 == 0 ? low_differs : high_differs;
            expected += (byte_of(low, i) != 0 ? weight : 0) + (byte_of(high, i) != 0 ? weight : 0);
        }
        REQUIRE(score(low, high) == expected);
    }
}

TEST_CASE("scalar: sparse sections of any length come back, and are sparse where that is shorter") {
    rng random{3};
    for (int round = 0; round != 3000; ++round) {
        const std::size_t count = random.below(257);
        const std::uint64_t density = 1 + random.below(12);
        std::vector<std::uint8_t> bytes(blocks);
        std::size_t set = 0;
        for (std::size_t i = 0; i != count; ++i) {
            bytes[i] = random.one_in(density) ? static_cast<std::uint8_t>(random.below(255) + 1) : std::uint8_t{0};
            set += bytes[i] != 0 ? 1 : 0;
        }
        std::vector<std::uint8_t> out(600, 0xee); // what a decoder may read behind
        unsigned flags = 0;
        const auto size =
            static_cast<std::size_t>(put_sparse(bytes.data(), count, out.data(), choices_sparse, flags) - out.data());
        const std::size_t sparse_size = set + (count + 7) / 8;
        REQUIRE(size == (sparse_size < count ? sparse_size : count));
        REQUIRE((flags == choices_sparse) == (sparse_size < count));
        std::vector<std::uint8_t> back(blocks, 0x55);
        backward_reader in{out.data(), size};
        REQUIRE(get_sparse(in, count, flags != 0, back.data()));
        REQUIRE(in.left() == 0);
        REQUIRE(equal_bytes(back.data(), bytes.data(), count));
    }
}

TEST_CASE("scalar: bits of a bitmap past its section's end are refused") {
    const std::uint8_t padded[] = {1, 2, 0x03, 0x20}; // 13 places: bit 13 is the first past them
    std::uint8_t out[64];
    backward_reader in{padded, sizeof padded};
    CHECK_FALSE(get_sparse(in, 13, true, out));
}

TEST_CASE("scalar: literals packed and unpacked, with escapes") {
    rng random{4};
    const auto state = std::make_unique<workspace>();
    for (int round = 0; round != 300; ++round) {
        const std::size_t count = min_packed_literals + random.below(unit_size - min_packed_literals + 1);
        const auto alphabet = static_cast<unsigned>(random.below(literal_alphabets));
        std::vector<std::uint8_t> literals(count);
        for (std::uint8_t& literal : literals) {
            literal = random.one_in(12) ? static_cast<std::uint8_t>(random())
                                        : alphabets.literal_symbol[alphabet][1 + random.below(63)];
        }
        copy_bytes(state->literals, literals.data(), count);
        state->literal_count = count;
        std::vector<std::uint8_t> out(unit_size + 64);
        unsigned flags = 0;
        std::uint8_t* const end = pack_literals(*state, out.data(), flags);
        REQUIRE((flags & 63) == (end == nullptr ? 0u : unsigned{literals_packed}));
        if (end == nullptr) {
            continue;
        }
        CHECK(alphabet_of(flags) == alphabet);
        const auto size = static_cast<std::size_t>(end - out.data());
        REQUIRE(size < count);
        fill_bytes(state->literals, 0, sizeof state->literals);
        REQUIRE(unpack_literals(out.data(), size, count, alphabet, *state));
        REQUIRE(equal_bytes(state->literals, literals.data(), count));
        CHECK_FALSE(unpack_literals(out.data(), size - 1, count, alphabet, *state));
        CHECK_FALSE(unpack_literals(out.data(), size + 1, count, alphabet, *state));
        if (count % 4 != 0) { // a padding code that is not 0
            const std::size_t plane = packed_plane(count);
            out[plane - 1] ^= 0x40;
            CHECK_FALSE(unpack_literals(out.data(), size, count, alphabet, *state));
        }
    }
    CHECK_FALSE(unpack_literals(state->codes, 200, 255, 0, *state)); // too few to be packed
}

TEST_CASE("scalar: full masks outnumber empty ones, or don't") {
    std::uint64_t masks[lines] = {};
    CHECK_FALSE(has_full_masks(masks));
    fill_bytes(masks, 0xff, groups / 2);
    CHECK_FALSE(has_full_masks(masks));
    fill_bytes(masks, 0xff, groups / 2 + 1);
    CHECK(has_full_masks(masks));
    fill_bytes(masks, 0xff, groups);
    CHECK(has_full_masks(masks));
}

TEST_CASE("scalar: a lag is valid inside the page and no shorter than a block") {
    CHECK_FALSE(is_lag_valid(15, 4000));
    CHECK(is_lag_valid(16, 4000));
    CHECK(is_lag_valid(4000, 4000));
    CHECK_FALSE(is_lag_valid(4001, 4000));
    CHECK_FALSE(is_lag_valid(0, 0));
}

TEST_CASE("scalar: what is noise, near the limits") {
    rng random{5};
    unsigned noisy = 0;
    for (unsigned i = 0; i != 2000; ++i) {
        const std::vector<std::uint8_t> unit = testing::nearly_noise(random);
        const bool expected = testing::is_noise_by_the_rule(unit);
        REQUIRE(rest_is_noise(unit.data() + give_up_line * line_size) == expected);
        noisy += expected ? 1 : 0;
    }
    CHECK(noisy > 400);
    CHECK(noisy < 1600);
}

} // namespace
} // namespace pagefold::page_coding::scalar::unit_compress_page_scalar
