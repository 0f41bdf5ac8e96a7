// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bytes.hpp>
#include <pagefold/store/partition.hpp>

#include <cstddef>
#include <cstdint>

// What a partition does when pages are demoted; demotion.hpp says why it is right.

namespace pagefold::inline PAGEFOLD_ABI {

template <store_config Config>
eviction_outcome partition<Config>::detach(std::uint32_t pool_slot, std::size_t need, bool for_its_own,
                                           byte_span copies, batch_type& batch) noexcept {
    if constexpr (!state_type::has_tier) {
        return eviction_outcome::none;
    } else {
        const hold held{*this};
        pool_state* const pool = held ? state_.pool_at(pool_slot) : nullptr;
        if (pool == nullptr || !pool->demotes()) {
            return eviction_outcome::none;
        }
        std::size_t steps = room_.steps_a_hold, used = 0;
        while (batch.count < batch_type::most && steps != 0 && room_.can_lose(*pool, for_its_own, batch.count + 1) &&
               (pool->eviction.size() != 0 || pool->has_lost_order)) {
            const std::size_t room = copies.size() - used;
            const slot_id slot =
                batch.count == 0 ? room_.choose(*pool, need, steps) : room_.choose_short(*pool, room, steps);
            if (slot == no_slot) {
                if (batch.count == 0 && steps != 0 && pool->eviction.size() != 0) [[unlikely]] {
                    state_.lose_order(*pool); // it has pages, and finds none: links that lead nowhere
                    ++state_.damage;
                }
                break;
            }
            if (!state_.index.contains(slot)) [[unlikely]] {
                state_.forget(*pool, slot); // notes the damage
                continue;
            }
            state_.leave_order_of(*pool, slot);
            const entry_type e = state_.index.get(slot);
            if (!state_type::has_object(e) || !state_.is_readable(e) || e.size() > room) [[unlikely]] {
                ++state_.damage; // whoever wants the page is told
                continue;
            }
            const byte_view stream = state_.allocator.read(e.handle(), e.size(), copies.subview(used, e.size()));
            if (stream.data() != copies.data() + used) {
                copy_bytes(copies.data() + used, stream.data(), e.size());
            }
            auto& one = batch.of[batch.count++];
            one.key = state_.key_of(slot);
            one.e = e;
            one.stream = byte_view{copies.data(), copies.size()}.subview(used, e.size());
            used += e.size();
        }
        return batch.count != 0 ? eviction_outcome::dropped
               : steps == 0     ? eviction_outcome::again
                                : eviction_outcome::none;
    }
}

template <store_config Config>
unsigned partition<Config>::dispose(const batch_type& batch) noexcept {
    if constexpr (!state_type::has_tier) {
        return 0;
    } else {
        const hold held{*this};
        PAGEFOLD_CHECK(static_cast<bool>(held));
        state_.tier_refusals += batch.refused;
        unsigned away = 0;
        for (unsigned i = 0; i < batch.count; ++i) {
            const auto& one = batch.of[i];
            pool_state* const pool = state_.find_pool(one.key.pool);
            bool is_damaged = false;
            const slot_id slot =
                pool != nullptr ? state_.find(*pool, state_.hasher.locate(one.key), is_damaged) : no_slot;
            const entry_type old = slot != no_slot ? state_.index.get(slot) : entry_type{};
            const bool has_object = slot != no_slot && state_type::has_object(old) && state_.is_readable(old);
            const bool is_as_copied =
                one.is_kept && has_object && old.is_like(one.e) &&
                equal_bytes(state_.allocator.place(old.handle()).data(), one.stream.data(), one.stream.size());
            if (is_as_copied) {
                state_.leave_order(*pool, slot); // replaced by the same
                const entry_type now = old.moved_away(one.place);
                state_.account(*pool, old, false);
                state_.account(*pool, now, true);
                state_.index.set(slot, now);
                state_.free_object(old);
                ++pool->counts.written_back_pages;
                ++state_.totals.written_back_pages;
                ++away;
            } else {
                if (one.is_kept) {
                    state_.copies.forget({one.key, one.place});
                }
                if (has_object && !state_.is_in_order(slot)) {
                    state_.enter_order(*pool, slot);
                }
            }
            if (pool != nullptr) {
                state_.settle(*pool);
            }
        }
        return away;
    }
}

} // namespace pagefold
