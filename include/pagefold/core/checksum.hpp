// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/cpu.hpp>

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
// 35 ns with AVX2, 50 to 68 with SSE2 and 127 to 165 in general registers, of some 1800 for a get. CRC-32C by the crc32
// instruction takes 73 in three streams, a folded 64-bit multiply 70 in four lanes; xxHash's XXH3 does the same work as this
// and adds a second sum that 28 kept bits don't need. The three ways below give the same value; core/cpu.hpp says which may
// be taken. The two in vectors differ in width alone, but a target is a function's own: no template of one body keeps both.

namespace pagefold::inline PAGEFOLD_ABI {

namespace checksum_detail {

inline constexpr std::size_t stripe_size = 64;
inline constexpr std::uint64_t lane_step = 0x9e3779b97f4a7c15u;   // between the keys of neighbouring lanes
inline constexpr std::uint64_t stripe_step = 0xd1b54a32d192ed03u; // between the keys of a lane in neighbouring stripes

/// The keys of the first stripe's lanes, to which the seed is added.
struct first_keys {
    std::uint64_t of[8] = {};

    constexpr first_keys() noexcept {
        for (unsigned i = 0; i < 8; ++i) {
            of[i] = (i + 1) * lane_step;
        }
    }
};
alignas(64) inline constexpr first_keys lane_keys{};

[[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::uint64_t product(const std::byte* from, std::uint64_t key) noexcept {
    auto word = load_native<std::uint64_t>(from);
#if !PAGEFOLD_LITTLE_ENDIAN
    word = __builtin_bswap64(word);
#endif
    word ^= key;
    PAGEFOLD_KEEP_SCALAR(word);
    return (word & 0xffffffffu) * (word >> 32);
}

/// Sums four lanes of `count` stripes and, where `last` is not null, of one more; `key` is the first lane's. No vector
/// register is touched where they are forbidden, not even to spill to: all that is in use has room in the general ones, so
/// long as it is no part of a larger function.
PAGEFOLD_NOINLINE inline void sum_four_lanes(const std::byte* from, std::size_t count, const std::byte* last,
                                             std::uint64_t key, std::uint64_t* sums) noexcept {
    std::uint64_t a = 0, b = 0, c = 0, d = 0;
    for (;; from += stripe_size, --count) {
        if (count == 0) {
            if (last == nullptr) {
                break;
            }
            from = last;
            last = nullptr;
            count = 1;
        }
        a += product(from, key);
        b += product(from + 8, key += lane_step);
        c += product(from + 16, key += lane_step);
        d += product(from + 24, key += lane_step);
        key += stripe_step - 3 * lane_step;
    }
    sums[0] = a; // one by one
    PAGEFOLD_KEEP_STORES();
    sums[1] = b;
    PAGEFOLD_KEEP_STORES();
    sums[2] = c;
    PAGEFOLD_KEEP_STORES();
    sums[3] = d;
}

/// mix, one after the other where vectors are forbidden: two at once would be done in vectors, or spill to them.
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::uint64_t mix_scalar(std::uint64_t a, std::uint64_t b) noexcept {
    PAGEFOLD_KEEP_SCALAR(a);
    PAGEFOLD_KEEP_SCALAR(b);
    std::uint64_t mixed = mix(a, b);
    PAGEFOLD_KEEP_SCALAR(mixed);
    return mixed;
}

/// Sums `count` stripes and, where `last` is not null, one more.
inline void sum_stripes_scalar(const std::byte* from, std::size_t count, const std::byte* last, std::uint64_t seed,
                               std::uint64_t (&sums)[8]) noexcept {
    constexpr std::size_t half = stripe_size / 2;
    sum_four_lanes(from, count, last, seed + lane_keys.of[0], sums);
    sum_four_lanes(from + half, count, last == nullptr ? nullptr : last + half, seed + lane_keys.of[4], sums + 4);
}

#if PAGEFOLD_HAS_SSE2

using vector128 = std::uint64_t __attribute__((__vector_size__(16)));
using ints128 = int __attribute__((__vector_size__(16)));
using vector256 = std::uint64_t __attribute__((__vector_size__(32)));
using ints256 = int __attribute__((__vector_size__(32)));

/// As sum_stripes_scalar.
inline void sum_stripes_sse2(const std::byte* from, std::size_t count, const std::byte* last, std::uint64_t seed,
                             std::uint64_t (&sums)[8]) noexcept {
    vector128 sum[4], key[4];
#pragma GCC unroll 4 // whole vectors go in and out of memory one by one, so that all stay in registers between
    for (unsigned v = 0; v < 4; ++v) {
        sum[v] = vector128{};
        copy_bytes(&key[v], lane_keys.of + 2 * v, sizeof key[v]);
        key[v] += seed;
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
        copy_bytes(sums + 2 * v, &sum[v], sizeof sum[v]);
    }
}

/// The same in vectors twice as wide.
__attribute__((__target__("avx2"))) inline void sum_stripes_avx2(const std::byte* from, std::size_t count,
                                                                 const std::byte* last, std::uint64_t seed,
                                                                 std::uint64_t (&sums)[8]) noexcept {
    vector256 sum[2], key[2];
#pragma GCC unroll 2
    for (unsigned v = 0; v < 2; ++v) {
        sum[v] = vector256{};
        copy_bytes(&key[v], lane_keys.of + 4 * v, sizeof key[v]);
        key[v] += seed;
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
        copy_bytes(sums + 4 * v, &sum[v], sizeof sum[v]);
    }
}

#endif

inline void sum_stripes(const std::byte* from, std::size_t count, const std::byte* last, std::uint64_t seed,
                        std::uint64_t (&sums)[8]) noexcept {
#if PAGEFOLD_HAS_SSE2
    if (compiled_features().contains(cpu_feature::avx2) || default_features().contains(cpu_feature::avx2)) {
        sum_stripes_avx2(from, count, last, seed, sums);
    } else {
        sum_stripes_sse2(from, count, last, seed, sums);
    }
#else
    sum_stripes_scalar(from, count, last, seed, sums);
#endif
}

} // namespace checksum_detail

/// A 64-bit checksum of `data` under `seed`; the same on every machine. Reads nothing outside `data`.
[[nodiscard]] inline std::uint64_t checksum(byte_view data, std::uint64_t seed) noexcept {
    using namespace checksum_detail;
    std::uint64_t sums[8];
    const std::size_t whole = data.size() / stripe_size;
    if (data.size() % stripe_size == 0) {
        sum_stripes(data.data(), whole, nullptr, seed, sums);
    } else if (whole != 0) { // the last stripe again, shifted so that it ends where the data does
        sum_stripes(data.data(), whole, data.data() + data.size() - stripe_size, seed, sums);
    } else {
        std::byte padded[stripe_size];
        for (std::size_t i = 0; i < stripe_size; i += 8) { // an array is cleared by vectors
            std::uint64_t zero = 0;
            PAGEFOLD_KEEP_SCALAR(zero);
            store_native(padded + i, zero);
        }
        copy_bytes(padded, data.data(), data.size());
        sum_stripes(padded, 1, nullptr, seed, sums);
    }
    const std::uint64_t a = mix_scalar(sums[0], sums[1]) + mix_scalar(sums[2] + stripe_step, sums[3]);
    const std::uint64_t b = mix_scalar(sums[4] + lane_step, sums[5]) ^ mix_scalar(sums[6], sums[7] + seed);
    return mix(a + data.size(), b);
}

} // namespace pagefold
