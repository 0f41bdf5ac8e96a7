// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Counters of a whole store. A name that zram or zswap uses means here what it means there. All are exact for a store
/// at rest; while other threads work they are a sum of snapshots of the partitions.
struct store_stats {
    // zram's mm_stat
    std::uint64_t orig_data_size;   ///< bytes of the pages stored, same-filled ones included
    std::uint64_t compr_data_size;  ///< bytes of their streams; a raw page counts whole, a same-filled one not at all
    std::uint64_t mem_used_total;   ///< bytes of pages that hold streams (like zram, without tables)
    std::uint64_t mem_limit;        ///< the byte limit in force
    std::uint64_t mem_used_max;     ///< greatest total_bytes so far
    std::uint64_t same_pages;       ///< pages stored in their index entry, without payload
    std::uint64_t pages_compacted;  ///< pages of 4 KiB that compaction gave back
    std::uint64_t huge_pages;       ///< pages stored raw, because they do not shrink
    std::uint64_t huge_pages_since; ///< the same, counted over all puts

    // zswap's
    std::uint64_t stored_pages;         ///< pages stored now
    std::uint64_t pool_limit_hit;       ///< puts that met the byte limit
    std::uint64_t reject_reclaim_fail;  ///< puts refused because nothing could be dropped to make room
    std::uint64_t reject_alloc_fail;    ///< puts refused because the page source had no more
    std::uint64_t reject_compress_poor; ///< puts that the admission policy refused
    std::uint64_t reject_compress_fail; ///< pages that the compressor failed on; they are kept raw
    std::uint64_t decompress_fail;      ///< reads that found corruption; nothing was handed out
    std::uint64_t written_back_pages;   ///< pages that went to the backing tier

    // ours
    std::uint64_t total_bytes; ///< all memory taken from the page source: payload, slack, tables, scratch
    std::uint64_t fixed_bytes; ///< of those, what is charged to no pool: the pools' used_bytes and this are total_bytes
    std::uint64_t metadata_bytes;   ///< total_bytes less the pages that hold streams
    std::uint64_t allocated_bytes;  ///< streams, each rounded up to what it occupies
    std::uint64_t puts;             ///< puts that stored a page
    std::uint64_t hits;             ///< gets and takes that found one
    std::uint64_t misses;           ///< gets and takes that did not
    std::uint64_t erased_pages;     ///< pages erased, replaced or taken
    std::uint64_t evicted_pages;    ///< ephemeral pages dropped to make room
    std::uint64_t away_pages;       ///< pages in the backing tier now; stored_pages doesn't count them
    std::uint64_t promoted_pages;   ///< of those that went there, pages that a read brought back
    std::uint64_t tier_refusals;    ///< pages that the tier did not take; they stayed
    std::uint64_t tier_read_fail;   ///< reads of a page there that the tier failed, or brought damage to
    std::uint64_t tier_forget_fail; ///< copies that it did not forget, or that damage left with it
    std::uint64_t objects_moved;    ///< by compaction
    std::uint64_t pages_migrated;   ///< from one partition to another, for set_node
    std::uint64_t damaged_tables;   ///< times that a table contradicted itself; pages were lost, and none mixed up

    /// Thousandths of data over memory, all overhead included; 0 for an empty store.
    [[nodiscard]] constexpr std::uint64_t ratio_permille() const noexcept {
        return total_bytes == 0 ? 0 : orig_data_size * 1000 / total_bytes;
    }
};

/// Counters of one pool.
struct pool_stats {
    std::uint64_t stored_pages;    ///< pages stored now
    std::uint64_t same_pages;      ///< of those, pages without payload
    std::uint64_t huge_pages;      ///< of those, pages stored raw
    std::uint64_t compr_data_size; ///< bytes of their streams
    std::uint64_t used_bytes; ///< what the pool is charged: its streams' places, its tables, its share of what is idle
    std::uint64_t puts;       ///< puts that stored a page
    std::uint64_t hits;       ///< gets and takes that found one
    std::uint64_t misses;     ///< gets and takes that did not
    std::uint64_t evicted_pages;      ///< pages dropped to make room
    std::uint64_t away_pages;         ///< pages in the backing tier now
    std::uint64_t written_back_pages; ///< pages that went there
    std::uint64_t rejected_puts;      ///< puts refused, for any reason
};

} // namespace pagefold
