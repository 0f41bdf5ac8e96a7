// SPDX-License-Identifier: MIT
#include "support/pager_modes.hpp"
#include "support/refused_calls.hpp"

#include <pagefold/hosted/readable_wait.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace pagefold::testing::unit_hosted_readable_wait {
namespace {

/// A descriptor that can be read or not; with a number of at least `least`.
class event {
public:
    explicit event(bool is_set, int least = 0) {
        const int first = eventfd(is_set ? 1 : 0, EFD_NONBLOCK | EFD_CLOEXEC);
        fd_ = fcntl(first, F_DUPFD_CLOEXEC, least);
        close(first);
    }
    ~event() { close(fd_); }
    event(const event&) = delete;
    event& operator=(const event&) = delete;
    void set() const {
        const std::uint64_t one = 1;
        REQUIRE(write(fd_, &one, sizeof one) == sizeof one);
    }
    [[nodiscard]] int fd() const { return fd_; }

private:
    int fd_;
};

bool tells(const event& first, const event& second, bool is_first, bool is_second) {
    const readable_wait::outcome seen = readable_wait::on(first.fd(), second.fd());
    return seen.error == 0 && seen.first == is_first && seen.second == is_second;
}

TEST_CASE("readable_wait: tells which of two can be read") {
    CHECK(tells(event{true}, event{false}, true, false));
    CHECK(tells(event{false}, event{true}, false, true));
    CHECK(tells(event{true}, event{true}, true, true));
}

void do_nothing(int) {}

TEST_CASE("readable_wait: waits, whatever signals come") {
    struct sigaction mine {
    }, kept{};
    mine.sa_handler = do_nothing; // and no SA_RESTART
    sigemptyset(&mine.sa_mask);
    REQUIRE(sigaction(SIGUSR2, &mine, &kept) == 0);
    const event first{false}, second{false};
    readable_wait::outcome seen;
    std::thread waiting([&] { seen = readable_wait::on(first.fd(), second.fd()); });
    for (int i = 0; i < 100; ++i) {
        pthread_kill(waiting.native_handle(), SIGUSR2);
        std::this_thread::yield();
    }
    second.set();
    waiting.join();
    CHECK(seen.error == 0);
    CHECK_FALSE(seen.first);
    CHECK(seen.second);
    sigaction(SIGUSR2, &kept, nullptr);
}

TEST_CASE("readable_wait: where poll refuses, select does, with descriptors of any number that select is told of") {
    for (const int least : {3, 63, 64, 1023, 1024, 8000}) {
        CAPTURE(least);
        const int how = in_child([least] {
            rlimit limit{};
            if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
                return 2;
            }
            limit.rlim_cur = limit.rlim_max;
            if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
                return 2;
            }
            if (limit.rlim_cur < 8192) {
                return 77;
            }
            const event set{true, least}, unset{false, least}, low{true};
            limit.rlim_cur = 0; // poll's own measure
            if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
                return 2;
            }
            return tells(set, unset, true, false) && tells(unset, set, false, true) && tells(set, low, true, true) &&
                           tells(unset, low, false, true)
                       ? 0
                       : 1;
        });
        REQUIRE(WIFEXITED(how));
        if (WEXITSTATUS(how) == 77) {
            MESSAGE("skipped: this machine allows fewer than 8192 descriptors");
            return;
        }
        CHECK(WEXITSTATUS(how) == 0);
    }
}

TEST_CASE("readable_wait: where neither can be had, that is told") {
    const int how = in_child([] {
        const event set{true};
        const int closed = fcntl(set.fd(), F_DUPFD_CLOEXEC, 0);
        close(closed);
        rlimit none{0, 0};
        if (setrlimit(RLIMIT_NOFILE, &none) != 0) {
            return 2;
        }
        if (readable_wait::on(set.fd(), -1).error != EINVAL || readable_wait::on(8192, set.fd()).error != EINVAL ||
            readable_wait::on(closed, set.fd()).error != EBADF) {
            return 1;
        }
#ifdef SYS_select
        if (!refuse({"select", SYS_select}, EPERM)) {
            return 77;
        }
#endif
        return !refuse({"pselect6", SYS_pselect6}, EPERM)             ? 77
               : readable_wait::on(set.fd(), set.fd()).error == EPERM ? 0
                                                                      : 1;
    });
    REQUIRE(WIFEXITED(how));
    if (WEXITSTATUS(how) == 77) {
        MESSAGE("skipped: this machine does not allow a filter of system calls");
        return;
    }
    CHECK(WEXITSTATUS(how) == 0);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_readable_wait
