// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <sys/mman.h>
#include <utility>

namespace pagefold::support {

/// Memory on 2 MiB pages (where the kernel has them), touched before its first use, so that neither page faults nor
/// small TLB entries are part of what is measured on it.
class huge_buffer {
public:
    static constexpr std::size_t alignment = std::size_t{2} << 20;

    huge_buffer() = default;
    /// Throws std::bad_alloc.
    explicit huge_buffer(std::size_t bytes) : mapped_{(bytes / alignment + 2) * alignment} {
        base_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (base_ == MAP_FAILED) {
            base_ = nullptr;
            throw std::bad_alloc();
        }
        void* start = base_;
        std::size_t room = mapped_;
        const std::size_t usable = mapped_ - alignment;
        data_ = static_cast<std::byte*>(std::align(alignment, usable, start, room));
        madvise(data_, usable, MADV_HUGEPAGE);
        std::memset(data_, 0, usable);
    }
    huge_buffer(huge_buffer&& other) noexcept
        : base_{std::exchange(other.base_, nullptr)}, mapped_{other.mapped_}, data_{other.data_} {}
    huge_buffer& operator=(huge_buffer&& other) noexcept {
        std::swap(base_, other.base_);
        std::swap(mapped_, other.mapped_);
        std::swap(data_, other.data_);
        return *this;
    }
    ~huge_buffer() {
        if (base_ != nullptr) {
            munmap(base_, mapped_);
        }
    }

    [[nodiscard]] std::byte* data() const noexcept { return data_; }

private:
    void* base_ = nullptr;
    std::size_t mapped_ = 0;
    std::byte* data_ = nullptr;
};

} // namespace pagefold::support
