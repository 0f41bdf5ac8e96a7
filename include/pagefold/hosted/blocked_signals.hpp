// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <csignal>
#include <initializer_list>

namespace pagefold::inline PAGEFOLD_ABI {

/// All signals but those that an instruction of the thread itself causes.
[[nodiscard]] inline sigset_t asynchronous_signals() noexcept {
    sigset_t set;
    sigfillset(&set);
    for (const int caused : {SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGABRT}) {
        sigdelset(&set, caused);
    }
    return set;
}

/// Keeps them from the calling thread for the time of a scope: no signal handler runs in it, that might want a lock which the
/// thread holds. Two system calls.
class [[nodiscard]] blocked_signals {
public:
    blocked_signals() noexcept : before_{}, has_blocked_{block(before_)} {}
    ~blocked_signals() {
        if (has_blocked_) { // else it does not say what was before
            pthread_sigmask(SIG_SETMASK, &before_, nullptr);
        }
    }
    blocked_signals(const blocked_signals&) = delete;
    blocked_signals& operator=(const blocked_signals&) = delete;

private:
    [[nodiscard]] static bool block(sigset_t& before) noexcept {
        const sigset_t blocked = asynchronous_signals();
        return pthread_sigmask(SIG_BLOCK, &blocked, &before) == 0;
    }

    sigset_t before_;
    bool has_blocked_;
};

} // namespace pagefold
