// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <support/command_line.hpp>

#include <string_view>

namespace paged_process {

arguments parse_arguments(int count, char** values) {
    arguments given;
    examples::command_line line{count, values};
    while (line.next()) {
        const std::string_view option = line.option();
        if (option == "--mib") {
            given.bytes = line.number(4, 65536) << 20;
        } else if (option == "--seconds") {
            given.seconds = static_cast<unsigned>(line.number(1, 86400));
        } else if (option == "--faults") {
            given.in_thread = line.choice<bool>({{"signal", false}, {"thread", true}});
        } else if (option == "--compare-zram") {
            given.compares_zram = true;
        } else if (option == "--compare-swapfile") {
            given.compares_swapfile = true;
        } else if (option == "--swapfile") {
            given.swapfile = line.value();
            given.compares_swapfile = true;
        } else if (option == "--auto") {
            given.is_steered = true;
        } else if (option == "--compare-budgets") {
            given.is_steered = given.compares_budgets = true;
        } else if (option == "--numa") {
            given.uses_nodes = true;
        } else if (option == "--help" || option == "-h") {
            given.wants_help = true;
        } else {
            line.refuse();
        }
    }
    if (given.is_steered && (given.compares_zram || given.compares_swapfile)) {
        throw failure("--auto: it compares with budgets that stay, and with no kernel's swap");
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
  --auto               the working set halves and doubles, --seconds each time,
                       and the budget follows it; beside it, one that has room
                       for all
  --compare-budgets    the same, and beside it five more that stay
  --numa               the table, and what of it is in the store, on the
                       processor's memory node
  --help               this

All runs keep to one processor. Ends with 0 when every row was right, 1 when
one was not, 2 for a mistake, 77 where the machine lacks what it needs.
)";
}

} // namespace paged_process
