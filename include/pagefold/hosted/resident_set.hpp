// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/evict/concept.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <sys/mman.h>
#include <type_traits>

// Where every page of a paged region is, and which of the resident ones goes next.
//
// A hosted program sees no accessed bits. What it sees is the fault: a page that comes back soon after it went should not
// have gone. "Soon" is Linux's measure (mm/workingset.c): the number of evictions in between, the refault distance, is no
// more than the pages that are resident; with that many more it would have stayed. Such a page is inserted and hit, any
// other is only inserted. A policy with a use for hits (clock, lru) keeps it longer.
//
// Costs five bytes a page, one bit, and the policy's hook; untouched parts of a region cost nothing.

namespace pagefold::inline PAGEFOLD_ABI {

enum class page_place : std::uint8_t {
    nowhere,  ///< never written, or discarded: reads as zeros
    resident, ///< mapped in the region
    queued,   ///< not mapped, its bytes still in a frame of the pager's
    stored,   ///< in the store alone
    lost,     ///< its stored bytes were found corrupt
};

/// Not thread-safe: the pager's lock is held around every call.
template <eviction_policy Policy>
class resident_set {
    using hook = typename Policy::hook;

public:
    resident_set() noexcept = default;
    resident_set(const resident_set&) = delete;
    resident_set& operator=(const resident_set&) = delete;
    ~resident_set() { close(); }

    /// False where there is no memory. `pages` is below 2^32 − 64.
    [[nodiscard]] bool open(std::size_t pages) noexcept {
        close();
        const std::size_t words = pages / 64 + 1;
        bytes_ = words * sizeof(std::uint64_t) + pages * (sizeof(std::uint32_t) + 2) + hook_alignment +
                 (hooks_in_table ? pages * sizeof(hook) : 0);
        void* const memory =
            mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) {
            bytes_ = 0;
            return false;
        }
        auto* at = static_cast<std::byte*>(memory);
        table_ = memory;
        pages_ = pages;
        is_resident_ = take<std::uint64_t>(at, words);
        stamps_ = take<std::uint32_t>(at, pages);
        places_ = take<page_place>(at, pages);
        flags_ = take<std::uint8_t>(at, pages);
        at += (hook_alignment - reinterpret_cast<std::uintptr_t>(at) % hook_alignment) % hook_alignment;
        hooks_ = take<hook>(at, hooks_in_table ? pages : 0);
        return true;
    }
    void close() noexcept {
        if (table_ != nullptr) {
            munmap(table_, bytes_);
        }
        table_ = nullptr;
        policy_ = Policy{};
        pages_ = resident_ = 0;
        evictions_ = 0;
    }

    [[nodiscard]] std::size_t pages() const noexcept { return pages_; }
    [[nodiscard]] std::size_t resident() const noexcept { return resident_; }
    [[nodiscard]] page_place place(slot_id page) const noexcept { return places_[page]; }
    void set_place(slot_id page, page_place place) noexcept { places_[page] = place; }

    /// Whether a copy elsewhere (in the store, or the zeros of a page that is nowhere) is as good as the page was when it
    /// was protected from writing.
    [[nodiscard]] bool has_copy(slot_id page) const noexcept { return (flags_[page] & copy_flag) != 0; }
    /// Whether that copy is in the store.
    [[nodiscard]] bool is_stored(slot_id page) const noexcept { return (flags_[page] & stored_flag) != 0; }
    void set_copy(slot_id page, bool has_copy, bool is_stored) noexcept {
        flags_[page] = static_cast<std::uint8_t>((has_copy ? copy_flag : 0) | (is_stored ? stored_flag : 0));
    }

    /// A number that belongs to the place: of a queued page its frame.
    [[nodiscard]] std::uint32_t stamp(slot_id page) const noexcept { return stamps_[page]; }
    void set_stamp(slot_id page, std::uint32_t stamp) noexcept { stamps_[page] = stamp; }

    /// The page left memory: from here its refault distance counts.
    void note_eviction(slot_id page) noexcept { stamps_[page] = evictions_++; }
    /// Whether a page that left memory comes back soon.
    [[nodiscard]] bool is_refault(slot_id page) const noexcept { return evictions_ - stamps_[page] <= resident_; }

    void insert(slot_id page, bool was_wanted) noexcept {
        PAGEFOLD_CHECK(places_[page] != page_place::resident);
        places_[page] = page_place::resident;
        is_resident_[page / 64] |= std::uint64_t{1} << page % 64;
        ++resident_;
        view v{*this};
        v.set(page, hook{});
        policy_.on_insert(v, page);
        if (was_wanted) {
            policy_.on_hit(v, page);
        }
    }
    void hit(slot_id page) noexcept {
        view v{*this};
        policy_.on_hit(v, page);
    }
    /// A resident page goes for another reason than eviction.
    void remove(slot_id page, page_place to) noexcept {
        view v{*this};
        policy_.on_remove(v, page);
        forget(page, to);
    }
    /// The policy's victim, which is no longer resident and is said to be at `to`; no_slot where none satisfies the predicate.
    template <std::predicate<slot_id> Predicate>
    [[nodiscard]] slot_id evict(page_place to, Predicate&& predicate) noexcept {
        view v{*this};
        std::size_t steps = ~std::size_t{0};
        const slot_id victim = policy_.evict(v, predicate, steps);
        if (victim != no_slot) {
            forget(victim, to);
        }
        return victim;
    }
    /// Whether no page of first … last − 1 is resident.
    [[nodiscard]] bool none_between(slot_id first, slot_id last) const noexcept {
        for (slot_id page = first; page < last; ++page) {
            if ((is_resident_[page / 64] >> page % 64 & 1u) != 0) {
                return false;
            }
        }
        return true;
    }

    /// Walks everything.
    [[nodiscard]] bool check() noexcept {
        std::size_t count = 0;
        for (std::size_t page = 0; page < pages_; ++page) {
            const bool bit = (is_resident_[page / 64] >> page % 64 & 1u) != 0;
            if (bit != (places_[page] == page_place::resident)) {
                return false;
            }
            count += bit ? 1u : 0u;
        }
        view v{*this};
        return count == resident_ && policy_.size() == resident_ && policy_.check(v);
    }

private:
    static constexpr std::uint8_t copy_flag = 1, stored_flag = 2;
    static constexpr bool hooks_in_table = !std::is_empty_v<hook>;
    static constexpr std::size_t hook_alignment = alignof(hook) < 8 ? 8 : alignof(hook);

    struct view {
        resident_set& owner;

        [[nodiscard]] hook get(slot_id slot) const noexcept { return owner.hooks_[slot]; }
        void set(slot_id slot, hook h) noexcept { owner.hooks_[slot] = h; }
        [[nodiscard]] slot_id next(slot_id slot) const noexcept { return owner.next(slot); }
    };

    template <class T>
    [[nodiscard]] static T* take(std::byte*& at, std::size_t count) noexcept {
        T* const found = static_cast<T*>(static_cast<void*>(at));
        at += count * sizeof(T);
        return found;
    }
    void forget(slot_id page, page_place to) noexcept {
        PAGEFOLD_CHECK(places_[page] == page_place::resident && resident_ > 0);
        places_[page] = to;
        is_resident_[page / 64] &= ~(std::uint64_t{1} << page % 64);
        --resident_;
    }
    [[nodiscard]] slot_id next(slot_id slot) const noexcept {
        if (resident_ == 0) {
            return no_slot;
        }
        const std::size_t words = pages_ / 64 + 1;
        const std::size_t start = slot == no_slot || slot + std::size_t{1} >= pages_ ? 0 : slot + std::size_t{1};
        std::uint64_t word = is_resident_[start / 64] & ~low_bits(start % 64);
        std::size_t at = start / 64;
        while (word == 0) {
            at = at + 1 == words ? 0 : at + 1;
            word = is_resident_[at];
        }
        return static_cast<slot_id>(at * 64 + trailing_zeros(word));
    }

    void* table_ = nullptr;
    std::size_t bytes_ = 0;
    std::size_t pages_ = 0;
    std::size_t resident_ = 0;
    std::uint32_t evictions_ = 0;
    std::uint64_t* is_resident_ = nullptr;
    std::uint32_t* stamps_ = nullptr;
    page_place* places_ = nullptr;
    std::uint8_t* flags_ = nullptr;
    hook* hooks_ = nullptr;
    Policy policy_{};
};

} // namespace pagefold
