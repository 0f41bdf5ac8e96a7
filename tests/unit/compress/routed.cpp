// SPDX-License-Identifier: MIT
#include <pagefold/compress/routed.hpp>

#include <pagefold/compress/chain.hpp>
#include <pagefold/compress/lz_block.hpp>
#include <pagefold/compress/page.hpp>

#include <conformance/pool_compressor.hpp>

#include <doctest/doctest.h>

#include <string>

namespace pagefold::testing::unit_compress_routed {
namespace {

constexpr std::size_t page_size = 4096;
static_assert(pool_compressor<routed<lz_block>>);
static_assert(!pair_decompressor<routed<lz_block>> && pair_decompressor<routed<lz_block, page_codec>>);
static_assert(routed<lz_block, page_codec, lz_block>::codec_count == 3);

/// Notes that it was asked, and answers as it is told.
struct scripted {
    char name = '?';
    std::string* asked = nullptr;
    result<std::size_t> answer{status::incompressible};

    [[nodiscard]] std::size_t scratch_size(std::size_t) const noexcept { return 0; }
    [[nodiscard]] status prepare(byte_span) const noexcept { return status::ok; }
    [[nodiscard]] std::size_t bound(std::size_t n) const noexcept { return n; }
    [[nodiscard]] result<std::size_t> compress(byte_view, byte_span, byte_span) const noexcept {
        *asked += name;
        return answer;
    }
    [[nodiscard]] status decompress(byte_view, byte_span, byte_span) const noexcept {
        *asked += name;
        return status::ok;
    }
};

struct three {
    std::string asked;
    routed<scripted, scripted, scripted> codec;
    scratch_memory scratch;
    byte_string out = byte_string(2 * page_size);

    explicit three(result<std::size_t> a = std::size_t{100}, result<std::size_t> b = std::size_t{200},
                   result<std::size_t> c = std::size_t{300})
        : codec{scripted{'a', &asked, a}, scripted{'b', &asked, b}, scripted{'c', &asked, c}}, scratch{
                                                                                                   codec.scratch_size(
                                                                                                       page_size)} {
        CHECK(codec.prepare(scratch.span()) == status::ok);
    }
    [[nodiscard]] result<std::size_t> compress(unsigned number, const byte_string& page) {
        asked.clear();
        return codec.compress(page, out, scratch.span(), page_with_codec(number));
    }
};

const byte_string& noise() {
    static const byte_string page = sample_pages(page_size).back();
    return page;
}

TEST_CASE("routed: the pool's codec is asked, and no other") {
    three t;
    CHECK(t.compress(0, noise()).value() == 101);
    CHECK(t.asked == "a");
    CHECK(t.compress(1, noise()).value() == 201);
    CHECK(t.asked == "b");
    CHECK(t.out[200] == std::byte{1});
    CHECK(t.compress(2, noise()).value() == 301);
    CHECK(t.asked == "c");
    for (const unsigned none : {3u, 4u, 255u}) {
        CHECK(t.compress(none, noise()).error() == status::invalid);
        CHECK(t.compress(none, byte_string(page_size)).error() == status::invalid);
        CHECK(t.asked.empty());
    }
    CHECK(t.codec.compress(noise(), t.out, t.scratch.span()).value() == 101);
    CHECK(t.compress(2, byte_string(page_size)).value() == min_stream_size);
    CHECK(t.asked.empty());
}

TEST_CASE("routed: what the pool's codec can't shrink, no other is tried on, and failures are told as they are") {
    three t{std::size_t{100}, status::incompressible, status::no_memory};
    CHECK(t.compress(1, noise()).error() == status::incompressible);
    CHECK(t.asked == "b");
    CHECK(t.compress(2, noise()).error() == status::no_memory);
    CHECK(t.asked == "c");
    three long_one{page_size - 1, page_size - 2, std::size_t{8}};
    CHECK(long_one.compress(0, noise()).error() == status::incompressible); // with its mark it is a page
    CHECK(long_one.compress(1, noise()).value() == page_size - 1);
    CHECK(long_one.compress(2, noise()).value() == 9); // no page of one word, by its length
}

TEST_CASE("routed: a chain of the same codecs reads its streams, and it reads the chain's") {
    const routed<lz_block, page_codec> by_pool;
    const chain<lz_block, page_codec> in_order;
    REQUIRE(by_pool.scratch_size(page_size) == in_order.scratch_size(page_size));
    const scratch_memory scratch{by_pool.scratch_size(page_size)};
    REQUIRE(by_pool.prepare(scratch.span()) == status::ok);
    byte_string out(by_pool.bound(page_size)), back(page_size);
    unsigned both = 0;
    for (const byte_string& page : sample_pages(page_size)) {
        for (const unsigned number : {0u, 1u}) {
            const auto size = by_pool.compress(page, out, scratch.span(), page_with_codec(number));
            if (size) {
                CHECK(in_order.decompress(byte_view{out}.first(*size), back, scratch.span()) == status::ok);
                CHECK(back == page);
                ++both;
            }
        }
        if (const auto size = in_order.compress(page, out, scratch.span())) {
            CHECK(by_pool.decompress(byte_view{out}.first(*size), back, scratch.span()) == status::ok);
            CHECK(back == page);
        }
    }
    CHECK(both > 20);
}

TEST_CASE("routed: a codec that is added at the end leaves old streams readable") {
    const routed<lz_block, page_codec> before;
    const routed<lz_block, page_codec, lz_block> after;
    const scratch_memory old_scratch{before.scratch_size(page_size)}, scratch{after.scratch_size(page_size)};
    REQUIRE(before.prepare(old_scratch.span()) == status::ok);
    REQUIRE(after.prepare(scratch.span()) == status::ok);
    byte_string out(before.bound(page_size)), back(page_size);
    const byte_string page = sample_pages(page_size)[16];
    for (const unsigned number : {0u, 1u}) {
        const auto size = before.compress(page, out, old_scratch.span(), page_with_codec(number));
        REQUIRE(size);
        CHECK(after.decompress(byte_view{out}.first(*size), back, scratch.span()) == status::ok);
        CHECK(back == page);
    }
}

} // namespace
} // namespace pagefold::testing::unit_compress_routed
