// SPDX-License-Identifier: MIT

// qemu_guest: Linux guests whose memory is paged through the store. See README.md.

#include "arguments.hpp"
#include "child.hpp"
#include "consolidation.hpp"

#include <cstdio>
#include <exception>
#include <unistd.h>

namespace qemu_guest {
namespace {

int run(int count, char** values) {
    const arguments given = parse_arguments(count, values);
    if (given.wants_help) {
        std::fputs(help_text(), stdout);
        return 0;
    }
    note_interruptions();
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
