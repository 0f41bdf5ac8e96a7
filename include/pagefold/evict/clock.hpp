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

namespace pagefold {

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
    void on_remove(View&, slot_id) noexcept {
        PAGEFOLD_CHECK(size_ > 0);
        --size_;
    }
    /// The bit lies in the hook, and the hand is a place in the round, which stays where it is when the page there leaves.
    template <slot_view<hook> View>
    void on_move(View&, slot_id, slot_id) noexcept {}
    template <slot_view<hook> View, std::predicate<slot_id> Predicate>
    [[nodiscard]] slot_id evict(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        slot_id slot = hand_;
        for (std::size_t refused = 0; refused < size_;) { // in a row: then every slot has been
            if (steps == 0) {
                hand_ = slot;
                return no_slot;
            }
            --steps;
            slot = v.next(slot);
            PAGEFOLD_CHECK(slot != no_slot);
            if (v.get(slot) != 0) {
                v.set(slot, 0);
                refused = 0;
            } else if (predicate(slot)) {
                --size_;
                hand_ = slot;
                return slot;
            } else {
                ++refused;
            }
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
    slot_id hand_ = no_slot;
    std::size_t size_ = 0;
};

} // namespace pagefold
