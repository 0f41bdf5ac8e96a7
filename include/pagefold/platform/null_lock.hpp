// SPDX-License-Identifier: MIT
#pragma once

namespace pagefold {

/// A lock that locks nothing, for what one thread at a time uses.
class null_lock {
public:
    void lock() noexcept {}
    void unlock() noexcept {}
};

} // namespace pagefold
