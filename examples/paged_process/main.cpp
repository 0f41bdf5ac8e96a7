// SPDX-License-Identifier: MIT

// paged_process: a program whose working set is twice its memory, the rest compressed in a pagefold store. See README.md.

#include "arguments.hpp"
#include "kernel_run.hpp"
#include "paged_run.hpp"
#include "steered_run.hpp"

#include <cstdio>
#include <exception>
#include <functional>
#include <new>
#include <sched.h>
#include <string>

namespace paged_process {
namespace {

/// All runs on the last processor that is allowed: the threads of one run, too.
void keep_to_one_processor() {
    cpu_set_t allowed, one;
    CPU_ZERO(&allowed);
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
        for (int i = CPU_SETSIZE - 1; i >= 0; --i) {
            if (CPU_ISSET(i, &allowed)) {
                CPU_SET(i, &one);
                sched_setaffinity(0, sizeof one, &one);
                return;
            }
        }
    }
}

void print_row(const char* name, const run_result& r, double base) {
    std::printf("%-10s %7.2f %12.0f %7.2f %10.0f %9.1f", name, r.fill_seconds, r.queries_a_second(),
                r.queries_a_second() / base, static_cast<double>(r.faults), mib(r.resident_bytes));
    if (r.stored_bytes != 0) {
        std::printf(" %8.1f", mib(r.stored_bytes));
    }
    std::printf("\n");
    std::fflush(stdout);
}

int finish(bool is_right, const std::string& left_out) {
    if (was_interrupted != 0) {
        std::fputs("paged_process: interrupted; everything is undone\n", stderr);
        return 130;
    }
    std::printf("\n%s%s", is_right ? "Every row that was read was right.\n" : "A ROW WAS WRONG.\n", left_out.c_str());
    return is_right ? 0 : 1;
}

int run(int count, char** values) {
    const arguments given = parse_arguments(count, values);
    if (given.wants_help) {
        std::fputs(help_text(), stdout);
        return 0;
    }
    note_interruptions();
    keep_to_one_processor();
    bool is_right = true;
    if (given.is_steered) {
        is_right = run_steered(given);
        return finish(is_right, "");
    }
    double base = 0;
    std::string left_out;
    const auto add = [&](const char* name, const std::function<run_result()>& work) {
        if (was_interrupted != 0 || !is_right) {
            return;
        }
        try {
            const run_result made = work();
            if (base == 0) {
                base = made.queries_a_second();
                std::printf("%.0f MiB of rows, %.0f MiB in memory, one processor\n\n", mib(given.bytes),
                            mib(given.bytes / 2));
                std::printf("%-10s %7s %12s %7s %10s %9s %8s\n", "", "FILL s", "QUERIES/s", "OVER", "FAULTS",
                            "RES. MiB", "STORED");
            }
            print_row(name, made, base);
            is_right = made.is_right;
        } catch (const unavailable& why) {
            if (base == 0) {
                throw;
            }
            left_out += std::string(name) + " is left out: " + why.what() + ".\n";
        }
    };
    add("pagefold", [&] { return run_paged(given); });
    if (given.compares_zram) {
        add("zram", [&] { return run_swapped(given, {}); });
    }
    if (given.compares_swapfile) {
        add("swap file", [&] { return run_swapped(given, given.swapfile); });
    }
    return finish(is_right, left_out);
}

} // namespace
} // namespace paged_process

int main(int count, char** values) {
    try {
        return paged_process::run(count, values);
    } catch (const paged_process::unavailable& why) {
        std::printf("paged_process is skipped: %s\n", why.what());
        return 77;
    } catch (const std::bad_alloc&) {
        std::fputs("paged_process: no memory left (--mib takes less)\n", stderr);
        return 2;
    } catch (const std::exception& why) {
        std::fprintf(stderr, "paged_process: %s\n", why.what());
        return 2;
    }
}
