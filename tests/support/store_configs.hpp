// SPDX-License-Identifier: MIT
#pragma once

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

} // namespace pagefold::testing
