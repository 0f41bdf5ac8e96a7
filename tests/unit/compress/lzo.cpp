// SPDX-License-Identifier: MIT
#include <pagefold/compress/lzo.hpp>

#include <conformance/compressor.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::unit_compress_lzo {
namespace {

static_assert(compressor<lzo>);

TEST_CASE("lzo: streams are bare LZO1X") {
    // Four literals, a match of 33 + 27 bytes at distance 1, the mark of the end.
    constexpr unsigned char stream[] = {17 + 4, 'A', 'A', 'A', 'A', 0x20, 27, 0, 0, 0x11, 0, 0};
    byte_string back(64);
    CHECK(lzo{}.decompress({reinterpret_cast<const std::byte*>(stream), sizeof stream}, back, {}) == status::ok);
    CHECK(back == byte_string(64, std::byte{'A'}));
}

TEST_CASE("lzo: liblzo2 reads our streams") {
    CHECK(lzo_init() == LZO_E_OK); // header and library agree; not needed for what follows
    const scratch_memory scratch{lzo{}.scratch_size(4096)};
    REQUIRE(lzo{}.prepare(scratch.span()) == status::ok);
    int compressed = 0;
    for (const byte_string& page : sample_pages(4096)) {
        byte_string out(lzo{}.bound(4096));
        if (const result<std::size_t> length = lzo{}.compress(page, out, scratch.span()); length) {
            byte_string back(4096);
            lzo_uint size = back.size();
            CHECK(lzo1x_decompress_safe(reinterpret_cast<const unsigned char*>(out.data()), *length,
                                        reinterpret_cast<unsigned char*>(back.data()), &size, nullptr) == LZO_E_OK);
            CHECK(size == 4096);
            CHECK(back == page);
            ++compressed;
        }
    }
    CHECK(compressed > 15);
}

TEST_CASE("lzo: what is too small to shrink, or nothing at all") {
    const scratch_memory scratch{lzo{}.scratch_size(16)};
    const byte_string page = sample_pages(16).back(); // noise
    byte_string out(lzo{}.bound(16));
    CHECK(lzo{}.compress(page, out, scratch.span()).error() == status::incompressible);
    CHECK(lzo{}.compress({}, out, scratch.span()).error() == status::invalid);
    CHECK(lzo{}.decompress(out, {}, {}) == status::invalid);
    CHECK(lzo{}.decompress({}, out, {}) == status::corrupt);
    CHECK(lzo{}.prepare({}) == status::invalid);
}

} // namespace
} // namespace pagefold::testing::unit_compress_lzo
