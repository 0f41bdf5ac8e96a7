// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/macros.hpp>
#include <pagefold/core/bytes.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Unsigned words of 16, 32 and 64 bits as stored formats have them: at any address, the low byte first, whatever the
/// machine's order is. Cost: a load or a store, and a reversal on big-endian machines.
namespace little_endian {

template <class Word>
inline constexpr bool is_word = sizeof(Word) == 2 || sizeof(Word) == 4 || sizeof(Word) == 8;

/// The other order's word.
template <class Word>
requires is_word<Word>
[[nodiscard]] constexpr Word reversed(Word word) noexcept {
    if constexpr (sizeof(Word) == 2) {
        return __builtin_bswap16(word);
    } else if constexpr (sizeof(Word) == 4) {
        return __builtin_bswap32(word);
    } else {
        return __builtin_bswap64(word);
    }
}
template <class Word>
requires is_word<Word>
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE Word load(const std::byte* from) noexcept {
    const Word word = load_native<Word>(from);
#if PAGEFOLD_LITTLE_ENDIAN
    return word;
#else
    return reversed(word);
#endif
}
template <class Word>
requires is_word<Word> PAGEFOLD_ALWAYS_INLINE void store(std::byte* to, Word word) noexcept {
#if !PAGEFOLD_LITTLE_ENDIAN
    word = reversed(word);
#endif
    store_native(to, word);
}

} // namespace little_endian

} // namespace pagefold
