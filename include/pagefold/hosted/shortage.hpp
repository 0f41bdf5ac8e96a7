// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/status.hpp>

#include <cerrno>

namespace pagefold::inline PAGEFOLD_ABI {

/// Whether an errno says that something is used up for the moment, so that the same call may succeed later.
[[nodiscard]] constexpr bool is_shortage(int error) noexcept {
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == EAGAIN || error == ENOSPC;
}

/// Whether an errno says that the call is not to be had here: of an older kernel, or of a filter of system calls.
[[nodiscard]] constexpr bool is_refusal(int error) noexcept {
    return error == ENOSYS || error == EPERM || error == EACCES || error == EINVAL || error == EOPNOTSUPP ||
           error == ENOTTY;
}

/// What a failed call comes to: no_memory for a shortage, else invalid.
[[nodiscard]] constexpr status status_of_errno(int error) noexcept {
    return is_shortage(error) ? status::no_memory : status::invalid;
}

/// Words for a failed call: the limit that was met where descriptors are used up, else what the caller says. Static.
[[nodiscard]] constexpr const char* cause_of_errno(int error, const char* otherwise) noexcept {
    switch (error) {
    case EMFILE: return "the process has no file descriptor left (RLIMIT_NOFILE)";
    case ENFILE: return "the system has no file descriptor left (fs.file-max)";
    default: return otherwise;
    }
}

} // namespace pagefold
