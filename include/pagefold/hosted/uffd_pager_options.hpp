// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>
#include <pagefold/hosted/uffd_memory.hpp>
#include <pagefold/store/pool.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// What a uffd_pager is told when it opens.
struct uffd_pager_options {
    std::size_t bytes = 0;        ///< of the region; a multiple of the page size
    std::size_t budget_bytes = 0; ///< most memory for its pages; at least uffd_pager::least_budget_pages
    uffd_backing backing = uffd_backing::anonymous;
    fault_delivery delivery = fault_delivery::thread;
    eviction_method eviction = eviction_method::automatic;
    clean_tracking tracking = clean_tracking::automatic;
    uffd_rights rights = uffd_rights::any;
    fork_policy on_fork = fork_policy::none;   ///< what a child has of the region
    unsigned read_ahead_pages = 8;             ///< most that a sequential fault brings, 1 to 16; 1: no read-ahead
    unsigned reclaim_batch = 32;               ///< pages evicted at a time, 1 to 64
    std::uint64_t may_use = ~std::uint64_t{0}; ///< of the kernel's features (uffd_abi): as if it had no others
    /// Of the pool that the region has in the store: its cap, reservation, weight and memory node. Always persistent.
    pool_options pool{};
    /// The memory node that resident pages should be on, which may be another than the pool's: as long as it has memory, then the
    /// nearest that has. any_node: as the threads' policies want it.
    node_id memory_node = any_node;
};

/// Counters are since open. Times in nanoseconds.
struct uffd_pager_stats {
    std::uint64_t faults;           ///< faults that brought a page
    std::uint64_t zero_faults;      ///< of those: of pages never written
    std::uint64_t queue_faults;     ///< of those: of pages that were unmapped, and not compressed yet
    std::uint64_t store_faults;     ///< of those: of pages from the store
    std::uint64_t refaults;         ///< of queue_faults and store_faults: of pages that went a short while before
    std::uint64_t write_faults;     ///< first writes that the pager had to allow
    std::uint64_t read_ahead_pages; ///< pages brought besides the one that faulted
    std::uint64_t evicted_pages;    ///< pages that left memory
    std::uint64_t clean_pages;      ///< of those: whose copy was still good
    std::uint64_t refused_pages;    ///< evictions that the store refused; the page stayed
    std::uint64_t pinned_pages;     ///< evictions that the kernel refused; the page stayed
    std::uint64_t lost_pages;       ///< pages whose stored bytes were corrupt
    std::uint64_t fault_ns;         ///< in resolving faults, reclaim included
    std::uint64_t longest_fault_ns; ///<
    std::uint64_t reclaim_ns;       ///< in evicting
    std::uint64_t budget_bytes;     ///< as set
    std::uint64_t resident_bytes;   ///< pages mapped in the region
    std::uint64_t queued_bytes;     ///< frames of pages unmapped and not compressed yet
    std::uint64_t peak_bytes;       ///< greatest sum of the last two
    std::uint64_t stored_pages;     ///< pages in the store alone
    std::uint64_t copied_pages;     ///< resident or queued pages with a copy in the store, good or not
};

} // namespace pagefold
