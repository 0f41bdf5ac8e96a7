// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/index/extent_index.hpp>

// What extent_index can say of its own structures: for tests.

namespace pagefold {

template <class Entry, class Hook, unsigned HookBits, class Source>
bool extent_index<Entry, Hook, HookBits, Source>::check() const noexcept {
    std::size_t pages = 0, arrays = 0, chained = 0, used = 0;
    for (std::uint32_t id = next_extent(0); id != none; id = next_extent(id + 1)) {
        const extent& x = extents_[id];
        pages += count_ones(x.present());
        if (!is_sound(id)) {
            return false;
        }
        arrays += x.is_single() ? 0 : 1;
        used += extent_bytes + array_bytes(x);
        const std::uint32_t first = find_object(x.pool(), x.object);
        if (find_extent(x.pool(), x.object, x.number()) != id || first == none || (x.is_primary() && first != id)) {
            return false;
        }
    }
    for (std::uint32_t b = 0; b < buckets_.count(); ++b) {
        for (std::uint32_t link = buckets_[b]; link != 0; link = extents_[chain_link::id(link)].hash_next) {
            const std::uint32_t id = chain_link::id(link);
            if (!chain_link::is_whole(link) || !extents_.contains(id) || buckets_.of(hash_of(extents_[id])) != b ||
                ++chained > extents_.size()) {
                return false;
            }
        }
    }
    return pages == page_count_ && arrays == arrays_.count() && chained == extents_.size() && used == used_bytes_ &&
           damage_ == 0 && extents_.check() && arrays_.check();
}

template <class Entry, class Hook, unsigned HookBits, class Source>
bool extent_index<Entry, Hook, HookBits, Source>::check_ring(const pool_ring& ring, std::uint32_t pool) const noexcept {
    std::uint32_t count = 0;
    std::size_t used = 0;
    if (ring.head != none) {
        std::uint32_t id = ring.head;
        do {
            if (!extents_.contains(id) || ++count > ring.extents) {
                return false;
            }
            const extent& x = extents_[id];
            const std::uint32_t next = next_in_ring(id);
            // The extents of an object lie side by side, behind its primary.
            if (next == none || x.pool() != pool || (!x.is_primary() && !extents_[x.ring_previous()].same_object(x))) {
                return false;
            }
            used += extent_bytes + array_bytes(x);
            id = next;
        } while (id != ring.head);
    }
    return count == ring.extents && used == ring.bytes;
}

} // namespace pagefold
