// SPDX-License-Identifier: MIT
#include "support/hollow_mapping.hpp"

#include <pagefold/hosted/sigbus_chain.hpp>
#include <pagefold/hosted/sigbus_router.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Each case runs in a child, which tells what it found by its exit status, 0 to 9, or by the signal that ends it.

namespace pagefold::testing::unit_hosted_sigbus_chain {
namespace {

constexpr int ended_by_sigbus = 1000 + SIGBUS;

template <class Work>
int outcome_of(Work work) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        std::signal(SIGBUS, SIG_DFL); // a sanitizer's
        alarm(60);
        _exit(work());
    }
    int how = 0;
    REQUIRE(waitpid(child, &how, 0) == child);
    return WIFSIGNALED(how) ? 1000 + WTERMSIG(how) : WEXITSTATUS(how);
}

/// A region in miniature, and one that nobody serves.
struct routed {
    routed() : number{sigbus_router::add(region.address(), hollow_mapping::bytes, hollow_mapping::grow, &region)} {}
    ~routed() {
        if (number >= 0) {
            sigbus_router::remove(number);
        }
    }
    routed(const routed&) = delete;
    routed& operator=(const routed&) = delete;
    [[nodiscard]] bool works() {
        const int before = region.served;
        static_cast<void>(!ftruncate(region.file, 0));
        region.touch();
        return region.served == before + 1;
    }

    hollow_mapping region, unknown;
    int number;
};

void set(void (*handler)(int, siginfo_t*, void*), int flags, std::initializer_list<int> mask = {}) {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    for (const int one : mask) {
        sigaddset(&action.sa_mask, one);
    }
    sigaction(SIGBUS, &action, nullptr);
}
[[nodiscard]] bool is_default_now() {
    struct sigaction now {};
    return sigaction(SIGBUS, nullptr, &now) == 0 && now.sa_handler == SIG_DFL;
}
void send_value() {
    sigval value{};
    value.sival_int = 7;
    sigqueue(getpid(), SIGBUS, value);
}
/// What the kernel sends for damaged memory that nobody touched yet: above 0, and no fault.
void send_early_warning() {
    siginfo_t info{};
    info.si_signo = SIGBUS;
    info.si_code = BUS_MCEERR_AO;
    syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGBUS, &info);
}
constexpr void (*ways_to_send[])() = {[] { kill(getpid(), SIGBUS); }, [] { pthread_kill(pthread_self(), SIGBUS); },
                                      send_value, send_early_warning};

volatile std::sig_atomic_t calls = 0, later_calls = 0, blocked = 0;
sigjmp_buf back;

void count(int, siginfo_t*, void*) { calls = calls + 1; }
void count_and_leave(int, siginfo_t*, void*) {
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, nullptr, &now);
    blocked = sigismember(&now, SIGBUS) * 2 + sigismember(&now, SIGUSR1);
    calls = calls + 1;
    siglongjmp(back, 1);
}
void count_and_reset(int, siginfo_t*, void*) {
    calls = calls + 1;
    std::signal(SIGBUS, SIG_DFL);
}
void count_and_ignore(int, siginfo_t*, void*) {
    calls = calls + 1;
    std::signal(SIGBUS, SIG_IGN);
}

TEST_CASE("sigbus_chain: a signal that was sent is ignored where it was ignored before") {
    for (const auto send : ways_to_send) {
        CHECK(outcome_of([&] {
                  std::signal(SIGBUS, SIG_IGN);
                  routed one;
                  send();
                  return one.works() ? 0 : 1;
              }) == 0);
    }
}

TEST_CASE("sigbus_chain: a signal that was sent ends a process at once by the default action") {
    for (const auto send : ways_to_send) {
        CHECK(outcome_of([&] {
                  routed one;
                  send();
                  return 1;
              }) == ended_by_sigbus);
    }
}

TEST_CASE("sigbus_chain: no fault is ignored, and the default ends the process") {
    for (void (*const action)(int) : {SIG_DFL, SIG_IGN}) {
        CHECK(outcome_of([&] {
                  std::signal(SIGBUS, action);
                  routed one;
                  one.unknown.touch();
                  return 1;
              }) == ended_by_sigbus);
    }
}

TEST_CASE("sigbus_chain: a fault ends the process even where its page comes meanwhile") {
    // The access, tried again under the default action, would go on without a router.
    CHECK(outcome_of([] {
              hollow_mapping region;
              const int number = sigbus_router::add(
                  region.address(), hollow_mapping::bytes,
                  [](void* context, std::uintptr_t address, bool is_write) noexcept {
                      static_cast<void>(hollow_mapping::grow(context, address, is_write));
                      return false;
                  },
                  &region);
              region.touch();
              return number;
          }) == ended_by_sigbus);
}

TEST_CASE("sigbus_chain: a handler with SA_RESETHAND is called once, and then the default") {
    CHECK(outcome_of([] {
              set(count, static_cast<int>(SA_RESETHAND));
              routed one;
              kill(getpid(), SIGBUS);
              if (calls != 1 || !one.works()) {
                  return 1;
              }
              kill(getpid(), SIGBUS);
              return 2;
          }) == ended_by_sigbus);
    CHECK(outcome_of([] {
              set(count, static_cast<int>(SA_RESETHAND));
              {
                  routed one;
                  kill(getpid(), SIGBUS);
              }
              return calls == 1 && is_default_now() ? 0 : 1;
          }) == 0);
    CHECK(outcome_of([] { // set again it is good for one more
              set(count, static_cast<int>(SA_RESETHAND));
              routed one;
              kill(getpid(), SIGBUS);
              set(count, static_cast<int>(SA_RESETHAND));
              if (!sigbus_router::hook()) {
                  return 1;
              }
              kill(getpid(), SIGBUS);
              return calls == 2 && one.works() ? 0 : 2;
          }) == 0);
}

TEST_CASE("sigbus_chain: a handler without it is called each time, for faults as well") {
    CHECK(outcome_of([] {
              set(count_and_leave, 0, {SIGUSR1});
              routed one;
              for (int i = 0; i < 3; ++i) {
                  if (sigsetjmp(back, 1) == 0) {
                      one.unknown.touch();
                  }
                  if (sigsetjmp(back, 1) == 0) {
                      kill(getpid(), SIGBUS);
                  }
              }
              return calls == 6 && blocked == 3 && one.works() ? 0 : 1;
          }) == 0);
}

TEST_CASE("sigbus_chain: SA_NODEFER and SA_RESTART of the earlier handler hold") {
    CHECK(outcome_of([] {
              set(count_and_leave, SA_NODEFER);
              routed one;
              if (sigsetjmp(back, 1) == 0) {
                  kill(getpid(), SIGBUS);
              }
              return calls == 1 && blocked == 0 ? 0 : 1;
          }) == 0);
    for (const int restart : {0, SA_RESTART}) {
        CHECK(outcome_of([&] {
                  set(count, restart);
                  routed one;
                  struct sigaction now {};
                  sigaction(SIGBUS, nullptr, &now);
                  return (now.sa_flags & SA_RESTART) == restart ? 0 : 1;
              }) == 0);
    }
}

TEST_CASE("sigbus_chain: a handler that sets the default ends neither the region nor what it asked for") {
    CHECK(outcome_of([] {
              set(count_and_reset, 0);
              routed one;
              kill(getpid(), SIGBUS);
              if (calls != 1 || !one.works()) {
                  return 1;
              }
              kill(getpid(), SIGBUS); // now by the default
              return 2;
          }) == ended_by_sigbus);
    CHECK(outcome_of([] {
              set(count_and_reset, 0);
              routed one;
              one.unknown.touch(); // it comes again, by the default
              return 1;
          }) == ended_by_sigbus);
    CHECK(outcome_of([] {
              set(count_and_ignore, 0);
              routed one;
              kill(getpid(), SIGBUS);
              kill(getpid(), SIGBUS);
              return calls == 1 && one.works() ? 0 : 1;
          }) == 0);
    CHECK(outcome_of([] { // with no region left the handler's word stands
              set(count_and_reset, 0);
              struct sigaction entry {};
              {
                  routed one;
                  sigaction(SIGBUS, nullptr, &entry);
              }
              sigaction(SIGBUS, &entry, nullptr);
              kill(getpid(), SIGBUS);
              return calls == 1 && is_default_now() ? 0 : 1;
          }) == 0);
}

struct sigaction found_by_later {};
void count_and_chain(int signal, siginfo_t* info, void* machine) {
    later_calls = later_calls + 1;
    found_by_later.sa_sigaction(signal, info, machine);
}

TEST_CASE("sigbus_chain: the router comes before a handler that was set later, at the next region or when told") {
    for (const bool by_region : {false, true}) {
        CHECK(outcome_of([&] {
                  set(count, 0);
                  routed one;
                  set(count_and_leave, 0); // calls nobody
                  if (sigbus_chain::is_in_front()) {
                      return 1;
                  }
                  hollow_mapping other;
                  const int number = by_region ? sigbus_router::add(other.address(), hollow_mapping::bytes,
                                                                    hollow_mapping::grow, &other)
                                               : 0;
                  if (number < 0 || (!by_region && !sigbus_router::hook()) || !sigbus_chain::is_in_front()) {
                      return 2;
                  }
                  if (!one.works() || calls != 0) {
                      return 3;
                  }
                  if (sigsetjmp(back, 1) == 0) {
                      one.unknown.touch();
                  }
                  return calls == 1 && blocked == 2 ? 0 : 4; // by the later one, and it alone
              }) == 0);
    }
}

TEST_CASE("sigbus_chain: a handler that was set later and calls what it found makes no circle") {
    CHECK(outcome_of([] {
              set(count, 0);
              {
                  routed one;
                  struct sigaction later {};
                  later.sa_sigaction = count_and_chain;
                  later.sa_flags = SA_SIGINFO;
                  sigaction(SIGBUS, &later, &found_by_later);
                  if (!one.works() || later_calls != 1 || !sigbus_router::hook() || !one.works() || later_calls != 1) {
                      return 1;
                  }
                  kill(getpid(), SIGBUS);
                  if (later_calls != 2 || calls != 1) {
                      return 2;
                  }
              }
              kill(getpid(), SIGBUS); // the later one is back, and calls an entry that serves nothing
              if (later_calls != 3 || calls != 2) {
                  return 3;
              }
              routed again;
              kill(getpid(), SIGBUS);
              return later_calls == 4 && calls == 3 && again.works() && later_calls == 4 ? 0 : 4;
          }) == 0);
}

TEST_CASE("sigbus_chain: handlers that come again take no new level, and too many are refused") {
    CHECK(outcome_of([] {
              for (int round = 0; round < 100; ++round) {
                  set(round % 2 == 0 ? count : count_and_reset, 0);
                  routed one;
                  if (one.number < 0 || !one.works()) {
                      return 1;
                  }
              }
              const auto with_mask = [](int signal) { // another mask, another handler
                  set(count, 0, {signal});
                  routed one;
                  return one.number;
              };
              const int more = static_cast<int>(sigbus_chain::max_levels) - 4;
              for (int i = 1; i <= more; ++i) {
                  if (with_mask(i) < 0) {
                      return 2;
                  }
              }
              errno = 0;
              if (with_mask(more + 1) != -1 || errno != ENOSPC || with_mask(1) < 0) {
                  return 3;
              }
              std::signal(SIGBUS, SIG_IGN);
              routed one;
              return one.number >= 0 && one.works() ? 0 : 4;
          }) == 0);
}

TEST_CASE("sigbus_chain: without a region there is nothing to hook") {
    CHECK(outcome_of([] { return sigbus_router::hook() || sigbus_chain::is_in_front() ? 1 : 0; }) == 0);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_sigbus_chain
