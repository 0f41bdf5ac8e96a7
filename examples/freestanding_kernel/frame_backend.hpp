// SPDX-License-Identifier: MIT
#pragma once

#include "content.hpp"
#include "frame_allocator.hpp"
#include "library.hpp"
#include "page_table.hpp"

#include <cstddef>
#include <cstdint>

namespace kernel {

/// pagefold::paging_backend over page-table entries and frames: part of the paged region, from page `first` of it on. Page
/// contents are read into the frame that is mapped then. The processor's bits tell what was accessed and written. Nobody
/// waits, since one processor runs one thing: the fault handler comes back, or ends it.
class frame_backend {
public:
    static constexpr std::size_t page_size = frame_allocator::frame_size;
    /// Reclaim frees memory by taking some: the store needs a frame before the page that it compresses gives up its own. So
    /// many are the store's alone.
    static constexpr std::size_t reserve = 64;

    frame_backend(page_table& table, frame_allocator& frames, std::size_t first) noexcept
        : table_{table}, frames_{frames}, first_{first} {}

    pagefold::result<pagefold::byte_span> place(pagefold::slot_id, std::size_t) noexcept {
        if (frames_.free_frames() <= reserve) {
            return pagefold::status::no_memory;
        }
        const pagefold::result<void*> frame = frames_.acquire(1, pagefold::any_node);
        placed_ = static_cast<std::byte*>(frame.value_or(nullptr));
        return frame ? pagefold::result<pagefold::byte_span>{pagefold::byte_span{placed_, page_size}} : frame.error();
    }
    pagefold::pages_done bring(pagefold::slot_id page, std::size_t count, pagefold::page_access) noexcept {
        if (count == 0) {
            frames_.release(placed_, 1);
            return {};
        }
        entry(page) = reinterpret_cast<std::uintptr_t>(placed_) | page_table::present | page_table::writable;
        return {1, pagefold::status::ok};
    }
    pagefold::pages_done bring_zeros(pagefold::slot_id page, std::size_t count, pagefold::page_access access) noexcept {
        for (std::size_t i = 0; i < count; ++i) {
            const auto frame = place(page, 1);
            if (!frame) {
                return {i, frame.error()};
            }
            pagefold::fill_bytes(frame.value().data(), 0, page_size);
            static_cast<void>(bring(page + static_cast<pagefold::slot_id>(i), 1, access));
        }
        return {count, pagefold::status::ok};
    }
    pagefold::status let_write(pagefold::slot_id) noexcept { return pagefold::status::ok; }
    pagefold::pages_done take_out(pagefold::slot_id page, std::size_t count) noexcept {
        for (std::size_t i = 0; i < count; ++i) {
            set(page + i, page_table::present, false);
        }
        return {count, pagefold::status::ok};
    }
    [[nodiscard]] bool was_written(pagefold::slot_id page) noexcept { return (entry(page) & page_table::dirty) != 0; }
    pagefold::result<pagefold::byte_view> read(pagefold::slot_id page) noexcept {
        return pagefold::byte_view{page_table::frame_of(entry(page)), page_size};
    }
    pagefold::status put_back(pagefold::slot_id page, pagefold::page_access access) noexcept {
        set(page, page_table::dirty, access == pagefold::page_access::write);
        set(page, page_table::present, true);
        return pagefold::status::ok;
    }
    pagefold::pages_done drop(pagefold::slot_id page, std::size_t count) noexcept {
        for (std::size_t i = 0; i < count; ++i) {
            std::byte* const frame = page_table::frame_of(entry(page + i));
            entry(page + i) = 0;
            page_table::forget(first_ + page + i);
            frames_.release(frame, 1);
        }
        return {count, pagefold::status::ok};
    }
    pagefold::status set_lost(pagefold::slot_id, bool) noexcept { return pagefold::status::ok; }
    pagefold::status wake(pagefold::slot_id, std::size_t) noexcept { return pagefold::status::ok; }
    [[nodiscard]] bool tells_writes() const noexcept { return false; }
    [[nodiscard]] bool was_accessed(pagefold::slot_id page) noexcept {
        const bool was = (entry(page) & page_table::accessed) != 0;
        if (was) {
            set(page, page_table::accessed, false);
        }
        return was;
    }

protected:
    [[nodiscard]] std::size_t first() const noexcept { return first_; }

private:
    [[nodiscard]] std::uint64_t& entry(std::size_t page) noexcept { return table_.entry(first_ + page); }
    void set(std::size_t page, std::uint64_t bit, bool yes) noexcept {
        entry(page) = yes ? entry(page) | bit : entry(page) & ~bit;
        page_table::forget(first_ + page);
    }

    page_table& table_;
    frame_allocator& frames_;
    std::size_t first_;
    std::byte* placed_ = nullptr;
};
static_assert(pagefold::accessed_backend<frame_backend>);

/// The same, of the pages of a file.
class file_backend : public frame_backend {
public:
    using frame_backend::frame_backend;

    pagefold::status fill(pagefold::slot_id page, pagefold::byte_span out) noexcept {
        make_content(out.data(), first() + page, 0);
        return pagefold::status::ok;
    }
};
static_assert(pagefold::based_backend<file_backend>);

} // namespace kernel
