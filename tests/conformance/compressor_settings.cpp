// SPDX-License-Identifier: MIT

// Every codec at every setting with pages of many sizes: where compressor.cpp asks for the whole contract at usual settings,
// this asks for an answer and a round trip at all of them.

#include <conformance/compressor.hpp>

#include <pagefold/compress/chain.hpp>
#include <pagefold/compress/lz4.hpp>
#include <pagefold/compress/lz_block.hpp>
#include <pagefold/compress/page.hpp>
#include <pagefold/compress/page_or_lz.hpp>
#include <pagefold/compress/same_filled.hpp>
#include <pagefold/compress/zstd.hpp>
#if PAGEFOLD_TEST_LZO
#include <pagefold/compress/lzo.hpp>
#endif

#include <doctest/doctest.h>
#include <zdict.h>

#include <iterator>

namespace pagefold::testing::conformance_compressor_settings {
namespace {

constexpr std::size_t whole_sizes[] = {4096, 16384, 65536};
// Small ones, and ones beside a power of two or between two of them.
constexpr std::size_t odd_sizes[] = {9, 13, 16, 63, 64, 512, 1000, 4095, 12288, 16385, 40000, 65535};

/// Bytes that shrink at every level, at little cost: words of a text, with a count between them.
byte_string cheap_page(std::size_t size, unsigned seed) {
    byte_string page(size);
    for (std::size_t i = 0; i < size; ++i) {
        page[i] = static_cast<std::byte>(i % 61 < 8 ? i / 61 * seed >> i % 61 : (i % 61 * 37 + seed) % 97);
    }
    return page;
}

/// What goes wrong with pages of `size`; empty for nothing. `shrinks`: the codec has to shrink the cheap page.
template <compressor Codec>
std::string trouble(const Codec& codec, std::size_t size, byte_span scratch, bool shrinks) {
    byte_string out(codec.bound(size));
    for (const unsigned seed : {0u, 5u}) {
        const byte_string page = seed == 0 ? byte_string(size, std::byte{'p'}) : cheap_page(size, seed);
        const result<std::size_t> length = codec.compress(page, out, scratch);
        if (!length) {
            if (length.error() != status::incompressible || (shrinks && seed != 0)) {
                return std::string{"compress answers "} + to_string(length.error());
            }
            continue;
        }
        if (*length < min_stream_size || *length >= size) {
            return "a stream of " + std::to_string(*length) + " bytes";
        }
        byte_string back(size);
        const status answer = codec.decompress(byte_view{out}.first(*length), back, scratch);
        if (answer != status::ok || !same(byte_view{back}, byte_view{page})) {
            return std::string{"decompress answers "} + to_string(answer);
        }
    }
    return {};
}

/// With a scratch for each size, and with that of the largest for all. Sizes that are no multiple of `unit` are invalid.
template <compressor Codec>
void check_sizes(const Codec& codec, std::size_t unit = 1) {
    const scratch_memory largest{codec.scratch_size(65536)};
    REQUIRE(codec.prepare(largest.span()) == status::ok);
    const auto check = [&](std::size_t size) {
        CAPTURE(size);
        const scratch_memory own{codec.scratch_size(size)};
        REQUIRE(codec.prepare(own.span()) == status::ok);
        CHECK(trouble(codec, size, own.span(), false) == "");
        CHECK(trouble(codec, size, largest.span(), false) == "");
    };
    for (const std::size_t size : whole_sizes) {
        check(size);
    }
    for (const std::size_t size : odd_sizes) {
        if (size % unit == 0) {
            check(size);
        } else {
            const scratch_memory own{codec.scratch_size(size)};
            byte_string page(size);
            byte_string out(codec.bound(size));
            CHECK(codec.compress(page, out, own.span()).error() == status::invalid);
            CHECK(codec.decompress(byte_view{out}.first(8), page, own.span()) == status::invalid);
        }
    }
}

template <int... Setting, class Check>
void for_settings(std::integer_sequence<int, Setting...>, Check check) {
    (check(std::integral_constant<int, Setting>{}), ...);
}
constexpr std::integer_sequence<int, 1, 2, 3, 8, 64, 1000, 65536> accelerations;

TEST_CASE("all settings: lz4 answers at every acceleration and page size") {
    for_settings(accelerations, [](auto setting) {
        CAPTURE(setting());
        check_sizes(basic_lz4<setting()>{});
    });
}

TEST_CASE("all settings: lz_block answers at every acceleration and page size") {
    for_settings(accelerations, [](auto setting) {
        CAPTURE(setting());
        check_sizes(basic_lz_block<setting()>{});
    });
}

#if PAGEFOLD_TEST_LZO
TEST_CASE("all settings: lzo answers at every page size") { check_sizes(lzo{}); }
#endif

TEST_CASE("all settings: same_filled answers at every page size") { check_sizes(same_filled{}); }

TEST_CASE("all settings: the page codec answers at every level, path and page size") {
    for (const page_path path :
         {page_path::scalar, page_path::sse42, page_path::avx2, page_path::avx512, page_path::neon}) {
        if (available_page_paths().contains(path)) {
            CAPTURE(std::string{to_string(path)});
            check_sizes(basic_page_codec<page_level::fast>::with_path(path), 4096);
            check_sizes(basic_page_codec<page_level::balanced>::with_path(path), 4096);
            check_sizes(basic_page_codec<page_level::high>::with_path(path), 4096);
            check_sizes(page_or_lz::with_path(path));
        }
    }
}

TEST_CASE("all settings: zstd answers at every level and page size") {
    for (int level = -5; level <= 19; ++level) {
        CAPTURE(level);
        check_sizes(zstd{level});
    }
}

TEST_CASE("all settings: chains answer at every page size") {
    check_sizes(chain<lz4>{});
    check_sizes(chain<basic_lz4<8>, lz_block>{});
    check_sizes(chain<lz4, zstd, zstd>{lz4{}, zstd{-5}, zstd{19}});
}

/// One for all: to clear a new one for each setting takes longer than the rest.
const scratch_memory& roomy_scratch() {
    static const scratch_memory scratch{std::size_t{40} << 20};
    return scratch;
}

/// Loads `dictionary` and checks pages of `sizes` with it; false if it can't be loaded.
template <class Sizes>
bool check_dictionary(byte_view dictionary, int level, std::size_t loaded_for, const Sizes& sizes, bool in_largest) {
    CAPTURE(level);
    CAPTURE(dictionary.size());
    CAPTURE(loaded_for);
    const scratch_memory memory{zstd_dictionary::memory_size(dictionary.size(), level, loaded_for)};
    zstd_dictionary loaded;
    if (const status s = loaded.load(dictionary, level, loaded_for, memory.span()); s != status::ok) {
        CHECK(s == status::invalid);
        CHECK(zstd{loaded}.scratch_size(4096) == 0);
        CHECK(zstd{loaded}.prepare(memory.span()) == status::invalid);
        return false;
    }
    const zstd codec{loaded};
    const scratch_memory& room = roomy_scratch();
    const auto check = [&](std::size_t size, std::size_t scratch_size) {
        REQUIRE(scratch_size <= room.span().size());
        const byte_span scratch = room.span().first(scratch_size);
        REQUIRE(codec.prepare(scratch) == status::ok);
        CHECK(trouble(codec, size, scratch, size >= 1000) == "");
    };
    for (const std::size_t size : sizes) {
        CAPTURE(size);
        check(size, codec.scratch_size(size));
        if (in_largest) {
            check(size, codec.scratch_size(65536));
        }
    }
    return true;
}

TEST_CASE("all settings: zstd with a dictionary for any page size answers for pages of any other") {
    constexpr std::size_t sizes[] = {1000, 4096, 16384, 16385, 32768, 65536};
    for (int level = -5; level <= 19; ++level) {
        for (const std::size_t length : {std::size_t{1}, std::size_t{4096}, std::size_t{32768}}) {
            const byte_string dictionary = cheap_page(length, 3);
            for (const std::size_t loaded_for : {0u, 4096u, 16384u, 16385u, 65536u}) {
                CHECK(check_dictionary(dictionary, level, loaded_for, sizes, false));
            }
        }
    }
}

TEST_CASE("all settings: zstd with a dictionary far longer than a page answers") {
    constexpr std::size_t sizes[] = {4096, 16384, 65536};
    for (const std::size_t length : {std::size_t{112640}, (std::size_t{1} << 20) + 1}) {
        const byte_string dictionary = cheap_page(length, 7);
        for (const int level : {-5, 3, 13}) {
            for (const std::size_t loaded_for : {std::size_t{4096}, std::size_t{1} << 20, ~std::size_t{0}}) {
                CHECK(check_dictionary(dictionary, level, loaded_for, sizes, true));
            }
        }
    }
}

TEST_CASE("all settings: an empty dictionary is invalid at every level and page size") {
    constexpr std::size_t sizes[] = {4096};
    for (int level = -5; level <= 19; ++level) {
        for (const std::size_t loaded_for : whole_sizes) {
            CHECK_FALSE(check_dictionary({}, level, loaded_for, sizes, false));
        }
    }
}

byte_string trained_dictionary() {
    byte_string samples;
    std::vector<std::size_t> lengths;
    for (unsigned seed = 1; seed <= 64; ++seed) {
        for (const byte_string& page : {cheap_page(512, seed), sample_pages(512)[15]}) {
            samples.insert(samples.end(), page.begin(), page.end());
            lengths.push_back(page.size());
        }
    }
    byte_string dictionary(4096);
    const std::size_t length = ZDICT_trainFromBuffer(dictionary.data(), dictionary.size(), samples.data(),
                                                     lengths.data(), static_cast<unsigned>(lengths.size()));
    REQUIRE_FALSE(ZDICT_isError(length));
    dictionary.resize(length);
    return dictionary;
}

TEST_CASE("all settings: zstd with a trained dictionary answers at every level and page size") {
    constexpr std::size_t sizes[] = {512, 4096, 16384, 65536};
    const byte_string dictionary = trained_dictionary();
    for (int level = -5; level <= 19; ++level) {
        for (const std::size_t loaded_for : whole_sizes) {
            CHECK(check_dictionary(dictionary, level, loaded_for, sizes, true));
        }
    }
}

TEST_CASE("all settings: a damaged dictionary is invalid, or works") {
    constexpr std::size_t sizes[] = {512, 4096};
    const byte_string dictionary = trained_dictionary();
    rng random{11};
    int loaded = 0;
    int refused = 0;
    for (int round = 0; round < 600; ++round) {
        byte_string damaged = dictionary;
        // Its head, with the tables, is what can be wrong.
        for (std::uint64_t count = 1 + random.below(3); count > 0; --count) {
            damaged[4 + random.below(200)] = static_cast<std::byte>(random.below(256));
        }
        if (random.one_in(4)) {
            damaged.resize(8 + random.below(300));
        }
        constexpr int levels[] = {-5, 3, 9, 13, 19};
        const bool is_loaded =
            check_dictionary(damaged, levels[random.below(std::size(levels))], 4096, sizes, random.one_in(2));
        ++(is_loaded ? loaded : refused);
    }
    CHECK(loaded > 10);
    CHECK(refused > 10);
}

} // namespace
} // namespace pagefold::testing::conformance_compressor_settings
