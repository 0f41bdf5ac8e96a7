// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/evict/concept.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

// CLOCK (Corbató: "A paging experiment with the Multics system", 1968), also known as second chance: one reference
// bit a page, set by a hit; a hand goes round, clears the bits that it meets and takes the first page whose bit was
// clear.
//
// The bit lies in the store's index entry, so the policy costs no memory there, and a hit writes at most one bit:
// that is why it is the default, and lru, which writes three hooks a hit, is not. It approximates LRU; see the golden
// counts in tests/golden/evict.cpp.
//
// The order of the round is the slots', not that of insertion: a new page, or one that moved, may lie just before or just
// behind the hand.

namespace pagefold::inline PAGEFOLD_ABI {

/// Costs of evict: a round at most in which every page gets its second chance, and one in which the predicate is asked
/// about each; the caller's steps bound what is done of it in one call, and the hand goes on from there in the next.
class clock {
public:
    using hook = std::uint8_t;
    static constexpr unsigned hook_bits = 1;

    template <slot_view<hook> View>
    void on_insert(View&, slot_id) noexcept {
        ++size_;
    }
    template <slot_view<hook> View>
    void on_hit(View& v, slot_id slot) noexcept {
        if (v.get(slot) == 0) { // reading first leaves the cache line clean
            v.set(slot, 1);
        }
    }
    template <slot_view<hook> View>
    void on_remove(View& v, slot_id slot) noexcept {
        PAGEFOLD_CHECK(size_ > 0);
        if (hand_ == slot) {
            hand_ = after(v, slot);
        }
        --size_;
    }
    template <slot_view<hook> View>
    void on_move(View&, slot_id from, slot_id to) noexcept {
        hand_ = hand_ == from ? to : hand_;
    }
    template <slot_view<hook> View, std::predicate<slot_id> Predicate>
    [[nodiscard]] slot_id evict(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        hand_ = hand_ != no_slot ? hand_ : v.next(no_slot);
        for (std::size_t refused = 0; refused < size_ && steps != 0;) { // in a row: then every slot has been
            const slot_id slot = hand_;
            if (slot == no_slot) {
                return no_slot; // the view lost its way, which it says nothing of
            }
            --steps;
            const bool was_hit = v.get(slot) != 0;
            if (was_hit) {
                v.set(slot, 0);
                refused = 0;
            } else if (predicate(slot)) {
                hand_ = after(v, slot);
                --size_;
                return slot;
            } else {
                ++refused;
            }
            hand_ = v.next(slot);
        }
        return no_slot;
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    template <slot_view<hook> View>
    [[nodiscard]] bool check(const View& v) const noexcept {
        const slot_id first = v.next(no_slot);
        if (first == no_slot || size_ == 0) {
            return first == no_slot && size_ == 0;
        }
        std::size_t count = 0;
        slot_id slot = first;
        do {
            if (v.get(slot) > 1 || ++count > size_) {
                return false;
            }
            slot = v.next(slot);
        } while (slot != first && slot != no_slot);
        return slot == first && count == size_;
    }

private:
    /// The slot behind one that leaves; no_slot if there is no other.
    template <class View>
    [[nodiscard]] static slot_id after(const View& v, slot_id slot) noexcept {
        const slot_id next = v.next(slot);
        return next != slot ? next : no_slot;
    }

    slot_id hand_ = no_slot; // the page that is looked at next; no_slot: the first of the round
    std::size_t size_ = 0;
};

} // namespace pagefold
