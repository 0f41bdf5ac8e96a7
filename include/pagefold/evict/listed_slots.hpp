// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>
#include <pagefold/evict/concept.hpp>
#include <pagefold/evict/slot_list.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// A hook of a policy that orders pages by time and keeps something more of each.
struct listed_hook {
    slot_list::links links{};
    std::uint32_t state = 0;
};

/// A view of listed_hooks as slot_list wants it: their links alone.
template <slot_view<listed_hook> View>
class links_view {
public:
    explicit links_view(View& of) noexcept : of_{of} {}
    [[nodiscard]] slot_list::links get(slot_id slot) const noexcept { return of_.get(slot).links; }
    void set(slot_id slot, slot_list::links links) noexcept { of_.set(slot, {links, of_.get(slot).state}); }
    [[nodiscard]] slot_id next(slot_id slot) const noexcept { return of_.next(slot); }

private:
    View& of_;
};

/// For checks: of a view's slots those that a list has, by what is `in_list` of their states.
template <slot_view<listed_hook> View, class InList>
class listed_slots {
public:
    listed_slots(const View& of, InList in_list) noexcept : of_{of}, in_list_{in_list} {}
    [[nodiscard]] slot_list::links get(slot_id slot) const noexcept { return of_.get(slot).links; }
    void set(slot_id, slot_list::links) noexcept {} // a check changes nothing
    [[nodiscard]] slot_id next(slot_id slot) const noexcept {
        const slot_id first = of_.next(slot);
        for (slot_id at = first; at != no_slot;) {
            if (in_list_(of_.get(at).state)) {
                return at;
            }
            at = of_.next(at);
            at = at != first ? at : no_slot;
        }
        return no_slot;
    }

private:
    const View& of_;
    InList in_list_;
};

} // namespace pagefold
