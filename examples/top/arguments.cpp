// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <support/command_line.hpp>
#include <support/failure.hpp>

namespace top {

arguments parse(int count, char** values) {
    arguments a;
    examples::command_line line{count, values};
    while (line.next()) {
        const std::string_view option = line.option();
        if (option == "--help") {
            a.is_help = true;
            return a;
        }
        if (option == "--demo") {
            a.is_demo = true;
        } else if (option == "--host") {
            a.is_demo = true;
            a.as = output::host;
        } else if (option == "--json") {
            a.as = output::json;
        } else if (option == "--prometheus") {
            a.as = output::prometheus;
        } else if (option == "--once") {
            a.count = 1;
        } else if (option == "--count") {
            a.count = line.number(1, 1'000'000);
        } else if (option == "--interval") {
            a.interval_ms = line.number(10, 3'600'000);
        } else if (option == "--sort") {
            a.sort = line.choice<sort_key>({{"name", sort_key::name},
                                            {"memory", sort_key::memory},
                                            {"pages", sort_key::pages},
                                            {"ratio", sort_key::ratio},
                                            {"hits", sort_key::hits},
                                            {"puts", sort_key::puts},
                                            {"gets", sort_key::gets},
                                            {"evicted", sort_key::evicted},
                                            {"refused", sort_key::refused}});
        } else if (option.starts_with("-") || !a.path.empty()) {
            line.refuse();
        } else {
            a.path = option;
        }
    }
    if (a.path.empty() && (!a.is_demo || a.as == output::host)) {
        throw examples::failure("it takes a file of published statistics, or --demo (see --help)");
    }
    return a;
}

const char* help_text() noexcept {
    return "top FILE           shows the statistics that a store publishes there, live\n"
           "top --demo [FILE]  the same of a store of its own, with four tenants\n"
           "top --host FILE    that store alone: look at it from another terminal\n"
           "\n"
           "  --once           one table, and no more\n"
           "  --count N        so many\n"
           "  --interval MS    between two of them (1000)\n"
           "  --sort COLUMN    name, memory (the default), pages, ratio, hits, puts, gets, evicted or refused\n"
           "  --json           what is published, as JSON; once\n"
           "  --prometheus     as Prometheus' text format; once\n"
           "\n"
           "In a terminal: < and > or the arrows choose the column to sort by, i inverts the order, space reads at "
           "once,\n"
           "q quits. Elsewhere tables follow one another.\n"
           "\n"
           "Rates are of the time between two publications. Status 0; 1: nothing whole is published there; 2: a "
           "mistake.\n";
}

} // namespace top
