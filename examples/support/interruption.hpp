// SPDX-License-Identifier: MIT
#pragma once

#include <csignal>
#include <initializer_list>

namespace examples {

/// Set by a signal that asks the program to end: every loop ends soon, and everything is undone.
inline volatile std::sig_atomic_t was_interrupted = 0;

/// From now on SIGINT, SIGTERM and SIGHUP set it. Waiting system calls end with EINTR, so that who waits looks at it.
inline void note_interruptions() {
    struct sigaction note {};
    note.sa_handler = [](int) { was_interrupted = 1; };
    sigemptyset(&note.sa_mask);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        sigaction(signal, &note, nullptr);
    }
}

} // namespace examples
