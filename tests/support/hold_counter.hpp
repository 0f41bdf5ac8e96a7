// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/default_config.hpp>

#include <cstdint>

namespace pagefold::testing {

/// Counts how often it is taken, by all of its kind.
struct hold_counter {
    void lock() noexcept { ++holds; }
    void unlock() noexcept {}
    static inline std::uint64_t holds = 0;
};
struct hold_counting_config : default_config {
    using lock_type = hold_counter;
};

} // namespace pagefold::testing
