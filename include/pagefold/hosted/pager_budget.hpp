// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/control/budget.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/hosted/steady_clock.hpp>
#include <pagefold/platform/concept.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Sets a uffd_pager's budget by what the pager says of itself: how long its faults took, and which of them were of pages that had
/// just gone. Whoever has the pager calls step() about ten times a second, by one thread at a time and never the one in run(); it
/// evicts where the budget shrank.
///
/// A pager without accessed bits learns what is used by unmapping it, so a little is always in motion: the budget settles where
/// about budget_options::by_faults' target of the time goes into faults.
template <class Pager, monotonic_clock Clock = steady_clock>
class pager_budget {
public:
    /// What a fault costs besides the pager's own time: the exception, the signal or the wake-up, and the return.
    static constexpr std::uint64_t ns_a_fault = 3'000;
    /// The most that the pager's own time of a fault counts for, on the average of a step. Nothing is read from a disk: what takes
    /// longer waited for a processor, and more memory would not help.
    static constexpr std::uint64_t most_ns_a_fault = 10'000;

    /// For a region of so many bytes: from a sixty-fourth of it to all of it and a quarter more, since pages that are queued, or
    /// were brought back from the queue, have frames besides.
    [[nodiscard]] static constexpr budget_options options_for(std::uint64_t region_bytes) noexcept {
        constexpr std::uint64_t least = Pager::least_budget_pages * Pager::page_size;
        const std::uint64_t most = saturated_sum(region_bytes, region_bytes / 4);
        budget_options o = budget_options::by_faults(region_bytes / 64 > least ? region_bytes / 64 : least,
                                                     most > least ? most : least);
        o.page_bytes = Pager::page_size;
        return o;
    }

    /// The pager outlives this; it is open before the first step. The clock counts as options.time says.
    pager_budget(Pager& pager, const budget_options& options, const Clock& clock = {}) noexcept
        : pager_{pager}, clock_{clock}, budget_{options, clock_} {}
    pager_budget(const pager_budget&) = delete;
    pager_budget& operator=(const pager_budget&) = delete;

    /// Looks at the pager, and sets its budget where it is to change. As uffd_pager::set_budget; after limit the budget is what
    /// is in memory: what the store refuses is not asked for again and again.
    status step() noexcept {
        const auto now = pager_.statistics();
        const std::uint64_t used = now.resident_bytes + now.queued_bytes;
        budget_sample sample;
        sample.used_bytes = used;
        sample.stalled_us = stalled_since(now.faults, now.fault_ns) / 1'000;
        sample.left_pages = now.evicted_pages;
        sample.refaulted_pages = difference_or_zero(now.refaults, now.queue_faults);
        sample.promoted_pages = now.store_faults + now.queue_faults;
        const std::uint64_t wanted = budget_.step(sample);
        if (wanted == now.budget_bytes) {
            return status::ok;
        }
        const status s = pager_.set_budget(static_cast<std::size_t>(wanted));
        if (s == status::limit) {
            budget_.settle_at(used);
        }
        return s;
    }
    [[nodiscard]] budget<Clock>& steering() noexcept { return budget_; }

private:
    /// A total that only rises, also where the pager was opened anew.
    std::uint64_t stalled_since(std::uint64_t faults, std::uint64_t fault_ns) noexcept {
        const std::uint64_t more = difference_or_zero(faults, faults_);
        const std::uint64_t took = difference_or_zero(fault_ns, fault_ns_);
        faults_ = faults;
        fault_ns_ = fault_ns;
        stalled_ns_ += (took < more * most_ns_a_fault ? took : more * most_ns_a_fault) + more * ns_a_fault;
        return stalled_ns_;
    }

    Pager& pager_;
    Clock clock_;
    budget<Clock> budget_;
    std::uint64_t faults_ = 0, fault_ns_ = 0, stalled_ns_ = 0;
};

} // namespace pagefold
