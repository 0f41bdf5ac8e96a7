// SPDX-License-Identifier: MIT
#pragma once

#include "failure.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace vm_pager {

inline constexpr std::size_t page_bytes = 4096;

/// A part of a guest's memory.
struct guest_region {
    std::uint64_t address; ///< in the monitor's address space
    std::uint64_t bytes;
    std::uint64_t offset; ///< of its first byte in the snapshot and in the memfd
};

// What a monitor sends is an array of objects with these members, all of them whole numbers of bytes:
//
//   base_host_virt_addr, size, offset    required
//   page_size                            4096, or absent in old versions
//   page_size_kib                        its deprecated name, in bytes as well; looked at where page_size is absent
//
// Other members are let be, so that newer monitors are served too.

inline constexpr std::size_t most_message_bytes = 64 << 10;
inline constexpr std::size_t most_regions = 64;
/// Of all regions: what a region_pager can number.
inline constexpr std::uint64_t most_guest_bytes = std::uint64_t{0xffff0000} * page_bytes;

/// The regions, in the order of their addresses. Nothing where the text only began. Throws refusal for what can't be the
/// message, or becomes it: no JSON, other members, nothing there, regions that overlap, are not whole pages, or overflow.
[[nodiscard]] std::optional<std::vector<guest_region>> parse_message(std::string_view text);

} // namespace vm_pager
