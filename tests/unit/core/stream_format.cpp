// SPDX-License-Identifier: MIT
#include <pagefold/core/stream_format.hpp>

#include <pagefold/compress/chain.hpp>
#include <pagefold/compress/lz4.hpp>
#include <pagefold/compress/lz_block.hpp>
#include <pagefold/compress/page.hpp>
#include <pagefold/compress/page_delta.hpp>
#include <pagefold/compress/page_or_lz.hpp>
#include <pagefold/compress/routed.hpp>
#include <pagefold/compress/zstd.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace unit_core_stream_format {

namespace {
using namespace pagefold;
struct nameless {};
struct of_host : lz_block {
    [[nodiscard]] std::uint64_t stream_format() const noexcept { return 1000; }
};
struct silent : lz_block {
    [[nodiscard]] std::uint64_t stream_format() const noexcept { return 0; }
};
} // namespace

TEST_CASE("stream_format: the same for who reads the same streams, another for others, kept for ever") {
    CHECK(stream_format_of(nameless{}) == 0);
    CHECK(stream_format_of(of_host{}) == 1000);
    CHECK(stream_format_of(lz_block{}) == 2);
    CHECK(stream_format_of(lz4{}) == 2);
    CHECK(stream_format_of(page_codec{}) == 5);
    CHECK(stream_format_of(page_or_lz{}) == 6);
    CHECK(stream_format_of(page_delta{}) == 7);
    CHECK(stream_format_of(zstd{1}) == stream_format_of(zstd{9}));
    CHECK(stream_format_of(chain<lz_block, page_codec>{}) == stream_format_of(routed<lz4, page_codec>{}));
    CHECK(stream_format_of(chain<lz_block, page_codec>{}) != stream_format_of(chain<page_codec, lz_block>{}));
    CHECK(stream_format_of(chain<lz_block>{}) != stream_format_of(chain<lz_block, lz_block>{}));
    CHECK(stream_format_of(chain<lz_block>{}) != stream_format_of(lz_block{}));
    CHECK(stream_format_of(chain<lz_block, silent>{}) == 0);
    CHECK(stream_format_of(chain<page_or_lz>{}) == 0x67491ea7513b9c60);
}

TEST_CASE("stream_format: of zstd, with its dictionary") {
    std::vector<std::byte> one(3000, std::byte{1}), other(3000, std::byte{2});
    struct alignas(64) block {
        std::byte bytes[64];
    };
    const std::size_t size = zstd_dictionary::memory_size(3000, 1, 4096);
    std::vector<block> memory(size / 64 + 1), more(size / 64 + 1), third(size / 64 + 1);
    zstd_dictionary a, b, c;
    REQUIRE(a.load(one, 1, 4096, {memory.front().bytes, size}) == status::ok);
    REQUIRE(b.load(other, 1, 4096, {more.front().bytes, size}) == status::ok);
    REQUIRE(c.load(one, 1, 4096, {third.front().bytes, size}) == status::ok);
    CHECK(stream_format_of(zstd{a}) == stream_format_of(zstd{c}));
    CHECK(stream_format_of(zstd{a}) != stream_format_of(zstd{b}));
    CHECK(stream_format_of(zstd{a}) != stream_format_of(zstd{1}));
}

} // namespace unit_core_stream_format
