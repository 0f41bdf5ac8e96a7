// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/concept.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/store/entry.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

// Compaction as a partition drives it: the allocator plans which spans are to be emptied, the sweep walks the index in
// order and moves what lies in them. No object carries a reference to its entry, because the walk comes by the entry.
//
//     idle ──plan──► planning ──plan grows no more, or is as large as asked──► sweeping ──end of the index──► idle
//
// Every step is short, so that the partition's lock can be let go between any two: a share of the plan, or one extent of
// which nothing has to move, or one object moved. What comes and goes between steps does no harm: a page stored behind the
// sweep lies in a span that is to stay, since victims take no objects, and a page that goes takes its object along.
//
// The plan grows by shares for the same reason: marking all sparse spans of a large store at once would take as long as
// many moves.

namespace pagefold {

/// What compaction has done, over one step or over many.
struct compaction_work {
    std::size_t moved_bytes = 0; ///< of streams
    std::size_t freed_bytes = 0; ///< of pages that went back to the page source
    std::uint64_t objects_moved = 0;
};

template <class Index, compacting_allocator Allocator>
class compaction_sweep {
public:
    /// One step; false at the end of a sweep, or where no plan was worth making. `budget`: bytes of objects that a plan made
    /// now may move. The partition's lock is held.
    bool step(Index& index, Allocator& allocator, std::size_t budget, compaction_work& done) noexcept {
        switch (stage_) {
        case stage::idle: return start(allocator, budget);
        case stage::planning: return plan_more(allocator);
        case stage::sweeping: break;
        }
        const std::uint32_t extent = index.next_extent(cursor_ / extent_pages);
        if (extent == Index::none) {
            allocator.finish_compaction();
            stage_ = stage::idle;
            return false;
        }
        if (extent != cursor_ / extent_pages) {
            cursor_ = extent * extent_pages;
        }
        const std::size_t held = allocator.bytes_held();
        move_one(index, allocator, done);
        const std::size_t freed = held - allocator.bytes_held();
        done.freed_bytes += freed;
        gain_ += freed;
        return true;
    }

    /// Whether the sweep that ended last moved or freed anything; one that did not would come to nothing again.
    [[nodiscard]] bool was_worthwhile() const noexcept { return gain_ != 0; }

private:
    enum class stage : std::uint8_t { idle, planning, sweeping };
    static constexpr std::size_t share = 32 * Allocator::max_size;

    bool start(Allocator& allocator, std::size_t budget) noexcept {
        gain_ = 0;
        cursor_ = 0;
        budget_ = budget;
        planned_budget_ = budget < share ? budget : share;
        planned_gain_ = allocator.plan_compaction(planned_budget_);
        if (planned_gain_ == 0) {
            return false;
        }
        stage_ = planned_budget_ < budget_ ? stage::planning : stage::sweeping;
        return true;
    }
    bool plan_more(Allocator& allocator) noexcept {
        planned_budget_ += budget_ - planned_budget_ < share ? budget_ - planned_budget_ : share;
        const std::size_t gain = allocator.plan_compaction(planned_budget_);
        if (gain <= planned_gain_ || planned_budget_ == budget_) {
            stage_ = stage::sweeping;
        }
        planned_gain_ = gain;
        return true;
    }
    /// Moves the first misplaced object from the cursor to the end of its extent, and stays behind it.
    void move_one(Index& index, Allocator& allocator, compaction_work& done) noexcept {
        const std::uint32_t extent = cursor_ / extent_pages;
        std::uint64_t pages = index.pages_of(extent) & ~low_bits(cursor_ % extent_pages);
        for (; pages != 0; pages &= pages - 1) {
            const slot_id slot = extent * extent_pages + static_cast<unsigned>(std::countr_zero(pages));
            const entry e = index.get(slot);
            if (e.is_inline() || !allocator.misplaced(e.handle())) {
                continue;
            }
            cursor_ = slot + 1;
            if (const result<object_handle> h = allocator.relocate(e.handle()); h) {
                index.set(slot, entry{static_cast<std::uint64_t>(*h) << 16 | (e.size() - 1), e.meta()});
                done.moved_bytes += e.size();
                ++done.objects_moved;
                gain_ += e.size();
                return;
            }
        }
        cursor_ = (extent + 1) * extent_pages;
    }

    std::size_t budget_ = 0;         // bytes of objects that the plan may move
    std::size_t planned_budget_ = 0; // of those, what was asked for so far
    std::size_t planned_gain_ = 0;   // bytes of pages that the plan will free
    std::size_t gain_ = 0;           // bytes moved and freed in this sweep
    slot_id cursor_ = 0;             // the next slot to look at
    stage stage_ = stage::idle;
};

/// For an allocator whose objects don't move: never anything to do.
template <class Index, object_allocator Allocator>
class no_sweep {
public:
    bool step(Index&, Allocator&, std::size_t, compaction_work&) noexcept { return false; }
    [[nodiscard]] bool was_worthwhile() const noexcept { return false; }
};

/// The sweep for an allocator; for its type only.
template <class Index, object_allocator Allocator>
auto sweep_for() noexcept {
    if constexpr (compacting_allocator<Allocator>) {
        return compaction_sweep<Index, Allocator>{};
    } else {
        return no_sweep<Index, Allocator>{};
    }
}

} // namespace pagefold
