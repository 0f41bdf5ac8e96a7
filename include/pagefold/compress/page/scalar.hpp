// SPDX-License-Identifier: MIT
#pragma once

// The page codec in 64-bit words: what every other path must agree with, and the path of machines without vectors.
//
// A word holds a group of 8 bytes. Which of them differ from their prediction is found by carries, gathered to a mask by
// one multiplication, and counted by another. Literals move together and apart in three steps by 1, 2 and 4 bytes
// (Warren, Hacker's Delight, 7-4 and 7-5) whose masks a table holds, so that no step depends on data but by its operands.

#include <pagefold/compress/page/format.hpp>
#include <pagefold/compress/page/workspace.hpp>
#include <pagefold/core/bits.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI::page_coding::scalar {

inline constexpr std::uint64_t each_byte = 0x0101010101010101u;

/// For each mask of 8: what moves by 1, 2 and 4 bytes, and the mask's bytes.
struct move_tables {
    struct entry {
        std::uint64_t by[3];
        std::uint64_t kept;
    };
    alignas(64) entry of[256] = {};
    std::uint8_t count[256] = {}; ///< of the mask's bits

    constexpr move_tables() noexcept {
        for (unsigned mask = 0; mask < 256; ++mask) {
            entry& moves = of[mask];
            unsigned at[8] = {}; // where the byte that belongs at i stands, step by step
            unsigned set = 0;
            for (unsigned i = 0; i < 8; ++i) {
                if ((mask >> i & 1) != 0) {
                    moves.kept |= std::uint64_t{0xff} << (8 * i);
                    at[i] = i;
                    const unsigned distance = i - set++;
                    for (unsigned step = 0; step < 3; ++step) {
                        if ((distance >> step & 1) != 0) {
                            moves.by[step] |= std::uint64_t{0xff} << (8 * at[i]);
                            at[i] -= 1u << step;
                        }
                    }
                }
            }
            count[mask] = static_cast<std::uint8_t>(set);
        }
    }
};
inline constexpr move_tables moves{};

/// 0x80 in each byte that is not zero.
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::uint64_t nonzero_bytes(std::uint64_t x) noexcept {
    constexpr std::uint64_t low_seven = 0x7f * each_byte;
    return (((x & low_seven) + low_seven) | x) & ~low_seven;
}
/// The 0x80s of a word as a mask, bit i for byte i.
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE unsigned mask_of(std::uint64_t flags) noexcept {
    return static_cast<unsigned>((flags >> 7) * 0x0102040810204080u >> 56);
}
/// The masked bytes moved to the front; what follows them is zero.
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::uint64_t gather(std::uint64_t x, unsigned mask) noexcept {
    const move_tables::entry& move = moves.of[mask];
    x &= move.kept;
    for (unsigned step = 0; step != 3; ++step) {
        const std::uint64_t moved = x & move.by[step];
        x = (x ^ moved) | moved >> (8 << step);
    }
    return x;
}
/// The first bytes moved to where the mask is set; the others are undefined.
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::uint64_t spread(std::uint64_t x, const move_tables::entry& move) noexcept {
    x ^= (x ^ x << 32) & move.by[2];
    x ^= (x ^ x << 16) & move.by[1];
    x ^= (x ^ x << 8) & move.by[0];
    return x;
}

// --- Search ---------------------------------------------------------------------------------------------------------

/// The score of a block whose words differ from a candidate's by `low` and `high`.
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE unsigned score(std::uint64_t low, std::uint64_t high) noexcept {
    constexpr std::uint64_t low_bytes = 0x00ff00ff00ff00ffu;
    const std::uint64_t wrong = (nonzero_bytes(low) >> 7) + (nonzero_bytes(high) >> 7);
    const std::uint64_t even = wrong & low_bytes;
    const std::uint64_t all = even + (wrong >> 8 & low_bytes);
    static_assert(high_differs == 128 && low_differs == 127);
    return static_cast<unsigned>(((all << 7) - even) * 0x0001000100010001u >> 48);
}

/// Whether the unit is noise from `give_up_line` on, which begins at `from`.
[[nodiscard]] inline bool rest_is_noise(const std::uint8_t* from) noexcept {
    std::size_t zeros = 0;
    std::size_t repeats = 0;
    for (std::size_t turn = 0; turn != lines - give_up_line; ++turn, from += line_size) {
        for (std::size_t i = 0; i != line_size; i += 4) {
            zeros += load_word32(from + i) == 0 ? 1u : 0u;
        }
        const std::uint8_t* const half = from + repeat_begin(turn);
        std::uint64_t wrong = 0;
        for (std::size_t i = 0; i != repeat_size; i += 8) {
            wrong += nonzero_bytes(load_word(half + i) ^ load_word(half + i - repeat_lag(turn))) >> 7;
        }
        repeats += repeat_size - to_size(wrong * each_byte >> 56);
    }
    return is_noise(zeros, (lines - give_up_line) * line_size / 4, repeats);
}

/// How many bytes of a line differ.
[[nodiscard]] inline unsigned differing_bytes(const std::uint8_t* a, const std::uint8_t* b) noexcept {
    std::uint64_t wrong = 0;
    for (std::size_t i = 0; i != line_size; i += 8) {
        wrong += nonzero_bytes(load_word(a + i) ^ load_word(b + i)) >> 7;
    }
    return static_cast<unsigned>(wrong * each_byte >> 56);
}
/// How many lines of the unit behind another keep all but a few bytes of what stands there.
[[nodiscard]] inline unsigned kept_lines(const std::uint8_t* pair) noexcept {
    unsigned kept = 0;
    for (const std::uint8_t* line = pair; line != pair + unit_size; line += line_size) {
        kept += differing_bytes(line, line + unit_size) <= most_changed ? 1u : 0u;
    }
    return kept;
}

/// One unit's search. `HasBase`: the page's first unit is another page that this one is a version of, and that whoever decodes it
/// has; a line is what is there but for a few bytes wherever it can be, and the table is made of it where it is first asked.
template <bool HasBase>
class searcher {
public:
    searcher(const unit_view& unit, const settings& level, workspace& state) noexcept
        : unit_{unit}, level_{level}, state_{state} {}

    /// Fills the workspace; false when the unit is given up.
    [[nodiscard]] bool run() noexcept {
        state_.literal_count = 0;
        state_.lags[31] = first_lag;
        fill_bytes(state_.zeros, 0, sizeof state_.zeros);
        std::size_t line = 0;
        if (unit_.base == 0) {
            clear_table();
            take_zeros(line++);
        }
        for (; line != lines; ++line) {
            if (!take_line(line)) {
                return false;
            }
        }
        return true;
    }

private:
    struct candidate_set {
        const std::uint8_t* source[max_slots]; // what predicts the line's first byte
    };

    [[nodiscard]] const std::uint8_t* at(std::size_t line) const noexcept {
        return unit_.page + unit_.base + line * line_size;
    }

    [[nodiscard]] bool take_line(std::size_t line) noexcept {
        const std::uint8_t* const from = at(line);
        if (is_zero(from)) {
            if (HasBase && running_ == unit_size && is_zero(from - unit_size)) {
                take_whole(line, unit_size);
            } else {
                take_zeros(line);
            }
            return true;
        }
        if (HasBase && differing_bytes(from, from - unit_size) <= level_.keep_limit) {
            take_whole(line, unit_size);
            recent_[line & 1] = unit_size;
            return true;
        }
        if (const unsigned guess = recent_[line & 1]; differing_bytes(from, from - guess) <= level_.keep_limit) {
            take_whole(line, guess);
            return true;
        }
        if (line == give_up_line && state_.literal_count > give_up_literals && rest_is_noise(from)) {
            return false;
        }
        if (HasBase && !is_primed_) {
            is_primed_ = true;
            prime(from);
        }
        candidate_set candidates;
        list_candidates(from, candidates);
        choose(line, candidates);
        enter(line);
        return true;
    }

    [[nodiscard]] static bool is_zero(const std::uint8_t* from) noexcept {
        std::uint64_t all = 0;
        for (std::size_t i = 0; i != line_size; i += 8) {
            all |= load_word(from + i);
        }
        return all == 0;
    }
    [[nodiscard]] static bool is_text_line(const std::uint8_t* from) noexcept {
        constexpr std::uint64_t low_seven = 0x7f * each_byte;
        std::uint64_t text = 0;
        for (std::size_t i = 0; i != line_size; i += 8) {
            const std::uint64_t word = load_word(from + i);
            text += (((word & low_seven) + (0x80 - first_text_byte) * each_byte) & ~word & ~low_seven) >> 7;
        }
        return text * each_byte >> 56 >= min_text_bytes;
    }
    void list_candidates(const std::uint8_t* from, candidate_set& candidates) const noexcept {
        const auto page_at = static_cast<std::size_t>(from - unit_.page);
        candidates.source[running_slot] = from - running_;
        candidates.source[zero_slot] = zero_line;
        candidates.source[2] = from - recent_[page_at / line_size & 1];
        for (unsigned k = 0; k != 5; ++k) {
            candidates.source[3 + k] = from - (fixed_lags[k] < page_at ? fixed_lags[k] : page_at);
        }
        if (HasBase) {
            candidates.source[base_slot] = from - unit_size;
        }
        for (unsigned k = 0; k != level_.lookups; ++k) {
            const std::uint8_t* const word = from + word_offset(k);
            const std::uint8_t* const seen = unit_.page + state_.positions[hash_of(load_word32(word))];
            const std::ptrdiff_t lag = word - seen;
            candidates.source[fixed_slots + k] = from - (lag < std::ptrdiff_t{min_lag} ? std::ptrdiff_t{min_lag} : lag);
        }
    }

    void choose(std::size_t line, const candidate_set& candidates) noexcept {
        const std::uint8_t* const from = at(line);
        unsigned least[4];
        find_least(from, candidates, least);
        unsigned slot = zero_slot;
        for (std::size_t block = 0; block != 4; ++block) {
            slot = least[block] % 64;
            if (slot != zero_slot) {
                running_ = static_cast<unsigned>(from - candidates.source[slot]);
            }
            take_block(line, block, candidates.source[slot], slot == zero_slot);
        }
        if (slot != zero_slot) {
            recent_[line & 1] = running_;
        }
    }
    /// For each block the least of 64 times what a slot costs, and the slot. A slot after another, so that four blocks
    /// at a time are under way.
    PAGEFOLD_NOINLINE void find_least(const std::uint8_t* from, const candidate_set& candidates,
                                      unsigned (&least)[4]) const noexcept {
        const unsigned slots = fixed_slots + level_.lookups;
        std::uint64_t own[8];
        for (std::size_t i = 0; i != 8; ++i) {
            own[i] = load_word(from + 8 * i);
        }
        unsigned best[4] = {~0u, ~0u, ~0u, ~0u};
        for (unsigned slot = 0; slot != slots; ++slot) {
            const std::uint8_t* const source = candidates.source[slot];
            const unsigned cost = slot_cost(slot) * 64 + slot;
#pragma GCC unroll 4
            for (std::size_t block = 0; block != 4; ++block) {
                const std::uint64_t low = own[2 * block] ^ load_word(source + 16 * block);
                const std::uint64_t high = own[2 * block + 1] ^ load_word(source + 16 * block + 8);
                const unsigned key = score(low, high) * 64 + cost;
                best[block] = key < best[block] ? key : best[block];
            }
        }
        copy_bytes(least, best, sizeof best);
    }

    void clear_table() noexcept {
        for (std::uint16_t& position : state_.positions) {
            position = no_position;
        }
    }
    /// Enters the words of the lines behind the base's first one, up to the line at `from`, into an empty table.
    void prime(const std::uint8_t* from) noexcept {
        clear_table();
        const auto end = static_cast<std::size_t>(from - unit_.page);
        for (std::size_t position = line_size; position != end; position += 4) {
            enter_word(position);
        }
    }

    /// Of a line that one lag predicts.
    void take_whole(std::size_t line, unsigned lag) noexcept {
        running_ = lag;
        for (std::size_t block = 0; block != 4; ++block) {
            take_block(line, block, at(line) - lag, false);
        }
    }
    void take_zeros(std::size_t line) noexcept {
        for (std::size_t block = 0; block != 4; ++block) {
            take_block(line, block, zero_line, true);
        }
    }
    /// Notes a block's prediction and keeps what it gets wrong; `source` predicts the line.
    void take_block(std::size_t line, std::size_t block, const std::uint8_t* source, bool is_zero) noexcept {
        const std::size_t index = line * 4 + block;
        state_.lags[32 + index] = static_cast<std::uint16_t>(running_);
        state_.zeros[index / 8] =
            static_cast<std::uint8_t>(state_.zeros[index / 8] | (is_zero ? 1u << (index & 7) : 0u));
        const std::size_t offset = block * block_size;
        const unsigned low = take_group(at(line) + offset, source + offset);
        const unsigned high = take_group(at(line) + offset + 8, source + offset + 8);
        auto* const masks = reinterpret_cast<std::uint8_t*>(state_.masks);
        masks[2 * index] = static_cast<std::uint8_t>(low);
        masks[2 * index + 1] = static_cast<std::uint8_t>(high);
    }
    unsigned take_group(const std::uint8_t* from, const std::uint8_t* source) noexcept {
        const std::uint64_t word = load_word(from);
        const std::uint64_t wrong = nonzero_bytes(word ^ load_word(source));
        const unsigned mask = mask_of(wrong);
        store_word(state_.literals + state_.literal_count, gather(word, mask));
        state_.literal_count += to_size((wrong >> 7) * each_byte >> 56);
        return mask;
    }

    /// Enters the line into the table, unless nothing follows it.
    void enter(std::size_t line) noexcept {
        const std::size_t begin = unit_.base + line * line_size;
        if (begin + line_size == unit_.size) {
            return;
        }
        const bool is_text = is_text_line(at(line));
        for (unsigned k = 0; k != 16; ++k) {
            enter_word(begin + 4 * k);
            enter_word(begin + 4 * k + behind_word(k));
        }
        for (unsigned k = 0; k != 16 && is_text; ++k) {
            enter_word(begin + 4 * k + far_behind_word(k));
        }
    }
    void enter_word(std::size_t position) noexcept {
        state_.positions[hash_of(load_word32(unit_.page + position))] = static_cast<std::uint16_t>(position);
    }

    const unit_view& unit_;
    const settings& level_;
    workspace& state_;
    unsigned running_ = HasBase ? unit_size : first_lag;
    unsigned recent_[2] = {running_, running_};
    bool is_primed_ = false;
};

// --- Packing --------------------------------------------------------------------------------------------------------

/// Moves the bytes of `from` that are not zero to `to`, and notes in `bitmap` where they stood; `count` is a multiple of
/// 8. Writes up to 8 bytes past the returned end.
inline std::uint8_t* list_nonzero(const std::uint8_t* from, std::size_t count, std::uint8_t* to,
                                  std::uint8_t* bitmap) noexcept {
    for (std::size_t i = 0; i != count; i += 8) {
        const std::uint64_t word = load_word(from + i);
        const std::uint64_t set = nonzero_bytes(word);
        const unsigned mask = mask_of(set);
        bitmap[i / 8] = static_cast<std::uint8_t>(mask);
        store_word(to, gather(word, mask));
        to += (set >> 7) * each_byte >> 56;
    }
    return to;
}

/// Writes `count` bytes, sparse where that is shorter; zeros follow them up to a multiple of 8.
inline std::uint8_t* put_sparse(const std::uint8_t* from, std::size_t count, std::uint8_t* to, unsigned sparse_flag,
                                unsigned& flags) noexcept {
    std::uint8_t bitmap[blocks / 8];
    std::uint8_t* const end = list_nonzero(from, round_up(count, 8), to, bitmap);
    const std::size_t bitmap_size = ceil_div(count, 8);
    if (static_cast<std::size_t>(end - to) + bitmap_size < count) {
        flags |= sparse_flag;
        copy_bytes(end, bitmap, bitmap_size);
        return end + bitmap_size;
    }
    copy_bytes(to, from, count);
    return to + count;
}

/// The alphabet that suits a sample of the literals, or literal_alphabets when none does.
[[nodiscard]] inline unsigned choose_alphabet(const workspace& state) noexcept {
    static_assert(literal_alphabets == 4 && sample_runs * sample_run < 65536);
    std::uint64_t counts = 0; // 16 bits each
    for (std::size_t run = 0; run != sample_runs; ++run) {
        const std::uint8_t* const from = state.literals + sample_begin(run, state.literal_count);
        for (std::size_t i = 0; i != sample_run; ++i) {
            counts += alphabets.literal_owners[from[i]] * 0x0000200040008001u & 0x0001000100010001u;
        }
    }
    unsigned found[literal_alphabets];
    for (unsigned alphabet = 0; alphabet != literal_alphabets; ++alphabet) {
        found[alphabet] = static_cast<unsigned>(counts >> 16 * alphabet & 0xffff);
    }
    return best_alphabet(found);
}

/// Codes the literals to `to` when that gains enough; null when it doesn't.
inline std::uint8_t* pack_literals(workspace& state, std::uint8_t* to, unsigned& flags) noexcept {
    const std::size_t count = state.literal_count;
    const unsigned alphabet = count < min_packed_literals ? literal_alphabets : choose_alphabet(state);
    if (alphabet == literal_alphabets) {
        return nullptr;
    }
    std::size_t escapes = 0;
    for (std::size_t i = 0; i != count; ++i) {
        const std::uint8_t literal = state.literals[i];
        const std::uint8_t code = alphabets.literal_code[alphabet][literal];
        state.codes[i] = code;
        state.escapes[escapes] = literal;
        escapes += code == 0 ? 1u : 0u;
    }
    if (!is_worth_packing(count, escapes)) {
        return nullptr;
    }
    flags |= literals_packed | alphabet << alphabet_shift;
    fill_bytes(state.codes + count, 0, 16);
    const std::size_t plane = packed_plane(count);
    const std::uint8_t* const split = state.codes + 3 * plane; // the codes whose bits fill up the three planes
    for (unsigned k = 0; k != 3;
         ++k, to += plane) { // a plane's last word runs over into the next plane, not yet written
        for (std::size_t i = 0; i < plane; i += 8) {
            store_word(to + i, load_word(state.codes + k * plane + i) |
                                   (load_word(split + i) << (6 - 2 * k) & 0xc0 * each_byte));
        }
    }
    copy_bytes(to, state.escapes, escapes);
    return to + escapes;
}

inline std::uint8_t* put_literals(workspace& state, std::uint8_t* to, unsigned& flags) noexcept {
    if (std::uint8_t* const end = pack_literals(state, to, flags)) {
        return end;
    }
    copy_bytes(to, state.literals, state.literal_count);
    return to + state.literal_count;
}

/// Writes the high parts of `count` lags; zeros follow them up to a multiple of 16.
inline std::uint8_t* put_lag_tops(std::uint8_t* tops, std::size_t count, bool is_wide, std::uint8_t* to,
                                  unsigned& flags) noexcept {
    if (!is_wide) {
        for (std::size_t i = 0; i < count; i += 16) { // nibbles together, in place
            const auto pairs = [=](std::size_t at) {  // the low byte of each 16 bits: 8 nibbles from 8 bytes
                const std::uint64_t word = load_word(tops + at);
                const std::uint64_t joined = (word | word >> 4) & 0x00ff00ff00ff00ffu;
                const std::uint64_t closer = (joined | joined >> 8) & 0x0000ffff0000ffffu;
                return (closer | closer >> 16) & 0xffffffffu;
            };
            store_word(tops + i / 2, pairs(i) | pairs(i + 8) << 32);
        }
    }
    return put_sparse(tops, lag_tops_size(count, is_wide), to, lag_tops_sparse, flags);
}

/// Writes the lags that differ from the one before, and notes in `choices` which do.
inline std::uint8_t* put_lags(const workspace& state, bool is_wide, std::uint8_t* to, std::uint8_t* choices,
                              unsigned& flags) noexcept {
    std::uint8_t tops[blocks + 16];
    std::size_t count = 0;
    fill_bytes(choices, 0, blocks / 8);
    for (std::size_t block = 0; block != blocks; ++block) {
        const std::uint16_t lag = state.lags[32 + block];
        const unsigned code = lag_to_code(lag, is_wide);
        const bool is_new = lag != state.lags[31 + block];
        to[count] = static_cast<std::uint8_t>(code);
        tops[count] = static_cast<std::uint8_t>(code >> 8);
        choices[block / 8] = static_cast<std::uint8_t>(choices[block / 8] | (is_new ? 1u << (block & 7) : 0u));
        count += is_new ? 1u : 0u;
    }
    fill_bytes(tops + count, 0, 16);
    return put_lag_tops(tops, count, is_wide, to + count, flags);
}

/// Whether more groups are all literals than have none: then the masks' complements are stored.
[[nodiscard]] inline bool has_full_masks(const std::uint64_t (&masks)[lines]) noexcept {
    std::uint64_t not_empty = 0; // sums of 64 bytes of at most 64 stay within a byte
    std::uint64_t not_full = 0;
    for (const std::uint64_t mask : masks) {
        not_empty += nonzero_bytes(mask) >> 7;
        not_full += nonzero_bytes(~mask) >> 7;
    }
    const auto sum = [](std::uint64_t bytes) {
        const std::uint64_t pairs = (bytes & 0x00ff00ff00ff00ffu) + (bytes >> 8 & 0x00ff00ff00ff00ffu);
        return pairs * 0x0001000100010001u >> 48;
    };
    return sum(not_full) < sum(not_empty);
}

/// Writes the listed masks, escapes in front of codes.
inline std::uint8_t* put_mask_codes(const std::uint8_t* listed, std::size_t count, std::uint8_t* to,
                                    unsigned& flags) noexcept {
    std::size_t escapes = 0;
    for (std::size_t i = 0; i != count; ++i) {
        escapes += alphabets.mask_code[listed[i]] == 0 ? 1u : 0u;
    }
    if (!is_mask_packing_worth(count, escapes)) {
        copy_bytes(to, listed, count);
        return to + count;
    }
    flags |= masks_packed;
    std::uint8_t* const codes = to + escapes;
    for (std::size_t i = 0; i < count; i += 2) { // a zero follows the last
        const unsigned low = alphabets.mask_code[listed[i]];
        const unsigned high = alphabets.mask_code[listed[i + 1]];
        codes[i / 2] = static_cast<std::uint8_t>(low | high << 4);
    }
    for (std::size_t i = 0; i != count; ++i) {
        if (alphabets.mask_code[listed[i]] == 0) {
            *to++ = listed[i];
        }
    }
    return codes + (count + 1) / 2;
}

inline std::uint8_t* put_masks(workspace& state, std::uint8_t* to, std::uint8_t* marks, unsigned& flags) noexcept {
    auto* const masks = reinterpret_cast<std::uint8_t*>(state.masks);
    if (has_full_masks(state.masks)) {
        flags |= masks_inverted;
        for (std::uint64_t& mask : state.masks) {
            mask = ~mask;
        }
    }
    std::uint8_t* const end = list_nonzero(masks, groups, state.listed, marks);
    *end = 0;
    return put_mask_codes(state.listed, static_cast<std::size_t>(end - state.listed), to, flags);
}

/// The stream of what the search found; returns its length, which may be the page's or more.
inline std::size_t pack(workspace& state, bool is_wide, std::uint8_t* out) noexcept {
    std::uint8_t marks[marks_size];
    std::uint8_t choices[choices_size];
    unsigned flags = 0;
    std::uint8_t* to = put_literals(state, out, flags);
    to = put_lags(state, is_wide, to, choices, flags);
    to = put_masks(state, to, marks, flags);
    copy_bytes(choices + blocks / 8, state.zeros, blocks / 8);
    to = put_sparse(choices, choices_size, to, choices_sparse, flags);
    to = put_sparse(marks, marks_size, to, marks_sparse, flags);
    *to++ = static_cast<std::uint8_t>(flags);
    return static_cast<std::size_t>(to - out);
}

/// Compresses a unit. Returns the stream's length, or 0 when there is none shorter than the unit.
template <bool HasBase = false>
std::size_t compress(const unit_view& unit, const settings& level, std::uint8_t* out, workspace& state) noexcept {
    if (!searcher<HasBase>{unit, level, state}.run()) {
        return 0;
    }
    const std::size_t size = pack(state, unit.is_wide(), out);
    return size < unit_size ? size : 0;
}

// --- Unpacking ------------------------------------------------------------------------------------------------------

/// Spreads bytes to where the bits of `bitmap` are set, `count` (a multiple of 8) places; the others become zero. Reads
/// up to 8 bytes past the returned end.
inline const std::uint8_t* spread_listed(const std::uint8_t* from, const std::uint8_t* bitmap, std::size_t count,
                                         std::uint8_t* to) noexcept {
    for (std::size_t i = 0; i != count; i += 8) {
        const move_tables::entry& move = moves.of[bitmap[i / 8]];
        store_word(to + i, spread(load_word(from), move) & move.kept);
        from += moves.count[bitmap[i / 8]];
    }
    return from;
}

/// Reads a section of `count` bytes into `to`, whose size is a multiple of 8.
[[nodiscard]] inline bool get_sparse(backward_reader& in, std::size_t count, bool is_sparse,
                                     std::uint8_t* to) noexcept {
    if (!is_sparse) {
        const std::uint8_t* const from = in.take(count);
        if (from != nullptr) {
            copy_bytes(to, from, count);
        }
        return from != nullptr;
    }
    std::uint8_t bitmap[blocks / 8] = {};
    const std::size_t bitmap_size = ceil_div(count, 8);
    const std::uint8_t* const from = in.take(bitmap_size);
    if (from == nullptr) {
        return false;
    }
    copy_bytes(bitmap, from, bitmap_size);
    const bool has_padding_set = count % 8 != 0 && bitmap[bitmap_size - 1] >> count % 8 != 0;
    const std::uint8_t* const listed = in.take(count_bits(bitmap, sizeof bitmap));
    if (has_padding_set || listed == nullptr) {
        return false;
    }
    spread_listed(listed, bitmap, round_up(count, 8), to);
    return true;
}

/// Two mask codes' symbols, the first in the low byte, by their byte.
struct mask_pair_table {
    std::uint16_t of[256] = {};

    constexpr mask_pair_table() noexcept {
        for (unsigned codes = 0; codes < 256; ++codes) {
            of[codes] =
                static_cast<std::uint16_t>(alphabets.mask_symbol[codes & 15] | alphabets.mask_symbol[codes >> 4] << 8);
        }
    }
};
inline constexpr mask_pair_table mask_pairs{};

/// A bit for each of the 64 bytes at `from` that is zero, but for those from `count` on.
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::uint64_t zeros_of_64(const std::uint8_t* from, std::size_t count) noexcept {
    std::uint64_t zeros = 0;
    for (unsigned i = 0; i != 8; ++i) {
        zeros |= std::uint64_t{mask_of(~nonzero_bytes(load_word(from + 8 * i)) & 0x80 * each_byte)} << 8 * i;
    }
    return count >= 64 ? zeros : zeros & ((std::uint64_t{1} << count) - 1);
}
/// How many of `count` bytes are zero; up to 63 behind them are read.
[[nodiscard]] inline std::size_t count_zeros(const std::uint8_t* from, std::size_t count) noexcept {
    std::size_t zeros = 0;
    for (std::size_t i = 0; i < count; i += 64) {
        zeros += count_ones(zeros_of_64(from + i, count - i));
    }
    return zeros;
}
/// Puts the next of `values` in the place of each zero. No branch on data but one for 64 bytes.
inline void fill_zeros(std::uint8_t* to, std::size_t count, const std::uint8_t* values) noexcept {
    for (std::size_t i = 0; i < count; i += 64) {
        for (std::uint64_t zeros = zeros_of_64(to + i, count - i); zeros != 0; zeros &= zeros - 1) {
            to[i + trailing_zeros(zeros)] = *values++;
        }
    }
}

/// Reads `count` listed masks; 8 bytes may be read behind them.
[[nodiscard]] inline const std::uint8_t* get_mask_codes(backward_reader& in, std::size_t count, bool is_packed,
                                                        std::uint8_t* listed) noexcept {
    if (!is_packed) {
        return in.take(count);
    }
    const std::uint8_t* const codes = in.take((count + 1) / 2);
    if (codes == nullptr) {
        return nullptr;
    }
    const bool has_padding_set = count % 2 != 0 && codes[count / 2] >> 4 != 0;
    if (has_padding_set) {
        return nullptr;
    }
    for (std::size_t i = 0; i < count; i += 2) { // symbols, and 0 for the escapes
        const std::uint16_t pair = mask_pairs.of[codes[i / 2]];
        listed[i] = static_cast<std::uint8_t>(pair);
        listed[i + 1] = static_cast<std::uint8_t>(pair >> 8);
    }
    const std::uint8_t* const escapes = in.take(count_zeros(listed, count));
    if (escapes == nullptr) {
        return nullptr;
    }
    fill_zeros(listed, count, escapes);
    return listed;
}

/// Fills state.masks; returns how many literals they ask for, or more than there can be when the stream is bad.
[[nodiscard]] inline bool get_masks(backward_reader& in, const std::uint8_t* marks, unsigned flags,
                                    workspace& state) noexcept {
    const std::uint8_t* const listed =
        get_mask_codes(in, count_bits(marks, marks_size), (flags & masks_packed) != 0, state.listed);
    if (listed == nullptr) {
        return false;
    }
    spread_listed(listed, marks, groups, reinterpret_cast<std::uint8_t*>(state.masks));
    if ((flags & masks_inverted) != 0) {
        for (std::uint64_t& mask : state.masks) {
            mask = ~mask;
        }
    }
    return true;
}

/// Fills state.lags with the listed lags, from 33 on; 32 is the first running lag.
[[nodiscard]] inline bool get_lags(backward_reader& in, std::size_t count, bool is_wide, bool is_sparse,
                                   workspace& state) noexcept {
    std::uint8_t tops[blocks];
    const std::size_t tops_size = lag_tops_size(count, is_wide);
    if (!get_sparse(in, tops_size, is_sparse, tops) || (!is_wide && count % 2 != 0 && tops[tops_size - 1] >> 4 != 0)) {
        return false;
    }
    const std::uint8_t* const lows = in.take(count);
    if (lows == nullptr) {
        return false;
    }
    state.lags[32] = first_lag;
    for (std::size_t i = 0; i != count; ++i) {
        const unsigned top = is_wide ? tops[i] : tops[i / 2] >> (i & 1) * 4 & 15u;
        state.lags[33 + i] = static_cast<std::uint16_t>(code_to_lag(lows[i] | top << 8, is_wide));
    }
    return true;
}

/// Decodes `count` packed literals from the `size` bytes of their section into state.literals.
[[nodiscard]] inline bool unpack_literals(const std::uint8_t* from, std::size_t size, std::size_t count,
                                          unsigned alphabet, workspace& state) noexcept {
    const std::size_t plane = packed_plane(count);
    if (count < min_packed_literals || size < 3 * plane) {
        return false;
    }
    std::uint8_t* const codes = state.codes;
    std::uint8_t* const split = codes + 3 * plane;
    for (std::size_t i = 0; i < plane; i += 8) {
        std::uint64_t rest = 0;
        for (unsigned k = 0; k != 3; ++k) {
            rest |= (load_word(from + k * plane + i) >> 6 & 3 * each_byte) << 2 * k;
        }
        store_word(split + i, rest);
    }
    for (std::size_t i = 0; i != 3 * plane; ++i) {
        codes[i] = from[i] & 63;
    }
    fill_bytes(codes + 4 * plane, 0, 64); // or bytes that are no codes would be looked up
    for (std::size_t i = count; i != 4 * plane; ++i) {
        if (codes[i] != 0) {
            return false;
        }
    }
    const std::uint8_t* const symbols = alphabets.literal_symbol[alphabet];
    const std::uint8_t* escape = from + 3 * plane;
    const std::uint8_t* const end = from + size;
    for (std::size_t i = 0; i < count; i += 64) {
        for (std::size_t k = i; k != i + 64; ++k) {
            state.literals[k] = symbols[codes[k]];
        }
        std::uint64_t escaped = zeros_of_64(codes + i, count - i);
        if (count_ones(escaped) > static_cast<std::size_t>(end - escape)) {
            return false;
        }
        for (; escaped != 0; escaped &= escaped - 1) {
            state.literals[i + trailing_zeros(escaped)] = *escape++;
        }
    }
    return escape == end;
}

/// Whether a block at `position` of its page may be predicted from `lag` bytes before it.
[[nodiscard]] constexpr bool is_lag_valid(std::size_t lag, std::size_t position) noexcept {
    return lag >= min_lag && lag <= position;
}

/// Where the sources of all blocks lie, or false when a lag leads outside the page. Zeros are at a block's own place.
[[nodiscard]] inline bool find_sources(const std::uint8_t* choices, const workspace& state, std::size_t base,
                                       std::uint16_t* sources) noexcept {
    const std::uint16_t* lag = state.lags + 32;
    bool is_good = true;
    for (std::size_t i = 0; i != blocks / 8; ++i) {
        unsigned news = choices[i];
        unsigned zeros = choices[blocks / 8 + i];
        for (std::size_t block = 8 * i; block != 8 * i + 8; ++block, news >>= 1, zeros >>= 1) {
            const std::size_t position = base + block * block_size;
            lag += news & 1;
            const bool is_zero = (zeros & 1) != 0;
            is_good &= is_zero || is_lag_valid(*lag, position);
            sources[block] = static_cast<std::uint16_t>(position - (is_zero ? 0u : *lag));
        }
    }
    return is_good;
}

/// Builds a block from its parts, which have been checked; what is behind its literals.
[[nodiscard]] inline const std::uint8_t* build_block(const std::uint8_t* literals, const std::uint8_t* masks,
                                                     std::size_t source_at, const workspace& state, std::uint8_t* page,
                                                     std::size_t position) noexcept {
    const std::uint8_t* const predicted = page + source_at;
    const std::uint8_t* const source = source_at == position ? state.zero_block : predicted;
    const move_tables::entry& low = moves.of[masks[0]];
    const move_tables::entry& high = moves.of[masks[1]];
    const std::uint64_t guess_low = load_word(source);
    const std::uint64_t guess_high = load_word(source + 8);
    const std::uint8_t* const second = literals + moves.count[masks[0]];
    const std::uint64_t own_low = spread(load_word(literals), low);
    const std::uint64_t own_high = spread(load_word(second), high);
    store_word(page + position, guess_low ^ ((guess_low ^ own_low) & low.kept));
    store_word(page + position + 8, guess_high ^ ((guess_high ^ own_high) & high.kept));
    return second + moves.count[masks[1]];
}

/// Builds the unit from its parts. Of a wide page, a line without literals whose blocks all have one lag is copied: most are,
/// of a page that is little changed from its base (page_delta.hpp).
inline void build(const std::uint8_t* literals, const std::uint16_t* sources, workspace& state, std::uint8_t* page,
                  std::size_t base, bool is_wide) noexcept {
    fill_bytes(state.zero_block, 0, sizeof state.zero_block);
    const auto* const masks = reinterpret_cast<const std::uint8_t*>(state.masks);
    for (std::size_t line = 0; line != lines; ++line) {
        const std::uint16_t* const own = sources + 4 * line;
        const std::size_t place = base + line * line_size;
        if (is_wide && state.masks[line] == 0 && is_line_whole(own, place)) {
            copy_bytes(page + place, page + own[0], line_size);
            continue;
        }
        for (std::size_t block = 0; block != 4; ++block) {
            literals = build_block(literals, masks + 8 * line + 2 * block, own[block], state, page,
                                   place + block * block_size);
        }
    }
}

/// Fills page[base, base + 4096) from a unit's stream, or says that it is none. Reads nothing outside of it.
[[nodiscard]] inline bool decompress(const std::uint8_t* stream, std::size_t size, std::uint8_t* page, std::size_t base,
                                     bool is_wide, workspace& state) noexcept {
    backward_reader in{stream, size};
    std::uint8_t marks[marks_size];
    std::uint8_t choices[choices_size];
    std::uint16_t sources[blocks];
    const std::uint8_t* const last = in.take(1);
    if (last == nullptr || !are_flags_known(*last)) {
        return false;
    }
    const unsigned flags = *last;
    if (!get_sparse(in, marks_size, (flags & marks_sparse) != 0, marks) ||
        !get_sparse(in, choices_size, (flags & choices_sparse) != 0, choices) || !get_masks(in, marks, flags, state) ||
        !get_lags(in, count_bits(choices, blocks / 8), is_wide, (flags & lag_tops_sparse) != 0, state) ||
        !find_sources(choices, state, base, sources)) {
        return false;
    }
    const std::size_t count = count_bits(state.masks, sizeof state.masks);
    const std::uint8_t* literals = in.begin();
    if ((flags & literals_packed) != 0) {
        if (!unpack_literals(literals, in.left(), count, alphabet_of(flags), state)) {
            return false;
        }
        literals = state.literals;
    } else if (count != in.left()) {
        return false;
    }
    build(literals, sources, state, page, base, is_wide);
    return true;
}

} // namespace pagefold::page_coding::scalar
