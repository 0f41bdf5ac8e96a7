// SPDX-License-Identifier: MIT
#pragma once

#include "support/pages.hpp"
#include "support/rng.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing {

/// Lengths where something changes, and in between any: `most` is the longest.
[[nodiscard]] inline std::size_t length_of(std::uint64_t seed, std::size_t most) noexcept {
    rng random{seed};
    const std::size_t edges[] = {0,        1,        2,        7,        8,        9,        16,       63,  64,
                                 most / 2, most - 9, most - 5, most - 4, most - 3, most - 2, most - 1, most};
    return random.one_in(2) ? edges[random.below(sizeof edges / sizeof edges[0])] : random.below(most + 1);
}
/// A value of a length; the same for the same seed.
[[nodiscard]] inline std::vector<std::byte> value_of(std::size_t length, page_kind kind, std::uint64_t seed) {
    std::vector<std::byte> value = page_of(length < 128 ? 128 : (length + 7) / 8 * 8, kind, seed);
    value.resize(length);
    return value;
}

} // namespace pagefold::testing
