// SPDX-License-Identifier: MIT
// Where the tests run on another processor, tests/cross runs this path.
#include <pagefold/compress/page/neon.hpp>

#include <support/path_agreement.hpp>

#include <doctest/doctest.h>

namespace unit_compress_page_neon {

TEST_CASE("page codec: NEON agrees with the scalar path") {
    pagefold::testing::check_agreement(pagefold::page_path::neon);
}

} // namespace unit_compress_page_neon
