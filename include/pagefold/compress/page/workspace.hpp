// SPDX-License-Identifier: MIT
#pragma once

// What the paths of the page codec share: the settings of its levels, the state they keep in the scratch while they work
// on a unit, and the rules of the search that are not arithmetic on vectors.

#include <pagefold/compress/page/format.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// How long the page codec looks for sources. The stream is of one format.
enum class page_level : std::uint8_t { fast, balanced, high };

} // namespace pagefold

namespace pagefold::inline PAGEFOLD_ABI::page_coding {

struct settings {
    unsigned keep_limit; ///< a line that differs from its first guess in so few bytes is taken without a search
    unsigned lookups;    ///< words of a line that are looked up in the table
};
[[nodiscard]] constexpr settings settings_of(page_level level) noexcept {
    switch (level) {
    case page_level::fast: return {16, 8};
    case page_level::balanced: return {10, 16};
    case page_level::high: return {6, 32};
    default: return {};
    }
}

// The candidates of a line, by slot. Every block of the line chooses one of them.
//
//   0         the running lag          1          zeros
//   2         the last lag of the line before last
//   3 … 7     lags 16, 32, 48, 64 and 256
//   8 …       where the table saw the words of the line
inline constexpr unsigned fixed_slots = 8;
inline constexpr unsigned max_slots = fixed_slots + 32;
inline constexpr unsigned running_slot = 0;
inline constexpr unsigned zero_slot = 1;
inline constexpr unsigned base_slot = 7; ///< in a page with a base, in place of lag 256: the base
inline constexpr unsigned fixed_lags[5] = {16, 32, 48, 64, 256};

/// Where in its line the word of lookup `k` stands: 0, 8, … 56, then 4, 12, … 60, then all of these two bytes earlier.
[[nodiscard]] constexpr int word_offset(unsigned k) noexcept {
    return static_cast<int>((k & 7) * 8 + (k >> 3 & 1) * 4) - static_cast<int>(k >> 4) * 2;
}

// A candidate's score for a block sums its 16-bit units: nothing if both bytes are right, else what packs-with-saturation
// makes of the comparison. To it comes the cost of a new lag, between one literal and two, but for the first two slots.
// The least sum wins, then the lower slot.
inline constexpr unsigned low_differs = 127;
inline constexpr unsigned high_differs = 128;
inline constexpr unsigned new_lag_cost = 191;
[[nodiscard]] constexpr unsigned slot_cost(unsigned slot) noexcept { return slot <= zero_slot ? 0 : new_lag_cost; }

// The table of positions: where a word, by its hash, was seen last. Filled so that any entry gives a lag that stays
// inside the page, for any word of any line but the page's first, which has no candidates. A searched line enters each of
// its 16 words, and for each one of the three that begin in it: so matches at any distance are found, if they are as long
// as three words or so, for a third of the stores that all places would take. What repeats in text is shorter: its lines
// enter a third place for each word, which is what takes text past LZ4.
inline constexpr unsigned hash_bits = 12;
inline constexpr std::size_t table_size = std::size_t{1} << hash_bits;
inline constexpr std::uint32_t hash_factor = 0x9e3779b1u;
inline constexpr std::uint16_t no_position = 64;

/// How far behind word `k` of a line the other place stands that is entered with it.
[[nodiscard]] constexpr unsigned behind_word(unsigned k) noexcept { return 1 + k % 3; }
/// The third place, in lines of text.
[[nodiscard]] constexpr unsigned far_behind_word(unsigned k) noexcept { return behind_word(k + 1); }
/// A bit for each of a line's 16 words that behind_word (or, with `turn` 1, far_behind_word) puts at `distance`.
[[nodiscard]] constexpr unsigned words_with(unsigned distance, unsigned turn) noexcept {
    return 0x9249u << (distance + 2 - turn) % 3 & 0xffffu;
}

/// Of a page with a base: a line keeps what is there if so many bytes of it differ, at most.
inline constexpr unsigned most_changed = 10;

/// A line of text has so many bytes from 9 to 127.
inline constexpr unsigned min_text_bytes = 32;
inline constexpr std::uint8_t first_text_byte = 9;

[[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::size_t hash_of(std::uint32_t word) noexcept {
    return (word * hash_factor) >> (32 - hash_bits);
}

// A unit where nothing was found until `give_up_line` is given up if the rest is noise: holds few zeros and few repeats. Each
// line is asked for zeros, and half of each line for bytes that equal those a lag before. That sees what has few values
// (text, small integers, the upper bytes of pointers), and what repeats after a divisor of a lag: four lags in turn, and the
// halves by turns, so that nothing of 600 bytes or so lies between them. In noise one byte in 256 is equal: 7 are expected
// and more than 24 come up in one page of ten million. What could save an eighth of a unit has 60 or more. Noise that is
// there twice, farther apart than a lag, isn't seen.
inline constexpr std::size_t give_up_line = 8;
inline constexpr std::size_t give_up_literals = give_up_line * 63;
inline constexpr unsigned repeat_lags[4] = {192, 80, 112, 144};
inline constexpr std::size_t max_noise_repeats = 24;
inline constexpr std::size_t repeat_size = line_size / 2;
inline constexpr std::size_t repeat_turn = 8; ///< lines until lag and half are the same again
static_assert((lines - give_up_line) % repeat_turn == 0 && give_up_line * line_size >= repeat_lags[0]);
/// How much before its line a half lies that is compared, and where in the line; `turn` counts lines from the first asked.
[[nodiscard]] constexpr unsigned repeat_lag(std::size_t turn) noexcept { return repeat_lags[turn % 4]; }
[[nodiscard]] constexpr std::size_t repeat_begin(std::size_t turn) noexcept { return turn / 4 % 2 * repeat_size; }
[[nodiscard]] constexpr bool is_noise(std::size_t zero_words, std::size_t words, std::size_t repeats) noexcept {
    return zero_words * 12 < words && repeats <= max_noise_repeats;
}

// Packing must gain enough to be worth its time in decoding. A sample of the literals, four runs that lie as far apart as
// they can begin, names the alphabet, and tells most that can't gain.
inline constexpr std::size_t sample_runs = 4;
inline constexpr std::size_t sample_run = 64;
inline constexpr std::size_t max_sample_escapes = 48;
static_assert(sample_runs * sample_run <= min_packed_literals);
[[nodiscard]] constexpr std::size_t sample_begin(std::size_t run, std::size_t literals) noexcept {
    return run * (literals / sample_runs);
}
/// The first alphabet that has the most of the sample, or literal_alphabets when it has too few.
[[nodiscard]] constexpr unsigned best_alphabet(const unsigned (&found)[literal_alphabets]) noexcept {
    unsigned best = 0;
    for (unsigned alphabet = 1; alphabet != literal_alphabets; ++alphabet) {
        best = found[alphabet] > found[best] ? alphabet : best;
    }
    return found[best] + max_sample_escapes >= sample_runs * sample_run ? best : literal_alphabets;
}
[[nodiscard]] constexpr bool is_worth_packing(std::size_t literals, std::size_t escapes) noexcept {
    return 3 * packed_plane(literals) + escapes + literals / 32 + 8 <= literals;
}
inline constexpr std::size_t min_packed_masks = 32;
[[nodiscard]] constexpr bool is_mask_packing_worth(std::size_t masks, std::size_t escapes) noexcept {
    return masks >= min_packed_masks && (masks + 1) / 2 + escapes + 8 < masks;
}

/// The state of one unit at work. Every path lays it over its scratch; nothing is kept from one unit to the next but, in
/// pages of several units, the table.
struct workspace {
    alignas(64) std::uint16_t positions[table_size];
    // What the search found.
    alignas(64) std::uint64_t masks[lines];           ///< a bit a byte, in the stream's order: it is a literal
    alignas(64) std::uint16_t lags[32 + blocks + 32]; ///< the running lag of block i at 32 + i
    alignas(64) std::uint8_t zeros[blocks / 8];       ///< a bit a block
    std::size_t literal_count;
    alignas(64) std::uint8_t literals[unit_size + 128];
    // What becomes of it, and of the sections when decoded.
    alignas(64) std::uint8_t codes[unit_size + 256];
    alignas(64) std::uint8_t escapes[unit_size + 128];
    alignas(64) std::uint8_t listed[groups + 128];
    /// Zeros that a compiler can't know of: where it knows what a pointer may lead to, it makes a branch of choosing it.
    alignas(16) std::uint8_t zero_block[block_size];
};

/// The stream of a page of one unit, where the page belongs, and whether it was read.
struct unit_to_read {
    const std::uint8_t* stream;
    std::size_t size;
    std::uint8_t* page;
    bool is_good;
};

/// Where the literals of the first or second of two units are unpacked to: a decoder has no use for the table of positions.
[[nodiscard]] inline std::uint8_t* literals_of_unit(std::size_t i, workspace& state) noexcept {
    static_assert(sizeof(workspace::positions) >= sizeof(workspace::literals));
    return i == 0 ? state.literals : reinterpret_cast<std::uint8_t*>(state.positions);
}

/// A unit to be compressed: page[base, base + 4096) of a page of `size` bytes.
struct unit_view {
    const std::uint8_t* page;
    std::size_t base;
    std::size_t size;

    [[nodiscard]] constexpr bool is_wide() const noexcept { return size > unit_size; }
};

} // namespace pagefold::page_coding
