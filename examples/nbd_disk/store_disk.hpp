// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/hosted/std_mutex.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>

// A disk whose blocks are the pages of one pool. A block that was never written, or was trimmed, is not stored and reads as
// zeros; so a trim is an erase, and a disk of any size takes memory for what was written alone.
//
// Requests that cover a part of a page read it, change it and put it again. What keeps two of them, or one of them and a
// write of the whole page, from losing bytes of each other is a lock for each page's number modulo `lock_count`, held over
// the put: a disk may let requests overlap in any order, but not undo the one by the other.
//
// A put that the store refuses (its limit, or the system's memory) leaves no version of the page behind: the store's
// contract, as nobody may read what was overwritten. A disk can't let that pass for zeros. It remembers those blocks in a bit
// map, whose memory the system gives where it is first written, and answers reads of them with an I/O error until they are
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
        lost_.reset(static_cast<std::uint64_t*>(std::calloc(bytes_ / page_size / 64 + 1, sizeof(std::uint64_t))));
        if (lost_ == nullptr) {
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
                error = load(page, to);
            } else {
                page_bytes whole;
                error = load(page, whole.data());
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

    /// Makes it read as zeros, and frees the pages that it covers whole.
    [[nodiscard]] int clear(std::uint64_t at, std::uint64_t count) noexcept {
        return for_each_page(at, count, [&](std::uint64_t page, std::size_t from, std::size_t length) noexcept {
            const std::lock_guard guard{lock_of(page)};
            if (length == page_size) {
                static_cast<void>(store_.erase(key_of(page))); // not_found: they are zeros already
                forget_lost(page);
                return 0;
            }
            return change(page, [&](std::byte* to) noexcept { std::memset(to + from, 0, length); });
        });
    }

private:
    struct config : pagefold::default_config {
        using lock_type = pagefold::std_mutex; // threads here are preempted, which a spin lock would wait for
    };
    using page_bytes = std::array<std::byte, page_size>;

    static constexpr std::size_t partitions = 4;
    static constexpr std::size_t lock_count = 64;

    /// Calls `action(page, offset in it, length)` for each page that the range touches, until one answers an error.
    template <class Action>
    int for_each_page(std::uint64_t at, std::uint64_t count, Action action) noexcept {
        if (at > bytes_ || count > bytes_ - at) {
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

    [[nodiscard]] int load(std::uint64_t page, std::byte* to) noexcept {
        switch (store_.get(key_of(page), {to, page_size})) {
        case pagefold::status::ok: return 0;
        case pagefold::status::not_found: std::memset(to, 0, page_size); return is_lost(page) ? EIO : 0;
        case pagefold::status::no_memory:
        case pagefold::status::limit: return ENOMEM; // the first request of all, which asks for the codec's memory
        default: return EIO;
        }
    }

    [[nodiscard]] int save(std::uint64_t page, const std::byte* from) noexcept {
        const pagefold::status s = store_.put(key_of(page), {from, page_size});
        if (s == pagefold::status::ok) {
            forget_lost(page);
            return 0;
        }
        lost_word(page).fetch_or(bit_of(page),
                                 std::memory_order_relaxed); // read under the page's lock, or at a race's risk
        return ENOSPC;
    }

    template <class Change>
    [[nodiscard]] int change(std::uint64_t page, Change change_bytes) noexcept {
        page_bytes whole;
        if (const int error = load(page, whole.data()); error != 0) {
            return error;
        }
        change_bytes(whole.data());
        return save(page, whole.data());
    }

    // A map of bits that several locks share: only their words' updates need to be atomic.
    [[nodiscard]] bool is_lost(std::uint64_t page) noexcept {
        return (lost_word(page).load(std::memory_order_relaxed) & bit_of(page)) != 0;
    }
    void forget_lost(std::uint64_t page) noexcept {
        if (is_lost(page)) {
            lost_word(page).fetch_and(~bit_of(page), std::memory_order_relaxed);
        }
    }
    [[nodiscard]] std::atomic_ref<std::uint64_t> lost_word(std::uint64_t page) noexcept {
        return std::atomic_ref<std::uint64_t>{lost_.get()[page / 64]};
    }
    [[nodiscard]] static std::uint64_t bit_of(std::uint64_t page) noexcept { return std::uint64_t{1} << page % 64; }

    [[nodiscard]] pagefold::page_key key_of(std::uint64_t page) const noexcept { return {pool_, 0, page}; }
    [[nodiscard]] std::mutex& lock_of(std::uint64_t page) noexcept { return locks_[page % lock_count]; }

    std::uint64_t bytes_;
    pagefold::mmap_source<> memory_;
    pagefold::partitioned_store<config> store_;
    pagefold::pool_id pool_{};
    std::array<std::mutex, lock_count> locks_;
    struct with_free {
        void operator()(std::uint64_t* words) const noexcept { std::free(words); }
    };
    std::unique_ptr<std::uint64_t, with_free> lost_;
};

} // namespace nbd_disk
