// SPDX-License-Identifier: MIT
#include <pagefold/compress/page/format.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

namespace pagefold::page_coding::unit_compress_page_format {
namespace {

TEST_CASE("alphabets: a code leads back to its symbol, and code 0 is no symbol's") {
    for (unsigned alphabet = 0; alphabet != literal_alphabets; ++alphabet) {
        CAPTURE(alphabet);
        const auto& symbols = alphabets.literal_symbol[alphabet];
        const auto& codes = alphabets.literal_code[alphabet];
        CHECK(std::set<unsigned>(symbols + 1, symbols + 64).size() == 63);
        CHECK(std::is_sorted(symbols + 1, symbols + 64));
        for (unsigned code = 1; code != 64; ++code) {
            CHECK(codes[symbols[code]] == code);
        }
        unsigned coded = 0;
        for (unsigned byte = 0; byte != 256; ++byte) {
            coded += codes[byte] != 0 ? 1 : 0;
            CHECK((codes[byte] == 0 || byte < 0x80)); // what vector paths look up
            CHECK((alphabets.literal_owners[byte] >> alphabet & 1) == (codes[byte] != 0 ? 1 : 0));
        }
        CHECK(coded == 63);
        CHECK(symbols[0] == 0); // escapes are put in by `or`
    }
    std::set<unsigned> masks;
    for (unsigned code = 1; code != 16; ++code) {
        masks.insert(alphabets.mask_symbol[code]);
        CHECK(alphabets.mask_code[alphabets.mask_symbol[code]] == code);
    }
    CHECK(masks.size() == 15);
    CHECK(alphabets.mask_symbol[0] == 0);
    CHECK(masks.count(0) == 0); // and found by a symbol of 0
}

TEST_CASE("flags: an alphabet goes with packed literals only") {
    for (unsigned alphabet = 0; alphabet != literal_alphabets; ++alphabet) {
        const unsigned flags = alphabet << alphabet_shift;
        CHECK(alphabet_of(flags | 63) == alphabet);
        CHECK(are_flags_known(flags | literals_packed));
        CHECK(are_flags_known(flags | masks_packed) == (alphabet == 0));
    }
}

TEST_CASE("lag codes: every lag comes back, and those of structures have empty tops") {
    for (const bool is_wide : {false, true}) {
        for (unsigned lag = 0; lag != 1u << lag_bits(is_wide); ++lag) {
            const unsigned code = lag_to_code(lag, is_wide);
            CHECK((code < 1u << lag_bits(is_wide) && code_to_lag(code, is_wide) == lag));
            CHECK((code < 256) == (lag % 8 == 0 && lag < 2048));
        }
    }
    CHECK(lag_tops_size(5, false) == 3);
    CHECK(lag_tops_size(5, true) == 5);
}

TEST_CASE("backward_reader takes from the back and never more than there is") {
    const std::uint8_t data[10] = {};
    backward_reader in{data, sizeof data};
    CHECK(in.take(3) == data + 7);
    CHECK(in.take(0) == data + 7);
    CHECK(in.take(8) == nullptr);
    CHECK(in.left() == 7);
    CHECK(in.take(7) == data);
    CHECK(in.take(1) == nullptr);
    CHECK(in.begin() == data);
}

TEST_CASE("words are little-endian wherever the program runs") {
    const std::uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    CHECK(load_word(bytes) == 0x0807060504030201u);
    CHECK(load_word32(bytes) == 0x04030201u);
    std::uint8_t out[8];
    store_word(out, 0x0807060504030201u);
    CHECK(equal_bytes(out, bytes, 8));
    CHECK(count_bits(bytes, 8) == 13);
}

} // namespace
TEST_CASE("format: a line is copied where one line in front of it predicts all four blocks, and nowhere else") {
    using page_coding::is_line_whole;
    for (const std::size_t place : {std::size_t{64}, std::size_t{4096}, std::size_t{65536 - 64}}) {
        for (const std::size_t lag : {std::size_t{64}, std::size_t{65}, place}) {
            std::uint16_t sources[4];
            for (std::size_t block = 0; block != 4; ++block) {
                sources[block] = static_cast<std::uint16_t>(place + 16 * block - lag);
            }
            const bool is_far = lag >= 64 && lag <= place;
            CHECK(is_line_whole(sources, place) == is_far);
            for (std::uint16_t& one : sources) {
                for (const int change : {-16, -1, 1, 16}) {
                    const std::uint16_t kept = one;
                    one = static_cast<std::uint16_t>(one + change);
                    CHECK(!is_line_whole(sources, place));
                    one = kept;
                }
            }
        }
        for (const std::size_t lag : {std::size_t{0}, std::size_t{16}, std::size_t{63}}) { // zeros, and what overlaps
            std::uint16_t sources[4];
            for (std::size_t block = 0; block != 4; ++block) {
                sources[block] = static_cast<std::uint16_t>(place + 16 * block - lag);
            }
            CHECK(!is_line_whole(sources, place));
        }
    }
}

} // namespace pagefold::page_coding::unit_compress_page_format
