// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <chrono>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// The system's monotonic clock, in nanoseconds.
class steady_clock {
public:
    [[nodiscard]] std::uint64_t now() const noexcept {
        const auto since_start = std::chrono::steady_clock::now().time_since_epoch();
        return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(since_start).count());
    }
};

} // namespace pagefold
