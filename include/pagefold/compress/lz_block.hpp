// SPDX-License-Identifier: MIT
#pragma once

// The LZ4 block format without liblz4, for hosts that have none: kernels, hypervisors, anything freestanding.
//
// The format (Yann Collet's description of the LZ4 block) is a row of sequences
//
//     token | more of the literal length | literals | offset, 2 bytes, little-endian | more of the match length
//
// The token's high nibble is how many literals there are, its low nibble the length of the match less 4; 15 in either
// says that bytes follow to be added, up to the first that is not 255. The match repeats what stands `offset` bytes
// back, 1 to 65535, and may run into itself. The last sequence ends behind its literals. An encoder leaves the last
// five bytes of a block literals and begins no match in the last twelve, because decoders (liblz4's, not this one)
// insist.
//
// What costs time in a page of 4 KiB is not a byte but a sequence, of which it has 200 to 300, and in a sequence the
// branches that go wrong: some 4 ns each on the machine this was made on, where LZ4 spends 15 ns a sequence on encoding
// and 4 on decoding. Hence:
//
//   - The encoder looks up three positions at once, with little to predict in between, and of the first and the last
//     that are found takes the one that equals more of the next 15 bytes. That more than halves the steps of the
//     search, and makes fewer and longer matches. A table's entry holds 14 bits of the hash beside the position, so
//     that bytes of the page are loaded only to count what most likely is a match.
//   - Matches have five bytes at least. One of four saves a byte and costs a sequence in both directions.
//   - The table is not cleared for every page. Positions are numbered on from page to page, each page's numbers in a
//     range of their own, until 18 bits are used up. With the ranges twice the size of a page, and that a power of two,
//     one subtraction and one comparison say that hash and page are right, and how far back the position is.
//   - The decoder copies 16 literals and 18 bytes of a match whatever their number, as long as that stays inside `in`
//     and `out`, and exactly, by words that overlap, when it would not: many pages have several sequences in their last
//     bytes, and a loop over bytes there, in the last 96, cost a class of pages a third of its speed.
//   - A match that repeats fewer than 8 bytes is written from a register: those bytes, multiplied into a word.
//
// Measured against liblz4 1.9.4 on process memory and page cache (4 KiB pages, Zen 5): ratio 1.008, no class below
// 0.997. Encoding at 0.92 (g++ 12, -O3; classes from 0.87 to 1.07), 0.95 (g++, -O2) and 1.02 (clang 14) of the speed,
// decoding at 1.06 to 1.08. g++ makes branches of some of the choices between lanes; making them arithmetic moved it by
// 2 %, and slowed clang down.
//
// Tried and left:
//   - one position at a time, as LZ4 has it: encoding at 0.84 (g++) and 0.90 (clang) in an early form that had 0.86 and
//     0.94 with four at once; two at once, later, 0.97 where three had 0.99 (clang);
//   - taking the first that is found: encoding 9 % faster (clang), but a class at 0.982 of the ratio;
//   - matches of six: a tenth fewer sequences, but executables at 0.96 of the ratio;
//   - entering every position of a match: a class at 0.968 of the ratio, as near matches displace long ones;
//   - choosing by the least of three keys instead of conditional moves: 3 % (g++) and 4 % (clang) slower;
//   - comparing 23 bytes instead of 15: 3 % faster with clang, 5 % slower with g++, which makes branches of it.

#include <pagefold/compress/concept.hpp>
#include <pagefold/compress/lz_block/decoder.hpp>
#include <pagefold/compress/lz_block/encoder.hpp>
#include <pagefold/core/stream_format.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// The LZ4 block format in freestanding code; streams go to and come from liblz4 unchanged.
///
/// `Acceleration` from 1 to 65536 trades ratio for speed where little is found, as liblz4's does. Page sizes: up to
/// max_page. Scratch: a hash table, 16 KiB for pages up to 4 KiB and 32 KiB beyond, kept between calls, so it has to be
/// prepared; decompress uses none.
///
/// Decompression takes every stream that the format's description allows, and so more than liblz4's: matches may begin
/// and end anywhere. Offsets of 0, which liblz4 1.9.4 lets through, are corrupt. Cost for 4 KiB: about 1 µs, and 4 to 5
/// for compression.
template <int Acceleration = 1>
requires(Acceleration >= 1 && Acceleration <= 65536) class basic_lz_block {
public:
    /// No sum of lengths in a stream of a page's size overflows.
    static constexpr std::size_t max_page = ~std::size_t{0} / 1024;
    /// Of its streams, whatever wrote them (stream_format.hpp).
    [[nodiscard]] static constexpr std::uint64_t stream_format() noexcept { return stream_formats::lz4_block; }

    [[nodiscard]] constexpr std::size_t scratch_size(std::size_t n) const noexcept {
        return detail::lz_block::table_offset + (n <= small_page ? small_encoder::table_size : encoder::table_size);
    }
    /// Has the table cleared by the next compress.
    [[nodiscard]] status prepare(byte_span scratch) const noexcept {
        if (scratch.size() < scratch_size(small_page)) {
            return status::invalid;
        }
        store_native(scratch.data(), detail::lz_block::table_head{0, 0});
        return status::ok;
    }
    /// The worst case, so that nothing is checked on the way.
    [[nodiscard]] constexpr std::size_t bound(std::size_t n) const noexcept { return n + n / 255 + 16; }

    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        if (in.empty() || in.size() > max_page || out.size() < bound(in.size()) ||
            scratch.size() < scratch_size(in.size())) {
            return status::invalid;
        }
        const std::size_t size =
            in.size() <= small_page ? encode<small_encoder>(in, out, scratch) : encode<encoder>(in, out, scratch);
        if (size < min_stream_size || size >= in.size()) {
            return status::incompressible;
        }
        return size;
    }

    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span) const noexcept {
        if (out.empty() || out.size() > max_page) {
            return status::invalid;
        }
        if (in.size() < min_stream_size || in.size() >= out.size()) {
            return status::corrupt;
        }
        return detail::lz_block::decoder{in, out}.run() ? status::ok : status::corrupt;
    }

private:
    static constexpr std::size_t small_page = 4096;
    using small_encoder = detail::lz_block::encoder<12, 12>;
    using encoder = detail::lz_block::encoder<16, 13>;

    template <class Encoder>
    PAGEFOLD_NOINLINE static std::size_t encode(byte_view in, byte_span out, byte_span scratch) noexcept {
        Encoder page{in, out.data(), scratch};
        return static_cast<std::size_t>(page.run(Acceleration) - out.data());
    }
};

/// At the acceleration that is LZ4's usual one.
using lz_block = basic_lz_block<>;

} // namespace pagefold
