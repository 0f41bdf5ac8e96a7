// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <cstdint>
#include <sys/ioctl.h>

namespace pagefold::inline PAGEFOLD_ABI {

/// The system's ioctl, whatever type the C library gives a request (they have 32 bits): glibc's takes an unsigned long, that
/// of musl and others an int. Answers and errors are the system's.
template <class Argument>
int io_control(int fd, std::uint32_t request, Argument argument) noexcept {
#if defined(__GLIBC__)
    return ::ioctl(fd, static_cast<unsigned long>(request), argument);
#else
    return ::ioctl(fd, static_cast<int>(request), argument);
#endif
}

} // namespace pagefold
