// SPDX-License-Identifier: MIT

// qemu_guest: Linux guests whose memory is paged through the store. See README.md.

#include "arguments.hpp"
#include "child.hpp"
#include "consolidation.hpp"

#include <csignal>
#include <cstdio>
#include <exception>
#include <unistd.h>

namespace qemu_guest {
namespace {

void note_signals() {
    struct sigaction note {};
    note.sa_handler = [](int) { was_interrupted = 1; };
    sigemptyset(&note.sa_mask);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        sigaction(signal, &note, nullptr); // no SA_RESTART: who waits is to look at the flag
    }
}

int run(int count, char** values) {
    const arguments given = parse_arguments(count, values);
    if (given.wants_help) {
        std::fputs(help_text(), stdout);
        return 0;
    }
    note_signals();
    if (access(given.kernel.c_str(), R_OK) != 0) {
        throw failure(given.kernel + ": no such kernel");
    }
    return (given.consolidates ? consolidate(given) : run_one(given)) ? 0 : 1;
}

} // namespace
} // namespace qemu_guest

int main(int count, char** values) {
    try {
        return qemu_guest::run(count, values);
    } catch (const qemu_guest::unavailable& why) {
        std::printf("qemu_guest is skipped: %s\n", why.what());
        return 77;
    } catch (const qemu_guest::interrupted& why) {
        std::fprintf(stderr, "qemu_guest: %s\n", why.what());
        return 130;
    } catch (const std::exception& why) {
        std::fprintf(stderr, "qemu_guest: %s\n", why.what());
        return 2;
    }
}
