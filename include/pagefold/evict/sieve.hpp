// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/evict/concept.hpp>
#include <pagefold/evict/listed_slots.hpp>
#include <pagefold/evict/slot_list.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// SIEVE (Zhang, Yang, Yue, Vigfusson, Rashmi: "SIEVE is simpler than LRU", NSDI 2024): pages in order of arrival, a bit for
/// those that were read, and a hand that goes from the oldest to the newest, clears bits, and takes the first page without
/// one. Pages that it spares keep their place, so new ones are looked at soon, and clock's long round is spared them.
///
/// It needs the order of arrival, which the ring of slots is not: 12 bytes a page. A hit writes a bit at most. For caches of web
/// objects; it has no defence against a scan, and in a second tier a mixed load lets it keep what is not read again
/// (docs/eviction.md). Costs of evict: O(1) amortised, three rounds at most; the hand goes on where it stopped.
class sieve {
public:
    using hook = listed_hook;
    static constexpr unsigned hook_bits = 96;

    template <slot_view<hook> View>
    void on_insert(View& v, slot_id slot) noexcept {
        v.set(slot, hook{});
        links_view<View> links{v};
        by_arrival_.push_front(links, slot);
    }
    template <slot_view<hook> View>
    void on_hit(View& v, slot_id slot) noexcept {
        hook h = v.get(slot);
        if (h.state == 0) {
            h.state = 1;
            v.set(slot, h);
        }
    }
    template <slot_view<hook> View>
    void on_remove(View& v, slot_id slot) noexcept {
        PAGEFOLD_CHECK(size() > 0);
        static_cast<void>(remove(v, slot));
    }
    template <slot_view<hook> View>
    void on_move(View& v, slot_id from, slot_id to) noexcept {
        links_view<View> links{v};
        by_arrival_.move(links, from, to);
        hand_ = size() == 0 ? no_slot : hand_ == from ? to : hand_;
    }
    template <slot_view<hook> View, std::predicate<slot_id> Predicate>
    [[nodiscard]] slot_id evict(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        for (std::size_t refused = 0; refused < size() && steps != 0;) { // in a row: then every slot has been
            const slot_id slot = hand_ != no_slot ? hand_ : by_arrival_.back();
            --steps;
            hook h = v.get(slot);
            if (h.state != 0) {
                h.state = 0;
                v.set(slot, h);
                refused = 0;
            } else if (predicate(slot)) {
                return remove(v, slot) ? slot : no_slot;
            } else {
                ++refused;
            }
            hand_ = h.links.previous;
        }
        return no_slot;
    }

    [[nodiscard]] std::size_t size() const noexcept { return by_arrival_.size(); }

    template <slot_view<hook> View>
    [[nodiscard]] bool check(const View& v) const noexcept {
        return by_arrival_.check(listed_slots{v, [](std::uint32_t state) noexcept { return state <= 1; }});
    }

private:
    /// The hand goes on with the next newer page.
    template <class View>
    bool remove(View& v, slot_id slot) noexcept {
        links_view<View> links{v};
        hand_ = hand_ == slot ? v.get(slot).links.previous : hand_;
        const bool was_sound = by_arrival_.remove(links, slot);
        hand_ = was_sound ? hand_ : no_slot;
        return was_sound;
    }

    slot_list by_arrival_{};
    slot_id hand_ = no_slot; // the page that is looked at next; no_slot: the oldest
};

} // namespace pagefold
