// SPDX-License-Identifier: MIT
//
// Which guarded objects stop when, and what is said of those that can't. Children that use stores: tests/stress/fork_guard.cpp.

#include "support/pages.hpp"
#include "support/refused_calls.hpp"

#include <pagefold/hosted/fork_guard.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/hosted/uffd_pager.hpp>
#include <pagefold/platform/static_source.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace pagefold::testing::unit_hosted_fork_guard {
namespace {

template <class Work>
int outcome_of(Work work) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        alarm(60);
        _exit(work());
    }
    int how = 0;
    REQUIRE(waitpid(child, &how, 0) == child);
    return WIFEXITED(how) ? WEXITSTATUS(how) : 1000 + WTERMSIG(how);
}

/// Notes who was called, in order.
std::string log_of_calls;
struct noted {
    char name;
    status answer = status::ok;
    status quiesce() noexcept {
        log_of_calls += name;
        return answer;
    }
    void resume() noexcept { log_of_calls += static_cast<char>(name - 'a' + 'A'); }
    void resume_alone() noexcept { log_of_calls += '!'; }
};
struct noted_source : noted {
    [[nodiscard]] std::size_t page_size() const noexcept { return 4096; }
    result<void*> acquire(std::size_t, node_id) noexcept { return status::no_memory; }
    void release(void*, std::size_t) noexcept {}
};
struct noted_pager : noted {
    static constexpr bool stops_before_stores = true;
};

TEST_CASE(
    "fork_guard: pagers stop first, then stores, the latest first, then sources, and go on in the opposite order") {
    noted_source source{{'s'}};
    noted first{'a'}, second{'b'}, ended{'e'};
    noted_pager pager{{'p'}};
    const fork_guard<noted_pager> pager_guard{pager}; // in whatever order they are made
    const fork_guard<noted> first_guard{first};
    const fork_guard<noted_source> source_guard{source};
    auto ended_guard = std::make_unique<fork_guard<noted>>(ended);
    const fork_guard<noted> second_guard{second};
    ended_guard.reset();
    log_of_calls.clear();
    CHECK(outcome_of([] { return log_of_calls == "pbas!!!!" ? 0 : 1; }) == 0);
    CHECK(log_of_calls == "pbasSABP");
}

TEST_CASE("fork_guard: an object that can't stop is left alone, and its copy is not usable") {
    noted willing{'a'}, busy{'b', status::busy};
    const fork_guard<noted> one{willing}, other{busy};
    log_of_calls.clear();
    CHECK(outcome_of([&] {
              if (log_of_calls != "ba!" || other.is_usable() || !one.is_usable()) {
                  return 1;
              }
              busy.answer = status::ok; // its child's copy is no better
              log_of_calls.clear();
              return outcome_of([&] { return log_of_calls == "a!" && !other.is_usable() ? 0 : 1; });
          }) == 0);
    CHECK(log_of_calls == "baA");
    CHECK(other.is_usable());
    busy.answer = status::ok;
    CHECK(outcome_of([&] { return other.is_usable() ? 0 : 1; }) == 0);
}

TEST_CASE("fork_guard: an object has one guard") {
    noted object{'a'};
    auto one = std::make_unique<fork_guard<noted>>(object);
    {
        const fork_guard<noted> other{object};
        CHECK(one->is_active());
        CHECK_FALSE(other.is_active());
    }
    log_of_calls.clear();
    CHECK(outcome_of([] { return 0; }) == 0);
    CHECK(log_of_calls == "aA");
    one.reset();
    const fork_guard<noted> next{object};
    CHECK(next.is_active());
}

TEST_CASE("fork_guard: signals wait while everything stands still, and are as before in parent and child") {
    struct looks_at_signals : noted {
        status quiesce() noexcept {
            sigset_t now;
            pthread_sigmask(SIG_SETMASK, nullptr, &now);
            is_blocked = sigismember(&now, SIGUSR1) == 1 && sigismember(&now, SIGSEGV) == 0;
            return status::ok;
        }
        bool is_blocked = false;
    } object{{'a'}};
    const fork_guard<looks_at_signals> guard{object};
    const auto is_open = [] {
        sigset_t now;
        pthread_sigmask(SIG_SETMASK, nullptr, &now);
        return sigismember(&now, SIGUSR1) == 0;
    };
    CHECK(outcome_of([&] { return object.is_blocked && is_open() ? 0 : 1; }) == 0);
    CHECK(is_open());
}

/// A source that forks in the midst of an operation.
struct forking_source {
    [[nodiscard]] std::size_t page_size() const noexcept { return behind.page_size(); }
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        if (calls) {
            calls();
        }
        return behind.acquire(pages, node);
    }
    void release(void* p, std::size_t pages) noexcept { behind.release(p, pages); }
    mmap_source<> behind;
    std::function<void()> calls;
};

TEST_CASE("fork_guard: where the system refuses to block signals, they are as before all the same") {
    const int outcome = outcome_of([] {
        noted one{'a'};
        const fork_guard<noted> guard{one};
        sigset_t mine;
        sigfillset(&mine);
        sigdelset(&mine, SIGALRM);
        pthread_sigmask(SIG_SETMASK, &mine, nullptr);
        if (!refuse({"rt_sigprocmask", SYS_rt_sigprocmask, 0, SIG_BLOCK}, EPERM)) {
            return 77;
        }
        const auto is_as_before = [] {
            sigset_t now;
            pthread_sigmask(SIG_SETMASK, nullptr, &now);
            return sigismember(&now, SIGUSR1) == 1 && sigismember(&now, SIGTERM) == 1 &&
                   sigismember(&now, SIGALRM) == 0;
        };
        const pid_t child = fork();
        if (child == 0) {
            _exit(is_as_before() ? 0 : 1);
        }
        int how = 0;
        waitpid(child, &how, 0);
        return is_as_before() && how == 0 ? 0 : 1;
    });
    if (outcome == 77) {
        MESSAGE("skipped: this machine does not allow a filter of system calls");
        return;
    }
    CHECK(outcome == 0);
}

TEST_CASE("fork_guard: a fork from within an operation says that the copy is no good, and the parent's goes on") {
    forking_source source;
    const fork_guard<mmap_source<>> source_guard{source.behind};
    page_store<default_config> store{source};
    const fork_guard<page_store<default_config>> store_guard{store};
    int forks = 0;
    source.calls = [&] {
        ++forks;
        CHECK(outcome_of([&] { return !store_guard.is_usable() && source_guard.is_usable() ? 0 : 1; }) == 0);
    };
    const pool_id pool = store.create_pool().value();
    std::vector<std::byte> page(4096);
    make_page(page, 1);
    CHECK(store.put({pool, 0, 0}, page) == status::ok);
    CHECK(forks >= 4);
    source.calls = nullptr;
    CHECK(outcome_of([&] {
              return store_guard.is_usable() && store.get({pool, 0, 0}, page) == status::ok && store.check() ? 0 : 1;
          }) == 0);
    CHECK(store.check());
}

static_assert(forkable<mmap_source<>> && forkable<static_source<>> && forkable<page_store<default_config>> &&
              forkable<uffd_pager<page_store<default_config>>>);
struct without_quiesce {
    void resume() noexcept {}
    void resume_alone() noexcept {}
};
struct without_resume {
    status quiesce() noexcept { return status::ok; }
    void resume_alone() noexcept {}
};
struct without_resume_alone {
    status quiesce() noexcept { return status::ok; }
    void resume() noexcept {}
};
struct quiesce_may_throw : noted {
    status quiesce() { return status::ok; }
};
struct quiesce_says_nothing : noted {
    void quiesce() noexcept {}
};
struct resume_may_throw : noted {
    void resume() {}
};
struct resume_alone_may_throw : noted {
    void resume_alone() {}
};
static_assert(!forkable<without_quiesce> && !forkable<without_resume> && !forkable<without_resume_alone>);
static_assert(!forkable<quiesce_may_throw> && !forkable<quiesce_says_nothing>);
static_assert(!forkable<resume_may_throw> && !forkable<resume_alone_may_throw>);

} // namespace
} // namespace pagefold::testing::unit_hosted_fork_guard
