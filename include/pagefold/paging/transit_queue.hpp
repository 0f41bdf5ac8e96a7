// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/types.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Pages that were taken out and are not elsewhere yet, in the order in which they came: a ring in the host's memory. A
/// page that leaves from the middle leaves its place behind, which is skipped when its turn comes; who reads the queue
/// tells such places by the number that push gave. Not thread-safe; every call is O(1).
class transit_queue {
public:
    /// Room for `places` at least.
    [[nodiscard]] static constexpr std::size_t bytes_for(std::size_t places) noexcept {
        return next_power_of_two(places < 1 ? std::size_t{1} : places) * sizeof(slot_id);
    }
    /// `memory` is aligned for 32-bit words, has bytes_for(places) bytes, and is somebody else's. `places` is at most
    /// 2^31.
    void open(std::byte* memory, std::size_t places) noexcept {
        places_ = static_cast<slot_id*>(static_cast<void*>(memory));
        capacity_ = bytes_for(places) / sizeof(slot_id);
        head_ = 0;
        length_ = 0;
    }

    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    /// Places in use, those of pages that have left included.
    [[nodiscard]] std::size_t length() const noexcept { return length_; }
    /// The number of the place. There must be room.
    std::uint32_t push(slot_id page) noexcept {
        PAGEFOLD_CHECK(length_ < capacity_);
        const std::uint32_t number = head_ + static_cast<std::uint32_t>(length_);
        places_[number & (capacity_ - 1)] = page;
        ++length_;
        return number;
    }
    /// The oldest, and the number of its place. There must be one.
    [[nodiscard]] slot_id front() const noexcept {
        PAGEFOLD_CHECK(length_ > 0);
        return places_[head_ & (capacity_ - 1)];
    }
    [[nodiscard]] std::uint32_t front_number() const noexcept { return head_; }
    void pop() noexcept {
        PAGEFOLD_CHECK(length_ > 0);
        ++head_;
        --length_;
    }
    /// Whether that page is at the place of that number.
    [[nodiscard]] bool has(slot_id page, std::uint32_t number) const noexcept {
        return number - head_ < length_ && places_[number & (capacity_ - 1)] == page;
    }

private:
    slot_id* places_ = nullptr;
    std::size_t capacity_ = 0;
    std::size_t length_ = 0;
    std::uint32_t head_ = 0; // number of the oldest; wraps
};

} // namespace pagefold
