// SPDX-License-Identifier: MIT
#pragma once

#include "message.hpp"

#include <cstdint>
#include <utility>
#include <vector>

namespace vm_pager {

/// By what a guest is known again: the file behind its memory, which no other has for as long as the machine is up, and how its
/// regions lie in it.
struct guest_identity {
    std::uint64_t device = 0, inode = 0, born = 0; ///< born: nanoseconds, or 0 where the system doesn't say
    std::vector<std::pair<std::uint64_t, std::uint64_t>> regions; ///< offset and bytes, by address

    [[nodiscard]] bool is_same_file(const guest_identity& o) const noexcept {
        return device == o.device && inode == o.inode && born == o.born;
    }
    [[nodiscard]] std::uint64_t pages() const noexcept {
        std::uint64_t bytes = 0;
        for (const auto& region : regions) {
            bytes += region.second;
        }
        return bytes / page_bytes;
    }
};

} // namespace vm_pager
