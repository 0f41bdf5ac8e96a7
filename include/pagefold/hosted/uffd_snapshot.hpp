// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/status.hpp>
#include <pagefold/hosted/uffd_reclaim.hpp>
#include <pagefold/store/kept_page.hpp>
#include <pagefold/store/pool_cursor.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

// A snapshot of a region as it is at one moment, made while the region is in use.
//
//   begin     all that is resident is protected from writing by one call of the kernel, and what is anywhere is noted: a bit a
//             page. That is all that the program has to stand still for
//   advance   page by page goes into the snapshot's pool. What the region has in the store is copied as it is kept there,
//             without a codec; the rest is compressed
//   a write   to a page that is not saved is a fault of the pager's, who saves the page before the write goes on
//
// Invariant: the bytes of a noted page, wherever they are (the region, a frame, the store), are those of the moment. So every
// transition that lets a page be written, or drops it, saves it first; one that only moves it (an eviction, a fault that reads)
// takes the protection, or the immutable stored version, along. All of that is under the pager's lock.
//
// The snapshot never stops the program: where the store has no room, or a stored page is corrupt, it is the snapshot that
// fails, and the region goes on.
//
// It takes faults at first writes (clean_tracking::protect): with WP_ASYNC the kernel lifts the protection itself, and the page of
// the moment would be gone.

namespace pagefold::inline PAGEFOLD_ABI {

/// What a snapshot came to so far; of the last one. Pages.
struct uffd_snapshot_stats {
    std::uint64_t pages;         ///< that were anywhere at the moment
    std::uint64_t unsaved_pages; ///< of those: still to be saved
    std::uint64_t stored_pages;  ///< of the others: in the snapshot's pool; the rest were zeros, which it does not have
    std::uint64_t copied_streams; ///< of stored_pages: copied as the store had them
    std::uint64_t write_faults;   ///< saved because they were about to be written, or dropped
    std::uint64_t protect_ns;     ///< noting and protecting all pages
};

/// The part of uffd_pager that makes snapshots. Its lock is held around every call.
template <class Store, eviction_policy Policy>
class uffd_snapshot : protected uffd_reclaim<Store, Policy> {
    using base = uffd_reclaim<Store, Policy>;

protected:
    using base::buffer_;
    using base::clock_;
    using base::drop_copies;
    using base::is_zeros;
    using base::key;
    using base::max_window;
    using base::memory_;
    using base::page_size;
    using base::queue_;
    using base::set_;
    using base::store_;
    using base::unsaved_;
    using base::window_page;

    explicit uffd_snapshot(Store& store) noexcept : base{store} {}
    ~uffd_snapshot() = default;

    /// O(pages) of the region, and one call of the kernel.
    [[nodiscard]] status note_moment(pool_id into) noexcept {
        if (memory_.tracking() != clean_tracking::protect || into == pool_id{} || into == this->pool_) {
            return status::invalid;
        }
        if (into_ != pool_id{}) {
            return status::busy;
        }
        const std::uint64_t start = clock_.now();
        if (!unsaved_.open(set_.pages())) {
            return status::no_memory;
        }
        moment_ = {};
        outcome_ = status::ok;
        status s = status::ok;
        for (slot_id page = 0; page < set_.pages(); ++page) {
            const page_place place = set_.place(page);
            if (place == page_place::lost) {
                s = status::corrupt;
            } else if (place != page_place::nowhere) {
                unsaved_.add(page);
            }
        }
        if (s == status::ok && !memory_.protect(0, set_.pages())) {
            s = status::busy;
        }
        if (s != status::ok) {
            unsaved_.close();
            return s;
        }
        into_ = into;
        walk_ = pool_cursor{};
        walk_.pool = this->pool_;
        walks_ = true;
        hand_ = 0;
        moment_.pages = unsaved_.count();
        moment_.protect_ns = clock_.now() - start;
        return status::ok;
    }
    /// Saves up to max_window pages. ok: all are saved. busy: there are more. Else the snapshot has failed, and why.
    [[nodiscard]] status save_some() noexcept {
        if (into_ == pool_id{}) {
            return outcome_;
        }
        if (unsaved_.count() != 0) {
            if (walks_) {
                copy_streams();
            } else {
                save_run();
            }
        }
        if (unsaved_.count() != 0) {
            return status::busy;
        }
        end_moment();
        return outcome_;
    }
    void end_moment() noexcept {
        unsaved_.close();
        into_ = pool_id{};
    }
    /// Gives the snapshot up. Pages stay protected until they are written, which then costs a fault.
    PAGEFOLD_COLD void fail_moment(status why) noexcept {
        outcome_ = why;
        end_moment();
    }
    /// Before the page is written or dropped. `bytes` are the page's.
    void save_first(slot_id page, const std::byte* bytes) noexcept {
        if (unsaved_.has(page)) {
            ++moment_.write_faults;
            save(page, bytes);
        }
    }
    [[nodiscard]] const std::byte* bytes_of(slot_id page, std::byte* buffer, status& why) noexcept {
        why = status::ok;
        switch (set_.place(page)) {
        case page_place::resident: return memory_.page(page);
        case page_place::queued: return memory_.frame(set_.stamp(page));
        case page_place::stored: why = store_.get(key(page), {buffer, page_size}); return buffer;
        case page_place::nowhere:
        case page_place::lost:
        default: why = status::corrupt; return buffer;
        }
    }
    [[nodiscard]] uffd_snapshot_stats moment() const noexcept {
        uffd_snapshot_stats s = moment_;
        s.unsaved_pages = unsaved_.count();
        return s;
    }

private:
    void save(slot_id page, const std::byte* bytes) noexcept {
        unsaved_.remove(page);
        if (is_zeros(bytes)) {
            return;
        }
        for (;;) {
            const status s = store_.put({into_, 0, page}, {bytes, page_size});
            if (s == status::ok) {
                ++moment_.stored_pages;
                return;
            }
            if ((s != status::limit && s != status::no_memory) || !drop_copies()) {
                fail_moment(s);
                return;
            }
        }
    }
    /// One hold of a walk through the region's pool. Pages that it misses because they move meanwhile are for save_run.
    void copy_streams() noexcept {
        kept_page found[max_window];
        const result<std::size_t> copied =
            store_.walk_kept(walk_, {}, found, max_window, {buffer_, max_window * page_size}, 1);
        if (!copied) {
            walks_ = false; // save_run tells what is the matter
            return;
        }
        constexpr std::uint32_t most_passes = 4; // who sends the pool around must not make the walk endless
        walks_ = !walk_.has_ended() && walk_.passes <= most_passes;
        for (std::size_t i = 0; i < *copied; ++i) {
            const kept_page& one = found[i];
            const auto page = static_cast<slot_id>(one.index);
            const bool is_current = unsaved_.has(page) && set_.is_stored(page) &&
                                    (set_.place(page) == page_place::stored || set_.has_copy(page));
            if (is_current && store_.put_kept(into_, one, {buffer_ + one.at, one.stream}) == status::ok) {
                unsaved_.remove(page);
                ++moment_.stored_pages;
                ++moment_.copied_streams;
            }
        }
    }
    /// The next pages side by side. Those that nobody protects for another reason may be written afterwards.
    void save_run() noexcept {
        slot_id page = unsaved_.next(hand_);
        if (page == no_slot) {
            page = unsaved_.next(0);
        }
        slot_id first = page, last = page; // of those to unprotect
        for (std::size_t i = 0; i < max_window && unsaved_.has(page); ++i, ++page) {
            status s = status::ok;
            const std::byte* const bytes = bytes_of(page, buffer_, s);
            if (s == status::busy) {
                break;
            }
            if (s != status::ok) {
                fail_moment(s);
                break;
            }
            save(page, bytes);
            if (set_.place(page) == page_place::resident && !set_.has_copy(page)) {
                last = page + 1;
            } else {
                free_writing(first, last);
                first = last = page + 1;
            }
        }
        free_writing(first, last);
        hand_ = page;
    }
    void free_writing(slot_id first, slot_id last) noexcept {
        if (first < last) {
            memory_.unprotect(first, last - first);
        }
    }

    pool_id into_{}; // none: no snapshot is being made
    status outcome_ = status::ok;
    bool walks_ = false; // the region's pool is being walked for streams
    pool_cursor walk_{};
    slot_id hand_ = 0;
    uffd_snapshot_stats moment_{};
};

} // namespace pagefold
