// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace pagefold::testing {

/// A clock that shows what it is told, in microseconds.
struct played_clock {
    std::uint64_t time = 0;

    [[nodiscard]] std::uint64_t now() const noexcept { return time; }
};

} // namespace pagefold::testing
