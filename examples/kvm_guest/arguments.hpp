// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/hosted/uffd_memory.hpp>

#include <cstddef>
#include <cstdint>

namespace kvm_guest {

/// How the first guest ends before its time.
enum class death { none, bad_instruction, stop, stop_in_fault };

struct arguments {
    std::size_t guest_bytes = std::size_t{64} << 20;
    std::size_t budget_bytes = 0; ///< for the resident pages of all guests
    std::size_t store_bytes = ~std::size_t{0};
    unsigned guests = 1;
    std::uint64_t steps = 50'000;
    pagefold::eviction_method eviction = pagefold::eviction_method::automatic;
    pagefold::uffd_backing backing = pagefold::uffd_backing::anonymous;
    death first_guest = death::none;
    bool snapshots_while_running = false;
    unsigned snapshots = 5;  ///< of each kind
    bool uses_nodes = false; ///< a guest on a memory node, by turns
    bool wants_help = false;
};

/// Throws failure.
[[nodiscard]] arguments parse_arguments(int count, char** values);
[[nodiscard]] const char* help_text();

} // namespace kvm_guest
