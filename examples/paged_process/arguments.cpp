// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <charconv>
#include <string_view>

namespace paged_process {
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

} // namespace

arguments parse_arguments(int count, char** values) {
    arguments given;
    for (int i = 1; i < count; ++i) {
        const std::string_view option = values[i];
        const auto value = [&]() -> std::string_view {
            if (i + 1 >= count) {
                throw failure(std::string(option) + ": it takes a value (see --help)");
            }
            return values[++i];
        };
        if (option == "--mib") {
            given.bytes = parse_number(option, value(), 4, 65536) << 20;
        } else if (option == "--seconds") {
            given.seconds = static_cast<unsigned>(parse_number(option, value(), 1, 86400));
        } else if (option == "--faults") {
            const std::string_view where = value();
            if (where != "signal" && where != "thread") {
                throw failure("--faults " + std::string(where) + ": not signal or thread");
            }
            given.in_thread = where == "thread";
        } else if (option == "--compare-zram") {
            given.compares_zram = true;
        } else if (option == "--compare-swapfile") {
            given.compares_swapfile = true;
        } else if (option == "--swapfile") {
            given.swapfile = value();
            given.compares_swapfile = true;
        } else if (option == "--help" || option == "-h") {
            given.wants_help = true;
        } else {
            throw failure(std::string(option) + ": no such option (see --help)");
        }
    }
    if (given.compares_swapfile && given.swapfile.empty()) {
        given.swapfile = "/var/tmp/paged_process.swap";
    }
    return given;
}

const char* help_text() {
    return R"(Usage: paged_process [OPTION]...

A table of orders, twice as large as the memory that it may use, in a region
that is paged through a pagefold store. Rows are found through a hash index,
compared byte for byte, and one in ten is changed.

  --mib N              size of the table (default 128); half of it in memory
  --seconds N          of queries (default 5)
  --faults HOW         signal: resolved in the thread that faulted (default);
                       thread: by the pager's own
  --compare-zram       as root: the same program with the kernel's swap on zram
                       and the same memory, in a cgroup, printed side by side
  --compare-swapfile   the same with a swap file
  --swapfile PATH      where that file is made (default
                       /var/tmp/paged_process.swap)
  --help               this

All runs keep to one processor. Ends with 0 when every row was right, 1 when
one was not, 2 for a mistake, 77 where the machine lacks what it needs.
)";
}

} // namespace paged_process
