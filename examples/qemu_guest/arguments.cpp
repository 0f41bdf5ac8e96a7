// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <support/command_line.hpp>

#include <climits>
#include <string_view>
#include <unistd.h>

namespace qemu_guest {
namespace {

std::string folder_of_program() {
    char path[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
    const std::string_view whole{path, length > 0 ? static_cast<std::size_t>(length) : 0};
    return std::string(whole.substr(0, whole.rfind('/')));
}

} // namespace

arguments parse_arguments(int count, char** values) {
    arguments given;
    given.folder = folder_of_program();
    examples::command_line line{count, values};
    while (line.next()) {
        const std::string_view option = line.option();
        if (option == "--kernel") {
            given.kernel = line.value();
        } else if (option == "--mib") {
            given.mib = line.number(96, 2048);
        } else if (option == "--fill") {
            given.fill_mib = line.number(8, 2048);
        } else if (option == "--resident") {
            given.resident_mib = line.number(16, 2048);
        } else if (option == "--accesses") {
            given.accesses = line.number(1, 1'000'000'000);
        } else if (option == "--budget") {
            given.budget_mib = line.number(64, 1 << 20);
            given.consolidates = true;
        } else if (option == "--least") {
            given.least_guests = line.number(1, 500);
        } else if (option == "--most") {
            given.most_guests = line.number(1, 500);
        } else if (option == "--seconds") {
            given.seconds = static_cast<unsigned>(line.number(1, 86'400));
        } else if (option == "--consolidate") {
            given.consolidates = true;
        } else if (option == "--help" || option == "-h") {
            given.wants_help = true;
        } else {
            line.refuse();
        }
    }
    if (given.kernel.empty() && !given.wants_help) {
        throw failure("--kernel FILE is missing (see --help)");
    }
    if (given.fill_mib + 64 > given.mib) {
        throw failure("--fill " + std::to_string(given.fill_mib) + ": a guest of " + std::to_string(given.mib) +
                      " MiB has room for 64 less");
    }
    return given;
}

const char* help_text() {
    return R"(Usage: run [OPTION]...

Linux guests in QEMU whose memory vm_pager serves. Each fills memory with data,
reads it back at random, compares every byte, and powers off.

  --mib N          memory of a guest (default 256)
  --fill N         of its data (default 160); at least 64 less
  --resident N     how much of one guest may be in memory (default 96)
  --accesses N     random reads, one in five with a write (default 20000)
  --consolidate    more and more guests in one budget, with the store and without
  --budget N       that budget (default 512); implies --consolidate
  --least N        guests to begin with (default: as many as fit without a store)
  --most N         most guests (default 32)
  --seconds N      most for one run (default 120)
  --help           this

Sizes are in MiB. Software emulation; no rights are needed but those for
userfaultfd. Ends with 0 when every guest found its memory right, 1 when one did
not, 2 for a mistake, 77 where the machine lacks what it needs.
)";
}

} // namespace qemu_guest
