// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/control/fixed_point.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

struct interval_options {
    std::uint64_t ticks_a_second = 1'000'000'000; ///< of the host's clock; at least 1
    std::uint64_t least_us = 10'000;              ///< rates over less than this would be noise
    std::uint64_t most_us = 600'000'000; ///< a longer one is a clock that jumped, or a machine that was suspended
};

/// The time between steps, from a clock that may stand still, jump ahead and go back. Not thread-safe.
class interval {
public:
    enum class outcome : std::uint8_t {
        usable,   ///< elapsed_us is the time since the last usable or broken one
        too_soon, ///< nothing was taken note of: the next one counts from where this would have
        broken    ///< the first one, or the clock jumped: time is counted from here on
    };
    struct reading {
        outcome what;
        std::uint64_t elapsed_us; ///< 0 unless usable
    };

    explicit interval(const interval_options& options = {}) noexcept : options_{options} {}

    [[nodiscard]] reading advance(std::uint64_t now) noexcept {
        if (!is_started_ || now < last_) {
            return begin(now);
        }
        const std::uint64_t elapsed = scaled(now - last_, parts_per_million, options_.ticks_a_second);
        if (elapsed > options_.most_us) {
            return begin(now);
        }
        if (elapsed == 0 || elapsed < options_.least_us) {
            return {outcome::too_soon, 0};
        }
        last_ = now;
        return {outcome::usable, elapsed};
    }

private:
    reading begin(std::uint64_t now) noexcept {
        is_started_ = true;
        last_ = now;
        return {outcome::broken, 0};
    }

    interval_options options_;
    std::uint64_t last_ = 0;
    bool is_started_ = false;
};

} // namespace pagefold
