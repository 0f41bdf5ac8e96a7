// SPDX-License-Identifier: MIT
//
// The page codec's streams, kept: a stream of version 0 must decode for ever, and the encoder gives the same bytes on every
// machine. The pages come of tests/support/codec_pages.hpp; a change of theirs needs new numbers here, a change of the
// encoder too, and one of the format a new version.

#include <support/codec_paths.hpp>
#include <support/kept_streams.hpp>

#include <doctest/doctest.h>

#include <string>

namespace pagefold::testing::golden_page_codec {
namespace {

struct kept_stream {
    page_level level;
    std::size_t page_size;
    std::uint64_t seed;
    std::size_t size; ///< 0 for a page that is incompressible
    std::uint64_t checksum;
};

constexpr kept_stream kept[] = {
    {page_level::balanced, 4096, 100, 0, 0},
    {page_level::balanced, 4096, 101, 3312, 0x65eb7ff33d33bd6a},
    {page_level::balanced, 4096, 102, 207, 0x3916b8dedf2b4995},
    {page_level::balanced, 4096, 103, 246, 0x44fb9948b17a33a3},
    {page_level::balanced, 4096, 104, 1992, 0x72f91696e270ffee},
    {page_level::balanced, 4096, 105, 937, 0x85f158dda5e0a215},
    {page_level::balanced, 4096, 106, 2037, 0x8ab3218b31bb1d00},
    {page_level::balanced, 4096, 107, 2792, 0xfb0b954fdd519236},
    {page_level::balanced, 4096, 108, 341, 0x9d0716dfaa0c6678},
    {page_level::balanced, 4096, 109, 420, 0x352898a6491e9611},
    {page_level::balanced, 4096, 110, 3425, 0x8d080162787ad754},
    {page_level::balanced, 4096, 111, 2236, 0x6b113ab0ec339646},
    {page_level::fast, 4096, 100, 0, 0},
    {page_level::high, 4096, 100, 0, 0},
    {page_level::fast, 4096, 101, 3321, 0xaad67d64153e1404},
    {page_level::high, 4096, 101, 3321, 0xcf3d6a8af4ae8a99},
    {page_level::fast, 4096, 102, 207, 0x3916b8dedf2b4995},
    {page_level::high, 4096, 102, 207, 0x3916b8dedf2b4995},
    {page_level::fast, 4096, 103, 249, 0x7df39add000aefcf},
    {page_level::high, 4096, 103, 245, 0xc1f73542fe086c9e},
    {page_level::fast, 4096, 108, 860, 0xbcd775f0d3a3d926},
    {page_level::high, 4096, 108, 321, 0x15c4f387ddcaae07},
    {page_level::fast, 4096, 110, 3387, 0x8bba620c2e3862e1},
    {page_level::high, 4096, 110, 3468, 0x079d84ccfb803ed6},
    {page_level::balanced, 16384, 101, 0, 0},
    {page_level::balanced, 16384, 103, 10730, 0xdfe417775cbc8c8b},
    {page_level::balanced, 16384, 105, 3724, 0x2a95e998785db0d0},
    {page_level::balanced, 16384, 110, 13988, 0xaa2aabd16de15594},
    {page_level::balanced, 65536, 103, 52733, 0xdf67194228d7d11e},
};

TEST_CASE("page codec: streams are as they were") {
    check_kept_streams(kept, [](const kept_stream& one, page_path path) {
        return at_level(one.level, [&]<page_level Level>() {
            return codec_on_path<Level>{path}.compress(codec_page(one.page_size, one.seed));
        });
    });
}

std::vector<std::byte> bytes_of(const std::string& hex) {
    std::vector<std::byte> bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        bytes.push_back(static_cast<std::byte>(std::stoul(hex.substr(i, 2), nullptr, 16)));
    }
    return bytes;
}

// Written by hand after docs/page_codec.md. A page of zeros but for the letters "page" at 48 and at 1040: block 65 takes
// the second from a lag of 992 bytes, whose code is 7c with a top of 0.
// `tops` is the section of lag tops; 18 in the flags says that choices and marks are sparse, 20 that the tops are.
std::string by_hand(const std::string& tops, const std::string& flags) {
    return std::string{"70616765"} + // literals
           "7c" + tops +             // the lag
           "0f" +                    // the mask of group 6
           // choices: bit 65 of E, then all of Z but bit 65; a bitmap of which bytes these are
           "02" + "ffffffffffffffff" + "fd" + "ffffffffffffffffffffff" + "ffffffffffffffffffffffff" +
           "00010000ffffffff" + "40" + "0100000000000000" + // marks: group 6
           flags;
}

TEST_CASE("page codec: a stream written by hand decodes on every path") {
    std::vector<std::byte> page(4096);
    for (const std::size_t at : {std::size_t{48}, std::size_t{1040}}) {
        copy_bytes(page.data() + at, "page", 4);
    }
    for (const page_path path :
         {page_path::scalar, page_path::sse42, page_path::avx2, page_path::avx512, page_path::neon}) {
        if (available_page_paths().contains(path)) {
            CAPTURE(std::string{to_string(path)});
            codec_on_path<page_level::balanced> codec{path};
            CHECK(codec.decompress(bytes_of(by_hand("00", "18")), 4096) == page);
            CHECK(codec.decompress(bytes_of(by_hand("00", "38")), 4096) == page); // an empty bitmap
            CHECK_FALSE(codec.decompress(bytes_of(by_hand("10", "18")), 4096));   // a half that pads
            CHECK_FALSE(codec.decompress(bytes_of(by_hand("0002", "38")), 4096)); // a bit that pads, and its byte
            CHECK_FALSE(codec.decompress(bytes_of(by_hand("0180", "38")), 4096));
        }
    }
}

} // namespace
} // namespace pagefold::testing::golden_page_codec
