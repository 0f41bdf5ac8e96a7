// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/status.hpp>
#include <pagefold/hosted/pagemap_scan.hpp>
#include <pagefold/hosted/shortage.hpp>
#include <pagefold/hosted/uffd.hpp>
#include <pagefold/hosted/uffd_memory_options.hpp>
#include <pagefold/hosted/uffd_methods.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>
#include <utility>

// The memory of a paged region: its mapping, its userfaultfd, and the few moves that a pager makes. What is where, the pager
// knows; here is only how.
//
// Two ways out of memory:
//
//   move     UFFDIO_MOVE takes the page itself out of the region into a frame beside it, in one step that no writer can fall
//            into. The pager then has all the time it likes. Private anonymous memory, Linux 6.8. The frames lie behind the
//            region in the same mapping, because MOVE wants both ends alike.
//   protect  write-protect, read in place, drop (MADV_DONTNEED, or a hole punched into the shared file), and wake the
//            writers that ran into the protection meanwhile: they look again and find the page missing.
//
// Two ways to know that a page is as it was when it was brought in, both with COPY's write protection:
//
//   scan     WP_ASYNC: the kernel lifts the protection by itself at the first write, and PAGEMAP_SCAN finds where. A first
//            write costs 0.7 µs. Linux 6.7. Between the scan and the move a writer may still come, so that what the
//            scan finds is a hint: the pager compares.
//   protect  the first write is a fault that the pager answers: it knows for certain, and each costs 3 to 8 µs.
//
// Kernels: write protection of anonymous memory is Linux 5.7, the least; of shared memory 5.19. Faults by signal and zeros for a
// child 4.14, faults of user code without rights 5.11, POISON 6.6, scan 6.7, move 6.8. docs/embedding.md says what is before each.

namespace pagefold::inline PAGEFOLD_ABI {

/// Where a page is that move_out did not count: in its place as it was, in its place as a copy that is not protected, or in
/// the frame.
enum class refused_move : std::uint8_t { stays, brought_back, in_frame };

/// Not thread-safe but for the descriptor. Pages are numbered from the start of the region.
class uffd_memory {
public:
    uffd_memory() noexcept = default;
    uffd_memory(const uffd_memory&) = delete;
    uffd_memory& operator=(const uffd_memory&) = delete;
    ~uffd_memory() { close(); }

    /// `invalid` where the kernel or the process's rights don't allow it, `no_memory` where there are no addresses, no memory or
    /// no descriptors; reason() and error() say what is missing. Each way to work that is chosen is tried on a page first: where a
    /// call is refused (a filter of system calls, another implementation of Linux), `automatic` takes the next way.
    status open(const uffd_memory_options& options) noexcept {
        close();
        has_remapped_ = false;
        lacking_ = "";
        std::uint64_t there = 0, given_up = 0;
        if (const status s = fd_.look_up(there, options.rights); s != status::ok) {
            return failed(s, fd_.error(), fd_.reason());
        }
        there &= options.may_use;
        for (;;) {
            options_ = detail::uffd_methods::chosen(options, there);
            const std::uint64_t missing = features() & ~there;
            if ((missing & given_up) != 0) {
                return status::invalid; // nothing else would do: the reason is that of the last try
            }
            if (missing != 0) {
                return failed(status::invalid, EOPNOTSUPP, uffd_abi::name_of(missing));
            }
            std::uint64_t refused = 0;
            const status s = open_with(there, refused);
            if (s == status::ok) {
                lacking_ = given_up != 0 ? reason_ : "";
                reason_ = "";
                error_ = 0;
                return s;
            }
            close();
            if (s != status::invalid || (refused & there) == 0) {
                return s;
            }
            there &= ~refused;
            given_up |= refused;
        }
    }
    /// Nobody may touch the region any more.
    void close() noexcept {
        fd_.close();
        std::byte* const base = std::exchange(base_, nullptr);
        if (base != nullptr && owner_ == getpid()) { // in a child there may be something else by now
            munmap(base, mapped_bytes());
        }
        if (file_ >= 0) {
            ::close(std::exchange(file_, -1));
        }
        pagemap_.close();
    }

    /// For the next fork: the child has a copy of what is in memory, or nothing. False where the kernel refuses.
    [[nodiscard]] bool let_inherit(bool on) noexcept {
        return madvise(page(0), options_.pages * page_bytes_, on ? MADV_DOFORK : MADV_DONTFORK) == 0;
    }
    /// In a child: what the descriptors lead to is its parent's. The memory there is stays, and is nobody's.
    void abandon() noexcept {
        base_ = nullptr;
        close();
    }

    [[nodiscard]] bool is_open() const noexcept { return base_ != nullptr; }
    /// Why open failed: the call that was refused, or what is missing, and errno. Static.
    [[nodiscard]] const char* reason() const noexcept { return reason_; }
    [[nodiscard]] int error() const noexcept { return error_; }
    /// After open: the call that the system refused, and `automatic` found a way without. Else empty.
    [[nodiscard]] const char* lacking() const noexcept { return lacking_; }
    [[nodiscard]] uffd& descriptor() noexcept { return fd_; }
    [[nodiscard]] const uffd& descriptor() const noexcept { return fd_; }
    /// Of shared memory the memfd, else −1.
    [[nodiscard]] int file() const noexcept { return file_; }
    [[nodiscard]] eviction_method eviction() const noexcept { return options_.eviction; }
    [[nodiscard]] clean_tracking tracking() const noexcept { return options_.tracking; }
    [[nodiscard]] std::size_t pages() const noexcept { return options_.pages; }
    [[nodiscard]] std::size_t frames() const noexcept {
        return options_.eviction == eviction_method::move ? options_.frames : 0;
    }

    [[nodiscard]] std::byte* page(std::size_t i) const noexcept { return base_ + i * page_bytes_; }
    [[nodiscard]] std::byte* frame(std::size_t i) const noexcept { return page(options_.pages + i); }
    [[nodiscard]] std::uint64_t address(std::size_t i) const noexcept {
        return reinterpret_cast<std::uintptr_t>(page(i));
    }

    /// Maps copies of `count` pages at `from`, write-protected or not; wakes nobody. EEXIST: one was there.
    [[nodiscard]] uffd_outcome bring(std::size_t first, const std::byte* from, std::size_t count,
                                     bool protect) noexcept {
        std::size_t done = 0;
        const std::size_t bytes = count * page_bytes_;
        for (unsigned patience = 0;;) {
            const uffd_outcome step = fd_.copy(address(first) + done, from + done, bytes - done,
                                               UFFDIO_COPY_MODE_DONTWAKE | (protect ? UFFDIO_COPY_MODE_WP : 0));
            done += step.done;
            patience = step.done != 0 ? 0 : patience + 1;
            if (step.error != EAGAIN || patience == most_retries) { // EAGAIN: the address space changes, for a moment
                return {done, step.error};
            }
        }
    }
    void wake(std::size_t first, std::size_t count) noexcept {
        if (options_.delivery == fault_delivery::thread) {
            static_cast<void>(fd_.wake(address(first), count * page_bytes_));
        }
    }
    /// Moves the pages that are there to the frames from `frame` on, in the same distances. Pages done are those before
    /// `done`; the one at `done` can't go now.
    [[nodiscard]] uffd_outcome move_out(std::size_t first, std::size_t count, std::size_t to_frame) noexcept {
        std::size_t done = 0;
        const std::size_t bytes = count * page_bytes_;
        for (unsigned patience = 0;;) {
            const uffd_outcome step = fd_.move(address(options_.pages + to_frame) + done, address(first) + done,
                                               bytes - done, uffd_abi::move_allow_src_holes | uffd_abi::move_dont_wake);
            done += step.done;
            patience = step.done != 0 ? 0 : patience + 1;
            if (step.error != EAGAIN || patience == most_retries) {
                return {done / page_bytes_, step.error};
            }
        }
    }
    /// To be asked for the page that move_out stopped at, and its frame, which was empty before. Linux 6.18 moves pages in
    /// batches; where it has to begin a batch again it meets in the frames what it had moved itself, answers EEXIST, and has
    /// counted nothing. So where the frame is taken the page is brought back from there, unless it is in its place after all;
    /// write-protected or not.
    [[nodiscard]] refused_move look_after(std::size_t page_number, std::size_t frame_number,
                                          bool protect = false) noexcept {
        const uffd_outcome again = fd_.move(address(options_.pages + frame_number), address(page_number), page_bytes_,
                                            uffd_abi::move_dont_wake);
        if (again.ok()) {
            return refused_move::in_frame;
        }
        if (again.error != EEXIST) {
            return refused_move::stays;
        }
        const uffd_outcome brought = bring(page_number, frame(frame_number), 1, protect);
        if (!brought.ok() && brought.error != EEXIST) {
            return refused_move::in_frame; // no memory for a copy
        }
        drop_frames(frame_number, 1);
        return brought.ok() ? refused_move::brought_back : refused_move::stays;
    }
    [[nodiscard]] bool protect(std::size_t first, std::size_t count) noexcept {
        return change_protection(first, count, true);
    }
    /// Wakes the writers as well.
    bool unprotect(std::size_t first, std::size_t count) noexcept { return change_protection(first, count, false); }
    /// Unmaps pages and gives their memory back.
    [[nodiscard]] bool drop(std::size_t first, std::size_t count) noexcept {
        if (options_.backing == uffd_backing::shared) {
            return fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(first * page_bytes_),
                             static_cast<off_t>(count * page_bytes_)) == 0;
        }
        return madvise(page(first), count * page_bytes_, MADV_DONTNEED) == 0;
    }
    void drop_frames(std::size_t first, std::size_t count) noexcept {
        static_cast<void>(madvise(frame(first), count * page_bytes_, MADV_DONTNEED));
    }

    /// Calls visit(page) for every page of a range that was written since it was brought in protected. False where the
    /// kernel does not tell: then any page may have been.
    template <class Visitor>
    [[nodiscard]] bool for_each_written(std::size_t first, std::size_t count, Visitor visit) noexcept {
        pagemap_scan::region found[32];
        const std::uint64_t end = address(first + count);
        for (std::uint64_t at = address(first); at < end;) {
            const int runs = pagemap_.written(at, end, found, sizeof found / sizeof *found);
            if (runs < 0) {
                return false;
            }
            for (int i = 0; i < runs; ++i) {
                for (std::uint64_t a = found[i].start; a < found[i].end; a += page_bytes_) {
                    visit((a - address(0)) / page_bytes_);
                }
            }
        }
        return true;
    }

    /// Whoever touches the page from now on gets a signal: SIGBUS, or SIGSEGV where the kernel has no POISON. Where it has no
    /// memory for that either, the page stays missing, and may be lost again.
    void lose(std::size_t page_number) noexcept {
        const bool has_poison = fd_.has(uffd_abi::feature_poison);
        if (has_poison && options_.backing == uffd_backing::shared && needs_protection()) {
            unprotect(page_number, 1); // of a hole a mark of the protection is left, which poison gives way to
        }
        const uffd_outcome poisoned =
            has_poison ? fd_.poison(address(page_number), page_bytes_) : uffd_outcome{0, ENOTTY};
        if (!poisoned.ok() && poisoned.error != EEXIST) { // EEXIST: it was lost before
            has_remapped_ = true;
            static_cast<void>(remap(page_number));
        }
        wake(page_number, 1);
    }
    /// Takes that back: the page is missing. False where the kernel refuses.
    [[nodiscard]] bool regain(std::size_t page_number) noexcept {
        // In shared memory poison outlives a hole in the file, and goes with the mapping.
        if (!has_remapped_ && options_.backing == uffd_backing::anonymous) {
            return drop(page_number, 1);
        }
        // Accessible last: a page that came in unregistered would not be known.
        return remap(page_number) && fd_.register_range(address(page_number), page_bytes_, region_modes()).ok() &&
               mprotect(page(page_number), page_bytes_, PROT_READ | PROT_WRITE) == 0;
    }

private:
    static constexpr unsigned most_retries = 100;

    [[nodiscard]] std::size_t mapped_bytes() const noexcept { return (options_.pages + frames()) * page_bytes_; }

    /// `refused`: where it fails, the feature without which it may not.
    status open_with(std::uint64_t there, std::uint64_t& refused) noexcept {
        const std::uint64_t useful = uffd_abi::feature_poison | uffd_abi::feature_wp;
        if (const status s = fd_.open(features() | (there & useful), options_.rights); s != status::ok) {
            return failed(s, fd_.error(), fd_.reason());
        }
        const status s = map(refused);
        return s == status::ok ? try_out(refused) : s;
    }
    [[nodiscard]] bool needs_protection() const noexcept { return detail::uffd_methods::needs_protection(options_); }
    [[nodiscard]] std::uint64_t features() const noexcept { return detail::uffd_methods::features(options_); }

    [[nodiscard]] status failed(status s, int error, const char* why) noexcept {
        error_ = error;
        reason_ = cause_of_errno(error, why);
        return s;
    }
    [[nodiscard]] status failed(int error, const char* call) noexcept {
        return failed(status_of_errno(error), error, call);
    }
    [[nodiscard]] std::uint64_t region_modes() const noexcept {
        return UFFDIO_REGISTER_MODE_MISSING | (needs_protection() ? UFFDIO_REGISTER_MODE_WP : 0);
    }
    /// One page of the region mapped anew, not accessible. Of shared memory the file keeps what it has there.
    [[nodiscard]] bool remap(std::size_t page_number) noexcept {
        const bool is_shared = options_.backing == uffd_backing::shared;
        const int kind = is_shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
        if (mmap(page(page_number), page_bytes_, PROT_NONE, kind | MAP_FIXED | MAP_NORESERVE, is_shared ? file_ : -1,
                 is_shared ? static_cast<off_t>(page_number * page_bytes_) : 0) == MAP_FAILED) {
            return false;
        }
        static_cast<void>(advise(page_number, 1));
        return true;
    }
    /// Huge pages would come back whole at the first touch of one of theirs; and a child would read zeros, unless it is to.
    [[nodiscard]] bool advise(std::size_t first, std::size_t count) noexcept {
        static_cast<void>(madvise(page(first), count * page_bytes_, MADV_NOHUGEPAGE));
        const bool wipes = options_.on_fork == fork_policy::zeros && first < options_.pages;
        return madvise(page(first), count * page_bytes_, wipes ? MADV_WIPEONFORK : MADV_DONTFORK) == 0;
    }
    /// MOVE wants the frames registered as well. Not for missing pages, where that can be had: of a page that the program
    /// dropped itself (MADV_DONTNEED) nothing moves, and who reads the frame is to find zeros as the program would have.
    [[nodiscard]] int register_all() noexcept {
        const std::uint64_t frame_modes =
            fd_.has(uffd_abi::feature_wp) ? UFFDIO_REGISTER_MODE_WP : UFFDIO_REGISTER_MODE_MISSING;
        const uffd_outcome region = fd_.register_range(address(0), options_.pages * page_bytes_, region_modes());
        return !region.ok() || frames() == 0
                   ? region.error
                   : fd_.register_range(address(options_.pages), frames() * page_bytes_, frame_modes).error;
    }

    status map(std::uint64_t& refused) noexcept {
        if (const char* const why = detail::uffd_methods::contradiction(options_); why != nullptr) {
            return failed(status::invalid, EINVAL, why);
        }
        if (options_.tracking == clean_tracking::scan && !pagemap_.open()) {
            refused = uffd_abi::feature_wp_async;
            // A shortage passes; without /proc there is no scan at all.
            const status s = is_shortage(errno) ? status::no_memory : status::invalid;
            return failed(s, errno, "/proc/self/pagemap can't be read");
        }
        if (const status s = map_range(); s != status::ok) {
            return s;
        }
        // Accessible only when it is not locked: after mlockall(MCL_FUTURE) all of it would come into memory, and stay. The
        // call itself: a sanitizer makes a no-op of the function.
        if (::syscall(SYS_munlock, base_, mapped_bytes()) != 0) {
            return failed(errno, "the kernel refused munlock");
        }
        if (mprotect(base_, mapped_bytes(), PROT_READ | PROT_WRITE) != 0) {
            return failed(errno, "the kernel refused mprotect: memory that this process may not have (RLIMIT_DATA, "
                                 "vm.overcommit_memory), or a filter of system calls");
        }
        if (!advise(0, options_.pages) || (frames() != 0 && !advise(options_.pages, frames()))) {
            return failed(errno, "the kernel refused madvise of what fork is to do");
        }
        if (const int error = register_all(); error != 0) {
            return failed(error, "the kernel refused UFFDIO_REGISTER");
        }
        if (options_.tracking == clean_tracking::scan && !for_each_written(0, 1, [](std::size_t) {})) {
            refused = uffd_abi::feature_wp_async;
            return failed(errno, "the kernel refused PAGEMAP_SCAN");
        }
        return status::ok;
    }
    status map_range() noexcept {
        const bool is_shared = options_.backing == uffd_backing::shared;
        if (is_shared) {
            file_ = memfd_create("pagefold", MFD_CLOEXEC);
            if (file_ < 0) {
                return failed(errno, "the kernel refused memfd_create");
            }
            if (ftruncate(file_, static_cast<off_t>(mapped_bytes())) != 0) {
                return failed(errno, "the kernel refused ftruncate: no memfd of that size");
            }
        }
        const int kind = is_shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
        void* const memory = mmap(nullptr, mapped_bytes(), PROT_NONE, kind | MAP_NORESERVE, is_shared ? file_ : -1, 0);
        if (memory == MAP_FAILED) {
            return failed(errno, errno == EAGAIN   ? "more locked memory than RLIMIT_MEMLOCK allows (mlockall)"
                                 : errno == ENOMEM ? "no such range of addresses (RLIMIT_AS, vm.max_map_count)"
                                                   : "the kernel refused mmap");
        }
        base_ = static_cast<std::byte*>(memory);
        owner_ = getpid();
        return status::ok;
    }

    /// Every call that the pager is going to make, on the first page and the first frame, which are empty again afterwards.
    status try_out(std::uint64_t& refused) noexcept {
        void* const zeros = mmap(nullptr, page_bytes_, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (zeros == MAP_FAILED) {
            return failed(errno, "the kernel refused mmap");
        }
        const uffd_outcome brought = bring(0, static_cast<const std::byte*>(zeros), 1, needs_protection());
        munmap(zeros, page_bytes_);
        if (!brought.ok()) {
            return failed(brought.error, "the kernel refused UFFDIO_COPY");
        }
        const bool protects =
            options_.eviction == eviction_method::protect || options_.tracking == clean_tracking::protect;
        if (protects && !(protect(0, 1) && unprotect(0, 1))) {
            refused = uffd_abi::feature_wp;
            return failed(errno, "the kernel refused UFFDIO_WRITEPROTECT");
        }
        if (options_.delivery == fault_delivery::thread) {
            if (const uffd_outcome woken = fd_.wake(address(0), page_bytes_); !woken.ok()) {
                return failed(woken.error, "the kernel refused UFFDIO_WAKE");
            }
        }
        // Another refusal than of the call itself is of this moment, and of one page.
        if (options_.eviction == eviction_method::move) {
            if (const uffd_outcome moved = move_out(0, 1, 0); is_refusal(moved.error)) {
                refused = uffd_abi::feature_move;
                return failed(moved.error, "the kernel refused UFFDIO_MOVE");
            }
            drop_frames(0, 1);
        }
        if (!drop(0, 1)) {
            return failed(errno, options_.backing == uffd_backing::shared
                                     ? "the kernel refused fallocate(FALLOC_FL_PUNCH_HOLE)"
                                     : "the kernel refused madvise(MADV_DONTNEED)");
        }
        return status::ok;
    }
    [[nodiscard]] bool change_protection(std::size_t first, std::size_t count, bool on) noexcept {
        for (unsigned patience = 0; patience < most_retries; ++patience) {
            const uffd_outcome done = fd_.write_protect(address(first), count * page_bytes_, on);
            if (done.error != EAGAIN) {
                errno = done.error;
                return done.ok();
            }
        }
        errno = EAGAIN;
        return false;
    }

    uffd_memory_options options_{};
    uffd fd_{};
    pagemap_scan pagemap_{};
    std::byte* base_ = nullptr;
    pid_t owner_ = 0;
    int file_ = -1;
    bool has_remapped_ = false; // a page that was lost, since open
    std::size_t page_bytes_ = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const char* reason_ = "";
    const char* lacking_ = "";
    int error_ = 0;
};

} // namespace pagefold
