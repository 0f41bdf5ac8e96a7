// SPDX-License-Identifier: MIT
//
// Of whatever machine this is. Machines with several nodes are in tests/numa.

#include <pagefold/hosted/numa_topology.hpp>

#include <doctest/doctest.h>

#include <cstddef>

namespace pagefold::testing::unit_hosted_numa_topology {
namespace {

TEST_CASE("numa_topology: at least one node, each once, and distances that make sense") {
    const numa_topology t;
    REQUIRE(t.count() >= 1);
    for (std::size_t i = 0; i < t.count(); ++i) {
        CHECK(t.place_of(t.node(i)) == i);
        CHECK(t.contains(t.node(i)));
        CHECK((i == 0 || t.node(i - 1) < t.node(i)));
        for (std::size_t j = 0; j < t.count(); ++j) {
            CHECK(t.distance(i, j) >= 10);
        }
        CHECK(t.distance(i, i) == 10);
    }
    CHECK_FALSE(t.contains(any_node));
    CHECK_FALSE(t.contains(node_id{1023}));
    CHECK(t.place_of(node_id{1023}) == t.count());
    CHECK(static_cast<unsigned>(numa_topology::current()) < node_mask::max_nodes);
    CHECK(t.end() - t.begin() == static_cast<std::ptrdiff_t>(t.count()));
}

} // namespace
} // namespace pagefold::testing::unit_hosted_numa_topology
