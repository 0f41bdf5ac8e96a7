// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/control/fixed_point.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Shares in millionths; times in microseconds.
struct pressure_options {
    std::uint64_t target_ppm = 1'000;          ///< time that may be lost to stalls
    std::uint64_t full_weight = 4;             ///< a full stall counts as so many partial ones; 0 as 1
    std::uint64_t window_us = 10'000'000;      ///< over which stalls are averaged
    std::uint64_t least_probe_ppm = 500;       ///< of the memory that goes in a second without any stall, at first
    std::uint64_t most_probe_ppm = 10'000;     ///< and at most
    std::uint64_t ramp_us = 10'000'000;        ///< calm time after which that doubles
    std::uint64_t hold_us = 20'000'000;        ///< after memory came back, in which none is taken
    std::uint64_t most_growth_ppm = 1'000'000; ///< of the memory that is given back in a second of nothing but stalls
};

/// What a controller advises; one of them is 0.
struct pressure_advice {
    std::uint64_t shrink_bytes;
    std::uint64_t grow_bytes;
};

/// How much memory to take, or to give back, by how long somebody waits for memory: PSI's measure (Linux,
/// Documentation/accounting/psi.rst), or a pager's own clock. Below the target memory goes in proportion to how far below, as
/// senpai does (Weiner et al., "TMO: transparent memory offloading in datacenters", ASPLOS 2022, section 3.3): all of the probe
/// without stalls, none at the target.
///
/// Ours: above the target memory comes back in proportion to how far above, since a budget, unlike senpai's memory.reclaim, holds a
/// working set down that grows; and the probe is not fixed. It gets smaller while there are stalls and doubles while all is calm, so
/// that a working set that went away is followed in seconds, and one that stays is disturbed by the smallest. And after memory came
/// back none is taken for a while, or it would always be a little too small.
///
/// O(1). Not thread-safe.
class pressure {
public:
    explicit pressure(const pressure_options& options = {}) noexcept
        : options_{options}, probe_ppm_{options.least_probe_ppm} {}

    /// In `elapsed_us` (above 0) so long at least one was stalled, and so long all were. More than elapsed counts as all of it.
    [[nodiscard]] pressure_advice step(std::uint64_t memory, std::uint64_t stalled_us, std::uint64_t fully_us,
                                       std::uint64_t elapsed_us) noexcept {
        if (elapsed_us == 0) {
            return {0, 0};
        }
        const std::uint64_t more = scaled(fully_us, difference_or_zero(options_.full_weight, 1), 1);
        last_ppm_ = share_of(saturated_sum(stalled_us, more), elapsed_us);
        average(elapsed_us);
        const std::uint64_t least = last_ppm_ < average_ppm_ ? last_ppm_ : average_ppm_;
        const std::uint64_t most = last_ppm_ < average_ppm_ ? average_ppm_ : last_ppm_;
        adapt_probe(most, elapsed_us);
        hold_left_us_ = difference_or_zero(hold_left_us_, elapsed_us);
        if (least > options_.target_ppm) {
            hold_left_us_ = options_.hold_us;
            const std::uint64_t share = scaled(options_.most_growth_ppm, least - options_.target_ppm, least);
            return {0, scaled(a_second(memory, share), elapsed_us, parts_per_million)};
        }
        if (most < options_.target_ppm && hold_left_us_ == 0) {
            const std::uint64_t share = scaled(probe_ppm_, options_.target_ppm - most, options_.target_ppm);
            return {scaled(a_second(memory, share), elapsed_us, parts_per_million), 0};
        }
        return {0, 0};
    }
    /// What is averaged and adapted begins anew.
    void reset() noexcept { *this = pressure{options_}; }

    /// Time lost, of late.
    [[nodiscard]] std::uint64_t average_ppm() const noexcept { return average_ppm_; }
    /// What goes in a second without any stall, now.
    [[nodiscard]] std::uint64_t probe_ppm() const noexcept { return probe_ppm_; }

private:
    [[nodiscard]] static std::uint64_t share_of(std::uint64_t part, std::uint64_t all) noexcept {
        return part >= all ? parts_per_million : scaled(part, parts_per_million, all);
    }
    [[nodiscard]] static std::uint64_t a_second(std::uint64_t memory, std::uint64_t ppm) noexcept {
        return scaled(memory, ppm, parts_per_million);
    }
    void average(std::uint64_t elapsed_us) noexcept {
        if (elapsed_us >= options_.window_us) {
            average_ppm_ = last_ppm_;
        } else if (last_ppm_ >= average_ppm_) {
            average_ppm_ += scaled(last_ppm_ - average_ppm_, elapsed_us, options_.window_us);
        } else { // rounded up, or a small rest would stay for ever
            average_ppm_ -= scaled(average_ppm_ - last_ppm_ - 1, elapsed_us, options_.window_us) + 1;
        }
    }
    void adapt_probe(std::uint64_t most, std::uint64_t elapsed_us) noexcept {
        if (most > options_.target_ppm) {
            // By all of it in the time in which it doubles: a spike is no reason to begin anew.
            const std::uint64_t less =
                elapsed_us < options_.ramp_us ? scaled(probe_ppm_, elapsed_us, options_.ramp_us) : probe_ppm_;
            probe_ppm_ = probe_ppm_ - less > options_.least_probe_ppm ? probe_ppm_ - less : options_.least_probe_ppm;
            calm_us_ = 0;
        } else if (most <= options_.target_ppm / 2) {
            calm_us_ = saturated_sum(calm_us_, elapsed_us);
            while (calm_us_ >= options_.ramp_us && probe_ppm_ < options_.most_probe_ppm) {
                const std::uint64_t twice = saturated_sum(probe_ppm_, probe_ppm_);
                calm_us_ -= options_.ramp_us;
                probe_ppm_ = twice == 0 || twice > options_.most_probe_ppm ? options_.most_probe_ppm : twice;
            }
            calm_us_ = probe_ppm_ >= options_.most_probe_ppm ? 0 : calm_us_;
        }
    }

    pressure_options options_;
    std::uint64_t probe_ppm_;
    std::uint64_t last_ppm_ = 0;
    std::uint64_t average_ppm_ = 0;
    std::uint64_t calm_us_ = 0;
    std::uint64_t hold_left_us_ = 0;
};

} // namespace pagefold
