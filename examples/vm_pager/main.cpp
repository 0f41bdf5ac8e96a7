// SPDX-License-Identifier: MIT

// vm_pager: serves the page faults of virtual machines and keeps what does not fit compressed in one store. See README.md.

#include "arguments.hpp"
#include "host.hpp"

#include <csignal>
#include <cstdio>
#include <exception>
#include <sys/signalfd.h>

namespace vm_pager {
namespace {

/// A descriptor that tells of the first SIGINT or SIGTERM; a second one ends the program as it would any other.
unique_fd catch_signals() {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, nullptr);
    return unique_fd{signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK)};
}

int run(int count, char** values) {
    const arguments given = parse_arguments(count, values);
    if (given.wants_help) {
        std::fputs(help_text(), stdout);
        return 0;
    }
    setvbuf(stdout, nullptr, _IOLBF, 0);
    std::signal(SIGPIPE, SIG_IGN);
    if (pagefold::uffd::supported_features() == 0) {
        pagefold::uffd probe;
        static_cast<void>(probe.open(0) == pagefold::status::ok);
        throw unavailable(probe.reason());
    }
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
