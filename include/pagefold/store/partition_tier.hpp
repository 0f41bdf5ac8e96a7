// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>
#include <pagefold/platform/page_source_ref.hpp>
#include <pagefold/store/demotion_order.hpp>
#include <pagefold/store/limited_source.hpp>
#include <pagefold/store/tier_copies.hpp>
#include <pagefold/store/tier_stage.hpp>
#include <pagefold/tier/concept.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// What a partition takes its memory from; a base, so that it is there before all that takes any.
struct partition_source {
    partition_source(page_source_ref from, byte_budget& budget) noexcept
        : source{from, budget, limited_source::releases::deferred} {}

    limited_source source;
};

/// What a pool has of its own where pages can be demoted, and what it hasn't where they can't.
template <bool HasTier>
struct pool_demotion {};
template <>
struct pool_demotion<true> {
    extent_list extents{}; ///< those with pages that can go; see demotion_order
    bool is_demoting = false;
    bool has_lost_order = false; ///< by damage: to be renewed before a page can go
    bool is_promoting = false;
};

/// What a partition has where there is a tier; nothing where there is none.
template <backing_tier Tier>
struct partition_tier {
    static constexpr bool exists = false;
    using stage_type = tier_stage<Tier>;

    partition_tier(limited_source&, node_id, stage_type*) noexcept {}
    [[nodiscard]] static constexpr std::size_t order_bytes() noexcept { return 0; }
};
template <backing_tier Tier>
requires takes_pages<Tier>
struct partition_tier<Tier> {
    static constexpr bool exists = true;
    using stage_type = tier_stage<Tier>;

    partition_tier(limited_source& source, node_id node, stage_type* stage) noexcept
        : order{source, node}, tier{stage} {}
    [[nodiscard]] std::size_t order_bytes() const noexcept { return order.bytes(); }

    demotion_order<limited_source> order;
    tier_copies copies{};
    stage_type* tier; ///< the store's
    std::uint64_t promoted_pages = 0, tier_refusals = 0;
};

} // namespace pagefold
