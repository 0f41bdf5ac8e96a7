// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/hosted/stats_snapshot.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace pagefold::testing {

/// Each number another: `first`, and so on in the list's order.
template <class Stats>
[[nodiscard]] Stats numbered(std::uint64_t first) {
    Stats stats{};
    for (const stat_row<Stats>& row : stat_rows<Stats>) {
        stats.*row.value = first++;
    }
    return stats;
}

/// Two stores, of names that need escaping; one has pools and nodes.
struct stats_samples {
    static constexpr std::uint64_t greatest = ~std::uint64_t{0} - 100;
    std::string odd_name = "a \"quoted\"\\ name\nin two lines \xff", other_name = odd_name + "2";
    std::array<pool_snapshot, 2> pools{
        pool_snapshot{odd_name, static_cast<pool_id>(8192), pool_kind::persistent, numbered<pool_stats>(1000)},
        pool_snapshot{"", static_cast<pool_id>(~std::uint64_t{0}), pool_kind::ephemeral,
                      numbered<pool_stats>(greatest)}};
    std::array<node_snapshot, 2> nodes{node_snapshot{node_id{3}, numbered<store_stats>(2000)},
                                       node_snapshot{any_node, numbered<store_stats>(3000)}};
    std::array<stats_snapshot, 2> stores{stats_snapshot{"first", numbered<store_stats>(100), pools, nodes},
                                         stats_snapshot{other_name, numbered<store_stats>(greatest), {}, {}}};
};

} // namespace pagefold::testing
