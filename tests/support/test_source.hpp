// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>

#include <support/rng.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <new>

namespace pagefold::testing {

/// A page source for tests of what takes memory from one. It counts to the byte, hands out pages full of rubbish, refuses
/// by number of acquisition or by a limit, and notes what is given back wrongly. Where something was, or where pages are
/// still out at the end, the test case fails; a test of wrong users calls `forgive` first. Safe from many threads.
class test_source {
public:
    explicit test_source(std::size_t page_size = 4096) noexcept : page_size_{page_size} {}
    ~test_source() {
        if (!forgiven_) {
            CHECK_MESSAGE(bytes_ == 0, "pages were never given back");
            CHECK_MESSAGE(wrong_releases_ == 0, "something was given back that was never acquired so");
        }
        for (const auto& [p, pages] : runs_) {
            ::operator delete (p, std::align_val_t{page_size_});
        }
    }
    test_source(const test_source&) = delete;
    test_source& operator=(const test_source&) = delete;

    [[nodiscard]] std::size_t page_size() const noexcept { return page_size_; }

    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        return is_strict(node) ? result<void*>{status::invalid} : acquire(pages);
    }
    /// For sources over this one that keep to nodes by themselves.
    result<void*> acquire(std::size_t pages) noexcept {
        const std::lock_guard guard{mutex_};
        if (pages == 0) {
            return status::invalid;
        }
        ++acquisitions_;
        const std::size_t bytes = pages * page_size_;
        if ((countdown_ != 0 && --countdown_ == 0) || refuse_all_) {
            ++refusals_;
            return refusal_;
        }
        if (bytes_ + bytes > limit_) {
            ++refusals_;
            return status::limit;
        }
        void* const p = ::operator new (bytes, std::align_val_t{page_size_});
        fill_with_rubbish(p, bytes);
        runs_.emplace(p, pages);
        bytes_ += bytes;
        peak_ = bytes_ > peak_ ? bytes_ : peak_;
        return p;
    }
    void release(void* p, std::size_t pages) noexcept {
        const std::lock_guard guard{mutex_};
        const auto run = runs_.find(p);
        if (run == runs_.end() || run->second != pages) {
            ++wrong_releases_;
            return;
        }
        runs_.erase(run);
        bytes_ -= pages * page_size_;
        fill_with_rubbish(p, pages * page_size_);
        ::operator delete (p, std::align_val_t{page_size_});
    }

    /// Refuses the n-th acquisition from now with `answer`, once; 0 none.
    void refuse_nth(std::uint64_t n, status answer = status::no_memory) noexcept {
        const std::lock_guard guard{mutex_};
        countdown_ = n;
        refusal_ = answer;
    }
    /// Refuses every acquisition with `answer` until told otherwise.
    void refuse_all(bool refuse, status answer = status::no_memory) noexcept {
        const std::lock_guard guard{mutex_};
        refuse_all_ = refuse;
        refusal_ = answer;
    }
    /// Refuses with `limit` what would take it above so many bytes.
    void set_limit(std::size_t bytes) noexcept {
        const std::lock_guard guard{mutex_};
        limit_ = bytes;
    }
    /// Breaches no longer fail the test case; somebody looks at them instead.
    void forgive() noexcept { forgiven_ = true; }

    /// Calls `look(memory, bytes)` for each run of pages that is out: for a test that damages what lies there.
    template <class Look>
    void for_each_run(Look look) const {
        const std::lock_guard guard{mutex_};
        for (const auto& [p, pages] : runs_) {
            look(static_cast<std::byte*>(p), pages * page_size_);
        }
    }

    [[nodiscard]] std::size_t bytes_held() const noexcept { return locked(bytes_); }
    [[nodiscard]] std::size_t peak_bytes() const noexcept { return locked(peak_); }
    [[nodiscard]] std::uint64_t acquisitions() const noexcept { return locked(acquisitions_); }
    [[nodiscard]] std::uint64_t refusals() const noexcept { return locked(refusals_); }
    [[nodiscard]] std::uint64_t wrong_releases() const noexcept { return locked(wrong_releases_); }

private:
    template <class T>
    [[nodiscard]] T locked(const T& value) const noexcept {
        const std::lock_guard guard{mutex_};
        return value;
    }
    void fill_with_rubbish(void* p, std::size_t bytes) noexcept {
        std::memset(p, static_cast<int>(0x81 + rubbish_.below(0x7e)), bytes);
    }

    mutable std::mutex mutex_;
    std::map<void*, std::size_t> runs_; // and their pages
    rng rubbish_{1};
    std::size_t page_size_;
    std::size_t limit_ = ~std::size_t{0};
    std::size_t bytes_ = 0;
    std::size_t peak_ = 0;
    std::uint64_t countdown_ = 0;
    std::uint64_t acquisitions_ = 0;
    std::uint64_t refusals_ = 0;
    std::uint64_t wrong_releases_ = 0;
    status refusal_ = status::no_memory;
    bool refuse_all_ = false;
    bool forgiven_ = false;
};

} // namespace pagefold::testing
