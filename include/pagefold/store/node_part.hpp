// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/atomic.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/platform/locality.hpp>
#include <pagefold/platform/page_source_ref.hpp>
#include <pagefold/store/limited_source.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// What a store has for each memory node that partitions are on: the node's budget, a source under it, and what the scratch
/// pool knows of the node. Made once, and stays.
struct alignas(64) node_part {
    node_part(node_id number, page_source_ref from, byte_budget& whole) noexcept
        : node{number}, budget{~std::size_t{0}, whole}, source{from, budget} {}

    // Every operation reads these where there are several nodes; they seldom change.
    node_id node;
    atomic<std::uint32_t> pause{0}; // calls until the source is asked for scratch again
    atomic<std::size_t> scratch{0}; // bit set: that slot of the scratch pool is on this node

    alignas(64) byte_budget budget; // changes with each span
    limited_source source;
};

/// Those of a store.
template <locality Locality>
struct node_parts {
    node_part* first = nullptr;
    std::size_t count = 0;

    /// That of the caller's processor; null where it is none of these, or nobody can tell. Of one nobody asks.
    [[nodiscard]] node_part* at_processor() const noexcept {
        if (count <= 1) {
            return first;
        }
        const node_id node = Locality::current();
        std::size_t i = 0;
        while (i < count && first[i].node != node) {
            ++i;
        }
        return i < count ? first + i : nullptr;
    }
};

} // namespace pagefold
