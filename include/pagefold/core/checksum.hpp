// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>

#include <cstddef>
#include <cstdint>

// The checksum of a stored stream.
//
// What: NH (Black, Halevi, Krawczyk, Krovetz, Rogaway: "UMAC", CRYPTO 1999) over stripes of 64 bytes. Each 64-bit word is
// mixed with its lane's key, its two halves are multiplied, and the products are summed by lane; a lane's key changes from
// stripe to stripe, so that exchanged stripes are noticed. The eight sums and the length are folded at the end.
//
// Promise: for keys unknown to the data, two different streams collide with probability 2^-32 before the caller keeps
// fewer bits. The seed comes from the page's key, so that a stream found in another page's place fails as well.
// It is no defence against somebody who can write to the store's memory.
//
// Cost: the check runs on bytes that the copy has just brought into the first-level cache. 1.9 KB (a mean LZ4 page) take
// 44 ns with AVX2 found at run time (33 when built for it) and 50 to 68 with SSE2, of some 1800 for a get. CRC-32C by the crc32 instruction
// takes 73 in three streams, a folded 64-bit multiply 70 in four lanes; xxHash's XXH3 does the same work as this and adds a
// second sum that 28 kept bits don't need. The three ways below give the same value. A hosted program on x86-64 asks the
// processor for AVX2 (a load and a branch); elsewhere the compiler's target decides.

namespace pagefold {

namespace checksum_detail {

inline constexpr std::size_t stripe_size = 64;
inline constexpr std::uint64_t lane_step = 0x9e3779b97f4a7c15u;   // between the keys of neighbouring lanes
inline constexpr std::uint64_t stripe_step = 0xd1b54a32d192ed03u; // between the keys of a lane in neighbouring stripes

#if defined(__SSE2__) && PAGEFOLD_LITTLE_ENDIAN

using vector128 = std::uint64_t __attribute__((vector_size(16)));
using ints128 = int __attribute__((vector_size(16)));
using vector256 = std::uint64_t __attribute__((vector_size(32)));
using ints256 = int __attribute__((vector_size(32)));

/// Sums `count` stripes and, where `last` is not null, one more. `lanes` holds the keys and receives the sums.
inline void sum_stripes_sse2(const std::byte* from, std::size_t count, const std::byte* last,
                             std::uint64_t (&lanes)[8]) noexcept {
    vector128 sum[4], key[4];
#pragma GCC unroll 4 // whole vectors go in and out of memory one by one, so that all stay in registers between
    for (unsigned v = 0; v < 4; ++v) {
        sum[v] = vector128{};
        copy_bytes(&key[v], lanes + 2 * v, sizeof key[v]);
    }
    for (;; from += stripe_size, --count) {
        const bool in_row = count != 0;
        if (!in_row && last == nullptr) {
            break;
        }
        const std::byte* const stripe = in_row ? from : last;
#pragma GCC unroll 4
        for (unsigned v = 0; v < 4; ++v) {
            vector128 words;
            copy_bytes(&words, stripe + v * sizeof words, sizeof words);
            words ^= key[v];
            const vector128 high = words >> 32;
            sum[v] += reinterpret_cast<vector128>(
                __builtin_ia32_pmuludq128(reinterpret_cast<ints128>(words), reinterpret_cast<ints128>(high)));
            key[v] += stripe_step;
        }
        if (!in_row) {
            break;
        }
    }
#pragma GCC unroll 4
    for (unsigned v = 0; v < 4; ++v) {
        copy_bytes(lanes + 2 * v, &sum[v], sizeof sum[v]);
    }
}

/// The same in vectors twice as wide.
__attribute__((target("avx2"))) inline void
sum_stripes_avx2(const std::byte* from, std::size_t count, const std::byte* last, std::uint64_t (&lanes)[8]) noexcept {
    vector256 sum[2], key[2];
#pragma GCC unroll 2
    for (unsigned v = 0; v < 2; ++v) {
        sum[v] = vector256{};
        copy_bytes(&key[v], lanes + 4 * v, sizeof key[v]);
    }
    for (;; from += stripe_size, --count) {
        const bool in_row = count != 0;
        if (!in_row && last == nullptr) {
            break;
        }
        const std::byte* const stripe = in_row ? from : last;
#pragma GCC unroll 2
        for (unsigned v = 0; v < 2; ++v) {
            vector256 words;
            copy_bytes(&words, stripe + v * sizeof words, sizeof words);
            words ^= key[v];
            const vector256 high = words >> 32;
            sum[v] += reinterpret_cast<vector256>(
                __builtin_ia32_pmuludq256(reinterpret_cast<ints256>(words), reinterpret_cast<ints256>(high)));
            key[v] += stripe_step;
        }
        if (!in_row) {
            break;
        }
    }
#pragma GCC unroll 2
    for (unsigned v = 0; v < 2; ++v) {
        copy_bytes(lanes + 4 * v, &sum[v], sizeof sum[v]);
    }
}

[[nodiscard]] inline bool has_avx2() noexcept {
#if defined(__AVX2__)
    return true;
#elif __STDC_HOSTED__
    return __builtin_cpu_supports("avx2") != 0;
#else
    return false;
#endif
}

inline void sum_stripes(const std::byte* from, std::size_t count, const std::byte* last,
                        std::uint64_t (&lanes)[8]) noexcept {
    if (has_avx2()) {
        sum_stripes_avx2(from, count, last, lanes);
    } else {
        sum_stripes_sse2(from, count, last, lanes);
    }
}

#else

inline void sum_stripes(const std::byte* from, std::size_t count, const std::byte* last,
                        std::uint64_t (&lanes)[8]) noexcept {
    std::uint64_t sums[8] = {};
    for (std::size_t i = 0; i < count + (last != nullptr ? 1 : 0); ++i) {
        const std::byte* const stripe = i < count ? from + i * stripe_size : last;
        for (unsigned lane = 0; lane < 8; ++lane) {
            std::uint64_t word = load_native<std::uint64_t>(stripe + lane * 8);
#if !PAGEFOLD_LITTLE_ENDIAN
            word = __builtin_bswap64(word);
#endif
            word ^= lanes[lane] + i * stripe_step;
            sums[lane] += (word & 0xffffffffu) * (word >> 32);
        }
    }
    copy_bytes(lanes, sums, sizeof lanes);
}

#endif

} // namespace checksum_detail

/// A 64-bit checksum of `data` under `seed`; the same on every machine. Reads nothing outside `data`.
[[nodiscard]] inline std::uint64_t checksum(byte_view data, std::uint64_t seed) noexcept {
    using namespace checksum_detail;
    std::uint64_t lanes[8];
    for (unsigned i = 0; i < 8; ++i) {
        lanes[i] = seed + (i + 1) * lane_step;
    }
    const std::size_t whole = data.size() / stripe_size;
    if (data.size() % stripe_size == 0) {
        sum_stripes(data.data(), whole, nullptr, lanes);
    } else if (whole != 0) { // the last stripe again, shifted so that it ends where the data does
        sum_stripes(data.data(), whole, data.data() + data.size() - stripe_size, lanes);
    } else {
        std::byte padded[stripe_size] = {};
        copy_bytes(padded, data.data(), data.size());
        sum_stripes(padded, 1, nullptr, lanes);
    }
    const std::uint64_t a = mix(lanes[0], lanes[1]) + mix(lanes[2] + stripe_step, lanes[3]);
    const std::uint64_t b = mix(lanes[4] + lane_step, lanes[5]) ^ mix(lanes[6], lanes[7] + seed);
    return mix(a + data.size(), b);
}

} // namespace pagefold
