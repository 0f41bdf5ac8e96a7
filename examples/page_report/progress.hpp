// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <unistd.h>

namespace page_report {

/// One line on stderr that says what is going on, rewritten ten times a second at most, and gone in the end. Silent
/// where stderr is no terminal. One thread at a time.
class progress {
    using clock = std::chrono::steady_clock;

public:
    progress() = default;
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;
    ~progress() { clear(); }

    void report(const char* what, std::size_t done, std::size_t all) {
        if (!is_terminal_ || clock::now() < next_) {
            return;
        }
        next_ = clock::now() + std::chrono::milliseconds{100};
        std::fprintf(stderr, "\r\x1b[K%s: %zu of %zu pages", what, done, all);
        std::fflush(stderr);
        is_shown_ = true;
    }
    /// Before anything else is written.
    void clear() {
        if (is_shown_) {
            std::fputs("\r\x1b[K", stderr);
            is_shown_ = false;
        }
    }

private:
    bool is_terminal_ = isatty(STDERR_FILENO) == 1;
    bool is_shown_ = false;
    clock::time_point next_{};
};

} // namespace page_report
