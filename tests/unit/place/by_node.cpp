// SPDX-License-Identifier: MIT
#include <pagefold/place/by_node.hpp>

#include "conformance/partition_policy.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

namespace pagefold::testing::unit_place_by_node {
namespace {

static_assert(strict_partition_policy<by_node>);

/// Nodes 2, 3, 5, ... in a row, or any distances.
struct topology {
    std::vector<node_id> nodes;
    std::vector<std::vector<unsigned>> distances;

    [[nodiscard]] std::size_t count() const noexcept { return nodes.size(); }
    [[nodiscard]] node_id node(std::size_t i) const noexcept { return nodes[i]; }
    [[nodiscard]] unsigned distance(std::size_t from, std::size_t to) const noexcept { return distances[from][to]; }
};
topology row_of(std::size_t count) {
    topology t;
    for (std::size_t i = 0; i < count; ++i) {
        t.nodes.push_back(static_cast<node_id>(3 * i + 2));
        t.distances.emplace_back();
        for (std::size_t j = 0; j < count; ++j) {
            t.distances[i].push_back(10 + 10 * static_cast<unsigned>(i < j ? j - i : i - j));
        }
    }
    return t;
}
constexpr page_key somewhere{pool_id{1}, 2, 3};

/// How often each partition is the home of pages with a wish, of hashes spread evenly.
std::vector<std::size_t> homes(const by_node& place, node_id wish, std::size_t partitions) {
    std::vector<std::size_t> found(partitions);
    for (std::uint64_t i = 0; i < 1000 * partitions; ++i) {
        ++found.at(home_of(place, somewhere, i * (~std::uint64_t{0} / (1000 * partitions)), wish, partitions));
    }
    return found;
}

TEST_CASE("by_node: the contract of a partition policy, with any number of nodes") {
    CHECK(describe(placement_violations(by_node{})) == "");
    for (const std::size_t nodes : {1u, 2u, 3u, 4u, 64u}) {
        CHECK(describe(placement_violations(by_node{row_of(nodes)})) == "");
    }
}

TEST_CASE("by_node: nodes go round, and every second row is strict") {
    const topology three = row_of(3);
    const by_node place{three};
    for (std::size_t p = 0; p < 100; ++p) {
        const node_id node = three.nodes[p % 3];
        CHECK(place.node(p) == (p / 3 % 2 == 1 ? strictly(node) : node));
    }
    CHECK(by_node{}.node(7) == any_node);
}

TEST_CASE("by_node: a wish leads to the node's partitions of its kind, evenly, and no wish to all that prefer") {
    for (const std::size_t nodes : {1u, 2u, 3u, 4u}) {
        const topology t = row_of(nodes);
        const by_node place{t};
        for (std::size_t partitions = 1; partitions <= 6 * nodes + 1; ++partitions) {
            CAPTURE(nodes);
            CAPTURE(partitions);
            for (std::size_t i = 0; i <= nodes; ++i) {
                for (const bool strict : {false, true}) {
                    if (i == nodes && strict) {
                        continue;
                    }
                    const node_id wish = i == nodes ? any_node : strict ? strictly(t.nodes[i]) : t.nodes[i];
                    std::set<partition_id> wanted;
                    for (partition_id p = 0; p < partitions; ++p) {
                        if (i == nodes ? !is_strict(place.node(p)) : place.node(p) == wish) {
                            wanted.insert(p);
                        }
                    }
                    const std::vector<std::size_t> found = homes(place, wish, partitions);
                    bool right = true;
                    for (partition_id p = 0; p < partitions; ++p) {
                        const std::size_t share = wanted.empty() ? 0 : 1000 * partitions / wanted.size();
                        const bool even = found[p] + 2 >= share && found[p] <= share + 2;
                        right = right && (wanted.empty() || (wanted.contains(p) ? even : found[p] == 0));
                    }
                    CHECK(right);
                }
            }
        }
    }
}

TEST_CASE("by_node: without a partition that keeps to a node, a strict wish shows it") {
    const topology t = row_of(4);
    const by_node place{t};
    for (const std::size_t partitions : {1u, 3u, 4u, 5u}) {
        const partition_id home = home_of(place, somewhere, 77, strictly(t.nodes[1]), partitions);
        CHECK(home < partitions);
        CHECK(place.node(home) != strictly(t.nodes[1]));
    }
    CHECK(place.node(home_of(place, somewhere, 77, strictly(t.nodes[1]), 6)) == strictly(t.nodes[1]));
    for (const node_id stranger : {node_id{0}, node_id{3}, node_id{900}}) { // not one of them
        CHECK(place.node(home_of(place, somewhere, 1, strictly(stranger), 8)) != strictly(stranger));
        CHECK(home_of(place, somewhere, 1, stranger, 8) == home_of(place, somewhere, 1, any_node, 8));
    }
}

TEST_CASE("by_node: room is made on the same node first, then on the nearer ones") {
    for (const std::size_t nodes : {1u, 2u, 5u}) {
        const topology t = row_of(nodes);
        const by_node place{t};
        for (const std::size_t partitions : {2u, 7u, 10u, 33u}) {
            for (partition_id home = 0; home < partitions; ++home) {
                unsigned last = 0;
                for (std::size_t attempt = 0; attempt + 1 < partitions; ++attempt) {
                    const partition_id other = place.spill(home, attempt, partitions);
                    const unsigned far = t.distance(home % nodes, other % nodes);
                    CHECK(far >= last);
                    last = far;
                }
            }
        }
    }
}

TEST_CASE("by_node: distances need not be symmetric, nor a node its own nearest, and equal ones go by number") {
    topology t = row_of(3);
    t.distances = {{10, 30, 20}, {20, 90, 20}, {11, 10, 10}};
    const by_node place{t};
    const auto nodes_from = [&](partition_id home) {
        return std::vector<std::size_t>{place.spill(home, 0, 6) % 3, place.spill(home, 1, 6) % 3,
                                        place.spill(home, 3, 6) % 3};
    };
    CHECK(nodes_from(0) == std::vector<std::size_t>{0, 2, 1});
    CHECK(nodes_from(1) == std::vector<std::size_t>{1, 0, 2});
    CHECK(nodes_from(2) == std::vector<std::size_t>{2, 1, 0});
}

TEST_CASE("by_node: of more nodes than it can have, it takes the first") {
    topology t = row_of(by_node::max_nodes + 3);
    const by_node place{t};
    CHECK(place.node(by_node::max_nodes - 1) == t.nodes[by_node::max_nodes - 1]);
    CHECK(place.node(by_node::max_nodes) == strictly(t.nodes[0]));
}

} // namespace
} // namespace pagefold::testing::unit_place_by_node
