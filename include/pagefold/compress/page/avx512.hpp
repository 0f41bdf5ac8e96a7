// SPDX-License-Identifier: MIT
#pragma once

// The page codec with AVX-512: a line is one vector, and vpcompressb and vpexpandb move bytes together and apart, 64 at a
// time. Candidates are scored in 256-bit halves as AVX2 does it: compares into mask registers would have to be turned back
// into vectors. Loads near the end of a stream are masked, so that nothing outside is read.

#include <pagefold/config/macros.hpp>

#if PAGEFOLD_HAS_X86_VECTORS

#include <pagefold/compress/page/avx2.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI::page_coding::avx512 {

PAGEFOLD_AVX512 __m512i load(const void* from) noexcept { return _mm512_loadu_si512(from); }
PAGEFOLD_AVX512 void store(void* to, __m512i v) noexcept { _mm512_storeu_si512(to, v); }
PAGEFOLD_AVX512 unsigned ones64(std::uint64_t x) noexcept { return static_cast<unsigned>(_mm_popcnt_u64(x)); }
/// The first `count` bits, all when there are more than 64.
PAGEFOLD_AVX512 std::uint64_t first_bits(std::size_t count) noexcept {
    return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}
/// The first `count` of 64 bytes; nothing behind them is touched.
PAGEFOLD_AVX512 __m512i load_first(const void* from, std::size_t count) noexcept {
    return _mm512_maskz_loadu_epi8(first_bits(count), from);
}
/// Writes the masked bytes, and up to 64 bytes past their returned end.
PAGEFOLD_AVX512 std::uint8_t* put_gathered(std::uint8_t* to, __m512i v, std::uint64_t mask) noexcept {
    store(to, _mm512_maskz_compress_epi8(mask, v));
    return to + ones64(mask);
}

// Some instructions are written in their masked form, under a mask of ones, of which compilers make the plain one. What g++'s
// own header writes for the plain form names a variable that is never set, and link-time optimisation warns of it in whoever
// links us (GCC PR105593).
inline constexpr __mmask16 all16 = 0xffff;
inline constexpr __mmask32 all32 = 0xffffffff;
inline constexpr __mmask64 all64 = ~__mmask64{0};

/// The lower byte of each 16 bits.
PAGEFOLD_AVX512 __m256i low_bytes(__m512i v) noexcept { return _mm512_maskz_cvtepi16_epi8(all32, v); }

/// Pairs of 4-bit codes, one to a byte, in bytes.
PAGEFOLD_AVX512 __m256i join_nibbles(__m512i v) noexcept {
    return low_bytes(_mm512_maddubs_epi16(v, _mm512_set1_epi16(0x1001)));
}
PAGEFOLD_AVX512 __m512i split_nibbles(__m256i pairs) noexcept {
    const __m512i wide = _mm512_cvtepu8_epi16(pairs);
    return _mm512_and_si512(_mm512_or_si512(wide, _mm512_slli_epi16(wide, 4)), _mm512_set1_epi8(15));
}

// --- Search ---------------------------------------------------------------------------------------------------------

PAGEFOLD_AVX512 void put_hashes(__m512i words, std::uint16_t* hashes) noexcept {
    const __m512i product = _mm512_mullo_epi32(words, _mm512_set1_epi32(static_cast<int>(hash_factor)));
    const __m512i hash = _mm512_maskz_srli_epi32(all16, product, 32 - hash_bits);
    avx2::store(hashes, _mm512_maskz_cvtepi32_epi16(all16, hash));
}
PAGEFOLD_AVX512 void hash_words(const std::uint8_t* from, std::uint16_t* hashes) noexcept {
    put_hashes(load(from), hashes);
}
template <unsigned Turn>
PAGEFOLD_AVX512 void hash_behind(const std::uint8_t* from, std::uint16_t* hashes) noexcept {
    const __m512i some = _mm512_mask_loadu_epi32(load(from + 1), words_with(2, Turn), from + 2);
    put_hashes(_mm512_mask_loadu_epi32(some, words_with(3, Turn), from + 3), hashes);
}

/// As scalar::kept_lines.
[[nodiscard]] PAGEFOLD_TARGET_AVX512 inline unsigned kept_lines(const std::uint8_t* pair) noexcept {
    unsigned kept = 0;
    for (const std::uint8_t* line = pair; line != pair + unit_size; line += line_size) {
        kept += ones64(_mm512_cmpneq_epi8_mask(load(line), load(line + unit_size))) <= most_changed ? 1u : 0u;
    }
    return kept;
}

PAGEFOLD_AVX512 bool is_text(__m512i line) noexcept { // signed: bytes from 0x80 on are less
    return ones64(_mm512_cmpgt_epi8_mask(line, _mm512_set1_epi8(first_text_byte - 1))) >= min_text_bytes;
}

/// Enters the words of the lines behind the base's first one, up to the line at `from`, into an empty table.
PAGEFOLD_AVX512 void prime(const unit_view& unit, const std::uint8_t* from, workspace& state) noexcept {
    for (std::size_t i = 0; i != table_size; i += 32) {
        store(state.positions + i, _mm512_set1_epi16(no_position));
    }
    alignas(64) std::uint16_t hashes[16];
    for (std::size_t at = line_size; unit.page + at != from; at += line_size) {
        hash_words(unit.page + at, hashes);
        v16::enter_words(hashes, at, state);
    }
}

/// As v16::search_unit.
template <page_level Level, bool HasBase>
PAGEFOLD_TARGET_AVX512 bool search_unit(const unit_view& unit, workspace& state) noexcept {
    constexpr settings level = settings_of(Level);
    v16::search_state search = v16::first_state<HasBase>();
    [[maybe_unused]] bool is_primed = false;
    std::uint8_t* literals = state.literals;
    state.lags[31] = first_lag;
    fill_bytes(state.zeros, 0, sizeof state.zeros);
    if (unit.base == 0) {
        for (std::size_t i = 0; i != table_size; i += 32) {
            store(state.positions + i, _mm512_set1_epi16(no_position));
        }
    }
    for (std::size_t line = 0; line != lines; ++line) {
        const std::uint8_t* const from = unit.page + unit.base + line * line_size;
        const __m512i own = load(from);
        const std::uint64_t set = _mm512_test_epi8_mask(own, own);
        if (set == 0 || (!HasBase && unit.base == 0 && line == 0)) {
            const bool is_in_base = HasBase && search.running == unit_size && avx2::is_zero(from - unit_size);
            v16::take_line(line, set, search.running, is_in_base ? 0 : 15, search, state);
            literals = put_gathered(literals, own, set);
            continue;
        }
        if constexpr (HasBase) {
            const std::uint64_t changed = _mm512_cmpneq_epi8_mask(own, load(from - unit_size));
            if (ones64(changed) <= level.keep_limit) {
                v16::take_line(line, changed, unit_size, 0, search, state);
                literals = put_gathered(literals, own, changed);
                search.recent[line & 1] = unit_size;
                continue;
            }
        }
        const unsigned guess = search.recent[line & 1];
        const std::uint64_t differs = _mm512_cmpneq_epi8_mask(own, load(from - guess));
        if (ones64(differs) <= level.keep_limit) {
            v16::take_line(line, differs, guess, 0, search, state);
            literals = put_gathered(literals, own, differs);
            continue;
        }
        if (line == give_up_line && search.literals > give_up_literals && avx2::rest_is_noise(from)) {
            return false;
        }
        if constexpr (HasBase) {
            if (!is_primed) {
                is_primed = true;
                avx512::prime(unit, from, state);
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
        literals = put_gathered(literals, own, state.masks[line]);
        const std::size_t at = unit.base + line * line_size;
        if (at + line_size != unit.size) { // or nothing follows
            hash_behind<0>(from, others);
            v16::enter(hashes, others, at, state);
            if (is_text(own)) {
                hash_behind<1>(from, others);
                v16::enter_far(others, at, state);
            }
        }
    }
    state.literal_count = static_cast<std::size_t>(literals - state.literals);
    return true;
}

// --- Packing --------------------------------------------------------------------------------------------------------

/// As v16::look_up_in_128.
PAGEFOLD_AVX512 __m512i look_up_in_128(const std::uint8_t* table, __m512i v) noexcept {
    return _mm512_maskz_permutex2var_epi8(~_mm512_movepi8_mask(v), load(table), v, load(table + 64));
}
PAGEFOLD_AVX512 __m512i mask_codes(__m512i v) noexcept {
    const std::uint8_t* const table = alphabets.mask_code;
    return _mm512_mask_mov_epi8(_mm512_permutex2var_epi8(load(table), v, load(table + 64)), _mm512_movepi8_mask(v),
                                _mm512_permutex2var_epi8(load(table + 128), v, load(table + 192)));
}

/// As scalar::choose_alphabet.
PAGEFOLD_AVX512 unsigned choose_alphabet(const workspace& state) noexcept {
    unsigned found[literal_alphabets] = {};
    static_assert(sample_run == 64);
    for (std::size_t run = 0; run != sample_runs; ++run) {
        const __m512i sample = load(state.literals + sample_begin(run, state.literal_count));
        const __m512i owners = avx512::look_up_in_128(alphabets.literal_owners, sample);
#pragma GCC unroll 4
        for (unsigned alphabet = 0; alphabet != literal_alphabets; ++alphabet) {
            const __m512i own = _mm512_set1_epi8(static_cast<char>(1u << alphabet));
            found[alphabet] += ones64(_mm512_test_epi8_mask(owners, own));
        }
    }
    return best_alphabet(found);
}

/// As scalar::pack_literals.
PAGEFOLD_AVX512 std::uint8_t* pack_literals(workspace& state, std::uint8_t* to, unsigned& flags) noexcept {
    const std::size_t count = state.literal_count;
    const unsigned alphabet = count < min_packed_literals ? literal_alphabets : avx512::choose_alphabet(state);
    if (alphabet == literal_alphabets) {
        return nullptr;
    }
    const std::uint8_t* const table = alphabets.literal_code[alphabet];
    std::uint8_t* escape = state.escapes;
    for (std::size_t i = 0; i < count; i += 64) {
        const __m512i v = load(state.literals + i);
        const __m512i codes = avx512::look_up_in_128(table, v);
        store(state.codes + i, codes);
        escape = put_gathered(escape, v, _mm512_testn_epi8_mask(codes, codes) & first_bits(count - i));
    }
    const auto escapes = static_cast<std::size_t>(escape - state.escapes);
    if (!is_worth_packing(count, escapes)) {
        return nullptr;
    }
    flags |= literals_packed | alphabet << alphabet_shift;
    fill_bytes(state.codes + count, 0, 16);
    const std::size_t plane = packed_plane(count);
    const __m512i top_two = _mm512_set1_epi8(static_cast<char>(0xc0));
    for (unsigned k = 0; k != 3; ++k, to += plane) { // a plane's last vector runs over into the next, written later
        const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(6 - 2 * k));
        for (std::size_t i = 0; i < plane; i += 64) {
            const __m512i split = _mm512_sll_epi16(load(state.codes + 3 * plane + i), shift);
            store(to + i, _mm512_or_si512(load(state.codes + k * plane + i), _mm512_and_si512(split, top_two)));
        }
    }
    copy_bytes(to, state.escapes, escapes);
    return to + escapes;
}

/// As scalar::put_sparse, of up to 256 bytes; zeros follow them up to a multiple of 64.
PAGEFOLD_AVX512 std::uint8_t* put_sparse(const std::uint8_t* from, std::size_t count, std::uint8_t* to,
                                         unsigned sparse_flag, unsigned& flags) noexcept {
    std::uint64_t bitmap[4];
    std::uint8_t* end = to;
    for (std::size_t i = 0; i < count; i += 64) {
        const __m512i v = load(from + i);
        bitmap[i / 64] = _mm512_test_epi8_mask(v, v);
        end = put_gathered(end, v, bitmap[i / 64]);
    }
    const std::size_t bitmap_size = ceil_div(count, 8);
    if (static_cast<std::size_t>(end - to) + bitmap_size < count) {
        flags |= sparse_flag;
        copy_bytes(end, bitmap, bitmap_size);
        return end + bitmap_size;
    }
    for (std::size_t i = 0; i < count; i += 64) {
        store(to + i, load(from + i));
    }
    return to + count;
}

/// As scalar::put_lags.
PAGEFOLD_AVX512 std::uint8_t* put_lags(const workspace& state, bool is_wide, std::uint8_t* to, std::uint8_t* choices,
                                       unsigned& flags) noexcept {
    alignas(64) std::uint8_t tops[blocks + 64];
    std::uint8_t* top = tops;
    const __m128i rotate = _mm_cvtsi32_si128(static_cast<int>(lag_bits(is_wide) - 3));
    const auto* const lags = state.lags + 32;
    for (std::size_t i = 0; i != blocks; i += 32) {
        const __m512i lag = load(lags + i);
        const std::uint32_t listed = _mm512_cmpneq_epi16_mask(lag, load(lags + i - 1));
        copy_bytes(choices + i / 8, &listed, sizeof listed);
        const __m512i code = _mm512_or_si512(_mm512_srli_epi16(lag, 3),
                                             _mm512_sll_epi16(_mm512_and_si512(lag, _mm512_set1_epi16(7)), rotate));
        const __m512i gathered = _mm512_maskz_compress_epi16(listed, code);
        avx2::store(to, low_bytes(gathered));
        avx2::store(top, low_bytes(_mm512_srli_epi16(gathered, 8)));
        to += v16::ones(listed);
        top += v16::ones(listed);
    }
    const auto count = static_cast<std::size_t>(top - tops);
    store(top, _mm512_setzero_si512());
    if (!is_wide) {
        for (std::size_t i = 0; i < count; i += 64) { // nibbles together, in place
            avx2::store(tops + i / 2, join_nibbles(load(tops + i)));
        }
        store(tops + (count + 1) / 2, _mm512_setzero_si512());
    }
    return put_sparse(tops, lag_tops_size(count, is_wide), to, lag_tops_sparse, flags);
}

/// As scalar::put_mask_codes; 64 zeros follow the listed masks.
PAGEFOLD_AVX512 std::uint8_t* put_mask_codes(const std::uint8_t* listed, std::size_t count, std::uint8_t* to,
                                             unsigned& flags) noexcept {
    if (count >= min_packed_masks) {
        alignas(64) std::uint8_t codes[groups / 2 + 64];
        alignas(64) std::uint8_t escapes[groups + 64];
        std::uint8_t* escape = escapes;
        for (std::size_t i = 0; i < count; i += 64) {
            const __m512i v = load(listed + i);
            const __m512i code = mask_codes(v);
            escape = put_gathered(escape, v, _mm512_testn_epi8_mask(code, code) & first_bits(count - i));
            avx2::store(codes + i / 2, join_nibbles(code));
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

PAGEFOLD_AVX512 bool has_full_masks(const std::uint64_t (&masks)[lines]) noexcept {
    unsigned not_empty = 0;
    unsigned not_full = 0;
    for (std::size_t i = 0; i != lines; i += 8) {
        const __m512i v = load(masks + i);
        not_empty += ones64(_mm512_test_epi8_mask(v, v));
        not_full += ones64(_mm512_cmpneq_epi8_mask(v, _mm512_set1_epi8(-1)));
    }
    return not_full < not_empty;
}

PAGEFOLD_AVX512 std::uint8_t* put_masks(workspace& state, std::uint8_t* to, std::uint8_t* marks,
                                        unsigned& flags) noexcept {
    __m512i inversion = _mm512_setzero_si512();
    if (has_full_masks(state.masks)) {
        flags |= masks_inverted;
        inversion = _mm512_set1_epi8(-1);
    }
    std::uint8_t* end = state.listed;
    for (std::size_t i = 0; i != lines; i += 8) {
        const __m512i v = _mm512_xor_si512(load(state.masks + i), inversion);
        const std::uint64_t listed = _mm512_test_epi8_mask(v, v);
        copy_bytes(marks + i, &listed, sizeof listed);
        end = put_gathered(end, v, listed);
    }
    store(end, _mm512_setzero_si512());
    return put_mask_codes(state.listed, static_cast<std::size_t>(end - state.listed), to, flags);
}

/// As v16::put_rest.
PAGEFOLD_AVX512 std::uint8_t* put_rest(workspace& state, bool is_wide, unsigned flags, std::uint8_t* to) noexcept {
    alignas(64) std::uint8_t marks[marks_size];
    alignas(64) std::uint8_t choices[choices_size];
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
PAGEFOLD_TARGET_AVX512 std::size_t compress(const unit_view& unit, std::uint8_t* out, workspace& state) noexcept {
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

/// As scalar::get_sparse, of up to 256 bytes; writes multiples of 64.
[[nodiscard]] PAGEFOLD_AVX512 bool get_sparse(backward_reader& in, std::size_t count, bool is_sparse,
                                              std::uint8_t* to) noexcept {
    if (!is_sparse) {
        const std::uint8_t* const from = in.take(count);
        for (std::size_t i = 0; from != nullptr && i < count; i += 64) {
            store(to + i, load_first(from + i, count - i));
        }
        return from != nullptr;
    }
    const std::size_t bitmap_size = ceil_div(count, 8);
    const std::uint8_t* const from = in.take(bitmap_size);
    if (from == nullptr) {
        return false;
    }
    alignas(32) std::uint64_t bitmap[4];
    avx2::store(bitmap, _mm256_maskz_loadu_epi8(static_cast<__mmask32>(first_bits(bitmap_size)), from));
    const std::size_t set = ones64(bitmap[0]) + ones64(bitmap[1]) + ones64(bitmap[2]) + ones64(bitmap[3]);
    const bool has_padding_set = count % 8 != 0 && from[bitmap_size - 1] >> count % 8 != 0;
    const std::uint8_t* listed = in.take(set);
    if (has_padding_set || listed == nullptr) {
        return false;
    }
    const std::uint8_t* const end = listed + set;
    for (std::size_t i = 0; i < count; i += 64) {
        const __m512i next = load_first(listed, static_cast<std::size_t>(end - listed));
        store(to + i, _mm512_maskz_expand_epi8(bitmap[i / 64], next));
        listed += ones64(bitmap[i / 64]);
    }
    return true;
}

/// Decodes packed masks to `listed`.
[[nodiscard]] PAGEFOLD_AVX512 bool unpack_masks(backward_reader& in, std::size_t count, std::uint8_t* listed) noexcept {
    const std::size_t size = (count + 1) / 2;
    const std::uint8_t* const codes = in.take(size);
    if (codes == nullptr || (count % 2 != 0 && codes[size - 1] >> 4 != 0)) {
        return false;
    }
    const __m512i symbols = _mm512_maskz_broadcast_i32x4(all16, v16::load(alphabets.mask_symbol));
    std::uint64_t escaped[groups / 64];
    std::size_t escapes = 0;
    for (std::size_t i = 0; i < count; i += 64) {
        const auto own = static_cast<__mmask32>(first_bits(size - i / 2));
        const __m512i code = split_nibbles(_mm256_maskz_loadu_epi8(own, codes + i / 2));
        store(listed + i, _mm512_shuffle_epi8(symbols, code));
        escaped[i / 64] = _mm512_testn_epi8_mask(code, code) & first_bits(count - i);
        escapes += ones64(escaped[i / 64]);
    }
    const std::uint8_t* escape = in.take(escapes);
    if (escape == nullptr) {
        return false;
    }
    const std::uint8_t* const end = escape + escapes;
    for (std::size_t i = 0; i < count; i += 64) {
        const __m512i next = load_first(escape, static_cast<std::size_t>(end - escape));
        store(listed + i, _mm512_mask_expand_epi8(load(listed + i), escaped[i / 64], next));
        escape += ones64(escaped[i / 64]);
    }
    return true;
}

/// Fills state.masks and counts their bits.
[[nodiscard]] PAGEFOLD_AVX512 bool get_masks(backward_reader& in, const std::uint8_t* marks, unsigned flags,
                                             workspace& state, std::size_t& literals) noexcept {
    std::uint64_t marked[8];
    copy_bytes(marked, marks, sizeof marked);
    std::size_t count = 0;
    for (const std::uint64_t bits : marked) {
        count += ones64(bits);
    }
    const std::uint8_t* listed = state.listed;
    if ((flags & masks_packed) != 0) {
        if (!unpack_masks(in, count, state.listed)) {
            return false;
        }
    } else if ((listed = in.take(count)) == nullptr) {
        return false;
    }
    const std::uint8_t* const end = listed + count;
    const __m512i inversion = _mm512_set1_epi8((flags & masks_inverted) != 0 ? -1 : 0);
    literals = 0;
    for (std::size_t i = 0; i != 8; ++i) {
        const __m512i next = load_first(listed, static_cast<std::size_t>(end - listed));
        store(state.masks + 8 * i, _mm512_xor_si512(_mm512_maskz_expand_epi8(marked[i], next), inversion));
        listed += ones64(marked[i]);
    }
    for (const std::uint64_t mask : state.masks) {
        literals += ones64(mask);
    }
    return true;
}

/// As v16::get_lags.
[[nodiscard]] PAGEFOLD_AVX512 bool get_lags(backward_reader& in, std::size_t count, bool is_wide, bool is_sparse,
                                            v16::lag_bytes& lags) noexcept {
    alignas(64) std::uint8_t tops[blocks + 64];
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
    const __m128i rotate = _mm_cvtsi32_si128(static_cast<int>(lag_bits(is_wide) - 3));
    const __m512i all = _mm512_set1_epi16(static_cast<short>((1u << lag_bits(is_wide)) - 1));
    for (std::size_t i = 0; i < count; i += 32) {
        const auto own = static_cast<__mmask32>(first_bits(count - i));
        const __m512i low = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(own, lows + i));
        __m512i top;
        if (is_wide) {
            top = _mm512_cvtepu8_epi16(avx2::load(tops + i));
        } else {
            const __m256i pairs = _mm256_cvtepu8_epi16(v16::load(tops + i / 2));
            const __m256i nibbles = _mm256_or_si256(pairs, _mm256_slli_epi16(pairs, 4));
            top = _mm512_cvtepu8_epi16(_mm256_and_si256(nibbles, _mm256_set1_epi8(15)));
        }
        const __m512i code = _mm512_or_si512(low, _mm512_slli_epi16(top, 8));
        const __m512i lag =
            _mm512_or_si512(_mm512_and_si512(_mm512_slli_epi16(code, 3), all), _mm512_srl_epi16(code, rotate));
        avx2::store(lags.low + 16 + i, low_bytes(lag));
        avx2::store(lags.high + 16 + i, low_bytes(_mm512_srli_epi16(lag, 8)));
    }
    return true;
}

/// As scalar::unpack_literals.
[[nodiscard]] PAGEFOLD_AVX512 bool unpack_literals(const std::uint8_t* from, std::size_t size, std::size_t count,
                                                   unsigned alphabet, workspace& state) noexcept {
    const std::size_t plane = packed_plane(count);
    if (count < min_packed_literals || size < 3 * plane) {
        return false;
    }
    std::uint8_t* const codes = state.codes;
    const __m512i six_bits = _mm512_set1_epi8(63);
    for (std::size_t i = 0; i < 3 * plane; i += 64) {
        store(codes + i, _mm512_and_si512(load_first(from + i, size - i), six_bits));
    }
    for (std::size_t i = 0; i < plane; i += 64) {
        const __m512i first = _mm512_srli_epi16(load_first(from + i, size - i), 6);
        const __m512i second = _mm512_srli_epi16(load_first(from + plane + i, size - plane - i), 4);
        const __m512i third = _mm512_srli_epi16(load_first(from + 2 * plane + i, size - 2 * plane - i), 2);
        store(codes + 3 * plane + i, _mm512_or_si512(_mm512_or_si512(_mm512_and_si512(first, _mm512_set1_epi8(3)),
                                                                     _mm512_and_si512(second, _mm512_set1_epi8(12))),
                                                     _mm512_and_si512(third, _mm512_set1_epi8(48))));
    }
    if (!v16::is_padding_clear(codes, count, 4 * plane)) {
        return false;
    }
    const __m512i symbols = load(alphabets.literal_symbol[alphabet]);
    const std::uint8_t* escape = from + 3 * plane;
    const std::uint8_t* const end = from + size;
    for (std::size_t i = 0; i < count; i += 64) {
        const __m512i code = load(codes + i);
        const std::uint64_t escaped = _mm512_testn_epi8_mask(code, code) & first_bits(count - i);
        const auto left = static_cast<std::size_t>(end - escape);
        if (ones64(escaped) > left) {
            return false;
        }
        const __m512i literal = _mm512_maskz_permutexvar_epi8(all64, code, symbols);
        store(state.literals + i, _mm512_mask_expand_epi8(literal, escaped, load_first(escape, left)));
        escape += ones64(escaped);
    }
    return escape == end;
}

/// As v16::build_block.
[[nodiscard]] PAGEFOLD_AVX512 const std::uint8_t* build_block(const std::uint8_t* literals, const std::uint8_t* masks,
                                                              std::size_t source_at, const workspace& state,
                                                              std::uint8_t* page, std::size_t place) noexcept {
    const unsigned mask = masks[0] | unsigned{masks[1]} << 8;
    const std::uint8_t* const predicted = page + source_at;
    const std::uint8_t* const source = source_at == place ? state.zero_block : predicted;
    v16::store(page + place,
               _mm_mask_expand_epi8(v16::load(source), static_cast<__mmask16>(mask), v16::load(literals)));
    return literals + v16::ones(mask);
}

/// As v16::build.
PAGEFOLD_AVX512 void build(const std::uint8_t* literals, const std::uint16_t* sources, workspace& state,
                           std::uint8_t* page, std::size_t base) noexcept {
    v16::store(state.zero_block, _mm_setzero_si128());
    const auto* const masks = reinterpret_cast<const std::uint8_t*>(state.masks);
    for (std::size_t block = 0; block != blocks; ++block) {
        literals = build_block(literals, masks + 2 * block, sources[block], state, page, base + block * block_size);
    }
}

/// As v16::build_wide.
PAGEFOLD_AVX512 void build_wide(const std::uint8_t* literals, const std::uint16_t* sources, workspace& state,
                                std::uint8_t* page, std::size_t base) noexcept {
    v16::store(state.zero_block, _mm_setzero_si128());
    const auto* const masks = reinterpret_cast<const std::uint8_t*>(state.masks);
    for (std::size_t line = 0; line != lines; ++line) {
        const std::uint16_t* const own = sources + 4 * line;
        const std::size_t place = base + line * line_size;
        if (state.masks[line] == 0 && is_line_whole(own, place)) {
            store(page + place, load(page + own[0]));
            continue;
        }
        for (std::size_t block = 0; block != 4; ++block) {
            literals = build_block(literals, masks + 8 * line + 2 * block, own[block], state, page,
                                   place + block * block_size);
        }
    }
}

/// Fills page[base, base + 4096) from a unit's stream, or says that it is none. Reads nothing outside of it.
[[nodiscard]] PAGEFOLD_TARGET_AVX512 inline bool decompress(const std::uint8_t* stream, std::size_t size,
                                                            std::uint8_t* page, std::size_t base, bool is_wide,
                                                            workspace& state) noexcept {
    backward_reader in{stream, size};
    alignas(64) std::uint8_t marks[marks_size] = {}; // all of it is written, which g++ 11 does not see at -Os
    alignas(64) std::uint8_t choices[choices_size];
    alignas(64) std::uint16_t sources[blocks];
    v16::lag_bytes lags;
    std::size_t count = 0;
    const std::uint8_t* const last = in.take(1);
    if (last == nullptr || !are_flags_known(*last)) {
        return false;
    }
    const unsigned flags = *last;
    if (!get_sparse(in, marks_size, (flags & marks_sparse) != 0, marks) ||
        !get_sparse(in, choices_size, (flags & choices_sparse) != 0, choices) ||
        !get_masks(in, marks, flags, state, count) ||
        !avx512::get_lags(in, v16::count_bits(choices, blocks / 8), is_wide, (flags & lag_tops_sparse) != 0, lags) ||
        !v16::find_sources(choices, lags, base, sources)) {
        return false;
    }
    const std::uint8_t* literals = in.begin();
    if ((flags & literals_packed) != 0) {
        if (!unpack_literals(literals, in.left(), count, alphabet_of(flags), state)) {
            return false;
        }
        literals = state.literals;
    } else if (count != in.left()) {
        return false;
    }
    if (is_wide) {
        build_wide(literals, sources, state, page, base);
    } else {
        build(literals, sources, state, page, base);
    }
    return true;
}

} // namespace pagefold::page_coding::avx512

#endif
