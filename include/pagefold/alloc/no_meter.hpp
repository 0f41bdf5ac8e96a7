// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

namespace pagefold::inline PAGEFOLD_ABI {

/// Counts nothing. An allocator that takes a meter calls `step` for every word, record and list head that an operation
/// looks at, so that a test can count what its bound says.
struct no_meter {
    static constexpr void step() noexcept {}
};

} // namespace pagefold
