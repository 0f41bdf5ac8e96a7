// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/control/fixed_point.hpp>
#include <pagefold/control/interval.hpp>
#include <pagefold/control/pressure.hpp>
#include <pagefold/control/refault_guard.hpp>
#include <pagefold/control/sampled_counter.hpp>
#include <pagefold/platform/concept.hpp>

#include <cstdint>

// A budget without a knob: how much memory a host's pages should have, from what the host can tell of them.
//
// What can be told differs. A kernel and a hypervisor see accessed bits, and so the ages of their pages (page_ages.hpp); for them
// promotion_rate says which age is cold, and the cold pages are what the budget gives up. A pager in user space sees faults and
// how long they took: for it the stalls say whether the budget may be smaller, and the pages that come straight back that it is
// too small. So a sample has many fields, all of them optional, and each that is there has its say:
//
//   stalls          above the target: more. Below it: less, unless ages are known     pressure.hpp
//   came back       too many of those that left: more, and nothing leaves for a pause    refault_guard.hpp
//   promoted        with ages: so much more. They are hot now, and what is cold leaves instead
//   cold            less, by all of it, as fast as the budget may shrink                promotion_rate.hpp
//
// More wins over less. A working set that grows is held down by the budget until that grows, and each access waits; one that
// shrank costs memory alone. So growth is fast (fourfold in a second) and shrinking slow, and nothing is taken blindly: without any
// sample the budget stays.
//
// Why it does not swing: what is taken is proportional to how far the stalls are below their target, so near it the steps vanish;
// stalls make the probe small; pages that left and are not missed yet are noticed by the guard, whose pause outlasts
// them; and changes below a share of the budget are kept back until they add up.
//
// What a host hands in is not trusted to make sense. Clocks that stand still, jump and go back (interval.hpp), counters that began
// anew or vanished for a while (sampled_counter.hpp), stalls longer than the time, sums beyond 64 bits (fixed_point.hpp): none of
// them moves the budget further than a second of growth or shrinking may, and none moves it out of its bounds.

namespace pagefold::inline PAGEFOLD_ABI {

/// Shares in millionths.
struct budget_options {
    std::uint64_t least_bytes = std::uint64_t{1} << 20;
    std::uint64_t most_bytes = greatest_number;
    std::uint64_t start_bytes = greatest_number; ///< brought into the bounds
    std::uint64_t page_bytes = 4096;
    std::uint64_t growth_ppm = 4'000'000;   ///< most of the budget that comes in a second
    std::uint64_t shrink_ppm = 200'000;     ///< most of it that goes in one
    std::uint64_t least_change_ppm = 2'000; ///< smaller changes wait until they add up
    interval_options time{};
    pressure_options stalls{};
    refault_guard_options refaults{};

    /// For who sees faults and no accessed bits, and can step some times a second: a pager in user space. It has to unmap pages to
    /// learn whether they are used, and a fault costs microseconds: the target is a fortieth of the time, and a working
    /// set that went away is followed in seconds.
    [[nodiscard]] static constexpr budget_options by_faults(std::uint64_t least, std::uint64_t most) noexcept {
        budget_options o;
        o.least_bytes = least;
        o.most_bytes = most;
        o.shrink_ppm = 800'000;
        o.time.most_us = 30'000'000;
        o.stalls = {.target_ppm = 25'000,
                    .window_us = 500'000,
                    .least_probe_ppm = 20'000,
                    .most_probe_ppm = 800'000,
                    .ramp_us = 250'000,
                    .hold_us = 700'000,
                    .most_growth_ppm = 4'000'000};
        o.refaults.window_us = 1'000'000;
        o.refaults.least_pause_us = 250'000;
        o.refaults.most_pause_us = 1'000'000;
        return o;
    }
};

/// What a host knows at a step. Counters are totals that only rise, from any start; what it can't tell is no_sample.
struct budget_sample {
    std::uint64_t used_bytes = no_sample;       ///< in memory now, of what the budget is for
    std::uint64_t stalled_us = no_sample;       ///< total time in which at least one waited for memory
    std::uint64_t fully_stalled_us = no_sample; ///< of that: in which nobody did anything else
    std::uint64_t left_pages = no_sample;       ///< total of pages that left memory
    std::uint64_t refaulted_pages = no_sample;  ///< total of those that came straight back: refault_guard::is_soon
    std::uint64_t promoted_pages = no_sample;   ///< total of pages that came back, soon or not
    std::uint64_t cold_bytes = no_sample;       ///< in memory now, and older than promotion_rate::threshold
};

/// The budget. A step costs some hundred nanoseconds and is to be taken some times a second, or a minute where ages are all that
/// is known. Not thread-safe.
template <monotonic_clock Clock>
class budget {
public:
    /// The clock outlives the budget. Where the least is above the most, the most counts.
    explicit budget(const budget_options& options, Clock& clock) noexcept
        : options_{options}, clock_{clock}, time_{options.time}, stalls_{options.stalls}, refaults_{options.refaults} {
        options_.page_bytes = options_.page_bytes != 0 ? options_.page_bytes : 1;
        set_bounds(options.least_bytes, options.most_bytes);
        settle_at(options.start_bytes);
    }
    budget(const budget&) = delete;
    budget& operator=(const budget&) = delete;

    /// Takes a sample; the budget from here on, in bytes: whole pages, within the bounds, where a whole page
    /// lies there.
    std::uint64_t step(const budget_sample& sample) noexcept {
        const interval::reading time = time_.advance(clock_.now());
        if (time.what == interval::outcome::too_soon) {
            return announced_;
        }
        const rises seen = look_at(sample);
        if (time.what == interval::outcome::usable) {
            move(sample, seen, time.elapsed_us);
            announce();
        }
        return announced_;
    }

    /// What step returned last.
    [[nodiscard]] std::uint64_t bytes() const noexcept { return announced_; }
    /// Other bounds from now on; the budget is brought into them at once.
    void set_bounds(std::uint64_t least, std::uint64_t most) noexcept {
        options_.most_bytes = most;
        options_.least_bytes = least < most ? least : most;
        settle_at(wanted_);
    }
    /// The host could not follow: this is the budget from now on, as far as the bounds allow.
    void settle_at(std::uint64_t bytes) noexcept {
        wanted_ = bounded(bytes);
        announced_ = whole(wanted_);
    }
    [[nodiscard]] std::uint64_t least_bytes() const noexcept { return options_.least_bytes; }
    [[nodiscard]] std::uint64_t most_bytes() const noexcept { return options_.most_bytes; }
    /// Time lost to stalls, of late, in millionths.
    [[nodiscard]] std::uint64_t stalled_ppm() const noexcept { return stalls_.average_ppm(); }
    /// Whether nothing leaves now, because too much came straight back.
    [[nodiscard]] bool is_pausing() const noexcept { return refaults_.is_pausing(); }
    /// For refaults that the host knows the age of: note_refault, quiet_age.
    [[nodiscard]] refault_guard& refaults() noexcept { return refaults_; }

private:
    struct rises {
        std::uint64_t stalled, fully, left, refaulted, promoted; // no_sample: not known
    };

    [[nodiscard]] rises look_at(const budget_sample& s) noexcept {
        return {stalled_.rise(s.stalled_us), fully_.rise(s.fully_stalled_us), left_.rise(s.left_pages),
                refaulted_.rise(s.refaulted_pages), promoted_.rise(s.promoted_pages)};
    }
    void move(const budget_sample& sample, const rises& seen, std::uint64_t elapsed_us) noexcept {
        const bool knows_use = sample.used_bytes != no_sample;
        const std::uint64_t memory = knows_use && sample.used_bytes < wanted_ ? sample.used_bytes : wanted_;
        const bool knows_refaults = seen.left != no_sample && seen.refaulted != no_sample;
        const bool knows_ages = knows_use && sample.cold_bytes != no_sample;

        const std::uint64_t beyond =
            refaults_.step(knows_refaults ? seen.left : 0, knows_refaults ? seen.refaulted : 0, elapsed_us);
        std::uint64_t grow = scaled(beyond, options_.page_bytes, 1);
        std::uint64_t goal = wanted_; // where shrinking ends
        if (knows_refaults) {
            goal =
                difference_or_zero(memory, probe(memory, elapsed_us)); // a long step may probe for more than there is
        }
        if (seen.stalled != no_sample) {
            const pressure_advice advice = stalls_.step(most_of(memory, options_.page_bytes), seen.stalled,
                                                        seen.fully == no_sample ? 0 : seen.fully, elapsed_us);
            grow = most_of(grow, advice.grow_bytes);
            goal = advice.shrink_bytes != 0 ? difference_or_zero(memory, advice.shrink_bytes) : wanted_;
        }
        if (knows_ages) {
            const std::uint64_t hot = difference_or_zero(sample.used_bytes, sample.cold_bytes);
            const std::uint64_t promoted =
                seen.promoted == no_sample ? 0 : scaled(seen.promoted, options_.page_bytes, 1);
            grow = most_of(grow, most_of(promoted, difference_or_zero(hot, wanted_)));
            const bool is_calm = seen.stalled == no_sample || stalls_.average_ppm() <= options_.stalls.target_ppm;
            goal = is_calm ? hot : wanted_;
        }
        if (grow != 0) {
            // Who has room and waits all the same waits for something else: pages that come for the first time.
            const bool has_room = memory < wanted_ - wanted_ / 8;
            grow = has_room ? 0 : least_of(grow, a_step(options_.growth_ppm, elapsed_us));
            wanted_ = bounded(saturated_sum(wanted_, grow));
        } else if (goal < wanted_ && !refaults_.is_pausing()) {
            const std::uint64_t change = least_of(wanted_ - goal, a_step(options_.shrink_ppm, elapsed_us));
            wanted_ = bounded(difference_or_zero(wanted_, change));
        }
    }
    /// Where nobody tells of stalls: as without any.
    [[nodiscard]] std::uint64_t probe(std::uint64_t memory, std::uint64_t elapsed_us) const noexcept {
        return scaled(scaled(memory, options_.stalls.least_probe_ppm, parts_per_million), elapsed_us,
                      parts_per_million);
    }
    /// The most that the budget changes in a step: never more than a second's, however long the step, and at least a page's.
    [[nodiscard]] std::uint64_t a_step(std::uint64_t ppm, std::uint64_t elapsed_us) const noexcept {
        const std::uint64_t time = least_of(elapsed_us, parts_per_million);
        const std::uint64_t change = scaled(scaled(wanted_, ppm, parts_per_million), time, parts_per_million);
        return change > options_.page_bytes ? change : options_.page_bytes;
    }
    void announce() noexcept {
        const std::uint64_t change = difference_or_zero(wanted_, announced_) + difference_or_zero(announced_, wanted_);
        const std::uint64_t least = scaled(announced_, options_.least_change_ppm, parts_per_million);
        const bool is_at_bound = wanted_ == options_.least_bytes || wanted_ == options_.most_bytes;
        if (is_at_bound || change >= (least > options_.page_bytes ? least : options_.page_bytes)) {
            announced_ = whole(wanted_);
        }
    }

    [[nodiscard]] static std::uint64_t most_of(std::uint64_t a, std::uint64_t b) noexcept { return a < b ? b : a; }
    [[nodiscard]] static std::uint64_t least_of(std::uint64_t a, std::uint64_t b) noexcept { return a < b ? a : b; }
    [[nodiscard]] std::uint64_t bounded(std::uint64_t bytes) const noexcept {
        return bytes < options_.least_bytes ? options_.least_bytes : least_of(bytes, options_.most_bytes);
    }
    /// Whole pages, rounded down where the least allows it, else up where the most does. Where no whole page lies between the
    /// bounds, as it is.
    [[nodiscard]] std::uint64_t whole(std::uint64_t bytes) const noexcept {
        const std::uint64_t down = bytes - bytes % options_.page_bytes;
        if (down >= options_.least_bytes) {
            return down;
        }
        const bool has_room =
            options_.most_bytes >= options_.page_bytes && down <= options_.most_bytes - options_.page_bytes;
        return has_room ? down + options_.page_bytes : bytes;
    }

    budget_options options_;
    Clock& clock_;
    interval time_;
    pressure stalls_;
    refault_guard refaults_;
    sampled_counter stalled_{}, fully_{}, left_{}, refaulted_{}, promoted_{};
    std::uint64_t wanted_ = 0;
    std::uint64_t announced_ = 0;
};

} // namespace pagefold
