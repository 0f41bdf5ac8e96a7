// SPDX-License-Identifier: MIT
#pragma once

#include "table.hpp"

#include <support/interruption.hpp>
#include <support/latency.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace paged_process {

/// What a run came to; passed between processes as it is.
struct run_result {
    bool is_right = true; ///< every row was what it must be
    bool was_interrupted = false;
    double fill_seconds = 0;
    std::uint64_t queries = 0;
    double seconds = 0; ///< of queries
    std::uint64_t faults = 0;
    std::uint64_t resident_bytes = 0;
    std::uint64_t stored_bytes = 0; ///< memory for the pages that are not resident, all included; 0 unknown

    [[nodiscard]] double queries_a_second() const { return static_cast<double>(queries) / std::max(seconds, 1e-9); }
};

[[nodiscard]] inline double mib(std::uint64_t bytes) { return static_cast<double>(bytes) / 1048576.0; }

using examples::note_interruptions;
using examples::was_interrupted;

/// Fills the table and queries it. Calls `watch(seconds)` some times a second.
template <class Watch>
void work_on(order_table& table, unsigned seconds, run_result& out, Watch watch) {
    constexpr std::uint64_t step = 250'000'000; // ns
    const auto since = [](std::uint64_t start) {
        return static_cast<double>(pagefold::support::now_ns() - start) * 1e-9;
    };
    const std::uint64_t start = pagefold::support::now_ns();
    std::uint64_t next = start + step;
    const auto watch_sometimes = [&](std::size_t i) {
        if (i % 256 == 0 && pagefold::support::now_ns() >= next) {
            next += step;
            watch(since(start));
        }
    };
    for (std::size_t i = 0; i < table.size() && was_interrupted == 0; ++i) {
        table.fill(i);
        watch_sometimes(i);
    }
    out.fill_seconds = since(start);
    pagefold::support::random_stream random{42};
    const std::uint64_t queries_start = pagefold::support::now_ns();
    while (out.is_right && was_interrupted == 0 && since(queries_start) < seconds) {
        for (int i = 0; i < 64 && out.is_right; ++i) {
            out.is_right = table.query(random);
            ++out.queries;
        }
        watch_sometimes(0);
    }
    out.seconds = since(queries_start);
    out.was_interrupted = was_interrupted != 0;
}

} // namespace paged_process
