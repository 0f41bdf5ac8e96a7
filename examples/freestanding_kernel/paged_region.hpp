// SPDX-License-Identifier: MIT
#pragma once

#include "console.hpp"
#include "content.hpp"
#include "frame_allocator.hpp"
#include "library.hpp"
#include "page_table.hpp"

#include <cstddef>
#include <cstdint>

// More pages than the machine has frames: the page-fault handler and the reclaim path, between them the store.
//
// Pages 0 to anonymous − 1 are anonymous memory, in a persistent pool: they are nowhere else, so that one that the store
// refuses stays where it is. The others are the page cache of a file, in an ephemeral pool: the store may drop them, and so
// may the reclaim path; a fault then reads the file again. (What Linux called frontswap and cleancache.)
//
//   fault     anonymous: get; the copy stays in the store, until the page is written, as a swap cache does
//             file: take: a page is in memory or in the store, not in both
//   reclaim   second chance over the processor's accessed bits; a page whose copy is good and whose dirty bit is clear goes
//             without a put
//
// Reclaim frees memory by taking some: the store needs a frame before the page that it compresses gives up its own. The last
// `reserve` frames are therefore the store's alone.

namespace kernel {

struct region_statistics {
    std::uint64_t faults;
    std::uint64_t zero_faults;   ///< of those: of anonymous pages never touched
    std::uint64_t store_faults;  ///< of those: from the store
    std::uint64_t file_reads;    ///< of those: from the file
    std::uint64_t corrupt_pages; ///< of those: of the page cache, that the store found corrupt and that were read again
    std::uint64_t evicted_pages; ///< frames that reclaim freed
    std::uint64_t clean_pages;   ///< of those: whose copy was still good
    std::uint64_t refused_pages; ///< anonymous pages that the store refused, and that stayed
    std::uint64_t dropped_copies; ///< copies of pages in memory, dropped to give the store room
    std::uint64_t resident_pages; ///< now
};

template <class Store>
class paged_region {
public:
    static constexpr std::size_t page_size = frame_allocator::frame_size;
    static constexpr std::size_t reserve = 64;

    paged_region(Store& store, frame_allocator& frames, std::size_t anonymous, std::size_t file) noexcept
        : store_{store}, frames_{frames}, anonymous_{anonymous}, pages_{anonymous + file} {}
    paged_region(const paged_region&) = delete;
    paged_region& operator=(const paged_region&) = delete;

    [[nodiscard]] pagefold::status open() noexcept {
        if (!table_.open(frames_, pages_)) {
            return pagefold::status::no_memory;
        }
        const auto persistent = store_.create_pool();
        const auto ephemeral = store_.create_pool({.kind = pagefold::pool_kind::ephemeral});
        if (!persistent || !ephemeral) {
            return persistent ? ephemeral.error() : persistent.error();
        }
        persistent_ = *persistent;
        ephemeral_ = *ephemeral;
        return pagefold::status::ok;
    }
    /// Gives all frames and all pages in the store back. Nobody may touch the region any more.
    [[nodiscard]] pagefold::status close() noexcept {
        for (std::size_t page = 0; page < pages_; ++page) {
            if ((table_.entry(page) & page_table::present) != 0) {
                unmap(page, 0);
            }
        }
        table_.close(frames_);
        const pagefold::status one = store_.destroy_pool(persistent_);
        const pagefold::status other = store_.destroy_pool(ephemeral_);
        return one == pagefold::status::ok ? other : one;
    }

    [[nodiscard]] std::size_t anonymous() const noexcept { return anonymous_; }
    [[nodiscard]] std::size_t pages() const noexcept { return pages_; }
    [[nodiscard]] region_statistics statistics() const noexcept { return stats_; }
    [[nodiscard]] bool is_resident(std::size_t page) noexcept {
        return (table_.entry(page) & page_table::present) != 0;
    }

    [[nodiscard]] pagefold::page_key key(std::size_t page) const noexcept {
        return page < anonymous_ ? pagefold::page_key{persistent_, 0, page}
                                 : pagefold::page_key{ephemeral_, 0, page - anonymous_};
    }

    /// A fault_handler.
    static bool serve(void* self, std::uintptr_t address, std::uint64_t code) noexcept {
        constexpr std::uint64_t was_present = 1;
        auto& region = *static_cast<paged_region*>(self);
        const std::size_t page = (address - page_table::first_address) / page_size;
        if (address < page_table::first_address || page >= region.pages_ || (code & was_present) != 0) {
            return false;
        }
        const pagefold::status s = region.bring(page);
        if (s != pagefold::status::ok) {
            console::line("kernel: page ", page, " can't be brought: ", s);
        }
        return s == pagefold::status::ok;
    }

    /// Maps a page that is not mapped. no_memory: no frame, and none can be freed. corrupt: an anonymous page is lost.
    [[nodiscard]] pagefold::status bring(std::size_t page) noexcept {
        std::byte* const frame = acquire_frame();
        if (frame == nullptr) {
            return pagefold::status::no_memory;
        }
        std::uint64_t copy = 0;
        const pagefold::status s = page < anonymous_ ? read_anonymous(page, frame, copy) : read_file(page, frame);
        if (s != pagefold::status::ok) {
            frames_.release(frame, 1);
            return s;
        }
        table_.entry(page) =
            reinterpret_cast<std::uintptr_t>(frame) | page_table::present | page_table::writable | copy;
        ++stats_.faults;
        ++stats_.resident_pages;
        return pagefold::status::ok;
    }
    /// Frees up to `wanted` frames; how many it did.
    std::size_t reclaim(std::size_t wanted) noexcept {
        std::size_t freed = 0;
        for (std::size_t seen = 0; seen < 2 * pages_ && freed < wanted; ++seen) {
            hand_ = hand_ + 1 < pages_ ? hand_ + 1 : 0;
            std::uint64_t& entry = table_.entry(hand_);
            if ((entry & page_table::present) == 0) {
                continue;
            }
            if ((entry & page_table::accessed) != 0) {
                entry &= ~page_table::accessed;
                page_table::forget(hand_);
                continue;
            }
            freed += evict(hand_) ? 1 : 0;
        }
        return freed;
    }
    /// One page leaves memory; false where it had to stay.
    bool evict(std::size_t page) noexcept {
        const std::uint64_t entry = table_.entry(page);
        // Nobody may write the page while it is compressed. One processor: nobody can, but an interrupt, and those don't.
        std::uint64_t goes_to = page_table::is_stored;
        if (page >= anonymous_) {
            static_cast<void>(store_.put(key(page), {page_table::frame_of(entry), page_size}) == pagefold::status::ok);
            goes_to = 0; // there or not, it can be read again
        } else if ((entry & page_table::has_copy) != 0 && (entry & page_table::dirty) == 0) {
            ++stats_.clean_pages;
        } else if (!put(page, page_table::frame_of(entry))) {
            table_.entry(page) &= ~page_table::has_copy; // after a refusal no older version is there either
            ++stats_.refused_pages;
            return false;
        }
        unmap(page, goes_to);
        ++stats_.evicted_pages;
        return true;
    }
    /// What is left of a page that is lost, in the store too.
    void forget(std::size_t page) noexcept {
        table_.entry(page) = 0;
        static_cast<void>(store_.erase(key(page)) == pagefold::status::ok);
    }
    /// Copies of pages that are in memory give their room in the store; how many, at most `wanted`.
    std::size_t drop_copies(std::size_t wanted) noexcept {
        std::size_t dropped = 0;
        for (std::size_t page = 0; page < anonymous_ && dropped < wanted; ++page) {
            std::uint64_t& entry = table_.entry(page);
            constexpr std::uint64_t both = page_table::present | page_table::has_copy;
            if ((entry & both) == both) {
                entry &= ~page_table::has_copy;
                dropped += store_.erase(key(page)) == pagefold::status::ok ? 1 : 0;
            }
        }
        stats_.dropped_copies += dropped;
        return dropped;
    }

private:
    static constexpr std::size_t batch = 16;
    static constexpr std::size_t copies_a_refusal = 64;

    [[nodiscard]] std::byte* acquire_frame() noexcept {
        while (frames_.free_frames() <= reserve && reclaim(batch) != 0) {
        }
        if (frames_.free_frames() <= reserve) {
            return nullptr;
        }
        return static_cast<std::byte*>(frames_.acquire(1, pagefold::any_node).value_or(nullptr));
    }
    [[nodiscard]] pagefold::status read_anonymous(std::size_t page, std::byte* frame, std::uint64_t& copy) noexcept {
        if ((table_.entry(page) & page_table::is_stored) == 0) {
            pagefold::fill_bytes(frame, 0, page_size);
            ++stats_.zero_faults;
            return pagefold::status::ok;
        }
        const pagefold::status s = store_.get(key(page), {frame, page_size});
        stats_.store_faults += s == pagefold::status::ok ? 1 : 0;
        copy = page_table::has_copy;
        return s;
    }
    [[nodiscard]] pagefold::status read_file(std::size_t page, std::byte* frame) noexcept {
        const pagefold::status s = store_.take(key(page), {frame, page_size});
        if (s == pagefold::status::ok) {
            ++stats_.store_faults;
            return pagefold::status::ok;
        }
        if (s == pagefold::status::corrupt) { // it stays until it is erased; the file has it
            ++stats_.corrupt_pages;
            static_cast<void>(store_.erase(key(page)) == pagefold::status::ok);
        }
        make_content(frame, page, 0);
        ++stats_.file_reads;
        return pagefold::status::ok;
    }
    [[nodiscard]] bool put(std::size_t page, const std::byte* frame) noexcept {
        for (;;) {
            const pagefold::status s = store_.put(key(page), {frame, page_size});
            if (s == pagefold::status::ok) {
                return true;
            }
            if ((s != pagefold::status::limit && s != pagefold::status::no_memory) ||
                drop_copies(copies_a_refusal) == 0) {
                return false;
            }
        }
    }
    void unmap(std::size_t page, std::uint64_t entry) noexcept {
        std::byte* const frame = page_table::frame_of(table_.entry(page));
        table_.entry(page) = entry;
        page_table::forget(page);
        frames_.release(frame, 1);
        --stats_.resident_pages;
    }

    Store& store_;
    frame_allocator& frames_;
    page_table table_;
    std::size_t anonymous_;
    std::size_t pages_;
    std::size_t hand_ = 0;
    pagefold::pool_id persistent_{};
    pagefold::pool_id ephemeral_{};
    region_statistics stats_{};
};

} // namespace kernel
