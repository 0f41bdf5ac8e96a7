// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <cstddef>
#include <cstdint>

// What all pagefolds of a process know of each other's SIGBUS handlers, whatever their names (config/abi.hpp): which entry of a
// sigbus_chain calls which handler. So one that looks for itself under the handler in front finds its way down through the
// others' entries.
//
// It is data alone, of a layout that no name changes: nobody calls a function that was compiled for another processor. Another
// layout would have another number in its symbol. The symbol is one for the process as the dynamic linker sees to it:
//
//   for all units of a program and the libraries it links;
//   for libraries that dlopen loads, where g++ compiled them (a unique symbol; a library that has one stays loaded), or where
//   they come with RTLD_GLOBAL;
//   not for those of clang with RTLD_LOCAL, nor where a version script hides it. Those don't see each other's entries.

namespace pagefold::inline PAGEFOLD_ABI::detail {

inline constexpr std::size_t max_sigbus_links = 64;

/// Pairs of addresses: an entry, and the handler that it calls. A pair is taken by its second word, and counts with its first.
extern "C" {
[[gnu::visibility("default")]] inline std::uintptr_t pagefold_sigbus_links_1[2 * max_sigbus_links];
}

/// Any thread, and signal handlers: it waits for nobody.
class sigbus_links {
public:
    /// From now on it is known that `entry` calls `below`, which is no special action. Once there are too many it is not, and
    /// then others don't find their way through this one. A code address that was another library's before is taken over.
    static void note(std::uintptr_t entry, std::uintptr_t below) noexcept {
        for (std::size_t i = 0; i < max_sigbus_links; ++i) {
            std::uintptr_t* const pair = pagefold_sigbus_links_1 + 2 * i;
            if (__atomic_load_n(pair, __ATOMIC_ACQUIRE) == entry) {
                __atomic_store_n(pair + 1, below, __ATOMIC_RELEASE); // read after the entry was seen
                return;
            }
            std::uintptr_t free = 0;
            // relaxed: it takes the pair, and what counts is stored below.
            if (__atomic_load_n(pair, __ATOMIC_RELAXED) == 0 &&
                __atomic_compare_exchange_n(pair + 1, &free, below, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
                __atomic_store_n(pair, entry, __ATOMIC_RELEASE); // with it the second word
                return;
            }
        }
    }
    /// What `handler` calls where it is somebody's entry, otherwise 0.
    [[nodiscard]] static std::uintptr_t below(std::uintptr_t handler) noexcept {
        for (std::size_t i = 0; i < max_sigbus_links && handler != 0; ++i) {
            const std::uintptr_t* const pair = pagefold_sigbus_links_1 + 2 * i;
            if (__atomic_load_n(pair, __ATOMIC_ACQUIRE) == handler) { // before the second word is read
                return __atomic_load_n(pair + 1, __ATOMIC_RELAXED);
            }
        }
        return 0;
    }
};

} // namespace pagefold::inline PAGEFOLD_ABI::detail
