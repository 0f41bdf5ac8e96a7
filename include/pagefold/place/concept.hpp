// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

// partition_policy: which partition a page lives in. Stateless or immutable; called with no lock held, from many threads.
//
//   p.home(key, hash, wish, n)   | size_t  | below n; depends on its arguments only. `hash` is the store's secret hash of the
//                                |         | page's pool, object and extent (index / extent_pages): equal for its pages
//   p.spill(home, attempt, count)| size_t  | where to look for memory when home has none: attempts 0 .. count−2 give every
//                                |         | other partition once
//   p.node(partition)            | node_id | the node its memory should come from; strictly, where it must
//
// strict_partition_policy: one that has partitions whose memory is of one node only.
//
//   p.strict_home(key, hash, node, n) | size_t | home for a page of a pool that must be on the node: a partition p with
//                                     |        | node(p) == strictly(node) if there is any, or another: then the store
//                                     |        | refuses such pools

namespace pagefold::inline PAGEFOLD_ABI {

using partition_id = std::size_t;

// clang-format off
template <class T>
concept partition_policy = requires(const T& p, const page_key& key, std::uint64_t hash, node_id wish, partition_id id, std::size_t n) {
    { p.home(key, hash, wish, n) } noexcept -> std::same_as<partition_id>;
    { p.spill(id, n, n) } noexcept -> std::same_as<partition_id>;
    { p.node(id) } noexcept -> std::same_as<node_id>;
};

template <class T>
concept strict_partition_policy =
    partition_policy<T> && requires(const T& p, const page_key& key, std::uint64_t hash, node_id node, std::size_t n) {
        { p.strict_home(key, hash, node, n) } noexcept -> std::same_as<partition_id>;
    };
// clang-format on

/// The home of a page of a pool with a wish, strict or not.
template <partition_policy Policy>
[[nodiscard]] partition_id home_of(const Policy& policy, const page_key& key, std::uint64_t hash, node_id wish,
                                   std::size_t count) noexcept {
    if constexpr (strict_partition_policy<Policy>) {
        if (is_strict(wish)) [[unlikely]] {
            return policy.strict_home(key, hash, node_of(wish), count);
        }
    }
    return policy.home(key, hash, node_of(wish), count);
}

} // namespace pagefold
