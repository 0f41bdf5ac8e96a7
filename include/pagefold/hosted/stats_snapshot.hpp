// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/control/age_histogram.hpp>
#include <pagefold/control/fixed_point.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/store/stats.hpp>

#include <cstdint>
#include <span>
#include <string_view>

namespace pagefold::inline PAGEFOLD_ABI {

/// Classes of ages in which pages are told: 0, 1, 2 to 3, 4 to 7 and so on; the last is 128 and more.
inline constexpr unsigned published_ages = 9;

/// The youngest age of a class.
[[nodiscard]] constexpr unsigned first_published_age(unsigned which) noexcept {
    return which == 0 ? 0 : 1u << (which - 1);
}
/// Pages of a class; 127 steps at most.
[[nodiscard]] inline std::uint64_t pages_of_published_age(const age_histogram& ages, unsigned which) noexcept {
    const unsigned end = which + 1 == published_ages ? age_histogram::ages : first_published_age(which + 1);
    std::uint64_t pages = 0;
    for (unsigned age = first_published_age(which); age < end; ++age) {
        pages = saturated_sum(pages, ages.at(static_cast<std::uint8_t>(age)));
    }
    return pages;
}

/// What a host knows of a pool, for who writes statistics out. Nothing is owned.
struct pool_snapshot {
    std::string_view name{}; ///< the host's; it need not be unique, nor valid UTF-8
    pool_id id{};
    pool_kind kind = pool_kind::persistent;
    pool_stats stats{};
    const age_histogram* ages = nullptr; ///< of its pages, where the host keeps one: control/page_ages.hpp
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
