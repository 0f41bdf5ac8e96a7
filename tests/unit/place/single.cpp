// SPDX-License-Identifier: MIT
#include <pagefold/place/single.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing {
namespace {

static_assert(partition_policy<single>);

TEST_CASE("single: everything is at home in partition 0") {
    CHECK(single{}.home({pool_id{3}, 5, 700}, node_id{1}, 1) == 0);
    CHECK(single{}.home({pool_id{9}, 1, 2}, any_node, 16) == 0);
    CHECK(single{}.spill(0, 0, 3) == 1);
    CHECK(single{}.spill(0, 1, 3) == 2);
    CHECK(single{}.node(0) == any_node);
}

} // namespace
} // namespace pagefold::testing
