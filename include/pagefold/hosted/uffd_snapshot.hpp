// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/status.hpp>
#include <pagefold/evict/concept.hpp>
#include <pagefold/hosted/uffd_backend.hpp>
#include <pagefold/hosted/uffd_memory.hpp>
#include <pagefold/hosted/unsaved_pages.hpp>
#include <pagefold/paging/region_pager.hpp>
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
// takes the protection, or the immutable stored version, along: uffd_backend protects what is unsaved, however the pager brings it.
// A page that was found to be zeros and left needs no saving. All of that is under the pager's lock.
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

/// Makes snapshots of a uffd_pager's region. Its lock is held around every call.
template <class Store, eviction_policy Policy>
class uffd_snapshot {
public:
    using region_type = region_pager<Store, uffd_backend, Policy>;

    uffd_snapshot(Store& store, region_type& region, uffd_backend& backend, uffd_memory& memory,
                  unsaved_pages& unsaved) noexcept
        : store_{store}, region_{region}, backend_{backend}, memory_{memory}, unsaved_{unsaved} {}
    uffd_snapshot(const uffd_snapshot&) = delete;
    uffd_snapshot& operator=(const uffd_snapshot&) = delete;

    /// O(pages) of the region, and one call of the kernel.
    [[nodiscard]] status begin(pool_id into) noexcept {
        const pool_id own = region_.key(0).pool;
        if (memory_.tracking() != clean_tracking::protect || into == pool_id{} || into == own) {
            return status::invalid;
        }
        if (into_ != pool_id{}) {
            return status::busy;
        }
        const std::uint64_t start = backend_.now();
        if (!unsaved_.open(region_.pages())) {
            return status::no_memory;
        }
        moment_ = {};
        outcome_ = status::ok;
        status s = status::ok;
        for (slot_id page = 0; page < region_.pages(); ++page) {
            const page_state state = region_.state(page);
            if (state == page_state::lost) {
                s = status::corrupt;
            } else if (!is_absent(state)) {
                unsaved_.add(page);
            }
        }
        if (s == status::ok && !memory_.protect(0, region_.pages())) {
            s = status::busy;
        }
        if (s != status::ok) {
            unsaved_.close();
            return s;
        }
        into_ = into;
        walk_ = pool_cursor{};
        walk_.pool = own;
        walks_ = true;
        hand_ = 0;
        moment_.pages = unsaved_.count();
        moment_.protect_ns = backend_.now() - start;
        return status::ok;
    }
    /// Saves up to most_saved pages. ok: all are saved. busy: there are more. Else the snapshot has failed, and why.
    [[nodiscard]] status advance() noexcept {
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
        end();
        return outcome_;
    }
    void end() noexcept {
        unsaved_.close();
        into_ = pool_id{};
    }
    /// Gives the snapshot up. Pages stay protected until they are written, which then costs a fault.
    PAGEFOLD_COLD void fail(status why) noexcept {
        outcome_ = why;
        end();
    }
    /// Before a page that is not saved is written or dropped. ok: that may be, as it is saved, or the snapshot has failed. Else it
    /// can't be read now.
    [[nodiscard]] status save_first(slot_id page) noexcept {
        if (is_absent(region_.state(page))) {
            unsaved_.remove(page);
            return status::ok;
        }
        status s = status::ok;
        const std::byte* const bytes = bytes_of(page, s);
        if (s == status::ok) {
            ++moment_.write_faults;
            save(page, bytes);
        } else if (s == status::corrupt) {
            fail(s);
            s = status::ok;
        }
        return s;
    }
    [[nodiscard]] uffd_snapshot_stats statistics() const noexcept {
        uffd_snapshot_stats s = moment_;
        s.unsaved_pages = unsaved_.count();
        return s;
    }

private:
    static constexpr std::size_t page_size = Store::page_size;
    static constexpr std::size_t most_saved = uffd_backend::max_window;
    static constexpr std::size_t copies_a_refusal = 64;

    [[nodiscard]] static bool is_absent(page_state state) noexcept {
        return state == page_state::nowhere || state == page_state::zero;
    }
    [[nodiscard]] const std::byte* bytes_of(slot_id page, status& why) noexcept {
        switch (region_.state(page)) {
        case page_state::resident:
        case page_state::clean: return memory_.page(page);
        case page_state::in_transit: return backend_.bytes_of(page);
        case page_state::stored: {
            const byte_span room = backend_.room().first(page_size);
            const status s = store_.get(region_.key(page), room);
            why = s == status::not_found || s == status::invalid ? status::corrupt : s;
            return room.data();
        }
        case page_state::nowhere:
        case page_state::zero: return backend_.zeros();
        case page_state::lost:
        default: why = status::corrupt; return nullptr;
        }
    }
    void save(slot_id page, const std::byte* bytes) noexcept {
        unsaved_.remove(page);
        if (backend_.is_zeros(bytes)) {
            return;
        }
        for (;;) {
            const status s = store_.put({into_, 0, page}, {bytes, page_size});
            if (s == status::ok) {
                ++moment_.stored_pages;
                return;
            }
            if ((s != status::limit && s != status::no_memory) || region_.drop_copies(copies_a_refusal) == 0) {
                fail(s);
                return;
            }
        }
    }
    /// One hold of a walk through the region's pool. Pages that it misses because they move meanwhile are for save_run.
    void copy_streams() noexcept {
        kept_page found[most_saved];
        const byte_span room = backend_.room();
        const result<std::size_t> copied = store_.walk_kept(walk_, {}, found, most_saved, room, 1);
        if (!copied) {
            walks_ = false; // save_run tells what is the matter
            return;
        }
        constexpr std::uint32_t most_passes = 4; // who sends the pool around must not make the walk endless
        walks_ = !walk_.has_ended() && walk_.passes <= most_passes;
        for (std::size_t i = 0; i < *copied; ++i) {
            const kept_page& one = found[i];
            const auto page = static_cast<slot_id>(one.index);
            const page_state state = unsaved_.has(page) ? region_.state(page) : page_state::nowhere;
            const bool is_current = state == page_state::stored || state == page_state::clean;
            if (is_current && store_.put_kept(into_, one, {room.data() + one.at, one.stream}) == status::ok) {
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
        for (std::size_t i = 0; i < most_saved && unsaved_.has(page); ++i, ++page) {
            status s = status::ok;
            const std::byte* const bytes = bytes_of(page, s);
            if (s == status::busy) {
                break;
            }
            if (s != status::ok) {
                fail(s);
                break;
            }
            save(page, bytes);
            if (region_.state(page) == page_state::resident) {
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
            static_cast<void>(region_.appeared(first, last - first)); // none of them waits to be told of a write
        }
    }

    Store& store_;
    region_type& region_;
    uffd_backend& backend_;
    uffd_memory& memory_;
    unsaved_pages& unsaved_;
    pool_id into_{}; // none: no snapshot is being made
    status outcome_ = status::ok;
    bool walks_ = false; // the region's pool is being walked for streams
    pool_cursor walk_{};
    slot_id hand_ = 0;
    uffd_snapshot_stats moment_{};
};

} // namespace pagefold
