// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/hosted/uffd.hpp>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// What an older kernel answers, on this one. A program's own ioctl comes before the C library's, so that all that the library
// asks of userfaultfd and pagemap goes through here. For one source file of a program.

namespace pagefold::testing {

/// A release of Linux, as far as a pager sees it.
struct older_kernel {
    const char* release;
    std::uint64_t features;    ///< of userfaultfd
    bool has_user_mode = true; ///< UFFD_USER_MODE_ONLY, 5.11
    bool has_scan = true;      ///< PAGEMAP_SCAN, 6.7
};

inline const older_kernel* pretended_kernel = nullptr; // null: this one

namespace detail {

inline int answer(int error) {
    errno = error;
    return -1;
}
/// What the pretended kernel says to it, or 0 where it says what this one does.
inline int error_of(unsigned long what, const void* request) {
    const older_kernel& kernel = *pretended_kernel;
    const auto has = [&](std::uint64_t features) { return (kernel.features & features) == features; };
    switch (what) {
    case UFFDIO_API: return has(static_cast<const uffdio_api*>(request)->features) ? 0 : EINVAL;
    case UFFDIO_REGISTER:
        return (static_cast<const uffdio_register*>(request)->mode & UFFDIO_REGISTER_MODE_WP) == 0 ||
                       has(uffd_abi::feature_wp)
                   ? 0
                   : EINVAL;
    case UFFDIO_COPY:
        return (static_cast<const uffdio_copy*>(request)->mode & UFFDIO_COPY_MODE_WP) == 0 || has(uffd_abi::feature_wp)
                   ? 0
                   : EINVAL;
    case UFFDIO_WRITEPROTECT: return has(uffd_abi::feature_wp) ? 0 : EINVAL;
    case uffd_abi::ioctl_move: return has(uffd_abi::feature_move) ? 0 : EINVAL;
    case uffd_abi::ioctl_poison: return has(uffd_abi::feature_poison) ? 0 : EINVAL;
    default: return (what >> 8 & 0xff) == 'f' && (what & 0xff) == 16 && !kernel.has_scan ? ENOTTY : 0;
    }
}

} // namespace detail
} // namespace pagefold::testing

extern "C" int ioctl(int fd, unsigned long what, ...) noexcept {
    using namespace pagefold::testing;
    va_list rest;
    va_start(rest, what);
    void* const request = va_arg(rest, void*);
    va_end(rest);
    if (pretended_kernel != nullptr) {
        if (const int error = detail::error_of(what, request); error != 0) {
            return detail::answer(error);
        }
    }
    const auto answer = static_cast<int>(::syscall(SYS_ioctl, fd, what, request));
    if (answer == 0 && pretended_kernel != nullptr && what == UFFDIO_API) {
        static_cast<uffdio_api*>(request)->features &= pretended_kernel->features;
    }
    return answer;
}
