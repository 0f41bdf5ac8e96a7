// SPDX-License-Identifier: MIT
#pragma once

#include "failure.hpp"

#include <cstddef>
#include <string>

namespace vm_pager {

struct arguments {
    static constexpr std::size_t unlimited = ~std::size_t{0};

    std::string socket;               ///< path; required
    std::string snapshot;             ///< path, or empty: untouched pages read as zeros
    std::string template_file;        ///< path, or empty; not besides `snapshot`
    std::string save;                 ///< path, or empty: at the end all pages are brought back
    std::string restore;              ///< path, or empty
    std::size_t resident = unlimited; ///< most bytes of all guests' pages in memory
    std::size_t memory = unlimited;   ///< most bytes of those and of the store together
    std::size_t store = unlimited;    ///< most bytes of the store
    unsigned threads = 1;             ///< that serve faults
    unsigned guests = 0;              ///< end when so many have come and gone; 0: never
    bool is_steered = false;          ///< the guests' pages in memory follow what they use
    bool wants_help = false;
};

/// Throws failure.
[[nodiscard]] arguments parse_arguments(int count, char** values);
[[nodiscard]] const char* help_text();

} // namespace vm_pager
