// SPDX-License-Identifier: MIT
#include <pagefold/compress/chain.hpp>
#include <pagefold/compress/page.hpp>

#include <support/codec_pages.hpp>
#include <support/codec_paths.hpp>
#include <support/noise_pages.hpp>
#include <support/pages.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>

namespace pagefold::testing::unit_compress_page {
namespace {

static_assert(compressor<page_codec>);
static_assert(compressor<basic_page_codec<page_level::fast>>);
static_assert(compressor<basic_page_codec<page_level::high>>);
static_assert(compressor<chain<page_codec>>);
static_assert(pair_decompressor<page_codec> && pair_decompressor<chain<page_codec>>);
static_assert(sizeof(page_codec) == 1, "settings are the path alone");

using byte_string = std::vector<std::byte>;

constexpr page_path paths[] = {page_path::scalar, page_path::sse42, page_path::avx2, page_path::avx512,
                               page_path::neon};

/// Calls `check` for each path that can run here, and says which can't.
template <class Check>
void for_each_path(Check check) {
    for (const page_path path : paths) {
        if (available_page_paths().contains(path)) {
            CAPTURE(std::string{to_string(path)});
            check(path);
        } else {
            MESSAGE("skipped, not on this machine: ", std::string{to_string(path)});
        }
    }
}

TEST_CASE("page codec: pages come back, and most get shorter") {
    codec_on_path<page_level::balanced> codec{default_page_path()};
    for (const std::size_t size : {std::size_t{4096}, std::size_t{8192}, std::size_t{12288}, std::size_t{65536}}) {
        CAPTURE(size);
        unsigned shorter = 0;
        for (std::uint64_t seed = 0; seed != 5 * codec_page_kinds; ++seed) {
            const byte_string page = codec_page(size, seed);
            if (const auto stream = codec.compress(page)) {
                ++shorter;
                CHECK(stream->size() < size);
                CHECK(stream->size() > min_stream_size);
                CHECK(codec.decompress(*stream, size) == page);
            }
        }
        CHECK(shorter > 4 * codec_page_kinds);
    }
}

TEST_CASE("page codec: a level above compresses more") {
    std::size_t size[3] = {};
    codec_on_path<page_level::fast> fast{default_page_path()};
    codec_on_path<page_level::balanced> balanced{default_page_path()};
    codec_on_path<page_level::high> high{default_page_path()};
    for (std::uint64_t seed = 0; seed != 10 * codec_page_kinds; ++seed) {
        const byte_string page = codec_page(4096, seed);
        const auto length = [](const std::optional<byte_string>& stream) { return stream ? stream->size() : 4096; };
        size[0] += length(fast.compress(page));
        size[1] += length(balanced.compress(page));
        size[2] += length(high.compress(page));
    }
    CHECK(size[1] < size[0]);
    CHECK(size[2] < size[1]);
}

TEST_CASE("page codec: what a page of several units costs and gains") {
    codec_on_path<page_level::balanced> codec{default_page_path()};
    // Noise that repeats after more than a unit: only wide lags see it.
    byte_string page = codec_page(4096, 4);
    byte_string once = page;
    page.insert(page.end(), once.begin(), once.end());
    CHECK_FALSE(codec.compress(once));
    const auto stream = codec.compress(page);
    REQUIRE(stream);
    CHECK(stream->size() < 4096 + 1000);
    CHECK(codec.decompress(*stream, page.size()) == page);
    CHECK_FALSE(codec.decompress(*stream, 4096));
    CHECK_FALSE(codec.decompress(*stream, 12288));

    page = codec_page(8192, 4);
    CHECK_FALSE(codec.compress(page));
}

TEST_CASE("page codec: sizes that are no page's are invalid") {
    const page_codec codec;
    auto scratch = std::make_unique<std::byte[]>(codec.scratch_size(4096) + scratch_alignment);
    const std::size_t shift = scratch_alignment - reinterpret_cast<std::uintptr_t>(scratch.get()) % scratch_alignment;
    const byte_span room{scratch.get() + shift, codec.scratch_size(4096)};
    CHECK(codec.prepare(room) == status::ok);
    CHECK(codec.prepare(room.first(room.size() - 1)) == status::invalid);
    byte_string page(65536 + 4096);
    byte_string out(codec.bound(page.size()));
    for (const std::size_t size : std::initializer_list<std::size_t>{0, 64, 4095, 4097, 6144, 65536 + 4096}) {
        CAPTURE(size);
        CHECK(codec.compress(byte_view{page}.first(size), out, room).error() == status::invalid);
        CHECK(codec.decompress(byte_view{page}.first(100), byte_span{out}.first(size), room) == status::invalid);
    }
}

TEST_CASE("page codec: each check of a decoder") {
    // A page of zeros but for a byte in its third block: one mask, one literal, and no lag.
    byte_string page(4096);
    page[40] = std::byte{7};
    codec_on_path<page_level::balanced> truth{page_path::scalar};
    const auto stream = truth.compress(page);
    REQUIRE(stream);
    // literal | mask | choices: 32 bytes 0xff and a bitmap | marks: a byte and a bitmap | flags
    REQUIRE(stream->size() == 1 + 1 + 32 + 8 + 1 + 8 + 1);
    for_each_path([&](page_path path) {
        codec_on_path<page_level::balanced> codec{path};
        const auto is_refused = [&](std::size_t at, unsigned char value) {
            byte_string bad = *stream;
            bad[at] = static_cast<std::byte>(value);
            return !codec.decompress(bad, 4096);
        };
        CHECK(codec.decompress(*stream, 4096) == page);
        const std::size_t end = stream->size();
        CHECK(is_refused(end - 1, 0x40 | static_cast<unsigned char>((*stream)[end - 1]))); // another version
        CHECK(is_refused(end - 1, 0x80 | static_cast<unsigned char>((*stream)[end - 1])));
        CHECK(is_refused(1, 0x03)); // a mask with a literal too many
        CHECK(is_refused(1, 0x00)); // and one too few
        CHECK(is_refused(2, 0xfe)); // the first block is predicted by what lies 64 bytes before the page
        CHECK_FALSE(codec.decompress({}, 4096));
        for (std::size_t length = 0; length != end; ++length) {
            CHECK_FALSE(codec.decompress(
                byte_string(stream->begin(), stream->begin() + static_cast<std::ptrdiff_t>(length)), 4096));
        }
        byte_string longer = *stream;
        longer.insert(longer.begin(), std::byte{0});
        CHECK_FALSE(codec.decompress(longer, 4096));
    });
}

TEST_CASE("page codec: noise is given up, and zeros behind it are not") {
    codec_on_path<page_level::balanced> codec{default_page_path()};
    CHECK_FALSE(codec.compress(codec_page(4096, 4)));
    byte_string page = codec_page(4096, 4);
    std::fill(page.begin() + 3500, page.end(), std::byte{0});
    const auto stream = codec.compress(page);
    REQUIRE(stream);
    CHECK(stream->size() < 3700);
}

/// What a page is expected to take of which `rest` bytes are addresses of one heap: alone they come to 0.28 of their size.
/// 300 bytes more tell them from the noise, and allow for luck.
std::size_t expected_size(std::size_t rest) { return 4096 - rest + rest * 3 / 10 + 300; }

TEST_CASE("page codec: noise before, behind and around does not hide what can be packed") {
    for_each_path([](page_path path) {
        codec_on_path<page_level::balanced> codec{path};
        for (std::size_t noise = 0; noise <= 3072; noise += 512) {
            const std::size_t rest = 4096 - noise;
            for (const std::size_t begin : {noise, std::size_t{0}, noise / 2 / 8 * 8}) { // before, behind, around
                CAPTURE(noise);
                CAPTURE(begin);
                for (std::uint64_t seed = 0; seed != 200; ++seed) {
                    const byte_string page = noise_around(begin, begin + rest, seed);
                    const auto stream = codec.compress(page);
                    REQUIRE(stream.has_value());
                    REQUIRE(stream->size() <= expected_size(rest));
                    if (seed == 0) {
                        CHECK(codec.decompress(*stream, 4096) == page);
                    }
                }
            }
        }
    });
}

TEST_CASE(
    "page codec: what has few values or a period is found behind noise, at every level and in pages of any size") {
    rng random{3};
    const auto check = [](auto&& codec, const byte_string& page, std::size_t most) {
        const auto stream = codec.compress(page);
        REQUIRE(stream.has_value());
        CHECK(stream->size() <= most);
        CHECK(codec.decompress(*stream, page.size()) == page);
    };
    for (unsigned round = 0; round != 400; ++round) {
        byte_string page = noise_around(0, 0, round);
        const std::size_t period = 8 * (1 + round % 10);
        const std::size_t length = 800;
        const std::size_t begin = 512 + random.below(4096 - 512 - length);
        CAPTURE(period);
        CAPTURE(begin);
        for (std::size_t at = begin + period; at != begin + length; ++at) {
            page[at] = page[at - period];
        }
        check(codec_on_path<page_level::fast>{default_page_path()}, page, 4090);
        check(codec_on_path<page_level::balanced>{default_page_path()}, page, 4096 - 400);
        check(codec_on_path<page_level::high>{default_page_path()}, page, 4096 - 400);
        byte_string wide = page;
        wide.insert(wide.begin(), page.begin(), page.end());
        for (std::size_t at = 0; at != 4096; ++at) { // the unit in front is noise
            wide[at] ^= static_cast<std::byte>(random());
        }
        check(codec_on_path<page_level::balanced>{default_page_path()}, wide, 8192 - 400);
    }
}

TEST_CASE("page codec: noise is still given up, without a search of the rest") {
    for (std::uint64_t seed = 0; seed != 2000; ++seed) {
        const byte_string page = noise_around(0, 0, seed);
        CHECK(page_coding::scalar::rest_is_noise(reinterpret_cast<const std::uint8_t*>(&page[512])));
    }
    for_each_path([](page_path path) {
        codec_on_path<page_level::balanced> codec{path};
        for (std::uint64_t seed = 0; seed != 100; ++seed) {
            CHECK_FALSE(codec.compress(noise_around(0, 0, seed)));
        }
    });
}

TEST_CASE("page codec: a pair is read as two pages are, whichever of them is damaged") {
    for_each_path([](page_path path) {
        codec_on_path<page_level::balanced> codec{path};
        rng random{7};
        for (const std::size_t size : {std::size_t{4096}, std::size_t{8192}}) {
            byte_string last_page, last_stream;
            unsigned damaged = 0;
            for (std::uint64_t seed = 0; seed != 10 * codec_page_kinds; ++seed) {
                const byte_string page = codec_page(size, seed);
                const auto stream = codec.compress(page);
                if (!stream) {
                    continue;
                }
                if (!last_stream.empty()) {
                    CHECK(codec.decompress_pair(*stream, last_stream, size) ==
                          std::pair{std::optional{page}, std::optional{last_page}});
                    CHECK(codec.decompress_pair(last_stream, *stream, size) ==
                          std::pair{std::optional{last_page}, std::optional{page}});
                    byte_string bad = *stream;
                    damage(bad, random);
                    const auto read = codec.decompress(bad, size);
                    damaged += read ? 0u : 1u;
                    CHECK(codec.decompress_pair(bad, last_stream, size) == std::pair{read, std::optional{last_page}});
                    CHECK(codec.decompress_pair(last_stream, bad, size) == std::pair{std::optional{last_page}, read});
                    CHECK(codec.decompress_pair(bad, bad, size) == std::pair{read, read});
                }
                last_page = page;
                last_stream = *stream;
            }
            CHECK(damaged > 10);
        }
    });
}

TEST_CASE("page codec: the pages of a pair may be of different sizes, and each size is checked") {
    const page_codec codec;
    auto scratch = std::make_unique<std::byte[]>(codec.scratch_size(4096) + scratch_alignment);
    const std::size_t shift = scratch_alignment - reinterpret_cast<std::uintptr_t>(scratch.get()) % scratch_alignment;
    const byte_span room{scratch.get() + shift, codec.scratch_size(4096)};
    const byte_string small = codec_page(4096, 0), large = codec_page(12288, 3);
    byte_string small_stream(codec.bound(4096)), large_stream(codec.bound(12288));
    small_stream.resize(codec.compress(small, small_stream, room).value_or(0));
    large_stream.resize(codec.compress(large, large_stream, room).value_or(0));
    REQUIRE((!small_stream.empty() && !large_stream.empty()));
    byte_string first(4096), second(12288);
    CHECK(codec.decompress_pair({small_stream, first}, {large_stream, second}, room) ==
          status_pair{status::ok, status::ok});
    CHECK((first == small && second == large));
    byte_string other(4096);
    const status_pair one_invalid =
        codec.decompress_pair({small_stream, byte_span{first}.first(4095)}, {small_stream, other}, room);
    CHECK(one_invalid == status_pair{status::invalid, status::ok});
    CHECK(other == small);
    CHECK(codec.decompress_pair({small_stream, first}, {small_stream, other}, room.first(room.size() - 1)) ==
          status_pair{status::invalid, status::invalid});
}

TEST_CASE("page codec: a path may be named, and the default is the best") {
    CHECK(available_page_paths().contains(page_path::scalar));
    CHECK(page_codec{}.path() == available_page_paths().best());
    for_each_path([](page_path path) { CHECK(page_codec::with_path(path).path() == path); });
}

} // namespace
} // namespace pagefold::testing::unit_compress_page
