// SPDX-License-Identifier: MIT

// clone_farm: many guests from one snapshot, and what they take. See README.md.

#include "farm.hpp"
#include "machine.hpp"

#include "../qemu_guest/arguments.hpp"

#include <csignal>
#include <cstdio>
#include <exception>
#include <unistd.h>

namespace clone_farm {
namespace {

int run(int count, char** values) {
    const arguments given = parse_arguments(count, values);
    if (given.wants_help) {
        std::fputs(help_text(), stdout);
        return 0;
    }
    setvbuf(stdout, nullptr, _IOLBF, 0);
    qemu_guest::note_interruptions();
    if (access(given.kernel.c_str(), R_OK) != 0) {
        throw failure(given.kernel + ": no such kernel");
    }
    return run_farm(given) ? 0 : 1;
}

} // namespace
} // namespace clone_farm

int main(int count, char** values) {
    try {
        return clone_farm::run(count, values);
    } catch (const clone_farm::unavailable& why) {
        std::printf("clone_farm is skipped: %s\n", why.what());
        return 77;
    } catch (const qemu_guest::interrupted& why) {
        std::fprintf(stderr, "clone_farm: %s\n", why.what());
        return 130;
    } catch (const std::exception& why) {
        std::fprintf(stderr, "clone_farm: %s\n", why.what());
        return 2;
    }
}
