// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/concept.hpp>
#include <pagefold/hosted/blocked_signals.hpp>
#include <pagefold/hosted/numa_calls.hpp>
#include <pagefold/hosted/readable_wait.hpp>
#include <pagefold/hosted/shortage.hpp>
#include <pagefold/hosted/sigbus_router.hpp>
#include <pagefold/hosted/std_mutex.hpp>
#include <pagefold/hosted/uffd_backend.hpp>
#include <pagefold/hosted/uffd_memory.hpp>
#include <pagefold/hosted/uffd_pager_options.hpp>
#include <pagefold/hosted/uffd_snapshot.hpp>
#include <pagefold/hosted/unsaved_pages.hpp>
#include <pagefold/paging/region_pager.hpp>
#include <pagefold/platform/concept.hpp>
#include <pagefold/store/pool.hpp>
#include <pagefold/store/stats.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

// A region of memory larger than the memory that it may use: what does not fit is in a page store.
//
// Which page is where, which one goes, and what a refusal costs is a region_pager's (paging/region_pager.hpp, with the states
// and what they promise); how pages move is uffd_backend's. Here is what a process adds: where faults come from, the lock, the
// budget, snapshots, and what a child has. One lock a region is held around every call of the region_pager, whoever makes it:
// the thread in run(), a thread that resolves its own fault in the SIGBUS handler, or one that sets a new budget. So an eviction
// and a fault of the same page never meet; what they leave to race with are the program's own accesses, and those the kernel
// orders (uffd_memory.hpp).
//
// Three things the region_pager is not asked for. A fault of a page that is in memory, but for first writes that the pager wants
// to be told of: the program may have dropped the page by itself (MADV_DONTNEED), and finds zeros. The first write to a page that a
// snapshot has not saved (uffd_snapshot.hpp). And a page in a frame that was dropped before it was moved: who reads it has seen
// zeros, so that it counts as written.
//
// An eighth of the budget is the queue of pages that were unmapped and not compressed yet, where pages are evicted by moving: one
// that is wanted again costs a fault without a codec, and tells the policy so. A machine without accessed bits, as a user of
// userfaultfd is, has no other way to tell.
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
class uffd_pager {
public:
    static constexpr std::size_t page_size = Store::page_size;
    static constexpr std::size_t least_budget_pages = 16; ///< an instruction may need several pages at once
    static constexpr std::size_t max_batch = region_pager<Store, uffd_backend, Policy>::max_batch;
    static constexpr std::size_t max_window = uffd_backend::max_window;

    explicit uffd_pager(Store& store) noexcept : store_{store} {}
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
        peak_pages_ = 0;
        zero_faults_ = store_faults_ = write_faults_ = fault_ns_ = longest_fault_ns_ = 0;
        adopt_budget(options.budget_bytes);
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
        if (stop_ >= 0) {
            ::close(std::exchange(stop_, -1));
        }
        close_tables();
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
        close_tables();
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
        return is_open() ? byte_span{memory_.page(0), options_.bytes} : inherited_;
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
            adopt_budget(bytes);
        }
        return reclaim(0);
    }
    /// Evicts until `bytes` of the budget are free, so that faults to come need not. limit as for set_budget.
    status reclaim(std::size_t bytes) noexcept {
        const std::size_t wanted = bytes / page_size;
        for (;;) { // the lock is held for one batch at a time
            const caller_guard guard{lock_};
            const std::size_t there = pages_.in_memory();
            if (there + wanted <= budget_ || there == 0) {
                return status::ok;
            }
            const std::size_t excess = std::min<std::size_t>(there + wanted - budget_, options_.reclaim_batch);
            if (const pages_freed done = pages_.evict((std::max)(batch_, excess)); done.freed == 0 && !done.goes_on) {
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
        const std::size_t region = pages_.pages() * page_size;
        if (offset > region || bytes > region - offset) {
            return status::invalid;
        }
        for (std::size_t at = offset / page_size * page_size; at < offset + bytes; at += page_size) {
            const caller_guard guard{lock_};
            if (const status s = resolve(static_cast<slot_id>(at / page_size), false); s != status::ok) {
                return s == status::corrupt ? s : status::no_memory;
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
        return is_open() ? moment_.begin(into) : status::invalid;
    }
    /// Saves some pages (at most 16 are compressed or copied in a hold of the lock). ok: the snapshot is whole; or there was none.
    /// busy: there is more, the call is to come again. Else the snapshot has failed, and the region goes on without it: limit or no_memory
    /// of the store, corrupt: a page was lost. The lock is not fair: who calls this without a moment's sleep in between keeps faults
    /// waiting.
    status advance_snapshot() noexcept {
        const caller_guard guard{lock_};
        return is_open() ? moment_.advance() : status::invalid;
    }
    /// Gives a snapshot up that is being made. What is in the pool is of no use then.
    void end_snapshot() noexcept {
        const caller_guard guard{lock_};
        moment_.end();
    }
    [[nodiscard]] uffd_snapshot_stats snapshot_statistics() const noexcept {
        const caller_guard guard{lock_};
        return moment_.statistics();
    }

    [[nodiscard]] uffd_pager_stats statistics() const noexcept {
        const caller_guard guard{lock_};
        const region_pager_stats now = pages_.statistics();
        uffd_pager_stats s{};
        s.faults = now.faults;
        s.zero_faults = zero_faults_;
        s.queue_faults = now.queue_faults;
        s.store_faults = store_faults_;
        s.refaults = now.refaults + now.queue_faults;
        s.write_faults = now.write_faults + write_faults_;
        s.read_ahead_pages = now.read_ahead_pages;
        s.evicted_pages = now.evicted_pages;
        s.clean_pages = now.clean_pages - now.zero_pages;
        s.refused_pages = now.refused_pages;
        s.pinned_pages = now.pinned_pages;
        s.lost_pages = now.lost_pages;
        s.fault_ns = fault_ns_;
        s.longest_fault_ns = longest_fault_ns_;
        s.reclaim_ns = now.evict_time;
        s.budget_bytes = budget_bytes_;
        s.resident_bytes = now.resident_pages * page_size;
        s.queued_bytes = (pages_.in_memory() - now.resident_pages) * page_size;
        s.peak_bytes = peak_pages_ * page_size;
        s.stored_pages = now.stored_pages;
        s.copied_pages = now.copied_pages;
        return s;
    }
    /// Walks everything and compares every counter, for tests.
    [[nodiscard]] bool check() noexcept {
        const caller_guard guard{lock_};
        const region_pager_stats now = pages_.statistics();
        const result<pool_stats> pool = store_.statistics_of(pool_);
        return pool && pool.value().stored_pages == now.stored_pages + now.copied_pages && pages_.check() &&
               backend_.check(now.in_transit_pages);
    }

private:
    static constexpr std::size_t queue_share = 8; // of the budget

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
        region_pager_options region = region_options();
        region.pool = pool_;
        if (const status s = pages_.open({static_cast<std::byte*>(tables_), table_bytes_}, pages, region);
            s != status::ok) {
            return failed(s, 0, "the region's tables"); // which are large enough
        }
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
        table_bytes_ = pages_.bytes_for(pages, region_options());
        void* const tables =
            mmap(nullptr, table_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        tables_ = tables == MAP_FAILED ? nullptr : tables;
        if (tables_ == nullptr || !backend_.open()) {
            return failed(errno, "no memory for the tables (RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK)");
        }
        return status::ok;
    }
    void close_tables() noexcept {
        moment_.end();
        backend_.close();
        static_cast<void>(pages_.open({}, 0, {})); // without memory: of no page
        if (tables_ != nullptr) {
            munmap(std::exchange(tables_, nullptr), table_bytes_);
        }
    }
    /// But for the pool.
    [[nodiscard]] region_pager_options region_options() const noexcept {
        region_pager_options region;
        region.queue = memory_.frames() / 4;
        region.batch = options_.reclaim_batch;
        region.read_ahead = options_.read_ahead_pages;
        region.keeps_copies = memory_.tracking() != clean_tracking::none;
        region.memory_is_zero = true;
        return region;
    }
    void adopt_budget(std::size_t bytes) noexcept {
        budget_bytes_ = bytes;
        budget_ = bytes / page_size;
        batch_ = std::clamp<std::size_t>(budget_ / 16, 1, options_.reclaim_batch);
        pages_.set_limit(budget_);
        pages_.set_queue(budget_ / queue_share);
    }
    [[nodiscard]] bool is_whole(std::size_t offset, std::size_t bytes) const noexcept {
        const std::size_t region = pages_.pages() * page_size;
        return offset % page_size == 0 && bytes % page_size == 0 && offset <= region && bytes <= region - offset;
    }

    [[nodiscard]] bool is_open() const noexcept { return pool_ != pool_id{} && memory_.is_open(); }

    // Forks.

    /// Brings all pages that are not nowhere; false, with nothing or some of them done, where that can't be.
    [[nodiscard]] bool bring_all() noexcept {
        const region_pager_stats now = pages_.statistics();
        const std::size_t away = now.stored_pages + now.in_transit_pages;
        if (pages_.in_memory() + away > budget_) { // a queued page counts twice: its frame comes free later
            return false;
        }
        for (slot_id page = 0; page < pages_.pages(); ++page) {
            const page_state state = pages_.state(page);
            if ((state == page_state::stored || state == page_state::in_transit) &&
                resolve(page, false) != status::ok) {
                return false;
            }
        }
        for (slot_id page = 0; page < pages_.pages(); ++page) { // what was brought may be gone again, or not have come
            const page_state state = pages_.state(page);
            if (state == page_state::stored || state == page_state::in_transit || state == page_state::lost) {
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
        const std::uint64_t start = backend_.now();
        const status s = resolve(static_cast<slot_id>((address - memory_.address(0)) / page_size), is_write);
        const std::uint64_t took = backend_.now() - start;
        fault_ns_ += took;
        longest_fault_ns_ = (std::max)(longest_fault_ns_, took);
        return s != status::corrupt;
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
        // While the faulting threads go on: room for the next faults, so that they need not wait for a codec. Beyond the
        // budget the faults themselves have just tried in vain.
        const lock_guard guard{lock_};
        if (pages_.in_memory() <= budget_ && pages_.in_memory() + batch_ > budget_) {
            static_cast<void>(pages_.evict(batch_));
        }
        return got.error == EAGAIN ? 0 : got.error;
    }

    /// ok: an access to the page succeeds, or is worth another try. corrupt: the page is lost. Else not now, and who waits comes
    /// back.
    status resolve(slot_id page, bool is_write) noexcept {
        // A page that comes back from the queue has its frame besides, for a moment.
        const std::size_t before = pages_.state(page) == page_state::in_transit ? pages_.in_memory() + 1 : 0;
        const status s = save_and_fault(page, is_write);
        if (s != status::ok) {
            if (s == status::corrupt && unsaved_.has(page)) {
                moment_.fail(s);
            }
            memory_.wake(page, 1);
        }
        peak_pages_ = (std::max)({peak_pages_, pages_.in_memory(), s == status::ok ? before : std::size_t{0}});
        return s;
    }
    status save_and_fault(slot_id page, bool is_write) noexcept {
        const page_state state = pages_.state(page);
        // A frame of zeros that has a copy: the program may have dropped the page itself (MADV_DONTNEED), and sees the zeros now.
        is_write |=
            state == page_state::in_transit && pages_.has_copy(page) && backend_.is_zeros(backend_.bytes_of(page));
        const bool is_saved_now = is_write && unsaved_.has(page);
        if (is_saved_now) {
            if (const status s = moment_.save_first(page); s != status::ok) {
                return s;
            }
        }
        const bool is_told = is_write && memory_.tracking() == clean_tracking::protect;
        if (state == page_state::resident || (state == page_state::clean && !is_told)) {
            write_faults_ += is_saved_now ? 1u : 0u;
            find_again(page, is_told);
            return status::ok;
        }
        const std::uint64_t before = pages_.statistics().faults;
        const status s = pages_.fault(page, is_write);
        if (pages_.statistics().faults != before) {
            store_faults_ += state == page_state::stored ? 1u : 0u;
            zero_faults_ += state == page_state::nowhere || state == page_state::zero ? 1u : 0u;
        }
        return s;
    }
    /// A page that is known as resident, and was not found or not writable: somebody else was faster, its copy went while
    /// it was protected, or the program dropped it behind our back (MADV_DONTNEED) and is to find zeros.
    void find_again(slot_id page, bool is_told) noexcept {
        if (memory_.bring(page, backend_.zeros(), 1, false).ok() || (is_told && memory_.unprotect(page, 1))) {
            static_cast<void>(pages_.appeared(page, 1));
        }
        memory_.wake(page, 1);
    }
    [[nodiscard]] bool discard_page(slot_id page) noexcept {
        if (unsaved_.has(page)) {
            if (const status s = moment_.save_first(page); s != status::ok) {
                moment_.fail(s);
            }
        }
        return pages_.drop(page, 1) == status::ok;
    }

    Store& store_;
    uffd_pager_options options_{};
    uffd_memory memory_{};
    unsaved_pages unsaved_{}; // of a snapshot: none of them may be written before it is saved
    uffd_backend backend_{memory_, unsaved_};
    region_pager<Store, uffd_backend, Policy> pages_{store_, backend_};
    uffd_snapshot<Store, Policy> moment_{store_, pages_, backend_, memory_, unsaved_};
    pool_id pool_{};
    void* tables_ = nullptr; // of pages_
    std::size_t table_bytes_ = 0;
    std::size_t budget_ = 0; // in pages, as the next two
    std::size_t batch_ = 1;
    std::size_t peak_pages_ = 0;
    std::uint64_t budget_bytes_ = 0; // as set
    std::uint64_t zero_faults_ = 0, store_faults_ = 0, write_faults_ = 0;
    std::uint64_t fault_ns_ = 0, longest_fault_ns_ = 0;
    const char* reason_ = "";
    int error_ = 0;
    int stop_ = -1;
    int route_ = -1;
    byte_span inherited_{};     // in a child
    bool is_inherited_ = false; // in between quiesce and resume: the child gets a copy
    mutable std_mutex lock_{};  // guards all that changes, base included; taken before any of the store's
};

} // namespace pagefold
