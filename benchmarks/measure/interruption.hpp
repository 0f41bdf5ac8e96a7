// SPDX-License-Identifier: MIT
#pragma once

#include <csignal>
#include <stdexcept>

namespace pagefold::measure {

/// The user wants the program to end.
struct interrupted : std::runtime_error {
    interrupted() : std::runtime_error("interrupted") {}
};

namespace detail {
inline volatile std::sig_atomic_t was_signalled = 0;
}

/// From here on SIGINT and SIGTERM only leave a note, so that the program ends through its destructors: a zram device
/// would stay behind otherwise.
inline void note_signals() {
    for (const int one : {SIGINT, SIGTERM}) {
        std::signal(one, [](int) { detail::was_signalled = 1; });
    }
}

/// Throws interrupted where a signal came. Called every few milliseconds.
inline void end_if_interrupted() {
    if (detail::was_signalled != 0) {
        throw interrupted();
    }
}

} // namespace pagefold::measure
