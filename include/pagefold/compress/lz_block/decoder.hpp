// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/compress/lz_block/format.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI::detail::lz_block {

/// `count` bytes and no more.
PAGEFOLD_ALWAYS_INLINE void copy_exactly(std::byte* to, const std::byte* from, std::size_t count) noexcept {
    if (count >= 8) {
        std::byte* const last = to + count - 8;
        const std::byte* const last_from = from + count - 8;
        for (; to < last; to += 8, from += 8) {
            copy_8(to, from);
        }
        copy_8(last, last_from);
    } else if (count >= 4) {
        copy_bytes(to, from, 4);
        copy_bytes(to + count - 4, from + count - 4, 4);
    } else {
        for (std::size_t i = 0; i < count; ++i) {
            to[i] = from[i];
        }
    }
}

/// For offsets below 8: the first `offset` bytes, times the factor, fill a word with the pattern. It can be stored every
/// so many bytes (step), and behind it the source is 8 bytes back or more (distance).
inline constexpr std::uint64_t pattern_factor[8] = {0,
                                                    0x0101010101010101u,
                                                    0x0001000100010001u,
                                                    0x0001000001000001u,
                                                    0x0000000100000001u,
                                                    0x0000010000000001u,
                                                    0x0001000000000001u,
                                                    0x0100000000000001u};
inline constexpr std::uint8_t pattern_step[8] = {0, 8, 8, 6, 8, 5, 6, 7};
inline constexpr std::uint8_t pattern_distance[8] = {0, 8, 8, 9, 8, 10, 12, 14};

[[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::uint64_t pattern(std::uint64_t bytes, std::size_t offset) noexcept {
    return (bytes & ~(~std::uint64_t{0} << 8 * offset)) * pattern_factor[offset];
}

/// A match of at least four bytes, and no more.
PAGEFOLD_NOINLINE inline void copy_match_exactly(std::byte* to, std::size_t offset, std::size_t length) noexcept {
    const std::byte* from = to - offset;
    if (offset < 8) {
        if (length < 8) {
            for (std::size_t i = 0; i < length; ++i) {
                to[i] = from[i];
            }
            return;
        }
        std::uint64_t bytes = 0;
        for (std::size_t i = 0; i < offset; ++i) {
            bytes |= std::to_integer<std::uint64_t>(from[i]) << 8 * i;
        }
        store_little(to, pattern(bytes, offset));
        to += 8;
        length -= 8;
        from = to - pattern_distance[offset];
    }
    copy_exactly(to, from, length);
}

/// May write up to match_slack bytes more.
inline constexpr std::size_t match_slack = 32;
PAGEFOLD_ALWAYS_INLINE void copy_long_match(std::byte* to, std::size_t offset, std::size_t length) noexcept {
    const std::byte* from = to - offset;
    std::byte* const end = to + length;
    if (offset >= 16) {
        do {
            copy_16(to, from);
            copy_16(to + 16, from + 16);
            to += 32;
            from += 32;
        } while (to < end);
    } else if (offset > 8) {
        do {
            copy_8(to, from);
            copy_8(to + 8, from + 8);
            to += 16;
            from += 16;
        } while (to < end);
    } else {
        const auto bytes = load_little<std::uint64_t>(from);
        const std::uint64_t word = offset == 8 ? bytes : pattern(bytes, offset);
        const std::size_t forward = offset == 8 ? 8 : pattern_step[offset];
        do {
            store_little(to, word);
            store_little(to + forward, word);
            to += 2 * forward;
        } while (to < end);
    }
}

/// At most 18 bytes; writes up to 24.
PAGEFOLD_ALWAYS_INLINE void copy_short_match(std::byte* to, std::size_t offset) noexcept {
    const std::byte* const from = to - offset;
    if (offset >= 8) [[likely]] {
        copy_8(to, from);
        copy_8(to + 8, from + 8);
        copy_bytes(to + 16, from + 16, 2);
    } else {
        store_little(to, pattern(load_little<std::uint64_t>(from), offset));
        const std::byte* const behind = to + 8 - pattern_distance[offset];
        copy_8(to + 8, behind);
        copy_8(to + 16, behind + 8);
    }
}

enum class progress : std::uint8_t { more, tight, finished, wrong };

/// The decoding of one stream, a sequence at a time.
class decoder {
public:
    PAGEFOLD_ALWAYS_INLINE decoder(byte_view stream, byte_span page) noexcept
        : in_{stream.data()}, in_end_{stream.data() + stream.size()}, out_{page.data()},
          out_begin_{page.data()}, out_end_{page.data() + page.size()} {}

    /// Whether the stream was good and filled the page.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE bool run() noexcept {
        progress now = progress::more;
        while (now == progress::more) {
            now = roomy_sequence();
            if (now == progress::tight) {
                now = tight_sequence();
            }
        }
        return now == progress::finished;
    }

private:
    static constexpr std::size_t in_room = 1 + 16 + 1;       // a token, 14 literals copied as 16, an offset
    static constexpr std::size_t out_room = nibble_max + 24; // 14 literals, 18 bytes of a match copied as up to 24

    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::size_t in_left() const noexcept {
        return static_cast<std::size_t>(in_end_ - in_);
    }
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::size_t out_left() const noexcept {
        return static_cast<std::size_t>(out_end_ - out_);
    }
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE bool is_written(std::size_t offset) const noexcept {
        return offset - 1 < static_cast<std::size_t>(out_ - out_begin_);
    }
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::size_t take_byte() noexcept {
        return std::to_integer<std::size_t>(*in_++);
    }
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::size_t take_offset() noexcept {
        const std::size_t offset = load_little<std::uint16_t>(in_);
        in_ += 2;
        return offset;
    }
    /// Adds the bytes of a long length. False if they run out. No sum overflows: see max_page.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE bool add_more(std::size_t& length) noexcept {
        std::size_t more = 0;
        do {
            if (in_ == in_end_) [[unlikely]] {
                return false;
            }
            more = take_byte();
            length += more;
        } while (more == length_byte_max);
        return true;
    }

    /// With room to read and write more than the lengths say. `tight`, and nothing taken, if there is none.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE progress roomy_sequence() noexcept {
        if (in_left() < in_room || out_left() < out_room) [[unlikely]] {
            return progress::tight;
        }
        const std::byte* const sequence = in_;
        const std::size_t token = take_byte();
        std::size_t literals = token >> 4;
        if (literals < nibble_max) [[likely]] {
            copy_16(out_, in_);
        } else {
            if (!add_more(literals)) {
                return progress::wrong;
            }
            if (literals + in_room > in_left() || literals + 16 + out_room > out_left()) {
                in_ = sequence;
                return progress::tight;
            }
            copy_literals(out_, in_, literals);
        }
        in_ += literals;
        out_ += literals;
        const std::size_t offset = take_offset();
        if (!is_written(offset)) [[unlikely]] {
            return progress::wrong;
        }
        std::size_t length = (token & nibble_max) + min_match;
        if (length < nibble_max + min_match) [[likely]] {
            copy_short_match(out_, offset);
        } else {
            if (!add_more(length) || length > out_left()) {
                return progress::wrong;
            }
            if (length + match_slack <= out_left()) [[likely]] {
                copy_long_match(out_, offset, length);
            } else {
                copy_match_exactly(out_, offset, length);
            }
        }
        out_ += length;
        return progress::more;
    }

    /// With no byte to spare.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE progress tight_sequence() noexcept {
        if (in_ == in_end_) {
            return progress::wrong;
        }
        const std::size_t token = take_byte();
        std::size_t literals = token >> 4;
        if (literals == nibble_max && !add_more(literals)) {
            return progress::wrong;
        }
        if (literals > in_left() || literals > out_left()) {
            return progress::wrong;
        }
        copy_exactly(out_, in_, literals);
        in_ += literals;
        out_ += literals;
        if (in_ == in_end_) {
            return out_ == out_end_ ? progress::finished : progress::wrong;
        }
        if (in_left() < 2) {
            return progress::wrong;
        }
        const std::size_t offset = take_offset();
        std::size_t length = (token & nibble_max) + min_match;
        if (length == nibble_max + min_match && !add_more(length)) {
            return progress::wrong;
        }
        if (!is_written(offset) || length > out_left()) {
            return progress::wrong;
        }
        copy_match_exactly(out_, offset, length);
        out_ += length;
        return progress::more;
    }

    const std::byte* in_;
    const std::byte* in_end_;
    std::byte* out_;
    std::byte* out_begin_;
    std::byte* out_end_;
};

} // namespace pagefold::detail::lz_block
