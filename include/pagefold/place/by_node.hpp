// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/place/concept.hpp>
#include <pagefold/place/hashed.hpp>

#include <cstddef>
#include <cstdint>

// Partitions on memory nodes: of c nodes, partition i is on node i % c. Every second row of c partitions keeps to its node
// strictly, the others prefer it:
//
//     partition   0  1  2 | 3  4  5 | 6  7  8 | 9 10 11        three nodes
//     node        a  b  c | a  b  c | a  b  c | a  b  c
//     strict      no      | yes     | no      | yes
//
// because memory of a partition is all of one kind: what a page source gave from elsewhere, since the node had no more, must
// not come to hold a page of somebody who forbids it. So 2·c partitions are the least where pools may be strict. A pool without a
// node is spread over the rows that prefer, extent by extent.
//
// The page source must know nodes (hosted/numa_source.hpp, or a kernel's own): one that can't keep to a node refuses to make
// those partitions, and create_pool says invalid.
//
// When room is made, other partitions are tried in the order of their nodes' distance.

namespace pagefold::inline PAGEFOLD_ABI {

/// A partition_policy, and a strict one, over the nodes of a topology. 4232 bytes. Every call but the constructor's is a few
/// comparisons, no more than the nodes are.
class by_node {
public:
    static constexpr std::size_t max_nodes = 64;

    /// No node: everything is spread over all partitions, and no pool can be strict.
    constexpr by_node() noexcept = default;

    /// The nodes of a topology (hosted/numa_topology.hpp, or what a kernel has of its own): count(), node(i) for i below it,
    /// each another one, and distance(i, j), greater for what is further. No more than max_nodes are taken.
    template <class Topology>
    constexpr explicit by_node(const Topology& topology) noexcept
        : count_{topology.count() < max_nodes ? topology.count() : max_nodes} {
        for (std::size_t i = 0; i < count_; ++i) {
            nodes_[i] = topology.node(i);
            // By insertion, the nearer first and of those as near the lower number; itself in front of all.
            for (std::size_t j = 0; j < count_; ++j) {
                std::size_t at = j;
                for (; at > 0 && is_nearer(topology, i, j, order_[i][at - 1]); --at) {
                    order_[i][at] = order_[i][at - 1];
                }
                order_[i][at] = static_cast<std::uint8_t>(j);
            }
        }
    }

    [[nodiscard]] constexpr partition_id home(const page_key&, std::uint64_t hash, node_id wish,
                                              std::size_t partitions) const noexcept {
        if (const std::size_t place = place_of(wish); place < count_ && place < partitions) {
            return in_rows_from(place, hash, partitions);
        }
        if (count_ == 0) {
            return share(hash, partitions);
        }
        const std::size_t rest = partitions % (2 * count_);
        const std::size_t among = share(hash, partitions / (2 * count_) * count_ + (rest < count_ ? rest : count_));
        return among / count_ * 2 * count_ + among % count_;
    }
    /// Where there is no partition that keeps to the node, one that doesn't: node() tells.
    [[nodiscard]] constexpr partition_id strict_home(const page_key& key, std::uint64_t hash, node_id node,
                                                     std::size_t partitions) const noexcept {
        const std::size_t first = place_of(node) + count_;
        return first < 2 * count_ && first < partitions ? in_rows_from(first, hash, partitions)
                                                        : home(key, hash, node, partitions);
    }
    [[nodiscard]] constexpr partition_id spill(partition_id home, std::size_t attempt,
                                               std::size_t partitions) const noexcept {
        PAGEFOLD_CHECK(home < partitions && attempt < partitions - 1);
        if (count_ == 0) {
            return (home + 1 + attempt) % partitions;
        }
        const std::size_t here = home % count_;
        for (std::size_t rank = 0; rank < count_; ++rank) {
            const std::size_t column = order_[here][rank];
            const std::size_t own = rank == 0 ? 1 : 0; // home itself
            const std::size_t rows = column < partitions ? (partitions - column + count_ - 1) / count_ : 0;
            if (attempt + own < rows) {
                // From the row behind home's, around.
                return column + (home / count_ + own + attempt) % rows * count_;
            }
            attempt -= rows - own;
        }
        return home; // not reached
    }
    [[nodiscard]] constexpr node_id node(partition_id partition) const noexcept {
        if (count_ == 0) {
            return any_node;
        }
        const node_id node = nodes_[partition % count_];
        return partition / count_ % 2 == 0 ? node : strictly(node);
    }

private:
    template <class Topology>
    static constexpr bool is_nearer(const Topology& topology, std::size_t from, std::size_t a, std::size_t b) noexcept {
        return b != from && (a == from || topology.distance(from, a) < topology.distance(from, b));
    }
    [[nodiscard]] constexpr std::size_t place_of(node_id node) const noexcept {
        std::size_t i = 0;
        while (i < count_ && nodes_[i] != node) {
            ++i;
        }
        return i;
    }
    /// One of a column's partitions in every second row.
    [[nodiscard]] constexpr partition_id in_rows_from(std::size_t first, std::uint64_t hash,
                                                      std::size_t partitions) const noexcept {
        const std::size_t step = 2 * count_;
        return first + step * share(hash, (partitions - first + step - 1) / step);
    }
    [[nodiscard]] static constexpr std::size_t share(std::uint64_t hash, std::size_t count) noexcept {
        return hashed{}.home({}, hash, any_node, count);
    }

    std::size_t count_ = 0;
    node_id nodes_[max_nodes] = {};
    std::uint8_t order_[max_nodes][max_nodes] = {}; // for each place all places, the nearest first
};

} // namespace pagefold
