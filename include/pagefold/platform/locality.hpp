// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>

#include <concepts>

// On which memory node a thread works: what a store asks before it takes working memory. A policy of static functions
// without state; a host names its own type as locality_type of its store's configuration.
//
//   expression             | returns   | meaning
//   L::current()           | node_id   | the node of the processor that the caller runs on, which may be another by now;
//                          |           | not strict. any_node where the host can't tell. Cheap: some ten nanoseconds
//
// Safe from every thread and from a signal or interrupt handler; it doesn't call back into the library. The node may be one
// that has no memory, or that the store knows nothing of: it is a hint. A store asks only where its partitions are on
// several nodes.

namespace pagefold::inline PAGEFOLD_ABI {

// clang-format off
template <class L>
concept locality = requires {
    { L::current() } noexcept -> std::same_as<node_id>;
};
// clang-format on

/// Nobody can tell.
struct no_locality {
    [[nodiscard]] static node_id current() noexcept { return any_node; }
};

} // namespace pagefold
