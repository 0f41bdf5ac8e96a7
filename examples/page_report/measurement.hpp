// SPDX-License-Identifier: MIT
#pragma once

#include "page_input.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace page_report {

/// Percentiles in microseconds.
struct latency {
    double p50 = 0;
    double p99 = 0;
};

/// One row of the table; its columns are defined by help_text().
struct report_row {
    std::string name;
    bool is_process = false;
    std::uint64_t pages_there = 0; ///< of which `pages` are a sample
    std::uint64_t pages = 0;
    std::uint64_t data_bytes = 0;
    std::uint64_t compressed_bytes = 0;
    std::uint64_t total_bytes = 0;
    std::uint64_t used_bytes = 0; ///< of that: streams as they lie, and entries; nothing that a store of any size has
    std::uint64_t same_filled = 0;
    std::uint64_t incompressible = 0;
    std::uint64_t evicted = 0;
    std::uint64_t refused = 0; ///< puts that found no room though nothing more could be dropped
    latency put;
    latency get;

    [[nodiscard]] double ratio() const noexcept {
        return total_bytes == 0 ? 0.0 : static_cast<double>(data_bytes) / static_cast<double>(total_bytes);
    }
};

/// Pages by the length of their stream.
struct size_histogram {
    static constexpr std::size_t width = 256;
    static constexpr std::size_t buckets = page_bytes / width;

    std::uint64_t same_filled = 0;
    std::array<std::uint64_t, buckets> shorter{}; ///< bucket i: above i × width, up to (i + 1) × width bytes
    std::uint64_t incompressible = 0;

    [[nodiscard]] std::uint64_t pages() const noexcept {
        std::uint64_t sum = same_filled + incompressible;
        for (const std::uint64_t count : shorter) {
            sum += count;
        }
        return sum;
    }
};

/// What a run came to.
struct measurement {
    std::vector<report_row> rows;
    report_row total;
    size_histogram sizes;
    std::string fault; ///< empty, or which page came back wrong or not at all
};

/// The peer's row, or why there is none.
struct peer_measurement {
    report_row row;
    std::string left_out;
    std::string fault;
};

} // namespace page_report
