// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>
#include <pagefold/platform/locality.hpp>

// Like host_parking.hpp this header includes its system's, if there is one; cmake/layer_check.cmake allows exactly these,
// exactly here. All of a program is built for the same.

#if __STDC_HOSTED__ && defined(__linux__)
#include <cerrno>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace pagefold::inline PAGEFOLD_ABI {

#if __STDC_HOSTED__ && defined(__linux__)

/// The processor's node as Linux numbers it, by getcpu: with glibc some ten nanoseconds, without a system call; with other C
/// libraries one. any_node where a filter forbids that. Leaves errno as it was.
struct host_locality {
    [[nodiscard]] static node_id current() noexcept {
        const int saved = errno;
        unsigned processor = 0, node = 0;
        const bool is_told = ask(processor, node) == 0;
        errno = saved;
        return is_told ? static_cast<node_id>(node) : any_node;
    }

private:
    static int ask(unsigned& processor, unsigned& node) noexcept {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 29) && defined(_GNU_SOURCE)
        return getcpu(&processor, &node);
#else
        return static_cast<int>(syscall(SYS_getcpu, &processor, &node, nullptr));
#endif
    }
};

#else

/// No system known here. A kernel supplies a locality of its own.
struct host_locality : no_locality {};

#endif

static_assert(locality<host_locality>);

} // namespace pagefold
