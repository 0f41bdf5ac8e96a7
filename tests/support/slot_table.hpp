// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace pagefold::testing {

/// A slot_view over a plain array. Notes every touch of a hook whose slot holds no page.
template <class Hook>
class slot_table {
public:
    explicit slot_table(std::size_t slots) : hooks_(slots), present_(slots, false), read_(slots, false) {}

    /// A page comes to the slot: its hook is all-zero.
    void add(slot_id slot) {
        hooks_[slot] = Hook{};
        present_[slot] = true;
    }
    void remove(slot_id slot) { present_[slot] = false; }
    /// The page in `from` goes to `to`, its hook with it.
    void move(slot_id from, slot_id to) {
        hooks_[to] = hooks_[from];
        present_[to] = true;
        present_[from] = false;
    }
    /// Counts anew whose hooks are read.
    void forget_reads() { read_.assign(read_.size(), false); }
    /// Slots whose hooks were read since.
    [[nodiscard]] std::size_t slots_read() const {
        return static_cast<std::size_t>(std::count(read_.begin(), read_.end(), true));
    }
    [[nodiscard]] bool has(slot_id slot) const noexcept { return slot < present_.size() && present_[slot]; }
    [[nodiscard]] bool was_misused() const noexcept { return was_misused_; }

    [[nodiscard]] Hook get(slot_id slot) const noexcept {
        if (!has(slot)) {
            was_misused_ = true;
            return Hook{};
        }
        read_[slot] = true;
        return hooks_[slot];
    }
    void set(slot_id slot, Hook hook) noexcept {
        if (!has(slot)) {
            was_misused_ = true;
            return;
        }
        hooks_[slot] = hook;
    }
    [[nodiscard]] slot_id next(slot_id slot) const noexcept {
        const std::size_t start = slot == no_slot ? 0 : slot + std::size_t{1};
        for (std::size_t i = 0; i < present_.size(); ++i) {
            const std::size_t at = (start + i) % present_.size();
            if (present_[at]) {
                return static_cast<slot_id>(at);
            }
        }
        return no_slot;
    }

private:
    std::vector<Hook> hooks_;
    std::vector<bool> present_;
    mutable std::vector<bool> read_;
    mutable bool was_misused_ = false;
};

} // namespace pagefold::testing
