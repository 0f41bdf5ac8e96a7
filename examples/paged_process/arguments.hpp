// SPDX-License-Identifier: MIT
#pragma once

#include <support/failure.hpp>

#include <cstddef>
#include <string>

namespace paged_process {

using examples::failure;
using examples::unavailable;

struct arguments {
    std::size_t bytes = std::size_t{128} << 20; ///< of the table; half may be in memory
    unsigned seconds = 5;
    bool in_thread = false;
    bool compares_zram = false;
    std::string swapfile; ///< a path, or empty
    bool compares_swapfile = false;
    bool is_steered = false; ///< the budget follows a working set that halves and doubles
    bool compares_budgets = false;
    bool uses_nodes = false; ///< the table and its pool on the processor's memory node
    bool wants_help = false;
};

/// Throws failure.
[[nodiscard]] arguments parse_arguments(int count, char** values);
[[nodiscard]] const char* help_text();

} // namespace paged_process
