// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/atomic.hpp>
#include <pagefold/hosted/std_mutex.hpp>
#include <pagefold/platform/concept.hpp>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <ucontext.h>

// One SIGBUS handler for all paged regions of a process: it finds the region of the address and has it served in the thread
// that faulted. What it does not know goes to the handler that was there before.
//
// The handler reads the table while other threads add and remove ranges, and may not wait for them: each place of the
// table carries a sequence number that is odd while it changes, and a place that changes is not the one looked for, because
// a range that is being touched is not being removed.

namespace pagefold {

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

    /// Routes the faults of a range; a number for remove, or −1 where there are too many or the handler can't be set.
    [[nodiscard]] static int add(std::uintptr_t first, std::size_t bytes, serve_function serve,
                                 void* context) noexcept {
        const lock_guard guard{mutex()};
        if (!install()) {
            return -1;
        }
        for (std::size_t i = 0; i < max_ranges; ++i) {
            range& one = ranges[i];
            if (one.last.load(memory_order::relaxed) == 0) {
                one.change(first, first + bytes, serve, context);
                return static_cast<int>(i);
            }
        }
        return -1;
    }
    /// Nobody may touch missing pages of the range any more.
    static void remove(int number) noexcept {
        const lock_guard guard{mutex()};
        ranges[number].change(0, 0, nullptr, nullptr);
    }

private:
    using range = detail::sigbus_range;

    [[nodiscard]] static std_mutex& mutex() noexcept {
        static std_mutex one;
        return one;
    }
    /// Sets the handler, unless it is set already. (A handler that was set later, and chains to this one, stays.)
    [[nodiscard]] static bool install() noexcept {
        if (is_installed) {
            return true;
        }
        struct sigaction wanted {};
        wanted.sa_sigaction = on_signal;
        // SA_NODEFER: a fault inside the earlier handler reaches us again. Not SA_ONSTACK: serving takes some 8 KiB, and a
        // thread's second stack may be as small as that.
        wanted.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART;
        sigemptyset(&wanted.sa_mask);
        is_installed = sigaction(SIGBUS, &wanted, &earlier) == 0;
        return is_installed;
    }

    static void on_signal(int signal, siginfo_t* info, void* machine) {
        const int kept = errno;
        const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
        const bool is_served = info->si_code == BUS_ADRERR && route(address, was_write(machine));
        errno = kept;
        if (!is_served) {
            pass_on(signal, info, machine);
        }
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
    /// Whether the access was a write; false where the machine's state does not say.
    [[nodiscard]] static bool was_write([[maybe_unused]] void* machine) noexcept {
#if defined(REG_ERR) // x86: the page fault's error code
        constexpr unsigned long long write_bit = 2;
        const auto code = static_cast<ucontext_t*>(machine)->uc_mcontext.gregs[REG_ERR];
        return (static_cast<unsigned long long>(code) & write_bit) != 0;
#else
        return false;
#endif
    }
    static void pass_on(int signal, siginfo_t* info, void* machine) {
        if ((earlier.sa_flags & SA_SIGINFO) != 0 && earlier.sa_sigaction != nullptr) {
            earlier.sa_sigaction(signal, info, machine);
        } else if (earlier.sa_handler != SIG_DFL && earlier.sa_handler != SIG_IGN) {
            earlier.sa_handler(signal);
        } else {
            // An ignored fault would come for ever: the default ends the program when the access is tried again.
            std::signal(signal, SIG_DFL);
        }
    }

    inline static range ranges[max_ranges];
    inline static struct sigaction earlier {};
    inline static bool is_installed = false;
};

} // namespace pagefold
