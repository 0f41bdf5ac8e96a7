// SPDX-License-Identifier: MIT
#pragma once

// The operations on 16 bytes that vectors16.hpp is made of, in AArch64's NEON. What each does is written in sse42.hpp.

#include <pagefold/config/macros.hpp>

#if PAGEFOLD_HAS_NEON

#include <pagefold/compress/page/workspace.hpp>

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI::page_coding::v16 {

using bytes16 = uint8x16_t;

PAGEFOLD_V16 bytes16 as_bytes(uint16x8_t v) noexcept { return vreinterpretq_u8_u16(v); }
PAGEFOLD_V16 uint16x8_t as_16(bytes16 v) noexcept { return vreinterpretq_u16_u8(v); }
PAGEFOLD_V16 uint32x4_t as_32(bytes16 v) noexcept { return vreinterpretq_u32_u8(v); }

PAGEFOLD_V16 bytes16 load(const void* from) noexcept { return vld1q_u8(static_cast<const std::uint8_t*>(from)); }
PAGEFOLD_V16 void store(void* to, bytes16 v) noexcept { vst1q_u8(static_cast<std::uint8_t*>(to), v); }
PAGEFOLD_V16 bytes16 load_half(const void* from) noexcept {
    return vcombine_u8(vld1_u8(static_cast<const std::uint8_t*>(from)), vdup_n_u8(0));
}
PAGEFOLD_V16 void store_half(void* to, bytes16 v) noexcept { vst1_u8(static_cast<std::uint8_t*>(to), vget_low_u8(v)); }
PAGEFOLD_V16 bytes16 join_halves(bytes16 low, bytes16 high) noexcept {
    return vcombine_u8(vget_low_u8(low), vget_low_u8(high));
}
PAGEFOLD_V16 bytes16 load_halves(const void* low, const void* high) noexcept {
    return vcombine_u8(vld1_u8(static_cast<const std::uint8_t*>(low)), vld1_u8(static_cast<const std::uint8_t*>(high)));
}
PAGEFOLD_V16 bytes16 upper_half(bytes16 v) noexcept { return vextq_u8(v, v, 8); }

PAGEFOLD_V16 bytes16 zero() noexcept { return vdupq_n_u8(0); }
PAGEFOLD_V16 bytes16 fill8(std::uint8_t value) noexcept { return vdupq_n_u8(value); }
PAGEFOLD_V16 bytes16 fill16(std::uint16_t value) noexcept { return as_bytes(vdupq_n_u16(value)); }

PAGEFOLD_V16 bytes16 bit_and(bytes16 a, bytes16 b) noexcept { return vandq_u8(a, b); }
PAGEFOLD_V16 bytes16 bit_or(bytes16 a, bytes16 b) noexcept { return vorrq_u8(a, b); }
PAGEFOLD_V16 bytes16 bit_xor(bytes16 a, bytes16 b) noexcept { return veorq_u8(a, b); }
PAGEFOLD_V16 bytes16 and_not(bytes16 a, bytes16 b) noexcept { return vbicq_u8(b, a); }
PAGEFOLD_V16 bytes16 select(bytes16 mask, bytes16 a, bytes16 b) noexcept {
    return vbslq_u8(vreinterpretq_u8_s8(vshrq_n_s8(vreinterpretq_s8_u8(mask), 7)), a, b);
}
PAGEFOLD_V16 bool is_all_zero(bytes16 v) noexcept { return vmaxvq_u32(as_32(v)) == 0; }

PAGEFOLD_V16 bytes16 equal8(bytes16 a, bytes16 b) noexcept { return vceqq_u8(a, b); }
PAGEFOLD_V16 bytes16 greater8(bytes16 a, bytes16 b) noexcept {
    return vcgtq_s8(vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b));
}
PAGEFOLD_V16 bytes16 equal16(bytes16 a, bytes16 b) noexcept { return as_bytes(vceqq_u16(as_16(a), as_16(b))); }
PAGEFOLD_V16 bytes16 equal32(bytes16 a, bytes16 b) noexcept {
    return vreinterpretq_u8_u32(vceqq_u32(as_32(a), as_32(b)));
}
PAGEFOLD_V16 unsigned mask_of(bytes16 v) noexcept {
    alignas(16) static constexpr std::uint8_t bits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    bytes16 sums = vandq_u8(v, vld1q_u8(bits));
    sums = vpaddq_u8(sums, sums);
    sums = vpaddq_u8(sums, sums);
    sums = vpaddq_u8(sums, sums);
    return vgetq_lane_u16(as_16(sums), 0);
}
PAGEFOLD_V16 unsigned ones64(std::uint64_t x) noexcept { return static_cast<unsigned>(__builtin_popcountll(x)); }
PAGEFOLD_V16 unsigned ones(std::uint32_t x) noexcept { return ones64(x); }

PAGEFOLD_V16 bytes16 add8(bytes16 a, bytes16 b) noexcept { return vaddq_u8(a, b); }
PAGEFOLD_V16 bytes16 subtract8(bytes16 a, bytes16 b) noexcept { return vsubq_u8(a, b); }
PAGEFOLD_V16 unsigned sum_of_bytes(bytes16 v) noexcept { return vaddlvq_u8(v); }
PAGEFOLD_V16 bytes16 add16(bytes16 a, bytes16 b) noexcept { return as_bytes(vaddq_u16(as_16(a), as_16(b))); }
PAGEFOLD_V16 bytes16 min16(bytes16 a, bytes16 b) noexcept { return as_bytes(vminq_u16(as_16(a), as_16(b))); }
PAGEFOLD_V16 bytes16 subtract_to_zero16(bytes16 a, bytes16 b) noexcept {
    return as_bytes(vqsubq_u16(as_16(a), as_16(b)));
}
PAGEFOLD_V16 bytes16 shift_left16(bytes16 v, unsigned count) noexcept {
    return as_bytes(vshlq_u16(as_16(v), vdupq_n_s16(static_cast<std::int16_t>(count))));
}
PAGEFOLD_V16 bytes16 shift_right16(bytes16 v, unsigned count) noexcept {
    return as_bytes(vshlq_u16(as_16(v), vdupq_n_s16(static_cast<std::int16_t>(-static_cast<int>(count)))));
}

PAGEFOLD_V16 bytes16 shuffle(bytes16 table, bytes16 indices) noexcept { return vqtbl1q_u8(table, indices); }
PAGEFOLD_V16 bytes16 interleave_low(bytes16 a, bytes16 b) noexcept { return vzip1q_u8(a, b); }
PAGEFOLD_V16 bytes16 interleave_high(bytes16 a, bytes16 b) noexcept { return vzip2q_u8(a, b); }
PAGEFOLD_V16 bytes16 low_bytes(bytes16 a, bytes16 b) noexcept { return vuzp1q_u8(a, b); }
PAGEFOLD_V16 bytes16 high_bytes(bytes16 a, bytes16 b) noexcept { return vuzp2q_u8(a, b); }
PAGEFOLD_V16 bytes16 join_nibbles(bytes16 v) noexcept {
    return vorrq_u8(vuzp1q_u8(v, v), vshlq_n_u8(vuzp2q_u8(v, v), 4));
}
PAGEFOLD_V16 bytes16 split_nibbles(bytes16 half) noexcept {
    return vzip1q_u8(vandq_u8(half, vdupq_n_u8(15)), vshrq_n_u8(half, 4));
}

PAGEFOLD_V16 bytes16 look_up_in_64(const std::uint8_t* table, bytes16 indices) noexcept {
    return vqtbl4q_u8(vld1q_u8_x4(table), indices);
}
PAGEFOLD_V16 bytes16 look_up_in_128(const std::uint8_t* table, bytes16 indices) noexcept {
    return vqtbx4q_u8(look_up_in_64(table, indices), vld1q_u8_x4(table + 64), veorq_u8(indices, vdupq_n_u8(64)));
}

PAGEFOLD_V16 bytes16 hashes_of(bytes16 first, bytes16 second) noexcept {
    const uint32x4_t factor = vdupq_n_u32(hash_factor);
    const uint32x4_t low = vshrq_n_u32(vmulq_u32(as_32(first), factor), 32 - hash_bits);
    const uint32x4_t high = vshrq_n_u32(vmulq_u32(as_32(second), factor), 32 - hash_bits);
    return as_bytes(vcombine_u16(vmovn_u32(low), vmovn_u32(high)));
}

/// A candidate's score in sums of 16-bit units.
PAGEFOLD_V16 uint16x8_t score_units(bytes16 block, const std::uint8_t* candidate) noexcept {
    const bytes16 weights = as_bytes(vdupq_n_u16(high_differs << 8 | low_differs));
    return vpaddlq_u8(vbicq_u8(weights, vceqq_u8(block, load(candidate))));
}
PAGEFOLD_V16 bytes16 score_eight(bytes16 block, std::size_t offset, const std::uint8_t* const* source) noexcept {
    const auto pair = [&](unsigned k) {
        return vpaddq_u16(score_units(block, source[k] + offset), score_units(block, source[k + 1] + offset));
    };
    return as_bytes(vpaddq_u16(vpaddq_u16(pair(0), pair(2)), vpaddq_u16(pair(4), pair(6))));
}

struct least_of_eight {
    unsigned key;
    unsigned place;
};
PAGEFOLD_V16 least_of_eight find_least(bytes16 keys) noexcept {
    const std::uint16_t key = vminvq_u16(as_16(keys));
    const uint8x8_t found = vmovn_u16(vceqq_u16(as_16(keys), vdupq_n_u16(key)));
    const std::uint64_t places = vget_lane_u64(vreinterpret_u64_u8(found), 0);
    return {key, static_cast<unsigned>(__builtin_ctzll(places)) / 8};
}
PAGEFOLD_V16 unsigned key_of(least_of_eight least) noexcept { return least.key; }
PAGEFOLD_V16 unsigned place_of(least_of_eight least) noexcept { return least.place; }

} // namespace pagefold::page_coding::v16

#endif
