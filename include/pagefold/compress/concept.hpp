// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bytes.hpp>
#include <pagefold/core/page_context.hpp>
#include <pagefold/core/result.hpp>

#include <concepts>
#include <cstddef>
#include <type_traits>

// compressor: turns one page into fewer bytes and back. An object of it holds settings only; calls are const and safe
// from many threads, each with a scratch of its own.
//
//   expression                    | returns        | fails           | meaning
//   c.scratch_size(n)             | size_t         | –               | bytes of scratch for pages of n bytes; may be 0
//   c.prepare(scratch)            | status         | invalid         | called once for a new scratch, before its first use;
//                                 |                |                 | the codec may keep state there between calls
//   c.bound(n)                    | size_t         | –               | room that `out` of compress needs for pages of n
//   c.compress(in, out, scratch)  | result<size_t> | incompressible, | length of the stream: at least min_stream_size and
//                                 |                | invalid         | less than in.size(). `invalid`: out is below the
//                                 |                |                 | bound, or the scratch too small
//   c.decompress(in, out, scratch)| status         | corrupt,        | fills `out` exactly, or says corrupt; any bytes are
//                                 |                | invalid         | safe to hand in; `out` is undefined after a failure;
//                                 |                |                 | nothing outside `in` is read, or outside `out` written
//
// A codec need not take every length up to its largest page: what it doesn't take is `invalid`. One that does serves stores
// of values as well (store/config.hpp).
//
// The scratch is aligned to scratch_alignment. in and out do not overlap. The same input, settings and version give the
// same stream.
//
// A stream of exactly min_stream_size bytes is kept by a store inside the page's index entry, with no payload: that is
// where same-filled pages go. No codec may return less.
//
// pool_compressor: one that is told whose page it is, and chooses by that.
//
//   C::codec_count                       | how many codecs it chooses among, 1 to 256; numbers are below it
//   c.compress(in, out, scratch, page)   | the same as compress; page.codec is the number that the page's pool has now. A
//                                        | number that is none is `invalid`
//   c.decompress(in, out, scratch, page) | the same as decompress. page.pool and page.kind are what compress was told, page.codec
//                                        | need not be: a pool's number changes at run time. Every stream that any number made
//                                        | is read
//
// Both without a page do as with one of a pool that has number 0.
//
// pair_decompressor: one that reads two streams in one call faster than in two. Optional: the function decompress_pair takes
// any compressor.
//
//   c.decompress_pair(a, b, scratch)     | status_pair: what decompress(a.in, a.out, scratch) and the same of b answer, one
//                                        | after the other; the same pages. The two `out` don't overlap; sizes may differ, and
//                                        | one stream may be read twice. What is wrong with one does nothing to the other
//
// delta_codec: a page as what it differs in from another of the same size, its base. Calls are const and safe from many
// threads. `pair` is a base and, behind it, a page: D::pair_size bytes, twice D::page_size.
//
//   D::scratch_size(), D::bound()     | bytes of scratch, and room that `out` of compress needs; nothing is kept in the scratch
//   d.is_near(pair)                   | whether a delta is worth the base: of an equal pair it is
//   d.compress(pair, out, scratch)    | result<size_t>: incompressible, or the length of the stream: more than min_stream_size
//                                     | and less than the page. The same pair gives the same stream
//   d.decompress(in, pair, scratch)   | status: fills the pair's second half, or says corrupt; any bytes are safe to hand in

namespace pagefold::inline PAGEFOLD_ABI {

inline constexpr std::size_t min_stream_size = 8;
inline constexpr std::size_t scratch_alignment = 64;

/// A stream, and where the page belongs that it is read to.
struct page_to_read {
    byte_view in;
    byte_span out;
};
/// The answers of decompress_pair.
struct status_pair {
    status first;
    status second;

    [[nodiscard]] constexpr bool operator==(const status_pair&) const noexcept = default;
};

// clang-format off
template <class T>
concept compressor = requires(const T& c, std::size_t n, byte_view in, byte_span out, byte_span scratch) {
    { c.scratch_size(n) } noexcept -> std::same_as<std::size_t>;
    { c.prepare(scratch) } noexcept -> std::same_as<status>;
    { c.bound(n) } noexcept -> std::same_as<std::size_t>;
    { c.compress(in, out, scratch) } noexcept -> std::same_as<result<std::size_t>>;
    { c.decompress(in, out, scratch) } noexcept -> std::same_as<status>;
};

template <class T>
concept pool_compressor = compressor<T> && (T::codec_count >= 1 && T::codec_count <= 256) &&
    requires(const T& c, byte_view in, byte_span out, byte_span scratch, const page_context& page) {
        { c.compress(in, out, scratch, page) } noexcept -> std::same_as<result<std::size_t>>;
        { c.decompress(in, out, scratch, page) } noexcept -> std::same_as<status>;
    };
template <class T>
concept pair_decompressor = compressor<T> &&
    requires(const T& c, const page_to_read& one, byte_span scratch) {
        { c.decompress_pair(one, one, scratch) } noexcept -> std::same_as<status_pair>;
    };
template <class T>
concept delta_codec = std::is_nothrow_default_constructible_v<T> && T::pair_size == 2 * T::page_size &&
    requires(const T& d, byte_view in, byte_span out, byte_span scratch) {
        { T::scratch_size() } noexcept -> std::same_as<std::size_t>;
        { T::bound() } noexcept -> std::same_as<std::size_t>;
        { d.is_near(in) } noexcept -> std::same_as<bool>;
        { d.compress(in, out, scratch) } noexcept -> std::same_as<result<std::size_t>>;
        { d.decompress(in, out, scratch) } noexcept -> std::same_as<status>;
    };
// clang-format on

/// Two pages by the codec's own decompress_pair, or by two calls where it has none.
template <compressor Codec>
[[nodiscard]] status_pair decompress_pair(const Codec& codec, const page_to_read& first, const page_to_read& second,
                                          byte_span scratch) noexcept {
    if constexpr (pair_decompressor<Codec>) {
        return codec.decompress_pair(first, second, scratch);
    } else {
        const status answer = codec.decompress(first.in, first.out, scratch);
        return {answer, codec.decompress(second.in, second.out, scratch)};
    }
}

/// Of a store without clones.
struct no_delta {};

} // namespace pagefold
