// SPDX-License-Identifier: MIT
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

namespace pagefold::testing::conformance_compressor {
namespace {

constexpr std::size_t page_sizes[] = {4096, 16384, 65536};

template <compressor Codec>
void check_conformance(const Codec& codec) {
    for (const std::size_t page_size : page_sizes) {
        CAPTURE(page_size);
        CHECK(describe(violations(codec, page_size)) == "");
    }
}

TEST_CASE("same_filled keeps the contract of a compressor") { check_conformance(same_filled{}); }

TEST_CASE("lz4 keeps the contract of a compressor") {
    check_conformance(lz4{});
    check_conformance(basic_lz4<8>{});
}

TEST_CASE("lz_block keeps the contract of a compressor") {
    check_conformance(lz_block{});
    check_conformance(basic_lz_block<8>{});
}

TEST_CASE("the default's codec keeps the contract of a compressor, with vectors or without") {
    check_conformance(page_or_lz{});
    check_conformance(page_or_lz::with_path(page_path::scalar));
    check_conformance(chain<page_or_lz>{});
}

TEST_CASE("zstd keeps the contract of a compressor") {
    for (const int level : {-5, 1, 3, 6, 19}) {
        CAPTURE(level);
        CHECK(describe(violations(zstd{level}, 4096)) == "");
    }
    check_conformance(zstd{});
}

TEST_CASE("zstd with a dictionary keeps the contract of a compressor") {
    const byte_string typical = sample_pages(4096)[15];
    const scratch_memory memory{zstd_dictionary::memory_size(typical.size(), 3, 4096)};
    zstd_dictionary dictionary;
    REQUIRE(dictionary.load(typical, 3, 4096, memory.span()) == status::ok);
    check_conformance(zstd{dictionary});
}

TEST_CASE("page_codec keeps the contract of a compressor") {
    for (const page_path path :
         {page_path::scalar, page_path::sse42, page_path::avx2, page_path::avx512, page_path::neon}) {
        if (available_page_paths().contains(path)) {
            CAPTURE(std::string{to_string(path)});
            check_conformance(page_codec::with_path(path));
        } else {
            MESSAGE("skipped, not on this machine: ", std::string{to_string(path)});
        }
    }
    check_conformance(basic_page_codec<page_level::fast>{});
    check_conformance(basic_page_codec<page_level::high>{});
}

TEST_CASE("a chain with the page codec keeps the contract of a compressor") {
    check_conformance(chain<page_codec>{});
    check_conformance(chain<page_codec, lz4>{});
}

TEST_CASE("a chain of one codec keeps the contract of a compressor") { check_conformance(chain<lz4>{}); }

TEST_CASE("a chain of codecs without state keeps the contract of a compressor") {
    check_conformance(chain<basic_lz4<8>, lz4>{});
}

TEST_CASE("a chain of codecs with state keeps the contract of a compressor") {
    check_conformance(chain<lz4, zstd, zstd>{lz4{}, zstd{1}, zstd{9}});
}

TEST_CASE("a chain within a chain keeps the contract of a compressor") {
    check_conformance(chain<chain<lz4, same_filled>, zstd>{});
}

#if PAGEFOLD_TEST_LZO
TEST_CASE("lzo keeps the contract of a compressor") {
    check_conformance(lzo{});
    check_conformance(chain<lzo, lz4>{});
}
#endif

} // namespace
} // namespace pagefold::testing::conformance_compressor
