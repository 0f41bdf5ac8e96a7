// SPDX-License-Identifier: MIT
#pragma once

#include "block_map.hpp"

#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/hosted/std_mutex.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>

// A disk whose blocks are the pages of one pool. A block that was never written, or was trimmed, is not stored and reads as
// zeros; so a trim is an erase, and a disk of any size takes memory for what was written alone.
//
// Requests that cover a part of a page read it, change it and put it again. What keeps two of them, or one of them and a
// write of the whole page, from losing bytes of each other is a lock for each page's number modulo `lock_count`, held over
// the put: a disk may let requests overlap in any order, but not undo the one by the other.
//
// Which blocks are written is a bit map beside the store: a bit is set before the block's put and cleared after its erase. So
// holes cost neither a request's reader nor the store anything: a trim erases what is written in its range, and a client that
// asks for the disk's map, to copy what is in use, gets it from the bits.
//
// A put that the store refuses (its limit, or the system's memory) leaves no version of the page behind: the store's
// contract, as nobody may read what was overwritten. A disk can't let that pass for zeros. A block that is written by the
// map and that the store does not have, as its lock's holder sees them, was lost: reads answer an I/O error until it is
// written or trimmed.

namespace nbd_disk {

class store_disk {
public:
    static constexpr std::size_t page_size = 4096;
    static constexpr std::uint64_t max_bytes = std::uint64_t{1} << 44;

    /// `bytes` is at most max_bytes; `limit_bytes` bounds all memory of the store.
    store_disk(std::uint64_t bytes, std::size_t limit_bytes) noexcept
        : bytes_{bytes}, store_{memory_, {.limit_bytes = limit_bytes, .partitions = partitions}} {}

    /// 0, or an errno.
    [[nodiscard]] int open() noexcept {
        if (!written_.open(bytes_ / page_size + 1)) {
            return ENOMEM;
        }
        const pagefold::result<pagefold::pool_id> pool = store_.create_pool();
        if (!pool) {
            return ENOMEM;
        }
        pool_ = *pool;
        return 0;
    }

    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] pagefold::store_stats stats() const noexcept { return store_.stats(); }
    [[nodiscard]] bool check() const noexcept { return store_.check(); }

    /// EINVAL beyond the end of the disk, EIO where a block is corrupt or was lost to a refused write.
    [[nodiscard]] int read(std::byte* to, std::uint64_t at, std::uint64_t count) noexcept {
        return for_each_page(at, count, [&](std::uint64_t page, std::size_t from, std::size_t length) noexcept {
            int error = 0;
            if (length == page_size) {
                error = read_page(page, to);
            } else {
                page_bytes whole;
                error = read_page(page, whole.data());
                std::memcpy(to, whole.data() + from, length);
            }
            to += length;
            return error;
        });
    }

    /// As read; ENOSPC where the store has no room: then the block is lost.
    [[nodiscard]] int write(const std::byte* data, std::uint64_t at, std::uint64_t count) noexcept {
        return for_each_page(at, count, [&](std::uint64_t page, std::size_t from, std::size_t length) noexcept {
            const std::lock_guard guard{lock_of(page)};
            int error = 0;
            if (length == page_size) {
                error = save(page, data);
            } else {
                error = change(page, [&](std::byte* to) noexcept { std::memcpy(to + from, data, length); });
            }
            data += length;
            return error;
        });
    }

    /// Makes it read as zeros, and frees the pages that it covers whole; the last page of the disk ends where the disk does.
    /// Cost: what is written there, and a bit for each page.
    [[nodiscard]] int clear(std::uint64_t at, std::uint64_t count) noexcept {
        const auto clear_part = [&](std::uint64_t page, std::size_t from, std::size_t length) noexcept {
            const std::lock_guard guard{lock_of(page)};
            if (!written_.has(page)) {
                return 0;
            }
            return change(page, [&](std::byte* to) noexcept { std::memset(to + from, 0, length); });
        };
        if (!is_within(at, count)) {
            return EINVAL;
        }
        const std::uint64_t end = at + count;
        const std::uint64_t first = pages_up_to(at);
        const std::uint64_t last = end == bytes_ ? pages_up_to(end) : end / page_size;
        if (first >= last) {
            return for_each_page(at, count, clear_part);
        }
        clear_pages(first, last);
        const int error = for_each_page(at, first * page_size - at, clear_part);
        const std::uint64_t tail = std::min(last * page_size, end);
        return error != 0 ? error : for_each_page(tail, end - tail, clear_part);
    }

    struct extent {
        std::uint64_t bytes;
        bool is_written; ///< otherwise a hole, and zeros
    };
    /// What is at `at`, and how far the same goes on, but not beyond `end`, which is above `at` and within the disk.
    [[nodiscard]] extent extent_at(std::uint64_t at, std::uint64_t end) const noexcept {
        const bool is_written = written_.has(at / page_size);
        const std::uint64_t other = written_.find(at / page_size + 1, pages_up_to(end), !is_written);
        return {std::min(other * page_size, end) - at, is_written}; // at least a byte, whatever is written meanwhile
    }

private:
    struct config : pagefold::default_config {
        using lock_type = pagefold::std_mutex; // threads here are preempted, which a spin lock would wait for
    };
    using page_bytes = std::array<std::byte, page_size>;

    static constexpr std::size_t partitions = 4;
    static constexpr std::size_t lock_count = 64;

    [[nodiscard]] bool is_within(std::uint64_t at, std::uint64_t count) const noexcept {
        return at <= bytes_ && count <= bytes_ - at;
    }
    /// Pages that begin before `at`.
    [[nodiscard]] static std::uint64_t pages_up_to(std::uint64_t at) noexcept {
        return at / page_size + (at % page_size != 0 ? 1 : 0);
    }

    /// Calls `action(page, offset in it, length)` for each page that the range touches, until one answers an error.
    template <class Action>
    int for_each_page(std::uint64_t at, std::uint64_t count, Action action) noexcept {
        if (!is_within(at, count)) {
            return EINVAL;
        }
        int error = 0;
        while (count > 0 && error == 0) {
            const std::size_t from = at % page_size;
            const std::size_t length = static_cast<std::size_t>(std::min<std::uint64_t>(page_size - from, count));
            error = action(at / page_size, from, length);
            at += length;
            count -= length;
        }
        return error;
    }

    void clear_pages(std::uint64_t first, std::uint64_t last) noexcept {
        for (std::uint64_t page = first; (page = written_.find(page, last, true)) < last; ++page) {
            const std::lock_guard guard{lock_of(page)};
            static_cast<void>(store_.erase(key_of(page))); // not_found: it was lost, or another trim was first
            written_.remove(page);
        }
    }

    [[nodiscard]] int read_page(std::uint64_t page, std::byte* to) noexcept {
        bool is_absent = false;
        const int error = load(page, to, is_absent);
        if (!is_absent) {
            return error;
        }
        // Between the bit and the store a write or a trim may stand: only the lock tells that from a loss.
        const std::lock_guard guard{lock_of(page)};
        return load(page, to, is_absent);
    }
    /// What it answers of a page that is written, and absent all the same, holds for the lock's holder alone.
    [[nodiscard]] int load(std::uint64_t page, std::byte* to, bool& is_absent) noexcept {
        is_absent = false;
        if (!written_.has(page)) {
            std::memset(to, 0, page_size);
            return 0;
        }
        switch (store_.get(key_of(page), {to, page_size})) {
        case pagefold::status::ok: return 0;
        case pagefold::status::not_found: is_absent = true; return EIO;
        case pagefold::status::no_memory:
        case pagefold::status::limit: return ENOMEM; // the first request of all, which asks for the codec's memory
        default: return EIO;
        }
    }

    [[nodiscard]] int save(std::uint64_t page, const std::byte* from) noexcept {
        written_.add(page);
        return store_.put(key_of(page), {from, page_size}) == pagefold::status::ok ? 0 : ENOSPC;
    }

    template <class Change>
    [[nodiscard]] int change(std::uint64_t page, Change change_bytes) noexcept {
        page_bytes whole;
        bool is_absent = false;
        if (const int error = load(page, whole.data(), is_absent); error != 0) {
            return error;
        }
        change_bytes(whole.data());
        return save(page, whole.data());
    }

    [[nodiscard]] pagefold::page_key key_of(std::uint64_t page) const noexcept { return {pool_, 0, page}; }
    [[nodiscard]] std::mutex& lock_of(std::uint64_t page) noexcept { return locks_[page % lock_count]; }

    std::uint64_t bytes_;
    pagefold::mmap_source<> memory_;
    pagefold::partitioned_store<config> store_;
    pagefold::pool_id pool_{};
    std::array<std::mutex, lock_count> locks_;
    block_map written_;
};

} // namespace nbd_disk
