// SPDX-License-Identifier: MIT
#include "consolidation.hpp"

#include "guests.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>

namespace qemu_guest {
namespace {

bool has_gone_wrong(const outcome& run) {
    if (!run.is_right) {
        std::printf("%s\n", run.problem.c_str());
    }
    return !run.is_right;
}

} // namespace

bool run_one(const arguments& given) {
    std::printf("A guest of %zu MiB that fills %zu MiB and makes %zu accesses, software emulation\n\n", given.mib,
                given.fill_mib, given.accesses);
    std::printf("%-14s %8s %8s %9s %9s %8s %6s %9s\n", "", "WALL s", "WORK s", "RES. MiB", "STORED", "FAULTS", "RATIO",
                "us/FAULT");
    const outcome plain = run_guests(given, 1, {});
    if (has_gone_wrong(plain)) {
        return false;
    }
    std::printf("%-14s %8.1f %8.1f %9.0f\n", "plain memory", plain.wall_seconds, plain.guest_seconds, plain.footprint);
    std::fflush(stdout);
    const outcome paged = run_guests(given, 1, {"--resident", std::to_string(given.resident_mib) + "M"});
    if (has_gone_wrong(paged)) {
        return false;
    }
    std::printf("%-14s %8.1f %8.1f %9.0f %9.0f %8.0f %6.2f %9.1f\n\n", "paged", paged.wall_seconds, paged.guest_seconds,
                paged.peak_resident, paged.stored, paged.faults, paged.ratio, paged.fault_us);
    if (paged.peak_resident > static_cast<double>(given.resident_mib)) {
        std::printf("MORE WAS RESIDENT than %zu MiB.\n", given.resident_mib);
        return false;
    }
    std::printf("The guest found every page right. It ran %.2f times as long.\n",
                paged.guest_seconds / plain.guest_seconds);
    return true;
}

bool consolidate(const arguments& given) {
    const auto budget = static_cast<double>(given.budget_mib);
    const outcome single = run_guests(given, 1, {});
    if (has_gone_wrong(single)) {
        return false;
    }
    const auto wholly = static_cast<std::size_t>(budget / single.footprint);
    std::printf("Guests of %zu MiB that fill %zu MiB and make %zu accesses; %zu MiB for all of them and the store.\n"
                "One takes %.0f MiB of its memory: %zu fit without a store.\n\n",
                given.mib, given.fill_mib, given.accesses, given.budget_mib, single.footprint, wholly);
    std::printf("%6s | %9s %7s %7s | %9s %9s %6s %9s %9s %7s %7s %7s\n", "GUESTS", "PLAIN MiB", "ALL s", "EACH s",
                "PEAK MiB", "STORED", "RATIO", "FAULTS", "us/FAULT", "ALL s", "EACH s", "SLOWER");
    std::size_t fit = 0;
    double slower = 0;
    const std::size_t least = given.least_guests != 0 ? given.least_guests : std::max<std::size_t>(wholly, 1);
    for (std::size_t count = least; count <= given.most_guests; ++count) {
        const outcome plain = run_guests(given, count, {});
        if (has_gone_wrong(plain)) {
            return false;
        }
        const outcome paged = run_guests(given, count, {"--memory", std::to_string(given.budget_mib) + "M"});
        if (has_gone_wrong(paged)) {
            return false;
        }
        const double times = paged.wall_seconds / plain.wall_seconds;
        std::printf("%6zu | %9.0f %7.1f %7.1f | %9.1f %9.0f %6.2f %9.0f %9.1f %7.1f %7.1f %7.2f\n", count,
                    plain.footprint, plain.wall_seconds, plain.guest_seconds, paged.peak_memory, paged.stored,
                    paged.ratio, paged.faults, paged.fault_us, paged.wall_seconds, paged.guest_seconds, times);
        std::fflush(stdout);
        if (paged.peak_memory > budget) {
            std::printf("\n%zu guests no longer fit.\n", count);
            break;
        }
        fit = count;
        slower = times;
    }
    if (fit == 0) {
        std::printf("Not even %zu guests fit: the budget is too small.\n", least);
        return false;
    }
    std::printf("%zu guests fit with the store, %zu without: %+td. With %zu they ran %.2f times as long as in "
                "plain memory.\n"
                "Every guest found every page right.\n",
                fit, wholly, static_cast<std::ptrdiff_t>(fit) - static_cast<std::ptrdiff_t>(wholly), fit, slower);
    return true;
}

} // namespace qemu_guest
