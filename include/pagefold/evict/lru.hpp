// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/evict/concept.hpp>
#include <pagefold/evict/slot_list.hpp>

#include <concepts>
#include <cstddef>

namespace pagefold::inline PAGEFOLD_ABI {

/// Least recently used: the page whose insertion or last hit is longest ago goes first. Every hit of a page that is
/// not the most recent one writes up to four hooks of eight bytes, in places that are cold; clock approximates it for
/// one bit.
class lru {
public:
    using hook = slot_list::links;
    static constexpr unsigned hook_bits = 64;

    template <slot_view<hook> View>
    void on_insert(View& v, slot_id slot) noexcept {
        by_recency_.push_front(v, slot);
    }
    template <slot_view<hook> View>
    void on_hit(View& v, slot_id slot) noexcept {
        by_recency_.move_to_front(v, slot);
    }
    template <slot_view<hook> View>
    void on_remove(View& v, slot_id slot) noexcept {
        static_cast<void>(by_recency_.remove(v, slot));
    }
    template <slot_view<hook> View>
    void on_move(View& v, slot_id from, slot_id to) noexcept {
        by_recency_.move(v, from, to);
    }
    /// Costs one hook for each slot that the predicate refuses. A walk that ends for want of steps starts anew the next time.
    template <slot_view<hook> View, std::predicate<slot_id> Predicate>
    [[nodiscard]] slot_id evict(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        return by_recency_.remove_last_if(v, predicate, steps);
    }

    [[nodiscard]] std::size_t size() const noexcept { return by_recency_.size(); }

    template <slot_view<hook> View>
    [[nodiscard]] bool check(const View& v) const noexcept {
        return by_recency_.check(v);
    }

private:
    slot_list by_recency_{};
};

} // namespace pagefold
