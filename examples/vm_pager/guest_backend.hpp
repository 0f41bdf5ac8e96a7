// SPDX-License-Identifier: MIT
#pragma once

#include "base_memory.hpp"
#include "guest_memory.hpp"

#include <pagefold/paging/concept.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace vm_pager {

/// pagefold::paging_backend over the memory of another process (guest_memory.hpp): how a region_pager moves a guest's pages. What
/// it takes out is protected, and read from the memfd; a run in one call.
///
/// Two bits a page spare it system calls. `guarded`: write-protected by us, and so it takes another call neither to take
/// it out nor to know that it was not written. `taken`: taken out since it was written, so neighbours of a page that is read are
/// worth reading with it.
class guest_backend {
    using slot_id = pagefold::slot_id;
    using status = pagefold::status;
    using pages_done = pagefold::pages_done;
    using page_access = pagefold::page_access;

public:
    static constexpr std::size_t window = 16; ///< pages that are brought or read at once

    /// `base`: what pages are that nobody has touched, or null.
    guest_backend(guest_memory& memory, base_memory* base)
        : memory_{memory}, base_{base}, guarded_(memory.pages()),
          taken_(memory.pages()), placed_{new (std::align_val_t{page_bytes}) std::byte[window * page_bytes]},
          read_{new (std::align_val_t{page_bytes}) std::byte[window * page_bytes]} {}

    pagefold::result<pagefold::byte_span> place(slot_id first, std::size_t count) noexcept {
        place_ = {first, std::min({count, window, memory_.run_from(first)})};
        filled_ = 0;
        return pagefold::byte_span{placed_.get(), place_.count * page_bytes};
    }
    pages_done bring(slot_id first, std::size_t count, page_access access) noexcept {
        return copy(placed_.get(), first, count, access);
    }
    pages_done bring_zeros(slot_id first, std::size_t count, page_access access) noexcept {
        alignas(page_bytes) static const std::byte zeros[window * page_bytes]{};
        return in_parts(first, count, window,
                        [&](slot_id at, std::size_t part) noexcept { return copy(zeros, at, part, access); });
    }
    status let_write(slot_id page) noexcept {
        const status s = memory_.can_evict() ? met(memory_.protect(page, 1, false).error) : status::ok;
        guarded_[page] = guarded_[page] && s != status::ok;
        woken_ = {page, s == status::ok && memory_.can_evict() ? std::size_t{1} : 0};
        return s;
    }
    pages_done take_out(slot_id first, std::size_t count) noexcept {
        have_read_ = {};
        if (!memory_.can_evict()) {
            return {0, status::unavailable};
        }
        return in_parts(first, count, count, [&](slot_id at, std::size_t part) noexcept {
            std::size_t run = 1;
            while (run < part && guarded_[at + run] == guarded_[at]) {
                ++run;
            }
            const status s = guarded_[at] ? status::ok : met(memory_.protect(at, run, true).error);
            for (std::size_t i = at; i < at + run && s == status::ok && !guarded_[i]; ++i) {
                guarded_[i] = taken_[i] = true;
            }
            return pages_done{s == status::ok ? run : 0, s};
        });
    }
    [[nodiscard]] bool was_written(slot_id) noexcept { return false; }
    pagefold::result<pagefold::byte_view> read(slot_id page) noexcept {
        if (page - have_read_.first >= have_read_.count) {
            std::size_t run = 1;
            for (const std::size_t most = std::min(window, memory_.run_from(page)); run < most && taken_[page + run];) {
                ++run;
            }
            have_read_ = {page, memory_.read(page, read_.get(), run) ? run : 0};
        }
        if (have_read_.count == 0) {
            return status::unavailable;
        }
        return pagefold::byte_view{read_.get() + (page - have_read_.first) * page_bytes, page_bytes};
    }
    status put_back(slot_id page, page_access access) noexcept {
        const status s = access == page_access::write ? let_write(page) : status::ok;
        taken_[page] = taken_[page] && s != status::ok;
        return s;
    }
    pages_done drop(slot_id first, std::size_t count) noexcept {
        return in_parts(first, count, count, [&](slot_id at, std::size_t part) noexcept {
            if (!memory_.can_evict() || !memory_.drop(at, part)) {
                return pages_done{0, status::busy};
            }
            went(at, part);
            return pages_done{part, status::ok};
        });
    }
    /// A page that was removed is missing again by itself. Where the kernel can't tell who waits, he waits for ever: wrong bytes would be
    /// worse.
    status set_lost(slot_id page, bool is_lost) noexcept {
        const status s = is_lost ? met(memory_.poison(page).error) : status::ok;
        return is_lost && met_page() ? status::ok : s; // it was told already
    }
    status wake(slot_id first, std::size_t count) noexcept {
        if (first - woken_.first >= woken_.count || count > woken_.count - (first - woken_.first)) {
            static_cast<void>(in_parts(first, count, count, [&](slot_id at, std::size_t part) noexcept {
                memory_.wake(at, part);
                return pages_done{part, status::ok};
            }));
        }
        woken_ = {};
        return status::ok;
    }
    [[nodiscard]] bool tells_writes() const noexcept { return memory_.can_evict(); }

    /// What follows is most often read next: one call of the base for the whole place.
    status fill(slot_id page, pagefold::byte_span out) noexcept {
        const std::size_t at = page - place_.first;
        const bool is_in_place = at < place_.count && out.data() == placed_.get() + at * page_bytes;
        if (is_in_place && at < filled_) {
            return status::ok;
        }
        const std::size_t got =
            base_ != nullptr ? base_->read(memory_.offset(page), out.data(), is_in_place ? place_.count - at : 1) : 0;
        filled_ = is_in_place ? at + got : filled_;
        lost_base_ = got == 0 ? page : lost_base_;
        return got == 0 ? status::corrupt : status::ok;
    }

    // What the guest has to know besides.

    /// The pages went or came by themselves, and are under nobody's protection.
    void went(slot_id first, std::size_t count) noexcept {
        std::fill_n(guarded_.begin() + first, count, false);
        std::fill_n(taken_.begin() + first, count, false);
        have_read_ = {};
    }
    /// Whether the last call found its page there already.
    [[nodiscard]] bool met_page() const noexcept { return error_ == EEXIST; }
    [[nodiscard]] bool has_gone() const noexcept { return has_gone_; }
    /// The page that the base could not read since this was asked last, or no_slot.
    [[nodiscard]] slot_id take_lost_base() noexcept { return std::exchange(lost_base_, pagefold::no_slot); }

private:
    struct page_range {
        slot_id first = 0;
        std::size_t count = 0;
    };
    struct free_pages {
        void operator()(std::byte* pages) const noexcept { ::operator delete[](pages, std::align_val_t{page_bytes}); }
    };
    using pages = std::unique_ptr<std::byte[], free_pages>;

    /// Other errors say that the page is there, its mapping has gone, or its process.
    status met(int error) noexcept {
        error_ = error;
        has_gone_ = has_gone_ || error == ESRCH;
        return error == 0        ? status::ok
               : error == EAGAIN ? status::busy
               : error == ENOMEM ? status::no_memory
                                 : status::invalid;
    }
    /// Parts within a region, of `most` pages.
    template <class Do>
    pages_done in_parts(slot_id first, std::size_t count, std::size_t most, Do do_part) noexcept {
        for (std::size_t at = 0; at < count;) {
            const auto page = static_cast<slot_id>(first + at);
            const pages_done done = do_part(page, std::min({count - at, most, memory_.run_from(page)}));
            at += done.done;
            if (done.why != status::ok) {
                return {at, done.why};
            }
        }
        return {count, status::ok};
    }
    /// Wakes who waits for them.
    pages_done copy(const std::byte* from, slot_id first, std::size_t count, page_access access) noexcept {
        if (count == 0) {
            return {};
        }
        const bool is_guarded = access == page_access::read && memory_.can_evict();
        const pagefold::uffd_outcome done = memory_.bring(first, from, count, is_guarded);
        woken_ = {first, done.done / page_bytes};
        std::fill_n(guarded_.begin() + first, woken_.count, is_guarded);
        std::fill_n(taken_.begin() + first, woken_.count, false);
        return {woken_.count, met(done.error)};
    }

    guest_memory& memory_;
    base_memory* base_;
    std::vector<bool> guarded_, taken_;
    pages placed_, read_;
    page_range place_{}, have_read_{}, woken_{};
    std::size_t filled_ = 0; // of the place
    slot_id lost_base_ = pagefold::no_slot;
    int error_ = 0;
    bool has_gone_ = false;
};

} // namespace vm_pager
