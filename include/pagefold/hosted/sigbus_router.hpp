// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/atomic.hpp>
#include <pagefold/hosted/keep_loaded.hpp>
#include <pagefold/hosted/sigbus_chain.hpp>
#include <pagefold/hosted/std_mutex.hpp>
#include <pagefold/platform/concept.hpp>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <ucontext.h>

// One SIGBUS handler for all paged regions of a process: it finds the region of the address and has it served in the thread
// that faulted. What it does not know, what can't be served, and what somebody sent, goes to the action that was there before
// (sigbus_chain.hpp); with the last region that one is put back, unless somebody set another meanwhile.
//
// Serving takes locks and runs codecs, which POSIX allows no signal handler to do. It is sound here because the signal is not
// asynchronous: it comes at an access to a region, so that the thread holds whatever locks its own code held around that
// access and no others, and those are none of the pager's as long as
//
//   the pager and its store never touch a missing page of a region themselves. The host sees to it: no memory of a store, and
//   no argument to it, lies in a region;
//   no other handler runs in between that touches a region: while this one runs, all signals are blocked but those that an
//   instruction causes (and uffd_pager blocks them while a caller of its functions holds the lock).
//
// A thread that touches a region must leave SIGBUS unblocked and have its stack elsewhere: the kernel ends the process where
// it can't deliver the signal. 16 KiB of that stack are enough.
//
// The handler reads the table while other threads add and remove ranges, and may not wait for them: each place of the
// table carries a sequence number that is odd while it changes, and a place that changes is not the one looked for, because
// a range that is being touched is not being removed.

namespace pagefold::inline PAGEFOLD_ABI {

namespace detail {

/// Makes the access at `address` succeed when it is tried again; false where that can't be. Called in the thread that
/// faulted, in a signal handler, with errno kept.
using serve_function = bool (*)(void* context, std::uintptr_t address, bool is_write) noexcept;

struct sigbus_range {
    atomic<std::uint32_t> sequence{0};
    atomic<std::uintptr_t> first{0};
    atomic<std::uintptr_t> last{0}; // 0: free
    atomic<serve_function> serve{nullptr};
    atomic<void*> context{nullptr};

    void change(std::uintptr_t from, std::uintptr_t to, serve_function how, void* whom) noexcept {
        // acq_rel: the fields below change after the number became odd, and before it is even again.
        sequence.fetch_add(1, memory_order::acq_rel);
        first.store(from, memory_order::release);
        last.store(to, memory_order::release);
        serve.store(how, memory_order::release);
        context.store(whom, memory_order::release);
        sequence.fetch_add(1, memory_order::release);
    }
};

} // namespace detail

class sigbus_router {
public:
    using serve_function = detail::serve_function;
    static constexpr std::size_t max_ranges = 64;

    /// Routes the faults of a range, and puts the router in front of the action of SIGBUS that it finds; a number for remove,
    /// or −1 where there are too many ranges (ENOSPC), or the handler can't be set (see sigbus_chain::hook). The shared object
    /// that this is in stays loaded from then on (keep_loaded.hpp). Not with a lock held that others take as they are loaded.
    [[nodiscard]] static int add(std::uintptr_t first, std::size_t bytes, serve_function serve,
                                 void* context) noexcept {
        // Before the mutex, which an object that is being loaded may want. relaxed: twice does no harm.
        if (is_kept.load(memory_order::relaxed) == 0) {
            static_cast<void>(keep_loaded(reinterpret_cast<const void*>(&serve_fault)));
            is_kept.store(1, memory_order::relaxed);
        }
        const lock_guard guard{mutex()};
        if (used == max_ranges) {
            errno = ENOSPC;
            return -1;
        }
        if (!sigbus_chain::hook(serve_fault)) {
            return -1;
        }
        int number = 0;
        while (ranges[number].last.load(memory_order::relaxed) != 0) {
            ++number;
        }
        ranges[number].change(first, first + bytes, serve, context);
        ++used;
        return number;
    }
    /// Puts the router in front again, where ranges are in use and a handler that was set later does not call what it found,
    /// or the default was set. False where it can't be. Not from a signal handler.
    [[nodiscard]] static bool hook() noexcept {
        const lock_guard guard{mutex()};
        return used != 0 && sigbus_chain::hook(serve_fault);
    }
    /// Nobody may touch missing pages of the range any more.
    static void remove(int number) noexcept {
        const lock_guard guard{mutex()};
        ranges[number].change(0, 0, nullptr, nullptr);
        if (--used == 0) {
            sigbus_chain::unhook();
        }
    }

private:
    using range = detail::sigbus_range;

    [[nodiscard]] static std_mutex& mutex() noexcept {
        static std_mutex one;
        return one;
    }
    static bool serve_fault(siginfo_t& info, void* machine) noexcept {
        return info.si_code == BUS_ADRERR && route(reinterpret_cast<std::uintptr_t>(info.si_addr), was_write(machine));
    }
    [[nodiscard]] static bool route(std::uintptr_t address, bool is_write) noexcept {
        for (range& one : ranges) {
            const std::uint32_t before = one.sequence.load(memory_order::acquire);
            const std::uintptr_t first = one.first.load(memory_order::acquire);
            const std::uintptr_t last = one.last.load(memory_order::acquire);
            const serve_function serve = one.serve.load(memory_order::acquire);
            void* const context = one.context.load(memory_order::acquire);
            // The loads above are acquires: none of them moves below this one.
            const bool is_whole = before % 2 == 0 && one.sequence.load(memory_order::relaxed) == before;
            if (is_whole && address >= first && address < last) {
                return serve(context, address, is_write);
            }
        }
        return false;
    }
    /// Whether the access was a write, or may have been where the machine's state does not say: a page that is taken for
    /// written costs a compression too many, one that is not would be protected from the write for ever.
    [[nodiscard]] static bool was_write([[maybe_unused]] void* machine) noexcept {
#if defined(REG_ERR) // x86: the page fault's error code
        constexpr unsigned long long write_bit = 2;
        const auto code = static_cast<ucontext_t*>(machine)->uc_mcontext.gregs[REG_ERR];
        return (static_cast<unsigned long long>(code) & write_bit) != 0;
#else
        return true;
#endif
    }

    inline static range ranges[max_ranges];
    inline static std::size_t used = 0; // guarded by the mutex
    inline static atomic<std::uint32_t> is_kept{0};
};

} // namespace pagefold
