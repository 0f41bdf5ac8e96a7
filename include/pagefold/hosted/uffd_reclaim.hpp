// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bytes.hpp>
#include <pagefold/evict/concept.hpp>
#include <pagefold/hosted/frame_queue.hpp>
#include <pagefold/hosted/resident_set.hpp>
#include <pagefold/hosted/steady_clock.hpp>
#include <pagefold/hosted/uffd_memory.hpp>
#include <pagefold/hosted/uffd_pager_options.hpp>
#include <pagefold/hosted/unsaved_pages.hpp>
#include <pagefold/store/pool.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

// What a paged region has where, and how its pages leave memory; how they come back is in uffd_pager.hpp, which has the
// states and the invariants as well.
//
// A copy in the store is kept while its page is resident and unwritten, so that it can be dropped again without
// compressing. Those copies are the first to go when the store is full.

namespace pagefold::inline PAGEFOLD_ABI {

/// The part of uffd_pager that evicts. Its lock is held around every call.
template <class Store, eviction_policy Policy>
class uffd_reclaim {
public:
    static constexpr std::size_t page_size = Store::page_size;
    static constexpr std::size_t least_budget_pages = 16; ///< an instruction may need several pages at once
    static constexpr std::size_t max_batch = 64;
    static constexpr std::size_t max_window = 16;

protected:
    static constexpr std::size_t buffer_pages = max_window + 2; // the window, one page to compare, and zeros

    explicit uffd_reclaim(Store& store) noexcept : store_{store} {}
    uffd_reclaim(const uffd_reclaim&) = delete;
    uffd_reclaim& operator=(const uffd_reclaim&) = delete;
    ~uffd_reclaim() = default;

    // What both halves use.

    void adopt_budget() noexcept {
        budget_ = stats_.budget_bytes / page_size;
        queue_target_ = (std::min)(budget_ / queue_share, memory_.frames() / 4);
        batch_ = std::clamp<std::size_t>(budget_ / 16, 1, options_.reclaim_batch);
    }

    [[nodiscard]] page_key key(slot_id page) const noexcept { return {pool_, 0, page}; }
    [[nodiscard]] std::byte* window_page(std::size_t i) const noexcept { return buffer_ + i * page_size; }
    [[nodiscard]] std::byte* compare_page() const noexcept { return buffer_ + max_window * page_size; }
    [[nodiscard]] const std::byte* zeros() const noexcept { return buffer_ + (max_window + 1) * page_size; }
    /// Of a page that is evicted in place, the kernel's write protection comes between the program's writes and this, which
    /// ThreadSanitizer can't see.
    [[nodiscard]] __attribute__((__no_sanitize__("thread"), __noinline__)) static bool
    is_zeros(const std::byte* bytes) noexcept {
        for (std::size_t at = 0; at < page_size; at += sizeof(std::uint64_t)) {
            std::uint64_t word;
            __builtin_memcpy(&word, bytes + at, sizeof word);
            if (word != 0) {
                return false;
            }
        }
        return true;
    }
    /// Pages in memory, mapped or in frames.
    [[nodiscard]] std::size_t in_memory() const noexcept { return set_.resident() + queue_.used(); }
    void note_peak() noexcept {
        stats_.peak_bytes = std::max<std::uint64_t>(stats_.peak_bytes, in_memory() * page_size);
    }
    /// A page that is not in the store alone: its copy is good or not, and in the store or not.
    void set_copy(slot_id page, bool is_good, bool is_stored) noexcept {
        stats_.copied_pages -= set_.is_stored(page) ? 1u : 0u;
        stats_.copied_pages += is_stored ? 1u : 0u;
        set_.set_copy(page, is_good, is_stored);
    }
    void forget_copy(slot_id page) noexcept {
        if (set_.is_stored(page)) {
            static_cast<void>(store_.erase(key(page)));
        }
        set_copy(page, false, false);
    }

    /// Erases copies of pages that are in memory, some at a time, where the store has no room; false where there are none.
    [[nodiscard]] bool drop_copies() noexcept {
        std::size_t dropped = 0;
        for (std::size_t seen = 0; stats_.copied_pages != 0 && seen < set_.pages() && dropped < copies_a_refusal;
             ++seen) {
            copy_hand_ = copy_hand_ + 1 < set_.pages() ? copy_hand_ + 1 : 0;
            const page_place place = set_.place(copy_hand_); // a victim that is on its way out is in neither
            if ((place == page_place::resident || place == page_place::queued) && set_.is_stored(copy_hand_)) {
                forget_copy(copy_hand_);
                ++dropped;
            }
        }
        return dropped != 0;
    }

    /// Evicts until `pages` more fit into the budget, if the store takes what must go.
    void make_room(std::size_t pages) noexcept {
        while (in_memory() + pages > budget_ && reclaim_some(1)) {
        }
    }
    /// Frees a batch, larger where `excess` pages are to go. False where nothing could be freed: the store refuses, or the
    /// kernel refuses every page that is resident.
    bool reclaim_some(std::size_t excess) noexcept {
        const std::size_t most = std::max<std::size_t>(batch_, std::min<std::size_t>(excess, options_.reclaim_batch));
        const std::size_t tries = set_.resident() / most + 1;
        for (std::size_t i = 0; i < tries; ++i) {
            const std::uint64_t refused = stats_.refused_pages, pinned = stats_.pinned_pages;
            if (reclaim_step(most)) {
                return true;
            }
            if (stats_.refused_pages != refused || stats_.pinned_pages == pinned) {
                return false;
            }
        }
        return false;
    }

    Store& store_;
    uffd_pager_options options_{};
    uffd_memory memory_{};
    resident_set<Policy> set_{};
    frame_queue queue_{};
    unsaved_pages unsaved_{}; // of a snapshot (uffd_snapshot.hpp): none of them may be written before it is saved
    pool_id pool_{};
    std::byte* buffer_ = nullptr; // buffer_pages
    steady_clock clock_{};
    std::size_t budget_ = 0; // in pages, as the next
    std::size_t batch_ = 1;
    uffd_pager_stats stats_{};

private:
    static constexpr std::size_t queue_share = 8; // of the budget
    static constexpr std::size_t copies_a_refusal = 64;

    struct victim {
        slot_id page;
        bool is_clean;
    };

    bool reclaim_step(std::size_t most) noexcept {
        const std::uint64_t start = clock_.now();
        bool has_freed = false;
        if (memory_.eviction() == eviction_method::move) {
            // What lies in the queue beyond its share leaves before anything else does: after a budget was cut, it would
            // take the place of all that is mapped.
            const std::size_t wanted = std::max<std::size_t>(queue_target_, 1) + most;
            if (queue_.used() < wanted) {
                queue_victims((std::min)({wanted - queue_.used(), 2 * most, max_batch}));
            }
            has_freed = settle(most);
        } else {
            has_freed = evict_in_place(most);
        }
        stats_.reclaim_ns += clock_.now() - start;
        return has_freed;
    }
    /// Takes victims off the resident set, in the order of their addresses.
    [[nodiscard]] std::size_t choose_victims(victim (&out)[max_batch], std::size_t most, page_place to) noexcept {
        std::size_t count = 0;
        while (count < most) {
            const slot_id page = set_.evict(to, [](slot_id) noexcept { return true; });
            if (page == no_slot) {
                break;
            }
            out[count++] = {page, set_.has_copy(page)};
        }
        std::sort(out, out + count, [](const victim& a, const victim& b) { return a.page < b.page; });
        return count;
    }
    /// Clears is_clean of those that were written. Victims a few pages apart share a call.
    void find_written(victim* victims, std::size_t count) noexcept {
        constexpr slot_id near = 128; // pages that a scan passes in the time of a system call
        for (std::size_t first = 0; first < count;) {
            std::size_t last = first;
            while (last + 1 < count && victims[last + 1].page - victims[last].page <= near) {
                ++last;
            }
            victim* at = victims + first;
            const bool is_told = memory_.for_each_written(
                victims[first].page, victims[last].page - victims[first].page + 1, [&](std::size_t page) {
                    while (at != victims + last && at->page < page) {
                        ++at;
                    }
                    at->is_clean &= at->page != page;
                });
            for (std::size_t i = first; !is_told && i <= last; ++i) {
                victims[i].is_clean = false;
            }
            first = last + 1;
        }
    }
    void stays(slot_id page) noexcept { set_.insert(page, true); }

    void queue_victims(std::size_t most) noexcept {
        victim victims[max_batch];
        const std::size_t count = choose_victims(victims, most, page_place::queued);
        if (memory_.tracking() == clean_tracking::scan) {
            find_written(victims, count);
        }
        for (std::size_t first = 0; first < count;) {
            std::size_t last = first; // a run: with no resident page in between, it moves in one call
            while (last + 1 < count && victims[last + 1].page - victims[first].page < max_batch &&
                   stats_.lost_pages == 0 && set_.none_between(victims[last].page + 1, victims[last + 1].page)) {
                ++last;
            }
            queue_run(victims + first, last - first + 1);
            first = last + 1;
        }
    }
    void queue_run(const victim* run, std::size_t count) noexcept {
        const slot_id first = run[0].page;
        const std::size_t pages = run[count - 1].page - first + 1;
        const std::uint32_t frame = queue_.append(pages);
        for (std::size_t i = 0; i < count;) {
            std::size_t at = run[i].page - first;
            if (frame != frame_queue::empty) {
                at += memory_.move_out(run[i].page, pages - at, frame + at).done;
            }
            for (; i < count && run[i].page - first < at; ++i) {
                note_queued(run[i], frame + (run[i].page - first));
            }
            if (i < count) { // pinned by a device or another process, or there is no frame
                refused(run[i], frame == frame_queue::empty ? frame : frame + (run[i].page - first));
                ++i;
            }
        }
    }
    void refused(const victim& one, std::uint32_t frame) noexcept {
        const refused_move where = frame == frame_queue::empty
                                       ? refused_move::stays
                                       : memory_.look_after(one.page, frame, unsaved_.has(one.page));
        if (where == refused_move::in_frame) {
            note_queued(one, frame);
            return;
        }
        if (where == refused_move::brought_back) {
            forget_copy(one.page); // nobody protects it from being written now
            memory_.wake(one.page, 1);
        } else {
            stats_.pinned_pages += frame != frame_queue::empty ? 1u : 0u;
        }
        stays(one.page);
    }
    void note_queued(const victim& one, std::uint32_t frame) noexcept {
        queue_.fill(frame, one.page);
        set_.set_stamp(one.page, frame);
        set_copy(one.page, one.is_clean, set_.is_stored(one.page));
    }

    /// Stores the oldest queued pages and frees their frames; false where not one came free.
    bool settle(std::size_t most) noexcept {
        std::size_t first = queue_.head(), freed = 0;
        for (bool goes_on = true; goes_on && queue_.length() != 0 && freed < most;) {
            const slot_id page = queue_.page(queue_.head());
            if (page < frame_queue::rest) {
                goes_on = store_queued(page, memory_.frame(queue_.head()));
                if (set_.place(page) == page_place::queued) {
                    break; // neither the store nor the region has room for it this moment
                }
            }
            freed += goes_on && page != frame_queue::empty ? 1u : 0u;
            queue_.pop();
            if (queue_.head() == 0) {
                memory_.drop_frames(first, queue_.frames() - first);
                first = 0;
            }
        }
        if (queue_.head() != first) {
            memory_.drop_frames(first, queue_.head() - first);
        }
        return freed != 0;
    }
    /// Where the store refuses, the page goes back to the region, and that is false.
    [[nodiscard]] bool store_queued(slot_id page, const std::byte* bytes) noexcept {
        if (set_.has_copy(page) && (memory_.tracking() != clean_tracking::scan || is_copy(page, bytes))) {
            ++stats_.clean_pages;
            note_left(page, set_.is_stored(page));
            return true;
        }
        if (put(page, bytes)) {
            note_left(page, set_.is_stored(page));
            return true;
        }
        if (memory_.bring(page, bytes, 1, unsaved_.has(page)).ok()) {
            stays(page);
        }
        return false;
    }
    /// Whether the page's copy has these bytes.
    [[nodiscard]] bool is_copy(slot_id page, const std::byte* bytes) noexcept {
        if (!set_.is_stored(page)) {
            return is_zeros(bytes);
        }
        return store_.get(key(page), {compare_page(), page_size}) == status::ok &&
               std::memcmp(bytes, compare_page(), page_size) == 0;
    }
    /// Zeros are as good nowhere. Where the store has no room, the copies of pages that are in memory give theirs.
    [[nodiscard]] bool put(slot_id page, const std::byte* bytes) noexcept {
        if (is_zeros(bytes)) {
            forget_copy(page);
            return true;
        }
        for (;;) {
            const status s = store_.put(key(page), {bytes, page_size});
            set_copy(page, false, s == status::ok);
            if (s == status::ok) {
                return true;
            }
            if ((s != status::limit && s != status::no_memory) || !drop_copies()) {
                ++stats_.refused_pages;
                return false;
            }
        }
    }
    void note_left(slot_id page, bool is_stored) noexcept {
        if (!is_stored) {
            unsaved_.remove(page); // zeros, which a snapshot has by not having the page
        }
        set_copy(page, false, false);
        stats_.stored_pages += is_stored ? 1u : 0u;
        set_.set_copy(page, is_stored, is_stored);
        set_.set_place(page, is_stored ? page_place::stored : page_place::nowhere);
        set_.note_eviction(page);
        ++stats_.evicted_pages;
    }

    bool evict_in_place(std::size_t most) noexcept {
        victim victims[max_batch];
        const std::size_t count = choose_victims(victims, most, page_place::nowhere);
        std::size_t freed = 0;
        for (std::size_t first = 0; first < count;) {
            std::size_t last = first;
            while (last + 1 < count && victims[last + 1].page == victims[last].page + 1) {
                ++last;
            }
            freed += evict_run(victims + first, last - first + 1);
            first = last + 1;
        }
        return freed != 0;
    }
    /// Pages side by side. While they are protected nobody changes them; who tries waits, and is woken when they are gone.
    [[nodiscard]] std::size_t evict_run(const victim* run, std::size_t count) noexcept {
        bool goes[max_batch] = {};
        const bool is_protected = memory_.protect(run[0].page, count);
        for (std::size_t i = 0; i < count && is_protected; ++i) {
            goes[i] = run[i].is_clean || put(run[i].page, memory_.page(run[i].page));
        }
        std::size_t freed = 0;
        for (std::size_t i = 0; i < count;) {
            std::size_t end = i;
            while (end < count && goes[end]) {
                ++end;
            }
            // Where the kernel keeps one of them (mlock), it may have dropped those before it: then each is asked for.
            const bool all_dropped = end > i && memory_.drop(run[i].page, end - i);
            for (end = (std::max)(end, i + 1); i < end; ++i) {
                const slot_id page = run[i].page;
                if (all_dropped || (goes[i] && memory_.drop(page, 1))) {
                    stats_.clean_pages += run[i].is_clean ? 1u : 0u;
                    note_left(page, set_.is_stored(page));
                    ++freed;
                    continue;
                }
                stats_.pinned_pages += goes[i] || !is_protected ? 1u : 0u;
                forget_copy(page);
                stays(page);
                if (!unsaved_.has(page)) {
                    memory_.unprotect(page, 1);
                }
            }
        }
        memory_.wake(run[0].page, count);
        return freed;
    }

    std::size_t queue_target_ = 0; // in pages
    slot_id copy_hand_ = 0;
};

} // namespace pagefold
