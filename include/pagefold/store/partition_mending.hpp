// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/macros.hpp>
#include <pagefold/store/partition_state.hpp>

// What a partition does about damage that it has found.

namespace pagefold::inline PAGEFOLD_ABI {

template <store_config Config>
PAGEFOLD_COLD bool partition_state<Config>::scrub() noexcept {
    bool any = false;
    for (std::uint32_t id = index.next_extent(0); id != index_type::none; id = index.next_extent(id + 1)) {
        if (!index.is_sound(id)) {
            any = true;
            const std::uint32_t owner = index.owner_of(id);
            pool_state nobody;
            discard(owner < pools.size() ? pools[owner] : nobody, id);
        }
    }
    return any;
}

template <store_config Config>
void partition_state<Config>::discard(pool_state& pool, std::uint32_t id) noexcept {
    partition_counters lost;
    [[maybe_unused]] unsigned in_order = 0;
    if constexpr (has_tier) {
        in_order = count_ones(this->order.pages_of(id));
        damage += this->order.remove_all(pool.extents, id) ? 0u : 1u;
        ephemeral_pages -= pool.demotes() && in_order < ephemeral_pages ? in_order : 0;
    }
    if constexpr (has_log) {
        if (pool.log != nullptr) {
            pool.log->mark_all(); // which pages they were, a damaged extent does not say
        }
    }
    lost.stored_pages = index.discard(pool.ring, id);
    if constexpr (has_tier) {
        // Those that were not in order were away, or so many of them as there are. Their copies stay in the tier.
        const std::uint64_t others = lost.stored_pages > in_order ? lost.stored_pages - in_order : 0;
        lost.away_pages = others < pool.counts.away_pages ? others : pool.counts.away_pages;
        lost.stored_pages -= lost.away_pages;
    }
    pool.counts.add_pages(lost, false, totals);
    if (pool.is_ephemeral()) {
        ephemeral_pages -= lost.stored_pages < ephemeral_pages ? lost.stored_pages : ephemeral_pages;
    }
    lose_order(pool); // which of its slots are gone, nobody can say; see renew_policy
    ++corruptions;
    ++damage;
}

template <store_config Config>
PAGEFOLD_COLD void partition_state<Config>::renew_policy(pool_state& pool) noexcept {
    if constexpr (has_tier) {
        if (pool.demotes()) {
            renew_order(pool);
            return;
        }
    }
    slots_of view = slots(pool);
    const slot_id first = view.next(no_slot);
    std::uint64_t left = pool.counts.stored_pages;
    for (slot_id slot = first; slot != no_slot && left != 0; --left) {
        view.set(slot, hook{});
        pool.eviction.on_insert(view, slot);
        slot = view.next(slot);
        slot = slot != first ? slot : no_slot;
    }
}

} // namespace pagefold
