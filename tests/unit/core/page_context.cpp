// SPDX-License-Identifier: MIT
#include <pagefold/core/page_context.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::unit_core_page_context {
namespace {

TEST_CASE("page_context: without a word it is the page of no pool, by the first codec") {
    const page_context none;
    CHECK(none.pool == pool_id{});
    CHECK(none.kind == pool_kind::persistent);
    CHECK(none.codec == 0);
}

} // namespace
} // namespace pagefold::testing::unit_core_page_context
