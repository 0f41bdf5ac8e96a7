// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

namespace pagefold::inline PAGEFOLD_ABI {

/// A lock that locks nothing, for what one thread at a time uses.
class null_lock {
public:
    static constexpr bool holder_may_sleep = true;

    void lock() noexcept {}
    void unlock() noexcept {}
};

} // namespace pagefold
