// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/partition.hpp>

// What a partition says of itself, and how it checks itself.

namespace pagefold::inline PAGEFOLD_ABI {

template <store_config Config>
void partition<Config>::add_to(store_stats& s) noexcept {
    const hold held{*this};
    PAGEFOLD_CHECK(static_cast<bool>(held)); // a page source, or a lock, that calls back
    if (!held) {
        return;
    }
    const partition_counters& totals = state_.totals;
    add<common_stats>(s, totals);
    add<partition_stats>(s, state_);
    s.orig_data_size += totals.stored_pages * Config::page_size - totals.short_bytes;
    s.mem_used_total += state_.allocator.bytes_held();
    s.pages_compacted += state_.compacted_bytes / 4096;
    s.decompress_fail += state_.corruptions;
    s.damaged_tables += state_.damage + state_.index.damage();
    s.allocated_bytes += state_.allocator.allocated_bytes();
    if constexpr (state_type::has_tier) {
        s.promoted_pages += state_.promoted_pages;
        s.tier_refusals += state_.tier_refusals;
        s.tier_forget_fail += state_.copies.lost();
    }
}

template <store_config Config>
bool partition<Config>::add_to(pool_stats& s, pool_id id) noexcept {
    const hold held{*this};
    PAGEFOLD_CHECK(static_cast<bool>(held)); // a page source, or a lock, that calls back
    const pool_state* const pool = held ? state_.find_pool(id) : nullptr;
    if (pool == nullptr) {
        return false;
    }
    add<common_stats>(s, pool->counts);
    return true;
}

template <store_config Config>
template <class Look>
void partition<Config>::look_at_allocator(Look& look) noexcept {
    const hold held{*this};
    PAGEFOLD_CHECK(static_cast<bool>(held));
    look(static_cast<const allocator_type&>(state_.allocator));
}

template <store_config Config>
std::size_t partition<Config>::bytes_taken() noexcept {
    const hold held{*this};
    return state_.allocator.bytes_held() + state_.allocator.table_bytes() + state_.index.bytes() +
           state_.pools.bytes() + state_.ghost.bytes() + state_.order_bytes();
}

template <store_config Config>
typename partition<Config>::pool_share partition<Config>::share_of(std::uint32_t slot) noexcept {
    const hold held{*this};
    if (!held || slot >= state_.pools.size()) {
        return {};
    }
    const pool_state& pool = state_.pools[slot];
    return {pool.id, pool.payload_counted, pool.tables_counted};
}

template <store_config Config>
bool partition<Config>::check() noexcept {
    const hold held{*this};
    if (!held) {
        return false;
    }
    const index_type& index = state_.index;
    partition_counters all;
    std::size_t occupied = 0, extents = 0;
    for (std::uint32_t slot = 0; slot < state_.pools.size(); ++slot) {
        pool_state& pool = state_.pools[slot];
        if (!index.check_ring(pool.ring, slot)) {
            return false;
        }
        extents += pool.ring.extents;
        partition_counters seen;
        std::size_t in_order = 0;
        bool tags_fit = true;
        std::uint32_t id = pool.ring.head;
        for (std::uint32_t i = 0; i < pool.ring.extents; ++i, id = index.next_in_ring(id)) {
            index.for_each_slot(id, ~std::uint64_t{0}, [&](slot_id s) noexcept {
                const entry_type e = index.get(s);
                state_.add_page(e, seen);
                in_order += state_.is_in_order(s) ? 1u : 0u;
                tags_fit = tags_fit && state_.is_in_order(s) == (pool.demotes() && state_type::has_object(e));
                if (!state_.is_readable(e)) {
                    tags_fit = false;
                } else if (state_type::has_object(e)) {
                    occupied += state_.allocator.capacity(e.handle());
                    if constexpr (state_type::tag_bytes != 0) {
                        const byte_span place = state_.allocator.place(e.handle());
                        tags_fit = tags_fit &&
                                   (state_type::fills_page(e.size()) ||
                                    load_native<slot_id>(place.data() + place.size() - state_type::tag_bytes) == s);
                    }
                }
            });
        }
        auto view = state_.slots(pool);
        if (!tags_fit || !seen.same_pages_as(pool.counts) ||
            pool.eviction.size() != (pool.is_ephemeral() ? seen.stored_pages : in_order) ||
            (pool.has_order() && !pool.eviction.check(view)) ||
            (pool.id != pool_id{} &&
             (pool.payload_counted != pool.counts.payload_bytes || pool.tables_counted != pool.ring.bytes))) {
            return false;
        }
        all.add_pages(seen, true);
    }
    std::size_t live = 0;
    for (std::uint32_t x = index.next_extent(0); x != index_type::none; x = index.next_extent(x + 1)) {
        ++live;
    }
    if constexpr (state_type::has_tier) {
        if (!state_.copies.is_at_rest()) {
            return false;
        }
    }
    return all.same_pages_as(state_.totals) && occupied == state_.allocator.allocated_bytes() &&
           all.stored_pages + all.away_pages == index.size() && live == extents && index.check() &&
           state_.allocator.check();
}

} // namespace pagefold
