// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/evict/concept.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

// A clock with probation and a ghost: what S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi: "FIFO queues are all you need for cache
// eviction", SOSP 2023) and Clock2Q+ (Zhai et al.: "Clock2Q+: A simple and efficient replacement algorithm for metadata cache
// in VMware vSAN", VLDB 2026) know of pages, in the three spare bits of the index entry, and without a queue.
//
// Most pages that come to a second tier never come again. So a new page is on probation, and only a tenth of all pages are:
// they leave soon. A page that is read there becomes one of the main pages, and so does a page that the ghost knows: it left
// its probation too early. Main pages have a count of hits up to 3, which the hand of a clock counts down; a page without any
// left goes.
//
//     new ──read──► read ──met by the hand──► main ⟲ read: +1, met: −1
//      └──met──► gone, to the ghost             └──met at 0──► gone
//     new and in the ghost ──────────────────► main
//
// Both papers have a queue for probation. Bits have no order, so there is a second hand, which looks for pages on probation
// only. A page comes to the ring anywhere, and stays until that hand comes by: not the same time for all, but in the mean as
// long as in a queue of the same size (Little's law), and where requests don't depend on each other the mean is all that
// counts. Clock2Q+ lets reads of a page that just came not count, since what is read twice in a short time was read once. In
// a second tier the first one sees to that; a variant with such a window cost three times as many looks, and misses were the
// same (docs/eviction.md).
//
// It costs some looks: nine of ten pages that the second hand meets are not on probation. An eviction looks at 5 slots in the
// mean, where clock looks at two; they are bits that lie side by side.

namespace pagefold::inline PAGEFOLD_ABI {

/// Costs of evict: O(1) amortised. Eight rounds at most, where the predicate refuses nearly all: three of the hand of
/// probation and five of the other, three of them for hits. The caller's steps bound what is done of it in one call, and the
/// hands go on from there in the next. A hit writes three bits at most.
class probation_clock {
public:
    using hook = std::uint8_t;
    static constexpr unsigned hook_bits = 3;
    static constexpr unsigned max_rounds = 8;

    struct options {
        unsigned probation_percent = 10; ///< of the pages; 0 to 100
        unsigned ghost_percent = 90;     ///< keys in the ghost, of the pages; as S3-FIFO has
    };

    constexpr probation_clock() noexcept = default;
    constexpr explicit probation_clock(const options& numbers) noexcept : options_{numbers} {
        PAGEFOLD_CHECK(numbers.probation_percent <= 100);
    }

    template <ghost_view<hook> View>
    void on_insert(View& v, slot_id slot) noexcept {
        ++size_;
        if (v.recall(slot)) {
            v.set(slot, main);
        } else {
            ++on_probation_;
        }
    }
    template <slot_view<hook> View>
    void on_hit(View& v, slot_id slot) noexcept {
        const hook was = v.get(slot);
        if (was != read && was < most) { // reading first leaves the cache line clean
            v.set(slot, static_cast<hook>(was + 1));
        }
    }
    template <slot_view<hook> View>
    void on_remove(View& v, slot_id slot) noexcept {
        PAGEFOLD_CHECK(size_ > 0);
        forget(v, slot, v.get(slot) < main);
    }
    template <slot_view<hook> View>
    void on_move(View&, slot_id from, slot_id to) noexcept {
        probation_hand_ = probation_hand_ == from ? to : probation_hand_;
        main_hand_ = main_hand_ == from ? to : main_hand_;
    }
    template <ghost_view<hook> View, std::predicate<slot_id> Predicate>
    [[nodiscard]] slot_id evict(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        // Looks in a row that changed nothing, by each hand: after a round there is nothing for it.
        std::size_t vain_on_probation = 0, vain_in_main = 0;
        bool main_was_vain = false; // then all of probation is gone through before main pages are asked again
        while (steps != 0) {
            const bool none_on_probation = vain_on_probation >= size_ || on_probation_ == 0;
            const bool none_in_main = vain_in_main >= size_;
            if (none_on_probation && none_in_main) {
                return no_slot;
            }
            main_was_vain = main_was_vain || none_in_main;
            const bool tries_probation = !none_on_probation && (main_was_vain || has_enough_on_probation());
            slot_id& hand = tries_probation ? probation_hand_ : main_hand_;
            std::size_t& vain = tries_probation ? vain_on_probation : vain_in_main;
            hook is = fresh;
            const std::size_t before = steps, pace = tries_probation ? 1 : pace_of_main;
            hand = pass_by(v, hand, tries_probation, vain, steps, is);
            const slot_id slot = hand;
            if (slot == no_slot) {
                return no_slot; // the view lost its way, which it says nothing of
            }
            progress_ += (before - steps) * pace;
            if (steps == 0 || vain >= size_) {
                continue;
            }
            --steps;
            progress_ += pace;
            if ((is == fresh || is == main) && predicate(slot)) {
                if (tries_probation) {
                    v.remember(slot);
                }
                forget(v, slot, tries_probation);
                return slot;
            }
            hand = v.next(slot);
            if (is == fresh || is == main) {
                ++vain;
            } else {
                step(v, slot, is);
                vain_on_probation = tries_probation ? 0 : vain_on_probation; // the other hand brings it nothing
                vain_in_main = 0;
            }
        }
        return no_slot;
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// How far the hands went, a look of the main pages' hand for ten of the other's. How fast that one goes says how soon a page
    /// that is read goes; probation turns with every page that comes, read or not.
    [[nodiscard]] std::size_t progress() const noexcept { return progress_; }
    [[nodiscard]] unsigned ghost_percent() const noexcept { return options_.ghost_percent; }

    template <slot_view<hook> View>
    [[nodiscard]] bool check(const View& v) const noexcept {
        const slot_id first = v.next(no_slot);
        if (first == no_slot || size_ == 0) {
            return first == no_slot && size_ == 0 && on_probation_ == 0;
        }
        std::size_t count = 0, on_probation = 0;
        slot_id slot = first;
        do {
            if (v.get(slot) > most || ++count > size_) {
                return false;
            }
            on_probation += v.get(slot) < main ? 1u : 0u;
            slot = v.next(slot);
        } while (slot != first && slot != no_slot);
        return slot == first && count == size_ && on_probation == on_probation_;
    }

private:
    // On probation below `main`; there the count of hits is what is above it.
    static constexpr std::size_t pace_of_main = 10;
    static constexpr hook fresh = 0, read = 1, main = 2, most = main + 3;

    [[nodiscard]] bool has_enough_on_probation() const noexcept {
        return on_probation_ >= size_ ||
               on_probation_ * std::uint64_t{100} >= size_ * std::uint64_t{options_.probation_percent};
    }
    /// The next slot from the hand's on whose page is for it, and its hook in `is`; where steps or round end sooner, the slot
    /// where they do. Most of what the hand of probation meets is not for it.
    template <class View>
    [[nodiscard]] slot_id pass_by(const View& v, slot_id from, bool on_probation, std::size_t& vain, std::size_t& steps,
                                  hook& is) const noexcept {
        slot_id slot = from != no_slot ? from : v.next(no_slot);
        std::size_t left = size_ - vain < steps ? size_ - vain : steps;
        const std::size_t before = left;
        while (left != 0 && slot != no_slot && ((is = v.get(slot)) < main) != on_probation) {
            slot = v.next(slot);
            --left;
        }
        vain += before - left;
        steps -= before - left;
        return slot;
    }
    /// What a hand does with a page that stays.
    template <class View>
    void step(View& v, slot_id slot, hook is) noexcept {
        if (is == read) {
            v.set(slot, main);
            on_probation_ -= on_probation_ != 0 ? 1u : 0u; // more often than there were pages: after damage
        } else {
            v.set(slot, static_cast<hook>(is - 1));
        }
    }
    /// Both hands leave a slot whose page leaves.
    template <class View>
    void forget(const View& v, slot_id slot, bool was_on_probation) noexcept {
        if (probation_hand_ == slot || main_hand_ == slot) {
            const slot_id next = v.next(slot);
            const slot_id after = next != slot ? next : no_slot;
            probation_hand_ = probation_hand_ == slot ? after : probation_hand_;
            main_hand_ = main_hand_ == slot ? after : main_hand_;
        }
        on_probation_ -= was_on_probation && on_probation_ != 0 ? 1u : 0u;
        --size_;
    }

    slot_id probation_hand_ = no_slot; // what each looks at next; no_slot: the first of the round
    slot_id main_hand_ = no_slot;
    std::size_t size_ = 0;
    std::size_t on_probation_ = 0;
    std::size_t progress_ = 0;
    options options_{};
};

} // namespace pagefold
