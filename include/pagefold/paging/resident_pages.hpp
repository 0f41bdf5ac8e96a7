// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/evict/concept.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

// The pages that are in memory, and an eviction policy over them: a bit a page, a bit for 64 of those, and the policy's
// hooks, in the host's memory.
//
// The bits of bits are what a policy's step costs where few pages of a large region are in memory: from one resident
// page to the next it reads a word for 4096 absent ones. In a region of a million pages with one resident that is 256
// words.

namespace pagefold::inline PAGEFOLD_ABI {

/// Not thread-safe. Pages are below the number it was opened with. insert and remove are O(1) and the policy's cost.
template <eviction_policy Policy>
class resident_pages {
    using hook = typename Policy::hook;

public:
    [[nodiscard]] static constexpr std::size_t alignment() noexcept {
        return alignof(hook) < alignof(std::uint64_t) ? alignof(std::uint64_t) : alignof(hook);
    }
    /// A whole number of alignment(), so that something else may lie behind it.
    [[nodiscard]] static constexpr std::size_t bytes_for(std::size_t pages) noexcept {
        const std::size_t bits = (words_for(pages) + words_for(words_for(pages))) * sizeof(std::uint64_t);
        return round_up(round_up(bits, alignment()) + (hooks_in_table ? pages * sizeof(hook) : 0), alignment());
    }
    /// `memory` is aligned to alignment(), has bytes_for(pages) bytes, all zero, and is somebody else's.
    void open(std::byte* memory, std::size_t pages) noexcept {
        policy_ = Policy{};
        pages_ = pages;
        count_ = 0;
        bits_ = static_cast<std::uint64_t*>(static_cast<void*>(memory));
        sums_ = bits_ + words_for(pages);
        hooks_ = static_cast<hook*>(static_cast<void*>(
            memory + round_up((words_for(pages) + words_for(words_for(pages))) * sizeof(std::uint64_t), alignment())));
    }

    /// Of no page, and without memory, as before the first open.
    void close() noexcept {
        policy_ = Policy{};
        bits_ = sums_ = nullptr;
        hooks_ = nullptr;
        pages_ = count_ = 0;
    }

    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] bool has(slot_id page) const noexcept {
        PAGEFOLD_CHECK(page < pages_);
        return (bits_[page / 64] >> page % 64 & 1) != 0;
    }
    /// `was_wanted`: it should not have gone. A policy that remembers knows it; of any other it is hit as well, so that
    /// one with a use for hits keeps it longer.
    void insert(slot_id page, bool was_wanted) noexcept {
        PAGEFOLD_CHECK(!has(page));
        bits_[page / 64] |= std::uint64_t{1} << page % 64;
        sums_[page / 4096] |= std::uint64_t{1} << page / 64 % 64;
        ++count_;
        view v{*this, was_wanted};
        v.set(page, hook{});
        policy_.on_insert(v, page);
        if (was_wanted && !remembering_policy<Policy>) {
            policy_.on_hit(v, page);
        }
    }
    void hit(slot_id page) noexcept {
        view v{*this};
        policy_.on_hit(v, page);
    }
    void remove(slot_id page) noexcept {
        view v{*this};
        policy_.on_remove(v, page);
        forget(page);
    }
    /// The policy's victim, which is resident no longer. no_slot: none satisfies the predicate, or no steps are left.
    template <std::predicate<slot_id> Predicate>
    [[nodiscard]] slot_id evict(Predicate&& predicate, std::size_t& steps) noexcept {
        view v{*this};
        const slot_id victim = policy_.evict(v, predicate, steps);
        if (victim != no_slot) {
            forget(victim);
        }
        return victim;
    }
    /// The first resident page behind `page`, in a round; no_slot begins it, and is the answer where there is none.
    [[nodiscard]] slot_id next(slot_id page) const noexcept {
        if (count_ == 0) {
            return no_slot;
        }
        const std::size_t start = page == no_slot || page + std::size_t{1} >= pages_ ? 0 : page + std::size_t{1};
        const std::uint64_t here = bits_[start / 64] & ~low_bits(start % 64);
        return static_cast<slot_id>(here != 0 ? start / 64 * 64 + trailing_zeros(here) : first_behind(start / 64));
    }

    /// Walks everything.
    [[nodiscard]] bool check() noexcept {
        std::size_t found = 0;
        for (std::size_t word = 0; word < words_for(pages_); ++word) {
            found += count_ones(bits_[word]);
            if ((bits_[word] != 0) != ((sums_[word / 64] >> word % 64 & 1) != 0)) {
                return false;
            }
        }
        view v{*this};
        return found == count_ && policy_.size() == count_ && policy_.check(v);
    }

private:
    static constexpr bool hooks_in_table = !std::is_empty_v<hook>;

    struct view {
        resident_pages& owner;
        bool is_known = false;

        [[nodiscard]] hook get(slot_id slot) const noexcept {
            if constexpr (hooks_in_table) {
                return owner.hooks_[slot];
            } else {
                return hook{};
            }
        }
        void set(slot_id slot, hook h) noexcept {
            if constexpr (hooks_in_table) {
                owner.hooks_[slot] = h;
            }
        }
        [[nodiscard]] slot_id next(slot_id slot) const noexcept { return owner.next(slot); }
        // For policies that remember pages which left: a pager's own stamps tell which those are (region_pager.hpp).
        void remember(slot_id) const noexcept {}
        [[nodiscard]] bool recall(slot_id) noexcept {
            const bool was_known = is_known;
            is_known = false;
            return was_known;
        }
    };

    [[nodiscard]] static constexpr std::size_t words_for(std::size_t bits) noexcept { return bits / 64 + 1; }

    /// The first page in a word behind that one, in a round that ends with the word itself.
    [[nodiscard]] std::size_t first_behind(std::size_t word) const noexcept {
        const std::size_t sums = words_for(words_for(pages_));
        const std::size_t start = word + 1 < words_for(pages_) ? word + 1 : 0;
        std::size_t at = start / 64;
        std::uint64_t sum = sums_[at] & ~low_bits(start % 64);
        while (sum == 0) {
            at = at + 1 == sums ? 0 : at + 1;
            sum = sums_[at];
        }
        const std::size_t found = at * 64 + trailing_zeros(sum);
        return found * 64 + trailing_zeros(bits_[found]);
    }
    void forget(slot_id page) noexcept {
        PAGEFOLD_CHECK(has(page) && count_ > 0);
        std::uint64_t& word = bits_[page / 64];
        word &= ~(std::uint64_t{1} << page % 64);
        if (word == 0) {
            sums_[page / 4096] &= ~(std::uint64_t{1} << page / 64 % 64);
        }
        --count_;
    }

    std::uint64_t* bits_ = nullptr;
    std::uint64_t* sums_ = nullptr;
    hook* hooks_ = nullptr;
    std::size_t pages_ = 0;
    std::size_t count_ = 0;
    Policy policy_{};
};

} // namespace pagefold
