// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/platform/concept.hpp>
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/platform/page_bitmap.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Hands out pages of one range of memory that the caller gives: a static array, a memory bank, a carve-out.
///
/// The range need not be aligned; what lies before the first page boundary is not used. Behind the last page that is
/// handed out lies a bitmap of one bit a page: the only overhead, and free of charge where the range doesn't end on a
/// page boundary. First fit; acquire and release cost a walk over at most one word for 64 pages, from the lowest that
/// has a free page. The memory must outlive the source. Safe from many threads if `Lock` is a lock.
template <lockable Lock = null_lock>
class static_source {
public:
    /// `page_size` is a power of two, at least 4096.
    explicit static_source(byte_span range, std::size_t page_size = 4096) noexcept : page_size_{page_size} {
        PAGEFOLD_CHECK(is_power_of_two(page_size) && page_size >= 4096);
        const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(range.data());
        const std::size_t skipped = -begin & (page_size - 1);
        if (skipped >= range.size()) {
            return;
        }
        base_ = range.data() + skipped;
        const std::size_t bytes = range.size() - skipped;
        const auto is_too_much = [&](std::size_t pages) {
            return pages * page_size + page_bitmap::words_for(pages) * sizeof(std::uint64_t) > bytes;
        };
        pages_ = bytes / page_size;
        while (pages_ > 0 && is_too_much(pages_)) {
            --pages_;
        }
        map().reset();
    }
    static_source(const static_source&) = delete;
    static_source& operator=(const static_source&) = delete;

    [[nodiscard]] std::size_t page_size() const noexcept { return page_size_; }

    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        if (pages == 0 || is_strict(node)) {
            return status::invalid;
        }
        const lock_guard guard{lock_};
        if (pages > pages_ - acquired_) {
            return status::no_memory;
        }
        const std::size_t first = map().find_clear(pages, lowest_free_);
        if (first == page_bitmap::npos) {
            return status::no_memory;
        }
        map().set(first, pages);
        acquired_ += pages;
        if (first == lowest_free_) {
            lowest_free_ = map().next_clear_run(first + pages).first;
        }
        return static_cast<void*>(base_ + first * page_size_);
    }

    void release(void* p, std::size_t pages) noexcept {
        const std::size_t offset = static_cast<std::size_t>(static_cast<std::byte*>(p) - base_);
        const std::size_t first = offset / page_size_;
        const lock_guard guard{lock_};
        const bool ours = offset % page_size_ == 0 && first < pages_ && pages != 0 && pages <= pages_ - first &&
                          map().all_set(first, pages);
        PAGEFOLD_CHECK(ours);
        if (!ours) {
            return;
        }
        map().clear(first, pages);
        acquired_ -= pages;
        lowest_free_ = first < lowest_free_ ? first : lowest_free_;
    }

    // Standstill, as of a store (basic_store.hpp): after those of the stores that it is behind.

    status quiesce() noexcept {
        lock_.lock();
        return status::ok;
    }
    void resume() noexcept { lock_.unlock(); }
    void resume_alone() noexcept {
        lock_.unlock();
        renew(lock_);
    }

    /// Bytes that can be acquired in all.
    [[nodiscard]] std::size_t capacity_bytes() const noexcept { return pages_ * page_size_; }
    /// Bytes acquired and not released.
    [[nodiscard]] std::size_t acquired_bytes() const noexcept {
        const lock_guard guard{lock_};
        return acquired_ * page_size_;
    }
    /// Walks the bitmap; false when it is damaged.
    [[nodiscard]] bool check() const noexcept {
        const lock_guard guard{lock_};
        std::size_t free = 0;
        for (page_bitmap::run r = map().next_clear_run(0); r.count != 0; r = map().next_clear_run(r.first + r.count)) {
            free += r.count;
        }
        return free == pages_ - acquired_ && map().next_clear_run(0).first == lowest_free_;
    }

private:
    [[nodiscard]] page_bitmap map() const noexcept {
        return {static_cast<std::uint64_t*>(static_cast<void*>(base_ + pages_ * page_size_)), pages_};
    }

    mutable Lock lock_{};
    std::size_t page_size_;
    std::byte* base_ = nullptr;
    std::size_t pages_ = 0;
    std::size_t acquired_ = 0;
    std::size_t lowest_free_ = 0; // page number; pages_ when none is
};

} // namespace pagefold
