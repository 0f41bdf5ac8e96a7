// SPDX-License-Identifier: MIT
#pragma once

// The page codec's stream: sizes, sections, alphabets, and what every path needs to write and read it. docs/page_codec.md
// specifies it for a reader of another language; the essay that explains it is in compress/page.hpp.
//
// A unit of 4096 bytes is coded as these sections, front to back; they are found from the back, since each tells the
// length of the one before it:
//
//   literals | lag lows | lag tops | mask escapes | mask codes | choices | marks | flags
//
// A section of bytes that are mostly zero is `sparse`: its nonzero bytes, then a bitmap of where they stand.

#include <pagefold/config/macros.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI::page_coding {

inline constexpr std::size_t unit_size = 4096; ///< what one stream covers; a larger page is several units
inline constexpr std::size_t max_page_size = 65536;
inline constexpr std::size_t line_size = 64;
inline constexpr std::size_t block_size = 16; ///< one prediction
inline constexpr std::size_t group_size = 8;  ///< one mask byte
inline constexpr std::size_t lines = unit_size / line_size;
inline constexpr std::size_t blocks = unit_size / block_size;
inline constexpr std::size_t groups = unit_size / group_size;

inline constexpr unsigned first_lag = 64; ///< the running lag in front of the first block
inline constexpr unsigned min_lag = 16;   ///< a block never overlaps its source

/// The last byte of a unit's stream. The upper two bits number the alphabet of packed literals.
enum flag : unsigned {
    literals_packed = 1,
    masks_packed = 2,
    masks_inverted = 4,
    marks_sparse = 8,
    choices_sparse = 16,
    lag_tops_sparse = 32,
};
inline constexpr unsigned alphabet_shift = 6;
[[nodiscard]] constexpr unsigned alphabet_of(unsigned flags) noexcept { return flags >> alphabet_shift; }
/// An alphabet for literals that aren't packed is another version's stream.
[[nodiscard]] constexpr bool are_flags_known(unsigned flags) noexcept {
    return (flags & literals_packed) != 0 || alphabet_of(flags) == 0;
}

inline constexpr std::size_t marks_size = groups / 8; ///< one bit a group: its mask byte is listed
inline constexpr std::size_t choices_size =
    2 * blocks / 8; ///< a bit a block: takes the next lag; then: predicted as zeros
inline constexpr std::size_t min_unit_stream = 1 + marks_size / 8 + choices_size / 8;

/// What follows the literals in any stream: vectors of so many bytes may be loaded from the end of the literals.
inline constexpr std::size_t bytes_behind_literals = min_unit_stream;

/// Room for all sections at their longest.
inline constexpr std::size_t max_unit_stream = unit_size + 2 * blocks + groups + choices_size + marks_size + 1;

/// Packed literals come in no smaller number, so that vectors fit into each of their planes.
inline constexpr std::size_t min_packed_literals = 256;

[[nodiscard]] constexpr std::size_t packed_plane(std::size_t literals) noexcept { return (literals + 3) / 4; }

// Each alphabet's code 0 is the escape: the byte itself stands in the section of escapes.

inline constexpr unsigned literal_alphabets = 4;
inline constexpr unsigned literal_symbols = 63;

/// What literals are made of: prose and tables; source text and markup; strings among small integers; hexadecimal digits
/// among them. Code k + 1 of an alphabet is its k-th symbol. Made by clustering the literals of many kinds of pages.
inline constexpr char literal_alphabet[literal_alphabets][literal_symbols + 1] = {
    "\0\n \"()*,-./0123456789:ABCDEFGILMNOPRSTU_abcdefghiklmnoprstuvwxy",
    "\t\n \"#$'()*,-./012:;<=>ACDEILNOPRST[\\]_abcdefghiklmnoprstuvwxy{}",
    "\0\1\2\3\4\5\6\a\b\t\n\037 !\"#'()-.0123456789=@QU[\\]abcdefghiklmnopqrstuvwxyz",
    "\0\1\2\3\4\5\6\a\b\t\n\v\f\r\016\017\025\027\035\037 !\",0123456789:UVWXYZ_abcdefghilmnoprstuvw}",
};

/// The masks of pointers, small integers and text.
inline constexpr std::uint8_t mask_alphabet[15] = {0x03, 0x01, 0xff, 0x07, 0x0f, 0x3f, 0x02, 0xc0,
                                                   0x80, 0x7f, 0xe0, 0xf0, 0xfe, 0x60, 0x10};

struct alphabet_tables {
    alignas(64) std::uint8_t literal_code[literal_alphabets][256] = {};
    alignas(64) std::uint8_t literal_symbol[literal_alphabets][64] = {};
    alignas(64) std::uint8_t literal_owners[256] = {}; ///< a bit for each alphabet that has the literal
    alignas(64) std::uint8_t mask_code[256] = {};
    alignas(16) std::uint8_t mask_symbol[16] = {};

    constexpr alphabet_tables() noexcept {
        for (unsigned alphabet = 0; alphabet < literal_alphabets; ++alphabet) {
            for (unsigned k = 0; k < literal_symbols; ++k) {
                const auto symbol = static_cast<std::uint8_t>(literal_alphabet[alphabet][k]);
                literal_code[alphabet][symbol] = static_cast<std::uint8_t>(k + 1);
                literal_symbol[alphabet][k + 1] = symbol;
                literal_owners[symbol] = static_cast<std::uint8_t>(literal_owners[symbol] | 1u << alphabet);
            }
        }
        for (unsigned k = 0; k < 15; ++k) {
            mask_code[mask_alphabet[k]] = static_cast<std::uint8_t>(k + 1);
            mask_symbol[k + 1] = mask_alphabet[k];
        }
    }
};
inline constexpr alphabet_tables alphabets{};

/// Whether the four blocks of the line at `place` are predicted by a line of the page that lies in front of it, from `sources[0]` on.
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE bool is_line_whole(const std::uint16_t* sources, std::size_t place) noexcept {
    constexpr std::uint16_t steps[4] = {0, block_size, 2 * block_size, 3 * block_size};
    const std::uint64_t each = 0x0001000100010001u; // no sum carries: a page ends at 65536
    return load_native<std::uint64_t>(reinterpret_cast<const std::byte*>(sources)) ==
               sources[0] * each + load_native<std::uint64_t>(reinterpret_cast<const std::byte*>(steps)) &&
           sources[0] + line_size <= place;
}

/// Bytes that predict a line of zeros.
alignas(64) inline constexpr std::uint8_t zero_line[line_size] = {};

// A lag is stored with its low three bits on top: the lags of structures are multiples of 8, whose tops are then zero.
// Pages of one unit have lags of 12 bits, whose tops go two to a byte; larger pages 16 bits and a byte for each top.

[[nodiscard]] constexpr unsigned lag_bits(bool is_wide) noexcept { return is_wide ? 16 : 12; }
[[nodiscard]] constexpr unsigned lag_to_code(unsigned lag, bool is_wide) noexcept {
    return lag >> 3 | (lag & 7) << (lag_bits(is_wide) - 3);
}
[[nodiscard]] constexpr unsigned code_to_lag(unsigned code, bool is_wide) noexcept {
    return (code << 3 & ((1u << lag_bits(is_wide)) - 1)) | code >> (lag_bits(is_wide) - 3);
}
[[nodiscard]] constexpr std::size_t lag_tops_size(std::size_t lags, bool is_wide) noexcept {
    return is_wide ? lags : (lags + 1) / 2;
}

/// Where the sections of a stream lie, as far as they are known; read from the back.
class backward_reader {
public:
    constexpr backward_reader(const std::uint8_t* data, std::size_t size) noexcept : begin_{data}, end_{data + size} {}

    /// The last `size` bytes that are left, or null when there are fewer.
    [[nodiscard]] constexpr const std::uint8_t* take(std::size_t size) noexcept {
        if (size > left()) {
            return nullptr;
        }
        end_ -= size;
        return end_;
    }
    [[nodiscard]] constexpr std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - begin_); }
    [[nodiscard]] constexpr const std::uint8_t* begin() const noexcept { return begin_; }

private:
    const std::uint8_t* begin_;
    const std::uint8_t* end_;
};

/// Little-endian words, whatever the machine's order.
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::uint64_t load_word(const void* from) noexcept {
    const auto word = load_native<std::uint64_t>(static_cast<const std::byte*>(from));
#if PAGEFOLD_LITTLE_ENDIAN
    return word;
#else
    return __builtin_bswap64(word);
#endif
}
PAGEFOLD_ALWAYS_INLINE void store_word(void* to, std::uint64_t word) noexcept {
#if !PAGEFOLD_LITTLE_ENDIAN
    word = __builtin_bswap64(word);
#endif
    store_native(static_cast<std::byte*>(to), word);
}
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::uint32_t load_word32(const void* from) noexcept {
    const auto word = load_native<std::uint32_t>(static_cast<const std::byte*>(from));
#if PAGEFOLD_LITTLE_ENDIAN
    return word;
#else
    return __builtin_bswap32(word);
#endif
}

/// Bits set in `size` bytes, a multiple of 8.
[[nodiscard]] inline unsigned count_bits(const void* from, std::size_t size) noexcept {
    unsigned count = 0;
    for (std::size_t at = 0; at != size; at += 8) {
        count += count_ones(load_word(static_cast<const std::byte*>(from) + at));
    }
    return count;
}

} // namespace pagefold::page_coding
