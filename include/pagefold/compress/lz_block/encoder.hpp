// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/compress/lz_block/format.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI::detail::lz_block {

[[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::uint64_t difference(const std::byte* a, const std::byte* b) noexcept {
    return load_little<std::uint64_t>(a) ^ load_little<std::uint64_t>(b);
}

/// How many of the first bytes are equal, by a difference that is not 0.
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::size_t equal_before(std::uint64_t difference) noexcept {
    return static_cast<unsigned>(__builtin_ctzll(difference)) / 8;
}

/// How many of the next bytes are equal, from the first on, but at most `compared`. Reads `compared` + 1.
inline constexpr std::size_t compared = 15;
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::size_t equal_ahead(const std::byte* a, const std::byte* b) noexcept {
    const std::uint64_t first = difference(a, b);
    const std::uint64_t second = difference(a + 8, b + 8) | std::uint64_t{1} << 63;
    return (first != 0 ? 0u : 8u) + equal_before(first != 0 ? first : second);
}

/// What prepare and compress keep at the head of the scratch; the table follows.
struct table_head {
    std::uint32_t next;      ///< the first number that no page has had since the table was cleared
    std::uint32_t table_log; ///< of the table that was cleared; 0: none was
};
inline constexpr std::size_t table_offset = 64;
static_assert(sizeof(table_head) <= table_offset);

/// Where bytes stand before, or seem to: the part of the hash that is compared may be the same by chance.
struct match {
    const std::byte* at;
    std::size_t offset;
    std::size_t length;
};

/// The encoding of one page. An entry of the table is the number of a position and, above it, a part of its hash.
template <unsigned SpanLog, unsigned TableLog>
class encoder {
public:
    static constexpr std::size_t table_size = sizeof(std::uint32_t) << TableLog;

    PAGEFOLD_ALWAYS_INLINE encoder(byte_view page, std::byte* out, byte_span scratch) noexcept
        : begin_{page.data()}, end_{begin_ + page.size()}, anchor_{begin_}, out_{out}, scratch_{scratch.data()} {}

    /// The end of the stream.
    PAGEFOLD_ALWAYS_INLINE std::byte* run(std::size_t acceleration) noexcept {
        const std::byte* at = begin_;
        std::size_t left = 0;
        do {
            begin_ = at;
            first_ = claim_numbers();
            left = static_cast<std::size_t>(end_ - at);
            if (left > room) {
                at = search((left < span ? end_ : at + span) - room, acceleration);
            }
        } while (left > span);
        return finish(at);
    }

private:
    /// Only so many positions are told apart; what is longer is cut into pieces.
    static constexpr std::size_t span = std::size_t{1} << SpanLog;
    static constexpr unsigned number_bits = 18;
    static constexpr std::size_t lanes = 3;
    static constexpr std::size_t wanted_match = 5;
    /// So far from the end all lanes can be compared, and `compared` bytes taken as a match.
    static constexpr std::size_t room = lanes + compared + last_literals;

    /// The number of the piece's first byte. The ranges are two spans apart, so that no distance but one within a range
    /// is below a span, whatever the parts of the hashes above make of it.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::uint32_t claim_numbers() const noexcept {
        constexpr std::uint32_t numbers = std::uint32_t{1} << number_bits;
        constexpr std::uint32_t range = std::uint32_t{2} << SpanLog;
        static_assert(2 * range <= numbers);
        const auto head = load_native<table_head>(scratch_);
        std::uint32_t first = (head.next + range - 1) & ~(range - 1);
        if (head.table_log != TableLog || first + range > numbers) {
            fill_bytes(scratch_ + table_offset, 0, table_size);
            first = range; // the empty entries are in the range before
        }
        store_native(scratch_, table_head{first + range, TableLog});
        return first;
    }

    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE static std::uint64_t hash(const std::byte* at) noexcept {
        constexpr std::uint64_t odd = 0x9e3779b185ebca87u; // 2^64 over the golden ratio, near enough
        return load_little<std::uint64_t>(at) * (odd << 8 * (8 - wanted_match));
    }
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::byte* slot(std::uint64_t hash) const noexcept {
        return scratch_ + table_offset + (hash >> (64 - TableLog)) * sizeof(std::uint32_t);
    }
    /// With the bits of the hash that follow those of the slot.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE static std::uint32_t entry(std::uint64_t hash, std::uint32_t number) noexcept {
        constexpr std::uint32_t number_mask = (std::uint32_t{1} << number_bits) - 1;
        return (static_cast<std::uint32_t>(hash >> (32 - TableLog)) & ~number_mask) + number;
    }
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::uint32_t number(const std::byte* at) const noexcept {
        return first_ + static_cast<std::uint32_t>(at - begin_);
    }
    PAGEFOLD_ALWAYS_INLINE void insert(const std::byte* at) const noexcept {
        const std::uint64_t h = hash(at);
        store_native(slot(h), entry(h, number(at)));
    }
    /// Inserts, and says how far back the position stands that had the slot: a span or more if it was another page's,
    /// or of another hash.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::uint32_t exchange(const std::byte* at,
                                                                std::uint32_t number) const noexcept {
        const std::uint64_t h = hash(at);
        std::byte* const place = slot(h);
        const auto before = load_native<std::uint32_t>(place);
        const std::uint32_t now = entry(h, number);
        store_native(place, now);
        return now - before;
    }

    /// What begins up to `last`, which is behind begin_. The first position that is left.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE const std::byte* search(const std::byte* last,
                                                                 std::size_t acceleration) noexcept {
        insert(begin_);
        const std::byte* at = begin_ + 1;
        std::size_t misses = acceleration << 6;
        for (;;) {
            const match found = look_up(at);
            if (found.length >= wanted_match) {
                at = take<true>(found);
                misses = acceleration << 6;
                if (at > last) {
                    return at;
                }
                insert(at - 2);
                continue;
            }
            const std::size_t step = (misses >> 6) * lanes;
            misses += lanes;
            if (step > static_cast<std::size_t>(last - at)) {
                return last + 1;
            }
            at += step;
        }
    }

    /// The better of the first and the last that is found from here on; length 0 if none is.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE match look_up(const std::byte* at) const noexcept {
        const std::uint32_t n = number(at);
        const std::uint32_t back_0 = exchange(at, n);
        const std::uint32_t back_1 = exchange(at + 1, n + 1);
        const std::uint32_t back_2 = exchange(at + 2, n + 2);
        std::uint32_t early = back_2;
        std::size_t early_lane = 2;
        early = back_1 < span ? back_1 : early;
        early_lane = back_1 < span ? 1 : early_lane;
        early = back_0 < span ? back_0 : early;
        early_lane = back_0 < span ? 0 : early_lane;
        if (early >= span) {
            return {at, 0, 0};
        }
        std::uint32_t late = early;
        std::size_t late_lane = early_lane;
        late = back_1 < span ? back_1 : late;
        late_lane = back_1 < span ? 1 : late_lane;
        late = back_2 < span ? back_2 : late;
        late_lane = back_2 < span ? 2 : late_lane;
        const std::byte* const early_at = at + early_lane;
        const std::byte* const late_at = at + late_lane;
        const std::size_t early_length = equal_ahead(early_at, early_at - early);
        const std::size_t late_length = equal_ahead(late_at, late_at - late);
        const bool is_late = late_length > early_length;
        return {is_late ? late_at : early_at, is_late ? late : early, is_late ? late_length : early_length};
    }

    /// Writes the literals up to the match and the match. The position behind it. Far from the end, 16 bytes from
    /// every literal on can be read.
    template <bool IsFarFromEnd>
    PAGEFOLD_ALWAYS_INLINE const std::byte* take(match found) noexcept {
        const std::byte* stop = found.at + found.length;
        if (found.length >= compared) {
            stop = extend(stop, found.offset);
        }
        const std::byte* const start = found.at - equal_behind(found);
        const auto literals = static_cast<std::size_t>(start - anchor_);
        std::byte* const token = out_++;
        std::size_t nibbles = literals << 4;
        if (literals >= nibble_max) [[unlikely]] {
            nibbles = nibble_max << 4;
            put_more(literals - nibble_max);
        }
        if constexpr (IsFarFromEnd) {
            copy_16(out_, anchor_);
            if (literals > 16) [[unlikely]] {
                copy_literals(out_ + 16, anchor_ + 16, literals - 16);
            }
        } else {
            copy_bytes(out_, anchor_, literals);
        }
        out_ += literals;
        store_little(out_, static_cast<std::uint16_t>(found.offset));
        out_ += 2;
        const std::size_t length = static_cast<std::size_t>(stop - start) - min_match;
        if (length < nibble_max + length_byte_max) [[likely]] {
            *out_ = static_cast<std::byte>(length - nibble_max); // needed or not
            out_ += length >= nibble_max ? 1u : 0u;
            nibbles |= length < nibble_max ? length : nibble_max;
        } else {
            nibbles |= nibble_max;
            put_more(length - nibble_max);
        }
        *token = static_cast<std::byte>(nibbles);
        anchor_ = stop;
        return stop;
    }

    /// Up to three literals that the match covers too.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::size_t equal_behind(match found) const noexcept {
        const std::byte* const source = found.at - found.offset;
        if (source - begin_ < 4) [[unlikely]] {
            return 0;
        }
        const std::uint32_t unlike = load_little<std::uint32_t>(found.at - 4) ^ load_little<std::uint32_t>(source - 4);
        const auto equal = static_cast<std::size_t>(__builtin_clz(unlike | 1)) / 8;
        const auto literals = static_cast<std::size_t>(found.at - anchor_);
        return equal < literals ? equal : literals;
    }

    /// The first difference from `at` on, or where the last literals have to begin.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE const std::byte* extend(const std::byte* at,
                                                                 std::size_t offset) const noexcept {
        const std::byte* const stop = end_ - last_literals;
        while (stop - at >= 16) {
            const std::uint64_t first = difference(at, at - offset);
            const std::uint64_t second = difference(at + 8, at + 8 - offset);
            if ((first | second) != 0) {
                return at + (first != 0 ? 0 : 8) + equal_before(first != 0 ? first : second);
            }
            at += 16;
        }
        while (at != stop && *at == *(at - offset)) {
            ++at;
        }
        return at;
    }

    PAGEFOLD_ALWAYS_INLINE void put_more(std::size_t length) noexcept {
        for (; length >= length_byte_max; length -= length_byte_max) {
            *out_++ = static_cast<std::byte>(length_byte_max);
        }
        *out_++ = static_cast<std::byte>(length);
    }

    /// The end of the page, position by position, and the last literals.
    PAGEFOLD_ALWAYS_INLINE std::byte* finish(const std::byte* at) noexcept {
        const std::byte* const stop = end_ - last_literals;
        while (end_ - at >= static_cast<std::ptrdiff_t>(last_match_room)) {
            const std::uint32_t back = exchange(at, number(at));
            std::size_t length = 0;
            if (back < span && back != 0) {
                while (at + length != stop && at[length] == *(at + length - back)) {
                    ++length;
                }
            }
            at = length >= wanted_match ? take<false>({at, back, length}) : at + 1;
        }
        const auto literals = static_cast<std::size_t>(end_ - anchor_);
        if (literals < nibble_max) {
            *out_++ = static_cast<std::byte>(literals << 4);
        } else {
            *out_++ = static_cast<std::byte>(nibble_max << 4);
            put_more(literals - nibble_max);
        }
        copy_bytes(out_, anchor_, literals);
        return out_ + literals;
    }

    const std::byte* begin_;  ///< of the piece
    const std::byte* end_;    ///< of the page
    const std::byte* anchor_; ///< the first literal not written yet
    std::byte* out_;
    std::byte* scratch_;
    std::uint32_t first_ = 0; ///< the number of the piece's first byte
};

} // namespace pagefold::detail::lz_block
