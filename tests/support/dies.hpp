// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>

#include <csignal>
#include <initializer_list>
#include <sys/wait.h>
#include <unistd.h>

namespace pagefold::testing {

/// Whether a call ends the process, as a failed assertion does. It runs in a child, so what it changes is not seen here.
template <class Call>
[[nodiscard]] bool dies(Call call) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        for (const int signal_number : {SIGILL, SIGTRAP, SIGSEGV, SIGABRT}) {
            signal(signal_number, SIG_DFL);
        }
        close(STDERR_FILENO);
        call();
        _exit(0);
    }
    int outcome = 0;
    REQUIRE(waitpid(child, &outcome, 0) == child);
    return !WIFEXITED(outcome) || WEXITSTATUS(outcome) != 0;
}

} // namespace pagefold::testing
