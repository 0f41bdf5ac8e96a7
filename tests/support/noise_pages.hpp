// SPDX-License-Identifier: MIT
#pragma once

// Pages of noise with something in them, for the rule by which the page codec gives a page up.

#include "support/rng.hpp"

#include <pagefold/compress/page/workspace.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace pagefold::testing {

/// Whether the unit is given up that is noise in front: the rule of docs/page_codec.md, byte by byte.
[[nodiscard]] inline bool is_noise_by_the_rule(const std::vector<std::uint8_t>& unit) {
    constexpr unsigned lags[] = {192, 80, 112, 144};
    unsigned zeros = 0;
    unsigned repeats = 0;
    for (std::size_t at = 512; at != 4096; at += 4) {
        zeros += (unit[at] | unit[at + 1] | unit[at + 2] | unit[at + 3]) == 0 ? 1 : 0;
    }
    for (std::size_t at = 512; at != 4096; ++at) {
        const std::size_t line = at / 64;
        const bool is_second_half = at % 64 >= 32;
        if (is_second_half == (line % 8 >= 4)) {
            repeats += unit[at] == unit[at - lags[line % 4]] ? 1 : 0;
        }
    }
    return zeros * 12 < 896 && repeats <= 24;
}

/// A unit of noise where no byte that is compared is a repeat, and then about as many as are let pass: 15 to 34, on
/// average; or about as many zero words.
[[nodiscard]] inline std::vector<std::uint8_t> nearly_noise(rng& random) {
    std::vector<std::uint8_t> unit(4096);
    for (std::uint8_t& byte : unit) {
        byte = static_cast<std::uint8_t>(random() | 1); // no zeros
    }
    constexpr unsigned lags[] = {192, 80, 112, 144};
    for (std::size_t at = 512; at != 4096; ++at) { // each byte differs from all that it could be compared with
        const auto is_repeat = [&] {
            for (const unsigned lag : lags) {
                if (unit[at] == unit[at - lag]) {
                    return true;
                }
            }
            return false;
        };
        while (is_repeat()) {
            unit[at] = static_cast<std::uint8_t>(unit[at] + 2);
        }
    }
    if (random.one_in(2)) {
        for (std::uint64_t k = 15 + random.below(20); k > 0; --k) {
            const std::size_t line = 8 + random.below(56);
            const std::size_t at = line * 64 + (line % 8 >= 4 ? 32 : 0) + random.below(32);
            unit[at] = unit[at - lags[line % 4]];
        }
    } else {
        for (std::uint64_t k = 65 + random.below(20); k > 0; --k) {
            std::memset(&unit[512 + 4 * random.below(896)], 0, 4);
        }
    }
    return unit;
}

/// A page of noise but for [begin, end), which holds addresses of one heap.
[[nodiscard]] inline std::vector<std::byte> noise_around(std::size_t begin, std::size_t end, std::uint64_t seed) {
    rng random{seed};
    std::vector<std::byte> page(4096);
    const std::uint64_t heap = random() & 0xffffff000000u;
    for (std::size_t at = 0; at != page.size(); at += 8) {
        const bool is_inside = at >= begin && at < end;
        const std::uint64_t word = is_inside ? heap + random.below(256) * 16 : random();
        std::memcpy(&page[at], &word, sizeof word);
    }
    return page;
}

} // namespace pagefold::testing
