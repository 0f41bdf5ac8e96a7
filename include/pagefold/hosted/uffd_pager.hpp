// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/concept.hpp>
#include <pagefold/hosted/blocked_signals.hpp>
#include <pagefold/hosted/frame_queue.hpp>
#include <pagefold/hosted/numa_calls.hpp>
#include <pagefold/hosted/read_ahead.hpp>
#include <pagefold/hosted/readable_wait.hpp>
#include <pagefold/hosted/resident_set.hpp>
#include <pagefold/hosted/shortage.hpp>
#include <pagefold/hosted/sigbus_router.hpp>
#include <pagefold/hosted/std_mutex.hpp>
#include <pagefold/hosted/steady_clock.hpp>
#include <pagefold/hosted/uffd_memory.hpp>
#include <pagefold/hosted/uffd_pager_options.hpp>
#include <pagefold/hosted/uffd_snapshot.hpp>
#include <pagefold/platform/concept.hpp>
#include <pagefold/store/pool.hpp>
#include <pagefold/store/stats.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

// A region of memory larger than the memory that it may use: what does not fit is in a page store.
//
// A page is nowhere (zeros), resident, queued, stored or lost. One lock a region orders all that changes that, whoever
// does it: the thread in run(), a thread that resolves its own fault in the SIGBUS handler, or one that sets a new budget. So
// an eviction and a fault of the same page never meet; what they leave to race with are the program's own accesses, and those
// the kernel orders (uffd_memory.hpp).
//
//   fault      nowhere → resident: zeros        stored → resident: get, then COPY        queued → resident: COPY
//   eviction   resident → queued: MOVE          queued → stored: put, or nothing where the store's copy is still good
//              resident → stored: write-protect, put, drop (where the kernel has no MOVE, or the memory is shared)
//              a page of zeros goes nowhere: it takes nothing in the store
//
// Invariants. (1) A page is in the region, in a frame or in the store before it leaves the place where it was. (2) Where a
// put is refused the page goes back to the region, over budget if it must: the budget gives way, a page never. (3) Resident
// pages and frames in use are at most the budget, but for (2).
//
// The queue is the second chance of the segmented FIFO (Turner, Levy: "Segmented FIFO page replacement", SIGMETRICS 1981),
// made for machines without accessed bits, as a user of userfaultfd is: an eighth of the budget holds pages that were
// unmapped and not compressed yet. One that is wanted again costs a fault without a codec, and tells the policy so.
//
// Costs: see docs/embedding/pager.md.

namespace pagefold::inline PAGEFOLD_ABI {

/// One region, over a pool of its own in a store that other regions may share. `Store` is a page_store or partitioned_store
/// whose page size is the system's; `Policy` chooses who leaves memory.
///
/// open and close by one thread while nobody else uses the object; everything else is safe from many threads. The store
/// must outlive it, and neither its memory nor what is handed to it may lie in a region.
///
/// What the program may not do with the region: change its mapping (munmap, mremap, mprotect), or touch it in the thread in run(),
/// signal handlers that run there included. With faults by signal neither a thread's stack may lie in it, nor may a thread that
/// touches it block SIGBUS; a system call that meets a missing page answers EFAULT there, see populate.
/// Memory is given up with discard; while a snapshot is made, with nothing else.
/// MADV_DONTNEED does as well where eviction moves pages (they read as zeros, or once as they
/// were), and hangs the pager where it protects them. Memory under device I/O (O_DIRECT, io_uring, RDMA) needs eviction by moving,
/// too, which leaves it alone: protecting would lose what arrives.
///
/// A child process has of the region what options.on_fork says, and no pager: without a fork_guard it must not touch the object.
/// With one (and others on the store and its source) memory() says what it has, all else answers as if closed, and close gives
/// back what it can.
template <class Store, eviction_policy Policy = clock>
class uffd_pager : uffd_snapshot<Store, Policy> {
    using base = uffd_snapshot<Store, Policy>;

public:
    using base::least_budget_pages;
    using base::max_batch;
    using base::max_window;
    using base::page_size;

    explicit uffd_pager(Store& store) noexcept : base{store} {}
    uffd_pager(const uffd_pager&) = delete;
    uffd_pager& operator=(const uffd_pager&) = delete;
    ~uffd_pager() { close(); }

    /// Makes the region; all of it reads as zeros. invalid: an argument, the kernel or the process's rights; no_memory or
    /// limit: of the system or the store. reason() and error() say more. Nothing is left of an open that failed, and it may be
    /// tried again.
    status open(const uffd_pager_options& options) noexcept {
        close();
        if (const char* const objection = objection_to(options); objection != nullptr) {
            return failed(status::invalid, EINVAL, objection);
        }
        const status s = open_parts(options);
        if (s != status::ok) {
            close();
            return s;
        }
        reason_ = "";
        error_ = 0;
        stats_ = {};
        stats_.budget_bytes = options.budget_bytes;
        adopt_budget();
        ahead_ = read_ahead{options.read_ahead_pages};
        return status::ok;
    }

    /// Gives everything back, pages in the store included. No thread may be in run() or touch the region.
    void close() noexcept {
        if (route_ >= 0) {
            sigbus_router::remove(std::exchange(route_, -1));
        }
        memory_.close();
        if (pool_ != pool_id{}) {
            static_cast<void>(store_.destroy_pool(std::exchange(pool_, pool_id{})));
        }
        if (buffer_ != nullptr) {
            munmap(std::exchange(buffer_, nullptr), buffer_pages * page_size);
        }
        if (stop_ >= 0) {
            ::close(std::exchange(stop_, -1));
        }
        end_moment();
        set_.close();
        queue_.close();
        inherited_ = byte_span{};
    }

    // Standstill for a fork, before that of the store: see fork_guard.hpp.

    static constexpr bool stops_before_stores = true;
    /// Waits for faults and evictions under way; others wait. With fork_policy::inherit it brings what the child is to have,
    /// and that can take as long as a fault for each page.
    status quiesce() noexcept {
        lock_.lock();
        if (memory_.is_open() && options_.on_fork == fork_policy::inherit && bring_all()) {
            is_inherited_ = memory_.let_inherit(true);
        }
        return status::ok;
    }
    void resume() noexcept {
        if (std::exchange(is_inherited_, false)) {
            static_cast<void>(memory_.let_inherit(false));
        }
        lock_.unlock();
    }
    void resume_alone() noexcept {
        const bool has_any = memory_.is_open() && (is_inherited_ || options_.on_fork == fork_policy::zeros);
        inherited_ = has_any ? memory() : byte_span{};
        is_inherited_ = false;
        memory_.abandon();
        end_moment();
        set_.close();
        queue_.close();
        stats_ = {};
        lock_.unlock();
        renew(lock_);
    }

    /// Why open or run failed: the call that was refused, or what is missing; and errno, 0 where it was none of the system's.
    /// For the thread that called it. Static.
    [[nodiscard]] const char* reason() const noexcept { return reason_; }
    [[nodiscard]] int error() const noexcept { return error_; }
    /// Where `automatic` had to take the next way because the system refused a call that the kernel says it has: that call.
    /// Else empty. Static.
    [[nodiscard]] const char* lacking() const noexcept { return memory_.lacking(); }
    /// The region; empty while closed. In a child: what it has of it, which is the program's to unmap, and empty after close.
    [[nodiscard]] byte_span memory() const noexcept {
        return is_open() ? byte_span{memory_.page(0), set_.pages() * page_size} : inherited_;
    }
    /// What `automatic` became.
    [[nodiscard]] eviction_method eviction() const noexcept { return memory_.eviction(); }
    [[nodiscard]] clean_tracking tracking() const noexcept { return memory_.tracking(); }
    /// Whether system calls that meet a missing page fail with EFAULT: populate it first.
    [[nodiscard]] bool is_user_only() const noexcept {
        return options_.delivery == fault_delivery::signal || memory_.descriptor().is_user_only();
    }
    /// Of a shared region the memfd, else −1. Who maps it besides must neither write it nor expect pages that are not resident.
    [[nodiscard]] int file() const noexcept { return memory_.file(); }

    /// Serves faults until stop(). For delivery by thread; else invalid. invalid or no_memory, and reason(), as well where the
    /// system stops telling of faults (a filter of system calls): who waits for a page waits until it is called again. One thread.
    status run() noexcept {
        if (!is_open() || options_.delivery != fault_delivery::thread) {
            return status::invalid;
        }
        for (;;) {
            const readable_wait::outcome ready = readable_wait::on(memory_.descriptor().descriptor(), stop_);
            if (ready.error != 0) {
                return failed(ready.error, "the kernel refused poll and select");
            }
            if (ready.first) {
                if (const int error = serve_messages(); error != 0) {
                    return failed(error, "the kernel refused read of the userfaultfd");
                }
            }
            if (ready.second) {
                std::uint64_t count = 0;
                static_cast<void>(!::read(stop_, &count, sizeof count));
                return status::ok;
            }
        }
    }
    /// Ends run(), after what it is doing; where it does not run yet, as soon as it does. Threads that touch missing pages
    /// from then on wait until run() is called again.
    void stop() noexcept {
        const std::uint64_t one = 1;
        static_cast<void>(!::write(stop_, &one, sizeof one));
    }

    /// Sets a new budget and evicts down to it. invalid: below the least, or closed. limit: the store refused pages, and more than the
    /// budget stays in memory; later evictions try again.
    status set_budget(std::size_t bytes) noexcept {
        if (bytes / page_size < least_budget_pages || !is_open()) {
            return status::invalid;
        }
        {
            const caller_guard guard{lock_};
            stats_.budget_bytes = bytes;
            adopt_budget();
        }
        return reclaim(0);
    }
    /// Evicts until `bytes` of the budget are free, so that faults to come need not. limit as for set_budget.
    status reclaim(std::size_t bytes) noexcept {
        const std::size_t wanted = bytes / page_size;
        for (;;) { // the lock is held for one batch at a time
            const caller_guard guard{lock_};
            if (in_memory() + wanted <= budget_ || in_memory() == 0) {
                return status::ok;
            }
            if (!reclaim_some(in_memory() + wanted - budget_)) {
                return status::limit;
            }
        }
    }
    /// The pages of the range become zeros, and cost nothing; lost ones, too. Nobody may write to them meanwhile. invalid: not
    /// whole pages of the region. busy: the kernel refused (memory that is locked, say); pages before may be gone.
    status discard(std::size_t offset, std::size_t bytes) noexcept {
        if (!is_whole(offset, bytes)) {
            return status::invalid;
        }
        for (std::size_t page = offset / page_size, last = page + bytes / page_size; page < last; ++page) {
            const caller_guard guard{lock_};
            if (!discard_page(static_cast<slot_id>(page))) {
                return status::busy;
            }
        }
        return status::ok;
    }
    /// Brings the pages of the range, as faults would: for system calls, where those can't wait. That they stay is not
    /// promised. corrupt: one is lost. no_memory: the system has none, for now. invalid: not within the region.
    status populate(std::size_t offset, std::size_t bytes) noexcept {
        const std::size_t region = set_.pages() * page_size;
        if (offset > region || bytes > region - offset) {
            return status::invalid;
        }
        for (std::size_t at = offset / page_size * page_size; at < offset + bytes; at += page_size) {
            const caller_guard guard{lock_};
            const auto page = static_cast<slot_id>(at / page_size);
            const std::uint64_t before = stats_.faults;
            if (!resolve(page, false)) {
                return status::corrupt;
            }
            if (stats_.faults == before && set_.place(page) != page_place::resident) {
                return status::no_memory; // with a small budget it may have come, and gone again
            }
        }
        return status::ok;
    }

    // A snapshot of the region as it is at one moment, made while it is in use (uffd_snapshot.hpp).

    /// The moment. Nobody may write to the region during the call, or each page is of another moment within it; afterwards everybody
    /// may. Pages go into the pool `into`, each under the number that it has in the region and object 0; those of zeros are not
    /// put. The pool is the caller's, and nobody else changes it until the snapshot has ended.
    ///
    /// invalid: no pool of somebody else's, closed, or a region without clean_tracking::protect. busy: a snapshot is being made, or the
    /// kernel refused. no_memory: of the system. corrupt: a page of the region is lost. O(pages), and one call of the kernel.
    status begin_snapshot(pool_id into) noexcept {
        const caller_guard guard{lock_};
        return is_open() ? this->note_moment(into) : status::invalid;
    }
    /// Saves some pages (at most 16 are compressed or copied in a hold of the lock). ok: the snapshot is whole; or there was none.
    /// busy: there is more, the call is to come again. Else the snapshot has failed, and the region goes on without it: limit or no_memory
    /// of the store, corrupt: a page was lost. The lock is not fair: who calls this without a moment's sleep in between keeps faults
    /// waiting.
    status advance_snapshot() noexcept {
        const caller_guard guard{lock_};
        return is_open() ? this->save_some() : status::invalid;
    }
    /// Gives a snapshot up that is being made. What is in the pool is of no use then.
    void end_snapshot() noexcept {
        const caller_guard guard{lock_};
        end_moment();
    }
    [[nodiscard]] uffd_snapshot_stats snapshot_statistics() const noexcept {
        const caller_guard guard{lock_};
        return this->moment();
    }

    [[nodiscard]] uffd_pager_stats statistics() const noexcept {
        const caller_guard guard{lock_};
        uffd_pager_stats s = stats_;
        s.resident_bytes = set_.resident() * page_size;
        s.queued_bytes = queue_.used() * page_size;
        return s;
    }
    /// Walks everything and compares every counter, for tests.
    [[nodiscard]] bool check() noexcept {
        const caller_guard guard{lock_};
        std::uint64_t queued = 0, stored = 0, copied = 0;
        for (slot_id page = 0; page < set_.pages(); ++page) {
            const page_place place = set_.place(page);
            if (place == page_place::stored && !set_.is_stored(page)) {
                return false;
            }
            if (place == page_place::queued && queue_.page(set_.stamp(page)) != page) {
                return false;
            }
            queued += place == page_place::queued ? 1u : 0u;
            stored += place == page_place::stored ? 1u : 0u;
            copied += place != page_place::stored && set_.is_stored(page) ? 1u : 0u;
        }
        const result<pool_stats> pool = store_.statistics_of(pool_);
        return pool && pool.value().stored_pages == stored + copied && stats_.stored_pages == stored &&
               stats_.copied_pages == copied && queued <= queue_.used() && set_.check();
    }

private:
    using base::adopt_budget;
    using base::batch_;
    using base::budget_;
    using base::buffer_;
    using base::buffer_pages;
    using base::bytes_of;
    using base::clock_;
    using base::end_moment;
    using base::fail_moment;
    using base::forget_copy;
    using base::in_memory;
    using base::is_zeros;
    using base::key;
    using base::make_room;
    using base::memory_;
    using base::note_peak;
    using base::options_;
    using base::pool_;
    using base::queue_;
    using base::reclaim_some;
    using base::save_first;
    using base::set_;
    using base::set_copy;
    using base::stats_;
    using base::store_;
    using base::unsaved_;
    using base::window_page;
    using base::zeros;

    /// The lock, in a thread of the program: a signal handler that touched the region while it is held would wait for ever.
    class [[nodiscard]] caller_guard {
    public:
        explicit caller_guard(std_mutex& lock) noexcept : held_{lock} {}

    private:
        blocked_signals blocked_{};
        lock_guard<std_mutex> held_;
    };

    // Opening.

    [[nodiscard]] static const char* objection_to(const uffd_pager_options& o) noexcept {
        const auto system_page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        return page_size != system_page ? "the store's page size is not the system's"
               : o.bytes == 0 || o.bytes % page_size != 0 || o.bytes / page_size > 0xffff0000u
                   ? "the region is no whole number of pages from 1 to 2^32 - 2^16"
               : o.budget_bytes / page_size < least_budget_pages           ? "the budget is below the least"
               : o.reclaim_batch < 1 || o.reclaim_batch > max_batch        ? "reclaim_batch is not from 1 to 64"
               : o.read_ahead_pages < 1 || o.read_ahead_pages > max_window ? "read_ahead_pages is not from 1 to 16"
                                                                           : nullptr;
    }
    status failed(status s, int error, const char* why) noexcept {
        reason_ = why;
        error_ = error;
        return s;
    }
    status failed(int error, const char* call) noexcept {
        return failed(status_of_errno(error), error, cause_of_errno(error, call));
    }
    status open_parts(const uffd_pager_options& options) noexcept {
        options_ = options;
        options_.pool.kind = pool_kind::persistent;
        const std::size_t pages = options.bytes / page_size;
        const std::size_t frames = std::clamp<std::size_t>(pages / 2, 4 * max_batch, std::size_t{1} << 18);
        if (const status s = memory_.open({pages, frames, options.backing, options.delivery, options.eviction,
                                           options.tracking, options.rights, options.may_use, options.on_fork});
            s != status::ok) {
            return failed(s, memory_.error(), memory_.reason());
        }
        // A kernel that knows no nodes has node 0.
        if (const node_id node = options.memory_node;
            node != any_node &&
            !numa_calls::prefer_node(reinterpret_cast<void*>(memory_.address(0)), options.bytes, node) &&
            (node != node_id{0} || errno != ENOSYS)) {
            return failed(status::invalid, errno, "the region can't be on this memory node");
        }
        if (const status s = acquire_tables(pages); s != status::ok) {
            return s;
        }
        const result<pool_id> pool = store_.create_pool(options_.pool);
        if (!pool) {
            return failed(pool.error(), 0,
                          pool.error() == status::invalid ? "the store can't have a pool with these options"
                                                          : "the store has no room for a pool");
        }
        pool_ = pool.value();
        if (options.delivery == fault_delivery::signal) {
            route_ = sigbus_router::add(memory_.address(0), pages * page_size, serve_signal, this);
            if (route_ < 0 && errno == ENOSPC) {
                return failed(status::limit, 0, "too many regions with faults by signal, or handlers of SIGBUS");
            }
            if (route_ < 0) {
                return failed(errno, "the kernel refused sigaction(SIGBUS)");
            }
        }
        return status::ok;
    }
    status acquire_tables(std::size_t pages) noexcept {
        if (options_.delivery == fault_delivery::thread) {
            stop_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
            if (stop_ < 0) {
                return failed(errno, "the kernel refused eventfd");
            }
        }
        void* const buffer = mmap(nullptr, buffer_pages * page_size, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        buffer_ = buffer == MAP_FAILED ? nullptr : static_cast<std::byte*>(buffer);
        if (buffer_ == nullptr || !set_.open(pages) || !queue_.open(memory_.frames())) {
            return failed(errno, "no memory for the tables (RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK)");
        }
        return status::ok;
    }
    [[nodiscard]] bool is_whole(std::size_t offset, std::size_t bytes) const noexcept {
        const std::size_t region = set_.pages() * page_size;
        return offset % page_size == 0 && bytes % page_size == 0 && offset <= region && bytes <= region - offset;
    }

    [[nodiscard]] bool is_open() const noexcept { return pool_ != pool_id{} && memory_.is_open(); }

    // Forks.

    /// Brings all pages that are not nowhere; false, with nothing or some of them done, where that can't be.
    [[nodiscard]] bool bring_all() noexcept {
        const auto is_away = [this](slot_id page) {
            return set_.place(page) == page_place::stored || set_.place(page) == page_place::queued;
        };
        std::size_t away = 0;
        for (slot_id page = 0; page < set_.pages(); ++page) {
            away += is_away(page) ? 1u : 0u;
        }
        if (in_memory() + away > budget_) { // a queued page counts twice: its frame comes free later
            return false;
        }
        for (slot_id page = 0; page < set_.pages(); ++page) {
            if (is_away(page) && !resolve(page, false)) {
                return false;
            }
        }
        for (slot_id page = 0; page < set_.pages(); ++page) { // what was brought may be gone again, or not have come
            const page_place place = set_.place(page);
            if (place != page_place::resident && place != page_place::nowhere) {
                return false;
            }
        }
        return true;
    }

    // Faults.

    static bool serve_signal(void* self, std::uintptr_t address, bool is_write) noexcept {
        return static_cast<uffd_pager*>(self)->serve(address, is_write);
    }
    bool serve(std::uintptr_t address, bool is_write) noexcept {
        const lock_guard guard{lock_};
        if (!memory_.is_open()) { // in a child
            return false;
        }
        const std::uint64_t start = clock_.now();
        const bool is_served = resolve(static_cast<slot_id>((address - memory_.address(0)) / page_size), is_write);
        const std::uint64_t took = clock_.now() - start;
        stats_.fault_ns += took;
        stats_.longest_fault_ns = (std::max)(stats_.longest_fault_ns, took);
        return is_served;
    }
    /// 0, or why there were none.
    int serve_messages() noexcept {
        uffd_msg messages[16];
        const uffd_outcome got = memory_.descriptor().read(messages, sizeof messages / sizeof *messages);
        for (std::size_t i = 0; i < got.done; ++i) {
            if (messages[i].event == UFFD_EVENT_PAGEFAULT) {
                const auto& fault = messages[i].arg.pagefault;
                static_cast<void>(serve(fault.address, (fault.flags & UFFD_PAGEFAULT_FLAG_WRITE) != 0));
            }
        }
        // While the faulting threads go on: room for the next faults, so that they need not wait for a codec.
        const lock_guard guard{lock_};
        if (in_memory() + batch_ > budget_) {
            static_cast<void>(reclaim_some(batch_));
        }
        return got.error == EAGAIN ? 0 : got.error;
    }

    /// Makes an access to the page succeed, if only when it is tried again. False where the page is lost.
    bool resolve(slot_id page, bool is_write) noexcept {
        switch (set_.place(page)) {
        case page_place::resident:
            if (is_write && unsaved_.has(page)) {
                save_first(page, memory_.page(page));
                allow_writing(page);
            } else if (is_write && memory_.tracking() == clean_tracking::protect && set_.has_copy(page)) {
                allow_writing(page);
            } else {
                find_again(page, is_write);
            }
            return true;
        case page_place::queued: bring_back(page, is_write); return true;
        case page_place::nowhere:
        case page_place::stored: return bring(page, is_write);
        case page_place::lost:
        default: break;
        }
        if (options_.delivery == fault_delivery::thread) {
            memory_.lose(page); // who gets here although it was lost before met a system without memory for that
        }
        return false;
    }
    void allow_writing(slot_id page) noexcept {
        forget_copy(page);
        set_.hit(page);
        ++stats_.write_faults;
        memory_.unprotect(page, 1);
    }
    /// A page that is known as resident, and was not found or not writable: somebody else was faster, its copy went while
    /// it was protected, or the program dropped it behind our back (MADV_DONTNEED) and is to find zeros.
    void find_again(slot_id page, bool is_write) noexcept {
        const uffd_outcome done = memory_.bring(page, zeros(), 1, false);
        if (done.ok()) {
            forget_copy(page);
        } else if (is_write && memory_.tracking() == clean_tracking::protect) {
            memory_.unprotect(page, 1);
        }
        memory_.wake(page, 1);
    }
    void bring_back(slot_id page, bool is_write) noexcept {
        const std::uint32_t frame = set_.stamp(page);
        // A frame of zeros whose copy is something else: the program dropped the page itself. It has seen the zeros now.
        const bool was_dropped = set_.is_stored(page) && is_zeros(memory_.frame(frame));
        const bool stays_clean = set_.has_copy(page) && !is_write && !was_dropped;
        if (is_write || was_dropped) {
            save_first(page, memory_.frame(frame));
        }
        const uffd_outcome done = memory_.bring(page, memory_.frame(frame), 1, stays_clean || unsaved_.has(page));
        if (done.ok()) {
            if (!stays_clean) {
                forget_copy(page);
            }
            queue_.leave(frame);
            set_.insert(page, true);
            ++stats_.faults;
            ++stats_.queue_faults;
            ++stats_.refaults;
            note_peak();
        }
        memory_.wake(page, 1);
        make_room(0);
    }
    /// Brings a page that is nowhere or stored, and others behind it when faults are sequential.
    bool bring(slot_id page, bool is_write) noexcept {
        const page_place from = set_.place(page);
        std::size_t count = window(page, from);
        make_room(count);
        if (from == page_place::stored) {
            status why = status::ok;
            count = read_pages(page, count, why);
            if (count == 0 && why != status::no_memory && why != status::limit) {
                lose(page);
                return false;
            }
            if (count == 0) { // for now; who waits comes back
                memory_.wake(page, 1);
                return true;
            }
            if (is_write) {
                save_first(page, buffer_);
            }
        } else if (count > 1) {
            std::memset(buffer_, 0, count * page_size);
        }
        const std::byte* const bytes = from == page_place::stored || count > 1 ? buffer_ : zeros();
        // Who writes to one page of zeros writes to the next ones, too: protected, each would be a fault of its own.
        const bool all_writable =
            memory_.tracking() == clean_tracking::none || (is_write && from == page_place::nowhere);
        const std::size_t writable = all_writable ? count : is_write ? 1 : 0;
        std::size_t done = writable == 0 ? 0 : map(page, bytes, writable, false);
        if (done == writable && done < count) {
            done += map(page + static_cast<slot_id>(done), bytes + done * page_size, count - done, true);
        }
        if (done == 0 && count > 1) { // the kernel splits mappings that were advised (MADV_DONTDUMP): no copy spans two
            done = map(page, bytes, 1, writable == 0);
        }
        // Where the system has no memory this moment, the thread finds the page missing again and comes back.
        memory_.wake(page, count);
        ahead_.brought(page, static_cast<unsigned>(count));
        if (done != 0) {
            ++stats_.faults;
            ++(from == page_place::stored ? stats_.store_faults : stats_.zero_faults);
            stats_.read_ahead_pages += done - 1;
        }
        note_peak();
        return true;
    }
    /// How many pages to bring, from `page` on, all from the same place.
    [[nodiscard]] std::size_t window(slot_id page, page_place from) noexcept {
        const std::size_t most =
            std::min<std::size_t>({ahead_.window(page), set_.pages() - page, std::max<std::size_t>(budget_ / 8, 1)});
        std::size_t count = 1;
        while (count < most && set_.place(page + static_cast<slot_id>(count)) == from) {
            ++count;
        }
        return count;
    }
    /// Reads stored pages into the buffer; how many from the first on could be, and why not more.
    [[nodiscard]] std::size_t read_pages(slot_id first, std::size_t count, status& why) noexcept {
        for (std::size_t i = 0; i < count; ++i) {
            why = store_.get(key(first + static_cast<slot_id>(i)), {window_page(i), page_size});
            if (why != status::ok) {
                return i;
            }
        }
        return count;
    }
    /// Maps pages that were nowhere or stored, and notes where they are now. How many it could.
    [[nodiscard]] std::size_t map(slot_id first, const std::byte* bytes, std::size_t count, bool protect) noexcept {
        const uffd_outcome outcome = memory_.bring(first, bytes, count, protect);
        const std::size_t done = outcome.done / page_size;
        for (std::size_t i = 0; i < done; ++i) {
            const slot_id page = first + static_cast<slot_id>(i);
            const bool was_stored = set_.place(page) == page_place::stored;
            const bool is_refault = was_stored && set_.is_refault(page);
            set_.insert(page, is_refault);
            stats_.refaults += is_refault ? 1u : 0u;
            if (was_stored) {
                --stats_.stored_pages;
                ++stats_.copied_pages;
            }
            if (protect) {
                set_copy(page, true, was_stored);
            } else {
                forget_copy(page);
            }
        }
        return done;
    }
    PAGEFOLD_COLD void lose(slot_id page) noexcept {
        if (unsaved_.has(page)) {
            fail_moment(status::corrupt);
        }
        ++stats_.lost_pages;
        --stats_.stored_pages;
        ++stats_.copied_pages;
        set_.set_place(page, page_place::lost);
        forget_copy(page);
        if (options_.delivery == fault_delivery::thread) {
            memory_.lose(page);
        }
    }
    [[nodiscard]] bool discard_page(slot_id page) noexcept {
        if (unsaved_.has(page)) {
            status s = status::ok;
            const std::byte* const bytes = bytes_of(page, buffer_, s);
            if (s != status::ok) {
                fail_moment(s);
            } else {
                save_first(page, bytes);
            }
        }
        switch (set_.place(page)) {
        case page_place::nowhere: return true;
        case page_place::resident:
            if (!memory_.drop(page, 1)) {
                return false;
            }
            set_.remove(page, page_place::nowhere);
            break;
        case page_place::queued: queue_.leave(set_.stamp(page)); break;
        case page_place::stored:
            --stats_.stored_pages;
            ++stats_.copied_pages;
            break;
        case page_place::lost:
        default:
            if (options_.delivery == fault_delivery::thread && !memory_.regain(page)) {
                return false;
            }
            break;
        }
        set_.set_place(page, page_place::nowhere);
        forget_copy(page);
        memory_.wake(page, 1);
        return true;
    }

    const char* reason_ = "";
    int error_ = 0;
    read_ahead ahead_{};
    int stop_ = -1;
    int route_ = -1;
    byte_span inherited_{};     // in a child
    bool is_inherited_ = false; // in between quiesce and resume: the child gets a copy
    mutable std_mutex lock_{};  // guards all that changes, base included; taken before any of the store's
};

} // namespace pagefold
