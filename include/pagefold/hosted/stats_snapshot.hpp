// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/control/age_histogram.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/store/stats.hpp>

#include <cstdint>
#include <span>
#include <string_view>

namespace pagefold::inline PAGEFOLD_ABI {

/// What a host knows of a pool, for who writes statistics out. Nothing is owned.
struct pool_snapshot {
    std::string_view name{}; ///< the host's; it need not be unique, nor valid UTF-8
    pool_id id{};
    pool_kind kind = pool_kind::persistent;
    pool_stats stats{};
    const age_histogram* ages = nullptr; ///< of its pages, where the host keeps one; published_stats shows it
    std::uint32_t age_seconds = 0;       ///< how long an age is
};
/// The same of a memory node; any_node: what is on none.
struct node_snapshot {
    node_id node = any_node;
    store_stats stats{};
};
/// Of a store. The ids of its pools and its nodes' numbers differ.
struct stats_snapshot {
    std::string_view name{}; ///< the host's; of several stores written together, each has its own
    store_stats whole{};
    std::span<const pool_snapshot> pools{};
    std::span<const node_snapshot> nodes{};
};

} // namespace pagefold
