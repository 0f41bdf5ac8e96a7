// SPDX-License-Identifier: MIT
#pragma once

namespace pagefold {

/// Counts nothing. An allocator that takes a meter calls `step` for every word, record and list head that an operation
/// looks at, so that a test can count what its bound says.
struct no_meter {
    static constexpr void step() noexcept {}
};

} // namespace pagefold
