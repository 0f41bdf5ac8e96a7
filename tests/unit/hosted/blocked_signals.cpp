// SPDX-License-Identifier: MIT
#include "support/pager_modes.hpp"
#include "support/refused_calls.hpp"

#include <pagefold/hosted/blocked_signals.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace pagefold::testing::unit_hosted_blocked_signals {
namespace {

volatile std::sig_atomic_t came = 0;

TEST_CASE("blocked_signals: a signal waits for the end of the scope, one that was blocked before for longer") {
    struct sigaction mine {
    }, kept{};
    mine.sa_handler = [](int) { came = came + 1; };
    REQUIRE(sigaction(SIGUSR1, &mine, &kept) == 0);
    {
        const blocked_signals blocked;
        raise(SIGUSR1);
        CHECK(came == 0);
        sigset_t now;
        pthread_sigmask(SIG_SETMASK, nullptr, &now);
        CHECK(sigismember(&now, SIGTERM) == 1);
        CHECK(sigismember(&now, SIGBUS) == 0); // would end the process where an access causes it
        CHECK(sigismember(&now, SIGSEGV) == 0);
        { const blocked_signals within; }
        CHECK(came == 0);
    }
    CHECK(came == 1);
    sigaction(SIGUSR1, &kept, nullptr);
}

TEST_CASE("blocked_signals: where the system refuses to block, signals stay as they were") {
    const int how = in_child([] {
        sigset_t mine, after;
        sigfillset(&mine);
        sigdelset(&mine, SIGALRM);
        pthread_sigmask(SIG_SETMASK, &mine, nullptr);
        if (!refuse({"rt_sigprocmask", SYS_rt_sigprocmask, 0, SIG_BLOCK}, EPERM)) {
            return 77;
        }
        { const blocked_signals blocked; }
        pthread_sigmask(SIG_SETMASK, nullptr, &after);
        return sigismember(&after, SIGUSR1) == 1 && sigismember(&after, SIGTERM) == 1 &&
                       sigismember(&after, SIGALRM) == 0
                   ? 0
                   : 1;
    });
    if (WIFEXITED(how) && WEXITSTATUS(how) == 77) {
        MESSAGE("skipped: this machine does not allow a filter of system calls");
        return;
    }
    CHECK(how == 0);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_blocked_signals
