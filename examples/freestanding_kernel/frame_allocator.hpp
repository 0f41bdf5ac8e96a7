// SPDX-License-Identifier: MIT
#pragma once

#include "irq_lock.hpp"
#include "library.hpp"
#include "start_info.hpp"

#include <cstddef>
#include <cstdint>

namespace kernel {

/// The page frames of the machine, and the page source that the store gets them from: the kernel's own allocator models
/// pagefold::page_source as it is.
///
/// A bitmap of all frames, first fit. It lies in the first RAM behind the kernel's image. Addresses are physical, which
/// boot.S mapped one to one.
class frame_allocator {
public:
    static constexpr std::size_t frame_size = 4096;

    /// Takes the RAM of the map but what lies below `image_end`, where kernel and loader are, or above 4 GiB. False where
    /// there is none.
    [[nodiscard]] bool open(const memory_range* ranges, std::size_t count, std::uintptr_t image_end) noexcept {
        std::uint64_t end = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const range r = usable(ranges[i], image_end);
            end = r.end > end ? r.end : end;
        }
        frames_ = end / frame_size;
        const std::size_t bytes = pagefold::page_bitmap::words_for(frames_) * sizeof(std::uint64_t);
        for (std::size_t i = 0; i < count && words_ == nullptr; ++i) {
            const range r = usable(ranges[i], image_end);
            if (r.end > r.begin && r.end - r.begin >= bytes) {
                words_ = reinterpret_cast<std::uint64_t*>(r.begin);
            }
        }
        if (words_ == nullptr) {
            return false;
        }
        map().reset();
        map().set(0, frames_);
        for (std::size_t i = 0; i < count; ++i) {
            const range r = usable(ranges[i], image_end);
            if (r.end > r.begin) {
                map().clear(r.begin / frame_size, (r.end - r.begin) / frame_size);
            }
        }
        map().set(reinterpret_cast<std::uintptr_t>(words_) / frame_size, pagefold::ceil_div(bytes, frame_size));
        free_ = frames_ - map().count(0, frames_);
        return free_ != 0;
    }

    // pagefold::page_source

    [[nodiscard]] std::size_t page_size() const noexcept { return frame_size; }
    pagefold::result<void*> acquire(std::size_t frames, pagefold::node_id) noexcept {
        if (frames == 0) {
            return pagefold::status::invalid;
        }
        const pagefold::lock_guard guard{lock_};
        const std::size_t first = frames <= free_ ? map().find_clear(frames, lowest_) : pagefold::page_bitmap::npos;
        if (first == pagefold::page_bitmap::npos) {
            return pagefold::status::no_memory;
        }
        map().set(first, frames);
        free_ -= frames;
        lowest_ = frames == 1 ? first + 1 : lowest_; // one frame is found at the first clear bit
        return reinterpret_cast<void*>(first * frame_size);
    }
    void release(void* p, std::size_t frames) noexcept {
        const std::uintptr_t address = reinterpret_cast<std::uintptr_t>(p);
        const std::size_t first = address / frame_size;
        const pagefold::lock_guard guard{lock_};
        PAGEFOLD_CHECK(address % frame_size == 0 && first < frames_ && frames <= frames_ - first &&
                       map().all_set(first, frames));
        map().clear(first, frames);
        free_ += frames;
        lowest_ = first < lowest_ ? first : lowest_;
    }

    [[nodiscard]] std::size_t free_frames() const noexcept {
        const pagefold::lock_guard guard{lock_};
        return free_;
    }
    /// Calls visit(frame) for each frame behind the bitmap that is not free.
    template <class Visitor>
    void for_each_taken(Visitor visit) const noexcept {
        const std::size_t first = reinterpret_cast<std::uintptr_t>(words_) / frame_size + 1;
        for (std::size_t frame = first; frame < frames_; ++frame) {
            if (map().all_set(frame, 1)) {
                visit(reinterpret_cast<std::byte*>(frame * frame_size));
            }
        }
    }

private:
    struct range {
        std::uint64_t begin, end;
    };
    static constexpr std::uint64_t mapped_end = std::uint64_t{4} << 30;

    [[nodiscard]] static range usable(const memory_range& r, std::uintptr_t image_end) noexcept {
        if (r.kind != memory_range::ram || r.address >= mapped_end) {
            return {0, 0};
        }
        const std::uint64_t last = r.bytes < mapped_end - r.address ? r.address + r.bytes : mapped_end;
        const std::uint64_t first = r.address < image_end ? image_end : r.address;
        return {pagefold::round_up(first, frame_size), last / frame_size * frame_size};
    }
    [[nodiscard]] pagefold::page_bitmap map() const noexcept { return {words_, frames_}; }

    mutable irq_lock lock_;
    std::uint64_t* words_ = nullptr;
    std::size_t frames_ = 0;
    std::size_t free_ = 0;
    std::size_t lowest_ = 0; // no frame below is free
};

static_assert(pagefold::page_source<frame_allocator>);

} // namespace kernel
