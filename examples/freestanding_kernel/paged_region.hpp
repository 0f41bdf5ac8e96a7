// SPDX-License-Identifier: MIT
#pragma once

#include "console.hpp"
#include "frame_allocator.hpp"
#include "frame_backend.hpp"
#include "library.hpp"
#include "page_table.hpp"

#include <cstddef>
#include <cstdint>

// More pages than the machine has frames: the page-fault handler and the reclaim path, over pagefold's pagers and the store.
//
// Pages 0 to anonymous − 1 are anonymous memory, in a persistent pool: they are nowhere else, so that one that the store
// refuses stays where it is. The copy of one that was brought stays in the store until the page is written, as a swap cache
// does. The others are the page cache of a file, in an ephemeral pool: in memory or in the store, not in both; the store may drop
// them, and a fault then reads the file again. (What Linux called frontswap and cleancache.)

namespace kernel {

template <class Store>
class paged_region {
    template <class Backend>
    using pager = pagefold::region_pager<Store, Backend, pagefold::clock>;

public:
    static constexpr std::size_t page_size = frame_allocator::frame_size;

    paged_region(Store& store, frame_allocator& frames, std::size_t anonymous, std::size_t file) noexcept
        : store_{store}, frames_{frames}, pages_{anonymous + file}, anonymous_frames_{table_, frames, 0},
          file_frames_{table_, frames, anonymous}, anonymous_{store, anonymous_frames_}, file_{store, file_frames_},
          first_of_file_{anonymous} {}
    paged_region(const paged_region&) = delete;
    paged_region& operator=(const paged_region&) = delete;

    [[nodiscard]] pagefold::status open() noexcept {
        const auto persistent = store_.create_pool();
        const auto ephemeral = store_.create_pool({.kind = pagefold::pool_kind::ephemeral});
        pagefold::region_pager_options of_anonymous, of_file;
        of_anonymous.pool = persistent.value_or({});
        of_file.pool = ephemeral.value_or({});
        of_file.may_vanish = of_file.stores_base = true;
        of_file.keeps_copies = false;
        const std::size_t first = pagefold::round_up(anonymous_.bytes_for(first_of_file_, of_anonymous), page_size);
        const std::size_t second = pagefold::round_up(file_.bytes_for(pages_ - first_of_file_, of_file), page_size);
        const auto tables = frames_.acquire((first + second) / page_size, pagefold::any_node);
        if (!persistent || !ephemeral || !tables || !table_.open(frames_, pages_)) {
            return pagefold::status::no_memory;
        }
        tables_ = {static_cast<std::byte*>(*tables), first + second};
        const pagefold::status s = anonymous_.open(tables_.first(first), first_of_file_, of_anonymous);
        return s != pagefold::status::ok ? s : file_.open(tables_.subview(first), pages_ - first_of_file_, of_file);
    }
    /// Gives all frames and all pages in the store back. Nobody may touch the region any more.
    [[nodiscard]] pagefold::status close() noexcept {
        const pagefold::status dropped[] = {anonymous_.drop(0, anonymous_.pages()), file_.drop(0, file_.pages()),
                                            store_.destroy_pool(anonymous_.key(0).pool),
                                            store_.destroy_pool(file_.key(0).pool)};
        const bool is_right = anonymous_.check() && file_.check(); // by their tables, which go next
        table_.close(frames_);
        frames_.release(tables_.data(), tables_.size() / page_size);
        for (const pagefold::status s : dropped) {
            if (s != pagefold::status::ok) {
                return s;
            }
        }
        return is_right ? pagefold::status::ok : pagefold::status::corrupt;
    }

    [[nodiscard]] std::size_t anonymous() const noexcept { return first_of_file_; }
    [[nodiscard]] std::size_t pages() const noexcept { return pages_; }
    [[nodiscard]] pagefold::region_pager_stats of_anonymous() const noexcept { return anonymous_.statistics(); }
    [[nodiscard]] pagefold::region_pager_stats of_file() const noexcept { return file_.statistics(); }
    [[nodiscard]] bool is_resident(std::size_t page) noexcept {
        return (table_.entry(page) & page_table::present) != 0;
    }
    [[nodiscard]] pagefold::page_key key(std::size_t page) const noexcept {
        return is_file(page) ? file_.key(in_file(page)) : anonymous_.key(static_cast<pagefold::slot_id>(page));
    }

    /// A fault_handler.
    static bool serve(void* self, std::uintptr_t address, std::uint64_t code) noexcept {
        constexpr std::uint64_t was_present = 1, is_write = 2;
        auto& region = *static_cast<paged_region*>(self);
        const std::size_t page = (address - page_table::first_address) / page_size;
        if (address < page_table::first_address || page >= region.pages_ || (code & was_present) != 0) {
            return false;
        }
        const pagefold::status s = region.bring(page, (code & is_write) != 0);
        if (s != pagefold::status::ok) {
            console::line("kernel: page ", page, " can't be brought: ", s);
        }
        return s == pagefold::status::ok;
    }
    /// Maps a page that is not mapped. no_memory: no frame, and none can be freed. corrupt: an anonymous page is lost.
    [[nodiscard]] pagefold::status bring(std::size_t page, bool is_write) noexcept {
        while (frames_.free_frames() <= frame_backend::reserve && reclaim(batch) != 0) {
        }
        return is_file(page) ? file_.fault(in_file(page), is_write)
                             : anonymous_.fault(static_cast<pagefold::slot_id>(page), is_write);
    }
    /// Frees `wanted` frames, or somewhat more, from both as they have; how many it did.
    std::size_t reclaim(std::size_t wanted) noexcept {
        std::size_t freed = 0;
        for (bool goes_on = true; goes_on && freed < wanted;) {
            const std::size_t left = wanted - freed;
            const std::size_t share = left * file_.in_memory() / (file_.in_memory() + anonymous_.in_memory() + 1);
            const pagefold::pages_freed some = file_.evict(share + 1), others = anonymous_.evict(left - share);
            freed += some.freed + others.freed;
            goes_on = some.goes_on || others.goes_on;
        }
        return freed;
    }
    /// One page leaves memory; false where it had to stay.
    bool evict(std::size_t page) noexcept {
        return (is_file(page) ? file_.evict_page(in_file(page))
                              : anonymous_.evict_page(static_cast<pagefold::slot_id>(page))) == pagefold::status::ok;
    }
    /// What is left of an anonymous page that is lost, in the store too.
    [[nodiscard]] pagefold::status forget(std::size_t page) noexcept {
        return anonymous_.drop(static_cast<pagefold::slot_id>(page), 1);
    }
    /// Copies of pages that are in memory give their room in the store; how many, at most `wanted`.
    std::size_t drop_copies(std::size_t wanted) noexcept { return anonymous_.drop_copies(wanted); }

private:
    static constexpr std::size_t batch = 16;

    [[nodiscard]] bool is_file(std::size_t page) const noexcept { return page >= first_of_file_; }
    [[nodiscard]] pagefold::slot_id in_file(std::size_t page) const noexcept {
        return static_cast<pagefold::slot_id>(page - first_of_file_);
    }

    Store& store_;
    frame_allocator& frames_;
    page_table table_;
    std::size_t pages_;
    frame_backend anonymous_frames_;
    file_backend file_frames_;
    pager<frame_backend> anonymous_;
    pager<file_backend> file_;
    std::size_t first_of_file_;
    pagefold::byte_span tables_{}; // of both pagers
};

} // namespace kernel
