// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/evict/concept.hpp>

#include <concepts>
#include <cstddef>

namespace pagefold::inline PAGEFOLD_ABI {

/// A doubly linked list of slots whose links are their hooks: for policies that order pages by time. Every operation
/// reaches at most three hooks, but for those that walk.
class slot_list {
public:
    struct links {
        slot_id next = no_slot;     // towards the back; no_slot at the end
        slot_id previous = no_slot; // towards the front
    };

    template <slot_view<links> View>
    void push_front(View& v, slot_id slot) noexcept {
        v.set(slot, {front_, no_slot});
        if (front_ == no_slot) {
            back_ = slot;
        } else {
            set_previous(v, front_, slot);
        }
        front_ = slot;
        ++size_;
    }
    /// Links that contradict each other are damaged: the list forgets all its slots then, and size() is 0. Whether they didn't.
    template <slot_view<links> View>
    bool remove(View& v, slot_id slot) noexcept {
        PAGEFOLD_CHECK(size_ > 0);
        const links here = v.get(slot);
        if (!is_linked(v, slot, here)) {
            *this = slot_list{};
            return false;
        }
        if (here.previous == no_slot) {
            front_ = here.next;
        } else {
            set_next(v, here.previous, here.next);
        }
        if (here.next == no_slot) {
            back_ = here.previous;
        } else {
            set_previous(v, here.next, here.previous);
        }
        --size_;
        return true;
    }
    template <slot_view<links> View>
    void move_to_front(View& v, slot_id slot) noexcept {
        if (slot != front_) {
            if (size_ != 0) { // else it forgot them
                static_cast<void>(remove(v, slot));
            }
            push_front(v, slot);
        }
    }
    /// What was in slot `from` is in slot `to` now, its links with it.
    template <slot_view<links> View>
    void move(View& v, slot_id from, slot_id to) noexcept {
        const links here = v.get(to);
        if (!is_linked(v, from, here)) {
            *this = slot_list{};
            return;
        }
        if (here.previous == no_slot) {
            front_ = to;
        } else {
            set_next(v, here.previous, to);
        }
        if (here.next == no_slot) {
            back_ = to;
        } else {
            set_previous(v, here.next, to);
        }
    }
    /// Removes and returns the slot nearest the back that satisfies the predicate; no_slot if there is none, or if it lies
    /// behind more than `steps` slots. Subtracts the slots that it asked about, and starts from the back in every call.
    template <slot_view<links> View, std::predicate<slot_id> Predicate>
    [[nodiscard]] slot_id remove_last_if(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        for (slot_id slot = back_; slot != no_slot && steps > 0; slot = v.get(slot).previous) {
            --steps;
            if (predicate(slot)) {
                return remove(v, slot) ? slot : no_slot;
            }
        }
        return no_slot;
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// no_slot if it is empty.
    [[nodiscard]] slot_id back() const noexcept { return back_; }

    /// Walks the list and the view's slots; false unless they are the same.
    template <slot_view<links> View>
    [[nodiscard]] bool check(const View& v) const noexcept {
        std::size_t listed = 0;
        slot_id previous = no_slot;
        for (slot_id slot = front_; slot != no_slot; slot = v.get(slot).next) {
            if (v.get(slot).previous != previous || ++listed > size_) {
                return false;
            }
            previous = slot;
        }
        if (previous != back_ || listed != size_) {
            return false;
        }
        std::size_t present = 0;
        const slot_id first = v.next(no_slot);
        for (slot_id slot = first; slot != no_slot && present <= size_; slot = v.next(slot)) {
            ++present;
            if (v.next(slot) == first) {
                break;
            }
        }
        return present == size_;
    }

private:
    /// Whether both neighbours lead to the slot, whose links are those of `here`.
    template <class View>
    [[nodiscard]] bool is_linked(const View& v, slot_id slot, const links& here) const noexcept {
        return (here.previous == no_slot ? front_ == slot : v.get(here.previous).next == slot) &&
               (here.next == no_slot ? back_ == slot : v.get(here.next).previous == slot);
    }
    template <class View>
    static void set_next(View& v, slot_id slot, slot_id next) noexcept {
        links l = v.get(slot);
        l.next = next;
        v.set(slot, l);
    }
    template <class View>
    static void set_previous(View& v, slot_id slot, slot_id previous) noexcept {
        links l = v.get(slot);
        l.previous = previous;
        v.set(slot, l);
    }

    slot_id front_ = no_slot;
    slot_id back_ = no_slot;
    std::size_t size_ = 0;
};

} // namespace pagefold
