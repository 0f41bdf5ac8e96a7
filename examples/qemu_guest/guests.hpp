// SPDX-License-Identifier: MIT
#pragma once

#include "arguments.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace qemu_guest {

/// What a run of some guests at the same time came to. Sizes in MiB.
struct outcome {
    bool is_right = true; ///< all guests found their memory right
    std::string problem;  ///< else: the first thing that went wrong
    double wall_seconds = 0;
    double guest_seconds = 0; ///< mean of what the guests say that their work took, boot left out
    double footprint = 0;     ///< most memory that the guests had at a time, without a pager
    // Of vm_pager:
    double peak_resident = 0;
    double peak_memory = 0; ///< resident and store
    double stored = 0;      ///< of pages, at the end
    double ratio = 0;       ///< of the store
    double faults = 0;
    double store_faults = 0;
    double fault_us = 0; ///< mean
};

/// Runs guests side by side. `limit` is empty for guests in plain memory, else an option of vm_pager with its value, as
/// {"--resident", "96M"}. Throws interrupted, failure, and unavailable.
[[nodiscard]] outcome run_guests(const arguments& given, std::size_t count, const std::vector<std::string>& limit);

} // namespace qemu_guest
