// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/atomic.hpp>
#include <pagefold/core/bits.hpp>

#include <cstdint>

// Where the random number comes from with which a store hashes its keys, so that nobody who chooses keys can choose
// which of them meet. The host may define PAGEFOLD_SEED_HOOK() before the first include (the same in every translation
// unit): an expression of type std::uint64_t that is noexcept and safe from every thread. It then decides alone.
// Otherwise a hosted Linux build asks the kernel. Like host_parking.hpp this header includes its system's, if there is
// one; cmake/layer_check.cmake allows exactly these, exactly here.

#if __STDC_HOSTED__
#include <cerrno>
#include <ctime>
#if defined(__linux__)
#include <sys/random.h>
#endif
#endif

namespace pagefold::inline PAGEFOLD_ABI {

/// A number that differs from call to call, and mostly from run to run. **No secret**: it is mixed from the address of a
/// variable on the stack, that of a function, a count of calls, and in a hosted build the time. Who knows the program
/// can guess all of these, and in a freestanding program whose addresses are fixed every run has the same. Never 0.
[[nodiscard]] inline std::uint64_t guessable_seed() noexcept {
    static constinit atomic<std::uintptr_t> calls{0};
    const char here = 0;
    // relaxed: the count orders nothing; each call only has to get another one.
    const std::uint64_t call = calls.fetch_add(1, memory_order::relaxed);
    const std::uint64_t stack = reinterpret_cast<std::uintptr_t>(&here);
    const std::uint64_t code = reinterpret_cast<std::uintptr_t>(&guessable_seed);
    std::uint64_t seed = mix(mix(stack, code), call + 1);
#if __STDC_HOSTED__
    std::timespec now{};
    if (std::timespec_get(&now, TIME_UTC) == TIME_UTC) {
        seed = mix(seed ^ static_cast<std::uint64_t>(now.tv_sec), static_cast<std::uint64_t>(now.tv_nsec));
    }
#endif
    return seed != 0 ? seed : 1;
}

/// A random number, never 0, another one on every call: of the host's hook; on Linux of the kernel, unguessable; else,
/// and where the kernel has none yet, guessable_seed(). Never blocks. A system call (0.3 µs); leaves errno as it was.
/// Safe from every thread.
[[nodiscard]] inline std::uint64_t host_seed() noexcept {
    std::uint64_t seed = 0;
#if defined(PAGEFOLD_SEED_HOOK)
    seed = PAGEFOLD_SEED_HOOK();
#elif __STDC_HOSTED__ && defined(__linux__)
    const int saved = errno;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) {
        seed = guessable_seed(); // early in the system's start, or forbidden by a filter of system calls
    }
    errno = saved;
#else
    seed = guessable_seed();
#endif
    return seed != 0 ? seed : 1;
}

} // namespace pagefold
