// SPDX-License-Identifier: MIT
#include <pagefold/hosted/blocked_signals.hpp>

#include <doctest/doctest.h>

#include <csignal>

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

} // namespace
} // namespace pagefold::testing::unit_hosted_blocked_signals
