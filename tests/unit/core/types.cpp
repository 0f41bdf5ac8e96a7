// SPDX-License-Identifier: MIT

#include <pagefold/core/types.hpp>

#include <doctest/doctest.h>

#include <type_traits>

namespace unit_core_types {

using namespace pagefold;

static_assert(sizeof(pool_id) == 8 && sizeof(slot_id) == 4 && sizeof(node_id) == 2);
static_assert(std::is_trivially_copyable_v<page_key>);
static_assert((extent_pages & (extent_pages - 1)) == 0);

TEST_CASE("keys are equal where all three parts are") {
    const page_key key{pool_id{1}, 2, 3};
    CHECK(key == page_key{pool_id{1}, 2, 3});
    CHECK(key != page_key{pool_id{2}, 2, 3});
    CHECK(key != page_key{pool_id{1}, 3, 3});
    CHECK(key != page_key{pool_id{1}, 2, 2});
    CHECK(page_key{} == page_key{pool_id{0}, 0, 0});
}

} // namespace unit_core_types
