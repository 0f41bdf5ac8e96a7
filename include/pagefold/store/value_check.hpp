// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/checksum.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// What stands in an entry of 16 bytes where a checksum of 60 bits would, in a store of values: the value's length in the low 17
/// of those bits, and 43 bits of checksum.
///
/// The checksum is that of the stream under a seed that the length changes, unless it is a whole page's. So a length that
/// is not the value's doesn't go with the stream, and is found as damage of the stream is: once in 2^43 times it is not.
/// Where a flipped bit must show before the stream is read, the entry's parity shows it, or, in an entry that holds the
/// stream itself, this check, which costs a look at eight bytes there.
namespace value_check {

inline constexpr unsigned length_at = 4; // of the bits that an entry keeps
inline constexpr unsigned length_bits = 17;

[[nodiscard]] constexpr std::size_t length_of(std::uint64_t check) noexcept {
    return to_size(check >> length_at & low_bits(length_bits));
}
/// `page_size`: the length that leaves the seed as it is.
[[nodiscard]] inline std::uint64_t of(byte_view stream, std::uint64_t seed, std::size_t length,
                                      std::size_t page_size) noexcept {
    const std::uint64_t of_length = length == page_size ? 0 : (std::uint64_t{length} + 1) * 0x9e3779b97f4a7c15u;
    return (checksum(stream, seed ^ of_length) & ~low_bits(length_at + length_bits)) | std::uint64_t{length}
                                                                                           << length_at;
}

} // namespace value_check

} // namespace pagefold
