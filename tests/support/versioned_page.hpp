// SPDX-License-Identifier: MIT
#pragma once

#include "support/rng.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace pagefold::testing {

using versioned_page = std::array<std::byte, 4096>;

/// A page that says whose it is and which version, and whose every word follows from that. Versions compress from well to not
/// at all, and none is same-filled.
inline void describe(versioned_page& p, std::uint64_t name, std::uint64_t version) {
    rng random{name << 32 ^ version};
    const std::uint64_t noise = version % 4;
    for (std::size_t at = 0; at < p.size(); at += 8) {
        const std::uint64_t word = at == 0 ? name : at == 8 ? version : random.below(4) <= noise ? random() : name;
        std::memcpy(p.data() + at, &word, 8);
    }
}
/// The version that a page holds; 0 where it is torn or another's.
[[nodiscard]] inline std::uint64_t version_of(const versioned_page& p, std::uint64_t name) {
    std::uint64_t version = 0;
    std::memcpy(&version, p.data() + 8, 8);
    versioned_page whole;
    describe(whole, name, version);
    return p == whole ? version : 0;
}

} // namespace pagefold::testing
