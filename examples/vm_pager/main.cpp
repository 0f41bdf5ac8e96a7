// SPDX-License-Identifier: MIT

// vm_pager: serves the page faults of virtual machines and keeps what does not fit compressed in one store. See README.md.

#include "arguments.hpp"
#include "host.hpp"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <sys/signalfd.h>

namespace vm_pager {
namespace {

/// A descriptor that tells of SIGUSR1 and the first SIGINT or SIGTERM; a second one ends the program as it would any other.
unique_fd catch_signals() {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGUSR1);
    sigprocmask(SIG_BLOCK, &ends, nullptr);
    unique_fd signals{signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK)};
    if (!signals) {
        throw failure(std::string("no descriptor for signals: ") + std::strerror(errno));
    }
    return signals;
}
/// Throws where this machine has no userfaultfd, or this process no descriptor for one.
void look_for_uffd() {
    pagefold::uffd probe;
    std::uint64_t features = 0;
    const pagefold::status s = probe.look_up(features);
    if (s == pagefold::status::no_memory) {
        throw failure(probe.reason());
    }
    if (s != pagefold::status::ok) {
        throw unavailable(probe.reason());
    }
}

int run(int count, char** values) {
    const arguments given = parse_arguments(count, values);
    if (given.wants_help) {
        std::fputs(help_text(), stdout);
        return 0;
    }
    setvbuf(stdout, nullptr, _IOLBF, 0);
    std::signal(SIGPIPE, SIG_IGN);
    look_for_uffd();
    const unique_fd signals = catch_signals();
    host all{given};
    return all.run(signals.get()) ? 0 : 1;
}

} // namespace
} // namespace vm_pager

int main(int count, char** values) {
    try {
        return vm_pager::run(count, values);
    } catch (const vm_pager::unavailable& why) {
        std::printf("vm_pager is skipped: %s\n", why.what());
        return 77;
    } catch (const std::exception& why) {
        std::fprintf(stderr, "vm_pager: %s\n", why.what());
        return 2;
    }
}
