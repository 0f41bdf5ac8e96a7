// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/concept.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>

#include <cstddef>
#include <cstdint>

// Compaction as a partition drives it: the allocator plans which spans to empty and names the objects in them one by one;
// each carries the number of its page's slot behind its stream, and so the entry to change is found without a walk.
//
//     idle ──plan──► planning ──plan grows no more, or is as large as asked──► moving ──no object left──► idle
//
// The cost of a compaction is that of the objects it moves, whatever the size of the index. Every step is short, so that
// the partition's lock can be let go between any two: a share of the plan, or one object. What comes and goes between steps
// does no harm: victims take no objects, and a page that goes takes its object along.
//
// A tag is looked at before it is followed: the slot must have a page, and that page's object must be this one. If not, the
// object is passed over; nobody can read it either.

namespace pagefold::inline PAGEFOLD_ABI {

/// What compaction has done, over one step or over many.
struct compaction_work {
    std::size_t moved_bytes = 0; ///< of streams, and of tables
    std::size_t freed_bytes = 0; ///< of pages that went back to the page source
    std::uint64_t objects_moved = 0;
};

/// What a sweep gives back, step by step. What a step takes, for a span or a block to gather things in, is no gain of the
/// steps that give others back.
class net_release {
public:
    /// Bytes held before and after a step; the bytes given back by it, in sum over the sweep.
    std::size_t note(std::size_t before, std::size_t after) noexcept {
        owed_ += after > before ? after - before : 0;
        const std::size_t freed = before > after ? before - after : 0;
        const std::size_t repaid = freed < owed_ ? freed : owed_;
        owed_ -= repaid;
        return freed - repaid;
    }

private:
    std::size_t owed_ = 0;
};

/// `State`: a partition_state whose allocator compacts.
template <class State>
class compaction_sweep {
    using allocator_type = typename State::allocator_type;

public:
    /// One step; false at the end of a sweep, or where no plan was worth making. `budget`: bytes of objects that a plan
    /// made now may move. The partition's lock is held.
    bool step(State& state, std::size_t budget, compaction_work& done) noexcept {
        if constexpr (!compacting_allocator<allocator_type>) {
            return false; // objects that don't move
        } else {
            const std::size_t held = bytes_of(state.allocator);
            const bool goes_on = advance(state, budget, done);
            const std::size_t freed = released_.note(held, bytes_of(state.allocator));
            done.freed_bytes += freed;
            gain_ += freed;
            return goes_on;
        }
    }

    /// Whether the sweep that ended last moved or freed anything; one that did not would come to nothing again.
    [[nodiscard]] bool was_worthwhile() const noexcept { return gain_ != 0; }

private:
    enum class stage : std::uint8_t { idle, planning, moving };
    static constexpr std::size_t share = 32 * allocator_type::max_size;

    [[nodiscard]] static std::size_t bytes_of(const allocator_type& allocator) noexcept {
        return allocator.bytes_held() + allocator.table_bytes();
    }
    bool advance(State& state, std::size_t budget, compaction_work& done) noexcept {
        switch (stage_) {
        case stage::idle: return start(state.allocator, budget);
        case stage::planning: return plan_more(state.allocator);
        case stage::moving:
        default: break;
        }
        const byte_span place = state.allocator.next_misplaced();
        if (place.size() == 0) {
            state.allocator.finish_compaction();
            stage_ = stage::idle;
            return false;
        }
        move(state, place, done);
        return true;
    }
    bool start(allocator_type& allocator, std::size_t budget) noexcept {
        gain_ = 0;
        released_ = net_release{};
        budget_ = budget;
        planned_budget_ = budget < share ? budget : share;
        planned_gain_ = allocator.plan_compaction(planned_budget_);
        if (planned_gain_ == 0) {
            return false;
        }
        stage_ = planned_budget_ < budget_ ? stage::planning : stage::moving;
        return true;
    }
    bool plan_more(allocator_type& allocator) noexcept {
        planned_budget_ += budget_ - planned_budget_ < share ? budget_ - planned_budget_ : share;
        const std::size_t gain = allocator.plan_compaction(planned_budget_);
        if (gain <= planned_gain_ || planned_budget_ == budget_) {
            stage_ = stage::moving;
        }
        planned_gain_ = gain;
        return true;
    }
    void move(State& state, byte_span place, compaction_work& done) noexcept {
        const slot_id slot = load_native<slot_id>(place.data() + place.size() - State::tag_bytes);
        if (!state.index.contains(slot)) {
            return;
        }
        auto e = state.index.get(slot);
        if (!State::has_object(e) || !state.is_readable(e) ||
            state.allocator.place(e.handle()).data() != place.data() || !state.allocator.misplaced(e.handle())) {
            return;
        }
        const result<object_handle> moved = state.allocator.relocate(e.handle());
        if (!moved) {
            return;
        }
        e.set_handle(*moved);
        state.index.set(slot, e);
        state.tag(e, slot);
        done.moved_bytes += e.size();
        ++done.objects_moved;
        gain_ += e.size();
    }

    std::size_t budget_ = 0;         // bytes of objects that the plan may move
    std::size_t planned_budget_ = 0; // of those, what was asked for so far
    std::size_t planned_gain_ = 0;   // bytes of pages that the plan will free
    std::size_t gain_ = 0;           // bytes moved and freed in this sweep
    net_release released_{};
    stage stage_ = stage::idle;
};

} // namespace pagefold
