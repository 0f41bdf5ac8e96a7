// SPDX-License-Identifier: MIT
#pragma once

#include "fuzz/support/require.hpp"

#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <new>

namespace pagefold::fuzz {

/// A page source of runs that are each an allocation of its own, so that the address sanitizer sees what is read or written
/// outside a run or after its release. It counts, refuses on request, and ends the program when something is given back
/// wrongly or kept.
class heap_source {
public:
    explicit heap_source(std::size_t page_size) noexcept : page_size_{page_size} {}
    ~heap_source() { PAGEFOLD_FUZZ_REQUIRE(runs_.empty()); }
    heap_source(const heap_source&) = delete;
    heap_source& operator=(const heap_source&) = delete;

    [[nodiscard]] std::size_t page_size() const noexcept { return page_size_; }
    result<void*> acquire(std::size_t pages, node_id) noexcept {
        if (pages == 0) {
            return status::invalid;
        }
        ++acquisitions_;
        const std::size_t bytes = pages * page_size_;
        if (countdown_ != 0 && --countdown_ == 0) {
            ++refusals_;
            return status::no_memory;
        }
        if (bytes > limit_ || bytes_held_ > limit_ - bytes) {
            ++refusals_;
            return status::limit;
        }
        void* const p = ::operator new (bytes, std::align_val_t{page_size_});
        std::memset(p, 0xb7, bytes); // any content
        runs_.emplace(p, pages);
        bytes_held_ += bytes;
        return p;
    }
    void release(void* p, std::size_t pages) noexcept {
        const auto run = runs_.find(p);
        PAGEFOLD_FUZZ_REQUIRE(run != runs_.end() && run->second == pages);
        runs_.erase(run);
        bytes_held_ -= pages * page_size_;
        ::operator delete (p, std::align_val_t{page_size_});
    }

    /// Refuses the n-th acquisition from now, once; 0 none.
    void refuse_nth(unsigned n) noexcept { countdown_ = n; }
    /// Refuses what would take it above so many bytes.
    void set_limit(std::size_t bytes) noexcept { limit_ = bytes; }

    [[nodiscard]] std::size_t bytes_held() const noexcept { return bytes_held_; }
    [[nodiscard]] std::uint64_t acquisitions() const noexcept { return acquisitions_; }
    [[nodiscard]] std::uint64_t refusals() const noexcept { return refusals_; }

private:
    std::map<void*, std::size_t> runs_; // and their pages
    std::size_t page_size_;
    std::size_t limit_ = ~std::size_t{0};
    std::size_t bytes_held_ = 0;
    std::uint64_t acquisitions_ = 0;
    std::uint64_t refusals_ = 0;
    unsigned countdown_ = 0;
};

} // namespace pagefold::fuzz
