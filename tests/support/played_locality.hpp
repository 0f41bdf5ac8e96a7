// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>

namespace pagefold::testing {

/// A locality: whoever calls is on the node that the test says. It counts how often somebody asks. One thread sets it.
struct played_locality {
    static inline node_id node = any_node;
    static inline unsigned asked = 0;

    [[nodiscard]] static node_id current() noexcept {
        ++asked;
        return node;
    }
};

} // namespace pagefold::testing
