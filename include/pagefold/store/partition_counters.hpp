// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Page and operation counters, for a pool and for a whole partition.
struct partition_counters {
    std::uint64_t stored_pages = 0, same_pages = 0, huge_pages = 0, compr_data_size = 0, payload_bytes = 0;
    std::uint64_t away_pages = 0; // in the tier; not among the stored ones
    std::uint64_t puts = 0, hits = 0, misses = 0, evicted_pages = 0, rejected_puts = 0, demoted_pages = 0;

    /// Adds a page's counts, or takes them away, and never below 0: what a damaged entry says of itself may be wrong.
    void add_pages(const partition_counters& one, bool arrives) noexcept {
        change(stored_pages, one.stored_pages, arrives);
        change(same_pages, one.same_pages, arrives);
        change(huge_pages, one.huge_pages, arrives);
        change(compr_data_size, one.compr_data_size, arrives);
        change(payload_bytes, one.payload_bytes, arrives);
        change(away_pages, one.away_pages, arrives);
    }
    [[nodiscard]] bool same_pages_as(const partition_counters& other) const noexcept {
        return stored_pages == other.stored_pages && same_pages == other.same_pages && huge_pages == other.huge_pages &&
               compr_data_size == other.compr_data_size && payload_bytes == other.payload_bytes &&
               away_pages == other.away_pages;
    }

private:
    static void change(std::uint64_t& count, std::uint64_t by, bool arrives) noexcept {
        count = arrives ? count + by : count > by ? count - by : 0;
    }
};

} // namespace pagefold
