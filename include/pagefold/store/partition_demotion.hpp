// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/partition_state.hpp>

#include <cstdint>

// The order in which a partition's pages are demoted, and their copies in the tier. Empty where there is no tier.

namespace pagefold::inline PAGEFOLD_ABI {

template <store_config Config>
void partition_state<Config>::enter_order([[maybe_unused]] pool_state& pool, [[maybe_unused]] slot_id slot) noexcept {
    if constexpr (has_tier) {
        this->order.add(pool.extents, slot);
        slots_of view = slots(pool);
        view.set(slot, hook{});
        pool.eviction.on_insert(view, slot);
        ++ephemeral_pages;
        grow_ghost();
    }
}

template <store_config Config>
void partition_state<Config>::leave_order([[maybe_unused]] pool_state& pool, [[maybe_unused]] slot_id slot) noexcept {
    if constexpr (has_tier) {
        if (!this->order.has(slot)) {
            return;
        }
        if (pool.eviction.size() != 0) {
            slots_of view = slots(pool);
            pool.eviction.on_remove(view, slot);
        } else { // after damage, as in remove()
            lose_order(pool);
        }
        leave_order_of(pool, slot);
    }
}

template <store_config Config>
void partition_state<Config>::leave_order_of([[maybe_unused]] pool_state& pool,
                                             [[maybe_unused]] slot_id slot) noexcept {
    if constexpr (has_tier) {
        if (!this->order.has(slot)) {
            return;
        }
        ephemeral_pages -= pool.demotes() && ephemeral_pages != 0 ? 1u : 0u; // a closed pool's are gone from it
        if (!this->order.remove(pool.extents, slot)) [[unlikely]] {
            ++damage;
            lose_order(pool);
        }
    }
}

template <store_config Config>
void partition_state<Config>::leave_tier([[maybe_unused]] const pool_state& pool, [[maybe_unused]] slot_id slot,
                                         [[maybe_unused]] const entry_type& e) noexcept {
    if constexpr (has_tier) {
        if (e.is_whole()) {
            this->copies.leave({key_of(slot), e.place()});
        } else {
            ++damage; // what a damaged entry leads to stays, as an object does
        }
    }
}

template <store_config Config>
PAGEFOLD_COLD void partition_state<Config>::renew_order([[maybe_unused]] pool_state& pool) noexcept {
    if constexpr (has_tier) {
        pool.extents = extent_list{};
        pool.has_lost_order = false;
        std::uint32_t id = pool.ring.head;
        for (std::uint32_t left = pool.ring.extents; left != 0 && index.is_live(id); --left) {
            const unsigned before = this->order.reset(id);
            ephemeral_pages -= before < ephemeral_pages ? before : ephemeral_pages;
            if (index.is_sound(id)) {
                index.for_each_slot(id, ~std::uint64_t{0}, [&](slot_id slot) noexcept {
                    if (has_object(index.get(slot))) {
                        enter_order(pool, slot);
                    }
                });
            }
            id = index.next_in_ring(id);
        }
    }
}

} // namespace pagefold
