// SPDX-License-Identifier: MIT
#pragma once

#include "support/rng.hpp"

#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <new>
#include <thread>
#include <unordered_map>

namespace pagefold::testing {

/// A page source for threads that counts to the byte and refuses by chance: one acquisition here and there, and now and then
/// many in a row. It notes what it hands out above a limit that it is told, and what is given back wrongly. Pages come
/// full of rubbish, and are filled with rubbish when they go.
class oracle_source {
public:
    explicit oracle_source(std::uint64_t seed) noexcept : random_{seed} {}
    ~oracle_source() {
        for (const auto& [p, pages] : runs_) {
            ::operator delete (p, std::align_val_t{page_bytes});
        }
    }
    oracle_source(const oracle_source&) = delete;
    oracle_source& operator=(const oracle_source&) = delete;

    [[nodiscard]] std::size_t page_size() const noexcept { return page_bytes; }

    result<void*> acquire(std::size_t pages, node_id) noexcept {
        if (pages == 0) {
            return status::invalid;
        }
        const std::lock_guard guard{mutex_};
        if (refuses_ && is_refused()) {
            ++refusals_;
            return status::no_memory;
        }
        const std::size_t bytes = pages * page_bytes;
        void* const p = ::operator new (bytes, std::align_val_t{page_bytes});
        fill_with_rubbish(p, bytes);
        runs_.emplace(p, pages);
        bytes_ += bytes;
        breaches_ += bytes_ > limit_ ? 1 : 0;
        return p;
    }
    void release(void* p, std::size_t pages) noexcept {
        bool is_slow = false;
        {
            const std::lock_guard guard{mutex_};
            const auto run = runs_.find(p);
            if (run == runs_.end() || run->second != pages) {
                ++wrong_releases_;
                return;
            }
            runs_.erase(run);
            bytes_ -= pages * page_bytes;
            fill_with_rubbish(p, pages * page_bytes);
            ::operator delete (p, std::align_val_t{page_bytes});
            is_slow = random_.one_in(8);
        }
        if (is_slow) {
            std::this_thread::yield(); // as a system call would: others overtake whoever gives memory back
        }
    }

    void refuse(bool on) noexcept {
        const std::lock_guard guard{mutex_};
        refuses_ = on;
    }
    /// From now on no acquisition may take it above so many bytes.
    void expect_limit(std::size_t bytes) noexcept {
        const std::lock_guard guard{mutex_};
        limit_ = bytes;
    }

    [[nodiscard]] std::size_t bytes_held() const noexcept { return locked(bytes_); }
    [[nodiscard]] std::uint64_t refusals() const noexcept { return locked(refusals_); }
    [[nodiscard]] std::uint64_t breaches() const noexcept { return locked(breaches_); }
    [[nodiscard]] std::uint64_t wrong_releases() const noexcept { return locked(wrong_releases_); }

private:
    static constexpr std::size_t page_bytes = 4096;

    template <class T>
    [[nodiscard]] T locked(const T& value) const noexcept {
        const std::lock_guard guard{mutex_};
        return value;
    }
    bool is_refused() noexcept {
        if (in_a_row_ != 0) {
            --in_a_row_;
            return true;
        }
        in_a_row_ = random_.one_in(300) ? random_.below(60) : 0;
        return random_.one_in(20);
    }
    void fill_with_rubbish(void* p, std::size_t bytes) noexcept {
        std::memset(p, static_cast<int>(0x81 + random_.below(0x7e)), bytes);
    }

    mutable std::mutex mutex_;
    std::unordered_map<void*, std::size_t> runs_; // and their pages
    rng random_;
    std::size_t limit_ = ~std::size_t{0};
    std::size_t bytes_ = 0;
    std::uint64_t in_a_row_ = 0; // acquisitions still to be refused
    std::uint64_t refusals_ = 0;
    std::uint64_t breaches_ = 0;
    std::uint64_t wrong_releases_ = 0;
    bool refuses_ = false;
};

} // namespace pagefold::testing
