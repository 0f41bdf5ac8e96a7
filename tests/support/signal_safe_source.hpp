// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <new>

namespace pagefold::testing {

/// A page source that a signal handler may use while its thread is in it: no lock, and each page is claimed by an exchange.
class signal_safe_source {
public:
    static constexpr std::size_t pages = 2048;

    signal_safe_source() : memory_{static_cast<std::byte*>(::operator new (pages * 4096, std::align_val_t{4096}))} {}
    ~signal_safe_source() { ::operator delete (memory_, std::align_val_t{4096}); }
    signal_safe_source(const signal_safe_source&) = delete;
    signal_safe_source& operator=(const signal_safe_source&) = delete;

    [[nodiscard]] std::size_t page_size() const noexcept { return 4096; }
    result<void*> acquire(std::size_t count, node_id) noexcept {
        acquisitions_.fetch_add(1, std::memory_order_relaxed);
        for (std::size_t first = 0; first + count <= pages; ++first) {
            std::size_t have = 0;
            while (have < count && !taken_[first + have].exchange(true, std::memory_order_acquire)) {
                ++have;
            }
            if (have == count) {
                held_.fetch_add(count, std::memory_order_relaxed);
                return memory_ + first * 4096;
            }
            give_up(first, have);
        }
        return status::no_memory;
    }
    void release(void* p, std::size_t count) noexcept {
        held_.fetch_sub(count, std::memory_order_relaxed);
        give_up(static_cast<std::size_t>(static_cast<std::byte*>(p) - memory_) / 4096, count);
    }
    [[nodiscard]] std::size_t bytes_held() const noexcept { return held_.load(std::memory_order_relaxed) * 4096; }
    [[nodiscard]] std::size_t acquisitions() const noexcept { return acquisitions_.load(std::memory_order_relaxed); }

private:
    void give_up(std::size_t first, std::size_t count) noexcept {
        for (std::size_t i = 0; i < count; ++i) {
            taken_[first + i].store(false, std::memory_order_release);
        }
    }

    std::byte* memory_;
    std::array<std::atomic<bool>, pages> taken_{};
    std::atomic<std::size_t> held_{0}, acquisitions_{0};
};

} // namespace pagefold::testing
