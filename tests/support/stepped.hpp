// SPDX-License-Identifier: MIT
#pragma once

#include "support/tsan_ordered.hpp"

#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <ucontext.h>

namespace pagefold::testing {

/// Runs code one machine instruction at a time and calls a function in between, in a signal handler: so every place where
/// a signal can come is tried, and not only those that a timer happens to hit. One at a time in a process.
class stepped {
public:
#if defined(__x86_64__) && defined(__linux__) && !PAGEFOLD_TEST_TSAN // whose handlers run later
    static constexpr bool is_possible = true;
#else
    static constexpr bool is_possible = false;
#endif

    /// Calls `interrupt()` in front of each of the first `most` instructions of `work()`. How many there were.
    template <class Work, class Interrupt>
    static std::uint64_t run(std::uint64_t most, Work work, Interrupt interrupt) {
        steps_ = stuck_ = 0;
        most_ = most;
        context_ = &interrupt;
        call_ = [](void* context) { (*static_cast<Interrupt*>(context))(); };
        struct sigaction mine {
        }, kept{};
        mine.sa_sigaction = handle;
        mine.sa_flags = SA_SIGINFO;
        sigaction(SIGTRAP, &mine, &kept);
        set_trap_flag(true);
        work();
        set_trap_flag(false);
        sigaction(SIGTRAP, &kept, nullptr);
        return steps_;
    }
    /// For what would wait: leaves the interrupt, which nobody could wake, and notes it. False where none is under way.
    static bool leave_stuck() {
        if (is_inside_ == 0) {
            return false;
        }
        ++stuck_;
        siglongjmp(way_out_, 1);
    }
    /// Interrupts that would have waited for ever.
    static std::uint64_t stuck() noexcept { return stuck_; }

private:
    static void handle(int, siginfo_t*, [[maybe_unused]] void* context) {
        if (++steps_ >= most_) {
#if defined(__x86_64__)
            static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~greg_t{0x100};
#endif
        }
        if (sigsetjmp(way_out_, 0) == 0) { // the mask is as it is in a handler, whatever way it is left
            is_inside_ = 1;
            call_(context_);
        }
        is_inside_ = 0;
    }
    static void set_trap_flag([[maybe_unused]] bool on) noexcept {
#if defined(__x86_64__)
        // The red zone below the stack pointer may be in use.
        if (on) {
            __asm__ volatile("lea -128(%%rsp), %%rsp\n pushfq\n orq $0x100, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp" ::
                                 : "memory", "cc");
        } else {
            __asm__ volatile(
                "lea -128(%%rsp), %%rsp\n pushfq\n andq $~0x100, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp" ::
                    : "memory", "cc");
        }
#endif
    }

    static inline std::uint64_t steps_ = 0, stuck_ = 0, most_ = 0;
    static inline volatile std::sig_atomic_t is_inside_ = 0;
    static inline sigjmp_buf way_out_;
    static inline void* context_ = nullptr;
    static inline void (*call_)(void*) = nullptr;
};

/// Waits for nobody: a call that would sleep in an interrupt leaves it, as stuck.
struct stepped_parking {
    template <class Word>
    static void wait(Word&, std::uint32_t) noexcept {
        if (!stepped::leave_stuck()) {
            __builtin_trap(); // the only thread would sleep
        }
    }
    template <class Word>
    static void wake_one(Word&) noexcept {}
    template <class Word>
    static void wake_all(Word&) noexcept {}
    [[nodiscard]] static std::uintptr_t self() noexcept { return 0x1000; }
};

} // namespace pagefold::testing
