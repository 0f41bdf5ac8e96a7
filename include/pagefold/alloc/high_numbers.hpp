// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Finds the spans whose records lie under numbers far above those that so many spans need. Each keeps a chunk of the table
/// of spans, so that the table does not shrink with the spans: a plan of compaction empties them, however full they are, into
/// spans with low numbers.
///
/// A walk from the highest number down, a share a call, for a slot_pool. Not thread-safe.
class high_numbers {
public:
    static constexpr std::uint32_t none = 0xffffffffu;
    static constexpr unsigned looks_a_plan = 1024; ///< at numbers, used or not

    /// The next walk begins at the highest number.
    void restart() noexcept { below_ = none; }
    /// The next live number, or none at the end of the walk or of the `looks` that are left.
    template <class Pool>
    [[nodiscard]] std::uint32_t next(const Pool& pool, unsigned& looks) noexcept {
        if (pool.size() == 0) {
            return none;
        }
        below_ = below_ < pool.last_live() + 1 ? below_ : pool.last_live() + 1;
        while (below_ > least(pool) && looks != 0) {
            --looks;
            if (pool.contains(--below_)) {
                return below_;
            }
        }
        return none;
    }
    /// The least number that is too high.
    template <class Pool>
    [[nodiscard]] static std::uint32_t least(const Pool& pool) noexcept {
        return pool.size() + pool.size() / 4 + pool.chunk_elements();
    }

private:
    std::uint32_t below_ = none; // the walk has been at all numbers from here on
};

} // namespace pagefold
