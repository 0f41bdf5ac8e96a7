// SPDX-License-Identifier: MIT
#include <pagefold/compress/page/sse42.hpp>

#include <support/path_agreement.hpp>

#include <doctest/doctest.h>

namespace unit_compress_page_sse42 {

TEST_CASE("page codec: SSE4.2 agrees with the scalar path") {
    pagefold::testing::check_agreement(pagefold::page_path::sse42);
}

} // namespace unit_compress_page_sse42
