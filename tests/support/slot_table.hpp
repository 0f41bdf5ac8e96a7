// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <list>
#include <unordered_map>
#include <utility>
#include <vector>

namespace pagefold::testing {

/// A slot_view over a plain array, and a ghost_view. Notes every touch of a hook whose slot holds no page. The page of a slot
/// is its key until name() gives it another; the ghost is a list of them, as long as set_ghost() says.
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

    // The ghost.

    void name(slot_id slot, std::uint64_t key) {
        keys_.resize(present_.size(), no_key);
        keys_[slot] = key;
    }
    [[nodiscard]] std::uint64_t key_of(slot_id slot) const {
        return slot < keys_.size() && keys_[slot] != no_key ? keys_[slot] : slot;
    }
    /// The keys that left last, at most so many; 0 is what it starts with.
    void set_ghost(std::size_t most) {
        most_known_ = most;
        shorten();
    }
    void remember(slot_id slot) noexcept {
        was_misused_ = was_misused_ || !has(slot);
        last_remembered_ = slot;
        static_cast<void>(forget(key_of(slot)));
        queue_.push_front(key_of(slot));
        known_[key_of(slot)] = queue_.begin();
        shorten();
    }
    [[nodiscard]] bool recall(slot_id slot) noexcept {
        was_misused_ = was_misused_ || !has(slot);
        return forget(key_of(slot));
    }
    [[nodiscard]] bool knows(std::uint64_t key) const { return known_.count(key) != 0; }
    /// Whether the page in the slot is the last that was remembered, since the last question.
    [[nodiscard]] bool was_remembered(slot_id slot) noexcept {
        return std::exchange(last_remembered_, no_slot) == slot;
    }

private:
    static constexpr std::uint64_t no_key = ~std::uint64_t{0};

    bool forget(std::uint64_t key) {
        const auto found = known_.find(key);
        if (found == known_.end()) {
            return false;
        }
        queue_.erase(found->second);
        known_.erase(found);
        return true;
    }
    void shorten() {
        while (queue_.size() > most_known_) {
            static_cast<void>(forget(queue_.back()));
        }
    }

    std::vector<std::uint64_t> keys_;
    std::list<std::uint64_t> queue_; // the keys that are known, that which left last first
    std::unordered_map<std::uint64_t, std::list<std::uint64_t>::iterator> known_;
    std::size_t most_known_ = 0;
    slot_id last_remembered_ = no_slot;
    std::vector<Hook> hooks_;
    std::vector<bool> present_;
    mutable std::vector<bool> read_;
    mutable bool was_misused_ = false;
};

} // namespace pagefold::testing
