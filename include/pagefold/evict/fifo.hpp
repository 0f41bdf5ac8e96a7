// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/evict/concept.hpp>
#include <pagefold/evict/slot_list.hpp>

#include <concepts>
#include <cstddef>

namespace pagefold::inline PAGEFOLD_ABI {

/// First in, first out: the page that came first goes first, hit or not. A hit costs nothing; an insertion, removal or
/// eviction writes three hooks of eight bytes. The baseline that other policies have to beat.
class fifo {
public:
    using hook = slot_list::links;
    static constexpr unsigned hook_bits = 64;

    template <slot_view<hook> View>
    void on_insert(View& v, slot_id slot) noexcept {
        queue_.push_front(v, slot);
    }
    template <slot_view<hook> View>
    void on_hit(View&, slot_id) noexcept {}
    template <slot_view<hook> View>
    void on_remove(View& v, slot_id slot) noexcept {
        queue_.remove(v, slot);
    }
    template <slot_view<hook> View>
    void on_move(View& v, slot_id from, slot_id to) noexcept {
        queue_.move(v, from, to);
    }
    /// Costs one hook for each slot that the predicate refuses. A walk that ends for want of steps starts anew the next time.
    template <slot_view<hook> View, std::predicate<slot_id> Predicate>
    [[nodiscard]] slot_id evict(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        return queue_.remove_last_if(v, predicate, steps);
    }

    [[nodiscard]] std::size_t size() const noexcept { return queue_.size(); }

    template <slot_view<hook> View>
    [[nodiscard]] bool check(const View& v) const noexcept {
        return queue_.check(v);
    }

private:
    slot_list queue_{};
};

} // namespace pagefold
