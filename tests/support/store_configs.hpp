// SPDX-License-Identifier: MIT
#pragma once

#include "support/test_source.hpp"
#include "support/test_tier.hpp"

#include <pagefold/compress/page_delta.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/hosted/std_mutex.hpp>
#include <pagefold/place/by_node.hpp>
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/default_config.hpp>

/// The default with one choice changed, for more than one test: sources that are compiled together have one store of it.
namespace pagefold::testing {

struct lru_config : default_config {
    using eviction_type = lru;
};
struct unlocked_config : default_config {
    using lock_type = null_lock;
};
struct mutex_config : default_config {
    using lock_type = std_mutex;
};
struct by_node_config : default_config {
    using place_type = by_node;
};
struct tiered_config : default_config {
    using tier_type = test_tier;
};
struct cloning_config : default_config {
    using delta_type = page_delta;
};
/// With clones, and pools that can be migrated.
struct migrating_config : cloning_config {
    static constexpr bool logs_changes = true;
};
struct cloning_node_config : cloning_config {
    using place_type = by_node;
};
/// Three nodes in a row, for by_node, and memory that is on all of them.
struct three_nodes : test_source {
    using test_source::acquire;
    result<void*> acquire(std::size_t pages, node_id) noexcept { return test_source::acquire(pages); }

    [[nodiscard]] static constexpr std::size_t count() noexcept { return 3; }
    [[nodiscard]] static constexpr node_id node(std::size_t i) noexcept { return static_cast<node_id>(i); }
    [[nodiscard]] static constexpr unsigned distance(std::size_t from, std::size_t to) noexcept {
        return 10 + 10 * static_cast<unsigned>(from < to ? to - from : from - to);
    }
};

} // namespace pagefold::testing
