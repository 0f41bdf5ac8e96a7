// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <cstddef>

namespace pagefold::inline PAGEFOLD_ABI {

/// What an mmap_source is told when it is made.
struct mmap_options {
    static constexpr std::size_t automatic = ~std::size_t{0};

    /// Size of the range: the most that can be acquired. Addresses only; they cost no memory. Rounded up to 2 MiB.
    /// Automatic: 64 GiB (512 MiB where pointers have 32 bits), or where the process may not have so many addresses, half
    /// of what it may; capacity_bytes() says how many.
    std::size_t capacity_bytes = automatic;
    /// Most bytes to keep resident besides those acquired. Automatic: 4 MiB, or 1/32 of the bytes acquired if that is
    /// more. With huge pages, the rest of a chunk that is being filled counts.
    std::size_t retain_bytes = automatic;
    /// Asks for transparent huge pages.
    bool huge_pages = true;
    /// Splits a huge page at once where a part of it is given back, which takes 160 µs, and so long waits whoever touches
    /// it. False: the part is only unmapped. The system frees it when it is short of memory (and counts it as used until
    /// then), or when trim() is called, or when the rest of the huge page is given back.
    bool splits_at_once = false;
    /// Gives pages back in batches, where the system takes a batch in one call. False: run by run, as elsewhere.
    bool batches = true;
};

} // namespace pagefold
