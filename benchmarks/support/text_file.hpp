// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <unistd.h>

namespace pagefold::support {

/// The start of a small file, such as those under /proc and /sys, without its last line end; empty, with errno, where it
/// can't be read.
[[nodiscard]] inline std::string read_text(const std::string& path) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    std::array<char, 4096> buffer{};
    const ssize_t got = file < 0 ? -1 : ::read(file, buffer.data(), buffer.size());
    const int why = errno;
    if (file >= 0) {
        close(file);
    }
    errno = why;
    std::string text(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    if (!text.empty() && text.back() == '\n') {
        text.pop_back();
    }
    return text;
}

/// Writes to a file that is there; false, with errno, where that fails.
[[nodiscard]] inline bool write_text(const std::string& path, std::string_view text) {
    const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    const ssize_t wrote = file < 0 ? -1 : ::write(file, text.data(), text.size());
    const int why = errno;
    if (file >= 0) {
        close(file);
    }
    errno = why;
    return wrote == static_cast<ssize_t>(text.size());
}

} // namespace pagefold::support
