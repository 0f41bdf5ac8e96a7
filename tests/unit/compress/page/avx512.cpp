// SPDX-License-Identifier: MIT
#include <pagefold/compress/page/avx512.hpp>

#include <support/path_agreement.hpp>

#include <doctest/doctest.h>

namespace unit_compress_page_avx512 {

TEST_CASE("page codec: AVX-512 agrees with the scalar path") {
    pagefold::testing::check_agreement(pagefold::page_path::avx512);
}

} // namespace unit_compress_page_avx512
