// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/control/age_histogram.hpp>
#include <pagefold/control/fixed_point.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

struct refault_guard_options {
    std::uint64_t most_ppm = 100'000;         ///< of the pages that left, those that may come straight back
    std::uint64_t least_pages = 32;           ///< that left, before anything is said of them
    std::uint64_t window_us = 60'000'000;     ///< after which too few to say anything are forgotten
    std::uint64_t least_pause_us = 1'000'000; ///< in which nothing leaves
    std::uint64_t most_pause_us = 60'000'000; ///< it doubles up to this while more comes straight back
    std::uint8_t soon_age = 1;                ///< a page that was away for no more sweeps came straight back
};

/// Stops eviction of what comes straight back. A page should not have left if with so much more memory it would still be there:
/// if no more pages left after it than are in memory (the refault distance of Linux's mm/workingset.c), or if it was away for few
/// sweeps (XNU keeps the ages at which compressed pages are wanted again, and lets nothing go on to the disk that is younger:
/// osfmk/vm/vm_compressor.c). Where too many of those that left are such pages, nothing may leave for a pause, twice as long each
/// time, and as many pages more belong into memory.
///
/// 2 KiB. O(1) but for quiet_age. Not thread-safe.
class refault_guard {
public:
    explicit refault_guard(const refault_guard_options& options = {}) noexcept : options_{options} {}

    /// Whether a page came straight back: after it left `distance` others did, and `resident` pages are in memory.
    [[nodiscard]] static constexpr bool is_soon(std::uint64_t distance, std::uint64_t resident) noexcept {
        return distance <= resident;
    }
    /// A page came back that was away for so many sweeps; counted as come straight back where that is soon.
    void note_refault(std::uint8_t age) noexcept {
        ages_.add(age < oldest_age ? age : oldest_age);
        noted_ += age <= options_.soon_age ? 1u : 0u;
    }

    /// In `elapsed_us`, so many pages left, and so many came straight back, besides those that were noted. Returns how many pages
    /// more belong into memory: those that came straight back beyond what is allowed; 0 unless a pause begins or goes on.
    [[nodiscard]] std::uint64_t step(std::uint64_t left, std::uint64_t came_back, std::uint64_t elapsed_us) noexcept {
        pause_left_us_ = difference_or_zero(pause_left_us_, elapsed_us);
        left_ = saturated_sum(left_, left);
        came_back_ = saturated_sum(came_back_, saturated_sum(came_back, noted_));
        noted_ = 0;
        const std::uint64_t allowed = scaled(left_, options_.most_ppm, parts_per_million);
        const bool is_enough = left_ >= options_.least_pages || came_back_ >= options_.least_pages;
        window_us_ = saturated_sum(window_us_, elapsed_us);
        if (!is_enough && window_us_ < options_.window_us) {
            return 0;
        }
        const std::uint64_t beyond = is_enough ? difference_or_zero(came_back_, allowed) : 0;
        left_ = came_back_ = window_us_ = 0;
        if (!is_enough) {
            return 0;
        }
        if (beyond == 0) {
            pause_us_ /= 2;
            return 0;
        }
        if (pause_left_us_ == 0) { // what comes back during a pause left before it, and is no reason for a longer one
            pause_us_ = saturated_sum(pause_us_, pause_us_);
            pause_us_ = pause_us_ > options_.most_pause_us ? options_.most_pause_us : pause_us_;
            pause_us_ = pause_us_ < options_.least_pause_us ? options_.least_pause_us : pause_us_;
            pause_left_us_ = pause_us_;
        }
        return beyond;
    }
    /// Whether nothing may leave now.
    [[nodiscard]] bool is_pausing() const noexcept { return pause_left_us_ != 0; }
    /// The age that no more than `ppm` of the pages that came back had or exceeded: who is away for longer is hardly wanted, and may
    /// go to a slower place. 0 where none came back. 512 steps.
    [[nodiscard]] std::uint8_t quiet_age(std::uint64_t ppm) const noexcept {
        return ages_.threshold(scaled(ages_.total(), ppm, parts_per_million));
    }
    /// What came back long ago counts for half.
    void forget_half() noexcept { ages_.halve(); }

private:
    refault_guard_options options_;
    std::uint64_t left_ = 0;
    std::uint64_t came_back_ = 0;
    std::uint64_t noted_ = 0;
    std::uint64_t window_us_ = 0;
    std::uint64_t pause_us_ = 0;
    std::uint64_t pause_left_us_ = 0;
    age_histogram ages_{};
};

} // namespace pagefold
