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
//   p.node(partition)            | node_id | the node its memory should come from

namespace pagefold::inline PAGEFOLD_ABI {

using partition_id = std::size_t;

// clang-format off
template <class T>
concept partition_policy = requires(const T& p, const page_key& key, std::uint64_t hash, node_id wish, partition_id id, std::size_t n) {
    { p.home(key, hash, wish, n) } noexcept -> std::same_as<partition_id>;
    { p.spill(id, n, n) } noexcept -> std::same_as<partition_id>;
    { p.node(id) } noexcept -> std::same_as<node_id>;
};
// clang-format on

} // namespace pagefold
