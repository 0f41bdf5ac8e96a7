// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/types.hpp>

#include <cstddef>
#include <cstdint>
#include <sys/mman.h>

namespace pagefold::inline PAGEFOLD_ABI {

/// The frames that evicted pages wait in before they are compressed, in the order in which they came: a ring. Says which
/// page is in which frame; the frames' memory is somebody else's. Not thread-safe.
///
/// A frame holds a page, holds the rest of a page that was brought back (its memory is still there), or is empty: a hole
/// that a run of pages left.
class frame_queue {
public:
    static constexpr std::uint32_t rest = 0xfffffffe, empty = 0xffffffff;

    frame_queue() noexcept = default;
    frame_queue(const frame_queue&) = delete;
    frame_queue& operator=(const frame_queue&) = delete;
    ~frame_queue() { close(); }

    /// False where there is no memory.
    [[nodiscard]] bool open(std::size_t frames) noexcept {
        close();
        if (frames == 0) {
            return true;
        }
        void* const memory = mmap(nullptr, frames * sizeof(slot_id), PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) {
            return false;
        }
        pages_ = static_cast<slot_id*>(memory);
        frames_ = frames;
        return true;
    }
    void close() noexcept {
        if (pages_ != nullptr) {
            munmap(pages_, frames_ * sizeof(slot_id));
        }
        pages_ = nullptr;
        frames_ = used_ = length_ = head_ = 0;
    }

    /// Frames with memory behind them.
    [[nodiscard]] std::size_t used() const noexcept { return used_; }
    /// Frames from the oldest to the newest, empty ones included.
    [[nodiscard]] std::size_t length() const noexcept { return length_; }
    [[nodiscard]] std::size_t head() const noexcept { return head_; }
    [[nodiscard]] std::size_t frames() const noexcept { return frames_; }

    /// Appends `count` empty frames side by side; the number of the first, or `empty` where there is no room.
    [[nodiscard]] std::uint32_t append(std::size_t count) noexcept {
        if (frames_ == 0) {
            return empty;
        }
        const std::size_t tail = (head_ + length_) % frames_;
        const std::size_t skipped = tail + count > frames_ ? frames_ - tail : 0;
        if (count > frames_ || length_ + skipped + count > frames_) {
            return empty;
        }
        const std::size_t first = (tail + skipped) % frames_;
        for (std::size_t i = tail; i < tail + skipped; ++i) {
            pages_[i] = empty;
        }
        for (std::size_t i = first; i < first + count; ++i) {
            pages_[i] = empty;
        }
        length_ += skipped + count;
        return static_cast<std::uint32_t>(first);
    }
    [[nodiscard]] slot_id page(std::size_t frame) const noexcept { return pages_[frame]; }
    void fill(std::size_t frame, slot_id page) noexcept {
        PAGEFOLD_CHECK(pages_[frame] == empty);
        pages_[frame] = page;
        ++used_;
    }
    /// The page was brought back as a copy.
    void leave(std::size_t frame) noexcept {
        PAGEFOLD_CHECK(pages_[frame] < rest);
        pages_[frame] = rest;
    }
    /// Takes the oldest frame off. Its memory goes with it.
    void pop() noexcept {
        PAGEFOLD_CHECK(length_ > 0);
        used_ -= pages_[head_] != empty ? 1u : 0u;
        head_ = head_ + 1 == frames_ ? 0 : head_ + 1;
        --length_;
    }

private:
    slot_id* pages_ = nullptr;
    std::size_t frames_ = 0;
    std::size_t used_ = 0;
    std::size_t length_ = 0;
    std::size_t head_ = 0;
};

} // namespace pagefold
