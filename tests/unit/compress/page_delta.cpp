// SPDX-License-Identifier: MIT
#include <pagefold/compress/page_delta.hpp>

#include <support/codec_paths.hpp>
#include <support/delta_pages.hpp>
#include <support/page_paths.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

namespace pagefold::testing::unit_compress_page_delta {
namespace {

using bytes = std::vector<std::byte>;
constexpr std::size_t page_size = page_delta::page_size;

template <page_level Level>
void check_paths(std::uint64_t seed, unsigned pairs) {
    delta_on_path<Level> truth{page_path::scalar};
    for (const page_path path : paths_here()) {
        CAPTURE(std::string{to_string(path)});
        delta_on_path<Level> other{path};
        rng random{seed};
        for (std::uint64_t i = seed; i != seed + pairs; ++i) {
            CAPTURE(i);
            const bytes pair = delta_pair(i);
            const auto stream = truth.compress(pair);
            REQUIRE(other.is_near(pair) == truth.is_near(pair));
            REQUIRE(other.compress(pair) == stream);
            if (!stream) {
                continue;
            }
            REQUIRE(stream->size() < page_size);
            REQUIRE(other.decompress(*stream, pair) == pair);
            for (unsigned k = 0; k != 4; ++k) {
                bytes bad = *stream;
                damage(bad, random);
                REQUIRE(other.decompress(bad, pair) == truth.decompress(bad, pair));
            }
        }
    }
}

TEST_CASE("page_delta: every path gives the same streams and answers") {
    check_paths<page_level::balanced>(0, 600);
    check_paths<page_level::fast>(10000, 120);
    check_paths<page_level::high>(20000, 120);
}

TEST_CASE("page_delta: what has not changed costs nothing but the frame") {
    delta_on_path<page_level::balanced> codec{default_page_path()};
    for (std::uint64_t kind = 0; kind != codec_page_kinds; ++kind) {
        bytes pair = codec_page(page_size, kind);
        pair.insert(pair.end(), pair.begin(), pair.end());
        CHECK(codec.is_near(pair));
        auto stream = codec.compress(pair);
        REQUIRE(stream);
        CHECK(stream->size() <= page_coding::min_unit_stream + 5); // one lag, and where it begins
        pair[page_size + 1000] ^= std::byte{1};
        stream = codec.compress(pair);
        REQUIRE(stream);
        CHECK(stream->size() <= page_coding::min_unit_stream + 10);
    }
}

TEST_CASE("page_delta: what has moved within the page is found in the base") {
    delta_on_path<page_level::balanced> codec{default_page_path()};
    const bytes base = codec_page(page_size, 4); // noise
    bytes pair = base;
    pair.insert(pair.end(), base.begin() + 1024, base.end()); // a kilobyte further
    pair.insert(pair.end(), base.begin(), base.begin() + 1024);
    CHECK_FALSE(codec.is_near(pair));
    const auto stream = codec.compress(pair);
    REQUIRE(stream);
    CHECK(stream->size() < 400);
    CHECK(codec.decompress(*stream, base) == pair);
}

TEST_CASE("page_delta: near is eight lines of 64 that keep all but ten bytes") {
    for (const page_path path : paths_here()) {
        CAPTURE(std::string{to_string(path)});
        const page_delta codec = page_delta::with_path(path);
        bytes pair(page_delta::pair_size);
        for (std::size_t i = page_size; i != page_delta::pair_size; ++i) {
            pair[i] = std::byte{1}; // no line is kept
        }
        CHECK_FALSE(codec.is_near(pair));
        for (unsigned line = 0; line != 8; ++line) {
            CHECK_FALSE(codec.is_near(pair));
            std::memset(&pair[page_size + 64 * 7 * line], 0, 54); // and ten differ
        }
        CHECK(codec.is_near(pair));
        pair[page_size] = std::byte{1}; // eleven
        CHECK_FALSE(codec.is_near(pair));
    }
}

TEST_CASE("page_delta: noise behind a base of noise is given up") {
    delta_on_path<page_level::balanced> codec{default_page_path()};
    bytes pair = codec_page(page_size, 4);
    const bytes other = codec_page(page_size, 16);
    pair.insert(pair.end(), other.begin(), other.end());
    CHECK_FALSE(codec.compress(pair));
}

TEST_CASE("page_delta: another base gives another page or none") {
    delta_on_path<page_level::balanced> codec{default_page_path()};
    const bytes pair = delta_pair(0);
    const auto stream = codec.compress(pair);
    REQUIRE(stream);
    CHECK(codec.decompress(*stream, codec_page(page_size, 4)) != pair);
}

TEST_CASE("page_delta: sizes are checked") {
    const page_delta codec;
    bytes pair(page_delta::pair_size), out(page_delta::bound());
    alignas(scratch_alignment) static std::byte scratch[page_delta::scratch_size()];
    const byte_span room{scratch, sizeof scratch};
    CHECK(codec.compress(pair, out, room));
    CHECK(codec.compress(byte_view{pair}.first(page_size), out, room).error() == status::invalid);
    CHECK(codec.compress(pair, byte_span{out}.first(out.size() - 1), room).error() == status::invalid);
    CHECK(codec.compress(pair, out, room.first(sizeof scratch - 1)).error() == status::invalid);
    CHECK(codec.decompress({}, pair, room) == status::corrupt);
    CHECK(codec.decompress({}, byte_span{pair}.first(page_size), room) == status::invalid);
    CHECK(codec.decompress({}, pair, room.first(sizeof scratch - 1)) == status::invalid);
}

} // namespace
} // namespace pagefold::testing::unit_compress_page_delta
