// SPDX-License-Identifier: MIT
#include <pagefold/compress/page/avx2.hpp>

#include <support/noise_pages.hpp>
#include <support/path_agreement.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

namespace pagefold::testing::unit_compress_page_avx2 {
namespace {

TEST_CASE("page codec: AVX2 agrees with the scalar path") { check_agreement(page_path::avx2); }

#if PAGEFOLD_HAS_X86_VECTORS
PAGEFOLD_TARGET_AVX2 PAGEFOLD_NOINLINE bool is_noise(const std::vector<std::uint8_t>& unit) {
    return page_coding::avx2::rest_is_noise(unit.data() + 512);
}

TEST_CASE("page codec, AVX2: what is noise, near the limits") {
    if (!available_page_paths().contains(page_path::avx2)) {
        MESSAGE("skipped: this machine has no AVX2");
        return;
    }
    rng random{7};
    unsigned noisy = 0;
    for (unsigned i = 0; i != 2000; ++i) {
        const std::vector<std::uint8_t> unit = testing::nearly_noise(random);
        const bool expected = testing::is_noise_by_the_rule(unit);
        REQUIRE(is_noise(unit) == expected);
        noisy += expected ? 1 : 0;
    }
    CHECK(noisy > 400);
    CHECK(noisy < 1600);
}

#endif

} // namespace
} // namespace pagefold::testing::unit_compress_page_avx2
