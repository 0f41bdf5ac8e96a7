// SPDX-License-Identifier: MIT
#pragma once

// The page codec in vectors of 16 bytes, over the few operations that sse42.hpp and neon.hpp supply.
//
// Search: a block's scores of eight candidates come together in one vector of 16-bit lanes, and the least of all groups is
// the choice. Packing and unpacking: a shuffle moves bytes together and apart by tables of 256 masks, eight at a time.
//
// All is inlined into the entries, and so into the AVX2 path's too, where it becomes the same in the newer encoding.

#include <pagefold/config/macros.hpp>

#if PAGEFOLD_HAS_X86_VECTORS || PAGEFOLD_HAS_NEON

#include <pagefold/compress/page/format.hpp>
#include <pagefold/compress/page/neon.hpp>
#include <pagefold/compress/page/scalar.hpp>
#include <pagefold/compress/page/sse42.hpp>
#include <pagefold/compress/page/workspace.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI::page_coding::v16 {

/// For each mask of 8, indices for a shuffle; from 0x80 on they make a zero.
struct shuffle_tables {
    alignas(64) std::uint8_t spread[256][8] = {};       ///< where the mask is set: how many bits are set below
    alignas(64) std::uint8_t spread_upper[256][8] = {}; ///< the same of the upper half: 8 more where the mask is set
    alignas(64) std::uint8_t gather[256][8] = {};       ///< the places of the set bits, in order
    alignas(64) std::uint8_t rank[256][8] = {};         ///< how many bits are set up to this one
    alignas(64) std::uint8_t set[256][8] = {};          ///< 0xff where the mask is set, else 0
    alignas(64) std::uint8_t upper[9][16] = {};         ///< zeros, then 8 times the row's number

    constexpr shuffle_tables() noexcept {
        for (unsigned mask = 0; mask < 256; ++mask) {
            unsigned count = 0;
            for (unsigned i = 0; i < 8; ++i) {
                gather[mask][i] = 0x80;
            }
            for (unsigned i = 0; i < 8; ++i) {
                const bool is_set = (mask >> i & 1) != 0;
                spread[mask][i] = static_cast<std::uint8_t>(is_set ? count : 0x80);
                spread_upper[mask][i] = static_cast<std::uint8_t>(is_set ? 8 + count : 0x80);
                set[mask][i] = static_cast<std::uint8_t>(is_set ? 0xff : 0);
                if (is_set) {
                    gather[mask][count++] = static_cast<std::uint8_t>(i);
                }
                rank[mask][i] = static_cast<std::uint8_t>(count);
            }
        }
        for (unsigned n = 0; n < 9; ++n) {
            for (unsigned i = 8; i < 16; ++i) {
                upper[n][i] = static_cast<std::uint8_t>(n);
            }
        }
    }
};
inline constexpr shuffle_tables shuffles{};

PAGEFOLD_V16 unsigned bytes_equal(bytes16 a, bytes16 b) noexcept { return mask_of(equal8(a, b)); }

/// Indices for a shuffle: the next bytes of a section to where `mask` is set, zero elsewhere.
PAGEFOLD_V16 bytes16 spread_indices(unsigned mask) noexcept {
    const unsigned low = mask & 0xff;
    return add8(load_halves(shuffles.spread[low], shuffles.spread[mask >> 8]), load(shuffles.upper[ones(low)]));
}
/// Takes as many bytes at `from` as `mask` has bits, spread to where they are set. Reads 16 bytes.
PAGEFOLD_V16 bytes16 take_spread(const std::uint8_t*& from, unsigned mask) noexcept {
    const bytes16 spread = shuffle(load(from), spread_indices(mask));
    from += ones(mask);
    return spread;
}
/// Writes the masked bytes of `v`, and up to 8 bytes past their returned end.
PAGEFOLD_V16 std::uint8_t* put_gathered(std::uint8_t* to, bytes16 v, unsigned mask) noexcept {
    const unsigned low = mask & 0xff;
    const unsigned high = mask >> 8;
    store_half(to, shuffle(v, load_half(shuffles.gather[low])));
    to += ones(low);
    store_half(to, shuffle(upper_half(v), load_half(shuffles.gather[high])));
    return to + ones(high);
}

// --- Search ---------------------------------------------------------------------------------------------------------

/// The state of a unit's search between lines.
struct search_state {
    unsigned running = first_lag;
    unsigned recent[2] = {first_lag, first_lag};
    std::size_t literals = 0;
};

template <bool HasBase>
[[nodiscard]] constexpr search_state first_state() noexcept {
    constexpr unsigned lag = HasBase ? unit_size : first_lag;
    return {lag, {lag, lag}, 0};
}

/// What predicts a line, by slot.
struct line_candidates {
    const std::uint8_t* source[max_slots];
};

PAGEFOLD_V16 void note_zeros(workspace& state, std::size_t line, unsigned zeros) noexcept {
    state.zeros[line / 2] = static_cast<std::uint8_t>(state.zeros[line / 2] | zeros << (line & 1) * 4);
}

/// Notes a line that one lag predicts, or zeros.
PAGEFOLD_V16 void take_line(std::size_t line, std::uint64_t mask, unsigned lag, unsigned zeros, search_state& search,
                            workspace& state) noexcept {
    state.masks[line] = mask;
    search.literals += ones64(mask);
    search.running = lag;
    store_word(state.lags + 32 + 4 * line, lag * 0x0001000100010001u);
    note_zeros(state, line, zeros);
}

/// Lookups [First, First + Count); `hashes` are of the line's words, or of those two bytes earlier.
template <unsigned First, unsigned Count>
PAGEFOLD_V16 void look_up(const std::uint8_t* page, const std::uint8_t* line, const std::uint16_t* hashes,
                          const workspace& state, line_candidates& candidates) noexcept {
    constexpr int offset = word_offset(First);
    const std::uint8_t* source = page + state.positions[hashes[word_offset(First & 15) / 4]] - offset;
    if constexpr (offset < static_cast<int>(min_lag)) {
        source = source < line - min_lag ? source : line - min_lag;
    }
    candidates.source[fixed_slots + First] = source;
    if constexpr (Count > 1) {
        look_up<First + 1, Count - 1>(page, line, hashes, state, candidates);
    }
}

PAGEFOLD_V16 void list_fixed(const unit_view& unit, std::size_t line, const std::uint8_t* from,
                             const search_state& search, line_candidates& candidates) noexcept {
    const std::size_t at = unit.base + line * line_size;
    candidates.source[running_slot] = from - search.running;
    candidates.source[zero_slot] = zero_line;
    candidates.source[2] = from - search.recent[line & 1];
    for (unsigned k = 0; k != 4; ++k) {
        candidates.source[3 + k] = from - fixed_lags[k];
    }
    candidates.source[7] = from - (fixed_lags[4] < at ? fixed_lags[4] : at);
}

// A candidate's key is 8 times what it costs, and its group of eight in the bits below: so the least key of all groups
// names its slot, together with its place.

/// What turns 8 times the scores of a group into keys.
PAGEFOLD_V16 bytes16 key_offsets(unsigned group) noexcept {
    constexpr auto cost = static_cast<std::uint16_t>(8 * new_lag_cost);
    alignas(16) static constexpr std::uint16_t first[8] = {0, 0, cost, cost, cost, cost, cost, cost};
    return group == 0 ? load(first) : fill16(static_cast<std::uint16_t>(cost + group));
}
PAGEFOLD_V16 unsigned slot_of(least_of_eight least) noexcept { return (key_of(least) & 7) * 8 + place_of(least); }

/// Notes which slot predicts each block of a line.
PAGEFOLD_V16 void take_blocks(const std::uint8_t* from, std::size_t line, const line_candidates& candidates,
                              const least_of_eight (&least)[4], search_state& search, workspace& state) noexcept {
    unsigned zeros = 0;
    std::uint64_t mask = 0;
    unsigned running = search.running;
    bool is_zero = false;
#pragma GCC unroll 4
    for (unsigned block = 0; block != 4; ++block) {
        const unsigned slot = slot_of(least[block]);
        const std::uint8_t* const source = candidates.source[slot];
        is_zero = slot == zero_slot;
        running = is_zero ? running : static_cast<unsigned>(from - source);
        zeros |= (is_zero ? 1u : 0u) << block;
        state.lags[32 + 4 * line + block] = static_cast<std::uint16_t>(running);
        const std::size_t offset = block * block_size;
        mask |= std::uint64_t{0xffff & ~bytes_equal(load(from + offset), load(source + offset))} << offset;
    }
    search.running = running;
    search.recent[line & 1] = is_zero ? search.recent[line & 1] : running;
    note_zeros(state, line, zeros);
    state.masks[line] = mask;
    search.literals += ones64(mask);
}

/// Enters a line that begins at `at` into the table, by the hashes of its words and of the places behind them.
PAGEFOLD_V16 void enter(const std::uint16_t* words, const std::uint16_t* behind, std::size_t at,
                        workspace& state) noexcept {
#pragma GCC unroll 16
    for (unsigned k = 0; k != 16; ++k) { // in the order of positions: the last of equal words counts
        state.positions[words[k]] = static_cast<std::uint16_t>(at + 4 * k);
        state.positions[behind[k]] = static_cast<std::uint16_t>(at + 4 * k + behind_word(k));
    }
}
/// The words alone.
PAGEFOLD_V16 void enter_words(const std::uint16_t* words, std::size_t at, workspace& state) noexcept {
#pragma GCC unroll 16
    for (unsigned k = 0; k != 16; ++k) {
        state.positions[words[k]] = static_cast<std::uint16_t>(at + 4 * k);
    }
}
PAGEFOLD_V16 void enter_far(const std::uint16_t* behind, std::size_t at, workspace& state) noexcept {
#pragma GCC unroll 16
    for (unsigned k = 0; k != 16; ++k) {
        state.positions[behind[k]] = static_cast<std::uint16_t>(at + 4 * k + far_behind_word(k));
    }
}

/// The literals of the masks that the search found, together.
PAGEFOLD_V16 void gather_literals(const unit_view& unit, workspace& state) noexcept {
    std::uint8_t* to = state.literals;
    const auto* const masks = reinterpret_cast<const std::uint8_t*>(state.masks);
    for (std::size_t first = 0; first != groups; first += 32) {
        std::uint32_t set =
            ~(bytes_equal(load(masks + first), zero()) | bytes_equal(load(masks + first + 16), zero()) << 16);
        for (; set != 0; set &= set - 1) {
            const std::size_t group = first + static_cast<unsigned>(__builtin_ctz(set));
            const bytes16 bytes = load_half(unit.page + unit.base + group * group_size);
            store_half(to, shuffle(bytes, load_half(shuffles.gather[masks[group]])));
            to += ones(masks[group]);
        }
    }
    state.literal_count = static_cast<std::size_t>(to - state.literals);
}

/// Whether the unit is noise from `give_up_line` on, which begins at `from`.
PAGEFOLD_V16 bool rest_is_noise(const std::uint8_t* from) noexcept {
    static_assert((lines - give_up_line) * line_size / 16 < 256); // what is counted in a byte
    bytes16 zeros = zero();
    bytes16 repeats = zero();
    for (std::size_t line = give_up_line; line != lines; line += repeat_turn) {
#pragma GCC unroll 8
        for (std::size_t turn = 0; turn != repeat_turn; ++turn, from += line_size) {
#pragma GCC unroll 4
            for (std::size_t i = 0; i != line_size; i += 16) {
                zeros = subtract8(zeros, equal32(load(from + i), zero()));
            }
            const std::uint8_t* const half = from + repeat_begin(turn);
#pragma GCC unroll 2
            for (std::size_t i = 0; i != repeat_size; i += 16) {
                repeats = subtract8(repeats, equal8(load(half + i), load(half + i - repeat_lag(turn))));
            }
        }
    }
    return is_noise(sum_of_bytes(zeros) / 4, (lines - give_up_line) * line_size / 4, sum_of_bytes(repeats));
}

template <unsigned Slots>
PAGEFOLD_V16 void score_line(const std::uint8_t* from, const line_candidates& candidates,
                             least_of_eight (&least)[4]) noexcept {
    for (unsigned block = 0; block != 4; ++block) {
        const bytes16 own = load(from + block * block_size);
        bytes16 keys = fill16(0xffff);
        for (unsigned group = 0; group != Slots / 8; ++group) {
            const bytes16 scores = score_eight(own, block * block_size, candidates.source + 8 * group);
            keys = min16(keys, add16(shift_left16(scores, 3), key_offsets(group)));
        }
        least[block] = find_least(keys);
    }
}

PAGEFOLD_V16 void hash_words(const std::uint8_t* from, std::uint16_t* hashes) noexcept {
    store(hashes, hashes_of(load(from), load(from + 16)));
    store(hashes + 8, hashes_of(load(from + 32), load(from + 48)));
}

/// For words First to First + 3 of a line at `from`: those that begin behind_word bytes further, or far_behind_word.
template <unsigned First, unsigned Turn>
PAGEFOLD_V16 bytes16 words_behind(const std::uint8_t* from) noexcept {
    alignas(16) static constexpr std::uint32_t in_turn[6] = {0, ~0u, 0, 0, ~0u, 0};
    constexpr unsigned first = First + Turn;
    const bytes16 some = select(load(in_turn + first % 3), load(from + 2), load(from + 1));
    return select(load(in_turn + (first + 2) % 3), load(from + 3), some);
}
template <unsigned Turn>
PAGEFOLD_V16 void hash_behind(const std::uint8_t* from, std::uint16_t* hashes) noexcept {
    store(hashes, hashes_of(words_behind<0, Turn>(from), words_behind<4, Turn>(from + 16)));
    store(hashes + 8, hashes_of(words_behind<8, Turn>(from + 32), words_behind<12, Turn>(from + 48)));
}

/// A bit for each byte of the line that differs from `source`.
PAGEFOLD_V16 std::uint64_t differing(const std::uint8_t* from, const std::uint8_t* source) noexcept {
    return ~(std::uint64_t{bytes_equal(load(from), load(source))} |
             std::uint64_t{bytes_equal(load(from + 16), load(source + 16))} << 16 |
             std::uint64_t{bytes_equal(load(from + 32), load(source + 32))} << 32 |
             std::uint64_t{bytes_equal(load(from + 48), load(source + 48))} << 48);
}
PAGEFOLD_V16 bool is_zero(const std::uint8_t* from) noexcept {
    const bytes16 any = bit_or(bit_or(load(from), load(from + 16)), bit_or(load(from + 32), load(from + 48)));
    return is_all_zero(any);
}

/// As scalar::kept_lines.
[[nodiscard]] PAGEFOLD_TARGET_V16 inline unsigned kept_lines(const std::uint8_t* pair) noexcept {
    unsigned kept = 0;
    for (const std::uint8_t* line = pair; line != pair + unit_size; line += line_size) {
        kept += ones64(differing(line, line + unit_size)) <= most_changed ? 1u : 0u;
    }
    return kept;
}

PAGEFOLD_V16 void begin_search(const unit_view& unit, workspace& state) noexcept {
    state.lags[31] = first_lag;
    fill_bytes(state.zeros, 0, sizeof state.zeros);
    if (unit.base == 0) {
        for (std::size_t i = 0; i != table_size; i += 8) {
            store(state.positions + i, fill16(no_position));
        }
    }
}

PAGEFOLD_V16 bool is_text(const std::uint8_t* from) noexcept {
    unsigned count = 0;
    for (std::size_t i = 0; i != line_size; i += 16) {
        count += ones(mask_of(greater8(load(from + i), fill8(first_text_byte - 1))));
    }
    return count >= min_text_bytes;
}

/// Enters the words of the lines behind the base's first one, up to the line at `from`, into an empty table.
PAGEFOLD_V16 void prime(const unit_view& unit, const std::uint8_t* from, workspace& state) noexcept {
    for (std::size_t i = 0; i != table_size; i += 8) {
        store(state.positions + i, fill16(no_position));
    }
    alignas(64) std::uint16_t hashes[16];
    for (std::size_t at = line_size; unit.page + at != from; at += line_size) {
        hash_words(unit.page + at, hashes);
        v16::enter_words(hashes, at, state);
    }
}

/// Looks for the sources of each line; false when the unit is given up. `HasBase`: as scalar::searcher.
template <page_level Level, bool HasBase>
PAGEFOLD_TARGET_V16 bool search_unit(const unit_view& unit, workspace& state) noexcept {
    constexpr settings level = settings_of(Level);
    search_state search = first_state<HasBase>();
    [[maybe_unused]] bool is_primed = false;
    begin_search(unit, state);
    for (std::size_t line = 0; line != lines; ++line) {
        const std::uint8_t* const from = unit.page + unit.base + line * line_size;
        if (is_zero(from) || (!HasBase && unit.base == 0 && line == 0)) {
            const bool is_in_base = HasBase && search.running == unit_size && is_zero(from - unit_size);
            take_line(line, differing(from, zero_line), search.running, is_in_base ? 0 : 15, search, state);
            continue;
        }
        if constexpr (HasBase) {
            const std::uint64_t changed = differing(from, from - unit_size);
            if (ones64(changed) <= level.keep_limit) {
                take_line(line, changed, unit_size, 0, search, state);
                search.recent[line & 1] = unit_size;
                continue;
            }
        }
        const unsigned guess = search.recent[line & 1];
        const std::uint64_t differs = differing(from, from - guess);
        if (ones64(differs) <= level.keep_limit) {
            take_line(line, differs, guess, 0, search, state);
            continue;
        }
        if (line == give_up_line && search.literals > give_up_literals && rest_is_noise(from)) {
            return false;
        }
        if constexpr (HasBase) {
            if (!is_primed) {
                is_primed = true;
                prime(unit, from, state);
            }
        }
        line_candidates candidates;
        alignas(64) std::uint16_t hashes[16];
        alignas(64) std::uint16_t others[16];
        least_of_eight least[4];
        hash_words(from, hashes);
        list_fixed(unit, line, from, search, candidates);
        if constexpr (HasBase) {
            candidates.source[base_slot] = from - unit_size;
        }
        look_up < 0, level.lookups<16 ? level.lookups : 16>(unit.page, from, hashes, state, candidates);
        if constexpr (level.lookups > 16) {
            hash_words(from - 2, others);
            look_up<16, level.lookups - 16>(unit.page, from, others, state, candidates);
        }
        score_line<fixed_slots + level.lookups>(from, candidates, least);
        take_blocks(from, line, candidates, least, search, state);
        const std::size_t at = unit.base + line * line_size;
        if (at + line_size != unit.size) { // or nothing follows
            hash_behind<0>(from, others);
            enter(hashes, others, at, state);
            if (is_text(from)) {
                hash_behind<1>(from, others);
                enter_far(others, at, state);
            }
        }
    }
    gather_literals(unit, state);
    return true;
}

// --- Packing --------------------------------------------------------------------------------------------------------

/// The 16 bytes of packed plane `plane` that `own` and the codes `split` over the planes give.
PAGEFOLD_V16 bytes16 packed_literals(bytes16 own, bytes16 split, unsigned plane) noexcept {
    const bytes16 upper = shift_left16(split, 6 - 2 * plane);
    return bit_or(own, bit_and(upper, fill8(0xc0)));
}

/// As scalar::choose_alphabet.
PAGEFOLD_V16 unsigned choose_alphabet(const workspace& state) noexcept {
    unsigned found[literal_alphabets] = {};
    for (std::size_t run = 0; run != sample_runs; ++run) {
        const std::uint8_t* const from = state.literals + sample_begin(run, state.literal_count);
        for (std::size_t i = 0; i != sample_run; i += 16) {
            const bytes16 owners = look_up_in_128(alphabets.literal_owners, load(from + i));
#pragma GCC unroll 4
            for (unsigned alphabet = 0; alphabet != literal_alphabets; ++alphabet) {
                const bytes16 own = fill8(static_cast<std::uint8_t>(1u << alphabet));
                found[alphabet] += ones(bytes_equal(bit_and(owners, own), own));
            }
        }
    }
    return best_alphabet(found);
}

/// As scalar::pack_literals.
PAGEFOLD_V16 std::uint8_t* pack_literals(workspace& state, std::uint8_t* to, unsigned& flags) noexcept {
    const std::size_t count = state.literal_count;
    const unsigned alphabet = count < min_packed_literals ? literal_alphabets : choose_alphabet(state);
    if (alphabet == literal_alphabets) {
        return nullptr;
    }
    const std::uint8_t* const table = alphabets.literal_code[alphabet];
    std::uint8_t* escape = state.escapes;
    for (std::size_t i = 0; i < count; i += 16) {
        const bytes16 v = load(state.literals + i);
        const bytes16 codes = look_up_in_128(table, v);
        store(state.codes + i, codes);
        const unsigned own = count - i >= 16 ? 0xffff : (1u << (count - i)) - 1;
        escape = put_gathered(escape, v, bytes_equal(codes, zero()) & own);
    }
    const auto escapes = static_cast<std::size_t>(escape - state.escapes);
    if (!is_worth_packing(count, escapes)) {
        return nullptr;
    }
    flags |= literals_packed | alphabet << alphabet_shift;
    fill_bytes(state.codes + count, 0, 16);
    const std::size_t plane = packed_plane(count);
    for (unsigned k = 0; k != 3; ++k, to += plane) {
        for (std::size_t i = 0; i < plane; i += 16) {
            store(to + i, packed_literals(load(state.codes + k * plane + i), load(state.codes + 3 * plane + i), k));
        }
    }
    copy_bytes(to, state.escapes, escapes);
    return to + escapes;
}

/// Moves the bytes of `from` that are not zero to `to`, and notes in `bitmap` where they stood; `count` is a multiple of
/// 16.
PAGEFOLD_V16 std::uint8_t* list_nonzero(const std::uint8_t* from, std::size_t count, std::uint8_t* to,
                                        std::uint8_t* bitmap) noexcept {
    for (std::size_t i = 0; i != count; i += 16) {
        const bytes16 v = load(from + i);
        const unsigned mask = 0xffff & ~bytes_equal(v, zero());
        bitmap[i / 8] = static_cast<std::uint8_t>(mask);
        bitmap[i / 8 + 1] = static_cast<std::uint8_t>(mask >> 8);
        to = put_gathered(to, v, mask);
    }
    return to;
}

/// As scalar::put_sparse; zeros follow the bytes up to a multiple of 16.
PAGEFOLD_V16 std::uint8_t* put_sparse(const std::uint8_t* from, std::size_t count, std::uint8_t* to,
                                      unsigned sparse_flag, unsigned& flags) noexcept {
    std::uint8_t bitmap[blocks / 8 + 1];
    std::uint8_t* const end = list_nonzero(from, round_up(count, 16), to, bitmap);
    const std::size_t bitmap_size = ceil_div(count, 8);
    if (static_cast<std::size_t>(end - to) + bitmap_size < count) {
        flags |= sparse_flag;
        copy_bytes(end, bitmap, bitmap_size);
        return end + bitmap_size;
    }
    copy_bytes(to, from, count);
    return to + count;
}

/// Codes of lags; a lag's low three bits go to the top.
PAGEFOLD_V16 bytes16 lag_codes(bytes16 lags, unsigned rotate) noexcept {
    return bit_or(shift_right16(lags, 3), shift_left16(bit_and(lags, fill16(7)), rotate));
}

/// As scalar::put_lags.
PAGEFOLD_V16 std::uint8_t* put_lags(const workspace& state, bool is_wide, std::uint8_t* to, std::uint8_t* choices,
                                    unsigned& flags) noexcept {
    alignas(16) std::uint8_t tops[blocks + 32];
    std::uint8_t* top = tops;
    const unsigned rotate = lag_bits(is_wide) - 3;
    const auto* const lags = state.lags + 32;
    for (std::size_t i = 0; i != blocks; i += 16) {
        const bytes16 first = load(lags + i);
        const bytes16 second = load(lags + i + 8);
        const bytes16 same = low_bytes(equal16(first, load(lags + i - 1)), equal16(second, load(lags + i + 7)));
        const unsigned listed = 0xffff & ~mask_of(same);
        choices[i / 8] = static_cast<std::uint8_t>(listed);
        choices[i / 8 + 1] = static_cast<std::uint8_t>(listed >> 8);
        const bytes16 code0 = lag_codes(first, rotate);
        const bytes16 code1 = lag_codes(second, rotate);
        to = put_gathered(to, low_bytes(code0, code1), listed);
        top = put_gathered(top, high_bytes(code0, code1), listed);
    }
    const auto count = static_cast<std::size_t>(top - tops);
    store(top, zero());
    store(top + 16, zero());
    if (!is_wide) {
        for (std::size_t i = 0; i < count; i += 16) { // nibbles together, in place
            store_half(tops + i / 2, join_nibbles(load(tops + i)));
        }
        store(tops + (count + 1) / 2, zero());
    }
    return put_sparse(tops, lag_tops_size(count, is_wide), to, lag_tops_sparse, flags);
}

// A mask's code is found by a perfect hash: the exclusive or of a number that its low half has and one of its high half.
// That made of any other byte a code whose symbol is not it.
struct mask_hash_tables {
    alignas(16) std::uint8_t low[16] = {10, 1, 13, 3, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 9, 5};
    alignas(16) std::uint8_t high[16] = {11, 3, 0, 7, 0, 0, 15, 9, 11, 0, 0, 0, 13, 0, 1, 10};
    alignas(16) std::uint8_t code[16] = {};
    alignas(16) std::uint8_t symbol[16] = {};

    constexpr mask_hash_tables() noexcept {
        for (unsigned k = 0; k < 15; ++k) {
            const unsigned at = low[mask_alphabet[k] & 15] ^ high[mask_alphabet[k] >> 4];
            code[at] = static_cast<std::uint8_t>(k + 1);
            symbol[at] = mask_alphabet[k];
        }
    }
    [[nodiscard]] constexpr bool is_perfect() const noexcept {
        unsigned distinct = 0;
        for (const std::uint8_t c : code) {
            distinct += c != 0 ? 1u : 0u;
        }
        return distinct == 15;
    }
};
inline constexpr mask_hash_tables mask_hash{};
static_assert(mask_hash.is_perfect());

PAGEFOLD_V16 bytes16 mask_codes(bytes16 v) noexcept {
    const bytes16 low_half = fill8(15);
    const bytes16 hash = bit_xor(shuffle(load(mask_hash.low), bit_and(v, low_half)),
                                 shuffle(load(mask_hash.high), bit_and(shift_right16(v, 4), low_half)));
    return bit_and(shuffle(load(mask_hash.code), hash), equal8(shuffle(load(mask_hash.symbol), hash), v));
}

/// As scalar::put_mask_codes; 32 zeros follow the listed masks.
PAGEFOLD_V16 std::uint8_t* put_mask_codes(const std::uint8_t* listed, std::size_t count, std::uint8_t* to,
                                          unsigned& flags) noexcept {
    if (count >= min_packed_masks) {
        alignas(16) std::uint8_t codes[groups / 2 + 16];
        alignas(16) std::uint8_t escapes[groups + 16];
        std::uint8_t* escape = escapes;
        for (std::size_t i = 0; i < count; i += 16) {
            const bytes16 v = load(listed + i);
            const bytes16 code = mask_codes(v);
            const unsigned own = count - i >= 16 ? 0xffff : (1u << (count - i)) - 1;
            escape = put_gathered(escape, v, bytes_equal(code, zero()) & own);
            store_half(codes + i / 2, join_nibbles(code));
        }
        const auto escaped = static_cast<std::size_t>(escape - escapes);
        if (is_mask_packing_worth(count, escaped)) {
            flags |= masks_packed;
            copy_bytes(to, escapes, escaped);
            copy_bytes(to + escaped, codes, (count + 1) / 2);
            return to + escaped + (count + 1) / 2;
        }
    }
    copy_bytes(to, listed, count);
    return to + count;
}

PAGEFOLD_V16 bool has_full_masks(const std::uint8_t* masks) noexcept {
    unsigned empty = 0;
    unsigned full = 0;
    for (std::size_t i = 0; i != groups; i += 16) {
        empty += ones(bytes_equal(load(masks + i), zero()));
        full += ones(bytes_equal(load(masks + i), fill8(0xff)));
    }
    return full > empty;
}

PAGEFOLD_V16 std::uint8_t* put_masks(workspace& state, std::uint8_t* to, std::uint8_t* marks,
                                     unsigned& flags) noexcept {
    auto* const masks = reinterpret_cast<std::uint8_t*>(state.masks);
    if (has_full_masks(masks)) {
        flags |= masks_inverted;
        for (std::size_t i = 0; i != groups; i += 16) {
            store(masks + i, bit_xor(load(masks + i), fill8(0xff)));
        }
    }
    std::uint8_t* const end = list_nonzero(masks, groups, state.listed, marks);
    store(end, zero());
    return put_mask_codes(state.listed, static_cast<std::size_t>(end - state.listed), to, flags);
}

/// What follows the literals, which end at `to`; returns the stream's end.
PAGEFOLD_V16 std::uint8_t* put_rest(workspace& state, bool is_wide, unsigned flags, std::uint8_t* to) noexcept {
    alignas(16) std::uint8_t marks[marks_size];
    alignas(16) std::uint8_t choices[choices_size];
    to = put_lags(state, is_wide, to, choices, flags);
    to = put_masks(state, to, marks, flags);
    copy_bytes(choices + blocks / 8, state.zeros, blocks / 8);
    to = put_sparse(choices, choices_size, to, choices_sparse, flags);
    to = put_sparse(marks, marks_size, to, marks_sparse, flags);
    *to++ = static_cast<std::uint8_t>(flags);
    return to;
}

/// Compresses a unit. Returns the stream's length, or 0 when there is none shorter than the unit.
template <page_level Level, bool HasBase = false>
PAGEFOLD_TARGET_V16 std::size_t compress(const unit_view& unit, std::uint8_t* out, workspace& state) noexcept {
    if (!search_unit<Level, HasBase>(unit, state)) {
        return 0;
    }
    unsigned flags = 0;
    std::uint8_t* end = pack_literals(state, out, flags);
    if (end == nullptr) {
        copy_bytes(out, state.literals, state.literal_count);
        end = out + state.literal_count;
    }
    const auto size = static_cast<std::size_t>(put_rest(state, unit.is_wide(), flags, end) - out);
    return size < unit_size ? size : 0;
}

// --- Unpacking ------------------------------------------------------------------------------------------------------
// Loads of 16 bytes that begin within or right behind a section stay in the stream: bytes_behind_literals.

/// Spreads listed bytes to where the bits of `bitmap` are set, `count` (a multiple of 16) places; the others get 0.
PAGEFOLD_V16 void spread_listed(const std::uint8_t* from, const std::uint8_t* bitmap, std::size_t count,
                                std::uint8_t* to) noexcept {
    for (std::size_t i = 0; i != count; i += 16) {
        store(to + i, take_spread(from, bitmap[i / 8] | unsigned{bitmap[i / 8 + 1]} << 8));
    }
}

/// As scalar::get_sparse, for sections that 16 bytes may be read behind; `to` has room for a multiple of 16.
[[nodiscard]] PAGEFOLD_V16 bool get_sparse(backward_reader& in, std::size_t count, bool is_sparse,
                                           std::uint8_t* to) noexcept {
    if (!is_sparse) {
        const std::uint8_t* const from = in.take(count);
        if (from != nullptr) {
            copy_bytes(to, from, count);
        }
        return from != nullptr;
    }
    alignas(16) std::uint8_t bitmap[blocks / 8] = {};
    const std::size_t bitmap_size = ceil_div(count, 8);
    const std::uint8_t* const from = in.take(bitmap_size);
    if (from == nullptr) {
        return false;
    }
    copy_bytes(bitmap, from, bitmap_size);
    const bool has_padding_set = count % 8 != 0 && bitmap[bitmap_size - 1] >> count % 8 != 0;
    unsigned set = 0;
    for (std::size_t i = 0; i < bitmap_size; i += 8) {
        set += ones64(load_word(bitmap + i));
    }
    const std::uint8_t* const listed = in.take(set);
    if (has_padding_set || listed == nullptr) {
        return false;
    }
    spread_listed(listed, bitmap, round_up(count, 16), to);
    return true;
}

PAGEFOLD_V16 unsigned count_bits(const std::uint8_t* from, std::size_t size) noexcept {
    unsigned count = 0;
    for (std::size_t i = 0; i != size; i += 8) {
        count += ones64(load_word(from + i));
    }
    return count;
}

/// As scalar::get_mask_codes, but null only for a bad stream.
[[nodiscard]] PAGEFOLD_V16 const std::uint8_t* get_mask_codes(backward_reader& in, std::size_t count, bool is_packed,
                                                              std::uint8_t* listed) noexcept {
    if (!is_packed) {
        return in.take(count);
    }
    const std::uint8_t* const codes = in.take((count + 1) / 2);
    if (codes == nullptr || (count % 2 != 0 && codes[count / 2] >> 4 != 0)) {
        return nullptr;
    }
    const bytes16 symbols = load(alphabets.mask_symbol);
    unsigned escapes = 0;
    for (std::size_t i = 0; i < count; i += 16) { // symbols, and 0 for the escapes
        const bytes16 code = split_nibbles(load_half(codes + i / 2));
        const bytes16 symbol = shuffle(symbols, code);
        store(listed + i, symbol);
        const unsigned own = count - i >= 16 ? 0xffff : (1u << (count - i)) - 1;
        escapes += ones(bytes_equal(symbol, zero()) & own);
    }
    const std::uint8_t* escape = in.take(escapes);
    if (escape == nullptr) {
        return nullptr;
    }
    for (std::size_t i = 0; i < count; i += 16) {
        const bytes16 symbol = load(listed + i);
        const unsigned own = count - i >= 16 ? 0xffff : (1u << (count - i)) - 1;
        store(listed + i, bit_or(symbol, take_spread(escape, bytes_equal(symbol, zero()) & own)));
    }
    return listed;
}

[[nodiscard]] PAGEFOLD_V16 bool get_masks(backward_reader& in, const std::uint8_t* marks, unsigned flags,
                                          std::uint8_t* masks, workspace& state) noexcept {
    const std::uint8_t* const listed =
        get_mask_codes(in, count_bits(marks, marks_size), (flags & masks_packed) != 0, state.listed);
    if (listed == nullptr) {
        return false;
    }
    spread_listed(listed, marks, groups, masks);
    if ((flags & masks_inverted) != 0) {
        for (std::size_t i = 0; i != groups; i += 16) {
            store(masks + i, bit_xor(load(masks + i), fill8(0xff)));
        }
    }
    return true;
}

PAGEFOLD_V16 bytes16 lags_of(bytes16 codes, unsigned rotate, bytes16 all_bits) noexcept {
    return bit_or(bit_and(shift_left16(codes, 3), all_bits), shift_right16(codes, rotate));
}

/// The low and high bytes of the lags, the first running lag in front.
struct lag_bytes {
    alignas(16) std::uint8_t low[16 + blocks + 32];
    alignas(16) std::uint8_t high[16 + blocks + 32];
};

[[nodiscard]] PAGEFOLD_V16 bool get_lags(backward_reader& in, std::size_t count, bool is_wide, bool is_sparse,
                                         lag_bytes& lags) noexcept {
    alignas(16) std::uint8_t tops[blocks + 32];
    const std::size_t tops_size = lag_tops_size(count, is_wide);
    if (!get_sparse(in, tops_size, is_sparse, tops) || (!is_wide && count % 2 != 0 && tops[tops_size - 1] >> 4 != 0)) {
        return false;
    }
    const std::uint8_t* const lows = in.take(count);
    if (lows == nullptr) {
        return false;
    }
    lags.low[15] = first_lag;
    lags.high[15] = 0;
    const unsigned rotate = lag_bits(is_wide) - 3;
    const bytes16 all = fill16(static_cast<std::uint16_t>((1u << lag_bits(is_wide)) - 1));
    for (std::size_t i = 0; i < count; i += 16) {
        const bytes16 top = is_wide ? load(tops + i) : split_nibbles(load_half(tops + i / 2));
        const bytes16 low = load(lows + i);
        const bytes16 lag0 = lags_of(interleave_low(low, top), rotate, all);
        const bytes16 lag1 = lags_of(interleave_high(low, top), rotate, all);
        store(lags.low + 16 + i, low_bytes(lag0, lag1));
        store(lags.high + 16 + i, high_bytes(lag0, lag1));
    }
    return true;
}

/// Where in the page each block's prediction lies, its own place standing for zeros; false when a lag leads outside.
[[nodiscard]] PAGEFOLD_V16 bool find_sources(const std::uint8_t* choices, const lag_bytes& lags, std::size_t base,
                                             std::uint16_t* sources) noexcept {
    const std::uint8_t* low = lags.low + 15;
    const std::uint8_t* high = lags.high + 15;
    alignas(16) static constexpr std::uint16_t first_places[8] = {0, 16, 32, 48, 64, 80, 96, 112};
    bytes16 place = add16(load(first_places), fill16(static_cast<std::uint16_t>(base)));
    bytes16 wrong = zero();
    for (std::size_t i = 0; i != blocks / 8; ++i) {
        const unsigned news = choices[i];
        const bytes16 zeros = load_half(shuffles.set[choices[blocks / 8 + i]]);
        const bytes16 indices = bit_or(load_half(shuffles.rank[news]), zeros);
        const bytes16 lag = interleave_low(shuffle(load(low), indices), shuffle(load(high), indices));
        low += ones(news);
        high += ones(news);
        const bytes16 source = subtract_to_zero16(place, lag);
        const bytes16 is_zero = interleave_low(zeros, zeros);
        const bytes16 is_short = equal16(min16(lag, fill16(min_lag - 1)), lag);
        const bytes16 is_long = bit_xor(add16(source, lag), place);
        wrong = bit_or(wrong, bit_or(is_long, and_not(is_zero, is_short)));
        store(sources + 8 * i, source);
        place = add16(place, fill16(128));
    }
    return is_all_zero(wrong);
}

/// Splits the planes of packed literals into codes, 16 more than there are.
PAGEFOLD_V16 void split_planes(const std::uint8_t* from, std::size_t plane, std::uint8_t* codes) noexcept {
    const bytes16 six_bits = fill8(63);
    for (unsigned k = 0; k != 3; ++k) { // a plane's last vector runs over into the next, written later
        for (std::size_t i = 0; i < plane; i += 16) {
            store(codes + k * plane + i, bit_and(load(from + k * plane + i), six_bits));
        }
    }
    for (std::size_t i = 0; i < plane; i += 16) {
        const bytes16 first = bit_and(shift_right16(load(from + i), 6), fill8(3));
        const bytes16 second = bit_and(shift_right16(load(from + plane + i), 4), fill8(12));
        const bytes16 third = bit_and(shift_right16(load(from + 2 * plane + i), 2), fill8(48));
        store(codes + 3 * plane + i, bit_or(bit_or(first, second), third));
    }
}

PAGEFOLD_V16 bool is_padding_clear(const std::uint8_t* codes, std::size_t begin, std::size_t end) noexcept {
    unsigned any = 0;
    for (; begin != end; ++begin) {
        any |= codes[begin];
    }
    return any == 0;
}

/// As scalar::unpack_literals; `to` has room for 64 more than a unit.
[[nodiscard]] PAGEFOLD_V16 bool unpack_literals(const std::uint8_t* from, std::size_t size, std::size_t count,
                                                unsigned alphabet, std::uint8_t* to, workspace& state) noexcept {
    const std::size_t plane = packed_plane(count);
    if (count < min_packed_literals || size < 3 * plane) {
        return false;
    }
    split_planes(from, plane, state.codes);
    if (!is_padding_clear(state.codes, count, 4 * plane)) {
        return false;
    }
    const std::uint8_t* escape = from + 3 * plane;
    const std::uint8_t* const end = from + size;
    const std::uint8_t* const table = alphabets.literal_symbol[alphabet];
    for (std::size_t i = 0; i < count; i += 16) {
        const bytes16 codes = load(state.codes + i);
        const unsigned own = count - i >= 16 ? 0xffff : (1u << (count - i)) - 1;
        const unsigned escaped = bytes_equal(codes, zero()) & own;
        if (escape > end) {
            return false;
        }
        store(to + i, bit_or(look_up_in_64(table, codes), take_spread(escape, escaped)));
    }
    return escape == end;
}

/// They don't overlap.
PAGEFOLD_V16 void copy_line(std::uint8_t* to, const std::uint8_t* from) noexcept {
    const bytes16 a = load(from), b = load(from + 16), c = load(from + 32), d = load(from + 48);
    store(to, a);
    store(to + 16, b);
    store(to + 32, c);
    store(to + 48, d);
}

/// What the sections of a unit say, when all of it has been checked.
struct parts_of_unit {
    unsigned flags;
    std::size_t literal_count;
    const std::uint8_t* literals;
    alignas(64) std::uint64_t masks[lines];
    alignas(16) std::uint16_t sources[blocks];

    [[nodiscard]] const std::uint8_t* mask_bytes() const noexcept {
        return reinterpret_cast<const std::uint8_t*>(masks);
    }
};

/// Builds a block of its parts; what is behind its literals. Each half takes its literals by a load of its own, which takes
/// fewer instructions than one load for both.
[[nodiscard]] PAGEFOLD_V16 const std::uint8_t* build_block(const std::uint8_t* literals, const std::uint8_t* masks,
                                                           std::size_t source_at, const std::uint8_t* zeros,
                                                           std::uint8_t* page, std::size_t place) noexcept {
    const std::uint8_t* const predicted = page + source_at;
    const std::uint8_t* const source = source_at == place ? zeros : predicted;
    const std::uint8_t* const upper = literals + ones64(masks[0]);
    const bytes16 indices = load_halves(shuffles.spread[masks[0]], shuffles.spread_upper[masks[1]]);
    store(page + place, select(indices, load(source), shuffle(load_halves(literals, upper), indices)));
    return upper + ones64(masks[1]);
}

/// Builds the unit of its parts. `zeros` are 16 bytes.
PAGEFOLD_V16 void build(const parts_of_unit& parts, const std::uint8_t* zeros, std::uint8_t* page,
                        std::size_t base) noexcept {
    const std::uint8_t* literals = parts.literals;
    for (std::size_t block = 0; block != blocks; ++block) {
        literals = build_block(literals, parts.mask_bytes() + 2 * block, parts.sources[block], zeros, page,
                               base + block * block_size);
    }
}

/// The same of a unit of a wide page. A line without literals whose blocks all have one lag is copied: most are, of a page that
/// is little changed from its base (page_delta.hpp).
PAGEFOLD_V16 void build_wide(const parts_of_unit& parts, const std::uint8_t* zeros, std::uint8_t* page,
                             std::size_t base) noexcept {
    const std::uint8_t* literals = parts.literals;
    for (std::size_t line = 0; line != lines; ++line) {
        const std::uint16_t* const own = parts.sources + 4 * line;
        const std::size_t place = base + line * line_size;
        if (parts.masks[line] == 0 && is_line_whole(own, place)) {
            copy_line(page + place, page + own[0]);
            continue;
        }
        for (std::size_t block = 0; block != 4; ++block) {
            literals = build_block(literals, parts.mask_bytes() + 8 * line + 2 * block, own[block], zeros, page,
                                   place + block * block_size);
        }
    }
}

/// Builds two pages of one unit each, a block of one and a block of the other: where a block waits for the one that it
/// is predicted from, the other page's go on.
PAGEFOLD_V16 void build_pair(const parts_of_unit& first, const parts_of_unit& second, const std::uint8_t* zeros,
                             std::uint8_t* first_page, std::uint8_t* second_page) noexcept {
    const std::uint8_t* first_literals = first.literals;
    const std::uint8_t* second_literals = second.literals;
    for (std::size_t block = 0; block != blocks; ++block) {
        first_literals = build_block(first_literals, first.mask_bytes() + 2 * block, first.sources[block], zeros,
                                     first_page, block * block_size);
        second_literals = build_block(second_literals, second.mask_bytes() + 2 * block, second.sources[block], zeros,
                                      second_page, block * block_size);
    }
}

/// What all sections but the literals' say.
[[nodiscard]] PAGEFOLD_V16 bool get_parts(backward_reader& in, std::size_t base, bool is_wide, parts_of_unit& parts,
                                          workspace& state) noexcept {
    alignas(16) std::uint8_t marks[marks_size];
    alignas(16) std::uint8_t choices[choices_size];
    lag_bytes lags;
    const std::uint8_t* const last = in.take(1);
    if (last == nullptr || !are_flags_known(*last)) {
        return false;
    }
    parts.flags = *last;
    auto* const masks = reinterpret_cast<std::uint8_t*>(parts.masks);
    if (!scalar::get_sparse(in, marks_size, (parts.flags & marks_sparse) != 0, marks) ||
        !scalar::get_sparse(in, choices_size, (parts.flags & choices_sparse) != 0, choices) ||
        !get_masks(in, marks, parts.flags, masks, state) ||
        !get_lags(in, count_bits(choices, blocks / 8), is_wide, (parts.flags & lag_tops_sparse) != 0, lags) ||
        !find_sources(choices, lags, base, parts.sources)) {
        return false;
    }
    parts.literal_count = count_bits(masks, groups);
    return true;
}

/// Reads all sections of a unit; literals that are packed go to `unpacked`, which has room for 64 more than a unit.
[[nodiscard]] PAGEFOLD_V16 bool read_unit(const std::uint8_t* stream, std::size_t size, std::size_t base, bool is_wide,
                                          parts_of_unit& parts, std::uint8_t* unpacked, workspace& state) noexcept {
    backward_reader in{stream, size};
    if (!get_parts(in, base, is_wide, parts, state)) {
        return false;
    }
    const bool is_packed = (parts.flags & literals_packed) != 0;
    parts.literals = is_packed ? unpacked : in.begin();
    return is_packed
               ? unpack_literals(in.begin(), in.left(), parts.literal_count, alphabet_of(parts.flags), unpacked, state)
               : parts.literal_count == in.left();
}

/// Fills page[base, base + 4096) from a unit's stream, or says that it is none. Reads nothing outside of it.
[[nodiscard]] PAGEFOLD_TARGET_V16 inline bool decompress(const std::uint8_t* stream, std::size_t size,
                                                         std::uint8_t* page, std::size_t base, bool is_wide,
                                                         workspace& state) noexcept {
    parts_of_unit parts;
    if (!read_unit(stream, size, base, is_wide, parts, state.literals, state)) {
        return false;
    }
    store(state.zero_block, zero());
    if (is_wide) {
        build_wide(parts, state.zero_block, page, base);
    } else {
        build(parts, state.zero_block, page, base);
    }
    return true;
}

/// Two pages of one unit each, each as by decompress.
PAGEFOLD_TARGET_V16 inline void decompress_pair(unit_to_read (&units)[2], workspace& state) noexcept {
    parts_of_unit parts[2];
    for (std::size_t i = 0; i != 2; ++i) {
        units[i].is_good =
            read_unit(units[i].stream, units[i].size, 0, false, parts[i], literals_of_unit(i, state), state);
    }
    store(state.zero_block, zero());
    if (units[0].is_good && units[1].is_good) {
        build_pair(parts[0], parts[1], state.zero_block, units[0].page, units[1].page);
        return;
    }
    for (std::size_t i = 0; i != 2; ++i) {
        if (units[i].is_good) {
            build(parts[i], state.zero_block, units[i].page, 0);
        }
    }
}

} // namespace pagefold::page_coding::v16

#endif
