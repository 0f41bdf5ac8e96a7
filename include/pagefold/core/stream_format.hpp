// SPDX-License-Identifier: MIT
#pragma once

// Which streams a codec reads, as a number that can be kept.
//
// Streams that leave a store, in an image or to another machine, are read by another object of a codec. Whether it can is
// asked of this number: two codecs with the same one read each other's streams, whatever machine they are on and
// whichever of their paths they take. A codec of the host's may have one, `c.stream_format()`; 0 is none.
//
//   1 same_filled   2 LZ4's block format (lz_block, lz4)   3 lzo   4 zstd, mixed with its dictionary's checksum
//   5 page_codec    6 page_or_lz    7 page_delta           chain, routed: of their list

#include <pagefold/config/abi.hpp>

#include <concepts>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

namespace stream_formats {

inline constexpr std::uint64_t same_filled = 1, lz4_block = 2, lzo = 3, zstd = 4, page = 5, page_or_lz = 6,
                               page_delta = 7;
inline constexpr std::uint64_t list = 0x6c697374; ///< what that of a list of codecs begins with

} // namespace stream_formats

/// A codec, or a delta codec, that says what its streams are.
template <class Codec>
concept names_stream_format = requires(const Codec& codec) {
    { codec.stream_format() }
    noexcept->std::same_as<std::uint64_t>;
};

/// The codec's number; 0 where it has none.
template <class Codec>
[[nodiscard]] constexpr std::uint64_t stream_format_of(const Codec& codec) noexcept {
    if constexpr (names_stream_format<Codec>) {
        return codec.stream_format();
    } else {
        static_cast<void>(codec);
        return 0;
    }
}

} // namespace pagefold
