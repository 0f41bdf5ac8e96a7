// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>

#include <cstddef>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace pagefold::inline PAGEFOLD_ABI {

/// Runs of pages of this process whose memory goes back to the system together, in one call where the system can: then
/// the other processors are interrupted once for all of them, not for each (Linux 6.16: process_madvise on oneself is
/// allowed, has a name for the process that needs no file and no lock on it, and flushes TLBs at its end). Elsewhere it
/// is a madvise for each run. Not safe from many threads.
class discard_batch {
public:
    static constexpr std::size_t most_runs = 256;

    /// Whether the system takes many runs in one call. Asked of a page that is mapped and holds nothing.
    [[nodiscard]] static bool is_one_call(void* page, std::size_t page_size) noexcept {
        iovec one{page, page_size};
        return discard_together(&one, 1) == static_cast<long>(page_size);
    }

    [[nodiscard]] bool is_empty() const noexcept { return count_ == 0; }
    [[nodiscard]] bool is_full() const noexcept { return count_ == most_runs; }

    /// Notes a run; not where the batch is full.
    void add(void* start, std::size_t bytes) noexcept {
        PAGEFOLD_CHECK(!is_full());
        runs_[count_++] = {start, bytes};
    }

    /// Discards the runs in the order in which they came, up to the first that the system refuses (pages that are locked
    /// in memory). Calls refused(start, bytes) for that one and those behind it; the batch is empty then.
    template <class Function>
    void discard(bool in_one_call, Function refused) noexcept {
        std::size_t done = 0;
        if (in_one_call) {
            // The kernel answers how many bytes it was told of whose runs it has done whole.
            for (long bytes = is_empty() ? 0 : discard_together(runs_, count_);
                 done < count_ && bytes >= static_cast<long>(runs_[done].iov_len); ++done) {
                bytes -= static_cast<long>(runs_[done].iov_len);
            }
        }
        // One by one where there is no such call; and where it did nothing: a filter may have come since it was tried.
        if (!in_one_call || done == 0) {
            while (done < count_ && madvise(runs_[done].iov_base, runs_[done].iov_len, MADV_DONTNEED) == 0) {
                ++done;
            }
        }
        for (; done < count_; ++done) {
            refused(runs_[done].iov_base, runs_[done].iov_len);
        }
        count_ = 0;
    }

private:
    /// Bytes done, or -1.
    [[nodiscard]] static long discard_together([[maybe_unused]] iovec* runs,
                                               [[maybe_unused]] std::size_t count) noexcept {
#if defined(SYS_process_madvise)
        constexpr int self = -10000; // PIDFD_SELF, which C libraries' headers don't know yet
        return syscall(SYS_process_madvise, self, runs, count, MADV_DONTNEED, 0);
#else
        return -1;
#endif
    }

    iovec runs_[most_runs];
    std::size_t count_ = 0;
};

} // namespace pagefold
