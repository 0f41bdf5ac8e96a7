// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>
#include <pagefold/store/stats.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Page and operation counters, for a pool and for a whole partition.
struct partition_counters : common_stats {
    std::uint64_t payload_bytes = 0; // of the stored pages' streams, each in a slot of its own size
    std::uint64_t short_bytes = 0;   // by how much stored values are shorter than pages

    /// Adds a page's counts, or takes them away, and never below 0: what a damaged entry says of itself may be wrong.
    void add_pages(const partition_counters& one, bool arrives) noexcept {
        partition_counters nobodys;
        add_pages(one, arrives, nobodys);
    }
    /// The same, and as much in `totals`, which these are a part of: a sum stays the sum whatever an entry says.
    void add_pages(const partition_counters& one, bool arrives, partition_counters& totals) noexcept {
        change(stored_pages, totals.stored_pages, one.stored_pages, arrives);
        change(same_pages, totals.same_pages, one.same_pages, arrives);
        change(huge_pages, totals.huge_pages, one.huge_pages, arrives);
        change(compr_data_size, totals.compr_data_size, one.compr_data_size, arrives);
        change(payload_bytes, totals.payload_bytes, one.payload_bytes, arrives);
        change(short_bytes, totals.short_bytes, one.short_bytes, arrives);
        change(away_pages, totals.away_pages, one.away_pages, arrives);
        change(reference_pages, totals.reference_pages, one.reference_pages, arrives);
        change(reference_data_size, totals.reference_data_size, one.reference_data_size, arrives);
        change(delta_pages, totals.delta_pages, one.delta_pages, arrives);
        change(delta_data_size, totals.delta_data_size, one.delta_data_size, arrives);
    }
    /// Counts a put that stored a page, or (`refused`: one of the reasons) none. `codec_failed`: the compressor did.
    void add_put(std::uint64_t common_stats::*refused, bool codec_failed) noexcept {
        if (refused == nullptr) {
            ++puts;
        } else {
            ++rejected_puts;
            ++(this->*refused);
        }
        if (codec_failed) [[unlikely]] {
            ++reject_compress_fail;
        }
    }
    [[nodiscard]] bool same_pages_as(const partition_counters& other) const noexcept {
        return stored_pages == other.stored_pages && same_pages == other.same_pages && huge_pages == other.huge_pages &&
               compr_data_size == other.compr_data_size && payload_bytes == other.payload_bytes &&
               short_bytes == other.short_bytes && away_pages == other.away_pages &&
               reference_pages == other.reference_pages && reference_data_size == other.reference_data_size &&
               delta_pages == other.delta_pages && delta_data_size == other.delta_data_size;
    }

private:
    static void change(std::uint64_t& count, std::uint64_t& total, std::uint64_t by, bool arrives) noexcept {
        const std::uint64_t more = arrives ? by : std::uint64_t{0} - (by < count ? by : count); // modulo 2^64
        count += more;
        total += more;
    }
};

} // namespace pagefold
