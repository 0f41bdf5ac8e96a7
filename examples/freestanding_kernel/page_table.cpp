// SPDX-License-Identifier: MIT
#include "page_table.hpp"

extern "C" std::uint64_t root_table[512];

namespace kernel {

bool page_table::open(frame_allocator& frames, std::size_t pages) noexcept {
    if (pages > max_pages) {
        return false;
    }
    pointers_ = make_table(frames, root_table[first_address >> 39]);
    directory_ = pointers_ != nullptr ? make_table(frames, pointers_[0]) : nullptr;
    const std::size_t wanted = pagefold::ceil_div(pages, entries);
    while (directory_ != nullptr && tables_ < wanted && make_table(frames, directory_[tables_]) != nullptr) {
        ++tables_;
    }
    if (directory_ == nullptr || tables_ < wanted) {
        close(frames);
        return false;
    }
    return true;
}

void page_table::close(frame_allocator& frames) noexcept {
    while (tables_ > 0) {
        frames.release(frame_of(directory_[--tables_]), 1);
    }
    if (directory_ != nullptr) {
        frames.release(directory_, 1);
    }
    if (pointers_ != nullptr) {
        frames.release(pointers_, 1);
    }
    directory_ = pointers_ = nullptr;
    root_table[first_address >> 39] = 0;
}

std::uint64_t* page_table::make_table(frame_allocator& frames, std::uint64_t& parent) noexcept {
    const pagefold::result<void*> frame = frames.acquire(1, pagefold::any_node);
    if (!frame) {
        return nullptr;
    }
    pagefold::fill_bytes(*frame, 0, frame_allocator::frame_size);
    parent = reinterpret_cast<std::uintptr_t>(*frame) | present | writable;
    return static_cast<std::uint64_t*>(*frame);
}

} // namespace kernel
