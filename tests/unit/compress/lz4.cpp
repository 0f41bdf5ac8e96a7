// SPDX-License-Identifier: MIT
#include <pagefold/compress/lz4.hpp>

#include <conformance/compressor.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::unit_compress_lz4 {
namespace {

static_assert(compressor<lz4>);
static_assert(compressor<basic_lz4<8>>);

// By the description of the block format: one literal, a match of 4090 bytes at distance 1, five literals to end with.
byte_string block_of_as() {
    byte_string block = {std::byte{0x1f}, std::byte{'A'}, std::byte{1}, std::byte{0}};
    block.insert(block.end(), 15, std::byte{0xff}); // 4090 - 4 - 15 = 15 · 255 + 246
    block.insert(block.end(), {std::byte{246}, std::byte{0x50}});
    block.insert(block.end(), 5, std::byte{'A'});
    return block;
}

TEST_CASE("lz4: streams are bare LZ4 blocks") {
    const byte_string page(4096, std::byte{'A'});
    const scratch_memory scratch{lz4{}.scratch_size(4096)};
    REQUIRE(lz4{}.prepare(scratch.span()) == status::ok);

    byte_string out(lz4{}.bound(4096));
    const result<std::size_t> length = lz4{}.compress(page, out, scratch.span());
    REQUIRE(length);
    out.resize(*length);
    CHECK(out == block_of_as());

    byte_string back(4096);
    CHECK(lz4{}.decompress(block_of_as(), back, {}) == status::ok);
    CHECK(back == page);
}

TEST_CASE("lz4: liblz4 reads our streams, and we read its") {
    const scratch_memory scratch{lz4{}.scratch_size(4096)};
    int compressed = 0;
    for (const byte_string& page : sample_pages(4096)) {
        byte_string out(lz4{}.bound(4096));
        byte_string back(4096);
        if (const result<std::size_t> length = lz4{}.compress(page, out, scratch.span()); length) {
            CHECK(LZ4_decompress_safe(reinterpret_cast<const char*>(out.data()), reinterpret_cast<char*>(back.data()),
                                      static_cast<int>(*length), 4096) == 4096);
            CHECK(back == page);
            ++compressed;
        }
        const int theirs =
            LZ4_compress_default(reinterpret_cast<const char*>(page.data()), reinterpret_cast<char*>(out.data()), 4096,
                                 static_cast<int>(out.size()));
        if (theirs < 4096) {
            std::fill(back.begin(), back.end(), std::byte{0xee});
            CHECK(lz4{}.decompress(byte_view{out}.first(static_cast<std::size_t>(theirs)), back, {}) == status::ok);
            CHECK(back == page);
        }
    }
    CHECK(compressed > 15);
}

TEST_CASE("lz4: the bound is liblz4's") {
    for (const std::size_t size : {1u, 254u, 255u, 4096u, 16384u, 65536u, 1000000u}) {
        CHECK(lz4{}.bound(size) == static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(size))));
    }
}

TEST_CASE("lz4: acceleration trades ratio") {
    const byte_string page = sample_pages(65536)[15];
    const scratch_memory scratch{lz4{}.scratch_size(page.size())};
    byte_string out(lz4{}.bound(page.size()));
    const result<std::size_t> usual = lz4{}.compress(page, out, scratch.span());
    const result<std::size_t> fast = basic_lz4<64>{}.compress(page, out, scratch.span());
    REQUIRE(usual);
    REQUIRE(fast);
    CHECK(*fast > *usual);
    byte_string back(page.size());
    CHECK(lz4{}.decompress(byte_view{out}.first(*fast), back, {}) == status::ok);
    CHECK(back == page);
}

TEST_CASE("lz4: what is too small to shrink, or nothing at all") {
    const scratch_memory scratch{lz4{}.scratch_size(16)};
    const byte_string page = sample_pages(16).back(); // noise
    byte_string out(lz4{}.bound(16));
    CHECK(lz4{}.compress(page, out, scratch.span()).error() == status::incompressible);
    CHECK(lz4{}.compress({}, out, scratch.span()).error() == status::invalid);
    CHECK(lz4{}.decompress(out, {}, {}) == status::invalid);
    CHECK(lz4{}.decompress({}, out, {}) == status::corrupt);
    CHECK(lz4{}.prepare({}) == status::invalid);
}

} // namespace
} // namespace pagefold::testing::unit_compress_lz4
