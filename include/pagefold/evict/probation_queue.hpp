// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/evict/concept.hpp>
#include <pagefold/evict/listed_slots.hpp>
#include <pagefold/evict/slot_list.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

// What S3-FIFO and Clock2Q+ have in common: a small queue in which new pages are on probation, a main queue that is a clock,
// and a ghost of what left its probation.
//
//     new ──► small ──oldest, read──────► main ⟲ oldest, read: one hit less, and in again
//               └──oldest, not read──► ghost └──oldest, not read──► gone
//     new and in the ghost ───────────► main

namespace pagefold::inline PAGEFOLD_ABI {

/// The numbers in which the policies differ.
struct probation_numbers {
    unsigned small_percent;  ///< of the pages, in the small queue; at most 100
    unsigned hits_to_stay;   ///< hits in the small queue that take a page to the main one
    unsigned most_hits;      ///< counted of a page; 1 or 3
    unsigned window_percent; ///< of the small queue, at its new end, in which hits don't count; at most 100
    unsigned ghost_percent;  ///< keys in the ghost, of the pages
};

/// The base of policies that are such a pair of queues, in hooks of 12 bytes. A page that the predicate refuses keeps its
/// place, and each call starts from the oldest. Costs of evict: O(1) amortised; eight rounds at most, where nearly all pages
/// are refused.
class probation_queue {
public:
    using hook = listed_hook;
    static constexpr unsigned hook_bits = 96;
    static constexpr unsigned max_rounds = 8;

    template <ghost_view<hook> View>
    void on_insert(View& v, slot_id slot) noexcept {
        const bool was_known = v.recall(slot);
        v.set(slot, {{}, was_known ? main_bit : arrivals_ << arrival_at});
        links_view<View> links{v};
        if (was_known) {
            main_.push_front(links, slot);
        } else {
            small_.push_front(links, slot);
            arrivals_ = static_cast<std::uint32_t>((arrivals_ + 1) & low_bits(32 - arrival_at));
        }
    }
    template <slot_view<hook> View>
    void on_hit(View& v, slot_id slot) noexcept {
        hook h = v.get(slot);
        if ((h.state & hits_mask) < numbers_.most_hits && ((h.state & main_bit) != 0 || !is_in_window(h.state))) {
            ++h.state;
            v.set(slot, h);
        }
    }
    template <slot_view<hook> View>
    void on_remove(View& v, slot_id slot) noexcept {
        PAGEFOLD_CHECK(size() > 0);
        static_cast<void>(remove(v, slot, (v.get(slot).state & main_bit) != 0));
    }
    template <slot_view<hook> View>
    void on_move(View& v, slot_id from, slot_id to) noexcept {
        links_view<View> links{v};
        slot_list& queue = (v.get(to).state & main_bit) != 0 ? main_ : small_;
        const std::size_t before = queue.size();
        queue.move(links, from, to);
        if (queue.size() != before) {
            forget_all();
        }
    }
    template <ghost_view<hook> View, std::predicate<slot_id> Predicate>
    [[nodiscard]] slot_id evict(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        slot_id victim = no_slot;
        const auto search_small = [&](bool all) noexcept { return from_small(v, predicate, steps, all, victim); };
        const auto search_main = [&]() noexcept { return from_main(v, predicate, steps, victim); };
        // Whichever queue is asked: what is refused in one is looked for in the other, and what the small one passes on in the
        // main one again.
        static_cast<void>(search_small(false) || search_main() || search_small(true) || search_main());
        return victim;
    }

    [[nodiscard]] std::size_t size() const noexcept { return small_.size() + main_.size(); }
    [[nodiscard]] unsigned ghost_percent() const noexcept { return numbers_.ghost_percent; }

    template <slot_view<hook> View>
    [[nodiscard]] bool check(const View& v) const noexcept {
        const auto is_main = [](std::uint32_t state) noexcept { return (state & main_bit) != 0; };
        const auto is_small = [](std::uint32_t state) noexcept { return (state & main_bit) == 0; };
        return small_.check(listed_slots{v, is_small}) && main_.check(listed_slots{v, is_main});
    }

protected:
    constexpr explicit probation_queue(const probation_numbers& numbers) noexcept : numbers_{numbers} {
        PAGEFOLD_CHECK(numbers.small_percent <= 100 && numbers.window_percent <= 100 && numbers.most_hits <= hits_mask);
    }
    ~probation_queue() = default;
    probation_queue(const probation_queue&) noexcept = default;
    probation_queue& operator=(const probation_queue&) noexcept = default;

private:
    // The state of a hook: hits, the queue, and the number of the arrival for a page in the small one.
    static constexpr std::uint32_t hits_mask = 3, main_bit = 4;
    static constexpr unsigned arrival_at = 3;

    [[nodiscard]] bool has_enough_in_small() const noexcept {
        return main_.size() == 0 ||
               small_.size() * std::uint64_t{100} >= size() * std::uint64_t{numbers_.small_percent};
    }
    /// By the count of arrivals since, not by the place: nothing but arrivals moves a page away from the new end.
    [[nodiscard]] bool is_in_window(std::uint32_t state) const noexcept {
        const std::uint64_t since = (arrivals_ - (state >> arrival_at)) & low_bits(32 - arrival_at);
        const std::uint64_t small = size() * std::uint64_t{numbers_.small_percent} / 100;
        return (since - 1) * 100 < small * numbers_.window_percent;
    }
    template <class View>
    bool remove(View& v, slot_id slot, bool is_main) noexcept {
        links_view<View> links{v};
        slot_list& queue = is_main ? main_ : small_; // or so a hook says, which may be damaged
        const bool was_sound = queue.size() != 0 && queue.remove(links, slot);
        if (!was_sound) {
            forget_all();
        }
        return was_sound;
    }
    /// One list that is damaged forgot its slots. Who forgets all is given all anew.
    void forget_all() noexcept { small_ = main_ = slot_list{}; }

    // Both searches: true when the call is over, with a victim or without.

    /// `all`: beyond what the small queue has too many as well.
    template <class View, class Predicate>
    bool from_small(View& v, Predicate& predicate, std::size_t& steps, bool all, slot_id& victim) noexcept {
        for (slot_id slot = small_.back(); slot != no_slot && (all || has_enough_in_small());) {
            if (steps == 0) {
                return true;
            }
            --steps;
            const hook h = v.get(slot);
            const slot_id newer = h.links.previous;
            if ((h.state & hits_mask) >= numbers_.hits_to_stay) {
                if (!move(v, slot, false, main_bit)) {
                    return true;
                }
            } else if (predicate(slot)) {
                v.remember(slot);
                victim = remove(v, slot, false) ? slot : no_slot;
                return true;
            }
            slot = newer;
        }
        return size() == 0;
    }
    template <class View, class Predicate>
    bool from_main(View& v, Predicate& predicate, std::size_t& steps, slot_id& victim) noexcept {
        // Those with hits come to the new end, and are met there again: the walk ends behind the last without.
        for (slot_id slot = main_.back(); slot != no_slot;) {
            if (steps == 0) {
                return true;
            }
            --steps;
            const hook h = v.get(slot);
            slot_id newer = h.links.previous;
            if ((h.state & hits_mask) != 0) {
                if (!move(v, slot, true, h.state - 1)) {
                    return true;
                }
                newer = newer != no_slot ? newer : slot; // it was the newest, and is again
            } else if (predicate(slot)) {
                victim = remove(v, slot, true) ? slot : no_slot;
                return true;
            }
            slot = newer;
        }
        return size() == 0;
    }
    /// To the new end of the main queue.
    template <class View>
    bool move(View& v, slot_id slot, bool is_main, std::uint32_t state) noexcept {
        if (!remove(v, slot, is_main)) {
            return false;
        }
        v.set(slot, {{}, state});
        links_view<View> links{v};
        main_.push_front(links, slot);
        return true;
    }

    slot_list small_{}, main_{};
    std::uint32_t arrivals_ = 0; // in the small queue, so far
    probation_numbers numbers_;
};

} // namespace pagefold
