// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/place/concept.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Spreads extents evenly over the partitions, without regard to memory nodes. The pages of an extent stay together.
struct hashed {
    /// `count` is below 2^32.
    [[nodiscard]] constexpr partition_id home(const page_key&, std::uint64_t hash, node_id,
                                              std::size_t count) const noexcept {
        // The high half times count, shifted down: even for any count and without a division (Lemire: "Fast random
        // integer generation in an interval", ACM TOMACS 2019). Hash tables inside a partition take the low bits.
        return to_size((hash >> 32) * count >> 32);
    }
    [[nodiscard]] constexpr partition_id spill(partition_id home, std::size_t attempt,
                                               std::size_t count) const noexcept {
        PAGEFOLD_CHECK(home < count && attempt < count - 1);
        return (home + 1 + attempt) % count;
    }
    [[nodiscard]] constexpr node_id node(partition_id) const noexcept { return any_node; }
};

} // namespace pagefold
