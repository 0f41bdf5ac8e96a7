// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace kernel {

/// What a PVH loader hands over (Xen's public/arch-x86/hvm/start_info.h, version 1).
struct start_info {
    static constexpr std::uint32_t expected_magic = 0x336ec578;

    std::uint32_t magic;
    std::uint32_t version;
    std::uint32_t flags;
    std::uint32_t module_count;
    std::uint64_t modules;
    std::uint64_t command_line;
    std::uint64_t tables;
    std::uint64_t memory_map; ///< version 1 on
    std::uint32_t memory_map_entries;
    std::uint32_t reserved;
};
static_assert(sizeof(start_info) == 56);

struct memory_range {
    static constexpr std::uint32_t ram = 1;

    std::uint64_t address;
    std::uint64_t bytes;
    std::uint32_t kind;
    std::uint32_t reserved;
};
static_assert(sizeof(memory_range) == 24);

} // namespace kernel
