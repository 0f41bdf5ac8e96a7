// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/hosted/frame_queue.hpp>
#include <pagefold/hosted/shortage.hpp>
#include <pagefold/hosted/steady_clock.hpp>
#include <pagefold/hosted/uffd_memory.hpp>
#include <pagefold/hosted/unsaved_pages.hpp>
#include <pagefold/paging/concept.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

// The memory of a region as a region_pager wants it (paging/concept.hpp): which of uffd_memory's moves a page takes.
//
//   move     a page that is taken out is in a frame. Frames are a ring: pages leave by it in the order in which they came, so
//            that a batch of frames is given back in one call. One that is put back is copied, as MOVE knows no write
//            protection, and leaves its frame behind, which is spare until the ring has come to it
//   protect  a page that is taken out is in its place, and protected from writing
//
// What the scan says of writes is a hint (uffd_memory.hpp), so there is room for comparing.
//
// Pages that a snapshot still has to save are protected whatever the pager asks: their first write is to be a fault.

namespace pagefold::inline PAGEFOLD_ABI {

/// paging_backend, and scattered_, unsure_, spare_ and timed_backend, over a uffd_memory that is open. Not thread-safe: the
/// pager's lock is held around every call.
class uffd_backend {
public:
    static constexpr std::size_t max_window = 16; ///< pages that a place is of
    static constexpr std::size_t max_batch = 64;  ///< pages in a call, and frames for a run of them

    uffd_backend(uffd_memory& memory, unsaved_pages& unsaved) noexcept : memory_{memory}, unsaved_{unsaved} {}
    uffd_backend(const uffd_backend&) = delete;
    uffd_backend& operator=(const uffd_backend&) = delete;
    ~uffd_backend() { close(); }

    /// False, with errno, where there is no memory.
    [[nodiscard]] bool open() noexcept {
        close();
        room_ = map((max_window + 1) * page_bytes_, PROT_READ | PROT_WRITE, MAP_POPULATE);
        zeros_ = map(max_window * page_bytes_, PROT_READ, MAP_POPULATE); // all of it the system's page of zeros
        if (memory_.frames() != 0) {
            table_bytes_ = memory_.pages() * sizeof(std::uint32_t);
            frames_of_ = static_cast<std::uint32_t*>(
                static_cast<void*>(map(table_bytes_, PROT_READ | PROT_WRITE, MAP_NORESERVE)));
        }
        return room_ != nullptr && zeros_ != nullptr && (memory_.frames() == 0 || frames_of_ != nullptr) &&
               frames_.open(memory_.frames());
    }
    void close() noexcept {
        unmap(std::exchange(room_, nullptr), (max_window + 1) * page_bytes_);
        unmap(std::exchange(zeros_, nullptr), max_window * page_bytes_);
        unmap(std::exchange(frames_of_, nullptr), table_bytes_);
        frames_.close();
        taken_ = last_count_ = last_seen_ = 0;
    }

    /// Room for max_window pages: a place, while one is open.
    [[nodiscard]] byte_span room() const noexcept { return {room_, max_window * page_bytes_}; }
    [[nodiscard]] const std::byte* zeros() const noexcept { return zeros_; }
    /// Whether each page taken out has the frame that is noted for it. For tests; `taken` are the pager's.
    [[nodiscard]] bool check(std::size_t taken) const noexcept {
        return !moves() || (taken == taken_ && taken_ <= frames_.used());
    }
    /// Of a page that is taken out.
    [[nodiscard]] const std::byte* bytes_of(slot_id page) const noexcept {
        return moves() ? memory_.frame(frame_of(page)) : memory_.page(page);
    }

    /// Of a page that is taken out in its place, the kernel's write protection comes between the program's writes and this,
    /// which ThreadSanitizer can't see.
    [[nodiscard]] __attribute__((__no_sanitize__("thread"), __noinline__)) bool
    is_zeros(const std::byte* page) const noexcept {
        for (std::size_t at = 0; at < page_bytes_; at += sizeof(std::uint64_t)) {
            std::uint64_t word;
            __builtin_memcpy(&word, page + at, sizeof word);
            if (word != 0) {
                return false;
            }
        }
        return true;
    }

    result<byte_span> place(slot_id, std::size_t count) noexcept {
        return byte_span{room_, (std::min)(count, max_window) * page_bytes_};
    }
    pages_done bring(slot_id first, std::size_t count, page_access access) noexcept {
        return count == 0 ? pages_done{} : copy(first, room_, count, access);
    }
    pages_done bring_zeros(slot_id first, std::size_t count, page_access access) noexcept {
        for (std::size_t i = 0; i < count; ++i) {
            unsaved_.remove(static_cast<slot_id>(first + i)); // a snapshot has zeros by not having the page
        }
        pages_done all;
        while (all.done < count && all.why == status::ok) {
            const auto page = static_cast<slot_id>(first + all.done);
            const pages_done part = copy(page, zeros_, (std::min)(count - all.done, max_window), access);
            all = {all.done + part.done, part.why};
        }
        return all;
    }
    status let_write(slot_id page) noexcept {
        const bool is_never_protected = moves() && memory_.tracking() == clean_tracking::none;
        return is_never_protected || memory_.unprotect(page, 1) ? status::ok : status::busy;
    }
    pages_done take_out(slot_id first, std::size_t count) noexcept {
        pages_done all;
        while (all.done < count && all.why == status::ok) {
            slot_id pages[max_batch];
            const std::size_t part = (std::min)(count - all.done, max_batch);
            for (std::size_t i = 0; i < part; ++i) {
                pages[i] = static_cast<slot_id>(first + all.done + i);
            }
            const pages_done done = take_out_pages(pages, part);
            all = {all.done + done.done, done.why};
        }
        return all;
    }
    /// One scan for all of them, and the frames of pages that were put back meanwhile.
    void foresee(const slot_id* pages, std::size_t count) noexcept {
        drop_left();
        std::copy(pages, pages + count, last_);
        last_count_ = count;
        last_seen_ = 0;
        note_writes();
    }
    pages_done take_out_pages(const slot_id* pages, std::size_t count) noexcept {
        if (!is_foreseen(pages, count)) {
            foresee(pages, count);
            last_seen_ = count;
        }
        pages_done all;
        while (all.done < count && all.why == status::ok) {
            if (is_in_frame(pages[all.done])) { // since a call that stopped before it
                ++all.done;
                continue;
            }
            std::size_t run = 1;
            while (all.done + run < count && is_run(pages + all.done, run) && !is_in_frame(pages[all.done + run])) {
                ++run;
            }
            const pages_done part = moves() ? move(pages + all.done, run) : protect(pages[all.done], run);
            all = {all.done + part.done, part.why};
        }
        return all;
    }
    [[nodiscard]] bool was_written(slot_id page) const noexcept {
        if (memory_.tracking() == clean_tracking::protect) {
            return false;
        }
        const slot_id* const at = std::lower_bound(last_, last_ + last_count_, page);
        return at == last_ + last_count_ || *at != page || is_written_[at - last_];
    }
    [[nodiscard]] byte_span compare_room() const noexcept {
        return memory_.tracking() == clean_tracking::scan ? byte_span{room_ + max_window * page_bytes_, page_bytes_}
                                                          : byte_span{};
    }
    result<byte_view> read(slot_id page) noexcept { return byte_view{bytes_of(page), page_bytes_}; }
    status put_back(slot_id page, page_access access) noexcept {
        if (!moves()) {
            return is_protected(page, access) || memory_.unprotect(page, 1) ? status::ok : status::busy;
        }
        const uffd_outcome done = memory_.bring(page, bytes_of(page), 1, is_protected(page, access));
        if (!done.ok()) {
            return refusal(done.error);
        }
        leave_frame(page); // with its memory: a call for each would cost more than it is worth
        return status::ok;
    }
    pages_done drop(slot_id first, std::size_t count) noexcept {
        std::size_t done = 0;
        while (done < count) {
            const auto page = static_cast<slot_id>(first + done);
            if (is_in_frame(page)) {
                leave_frame(page);
                ++done;
                continue;
            }
            std::size_t run = 1;
            while (done + run < count && !is_in_frame(static_cast<slot_id>(page + run))) {
                ++run;
            }
            const std::size_t part = drop_run(page, run);
            done += part;
            if (part != run) {
                break;
            }
        }
        drop_left();
        return {done, done == count ? status::ok : status::busy};
    }
    pages_done drop_pages(const slot_id* pages, std::size_t count) noexcept {
        for (std::size_t done = 0; done < count;) {
            std::size_t run = 1;
            while (done + run < count && pages[done + run] == pages[done] + run) {
                ++run;
            }
            if (moves()) {
                for (std::size_t i = done; i < done + run; ++i) {
                    leave_frame(pages[i]);
                }
            } else if (const std::size_t part = drop_run(pages[done], run); part != run) {
                return {done + part, status::busy};
            }
            done += run;
        }
        drop_left();
        return {count, status::ok};
    }
    /// With faults by signal nobody marks it: who touches it is told by the handler each time.
    status set_lost(slot_id page, bool is_lost) noexcept {
        if (!memory_.has_waiters()) {
            return status::ok;
        }
        if (is_lost) {
            memory_.lose(page); // who gets there although it was lost before met a system without memory for that
            return status::ok;
        }
        return memory_.regain(page) ? status::ok : status::busy;
    }
    status wake(slot_id first, std::size_t count) noexcept {
        memory_.wake(first, count);
        return status::ok;
    }
    [[nodiscard]] bool tells_writes() const noexcept { return memory_.tracking() == clean_tracking::protect; }
    [[nodiscard]] std::size_t spare() const noexcept { return frames_.used() - taken_; }
    [[nodiscard]] std::uint64_t now() const noexcept { return clock_.now(); }

private:
    [[nodiscard]] std::byte* map(std::size_t bytes, int access, int flags) const noexcept {
        void* const memory = mmap(nullptr, bytes, access, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
        return memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
    }
    static void unmap(void* memory, std::size_t bytes) noexcept {
        if (memory != nullptr) {
            munmap(memory, bytes);
        }
    }
    [[nodiscard]] static status refusal(int error) noexcept {
        return is_shortage(error) ? status::no_memory : status::busy;
    }
    [[nodiscard]] bool moves() const noexcept { return memory_.eviction() == eviction_method::move; }
    [[nodiscard]] bool is_protected(slot_id page, page_access access) const noexcept {
        return (memory_.tracking() != clean_tracking::none && access == page_access::read) || unsaved_.has(page);
    }

    /// In parts, as some may have to be protected and others not.
    pages_done copy(slot_id first, const std::byte* from, std::size_t count, page_access access) noexcept {
        std::size_t done = 0;
        while (done < count) {
            const auto page = static_cast<slot_id>(first + done);
            const bool protects = is_protected(page, access);
            std::size_t part = 1;
            while (done + part < count && is_protected(static_cast<slot_id>(page + part), access) == protects) {
                ++part;
            }
            uffd_outcome outcome = memory_.bring(page, from + done * page_bytes_, part, protects);
            if (outcome.done == 0 && part > 1) { // the kernel splits mappings that were advised (MADV_DONTDUMP): no
                                                 // copy spans two
                outcome = memory_.bring(page, from + done * page_bytes_, 1, protects);
            }
            done += outcome.done / page_bytes_;
            if (outcome.done == 0) {
                return {done, refusal(outcome.error)};
            }
        }
        return {done, status::ok};
    }

    // Out of memory.

    /// Whether they are the next of those that were foreseen, each once.
    [[nodiscard]] bool is_foreseen(const slot_id* pages, std::size_t count) noexcept {
        const slot_id* const at = std::lower_bound(last_ + last_seen_, last_ + last_count_, pages[0]);
        const auto left = static_cast<std::size_t>(last_ + last_count_ - at);
        if (left < count || !std::equal(pages, pages + count, at)) {
            return false;
        }
        last_seen_ = static_cast<std::size_t>(at - last_) + count;
        return true;
    }
    /// Whether pages[run] goes with those before it, which begin at pages[0].
    [[nodiscard]] bool is_run(const slot_id* pages, std::size_t run) const noexcept {
        return moves() ? pages[run] - pages[0] < max_batch : pages[run] == pages[run - 1] + 1;
    }
    /// Notes which of the last pages were written. Pages a few apart share a call.
    void note_writes() noexcept {
        constexpr slot_id near = 128; // pages that a scan passes in the time of a system call
        const bool scans = memory_.tracking() == clean_tracking::scan;
        std::fill_n(is_written_, last_count_, !scans);
        for (std::size_t first = 0; scans && first < last_count_;) {
            std::size_t end = first + 1;
            while (end < last_count_ && last_[end] - last_[end - 1] <= near) {
                ++end;
            }
            std::size_t at = first;
            const bool is_told =
                memory_.for_each_written(last_[first], last_[end - 1] - last_[first] + 1, [&](std::size_t page) {
                    while (at + 1 != end && last_[at] < page) {
                        ++at;
                    }
                    is_written_[at] = is_written_[at] || last_[at] == page;
                });
            if (!is_told) {
                std::fill(is_written_ + first, is_written_ + end, true);
            }
            first = end;
        }
    }
    pages_done protect(slot_id first, std::size_t count) noexcept {
        return memory_.protect(first, count) ? pages_done{count, status::ok} : pages_done{0, status::busy};
    }
    /// No page between them is there, so they move in one call, to frames as far apart.
    pages_done move(const slot_id* pages, std::size_t count) noexcept {
        const slot_id first = pages[0];
        const std::size_t span = pages[count - 1] - first + 1;
        const std::uint32_t frame = frames_.append(span);
        if (frame == frame_queue::empty) {
            return {0, status::no_memory};
        }
        for (std::size_t i = 0; i < count;) {
            std::size_t at = pages[i] - first;
            at += memory_.move_out(pages[i], span - at, frame + at).done;
            for (; i < count && pages[i] - first < at; ++i) {
                note_frame(pages[i], frame + (pages[i] - first));
            }
            if (i < count && !is_moved_after_all(pages[i], frame + (pages[i] - first))) {
                // The pages behind it may be in their frames, too, and not counted: each is looked after before frames are
                // appended again. Those that are out by now are counted when they are asked for.
                for (std::size_t j = i + 1; j < count; ++j) {
                    static_cast<void>(is_moved_after_all(pages[j], frame + (pages[j] - first)));
                }
                frames_.trim();
                return {i, status::busy}; // pinned by a device or another process
            }
            i += i < count ? 1u : 0u;
        }
        return {count, status::ok};
    }
    [[nodiscard]] bool is_moved_after_all(slot_id page, std::uint32_t frame) noexcept {
        const bool protects = memory_.tracking() != clean_tracking::none;
        const refused_move where = memory_.look_after(page, frame, protects);
        if (where == refused_move::in_frame) {
            note_frame(page, frame);
            return true;
        }
        if (where == refused_move::brought_back) {
            memory_.wake(page, 1);
        }
        return false;
    }
    [[nodiscard]] std::size_t drop_run(slot_id first, std::size_t count) noexcept {
        if (memory_.drop(first, count)) {
            return count;
        }
        // Where the kernel keeps one of them (mlock), it may have dropped those before it: then each is asked for.
        std::size_t done = 0;
        while (done < count && memory_.drop(first + done, 1)) {
            ++done;
        }
        return done;
    }

    // Frames. A page has the number of its frame and one, or 0.

    [[nodiscard]] bool is_in_frame(slot_id page) const noexcept { return moves() && frames_of_[page] != 0; }
    [[nodiscard]] std::uint32_t frame_of(slot_id page) const noexcept { return frames_of_[page] - 1; }
    void note_frame(slot_id page, std::uint32_t frame) noexcept {
        frames_.fill(frame, page);
        frames_of_[page] = frame + 1;
        ++taken_;
    }
    void leave_frame(slot_id page) noexcept {
        frames_.leave(frame_of(page));
        frames_of_[page] = 0;
        --taken_;
    }
    /// Gives back the oldest frames up to the first that has a page.
    void drop_left() noexcept {
        std::size_t first = frames_.head();
        while (frames_.length() != 0 && frames_.page(frames_.head()) >= frame_queue::rest) {
            frames_.pop();
            if (frames_.head() == 0) {
                memory_.drop_frames(first, frames_.frames() - first);
                first = 0;
            }
        }
        if (frames_.head() != first) {
            memory_.drop_frames(first, frames_.head() - first);
        }
    }

    uffd_memory& memory_;
    unsaved_pages& unsaved_;
    std::byte* room_ = nullptr; // the place, and a page to compare
    std::byte* zeros_ = nullptr;
    std::uint32_t* frames_of_ = nullptr; // a page
    std::size_t table_bytes_ = 0;
    frame_queue frames_{};
    std::size_t taken_ = 0; // pages in frames
    std::size_t page_bytes_ = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    slot_id last_[max_batch] = {}; // foreseen
    bool is_written_[max_batch] = {};
    std::size_t last_count_ = 0;
    std::size_t last_seen_ = 0; // of those: have been taken out, or refused
    steady_clock clock_{};
};
static_assert(scattered_backend<uffd_backend> && unsure_backend<uffd_backend> && spare_backend<uffd_backend> &&
              timed_backend<uffd_backend>);

} // namespace pagefold
