// SPDX-License-Identifier: MIT

#include "support/pages.hpp"

#include <pagefold/compress/page_or_lz.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace unit_compress_page_or_lz {

namespace {

using namespace pagefold;
using namespace pagefold::testing;

using byte_string = std::vector<std::byte>;

struct alignas(64) line {
    std::byte b[64];
};

/// A codec with a scratch of its own.
template <class Codec>
struct worker {
    explicit worker(const Codec& c, std::size_t page_size = 4096)
        : codec{c}, size{page_size}, lines(codec.scratch_size(page_size) / 64 + 1), out(codec.bound(page_size)) {
        REQUIRE(codec.prepare(scratch()) == status::ok);
    }
    byte_span scratch() { return {lines.data()->b, codec.scratch_size(size)}; }
    byte_string stream_of(const byte_string& page) {
        const result<std::size_t> n = codec.compress(page, out, scratch());
        return n ? byte_string(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(*n)) : byte_string{};
    }
    bool restores(const byte_string& stream, const byte_string& page) {
        byte_string back(page.size());
        return codec.decompress(stream, back, scratch()) == status::ok && back == page;
    }

    Codec codec;
    std::size_t size;
    std::vector<line> lines;
    byte_string out;
};

page_path vector_path() { return available_page_paths().best(); }

} // namespace

TEST_CASE("a machine without vectors writes LZ4 blocks with a mark, any other the page codec's streams") {
    worker without{page_or_lz::with_path(page_path::scalar)};
    worker lz{lz_block{}};
    worker page{page_codec{}};
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
        const byte_string content = page_of(4096, page_kind::text, seed);
        byte_string marked = lz.stream_of(content);
        REQUIRE_FALSE(marked.empty());
        marked.push_back(std::byte{0x80});
        CHECK(without.stream_of(content) == marked);
        if (vector_path() != page_path::scalar) {
            worker with{page_or_lz::with_path(vector_path())};
            CHECK(with.stream_of(content) == page.stream_of(content));
        }
    }
}

TEST_CASE("each machine reads what the other wrote") {
    for (const std::size_t size : {std::size_t{4096}, std::size_t{16384}, std::size_t{65536}}) {
        CAPTURE(size);
        worker without{page_or_lz::with_path(page_path::scalar), size};
        worker page{page_codec::with_path(page_path::scalar), size};
        unsigned seen = 0;
        for (std::uint64_t seed = 0; seed < 60; ++seed) {
            const byte_string content = page_of(size, kind_of(seed), seed);
            const byte_string by_lz = without.stream_of(content), by_page = page.stream_of(content);
            if (by_lz.empty() || by_page.empty()) {
                continue;
            }
            ++seen;
            CHECK(without.restores(by_lz, content));
            CHECK(without.restores(by_page, content));
            worker other{page_or_lz::with_path(vector_path()), size};
            CHECK(other.restores(by_lz, content));
            CHECK(other.restores(by_page, content));
        }
        CHECK(seen > 20);
    }
}

TEST_CASE("what is no multiple of the page codec's unit goes to lz_block on every machine") {
    worker with{page_or_lz::with_path(vector_path()), 65536}, without{page_or_lz::with_path(page_path::scalar), 65536};
    for (const std::size_t size :
         {std::size_t{500}, std::size_t{1000}, std::size_t{4095}, std::size_t{4097}, std::size_t{65535}}) {
        CAPTURE(size);
        byte_string content = page_of(65536, page_kind::text, size);
        content.resize(size);
        const byte_string stream = with.stream_of(content);
        REQUIRE_FALSE(stream.empty());
        CHECK(stream.back() == std::byte{0x80});
        CHECK(stream == without.stream_of(content));
        CHECK(with.restores(stream, content));
        CHECK(without.restores(stream, content));
    }
}

TEST_CASE("a stream with the wrong mark, or none, is corrupt") {
    worker without{page_or_lz::with_path(page_path::scalar)};
    const byte_string content = page_of(4096, page_kind::text, 3);
    byte_string stream = without.stream_of(content), back(4096);
    stream.back() = std::byte{0x40}; // a flag that no version has
    CHECK(without.codec.decompress(stream, back, without.scratch()) == status::corrupt);
    CHECK(without.codec.decompress(byte_string{}, back, without.scratch()) == status::corrupt);
    CHECK(without.codec.decompress(byte_string{std::byte{0x80}}, back, without.scratch()) == status::corrupt);
    CHECK(without.codec.decompress(byte_string(4096, std::byte{0x80}), back, without.scratch()) == status::corrupt);
    CHECK(without.codec.decompress(stream, byte_span{back}.first(0), without.scratch()) == status::invalid);
    CHECK(without.codec.decompress(byte_string(100), byte_span{back}.first(4095), without.scratch()) ==
          status::corrupt);
    byte_string beyond(65537);
    CHECK(without.codec.decompress(stream, beyond, without.scratch()) == status::invalid);
    CHECK(without.codec.decompress(stream, back, without.scratch().first(100)) == status::invalid);
    CHECK(without.codec.prepare(without.scratch().first(100)) == status::invalid);
    CHECK(without.codec.compress(content, byte_span{without.out}.first(4096), without.scratch()).error() ==
          status::invalid);
}

TEST_CASE("a pair of streams is read whoever wrote each") {
    static_assert(pair_decompressor<page_or_lz>);
    worker without{page_or_lz::with_path(page_path::scalar)};
    worker with{page_or_lz::with_path(vector_path())};
    worker page{page_codec{}};
    const byte_string content = page_of(4096, page_kind::text, 3), other = page_of(4096, page_kind::text, 4);
    const byte_string by_lz = without.stream_of(content), by_page = page.stream_of(other);
    byte_string back(4096), second(4096);
    for (const auto* one : {&without, &with}) {
        const byte_span scratch = const_cast<worker<page_or_lz>*>(one)->scratch();
        const auto read = [&](const byte_string& a, const byte_string& b) {
            back.assign(4096, std::byte{1});
            second.assign(4096, std::byte{1});
            return one->codec.decompress_pair({a, back}, {b, second}, scratch);
        };
        constexpr status_pair both{status::ok, status::ok};
        CHECK(read(by_page, by_page) == both);
        CHECK((back == other && second == other));
        CHECK(read(by_lz, by_page) == both);
        CHECK((back == content && second == other));
        CHECK(read(by_page, by_lz) == both);
        CHECK((back == other && second == content));
        CHECK(read(by_lz, by_lz) == both);
        CHECK((back == content && second == content));
        CHECK(read(byte_string{}, by_page) == status_pair{status::corrupt, status::ok});
        CHECK(second == other);
        CHECK(one->codec.decompress_pair({by_page, back}, {by_page, byte_span{second}.first(100)}, scratch) ==
              status_pair{status::ok, status::corrupt});
        CHECK(one->codec.decompress_pair({by_page, back}, {by_page, second}, scratch.first(100)) ==
              status_pair{status::invalid, status::invalid});
    }
}

} // namespace unit_compress_page_or_lz
