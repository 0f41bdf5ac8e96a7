// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <support/command_line.hpp>

#include <charconv>
#include <string_view>

namespace vm_pager {
namespace {

constexpr std::size_t least_memory = std::size_t{1} << 20;
constexpr std::size_t most_memory = std::size_t{1} << 46;

bool parse_whole(std::string_view text, std::size_t& number) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    return parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
}

/// A number with K, M or G behind it, or none.
std::size_t parse_size(std::string_view option, std::string_view text) {
    std::string_view digits = text;
    unsigned shift = 0;
    if (const auto unit = std::string_view("KMG").find(text.empty() ? '?' : text.back());
        unit != std::string_view::npos) {
        shift = 10 * (static_cast<unsigned>(unit) + 1);
        digits.remove_suffix(1);
    }
    std::size_t number = 0;
    if (!parse_whole(digits, number) || number > most_memory >> shift || number << shift < least_memory) {
        throw failure(std::string(option) + " " + std::string(text) + ": not a size from 1M up, such as 96M or 2G");
    }
    return number << shift;
}

} // namespace

arguments parse_arguments(int count, char** values) {
    arguments given;
    examples::command_line line{count, values};
    while (line.next()) {
        const std::string_view option = line.option();
        if (option == "--socket") {
            given.socket = line.value();
        } else if (option == "--snapshot") {
            given.snapshot = line.value();
        } else if (option == "--template") {
            given.template_file = line.value();
        } else if (option == "--save") {
            given.save = line.value();
        } else if (option == "--restore") {
            given.restore = line.value();
        } else if (option == "--resident") {
            given.resident = parse_size(option, line.value());
        } else if (option == "--memory") {
            given.memory = parse_size(option, line.value());
        } else if (option == "--store") {
            given.store = parse_size(option, line.value());
        } else if (option == "--auto") {
            given.is_steered = true;
        } else if (option == "--threads") {
            given.threads = static_cast<unsigned>(line.number(1, 256));
        } else if (option == "--guests") {
            given.guests = static_cast<unsigned>(line.number(1, 1'000'000));
        } else if (option == "--help" || option == "-h") {
            given.wants_help = true;
        } else {
            line.refuse();
        }
    }
    if (given.socket.empty() && !given.wants_help) {
        throw failure("--socket PATH is missing (see --help)");
    }
    if (!given.snapshot.empty() && !given.template_file.empty()) {
        throw failure("--snapshot and --template: guests begin as one of them");
    }
    return given;
}

const char* help_text() {
    return R"(Usage: vm_pager --socket PATH [OPTION]...

A page-fault handler for virtual machine monitors that speak Firecracker's
protocol: each connects to PATH and sends its memory's regions as JSON, with a
userfaultfd and, if pages are to be evicted, the guest's memfd.

  --snapshot FILE   what an untouched page has; without it, zeros
  --template FILE   the same, for many guests: read whole into the store first,
                    where a guest's page is kept as what differs from it
  --save FILE       at the end the compressed pages are written there, and the
                    guests wait for the next vm_pager: only for monitors that
                    keep their own copy of the userfaultfd
  --restore FILE    begins with what --save wrote: a guest that connects again
                    goes on, and a template is taken from there
  --resident SIZE   most memory for all guests' pages
  --memory SIZE     most memory for those and the compressed pages together
  --store SIZE      most memory for the compressed pages
  --auto            the guests' pages in memory follow what the guests use; the
                    other bounds hold besides
  --threads N       serve faults in N threads (default 1), each guest in one at
                    a time; more than there are processors is of no use
  --guests N        end when N guests have come and gone
  --help            this

SIZE is a number with K, M or G behind it. Guests without a memfd are served,
but their pages can't be evicted. SIGUSR1 puts away all pages that can be, and
tells what each guest has. SIGTERM and SIGINT bring every page of every guest
back into its memory, so that the guests live on, and end (or save, with
--save); a second one ends at once.
Ends with 0, 2 for a mistake, 77 where the machine lacks what it needs.
)";
}

} // namespace vm_pager
