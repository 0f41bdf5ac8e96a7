// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/control/fixed_point.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

inline constexpr std::uint8_t oldest_age = 254; ///< that, or more
inline constexpr std::uint8_t no_age = 255;     ///< no page; as a threshold: no page is that old

/// How many pages have which age, from 0 to oldest_age. Ages are in sweeps (control/page_ages.hpp). Counts stop at the greatest
/// number. 2 KiB; not thread-safe.
///
/// Two uses (Lagar-Cavilla et al., "Software-defined far memory in warehouse-scale computers", ASPLOS 2019, section 4.3): the
/// ages that pages have now, which say how many are cold under each threshold; and the ages that pages had when they were
/// accessed, which say how many would have been promoted under each.
class age_histogram {
public:
    static constexpr unsigned ages = oldest_age + 1u;

    void add(std::uint8_t age, std::uint64_t count = 1) noexcept {
        PAGEFOLD_CHECK(age < ages);
        counts_[age] = saturated_sum(counts_[age], count);
    }
    /// One page of that age is there no more.
    void remove(std::uint8_t age) noexcept {
        PAGEFOLD_CHECK(age < ages && counts_[age] != 0);
        --counts_[age];
    }
    [[nodiscard]] std::uint64_t at(std::uint8_t age) const noexcept {
        PAGEFOLD_CHECK(age < ages);
        return counts_[age];
    }
    /// Pages of that age or more: 255 steps at most. None for no_age.
    [[nodiscard]] std::uint64_t at_least(std::uint8_t age) const noexcept {
        std::uint64_t sum = 0;
        for (unsigned i = age; i < ages; ++i) {
            sum = saturated_sum(sum, counts_[i]);
        }
        return sum;
    }
    [[nodiscard]] std::uint64_t total() const noexcept { return at_least(0); }
    /// The smallest age that no more than `most` pages have or exceed; no_age where there is none. 255 steps at most.
    [[nodiscard]] std::uint8_t threshold(std::uint64_t most) const noexcept {
        std::uint64_t sum = 0;
        unsigned age = no_age;
        while (age > 0) {
            sum = saturated_sum(sum, counts_[age - 1]);
            if (sum > most) {
                break;
            }
            --age;
        }
        return static_cast<std::uint8_t>(age);
    }
    /// What was long ago counts for less.
    void halve() noexcept {
        for (std::uint64_t& count : counts_) {
            count /= 2;
        }
    }
    void reset() noexcept { *this = age_histogram{}; }

    friend bool operator==(const age_histogram&, const age_histogram&) noexcept = default;

private:
    std::uint64_t counts_[ages] = {};
};

} // namespace pagefold
