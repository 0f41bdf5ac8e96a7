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
// they leave soon. A page that is read there, but not at once, becomes one of the main pages, and so does a page that the
// ghost knows: it left its probation too early. Main pages have a count of hits up to 3, which the hand of a clock counts
// down; a page without any left goes.
//
//     young ──met by the hand──► old ──read──► read ──met by the hand──► main ⟲ read: +1, met: −1
//       (reads don't count)       └──met──► gone, to the ghost             └──met at 0──► gone
//     new and in the ghost ──────────────────────────────────────────────► main
//
// Both papers have a queue for probation. Bits have no order, so there is a second hand, which looks for pages on probation
// only: each is met once as young, and leaves at the second meeting. So it stays for one to two rounds of that hand, 1.5 in
// the mean, where a queue has always the same; by Little's law that is as long as in a queue of the same size. Reads of young
// pages don't count, as in the correlation window of Clock2Q+: what is read twice in a short time was read once.
//
// It costs some looks: nine of ten pages that the second hand meets are not on probation. An eviction looks at 10 to 15 slots
// in the mean, where clock looks at two; they are bits that lie side by side. What it gains stands in docs/eviction.md.

namespace pagefold::inline PAGEFOLD_ABI {

/// Costs of evict: O(1) amortised. Eight rounds at most, where the predicate refuses nearly all: three of the hand of
/// probation and five of the other, three of them for hits. The caller's steps bound what is done of it
/// in one call, and the hands go on from there in the next. A hit writes three bits at most.
class probation_clock {
public:
    using hook = std::uint8_t;
    static constexpr unsigned hook_bits = 3;
    static constexpr unsigned max_rounds = 8;

    struct options {
        unsigned probation_percent = 10; ///< of the pages; 0 to 100
        unsigned ghost_percent = 100;    ///< keys in the ghost, of the pages
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
        if (was != young && was != read && was < most) { // reading first leaves the cache line clean
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
            const slot_id slot = hand = hand != no_slot ? hand : v.next(no_slot);
            if (slot == no_slot) {
                return no_slot; // the view lost its way, which it says nothing of
            }
            --steps;
            const hook is = v.get(slot);
            const bool fits_hand = (is < main) == tries_probation;
            if (fits_hand && (is == old || is == main) && predicate(slot)) {
                if (tries_probation) {
                    v.remember(slot);
                }
                forget(v, slot, tries_probation);
                return slot;
            }
            hand = v.next(slot);
            if (fits_hand && is != old && is != main) {
                step(v, slot, is);
                vain_on_probation = tries_probation ? 0 : vain_on_probation; // the other hand brings it nothing
                vain_in_main = 0;
            } else {
                ++(tries_probation ? vain_on_probation : vain_in_main);
            }
        }
        return no_slot;
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
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
    static constexpr hook young = 0, old = 1, read = 2, main = 3, most = main + 3;

    [[nodiscard]] bool has_enough_on_probation() const noexcept {
        return on_probation_ >= size_ ||
               on_probation_ * std::uint64_t{100} >= size_ * std::uint64_t{options_.probation_percent};
    }
    /// What a hand does with a page that stays.
    template <class View>
    void step(View& v, slot_id slot, hook is) noexcept {
        if (is == young) {
            v.set(slot, old);
        } else if (is == read) {
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
    options options_{};
};

} // namespace pagefold
