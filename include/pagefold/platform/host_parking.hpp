// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/atomic.hpp>
#include <pagefold/platform/parking.hpp>

#include <cstdint>

// The one header of the core that asks which system it is built for, and includes that system's headers if there is one
// (cmake/layer_check.cmake allows exactly these, exactly here). Without one it is spin_parking. All of a program is
// built for the same: a mix of freestanding and hosted sources would have two definitions of this type.

#if __STDC_HOSTED__ && defined(__linux__)
#include <cerrno>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif __STDC_HOSTED__
#include <thread>
#endif

namespace pagefold::inline PAGEFOLD_ABI {

#if __STDC_HOSTED__ && defined(__linux__)

/// Threads of one process on Linux, by its futex: a thread that waits sleeps in the kernel. A wait or a wake is a system
/// call, of half a microsecond to some; self() is one instruction. Leaves errno as it was.
struct host_parking {
    static void wait(atomic<std::uint32_t>& word, std::uint32_t value) noexcept {
        call(word, FUTEX_WAIT_PRIVATE, value);
    }
    static void wake_one(atomic<std::uint32_t>& word) noexcept { call(word, FUTEX_WAKE_PRIVATE, 1); }
    static void wake_all(atomic<std::uint32_t>& word) noexcept { call(word, FUTEX_WAKE_PRIVATE, all); }

    [[nodiscard]] static std::uintptr_t self() noexcept {
#if __has_builtin(__builtin_thread_pointer)
        return reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
#else
        return reinterpret_cast<std::uintptr_t>(pthread_self());
#endif
    }

private:
    static constexpr std::uint32_t all = 0x7fffffff; // the kernel reads an int
#if defined(SYS_futex)
    static constexpr long number = SYS_futex;
#else
    static constexpr long number = SYS_futex_time64; // younger ports have only this; without a timeout they are one
#endif

    /// What the kernel answers says nothing that the word doesn't say: woken, interrupted, or the word had changed.
    static void call(atomic<std::uint32_t>& word, int operation, std::uint32_t value) noexcept {
        static_assert(sizeof word == 4, "the word that the kernel compares is the whole object");
        const int saved = errno;
        syscall(number, &word, operation, value, nullptr, nullptr, 0);
        errno = saved;
    }
};

#elif __STDC_HOSTED__

/// Hosted, but no system known here: wait lets other threads have the processor, and nobody sleeps.
struct host_parking : spin_parking {
    static void wait(atomic<std::uint32_t>&, std::uint32_t) noexcept { std::this_thread::yield(); }
};

#else

/// No system below: waits turn on the spot. A kernel that has a scheduler supplies a parking of its own.
struct host_parking : spin_parking {};

#endif

static_assert(parking<host_parking>);

} // namespace pagefold
