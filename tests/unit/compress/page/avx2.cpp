// SPDX-License-Identifier: MIT
#include <pagefold/compress/page/avx2.hpp>

#include <support/path_agreement.hpp>

#include <doctest/doctest.h>

TEST_CASE("page codec: AVX2 agrees with the scalar path") {
    pagefold::testing::check_agreement(pagefold::page_path::avx2);
}
