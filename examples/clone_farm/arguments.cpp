// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <support/command_line.hpp>

#include <filesystem>
#include <string_view>

namespace clone_farm {

arguments parse_arguments(int count, char** values) {
    arguments given;
    given.folder = std::filesystem::read_symlink("/proc/self/exe").parent_path().string();
    examples::command_line line{count, values};
    while (line.next()) {
        const std::string_view option = line.option();
        if (option == "--kernel") {
            given.kernel = line.value();
        } else if (option == "--mib") {
            given.mib = line.number(96, 2048);
        } else if (option == "--fill") {
            given.fill_mib = line.number(8, 2048);
        } else if (option == "--guests") {
            given.guests = line.number(1, 500);
        } else if (option == "--steps") {
            given.steps = line.number(1, 1'000'000'000);
        } else if (option == "--budget") {
            given.budget_mib = line.number(32, 1 << 20);
        } else if (option == "--resident") {
            given.resident_mib = line.number(8, 1 << 20);
        } else if (option == "--clones-only") {
            given.clones_only = true;
        } else if (option == "--seconds") {
            given.seconds = static_cast<unsigned>(line.number(1, 86'400));
        } else if (option == "--help" || option == "-h") {
            given.wants_help = true;
        } else {
            line.refuse();
        }
    }
    if (given.kernel.empty() && !given.wants_help) {
        throw failure("--kernel FILE is missing (see --help)");
    }
    given.resident_mib = given.resident_mib == 0 ? given.budget_mib / 4 : given.resident_mib;
    if (given.resident_mib >= given.budget_mib) {
        throw failure("--resident " + std::to_string(given.resident_mib) + ": that leaves nothing of the budget");
    }
    if (given.fill_mib + 64 > given.mib) {
        throw failure("--fill " + std::to_string(given.fill_mib) + ": a guest of " + std::to_string(given.mib) +
                      " MiB has room for 64 less");
    }
    return given;
}

const char* help_text() {
    return R"(Usage: run [OPTION]...

Linux guests in QEMU that all go on from one snapshot of a running guest, in four
ways: their memory copied on write, compressed alone, with the snapshot's pages
shared, and as clones of it. Each changes pages of its own and compares every byte.

  --mib N       memory of a guest (default 96)
  --fill N      of its data (default 24); at least 64 less
  --guests N    that run at the same time (default 4)
  --steps N     pages that each looks at, changing one in four (default 2000)
  --budget N    for all guests' memory and the store (default 128)
  --resident N  of that, for pages in use (default a quarter)
  --clones-only none of the other ways, to see whether so many fit
  --seconds N   most to wait for an answer (default 120)
  --help        this

Sizes are in MiB. Software emulation; no rights are needed but those for
userfaultfd. Ends with 0 when every guest found its memory right, 1 when one did
not, 2 for a mistake, 77 where the machine lacks what it needs.
)";
}

} // namespace clone_farm
