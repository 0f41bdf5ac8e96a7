// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include "failure.hpp"

#include <charconv>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace kvm_guest {
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

template <class Choice>
Choice parse_choice(std::string_view option, std::string_view text,
                    std::initializer_list<std::pair<std::string_view, Choice>> choices) {
    std::string names;
    for (const auto& [name, choice] : choices) {
        if (text == name) {
            return choice;
        }
        names += (names.empty() ? "" : " or ") + std::string(name);
    }
    throw failure(std::string(option) + " " + std::string(text) + ": not " + names);
}

} // namespace

arguments parse_arguments(int count, char** values) {
    using pagefold::eviction_method;
    using pagefold::uffd_backing;
    constexpr std::size_t mib = std::size_t{1} << 20;
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
            given.guest_bytes = parse_number(option, value(), 4, 1024) * mib;
        } else if (option == "--budget") {
            given.budget_bytes = parse_number(option, value(), 1, 65536) * mib;
        } else if (option == "--store") {
            given.store_bytes = parse_number(option, value(), 1, 65536) * mib;
        } else if (option == "--guests") {
            given.guests = static_cast<unsigned>(parse_number(option, value(), 1, 32));
        } else if (option == "--steps") {
            given.steps = parse_number(option, value(), 1, 1'000'000'000);
        } else if (option == "--eviction") {
            given.eviction = parse_choice<eviction_method>(
                option, value(), {{"move", eviction_method::move}, {"protect", eviction_method::protect}});
        } else if (option == "--backing") {
            given.backing = parse_choice<uffd_backing>(
                option, value(), {{"anonymous", uffd_backing::anonymous}, {"shared", uffd_backing::shared}});
        } else if (option == "--first-guest") {
            given.first_guest = parse_choice<death>(option, value(),
                                                    {{"bad-instruction", death::bad_instruction},
                                                     {"stop", death::stop},
                                                     {"stop-in-fault", death::stop_in_fault}});
        } else if (option == "--help" || option == "-h") {
            given.wants_help = true;
        } else {
            throw failure(std::string(option) + ": no such option (see --help)");
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
  --help               this

Ends with 0 when every page was right, 1 when one was not, 2 for a mistake, 77
where the machine lacks /dev/kvm or userfaultfd.
)";
}

} // namespace kvm_guest
