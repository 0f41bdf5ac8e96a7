// SPDX-License-Identifier: MIT
#pragma once

#include <support/failure.hpp>

#include <cstddef>
#include <string>

namespace clone_farm {

using examples::failure;
using examples::unavailable;

struct arguments {
    std::string kernel;        ///< required
    std::string folder;        ///< of the initrd, the preload and vm_pager; where this program is
    std::size_t mib = 96;      ///< memory of a guest
    std::size_t fill_mib = 24; ///< of its data
    std::size_t guests = 4;
    std::size_t steps = 2'000;    ///< of each guest's work
    std::size_t budget_mib = 128; ///< of all guests and the store
    std::size_t resident_mib = 0; ///< of that: all guests' pages in use; 0 is a quarter
    unsigned seconds = 120;       ///< most to wait for an answer
    bool clones_only = false;     ///< and none of the other ways
    bool wants_help = false;
};

/// Throws failure.
[[nodiscard]] arguments parse_arguments(int count, char** values);
[[nodiscard]] const char* help_text();

} // namespace clone_farm
