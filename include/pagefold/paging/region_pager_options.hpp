// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// What a region_pager is told when it opens.
struct region_pager_options {
    pool_id pool{};                ///< where its pages are kept; the host's, and nobody else's meanwhile
    std::uint64_t object = 0;      ///< of its keys
    std::uint64_t first_index = 0; ///< of page 0; page n has first_index + n
    /// Pages in memory at most, those in transit included. It gives way where nothing can go: a page is never refused.
    std::size_t limit = ~std::size_t{0};
    /// Pages that wait in transit before they are compressed: who wants one of them again pays no codec for it.
    std::size_t queue = 0;
    std::size_t batch = 16;   ///< pages that an eviction frees at once, if it can; from 1 to 64
    unsigned read_ahead = 1;  ///< pages that a fault brings at most, itself included; from 1 to 64
    bool keeps_copies = true; ///< what the store has of a page stays there until the page is written
    bool may_vanish =
        false; ///< the pool is ephemeral: what it loses, the base has, so there is one; a page that was written stays
    bool stores_base =
        false; ///< pages that are as the base has them go to the store, too, if it takes them: the base is slow. What is
               ///< damaged there is lost all the same, but where may_vanish says that the base has it
    bool memory_is_zero = false; ///< the memory for the tables is zeros already, and is not touched
};

/// Counters since it was opened; resident, in transit and below are of now.
struct region_pager_stats {
    std::uint64_t faults = 0;           ///< that brought the page, those out of the queue included
    std::uint64_t zero_faults = 0;      ///< pages that were brought, by faults or unasked: zeros
    std::uint64_t base_faults = 0;      ///< the same: from the base
    std::uint64_t store_faults = 0;     ///< the same: from the store
    std::uint64_t queue_faults = 0;     ///< of the faults: out of transit, with no codec
    std::uint64_t refaults = 0;         ///< pages that came back a short while after they went
    std::uint64_t write_faults = 0;     ///< first writes to clean pages
    std::uint64_t duplicate_faults = 0; ///< of pages that were there
    std::uint64_t read_ahead_pages = 0; ///< brought besides those that faulted
    std::uint64_t prefetched_pages = 0; ///< brought by prefetch
    std::uint64_t evicted_pages = 0;    ///< that left memory
    std::uint64_t clean_pages = 0;      ///< of those: without a put
    std::uint64_t zero_pages = 0;       ///< of those: found to be zeros
    std::uint64_t refused_pages = 0;    ///< evictions that the store refused; the page stayed
    std::uint64_t backend_refusals = 0; ///< calls that the backend refused
    std::uint64_t dropped_copies = 0;   ///< copies of pages in memory, dropped to give the store room
    std::uint64_t vanished_pages = 0;   ///< that an ephemeral pool had no more, or corrupt; they came from the base
    std::uint64_t lost_pages = 0;       ///< whose stored bytes could not be read any more
    std::uint64_t barred_pages = 0;     ///< of those refused: as they are for good; they wait for a write
    std::uint64_t resident_pages = 0;
    std::uint64_t in_transit_pages = 0;
    std::uint64_t stored_pages = 0; ///< in the store alone
    std::uint64_t copied_pages = 0; ///< in the store, and in memory
};

/// What an eviction came to.
struct pages_freed {
    std::size_t freed = 0; ///< pages that left memory
    /// Nothing is known to forbid that another call frees more. Where it is false and `freed` is 0, nothing can go now.
    bool goes_on = false;
};

} // namespace pagefold
