// SPDX-License-Identifier: MIT
#include <conformance/pool_compressor.hpp>

#include <pagefold/compress/chain.hpp>
#include <pagefold/compress/lz_block.hpp>
#include <pagefold/compress/page.hpp>
#include <pagefold/compress/page_or_lz.hpp>
#include <pagefold/compress/routed.hpp>
#include <pagefold/compress/zstd.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::conformance_pool_compressor {
namespace {

template <pool_compressor Codec>
void check_conformance(const Codec& codec, bool differ) {
    for (const std::size_t page_size : {std::size_t{4096}, std::size_t{16384}}) {
        CAPTURE(page_size);
        CHECK(describe(pool_violations(codec, page_size, differ)) == "");
        CHECK(describe(violations(codec, page_size)) == "");
    }
}

TEST_CASE("routed keeps the contract of a pool_compressor") {
    check_conformance(routed<lz_block>{}, false);
    check_conformance(routed<lz_block, page_codec>{}, true);
    check_conformance(routed<page_or_lz, zstd, zstd>{page_or_lz{}, zstd{1}, zstd{9}}, true);
    check_conformance(routed<lz_block, chain<page_codec, zstd>>{}, true);
}

} // namespace
} // namespace pagefold::testing::conformance_pool_compressor
