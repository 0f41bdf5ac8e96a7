// SPDX-License-Identifier: MIT
#include <pagefold/place/single.hpp>

#include <doctest/doctest.h>

#include <cstdint>

namespace pagefold::testing::unit_place_single {
namespace {

static_assert(partition_policy<single>);

TEST_CASE("single: everything is at home in partition 0") {
    CHECK(single{}.home({pool_id{3}, 5, 700}, 0, node_id{1}, 1) == 0);
    CHECK(single{}.home({pool_id{9}, 1, 2}, ~std::uint64_t{0}, any_node, 16) == 0);
    CHECK(single{}.spill(0, 0, 3) == 1);
    CHECK(single{}.spill(0, 1, 3) == 2);
    CHECK(single{}.node(0) == any_node);
}

} // namespace
} // namespace pagefold::testing::unit_place_single
