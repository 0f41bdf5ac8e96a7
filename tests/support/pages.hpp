// SPDX-License-Identifier: MIT
#pragma once

#include "support/rng.hpp"

#include <pagefold/core/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace pagefold::testing {

/// What memory looks like: the kinds differ in how well they compress.
enum class page_kind : unsigned { zeros, word, text, pointers, sparse, random };
inline constexpr unsigned page_kinds = 6;

/// Fills `page` (a multiple of 8 bytes, 128 at least) with a page of the kind; the same seed gives the same page.
inline void make_page(byte_span page, page_kind kind, std::uint64_t seed) noexcept {
    rng random{seed * page_kinds + static_cast<unsigned>(kind)};
    std::byte* const begin = page.data();
    const auto put_word = [&](std::size_t at, std::uint64_t word) { std::memcpy(begin + at, &word, sizeof word); };
    switch (kind) {
    case page_kind::zeros: std::memset(begin, 0, page.size()); break;
    case page_kind::word:
        for (std::size_t at = 0, word = random() | 1; at < page.size(); at += 8) {
            put_word(at, word);
        }
        break;
    case page_kind::text: {
        // A vocabulary of 64 words of 2 to 9 letters, which grows more repetitive towards the end.
        char words[64][9];
        for (auto& word : words) {
            for (char& letter : word) {
                letter = static_cast<char>('a' + random.below(20));
            }
        }
        for (std::size_t at = 0; at < page.size();) {
            const auto& word = words[random.below(64 - 60 * at / page.size())];
            const std::size_t length = 2 + random.below(8);
            for (std::size_t i = 0; i < length && at < page.size(); ++i) {
                begin[at++] = static_cast<std::byte>(i + 1 == length ? ' ' : word[i]);
            }
        }
        break;
    }
    case page_kind::pointers: {
        const std::uint64_t heap = 0x7f0000000000u | random.below(1u << 20) << 20;
        for (std::size_t at = 0; at < page.size(); at += 8) {
            put_word(at, random.one_in(4) ? random.below(1000) : heap + random.below(1u << 16) * 16);
        }
        break;
    }
    case page_kind::sparse:
        std::memset(begin, 0, page.size());
        put_word(0, random() | 1); // never the same as another seed's, and never same-filled
        for (std::size_t i = 1 + random.below(page.size() / 128); i > 0; --i) {
            put_word(8 + random.below(page.size() / 8 - 1) * 8, random.below(1u << 20));
        }
        break;
    case page_kind::random:
        for (std::size_t at = 0; at < page.size(); at += 8) {
            put_word(at, random());
        }
        break;
    }
}

/// The kind that `make_page(page, seed)` picks.
[[nodiscard]] constexpr page_kind kind_of(std::uint64_t seed) noexcept {
    return static_cast<page_kind>(seed % page_kinds);
}
/// A page of the kind that the seed picks: any consecutive seeds give all kinds.
inline void make_page(byte_span page, std::uint64_t seed) noexcept { make_page(page, kind_of(seed), seed); }

[[nodiscard]] inline std::vector<std::byte> page_of(std::size_t size, page_kind kind, std::uint64_t seed) {
    std::vector<std::byte> page(size);
    make_page(page, kind, seed);
    return page;
}
[[nodiscard]] inline std::vector<std::byte> page_of(std::size_t size, std::uint64_t seed) {
    return page_of(size, kind_of(seed), seed);
}

} // namespace pagefold::testing
