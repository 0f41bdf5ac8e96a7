// SPDX-License-Identifier: MIT
#include <pagefold/compress/same_filled.hpp>

#include <conformance/compressor.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::unit_compress_same_filled {
namespace {

static_assert(compressor<same_filled>);

byte_string repeat(const char (&word)[9], std::size_t size) {
    byte_string page(size);
    for (std::size_t i = 0; i < size; ++i) {
        page[i] = static_cast<std::byte>(word[i % 8]);
    }
    return page;
}

TEST_CASE("same_filled: the stream is the word as it lies in memory") {
    for (const std::size_t size : {9u, 15u, 16u, 24u, 64u, 71u, 72u, 4095u, 4096u, 65536u}) {
        CAPTURE(size);
        const byte_string page = repeat("\x01\x02\x03\x04\x05\x06\x07\x80", size);
        byte_string out(8);
        CHECK(*same_filled{}.compress(page, out, {}) == 8);
        CHECK(equal_bytes(out.data(), "\x01\x02\x03\x04\x05\x06\x07\x80", 8));
        byte_string back(size);
        CHECK(same_filled{}.decompress(out, back, {}) == status::ok);
        CHECK(back == page);
    }
}

TEST_CASE("same_filled: any one bit makes another page") {
    for (const std::size_t size : {16u, 23u, 40u, 64u, 65u, 200u, 4095u, 4096u}) {
        CAPTURE(size);
        byte_string page = repeat("pagefold", size);
        byte_string out(8);
        for (std::size_t i = 0; i < size; ++i) {
            page[i] ^= std::byte{0x10};
            CHECK(same_filled{}.compress(page, out, {}).error() == status::incompressible);
            page[i] ^= std::byte{0x10};
        }
        CHECK(same_filled{}.compress(page, out, {}).has_value());
    }
}

TEST_CASE("same_filled: sizes that are no pages, and too little room, are invalid") {
    const byte_string zeros(4096);
    byte_string out(4096);
    for (const std::size_t size : {0u, 1u, 7u, 8u}) {
        CAPTURE(size);
        CHECK(same_filled{}.compress(byte_view{zeros}.first(size), out, {}).error() == status::invalid);
        CHECK(same_filled{}.decompress(byte_view{zeros}.first(8), byte_span{out}.first(size), {}) == status::invalid);
    }
    CHECK(same_filled{}.compress(zeros, byte_span{out}.first(7), {}).error() == status::invalid);
    CHECK(same_filled{}.decompress(byte_view{zeros}.first(7), out, {}) == status::corrupt);
    CHECK(same_filled{}.decompress(byte_view{zeros}.first(9), out, {}) == status::corrupt);
    CHECK(same_filled{}.decompress({}, out, {}) == status::corrupt);
}

} // namespace
} // namespace pagefold::testing::unit_compress_same_filled
