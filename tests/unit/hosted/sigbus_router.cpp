// SPDX-License-Identifier: MIT
#include "support/hollow_mapping.hpp"

#include <pagefold/hosted/sigbus_router.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace pagefold::testing::unit_hosted_sigbus_router {
namespace {

constexpr std::size_t page = hollow_mapping::bytes;

TEST_CASE("sigbus_router: the access goes on when its page was made, and errno is kept") {
    hollow_mapping one, other;
    const int first = sigbus_router::add(one.address(), page, hollow_mapping::grow, &one);
    const int second = sigbus_router::add(other.address(), page, hollow_mapping::grow, &other);
    REQUIRE(first >= 0);
    REQUIRE(second >= 0);
    errno = 0;
    const std::byte seen = *static_cast<volatile std::byte*>(other.at + 17);
    CHECK(errno == 0);
    CHECK(seen == std::byte{0});
    CHECK(other.served == 1);
    CHECK(one.served == 0);
    *static_cast<volatile std::byte*>(one.at) = std::byte{1};
    CHECK(one.served == 1);
#if defined(REG_ERR)
    CHECK(one.was_write);
    CHECK_FALSE(other.was_write);
#endif
    sigbus_router::remove(first);
    sigbus_router::remove(second);
}

TEST_CASE("sigbus_router: so many ranges and no more") {
    hollow_mapping one;
    std::vector<int> added;
    for (std::size_t i = 0; i < sigbus_router::max_ranges; ++i) {
        added.push_back(sigbus_router::add(one.address(), page, hollow_mapping::grow, &one));
        CHECK(added.back() >= 0);
    }
    errno = 0;
    CHECK(sigbus_router::add(one.address(), page, hollow_mapping::grow, &one) == -1);
    CHECK(errno == ENOSPC);
    for (const int number : added) {
        sigbus_router::remove(number);
    }
    const int again = sigbus_router::add(one.address(), page, hollow_mapping::grow, &one);
    CHECK(again >= 0);
    sigbus_router::remove(again);
}

TEST_CASE("sigbus_router: what nobody serves ends the process as it would have") {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        std::signal(SIGBUS, SIG_DFL); // a sanitizer's
        hollow_mapping other, unknown;
        static_cast<void>(sigbus_router::add(other.address(), page, hollow_mapping::grow, &other));
        *static_cast<volatile std::byte*>(unknown.at) = std::byte{1};
        _exit(0);
    }
    int how = 0;
    REQUIRE(waitpid(child, &how, 0) == child);
    CHECK(WIFSIGNALED(how));
    CHECK(WTERMSIG(how) == SIGBUS);
}

volatile std::sig_atomic_t earlier_calls = 0;
volatile std::uintptr_t earlier_address = 0;
volatile std::sig_atomic_t earlier_mask = 0;
sigjmp_buf back;

void note_and_return_to_test(int, siginfo_t* info, void*) {
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    earlier_mask =
        sigismember(&blocked, SIGUSR1) * 4 + sigismember(&blocked, SIGUSR2) * 2 + sigismember(&blocked, SIGBUS);
    earlier_address = reinterpret_cast<std::uintptr_t>(info->si_addr);
    earlier_calls = earlier_calls + 1;
    siglongjmp(back, 1);
}
bool refuse(void*, std::uintptr_t, bool) noexcept { return false; }

TEST_CASE(
    "sigbus_router: the handler that was there before gets what is not served, and is put back with the last range") {
    struct sigaction mine {
    }, kept{}, now{};
    mine.sa_sigaction = note_and_return_to_test;
    mine.sa_flags = SA_SIGINFO;
    sigemptyset(&mine.sa_mask);
    sigaddset(&mine.sa_mask, SIGUSR1);
    REQUIRE(sigaction(SIGBUS, &mine, &kept) == 0);
    hollow_mapping served, refused;
    const int first = sigbus_router::add(served.address(), page, hollow_mapping::grow, &served);
    const int second = sigbus_router::add(refused.address(), page, refuse, nullptr);
    REQUIRE(first >= 0);
    REQUIRE(second >= 0);
    static_cast<void>(*static_cast<volatile std::byte*>(served.at));
    CHECK(earlier_calls == 0);
    if (sigsetjmp(back, 1) == 0) {
        *static_cast<volatile std::byte*>(refused.at + 5) = std::byte{1};
    }
    CHECK(earlier_calls == 1);
    CHECK(earlier_address == refused.address() + 5);
    CHECK(earlier_mask == 5); // SIGUSR1, as its mask says, and SIGBUS; not SIGUSR2
    sigbus_router::remove(first);
    sigaction(SIGBUS, nullptr, &now);
    CHECK((now.sa_sigaction != note_and_return_to_test));
    sigbus_router::remove(second);
    sigaction(SIGBUS, nullptr, &now);
    CHECK((now.sa_sigaction == note_and_return_to_test));
    sigaction(SIGBUS, &kept, nullptr);
}

TEST_CASE("sigbus_router: a handler that was set later stays") {
    hollow_mapping one;
    struct sigaction mine {
    }, ours{}, now{};
    const int number = sigbus_router::add(one.address(), page, hollow_mapping::grow, &one);
    mine.sa_sigaction = note_and_return_to_test;
    mine.sa_flags = SA_SIGINFO;
    REQUIRE(sigaction(SIGBUS, &mine, &ours) == 0);
    sigbus_router::remove(number);
    sigaction(SIGBUS, nullptr, &now);
    CHECK((now.sa_sigaction == note_and_return_to_test));
    // It chained to ours, which is still good: ranges come and go as before.
    sigaction(SIGBUS, &ours, nullptr);
    const int again = sigbus_router::add(one.address(), page, hollow_mapping::grow, &one);
    static_cast<void>(*static_cast<volatile std::byte*>(one.at));
    CHECK(one.served == 1);
    sigbus_router::remove(again);
}

TEST_CASE("sigbus_router: where a handler that was set later went, and took the router's along, that comes back") {
    hollow_mapping one;
    struct sigaction mine {
    }, kept{};
    REQUIRE(sigaction(SIGBUS, nullptr, &kept) == 0);
    const int number = sigbus_router::add(one.address(), page, hollow_mapping::grow, &one);
    mine.sa_sigaction = note_and_return_to_test;
    mine.sa_flags = SA_SIGINFO;
    REQUIRE(sigaction(SIGBUS, &mine, nullptr) == 0);
    sigbus_router::remove(number);
    std::signal(SIGBUS, SIG_DFL);
    const int again = sigbus_router::add(one.address(), page, hollow_mapping::grow, &one);
    REQUIRE(again >= 0);
    struct sigaction now {};
    REQUIRE(sigaction(SIGBUS, nullptr, &now) == 0);
    REQUIRE((now.sa_flags & SA_SIGINFO) != 0); // or the next access ends the tests
    static_cast<void>(*static_cast<volatile std::byte*>(one.at));
    CHECK(one.served == 1);
    sigbus_router::remove(again);
    REQUIRE(sigaction(SIGBUS, nullptr, &now) == 0);
    CHECK((now.sa_handler == SIG_DFL));
    sigaction(SIGBUS, &kept, nullptr);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_sigbus_router
