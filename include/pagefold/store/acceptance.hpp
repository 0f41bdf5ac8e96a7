// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/atomic.hpp>
#include <pagefold/store/limited_source.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Whether a store that was full takes pages for good again: not before it is below a part of its limit (zswap's
/// accept_threshold_percent). Between the two, each page that goes makes room for one, which only keeps the store full and its
/// pages older than those that are sent elsewhere.
///
/// Safe from many threads. All is relaxed: it says who is refused, and orders nothing. Cost: a load while it is open.
class acceptance {
public:
    /// `percent` of the limit, at most 100, where it never closes.
    explicit acceptance(unsigned percent) noexcept : percent_{percent} { PAGEFOLD_CHECK(percent <= 100); }

    /// A put found the store full.
    void close() noexcept {
        if (percent_ < 100) {
            closed_.store(1, memory_order::relaxed);
        }
    }
    /// Opens where the store is below the part, or where `is_empty()`, which is asked where it isn't: what an empty store takes
    /// may be above the part, and nobody could make it less.
    template <std::predicate IsEmpty>
    [[nodiscard]] bool is_closed(const byte_budget& budget, IsEmpty&& is_empty) noexcept {
        if (closed_.load(memory_order::relaxed) == 0) [[likely]] {
            return false;
        }
        if (budget.used() > threshold(budget.limit()) && !is_empty()) {
            return true;
        }
        closed_.store(0, memory_order::relaxed);
        return false;
    }
    [[nodiscard]] std::size_t threshold(std::size_t limit) const noexcept {
        return limit / 100 * percent_ + limit % 100 * percent_ / 100;
    }

private:
    unsigned percent_;
    atomic<std::uint32_t> closed_{0};
};

} // namespace pagefold
