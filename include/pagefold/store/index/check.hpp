// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/index/extent_index.hpp>

// What extent_index can say of its own structures: for tests.

namespace pagefold::inline PAGEFOLD_ABI {

template <class Entry, class Hook, unsigned HookBits, class Source>
bool extent_index<Entry, Hook, HookBits, Source>::check() const noexcept {
    std::size_t pages = 0, arrays = 0, used = 0;
    for (std::uint32_t id = next_extent(0); id != none; id = next_extent(id + 1)) {
        const extent& x = extents_[id];
        pages += count_ones(x.present());
        if (!is_sound(id)) {
            return false;
        }
        arrays += x.is_single() ? 0u : 1u;
        used += extent_bytes + entries_.bytes(x);
        const std::uint32_t first = find_object(x.pool(), x.object);
        if (find_extent(x.pool(), x.object, x.number()) != id || first == none || (x.is_primary() && first != id)) {
            return false;
        }
    }
    return pages == page_count_ && arrays == entries_.array_count() && used == used_bytes_ && damage() == 0 &&
           chains_.check() && extents_.check() && entries_.check();
}

template <class Entry, class Hook, unsigned HookBits, class Source>
bool extent_index<Entry, Hook, HookBits, Source>::check_ring(const pool_ring& ring, std::uint32_t pool) const noexcept {
    bool sound = true; // an array is followed only where it is one
    const auto bytes_of = [&](const extent& x) noexcept {
        sound = sound && entries_.is_sound(x);
        return sound ? extent_bytes + entries_.bytes(x) : 0;
    };
    return rings_.check(ring, pool, bytes_of) && sound;
}

} // namespace pagefold
