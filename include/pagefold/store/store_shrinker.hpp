// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/basic_store.hpp>

// How a store serves a kernel's shrinker. Linux asks every shrinker for its objects on a node (count_objects), works out from that
// and from how hard it reclaims how many each is to look at, and has them looked at (scan_objects). So it is asked in pages, not in
// bytes, takes little at a time and comes again; and it must never be made to wait for itself: a shrinker that is called within
// an allocation of the same thread's operation has to answer that it can't.
//
//   count_objects: n = count(node); n != 0 ? n : SHRINK_EMPTY
//   scan_objects:  r = scan(nr_to_scan, node); nr_scanned = r.scanned; r.is_stopped ? SHRINK_STOP : r.freed

namespace pagefold::inline PAGEFOLD_ABI {

template <store_config Config, partition_policy Place>
std::uint64_t basic_store<Config, Place>::count(node_id node) const noexcept {
    return partitions_ready() ? reclaimer_.evictable(node_of(node)) : 0;
}

template <store_config Config, partition_policy Place>
scan_outcome basic_store<Config, Place>::scan(std::uint64_t pages, node_id node) noexcept {
    // As reclaim_to: what interrupts an operation of its own thread would wait for a lock or a scratch that the thread has.
    if (!partitions_ready() || interrupts_itself() || (has_tier && scratch_.has_slot())) {
        return {.is_stopped = true};
    }
    constexpr std::uint64_t most = ~std::size_t{0} / page_size;
    const std::size_t before = budget_.used();
    compaction_work done;
    const std::size_t freed = reclaimer_.scan(node_of(node), to_size(pages < most ? pages : most), done);
    const std::size_t after = budget_.used();
    return {.scanned = pages < most ? pages : most,
            .freed = freed,
            .freed_bytes = before > after ? before - after : 0,
            .is_stopped = freed == 0 && pages != 0};
}

} // namespace pagefold
