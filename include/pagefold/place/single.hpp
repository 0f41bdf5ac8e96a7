// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/place/concept.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Everything in partition 0; the others serve only when its memory is exhausted.
struct single {
    [[nodiscard]] constexpr partition_id home(const page_key&, std::uint64_t, node_id, std::size_t) const noexcept {
        return 0;
    }
    [[nodiscard]] constexpr partition_id spill(partition_id home, std::size_t attempt,
                                               std::size_t count) const noexcept {
        PAGEFOLD_CHECK(home < count && attempt < count - 1);
        return (home + 1 + attempt) % count;
    }
    [[nodiscard]] constexpr node_id node(partition_id) const noexcept { return any_node; }
};

} // namespace pagefold
