// SPDX-License-Identifier: MIT
#pragma once

// The operations on 16 bytes that vectors16.hpp is made of, in SSE4.2.

#include <pagefold/config/macros.hpp>

#if PAGEFOLD_HAS_X86_VECTORS

#include <pagefold/compress/page/workspace.hpp>

#include <cstddef>
#include <cstdint>

// GCC 12 takes the undefined values of its own intrinsics for ours; clang knows no warning of that name.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

namespace pagefold::inline PAGEFOLD_ABI::page_coding::v16 {

using bytes16 = __m128i;

PAGEFOLD_V16 bytes16 load(const void* from) noexcept { return _mm_loadu_si128(static_cast<const __m128i*>(from)); }
PAGEFOLD_V16 void store(void* to, bytes16 v) noexcept { _mm_storeu_si128(static_cast<__m128i*>(to), v); }
/// 8 bytes in the lower half, zeros above.
PAGEFOLD_V16 bytes16 load_half(const void* from) noexcept { return _mm_loadl_epi64(static_cast<const __m128i*>(from)); }
PAGEFOLD_V16 void store_half(void* to, bytes16 v) noexcept { _mm_storel_epi64(static_cast<__m128i*>(to), v); }
PAGEFOLD_V16 bytes16 join_halves(bytes16 low, bytes16 high) noexcept { return _mm_unpacklo_epi64(low, high); }
/// 8 bytes for each half: one load fewer through the shuffles than joining two, which compilers don't see.
PAGEFOLD_V16 bytes16 load_halves(const void* low, const void* high) noexcept {
    return _mm_castps_si128(_mm_loadh_pi(_mm_castsi128_ps(load_half(low)), static_cast<const __m64*>(high)));
}
/// The upper half in the lower.
PAGEFOLD_V16 bytes16 upper_half(bytes16 v) noexcept { return _mm_unpackhi_epi64(v, v); }

PAGEFOLD_V16 bytes16 zero() noexcept { return _mm_setzero_si128(); }
PAGEFOLD_V16 bytes16 fill8(std::uint8_t value) noexcept { return _mm_set1_epi8(static_cast<char>(value)); }
PAGEFOLD_V16 bytes16 fill16(std::uint16_t value) noexcept { return _mm_set1_epi16(static_cast<short>(value)); }

PAGEFOLD_V16 bytes16 bit_and(bytes16 a, bytes16 b) noexcept { return _mm_and_si128(a, b); }
PAGEFOLD_V16 bytes16 bit_or(bytes16 a, bytes16 b) noexcept { return _mm_or_si128(a, b); }
PAGEFOLD_V16 bytes16 bit_xor(bytes16 a, bytes16 b) noexcept { return _mm_xor_si128(a, b); }
PAGEFOLD_V16 bytes16 and_not(bytes16 a, bytes16 b) noexcept { return _mm_andnot_si128(a, b); } // b without a
/// Bytes of `a` where those of `mask` have their top bit set, else of `b`.
PAGEFOLD_V16 bytes16 select(bytes16 mask, bytes16 a, bytes16 b) noexcept { return _mm_blendv_epi8(b, a, mask); }
PAGEFOLD_V16 bool is_all_zero(bytes16 v) noexcept { return _mm_testz_si128(v, v) != 0; }

PAGEFOLD_V16 bytes16 equal8(bytes16 a, bytes16 b) noexcept { return _mm_cmpeq_epi8(a, b); }
/// Of signed bytes.
PAGEFOLD_V16 bytes16 greater8(bytes16 a, bytes16 b) noexcept { return _mm_cmpgt_epi8(a, b); }
PAGEFOLD_V16 bytes16 equal16(bytes16 a, bytes16 b) noexcept { return _mm_cmpeq_epi16(a, b); }
PAGEFOLD_V16 bytes16 equal32(bytes16 a, bytes16 b) noexcept { return _mm_cmpeq_epi32(a, b); }
/// A bit a byte, of bytes that are all ones or zero.
PAGEFOLD_V16 unsigned mask_of(bytes16 v) noexcept { return static_cast<unsigned>(_mm_movemask_epi8(v)); }
PAGEFOLD_V16 unsigned ones(std::uint32_t x) noexcept { return static_cast<unsigned>(_mm_popcnt_u32(x)); }
PAGEFOLD_V16 unsigned ones64(std::uint64_t x) noexcept { return static_cast<unsigned>(_mm_popcnt_u64(x)); }

PAGEFOLD_V16 bytes16 add8(bytes16 a, bytes16 b) noexcept { return _mm_add_epi8(a, b); }
PAGEFOLD_V16 bytes16 subtract8(bytes16 a, bytes16 b) noexcept { return _mm_sub_epi8(a, b); }
PAGEFOLD_V16 unsigned sum_of_bytes(bytes16 v) noexcept {
    const __m128i sums = _mm_sad_epu8(v, _mm_setzero_si128());
    return static_cast<unsigned>(_mm_cvtsi128_si32(sums) + _mm_extract_epi16(sums, 4));
}
PAGEFOLD_V16 bytes16 add16(bytes16 a, bytes16 b) noexcept { return _mm_add_epi16(a, b); }
PAGEFOLD_V16 bytes16 min16(bytes16 a, bytes16 b) noexcept { return _mm_min_epu16(a, b); }
PAGEFOLD_V16 bytes16 subtract_to_zero16(bytes16 a, bytes16 b) noexcept { return _mm_subs_epu16(a, b); }
PAGEFOLD_V16 bytes16 shift_left16(bytes16 v, unsigned count) noexcept {
    return _mm_sll_epi16(v, _mm_cvtsi32_si128(static_cast<int>(count)));
}
PAGEFOLD_V16 bytes16 shift_right16(bytes16 v, unsigned count) noexcept {
    return _mm_srl_epi16(v, _mm_cvtsi32_si128(static_cast<int>(count)));
}

/// Bytes of `table` by index; 0 for indices from 0x80 on.
PAGEFOLD_V16 bytes16 shuffle(bytes16 table, bytes16 indices) noexcept { return _mm_shuffle_epi8(table, indices); }
PAGEFOLD_V16 bytes16 interleave_low(bytes16 a, bytes16 b) noexcept { return _mm_unpacklo_epi8(a, b); }
PAGEFOLD_V16 bytes16 interleave_high(bytes16 a, bytes16 b) noexcept { return _mm_unpackhi_epi8(a, b); }
/// The low bytes of the 16-bit lanes of both.
PAGEFOLD_V16 bytes16 low_bytes(bytes16 a, bytes16 b) noexcept {
    const __m128i low = _mm_set1_epi16(0xff);
    return _mm_packus_epi16(_mm_and_si128(a, low), _mm_and_si128(b, low));
}
PAGEFOLD_V16 bytes16 high_bytes(bytes16 a, bytes16 b) noexcept {
    return _mm_packus_epi16(_mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8));
}
/// 16 values of 4 bits in 8 bytes, the first one low, and back.
PAGEFOLD_V16 bytes16 join_nibbles(bytes16 v) noexcept {
    const __m128i pairs = _mm_maddubs_epi16(v, _mm_set1_epi16(0x1001));
    return _mm_packus_epi16(pairs, pairs);
}
PAGEFOLD_V16 bytes16 split_nibbles(bytes16 half) noexcept {
    const __m128i pairs = _mm_cvtepu8_epi16(half);
    return _mm_and_si128(_mm_or_si128(pairs, _mm_slli_epi16(pairs, 4)), _mm_set1_epi8(15));
}

/// Bytes of a table of 64 by index, 0 to 63: four shuffles, chosen among by bits 4 and 5.
PAGEFOLD_V16 bytes16 look_up_in_64(const std::uint8_t* table, bytes16 indices) noexcept {
    const __m128i bit4 = _mm_slli_epi16(indices, 3);
    const __m128i low = select(bit4, shuffle(load(table + 16), indices), shuffle(load(table), indices));
    const __m128i high = select(bit4, shuffle(load(table + 48), indices), shuffle(load(table + 32), indices));
    return select(_mm_slli_epi16(indices, 2), high, low);
}
/// Of a table of 128; 0 for indices from 128 on.
PAGEFOLD_V16 bytes16 look_up_in_128(const std::uint8_t* table, bytes16 indices) noexcept {
    return select(_mm_slli_epi16(indices, 1), look_up_in_64(table + 64, indices), look_up_in_64(table, indices));
}

/// The hashes of eight words.
PAGEFOLD_V16 bytes16 hashes_of(bytes16 first, bytes16 second) noexcept {
    const __m128i factor = _mm_set1_epi32(static_cast<int>(hash_factor));
    return _mm_packus_epi32(_mm_srli_epi32(_mm_mullo_epi32(first, factor), 32 - hash_bits),
                            _mm_srli_epi32(_mm_mullo_epi32(second, factor), 32 - hash_bits));
}

// 16-bit units of two candidates are compared with the block's, and squeezed into one vector by saturation; the sum of
// absolute differences from all ones is then both scores.
PAGEFOLD_V16 bytes16 score_pair(bytes16 block, const std::uint8_t* first, const std::uint8_t* second) noexcept {
    const __m128i units = _mm_packs_epi16(equal8(block, load(first)), equal8(block, load(second)));
    return _mm_sad_epu8(units, _mm_set1_epi8(-1));
}
/// The scores of eight candidates for the block at `offset` of a line.
PAGEFOLD_V16 bytes16 score_eight(bytes16 block, std::size_t offset, const std::uint8_t* const* source) noexcept {
    const __m128i pair0 = score_pair(block, source[0] + offset, source[4] + offset);
    const __m128i pair1 = score_pair(block, source[1] + offset, source[5] + offset);
    const __m128i pair2 = score_pair(block, source[2] + offset, source[6] + offset);
    const __m128i pair3 = score_pair(block, source[3] + offset, source[7] + offset);
    return _mm_or_si128(_mm_or_si128(pair0, _mm_slli_epi64(pair1, 16)),
                        _mm_or_si128(_mm_slli_epi64(pair2, 32), _mm_slli_epi64(pair3, 48)));
}

/// The least of eight 16-bit keys and the first place it has.
using least_of_eight = __m128i;
PAGEFOLD_V16 least_of_eight find_least(bytes16 keys) noexcept { return _mm_minpos_epu16(keys); }
PAGEFOLD_V16 unsigned key_of(least_of_eight least) noexcept {
    return static_cast<std::uint32_t>(_mm_cvtsi128_si32(least)) & 0xffff;
}
PAGEFOLD_V16 unsigned place_of(least_of_eight least) noexcept {
    return static_cast<std::uint32_t>(_mm_cvtsi128_si32(least)) >> 16;
}

} // namespace pagefold::page_coding::v16

#endif
