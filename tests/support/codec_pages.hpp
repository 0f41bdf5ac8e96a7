// SPDX-License-Identifier: MIT
#pragma once

// Pages that lead a codec of blocks and lags into its corners. Needs neither doctest nor threads, so that it can be built
// for another machine.

#include "support/rng.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace pagefold::testing {

inline constexpr unsigned codec_page_kinds = 12;

/// A page of `size` bytes, a multiple of 64; the kind is `seed % codec_page_kinds`.
[[nodiscard]] inline std::vector<std::byte> codec_page(std::size_t size, std::uint64_t seed) {
    rng random{seed};
    std::vector<unsigned char> page(size);
    const auto fill_random = [&](std::size_t begin, std::size_t end) {
        for (; begin < end && begin < size; ++begin) {
            page[begin] = static_cast<unsigned char>(random());
        }
    };
    const auto put_word = [&](std::size_t at, std::uint64_t word) { std::memcpy(&page[at], &word, sizeof word); };
    const auto letters = [&](std::size_t begin, std::size_t end, unsigned width) {
        for (; begin < end; ++begin) {
            page[begin] = static_cast<unsigned char>("etaoinshr dlucmfwypvbgk,.0123456789\n_()"[random.below(width)]);
        }
    };
    switch (seed % codec_page_kinds) {
    case 0: // structures of one size with counters and pointers
    {
        const std::size_t period = 8 + 8 * random.below(20);
        const std::uint64_t heap = 0x7f0000000000u + (random.below(1 << 16) << 16);
        for (std::size_t at = 0; at + 8 <= size; at += 8) {
            put_word(at, at % period == 0 ? heap + 16 * random.below(4096) : at % period == 8 ? at / period : 0);
        }
        break;
    }
    case 1: // any period, with flaws
    {
        const std::size_t period = 1 + random.below(300);
        for (std::size_t at = 0; at < size; ++at) {
            page[at] = static_cast<unsigned char>(at < period || random.one_in(97) ? random() : page[at - period]);
        }
        break;
    }
    case 2: letters(0, size, 39); break;
    case 3: // text of few words
        for (std::size_t at = 0; at < size;) {
            const std::size_t from = random.below(at + 1);
            const std::size_t length = 3 + random.below(20);
            const bool is_copied = at > 64 && !random.one_in(3);
            const std::size_t end = at + length < size ? at + length : size;
            if (is_copied) {
                for (std::size_t i = 0; at < end; ++at, ++i) {
                    page[at] = page[from + i];
                }
            } else {
                letters(at, end, 30);
                at = end;
            }
        }
        break;
    case 4: fill_random(0, size); break; // noise
    case 5:                              // noise, some of it twice
        fill_random(0, size);
        for (std::size_t k = random.below(size / 256); k > 0; --k) {
            const std::size_t to = random.below(size / 2) + size / 2;
            const std::size_t length = random.below(size - to);
            std::memmove(&page[to], &page[random.below(to - size / 2 + 1)], length < size / 2 ? length / 4 : 0);
        }
        break;
    case 6: // sparse
        for (std::size_t k = 1 + random.below(size / 32); k > 0; --k) {
            page[random.below(size)] = static_cast<unsigned char>(random());
        }
        break;
    case 7: // zeros behind some letters
        letters(0, 1 + random.below(size), 25);
        break;
    case 8: // small integers
        for (std::size_t at = 0; at + 8 <= size; at += 8) {
            const std::uint64_t low = random.below(1000);
            put_word(at, low | random.below(300) << 32);
        }
        break;
    case 9: // words of few values, which leave masks full or empty
        for (std::size_t at = 0; at + 8 <= size; at += 8) {
            put_word(at, 0x0101010101010101u * random.below(random.one_in(40) ? 256 : 3));
        }
        break;
    case 10: // a mix of lines of other kinds
        for (std::size_t line = 0; line < size; line += 64) {
            switch (random.below(5)) {
            case 0: fill_random(line, line + 64); break;
            case 1: letters(line, line + 64, 39); break;
            case 2: std::memmove(&page[line], &page[random.below(line / 16 + 1) * 16 / 2], line == 0 ? 0 : 64); break;
            case 3: {
                const std::uint64_t word = random();
                put_word(line + 8 * random.below(8), word);
                break;
            }
            default: break;
            }
        }
        break;
    default: // noise but for the last part, or zeros but for it
    {
        const std::size_t end = size - 16 * random.below(size / 32);
        fill_random(random.one_in(2) ? size - 64 * random.below(size / 64) : 0, end);
    } break;
    }
    std::vector<std::byte> made(size);
    std::memcpy(made.data(), page.data(), size);
    return made;
}

} // namespace pagefold::testing
