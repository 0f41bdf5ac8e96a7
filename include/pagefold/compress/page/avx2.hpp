// SPDX-License-Identifier: MIT
#pragma once

// The page codec in vectors of 256 bits: lines are scored and literals coded two blocks at a time; what works by tables of
// masks, eight bytes at a time, is sse42's.

#include <pagefold/config/macros.hpp>

#if PAGEFOLD_HAS_X86_VECTORS

#include <pagefold/compress/page/vectors16.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI::page_coding::avx2 {

PAGEFOLD_AVX2 __m256i load(const void* from) noexcept { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
PAGEFOLD_AVX2 void store(void* to, __m256i v) noexcept { _mm256_storeu_si256(static_cast<__m256i*>(to), v); }
/// The same 16 bytes in both halves.
PAGEFOLD_AVX2 __m256i load_twice(const void* from) noexcept { return _mm256_broadcastsi128_si256(v16::load(from)); }
PAGEFOLD_AVX2 std::uint32_t bytes_equal(__m256i a, __m256i b) noexcept {
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, b)));
}
PAGEFOLD_AVX2 std::uint8_t* put_gathered(std::uint8_t* to, __m256i v, std::uint32_t mask) noexcept {
    to = v16::put_gathered(to, _mm256_castsi256_si128(v), mask & 0xffff);
    return v16::put_gathered(to, _mm256_extracti128_si256(v, 1), mask >> 16);
}

// --- Search ---------------------------------------------------------------------------------------------------------

/// Both scores of two blocks, for two candidates.
PAGEFOLD_AVX2 __m256i score_pair(__m256i half, const std::uint8_t* first, const std::uint8_t* second) noexcept {
    const __m256i units =
        _mm256_packs_epi16(_mm256_cmpeq_epi8(half, load(first)), _mm256_cmpeq_epi8(half, load(second)));
    return _mm256_sad_epu8(units, _mm256_set1_epi8(-1));
}
/// The scores of eight candidates for the two blocks at `offset`.
PAGEFOLD_AVX2 __m256i score_eight(__m256i half, std::size_t offset, const std::uint8_t* const* source) noexcept {
    const __m256i pair0 = score_pair(half, source[0] + offset, source[4] + offset);
    const __m256i pair1 = score_pair(half, source[1] + offset, source[5] + offset);
    const __m256i pair2 = score_pair(half, source[2] + offset, source[6] + offset);
    const __m256i pair3 = score_pair(half, source[3] + offset, source[7] + offset);
    return _mm256_or_si256(_mm256_or_si256(pair0, _mm256_slli_epi64(pair1, 16)),
                           _mm256_or_si256(_mm256_slli_epi64(pair2, 32), _mm256_slli_epi64(pair3, 48)));
}

template <unsigned Slots>
PAGEFOLD_AVX2 void score_line(const std::uint8_t* from, const v16::line_candidates& candidates,
                              __m128i (&least)[4]) noexcept {
#pragma GCC unroll 2
    for (unsigned half = 0; half != 2; ++half) {
        const __m256i own = load(from + 32 * half);
        __m256i keys = _mm256_set1_epi16(-1);
#pragma GCC unroll 5
        for (unsigned group = 0; group != Slots / 8; ++group) {
            const __m256i scores = score_eight(own, 32 * half, candidates.source + 8 * group);
            const __m256i offsets = _mm256_broadcastsi128_si256(v16::key_offsets(group));
            keys = _mm256_min_epu16(keys, _mm256_add_epi16(_mm256_slli_epi16(scores, 3), offsets));
        }
        least[2 * half] = _mm_minpos_epu16(_mm256_castsi256_si128(keys));
        least[2 * half + 1] = _mm_minpos_epu16(_mm256_extracti128_si256(keys, 1));
    }
}

/// The hashes of 16 words.
PAGEFOLD_AVX2 void put_hashes(__m256i first, __m256i second, std::uint16_t* hashes) noexcept {
    const __m256i factor = _mm256_set1_epi32(static_cast<int>(hash_factor));
    const __m256i low = _mm256_srli_epi32(_mm256_mullo_epi32(first, factor), 32 - hash_bits);
    const __m256i high = _mm256_srli_epi32(_mm256_mullo_epi32(second, factor), 32 - hash_bits);
    store(hashes, _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), 0xd8));
}
PAGEFOLD_AVX2 void hash_words(const std::uint8_t* from, std::uint16_t* hashes) noexcept {
    put_hashes(load(from), load(from + 32), hashes);
}
template <unsigned Turn>
PAGEFOLD_AVX2 void hash_behind(const std::uint8_t* from, std::uint16_t* hashes) noexcept {
    constexpr int two = words_with(2, Turn);
    constexpr int three = words_with(3, Turn);
    const __m256i some = _mm256_blend_epi32(load(from + 1), load(from + 2), two & 0xff);
    const __m256i more = _mm256_blend_epi32(load(from + 33), load(from + 34), two >> 8);
    put_hashes(_mm256_blend_epi32(some, load(from + 3), three & 0xff),
               _mm256_blend_epi32(more, load(from + 35), three >> 8), hashes);
}

/// A bit for each byte of the line that differs from `source`.
PAGEFOLD_AVX2 std::uint64_t differing(const std::uint8_t* from, const std::uint8_t* source) noexcept {
    return ~(std::uint64_t{bytes_equal(load(from), load(source))} |
             std::uint64_t{bytes_equal(load(from + 32), load(source + 32))} << 32);
}
PAGEFOLD_AVX2 bool is_zero(const std::uint8_t* from) noexcept {
    const __m256i any = _mm256_or_si256(load(from), load(from + 32));
    return _mm256_testz_si256(any, any) != 0;
}

/// As scalar::kept_lines.
[[nodiscard]] PAGEFOLD_TARGET_AVX2 inline unsigned kept_lines(const std::uint8_t* pair) noexcept {
    unsigned kept = 0;
    for (const std::uint8_t* line = pair; line != pair + unit_size; line += line_size) {
        kept += v16::ones64(differing(line, line + unit_size)) <= most_changed ? 1u : 0u;
    }
    return kept;
}

PAGEFOLD_AVX2 bool is_text(const std::uint8_t* from) noexcept {
    const __m256i others = _mm256_set1_epi8(first_text_byte - 1); // signed: bytes from 0x80 on are less
    const auto first = static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpgt_epi8(load(from), others)));
    const auto second = static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpgt_epi8(load(from + 32), others)));
    return v16::ones(first) + v16::ones(second) >= min_text_bytes;
}

PAGEFOLD_AVX2 unsigned sum_of_bytes(__m256i v) noexcept {
    return v16::sum_of_bytes(_mm256_castsi256_si128(v)) + v16::sum_of_bytes(_mm256_extracti128_si256(v, 1));
}

/// As v16::rest_is_noise.
PAGEFOLD_AVX2 bool rest_is_noise(const std::uint8_t* from) noexcept {
    __m256i zeros = _mm256_setzero_si256();
    __m256i repeats = _mm256_setzero_si256();
    for (std::size_t line = give_up_line; line != lines; line += repeat_turn) {
#pragma GCC unroll 8
        for (std::size_t turn = 0; turn != repeat_turn; ++turn, from += line_size) {
            zeros = _mm256_sub_epi8(zeros, _mm256_cmpeq_epi32(load(from), _mm256_setzero_si256()));
            zeros = _mm256_sub_epi8(zeros, _mm256_cmpeq_epi32(load(from + 32), _mm256_setzero_si256()));
            const std::uint8_t* const half = from + repeat_begin(turn);
            static_assert(repeat_size == 32);
            repeats = _mm256_sub_epi8(repeats, _mm256_cmpeq_epi8(load(half), load(half - repeat_lag(turn))));
        }
    }
    return is_noise(avx2::sum_of_bytes(zeros) / 4, (lines - give_up_line) * line_size / 4, avx2::sum_of_bytes(repeats));
}

/// Enters the words of the lines behind the base's first one, up to the line at `from`, into an empty table.
PAGEFOLD_AVX2 void prime(const unit_view& unit, const std::uint8_t* from, workspace& state) noexcept {
    for (std::size_t i = 0; i != table_size; i += 16) {
        store(state.positions + i, _mm256_set1_epi16(no_position));
    }
    alignas(64) std::uint16_t hashes[16];
    for (std::size_t at = line_size; unit.page + at != from; at += line_size) {
        hash_words(unit.page + at, hashes);
        v16::enter_words(hashes, at, state);
    }
}

/// As v16::search_unit.
template <page_level Level, bool HasBase>
PAGEFOLD_TARGET_AVX2 bool search_unit(const unit_view& unit, workspace& state) noexcept {
    constexpr settings level = settings_of(Level);
    v16::search_state search = v16::first_state<HasBase>();
    [[maybe_unused]] bool is_primed = false;
    v16::begin_search(unit, state);
    for (std::size_t line = 0; line != lines; ++line) {
        const std::uint8_t* const from = unit.page + unit.base + line * line_size;
        if (is_zero(from) || (!HasBase && unit.base == 0 && line == 0)) {
            const bool is_in_base = HasBase && search.running == unit_size && is_zero(from - unit_size);
            v16::take_line(line, differing(from, zero_line), search.running, is_in_base ? 0 : 15, search, state);
            continue;
        }
        if constexpr (HasBase) {
            const std::uint64_t changed = differing(from, from - unit_size);
            if (v16::ones64(changed) <= level.keep_limit) {
                v16::take_line(line, changed, unit_size, 0, search, state);
                search.recent[line & 1] = unit_size;
                continue;
            }
        }
        const unsigned guess = search.recent[line & 1];
        const std::uint64_t differs = differing(from, from - guess);
        if (v16::ones64(differs) <= level.keep_limit) {
            v16::take_line(line, differs, guess, 0, search, state);
            continue;
        }
        if (line == give_up_line && search.literals > give_up_literals && avx2::rest_is_noise(from)) {
            return false;
        }
        if constexpr (HasBase) {
            if (!is_primed) {
                is_primed = true;
                avx2::prime(unit, from, state);
            }
        }
        v16::line_candidates candidates;
        alignas(64) std::uint16_t hashes[16];
        alignas(64) std::uint16_t others[16];
        __m128i least[4];
        hash_words(from, hashes);
        v16::list_fixed(unit, line, from, search, candidates);
        if constexpr (HasBase) {
            candidates.source[base_slot] = from - unit_size;
        }
        v16::look_up < 0, level.lookups<16 ? level.lookups : 16>(unit.page, from, hashes, state, candidates);
        if constexpr (level.lookups > 16) {
            hash_words(from - 2, others);
            v16::look_up<16, level.lookups - 16>(unit.page, from, others, state, candidates);
        }
        avx2::score_line<fixed_slots + level.lookups>(from, candidates, least);
        v16::take_blocks(from, line, candidates, least, search, state);
        const std::size_t at = unit.base + line * line_size;
        if (at + line_size != unit.size) { // or nothing follows
            hash_behind<0>(from, others);
            v16::enter(hashes, others, at, state);
            if (is_text(from)) {
                hash_behind<1>(from, others);
                v16::enter_far(others, at, state);
            }
        }
    }
    v16::gather_literals(unit, state);
    return true;
}

// --- Packing --------------------------------------------------------------------------------------------------------

/// As v16::look_up_in_128.
PAGEFOLD_AVX2 __m256i look_up_in_128(const std::uint8_t* table, __m256i v) noexcept {
    const __m256i bit4 = _mm256_slli_epi16(v, 3);
    const __m256i bit5 = _mm256_slli_epi16(v, 2);
    const __m256i bit6 = _mm256_slli_epi16(v, 1);
    __m256i quarter[4];
#pragma GCC unroll 4
    for (unsigned i = 0; i != 4; ++i) {
        quarter[i] = _mm256_blendv_epi8(_mm256_shuffle_epi8(load_twice(table + 32 * i), v),
                                        _mm256_shuffle_epi8(load_twice(table + 32 * i + 16), v), bit4);
    }
    return _mm256_blendv_epi8(_mm256_blendv_epi8(quarter[0], quarter[1], bit5),
                              _mm256_blendv_epi8(quarter[2], quarter[3], bit5), bit6);
}

/// As scalar::choose_alphabet.
PAGEFOLD_AVX2 unsigned choose_alphabet(const workspace& state) noexcept {
    unsigned found[literal_alphabets] = {};
    for (std::size_t run = 0; run != sample_runs; ++run) {
        const std::uint8_t* const from = state.literals + sample_begin(run, state.literal_count);
        for (std::size_t i = 0; i != sample_run; i += 32) {
            const __m256i owners = avx2::look_up_in_128(alphabets.literal_owners, load(from + i));
#pragma GCC unroll 4
            for (unsigned alphabet = 0; alphabet != literal_alphabets; ++alphabet) { // its bit to the top of each byte
                const __m256i own = _mm256_slli_epi16(owners, 7 - static_cast<int>(alphabet));
                found[alphabet] += v16::ones(static_cast<std::uint32_t>(_mm256_movemask_epi8(own)));
            }
        }
    }
    return best_alphabet(found);
}

/// As scalar::pack_literals.
PAGEFOLD_AVX2 std::uint8_t* pack_literals(workspace& state, std::uint8_t* to, unsigned& flags) noexcept {
    const std::size_t count = state.literal_count;
    const unsigned alphabet = count < min_packed_literals ? literal_alphabets : avx2::choose_alphabet(state);
    if (alphabet == literal_alphabets) {
        return nullptr;
    }
    const std::uint8_t* const table = alphabets.literal_code[alphabet];
    std::uint8_t* escape = state.escapes;
    for (std::size_t i = 0; i < count; i += 32) {
        const __m256i v = load(state.literals + i);
        const __m256i codes = avx2::look_up_in_128(table, v);
        store(state.codes + i, codes);
        const std::uint32_t own = count - i >= 32 ? ~0u : (1u << (count - i)) - 1;
        escape = put_gathered(escape, v, bytes_equal(codes, _mm256_setzero_si256()) & own);
    }
    const auto escapes = static_cast<std::size_t>(escape - state.escapes);
    if (!is_worth_packing(count, escapes)) {
        return nullptr;
    }
    flags |= literals_packed | alphabet << alphabet_shift;
    fill_bytes(state.codes + count, 0, 16);
    const std::size_t plane = packed_plane(count);
    const __m256i top_two = _mm256_set1_epi8(static_cast<char>(0xc0));
    for (unsigned k = 0; k != 3; ++k, to += plane) { // a plane's last vector runs over into the next, written later
        const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(6 - 2 * k));
        for (std::size_t i = 0; i < plane; i += 32) {
            const __m256i split = _mm256_sll_epi16(load(state.codes + 3 * plane + i), shift);
            store(to + i, _mm256_or_si256(load(state.codes + k * plane + i), _mm256_and_si256(split, top_two)));
        }
    }
    copy_bytes(to, state.escapes, escapes);
    return to + escapes;
}

/// Compresses a unit. Returns the stream's length, or 0 when there is none shorter than the unit.
template <page_level Level, bool HasBase = false>
PAGEFOLD_TARGET_AVX2 std::size_t compress(const unit_view& unit, std::uint8_t* out, workspace& state) noexcept {
    if (!search_unit<Level, HasBase>(unit, state)) {
        return 0;
    }
    unsigned flags = 0;
    std::uint8_t* end = pack_literals(state, out, flags);
    if (end == nullptr) {
        copy_bytes(out, state.literals, state.literal_count);
        end = out + state.literal_count;
    }
    const auto size = static_cast<std::size_t>(v16::put_rest(state, unit.is_wide(), flags, end) - out);
    return size < unit_size ? size : 0;
}

// --- Unpacking ------------------------------------------------------------------------------------------------------

/// As v16::look_up_in_64.
PAGEFOLD_AVX2 __m256i look_up_in_64(const std::uint8_t* table, __m256i codes) noexcept {
    const __m256i bit4 = _mm256_slli_epi16(codes, 3);
    const __m256i low = _mm256_blendv_epi8(_mm256_shuffle_epi8(load_twice(table), codes),
                                           _mm256_shuffle_epi8(load_twice(table + 16), codes), bit4);
    const __m256i high = _mm256_blendv_epi8(_mm256_shuffle_epi8(load_twice(table + 32), codes),
                                            _mm256_shuffle_epi8(load_twice(table + 48), codes), bit4);
    return _mm256_blendv_epi8(low, high, _mm256_slli_epi16(codes, 2));
}

/// As v16::unpack_literals.
[[nodiscard]] PAGEFOLD_AVX2 bool unpack_literals(const std::uint8_t* from, std::size_t size, std::size_t count,
                                                 unsigned alphabet, std::uint8_t* to, workspace& state) noexcept {
    const std::size_t plane = packed_plane(count);
    if (count < min_packed_literals || size < 3 * plane) {
        return false;
    }
    v16::split_planes(from, plane, state.codes);
    if (!v16::is_padding_clear(state.codes, count, 4 * plane)) {
        return false;
    }
    const std::uint8_t* escape = from + 3 * plane;
    const std::uint8_t* const end = from + size;
    const std::uint8_t* const table = alphabets.literal_symbol[alphabet];
    for (std::size_t i = 0; i < count; i += 32) {
        const __m256i codes = load(state.codes + i);
        const std::uint32_t own = count - i >= 32 ? ~0u : (1u << (count - i)) - 1;
        const std::uint32_t escaped = bytes_equal(codes, _mm256_setzero_si256()) & own;
        store(to + i, avx2::look_up_in_64(table, codes));
        if (escaped != 0) {
            for (unsigned half = 0; half != 2; ++half) {
                if (escape > end) {
                    return false;
                }
                std::uint8_t* const place = to + i + 16 * half;
                const __m128i spread = v16::take_spread(escape, escaped >> (16 * half) & 0xffff);
                v16::store(place, _mm_or_si128(v16::load(place), spread));
            }
        }
    }
    return escape == end;
}

/// As v16::read_unit.
[[nodiscard]] PAGEFOLD_AVX2 bool read_unit(const std::uint8_t* stream, std::size_t size, std::size_t base, bool is_wide,
                                           v16::parts_of_unit& parts, std::uint8_t* unpacked,
                                           workspace& state) noexcept {
    backward_reader in{stream, size};
    if (!v16::get_parts(in, base, is_wide, parts, state)) {
        return false;
    }
    const bool is_packed = (parts.flags & literals_packed) != 0;
    parts.literals = is_packed ? unpacked : in.begin();
    return is_packed ? avx2::unpack_literals(in.begin(), in.left(), parts.literal_count, alphabet_of(parts.flags),
                                             unpacked, state)
                     : parts.literal_count == in.left();
}

/// Fills page[base, base + 4096) from a unit's stream, or says that it is none. Reads nothing outside of it.
[[nodiscard]] PAGEFOLD_TARGET_AVX2 inline bool decompress(const std::uint8_t* stream, std::size_t size,
                                                          std::uint8_t* page, std::size_t base, bool is_wide,
                                                          workspace& state) noexcept {
    v16::parts_of_unit parts;
    if (!avx2::read_unit(stream, size, base, is_wide, parts, state.literals, state)) {
        return false;
    }
    v16::store(state.zero_block, v16::zero());
    if (is_wide) {
        v16::build_wide(parts, state.zero_block, page, base);
    } else {
        v16::build(parts, state.zero_block, page, base);
    }
    return true;
}

/// As v16::decompress_pair.
PAGEFOLD_TARGET_AVX2 inline void decompress_pair(unit_to_read (&units)[2], workspace& state) noexcept {
    v16::parts_of_unit parts[2];
    for (std::size_t i = 0; i != 2; ++i) {
        units[i].is_good =
            avx2::read_unit(units[i].stream, units[i].size, 0, false, parts[i], literals_of_unit(i, state), state);
    }
    v16::store(state.zero_block, v16::zero());
    if (units[0].is_good && units[1].is_good) {
        v16::build_pair(parts[0], parts[1], state.zero_block, units[0].page, units[1].page);
        return;
    }
    for (std::size_t i = 0; i != 2; ++i) {
        if (units[i].is_good) {
            v16::build(parts[i], state.zero_block, units[i].page, 0);
        }
    }
}

} // namespace pagefold::page_coding::avx2

#endif
