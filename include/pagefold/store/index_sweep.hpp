// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bits.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/store/compaction_sweep.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Compaction of the index: extents at high numbers move to free low ones, arrays out of blocks that are nearly empty, and
/// the table of buckets and the ghost shrink to what they need, so that chunks and blocks go back to the page source.
///
/// A sweep first moves the last extents down, until they are dense, then looks through all for arrays to move, and shrinks
/// the buckets last. An extent that moves gives its pages new slots, which the eviction policy and the objects' tags are told.
/// Cost: a look at every extent a sweep, a step for each page of one that moves or whose array does; a call does at most
/// `steps_a_hold` of both, and one extent's more. The partition's lock is held.
template <class State>
class index_sweep {
public:
    static constexpr unsigned steps_a_hold = 24;

    /// Some steps; false at the end of a sweep.
    bool step(State& state, compaction_work& done) noexcept {
        auto& index = state.index;
        if (!under_way_) {
            under_way_ = moving_ = true;
            gain_ = 0;
            released_ = net_release{};
        }
        const std::size_t held = index.bytes() + state.ghost.bytes() + state.order_bytes();
        bool goes_on = true;
        unsigned steps = 0;
        while (steps < steps_a_hold && moving_) {
            const std::uint32_t last = index.last_in_the_way();
            const unsigned work = last != State::index_type::none ? move(state, last, done) : 0;
            steps += work;
            moving_ = work != 0;
            cursor_ = index.bound();
        }
        while (steps < steps_a_hold && goes_on) {
            cursor_ = cursor_ < index.bound() ? cursor_ : index.bound();
            if (cursor_ == 0) {
                goes_on = !index.shrink_buckets_fully() || !state.trim_ghost() || !state.trim_order();
                under_way_ = goes_on;
                swept_changes_ = goes_on ? swept_changes_ : state.changes;
                break;
            }
            --cursor_;
            ++steps;
            if (index.is_live(cursor_)) {
                steps += repack(state, cursor_, done);
            }
        }
        const std::size_t freed = released_.note(held, index.bytes() + state.ghost.bytes() + state.order_bytes());
        done.freed_bytes += freed;
        gain_ += freed;
        return goes_on;
    }
    /// Whether so many pages came and went since the last sweep that arrays may be larger than their pages need, which no idle
    /// byte shows.
    [[nodiscard]] bool is_due(State& state) const noexcept {
        return state.changes - swept_changes_ > state.index.size() / 8 || state.has_long_ghost();
    }
    /// Whether the sweep that ended last gave anything back.
    [[nodiscard]] bool was_worthwhile() const noexcept { return gain_ != 0; }

private:
    using index_type = typename State::index_type;

    /// The pool of a sound extent, whether it is open or not; null where there is none.
    [[nodiscard]] static auto* pool_of(State& state, std::uint32_t id) noexcept {
        const std::uint32_t slot = state.index.pool_of(id);
        return slot < state.pools.size() && state.index.is_sound(id) ? &state.pools[slot] : nullptr;
    }
    /// Pages' worth of work done; 0: it could not be moved.
    static unsigned move(State& state, std::uint32_t id, compaction_work& done) noexcept {
        auto* const pool = pool_of(state, id);
        const std::uint32_t to = pool != nullptr ? state.index.move_down(pool->ring, id) : index_type::none;
        if (to == index_type::none) {
            return 0;
        }
        done.moved_bytes += index_type::extent_bytes;
        tell(state, *pool, id, to);
        return count_ones(state.index.pages_of(to));
    }
    static unsigned repack(State& state, std::uint32_t id, compaction_work& done) noexcept {
        auto* const pool = pool_of(state, id);
        if (pool == nullptr || !state.index.repack(pool->ring, id)) {
            return 0;
        }
        if (pool->id != pool_id{}) {
            state.settle(*pool);
        }
        const unsigned pages = count_ones(state.index.pages_of(id));
        done.moved_bytes += pages * index_type::entry_bytes;
        return pages;
    }
    /// The pool's slots while an extent's pages are between two numbers: hooks that name one of them by its old slot lead
    /// to where it is.
    class slots_between {
    public:
        using hook = typename State::hook;
        slots_between(State& state, typename State::pool_state& pool, std::uint32_t from, std::uint32_t to) noexcept
            : slots_{state.slots(pool)}, from_{from}, to_{to} {}
        [[nodiscard]] hook get(slot_id s) const noexcept { return slots_.get(now(s)); }
        void set(slot_id s, hook h) noexcept { slots_.set(now(s), h); }
        [[nodiscard]] slot_id next(slot_id s) const noexcept { return slots_.next(now(s)); }

    private:
        [[nodiscard]] slot_id now(slot_id s) const noexcept {
            return s != no_slot && s / extent_pages == from_ ? index_type::slot(to_, s % extent_pages) : s;
        }
        typename State::slots_of slots_;
        std::uint32_t from_, to_;
    };
    static void tell(State& state, auto& pool, std::uint32_t from, std::uint32_t to) noexcept {
        if constexpr (State::has_tier) {
            if (!state.order.move(pool.extents, from, to)) [[unlikely]] {
                ++state.damage;
                state.lose_order(pool);
            }
        }
        slots_between view{state, pool, from, to};
        state.index.for_each_slot(to, ~std::uint64_t{0}, [&](slot_id slot) noexcept {
            const auto e = state.index.get(slot);
            if (state.is_readable(e)) {
                state.tag(e, slot);
            }
            if (pool.is_ephemeral() || (pool.demotes() && state.is_in_order(slot) && pool.eviction.size() != 0)) {
                pool.eviction.on_move(view, index_type::slot(from, slot % extent_pages), slot);
            }
        });
    }

    std::uint32_t cursor_ = 0;
    std::size_t gain_ = 0;
    net_release released_{};
    std::uint64_t swept_changes_ = 0; // of the state, at the end of the last sweep
    bool under_way_ = false;
    bool moving_ = false; // extents, and no arrays yet
};

} // namespace pagefold
