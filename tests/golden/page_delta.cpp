// SPDX-License-Identifier: MIT
//
// The streams of deltas, kept, as those of the page codec are (golden/page_codec.cpp). The pairs come of
// tests/support/delta_pages.hpp.

#include <support/delta_pages.hpp>
#include <support/kept_streams.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::golden_page_delta {
namespace {

struct kept_stream {
    page_level level;
    std::uint64_t seed;
    std::size_t size; ///< 0 for a page that is incompressible
    std::uint64_t checksum;
};

constexpr kept_stream kept[] = {
    {page_level::balanced, 600, 291, 0x2251b1218abbdef8},
    {page_level::balanced, 601, 674, 0x6fa42492aeb36c0b},
    {page_level::balanced, 602, 40, 0xf582f9b4de44dd42},
    {page_level::balanced, 603, 0, 0},
    {page_level::balanced, 604, 39, 0x61edcc4a8b8b5899},
    {page_level::balanced, 605, 20, 0x571dbd69be769a30},
    {page_level::balanced, 606, 169, 0x477ec00800fb5201},
    {page_level::balanced, 607, 315, 0x99d4e20494def207},
    {page_level::balanced, 608, 2025, 0x4874394537e686b1},
    {page_level::balanced, 609, 0, 0},
    {page_level::balanced, 610, 32, 0xef12bd3172a4be4c},
    {page_level::balanced, 611, 20, 0x571dbd69be769a30},
    {page_level::balanced, 612, 194, 0xea77a0dab5a66473},
    {page_level::balanced, 613, 401, 0x53e73e79c6da820d},
    {page_level::balanced, 614, 84, 0x6fa2ca9a70fbb736},
    {page_level::balanced, 615, 0, 0},
    {page_level::balanced, 616, 33, 0x0d0a9345941e2578},
    {page_level::balanced, 617, 20, 0x571dbd69be769a30},
    {page_level::balanced, 618, 338, 0xb9c684718f6f8f3e},
    {page_level::balanced, 619, 20, 0x571dbd69be769a30},
    {page_level::balanced, 620, 20, 0x571dbd69be769a30},
    {page_level::balanced, 621, 1963, 0xd3163f01f2e3a830},
    {page_level::balanced, 622, 21, 0x5aaf0d32219d469d},
    {page_level::balanced, 623, 20, 0x571dbd69be769a30},
    {page_level::fast, 606, 169, 0x477ec00800fb5201},
    {page_level::high, 606, 169, 0x477ec00800fb5201},
    {page_level::fast, 607, 351, 0x2844fa2ef145b2ba},
    {page_level::high, 607, 298, 0x48b2787436932e45},
    {page_level::fast, 608, 2025, 0x4874394537e686b1},
    {page_level::high, 608, 1886, 0x7fca2d950ef15175},
    {page_level::fast, 609, 0, 0},
    {page_level::high, 609, 0, 0},
    {page_level::fast, 610, 32, 0xef12bd3172a4be4c},
    {page_level::high, 610, 32, 0xef12bd3172a4be4c},
    {page_level::fast, 611, 20, 0x571dbd69be769a30},
    {page_level::high, 611, 20, 0x571dbd69be769a30},
};

TEST_CASE("page_delta: streams are as they were") {
    check_kept_streams(kept, [](const kept_stream& one, page_path path) {
        return at_level(one.level,
                        [&]<page_level Level>() { return delta_on_path<Level>{path}.compress(delta_pair(one.seed)); });
    });
}

} // namespace
} // namespace pagefold::testing::golden_page_delta
