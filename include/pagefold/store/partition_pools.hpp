// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/partition.hpp>

// How pools come to a partition, and leave it.

namespace pagefold::inline PAGEFOLD_ABI {

template <store_config Config>
status partition<Config>::open_pool(pool_id id) noexcept {
    const hold held{*this};
    if (!held) {
        return status::busy;
    }
    if (const status s = state_.pools.reserve(pool_ids::slot(id)); s != status::ok) {
        return s;
    }
    pool_state& pool = state_.pools[pool_ids::slot(id)];
    pool = pool_state{};
    pool.id = id;
    pool.eviction = state_.new_policy;
    const pool_record& record = state_.record_of(pool);
    pool.route = record.route.load().number;
    if constexpr (state_type::has_tier) {
        pool.is_demoting = record.options.on_pressure == pressure_action::demote;
        pool.is_promoting = record.options.promotes;
    }
    if constexpr (state_type::has_clones) {
        pool.parent = record.options.parent;
    }
    state_.note_opening(pool);
    return status::ok;
}

template <store_config Config>
void partition<Config>::close_pool(pool_id id) noexcept {
    const hold held{*this};
    PAGEFOLD_CHECK(static_cast<bool>(held));
    if (pool_state* const pool = held ? state_.find_pool(id) : nullptr; pool != nullptr) {
        state_.close(*pool);
    }
}

template <store_config Config>
bool partition<Config>::drain_pool(std::uint32_t slot) noexcept {
    const hold held{*this};
    if (!held || slot >= state_.pools.size()) {
        return true;
    }
    pool_state& pool = state_.pools[slot];
    const bool done = range_erase<Config>{state_}.drain(pool, slot);
    if (done) {
        // What damage left counted is nobody's, and no later pool's of this slot.
        const partition_counters left = pool.counts;
        pool.counts.add_pages(left, false, state_.totals);
    }
    state_.settle(pool, state_.table.records[slot], static_cast<std::size_t>(pool.counts.payload_bytes),
                  pool.ring.bytes);
    return done && state_.trim_ghost() && state_.trim_order();
}

template <store_config Config>
void partition<Config>::trim_pools(std::uint32_t bound) noexcept {
    const hold held{*this};
    if (held) {
        state_.pools.trim(bound);
    }
}

template <store_config Config>
template <class HomeOf>
status partition<Config>::next_stray(pool_id id, std::uint32_t route, std::size_t own, HomeOf home_of,
                                     stray& found) noexcept {
    const hold held{*this};
    if (!held) {
        return status::busy;
    }
    const result<pool_state*> entered = state_.enter(id, route);
    if (!entered) {
        return entered.error();
    }
    pool_ring& ring = (*entered)->ring;
    index_type& index = state_.index;
    const std::uint32_t slot = pool_ids::slot(id);
    unsigned looks = 0;
    const auto has_stray = [&](std::uint32_t x) noexcept {
        for (std::uint64_t pages = index.pages_of(x); pages != 0; pages &= pages - 1) {
            const page_key key{id, index.object_of(x), index.number_of(x) * extent_pages + trailing_zeros(pages)};
            ++looks;
            if (const std::size_t home = home_of(key); home != own) {
                found = {key, home};
                return true;
            }
        }
        return false;
    };
    // One that is damaged, or that no key leads to, is lost: a pass would come back to its pages for ever.
    const auto settle_on = [&](std::uint32_t x) noexcept {
        if (index.is_sound(x) && index.is_found(x)) {
            return status::ok;
        }
        const std::uint32_t owner = index.owner_of(x);
        pool_state nobody;
        state_.discard(owner < state_.pools.size() ? state_.pools[owner] : nobody, x);
        state_.settle(**entered);
        return status::busy;
    };
    // What says another pool, and is damaged, is its neighbours'.
    const auto is_ours = [&](std::uint32_t x) noexcept {
        return index.is_live(x) && (index.pool_of(x) == slot || (index.owner_of(x) == slot && !index.is_sound(x)));
    };
    const bool has_ring = is_ours(ring.head); // or a walk would not know its end
    while (has_ring && looks < extent_pages) {
        const bool has_begun = ring.seen != index_type::none && index.is_live(ring.seen);
        const std::uint32_t x = has_begun ? index.next_in_ring(ring.seen) : ring.head;
        if (x == index_type::none || !is_ours(x)) {
            break;
        }
        if (has_begun && x == ring.head) {
            return status::not_found;
        }
        if (index.pool_of(x) != slot || has_stray(x)) {
            return settle_on(x);
        }
        ring.seen = x;
    }
    if (looks >= extent_pages) {
        return status::busy;
    }
    // The pool has no pages here, or its ring is broken: then all extents are walked, for each stray.
    std::uint32_t x = ring.extents != 0 ? index.next_extent(0) : index_type::none;
    while (x != index_type::none && (index.pool_of(x) != slot || !has_stray(x))) {
        x = index.next_extent(x + 1);
    }
    return x != index_type::none ? settle_on(x) : status::not_found;
}

} // namespace pagefold
