// SPDX-License-Identifier: MIT
#pragma once

#include "page_input.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <sys/mman.h>
#include <utility>
#include <vector>

namespace page_report {

/// Copies of pages: what a process writes while it is looked at must not look like a fault of the store. One source
/// after the other, each page aligned to its size.
class page_set {
public:
    struct source {
        std::unique_ptr<page_input> input;
        std::size_t first;
        std::size_t count;
    };

    /// Room for `capacity` pages; memory is taken only for those that are added.
    explicit page_set(std::size_t capacity) : capacity_{capacity} {
        void* const memory = mmap(nullptr, capacity * page_bytes, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        bytes_ = memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
    }
    page_set(page_set&& other) noexcept
        : bytes_{std::exchange(other.bytes_, nullptr)}, capacity_{other.capacity_}, count_{other.count_},
          origins_{std::move(other.origins_)}, sources_{std::move(other.sources_)} {}
    page_set& operator=(page_set&&) = delete;
    ~page_set() {
        if (bytes_ != nullptr) {
            munmap(bytes_, capacity_ * page_bytes);
        }
    }

    [[nodiscard]] bool has_room() const noexcept { return bytes_ != nullptr && count_ < capacity_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] const std::byte* page(std::size_t i) const noexcept { return bytes_ + i * page_bytes; }
    [[nodiscard]] const std::vector<source>& sources() const noexcept { return sources_; }
    /// The number that the page has in its source.
    [[nodiscard]] std::uint64_t origin(std::size_t i) const noexcept { return origins_[i]; }

    /// Where the next page goes; it counts once it is added.
    [[nodiscard]] std::byte* next() noexcept { return bytes_ + count_ * page_bytes; }
    void add(std::uint64_t origin) {
        origins_.push_back(origin);
        ++count_;
    }
    /// The pages from `first` on are those of `input`.
    void end_source(std::unique_ptr<page_input> input, std::size_t first) {
        sources_.push_back({std::move(input), first, count_ - first});
    }
    void drop_from(std::size_t first) {
        origins_.resize(first);
        count_ = first;
    }

private:
    std::byte* bytes_;
    std::size_t capacity_;
    std::size_t count_ = 0;
    std::vector<std::uint64_t> origins_;
    std::vector<source> sources_;
};

} // namespace page_report
