// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include "failure.hpp"

#include <support/command_line.hpp>

#include <string>
#include <string_view>

namespace kvm_guest {

arguments parse_arguments(int count, char** values) {
    using pagefold::eviction_method;
    using pagefold::uffd_backing;
    constexpr std::size_t mib = std::size_t{1} << 20;
    arguments given;
    examples::command_line line{count, values};
    while (line.next()) {
        const std::string_view option = line.option();
        if (option == "--mib") {
            given.guest_bytes = line.number(4, 1024) * mib;
        } else if (option == "--budget") {
            given.budget_bytes = line.number(1, 65536) * mib;
        } else if (option == "--store") {
            given.store_bytes = line.number(1, 65536) * mib;
        } else if (option == "--guests") {
            given.guests = static_cast<unsigned>(line.number(1, 32));
        } else if (option == "--steps") {
            given.steps = line.number(1, 1'000'000'000);
        } else if (option == "--eviction") {
            given.eviction =
                line.choice<eviction_method>({{"move", eviction_method::move}, {"protect", eviction_method::protect}});
        } else if (option == "--backing") {
            given.backing =
                line.choice<uffd_backing>({{"anonymous", uffd_backing::anonymous}, {"shared", uffd_backing::shared}});
        } else if (option == "--first-guest") {
            given.first_guest = line.choice<death>({{"bad-instruction", death::bad_instruction},
                                                    {"stop", death::stop},
                                                    {"stop-in-fault", death::stop_in_fault}});
        } else if (option == "--snapshot-while-running") {
            given.snapshots_while_running = true;
        } else if (option == "--snapshots") {
            given.snapshots = static_cast<unsigned>(line.number(1, 100));
        } else if (option == "--numa") {
            given.uses_nodes = true;
        } else if (option == "--help" || option == "-h") {
            given.wants_help = true;
        } else {
            line.refuse();
        }
    }
    if (given.budget_bytes == 0) {
        given.budget_bytes = given.guest_bytes / 2 * given.guests;
    }
    if (given.budget_bytes / given.guests < mib / 4) {
        throw failure("--budget: less than 256 KiB a guest");
    }
    if (given.backing == uffd_backing::shared && given.eviction == eviction_method::move) {
        throw failure("--backing shared: MOVE takes pages of private anonymous memory only");
    }
    return given;
}

const char* help_text() {
    return R"(Usage: kvm_guest [OPTION]...

A minimal virtual machine monitor over /dev/kvm. The memory of its guests is
paged through a pagefold store that they share, each with a pool of its own.
The guests write patterns to all of their memory, step through it at random,
check every page and rewrite some; the monitor reads all of it again.

  --mib N              memory of each guest (default 64)
  --budget N           MiB of guest memory that may be resident, all guests
                       together (default: half of their memory)
  --store N            MiB that the store may take (default: no limit)
  --guests N           how many, each with a virtual processor (default 1)
  --steps N            of each guest (default 50000)
  --eviction HOW       move or protect (default: move where the kernel can)
  --backing WHAT       anonymous (default) or shared (a memfd)
  --first-guest HOW    ends the first guest early: bad-instruction (a triple
                       fault), stop (its thread is stopped), stop-in-fault
                       (while it waits for a page); the others must not notice
  --numa               each guest's memory and its pool on a memory node of its
                       own, by turns, with what they have in the store
  --snapshot-while-running
                       one guest, of which snapshots are made while it runs,
                       each checked to be of one moment; a second guest goes
                       on from the last, --steps steps as the first does
  --snapshots N        how many, and as many by stop and copy (default 5)
  --help               this

Ends with 0 when every page was right, 1 when one was not, 2 for a mistake, 77
where the machine lacks /dev/kvm or userfaultfd.
)";
}

} // namespace kvm_guest
