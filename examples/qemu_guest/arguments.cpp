// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <charconv>
#include <climits>
#include <string_view>
#include <unistd.h>

namespace qemu_guest {
namespace {

std::size_t parse_number(std::string_view option, std::string_view text, std::size_t least, std::size_t most) {
    std::size_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || number < least || number > most) {
        throw failure(std::string(option) + " " + std::string(text) + ": not a number from " + std::to_string(least) +
                      " to " + std::to_string(most));
    }
    return number;
}

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
    for (int i = 1; i < count; ++i) {
        const std::string_view option = values[i];
        const auto value = [&]() -> std::string_view {
            if (i + 1 >= count) {
                throw failure(std::string(option) + ": it takes a value (see --help)");
            }
            return values[++i];
        };
        if (option == "--kernel") {
            given.kernel = value();
        } else if (option == "--mib") {
            given.mib = parse_number(option, value(), 96, 2048);
        } else if (option == "--fill") {
            given.fill_mib = parse_number(option, value(), 8, 2048);
        } else if (option == "--resident") {
            given.resident_mib = parse_number(option, value(), 16, 2048);
        } else if (option == "--accesses") {
            given.accesses = parse_number(option, value(), 1, 1'000'000'000);
        } else if (option == "--budget") {
            given.budget_mib = parse_number(option, value(), 64, 1 << 20);
            given.consolidates = true;
        } else if (option == "--least") {
            given.least_guests = parse_number(option, value(), 1, 500);
        } else if (option == "--most") {
            given.most_guests = parse_number(option, value(), 1, 500);
        } else if (option == "--seconds") {
            given.seconds = static_cast<unsigned>(parse_number(option, value(), 1, 86'400));
        } else if (option == "--consolidate") {
            given.consolidates = true;
        } else if (option == "--help" || option == "-h") {
            given.wants_help = true;
        } else {
            throw failure(std::string(option) + ": no such option (see --help)");
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
