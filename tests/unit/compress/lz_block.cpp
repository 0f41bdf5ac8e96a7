// SPDX-License-Identifier: MIT
#include <pagefold/compress/lz_block.hpp>

#include <conformance/compressor.hpp>
#include <support/pages.hpp>

#include <doctest/doctest.h>
#include <lz4.h>

namespace pagefold::testing::unit_compress_lz_block {
namespace {

static_assert(compressor<lz_block>);
static_assert(compressor<basic_lz_block<8>>);

const char* chars(const std::byte* from) { return reinterpret_cast<const char*>(from); }
char* chars(std::byte* to) { return reinterpret_cast<char*>(to); }

std::vector<byte_string> all_pages(std::size_t size) {
    std::vector<byte_string> pages = sample_pages(size);
    for (std::uint64_t seed = 0; seed < 8 * page_kinds; ++seed) {
        pages.push_back(page_of(size, seed));
    }
    return pages;
}

TEST_CASE("lz_block: streams are bare LZ4 blocks") {
    const byte_string page(4096, std::byte{'A'});
    const scratch_memory scratch{lz_block{}.scratch_size(4096)};
    REQUIRE(lz_block{}.prepare(scratch.span()) == status::ok);
    byte_string out(lz_block{}.bound(4096));
    const result<std::size_t> length = lz_block{}.compress(page, out, scratch.span());
    REQUIRE(length);
    out.resize(*length);

    // One literal, a match of 4090 bytes at distance 1, five literals to end with.
    byte_string block = {std::byte{0x1f}, std::byte{'A'}, std::byte{1}, std::byte{0}};
    block.insert(block.end(), 15, std::byte{0xff}); // 4090 - 4 - 15 = 15 · 255 + 246
    block.insert(block.end(), {std::byte{246}, std::byte{0x50}});
    block.insert(block.end(), 5, std::byte{'A'});
    CHECK(out == block);
}

TEST_CASE("lz_block: liblz4 reads our streams, and we read its") {
    for (const std::size_t size : {256u, 4096u, 16384u, 65536u, 262144u}) {
        CAPTURE(size);
        const scratch_memory scratch{lz_block{}.scratch_size(size)};
        REQUIRE(lz_block{}.prepare(scratch.span()) == status::ok);
        std::size_t ours_in_all = 0, theirs_in_all = 0;
        for (const byte_string& page : all_pages(size)) {
            byte_string out(lz_block{}.bound(size));
            byte_string back(size);
            const result<std::size_t> ours = lz_block{}.compress(page, out, scratch.span());
            if (ours) {
                CHECK(LZ4_decompress_safe(chars(out.data()), chars(back.data()), static_cast<int>(*ours),
                                          static_cast<int>(size)) == static_cast<int>(size));
                CHECK(same(byte_view{back}, byte_view{page}));
            }
            const auto theirs = static_cast<std::size_t>(LZ4_compress_default(
                chars(page.data()), chars(out.data()), static_cast<int>(size), static_cast<int>(out.size())));
            if (theirs >= min_stream_size && theirs < size) {
                std::fill(back.begin(), back.end(), std::byte{0xee});
                CHECK(lz_block{}.decompress(byte_view{out}.first(theirs), back, {}) == status::ok);
                CHECK(same(byte_view{back}, byte_view{page}));
            }
            ours_in_all += ours.value_or(size);
            theirs_in_all += std::min(theirs, size);
        }
        CHECK(ours_in_all < theirs_in_all * 101 / 100); // made-up pages, so only about as small
    }
}

TEST_CASE("lz_block: the bound is liblz4's") {
    for (const std::size_t size : {1u, 254u, 255u, 4096u, 16384u, 65536u, 1000000u}) {
        CHECK(lz_block{}.bound(size) == static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(size))));
    }
}

TEST_CASE("lz_block: acceleration trades ratio") {
    const byte_string page = sample_pages(65536)[15];
    const scratch_memory scratch{lz_block{}.scratch_size(page.size())};
    REQUIRE(lz_block{}.prepare(scratch.span()) == status::ok);
    byte_string out(lz_block{}.bound(page.size()));
    const result<std::size_t> usual = lz_block{}.compress(page, out, scratch.span());
    const result<std::size_t> fast = basic_lz_block<64>{}.compress(page, out, scratch.span());
    REQUIRE(usual);
    REQUIRE(fast);
    CHECK(*fast > *usual);
    byte_string back(page.size());
    CHECK(lz_block{}.decompress(byte_view{out}.first(*fast), back, {}) == status::ok);
    CHECK(back == page);
}

TEST_CASE("lz_block: what is too small to shrink, too large, or nothing at all") {
    const scratch_memory scratch{lz_block{}.scratch_size(16)};
    REQUIRE(lz_block{}.prepare(scratch.span()) == status::ok);
    const byte_string page = sample_pages(16).back(); // noise
    byte_string out(lz_block{}.bound(16));
    CHECK(lz_block{}.compress(page, out, scratch.span()).error() == status::incompressible);
    CHECK(lz_block{}.compress({}, out, scratch.span()).error() == status::invalid);
    CHECK(lz_block{}.decompress(out, {}, {}) == status::invalid);
    CHECK(lz_block{}.decompress({}, out, {}) == status::corrupt);
    CHECK(lz_block{}.prepare({}) == status::invalid);
    // Refused by the size alone.
    const byte_span huge{out.data(), lz_block::max_page + 1};
    CHECK(lz_block{}.compress(huge, huge, huge).error() == status::invalid);
    CHECK(lz_block{}.decompress(page, huge, {}) == status::invalid);
    // A scratch for small pages does not do for large ones.
    CHECK(lz_block{}.scratch_size(4096) < lz_block{}.scratch_size(4097));
    CHECK(lz_block{}.scratch_size(4097) == lz_block{}.scratch_size(std::size_t{1} << 21));
}

} // namespace
} // namespace pagefold::testing::unit_compress_lz_block
