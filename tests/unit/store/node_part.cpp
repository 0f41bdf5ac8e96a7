// SPDX-License-Identifier: MIT
//
// What a scratch pool makes of it is in scratch_pool.cpp, and what a store does in nodes.cpp.

#include "support/played_locality.hpp"
#include "support/test_source.hpp"

#include <pagefold/store/node_part.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>

namespace pagefold::testing::unit_store_node_part {
namespace {

TEST_CASE("node_part: what its source gives is charged to the node and to the whole, and either can refuse") {
    test_source memory;
    byte_budget whole{10 * 4096};
    node_part part{node_id{3}, memory, whole};
    CHECK(part.node == node_id{3});
    CHECK(part.budget.limit() == ~std::size_t{0});
    const auto first = part.source.acquire(4, part.node);
    REQUIRE(first);
    CHECK(part.budget.used() == 4 * 4096);
    CHECK(whole.used() == 4 * 4096);
    part.budget.set_limit(5 * 4096);
    CHECK(part.source.acquire(2, part.node).error() == status::limit);
    part.budget.set_limit(~std::size_t{0});
    CHECK(part.source.acquire(7, part.node).error() == status::limit); // the whole's
    CHECK(part.budget.used() == 4 * 4096);
    part.source.release(*first, 4);
    CHECK(part.budget.used() + whole.used() == 0);
}

TEST_CASE("node_parts: the processor's is found among several, and nobody asks where there is one, or none") {
    test_source memory;
    byte_budget whole{0};
    node_part parts[3] = {{node_id{4}, memory, whole}, {node_id{0}, memory, whole}, {node_id{9}, memory, whole}};
    played_locality::asked = 0;
    played_locality::node = node_id{9};
    CHECK(node_parts<played_locality>{}.at_processor() == nullptr);
    CHECK(node_parts<played_locality>{parts, 1}.at_processor() == parts);
    CHECK(played_locality::asked == 0);
    CHECK(node_parts<played_locality>{parts, 2}.at_processor() == nullptr);
    for (std::size_t i = 0; i < 3; ++i) {
        played_locality::node = parts[i].node;
        CHECK(node_parts<played_locality>{parts, 3}.at_processor() == parts + i);
    }
    for (const node_id other : {node_id{1}, any_node, strictly(node_id{4})}) {
        played_locality::node = other;
        CHECK(node_parts<played_locality>{parts, 3}.at_processor() == nullptr);
    }
    CHECK(played_locality::asked == 7);
}

} // namespace
} // namespace pagefold::testing::unit_store_node_part
