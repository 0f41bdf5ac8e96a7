// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// What came of a scan for a kernel's shrinker.
struct [[nodiscard]] scan_outcome {
    std::uint64_t scanned = 0;     ///< pages that were to be looked at (Linux: nr_scanned)
    std::uint64_t freed = 0;       ///< pages that left
    std::uint64_t freed_bytes = 0; ///< bytes that went back to the page source meanwhile
    /// No page left, though some were asked for: nothing can leave now, or the call interrupts an operation of its own thread
    /// (Linux: SHRINK_STOP).
    bool is_stopped = false;
};

} // namespace pagefold
