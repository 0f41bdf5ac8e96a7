// SPDX-License-Identifier: MIT
//
// Of whatever machine this is. Machines with several nodes are in tests/numa.

#include <pagefold/hosted/numa_topology.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <initializer_list>

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
    CHECK(t.end() - t.begin() == static_cast<std::ptrdiff_t>(t.count()));
}

TEST_CASE("numa_topology: a node with memory is the nearest to itself, and every node has a nearest one") {
    const numa_topology t;
    for (const node_id node : t) {
        CHECK(t.nearest_with_memory(node) == node);
    }
    for (const node_id other : {node_id{0}, node_id{1023}, node_id{1024}, node_id{0x7fff}, any_node}) {
        CHECK(t.contains(t.nearest_with_memory(other)));
    }
    CHECK(t.nearest_with_memory(any_node) == t.node(0));
    CHECK(t.contains(t.current()));
    CHECK(static_cast<unsigned>(numa_topology::current_processor_node()) < node_mask::max_nodes);
}

TEST_CASE("numa_topology: the process may use the nodes that it counts, and no others") {
    const numa_topology t;
    for (unsigned node = 0; node < node_mask::max_nodes && t.count() < numa_topology::max_nodes; ++node) {
        CHECK(numa_topology::may_use(static_cast<node_id>(node)) == t.contains(static_cast<node_id>(node)));
    }
    for (const node_id none : {node_id{1024}, node_id{0x7fff}, strictly(t.node(0)), any_node}) {
        CHECK_FALSE(numa_topology::may_use(none));
    }
}

TEST_CASE("numa_topology: what was asked again is as it was, where nothing changed") {
    numa_topology t;
    const numa_topology before = t;
    t.refresh();
    REQUIRE(t.count() == before.count());
    for (std::size_t i = 0; i < t.count(); ++i) {
        CHECK(t.node(i) == before.node(i));
        CHECK(t.has_processors(i) == before.has_processors(i));
        for (std::size_t j = 0; j < t.count(); ++j) {
            CHECK(t.distance(i, j) == before.distance(i, j));
        }
    }
}

} // namespace
} // namespace pagefold::testing::unit_hosted_numa_topology
