// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/control/age_histogram.hpp>
#include <pagefold/control/fixed_point.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

struct promotion_rate_options {
    std::uint64_t ppm_a_minute = 2'000;     ///< most of the working set that is promoted in a minute, in millionths
    unsigned percentile = 98;               ///< of the periods' best thresholds: 1 to 100; more is more careful
    std::uint64_t start_us = 1'200'000'000; ///< in which nothing leaves: the past says nothing yet
    std::uint32_t memory = 1'440;           ///< periods after which what they were counts for half
    std::uint8_t least_age = 1;             ///< no page leaves that is younger
};

/// How old a page must be before it may leave memory, so that no more than a small share of the working set comes back in a
/// minute: the controller of Lagar-Cavilla et al., "Software-defined far memory in warehouse-scale computers", ASPLOS 2019,
/// sections 4.2 and 4.3. For each period that is over (a minute there) the best threshold is known in hindsight: the smallest age
/// under which the accesses would have stayed within the bound. The next one's is a high percentile of all of them, or the last
/// one's, where that was higher: a burst of accesses stops eviction at once.
///
/// Ours: what was long ago counts for less, so that a job that changed its ways is not judged by its youth for ever. A bound below
/// one page a period is none: then no page that is accessed again may have left, however seldom.
///
/// 1 KiB and 600 steps a period. Not thread-safe.
class promotion_rate {
public:
    explicit promotion_rate(const promotion_rate_options& options = {}) noexcept : options_{options} {}

    /// A period of `elapsed_us` is over. `accesses`: the pages that were accessed in it, by the age that they had (in a store or
    /// not: what would have been promoted under another threshold counts as well). 0 elapsed says nothing.
    void end_period(const age_histogram& accesses, std::uint64_t working_set, std::uint64_t elapsed_us) noexcept {
        if (elapsed_us == 0) {
            return;
        }
        best_ = accesses.threshold(allowed(working_set, elapsed_us));
        best_ = best_ < options_.least_age ? options_.least_age : best_;
        ++counts_[best_];
        ++periods_;
        if (options_.memory != 0 && periods_ >= 2 * std::uint64_t{options_.memory}) {
            forget_half();
        }
        age_us_ = saturated_sum(age_us_, elapsed_us);
    }
    /// Pages of this age or more may leave; no_age: none may.
    [[nodiscard]] std::uint8_t threshold() const noexcept {
        if (age_us_ < options_.start_us) {
            return no_age;
        }
        const std::uint8_t usual = usual_threshold();
        return usual > best_ ? usual : best_;
    }
    /// The best threshold of the last period, as it turned out.
    [[nodiscard]] std::uint8_t last_best() const noexcept { return best_; }
    /// Pages that may be promoted in such a time.
    [[nodiscard]] std::uint64_t allowed(std::uint64_t working_set, std::uint64_t elapsed_us) const noexcept {
        return scaled(working_set, scaled(options_.ppm_a_minute, elapsed_us, 1),
                      60 * parts_per_million * parts_per_million);
    }

private:
    /// The smallest threshold that was enough in so many of a hundred periods.
    [[nodiscard]] std::uint8_t usual_threshold() const noexcept {
        const unsigned percent = options_.percentile < 100 ? options_.percentile : 100;
        const std::uint64_t may_exceed = periods_ * (100 - percent) / 100;
        std::uint64_t above = 0;
        unsigned age = no_age;
        while (age > 0 && above + counts_[age] <= may_exceed) {
            above += counts_[age];
            --age;
        }
        return static_cast<std::uint8_t>(age);
    }
    void forget_half() noexcept {
        periods_ = 0;
        for (std::uint32_t& count : counts_) {
            count /= 2;
            periods_ += count;
        }
    }

    promotion_rate_options options_;
    std::uint32_t counts_[no_age + 1u] = {}; // periods by their best threshold
    std::uint64_t periods_ = 0;
    std::uint64_t age_us_ = 0;
    std::uint8_t best_ = no_age;
};

} // namespace pagefold
