// SPDX-License-Identifier: MIT
#include "support/hollow_mapping.hpp"

#include <pagefold/hosted/sigbus_chain.hpp>
#include <pagefold/hosted/sigbus_links.hpp>
#include <pagefold/hosted/sigbus_router.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <sys/wait.h>
#include <unistd.h>

// The table is the process's: each case has one to itself. Several names in one process: packaging/mixed_units.

namespace pagefold::testing::unit_hosted_sigbus_links {
namespace {

using pagefold::detail::max_sigbus_links;
using pagefold::detail::sigbus_links;

template <class Work>
int outcome_of(Work work) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        std::signal(SIGBUS, SIG_DFL); // a sanitizer's
        for (std::uintptr_t& word : pagefold::detail::pagefold_sigbus_links_1) {
            word = 0;
        }
        _exit(work());
    }
    int how = 0;
    REQUIRE(waitpid(child, &how, 0) == child);
    return WIFEXITED(how) ? WEXITSTATUS(how) : 1000 + WTERMSIG(how);
}

TEST_CASE("sigbus_links: what an entry calls, and nothing of others") {
    CHECK(outcome_of([] {
              if (sigbus_links::below(0) != 0 || sigbus_links::below(16) != 0) {
                  return 1;
              }
              sigbus_links::note(16, 32);
              sigbus_links::note(48, 16);
              return sigbus_links::below(16) == 32 && sigbus_links::below(48) == 16 && sigbus_links::below(32) == 0 ? 0
                                                                                                                    : 2;
          }) == 0);
}

TEST_CASE("sigbus_links: an address that is noted again calls what it calls now, and takes no more room") {
    CHECK(outcome_of([] {
              for (std::uintptr_t i = 1; i <= 2 * max_sigbus_links; ++i) {
                  sigbus_links::note(16, i);
                  if (sigbus_links::below(16) != i) {
                      return 1;
                  }
              }
              sigbus_links::note(48, 16);
              return sigbus_links::below(48) == 16 ? 0 : 2;
          }) == 0);
}

TEST_CASE("sigbus_links: exactly so many, and the ones noted first stay") {
    CHECK(outcome_of([] {
              for (std::uintptr_t i = 1; i <= max_sigbus_links + 1; ++i) {
                  sigbus_links::note(16 * i, i);
              }
              for (std::uintptr_t i = 1; i <= max_sigbus_links; ++i) {
                  if (sigbus_links::below(16 * i) != i) {
                      return 1;
                  }
              }
              return sigbus_links::below(16 * (max_sigbus_links + 1)) == 0 ? 0 : 2;
          }) == 0);
}

void (*found)(int, siginfo_t*, void*) = nullptr;
void call_what_was_found(int signal, siginfo_t* info, void* machine) { found(signal, info, machine); }

TEST_CASE("sigbus_links: nothing is hooked over who is known to call an entry, and all is over who is not") {
    for (const bool is_known : {true, false}) {
        CHECK(outcome_of([&] {
                  hollow_mapping one;
                  const auto add = [&] {
                      return sigbus_router::add(one.address(), hollow_mapping::bytes, hollow_mapping::grow, &one);
                  };
                  struct sigaction now {};
                  const int number = add();
                  sigaction(SIGBUS, nullptr, &now);
                  found = now.sa_sigaction;
                  now.sa_sigaction = call_what_was_found;
                  sigaction(SIGBUS, &now, nullptr);
                  if (is_known) {
                      sigbus_links::note(reinterpret_cast<std::uintptr_t>(call_what_was_found),
                                         reinterpret_cast<std::uintptr_t>(found));
                  }
                  if (number < 0 || sigbus_chain::is_in_front() != is_known) {
                      return 1;
                  }
                  sigbus_router::remove(number);
                  if (add() < 0) {
                      return 2;
                  }
                  sigaction(SIGBUS, nullptr, &now);
                  if ((now.sa_sigaction == call_what_was_found) != is_known) {
                      return 3;
                  }
                  one.touch();
                  return one.served == 1 ? 0 : 4;
              }) == 0);
    }
}

TEST_CASE("sigbus_links: who is said to call himself leads nowhere") {
    CHECK(outcome_of([] {
              std::signal(SIGBUS, [](int) {});
              struct sigaction now {};
              sigaction(SIGBUS, nullptr, &now);
              const auto self = reinterpret_cast<std::uintptr_t>(now.sa_handler);
              sigbus_links::note(self, self);
              return sigbus_chain::is_in_front() ? 1 : 0;
          }) == 0);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_sigbus_links
