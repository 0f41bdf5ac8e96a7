// SPDX-License-Identifier: MIT
#pragma once

#include <support/failure.hpp>

#include <cstddef>
#include <stdexcept>
#include <string>

namespace qemu_guest {

using examples::failure;
using examples::unavailable;

/// SIGINT, SIGTERM or SIGHUP came.
struct interrupted : std::runtime_error {
    interrupted() : std::runtime_error("interrupted; every guest and handler was ended") {}
};

struct arguments {
    std::string kernel;            ///< required
    std::string folder;            ///< of the initrd, the preload and vm_pager; where this program is
    std::size_t mib = 256;         ///< memory of a guest
    std::size_t fill_mib = 160;    ///< of its data
    std::size_t resident_mib = 96; ///< what may be in memory, of one guest
    std::size_t accesses = 20'000;
    std::size_t budget_mib = 512; ///< for consolidation: of all guests and the store
    std::size_t least_guests = 0; ///< 0: as many as fit without a store
    std::size_t most_guests = 32;
    unsigned seconds = 120; ///< most for a run
    bool consolidates = false;
    bool wants_help = false;
};

/// Throws failure.
[[nodiscard]] arguments parse_arguments(int count, char** values);
[[nodiscard]] const char* help_text();

} // namespace qemu_guest
