// SPDX-License-Identifier: MIT
#pragma once

// What encoder and decoder share. ../lz_block.hpp describes the format.

#include <pagefold/config/macros.hpp>
#include <pagefold/core/bytes.hpp>

#include <cstddef>

namespace pagefold::inline PAGEFOLD_ABI::detail::lz_block {

inline constexpr std::size_t min_match = 4;         // of the format
inline constexpr std::size_t last_literals = 5;     // bytes at the end that no match covers
inline constexpr std::size_t last_match_room = 12;  // from the start of the last match to the end
inline constexpr std::size_t nibble_max = 15;       // more of the length follows
inline constexpr std::size_t length_byte_max = 255; // still more follows

/// A word from memory as if the machine were little-endian: the first byte is the lowest.
template <class Word>
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE Word load_little(const std::byte* from) noexcept {
    Word word = load_native<Word>(from);
    if constexpr (PAGEFOLD_LITTLE_ENDIAN == 0) {
        Word turned = 0;
        for (std::size_t i = 0; i < sizeof word; ++i) {
            turned = static_cast<Word>(turned << 8 | (word >> 8 * i & 0xff));
        }
        word = turned;
    }
    return word;
}

template <class Word>
PAGEFOLD_ALWAYS_INLINE void store_little(std::byte* to, Word word) noexcept {
    if constexpr (PAGEFOLD_LITTLE_ENDIAN == 0) {
        std::byte* const at = reinterpret_cast<std::byte*>(&word);
        const Word value = word;
        for (std::size_t i = 0; i < sizeof word; ++i) {
            at[i] = static_cast<std::byte>(value >> 8 * i & 0xff);
        }
    }
    store_native(to, word);
}

/// Copies of a fixed size, for lengths of which all is known that they are at most this.
PAGEFOLD_ALWAYS_INLINE void copy_8(std::byte* to, const std::byte* from) noexcept { copy_bytes(to, from, 8); }
PAGEFOLD_ALWAYS_INLINE void copy_16(std::byte* to, const std::byte* from) noexcept { copy_bytes(to, from, 16); }

/// Literals, at least one: up to 15 bytes more than `count` are read and written. Runs that are longer than any loop is
/// good at go to the host's memcpy.
PAGEFOLD_ALWAYS_INLINE void copy_literals(std::byte* to, const std::byte* from, std::size_t count) noexcept {
    if (count >= 128) {
        copy_bytes(to, from, count);
        return;
    }
    std::size_t done = 0;
    do {
        copy_16(to + done, from + done);
        done += 16;
    } while (done < count);
}

} // namespace pagefold::detail::lz_block
