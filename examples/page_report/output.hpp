// SPDX-License-Identifier: MIT
#pragma once

#include "failure.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

namespace page_report {

/// All of it, or `failure`.
inline void write_stdout(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
        throw failure(std::string("stdout: ") + std::strerror(errno));
    }
}

} // namespace page_report
