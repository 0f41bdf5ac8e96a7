// SPDX-License-Identifier: MIT
#include <pagefold/hosted/stats_snapshot.hpp>

#include <doctest/doctest.h>

#include <cstdint>

namespace pagefold::testing::unit_hosted_stats_snapshot {
namespace {

TEST_CASE("stats_snapshot: one that nobody filled in says nothing") {
    const stats_snapshot store{};
    CHECK(store.name.empty());
    CHECK(store.pools.empty());
    CHECK(store.nodes.empty());
    std::uint64_t sum = 0;
    const auto add_up = [&](const stat_info&, std::uint64_t value) { sum += value; };
    visit(store.whole, add_up);
    visit(pool_snapshot{}.stats, add_up);
    visit(node_snapshot{}.stats, add_up);
    CHECK(sum == 0);
    CHECK(pool_snapshot{}.ages == nullptr);
    CHECK(node_snapshot{}.node == any_node);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_stats_snapshot
