// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/types.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <sys/mman.h>
#include <utility>

// Which pages of a region a snapshot still has to save: a bit a page. Made for a snapshot and given back with it, so that a
// region of which none is made pays nothing.

namespace pagefold::inline PAGEFOLD_ABI {

/// A set of page numbers. Closed, it is empty and may be asked. Not thread-safe: the pager's lock is held around every call.
class unsaved_pages {
public:
    unsaved_pages() noexcept = default;
    unsaved_pages(const unsaved_pages&) = delete;
    unsaved_pages& operator=(const unsaved_pages&) = delete;
    ~unsaved_pages() { close(); }

    /// An empty set for pages below `pages`. False where there is no memory: then it is closed.
    [[nodiscard]] bool open(std::size_t pages) noexcept {
        close();
        const std::size_t words = pages / 64 + 1;
        void* const memory = mmap(nullptr, words * sizeof(std::uint64_t), PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (memory == MAP_FAILED) {
            return false;
        }
        words_ = static_cast<std::uint64_t*>(memory);
        word_count_ = words;
        pages_ = pages;
        return true;
    }
    void close() noexcept {
        if (words_ != nullptr) {
            munmap(std::exchange(words_, nullptr), word_count_ * sizeof(std::uint64_t));
        }
        pages_ = word_count_ = count_ = 0;
    }

    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    [[nodiscard]] bool has(slot_id page) const noexcept {
        return count_ != 0 && page < pages_ && (words_[page / 64] >> page % 64 & 1u) != 0;
    }
    /// Of an open set. What is in it already, stays.
    void add(slot_id page) noexcept {
        PAGEFOLD_CHECK(page < pages_);
        count_ += (words_[page / 64] >> page % 64 & 1u) == 0 ? 1u : 0u;
        words_[page / 64] |= std::uint64_t{1} << page % 64;
    }
    void remove(slot_id page) noexcept {
        if (has(page)) {
            words_[page / 64] &= ~(std::uint64_t{1} << page % 64);
            --count_;
        }
    }
    /// The first page of the set from `from` on, or no_slot. Costs a step for 64 pages.
    [[nodiscard]] slot_id next(slot_id from) const noexcept {
        std::size_t word = from / 64;
        if (count_ == 0 || from >= pages_) {
            return no_slot;
        }
        std::uint64_t bits = words_[word] & ~std::uint64_t{0} << from % 64;
        while (bits == 0) {
            if (++word == word_count_) {
                return no_slot;
            }
            bits = words_[word];
        }
        return static_cast<slot_id>(word * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
    }

private:
    std::uint64_t* words_ = nullptr;
    std::size_t word_count_ = 0;
    std::size_t pages_ = 0;
    std::size_t count_ = 0;
};

} // namespace pagefold
