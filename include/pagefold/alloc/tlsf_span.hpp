// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/block_map.hpp>
#include <pagefold/config/macros.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// All that tlsf knows of a span of up to three units, in two cache lines: where it is, how it is cut, and records of up
/// to three of its free blocks, by which these are in lists.
///
/// A free block beyond three has no record and is in no list until a record comes free: it is one of the smallest. Blocks
/// that a compaction has reserved are used ones to the map, and a bit for every eight granules says which: it stands for
/// the last block that starts in those eight, which has at least eight granules.
template <std::size_t Unit, class Meter = no_meter>
struct tlsf_span {
    static constexpr unsigned unit_granules = 128;
    static constexpr unsigned max_units = 3;
    static constexpr std::size_t granule = Unit / unit_granules;
    static constexpr unsigned record_count = 3;
    static constexpr unsigned no_record = 4; ///< what a search among them answers
    static constexpr unsigned min_reserved = 8;
    using block_map = pagefold::block_map<max_units * unit_granules, Meter>;

    /// One of a span's records, or none.
    class record_ref {
    public:
        constexpr record_ref() noexcept = default;
        record_ref(tlsf_span& owner, unsigned at) noexcept : bits_{reinterpret_cast<std::uintptr_t>(&owner) | at} {}
        [[nodiscard]] explicit operator bool() const noexcept { return bits_ != 0; }
        /// Null for none.
        [[nodiscard]] tlsf_span* owner() const noexcept {
            return reinterpret_cast<tlsf_span*>(bits_ & ~std::uintptr_t{3});
        }
        [[nodiscard]] unsigned at() const noexcept { return static_cast<unsigned>(bits_ & 3u); }
        friend bool operator==(record_ref, record_ref) noexcept = default;

    private:
        std::uintptr_t bits_ = 0; // the span's address, and in its two low bits the record's number
    };

    /// Numbers below 2^15 that are compared all at once, and one more of 16 bits.
    struct lanes {
        std::uint16_t of[record_count];
        std::uint16_t other;
    };

    std::uint64_t where; // address; in its low 12 bits: used granules less one 0..8, units less one 9..10, victim 11
    std::uint32_t
        reserved[2]; // what is reserved, 24 bits each; above, of the first: records in use 24..26, group 28..31;
                     // of the second: free blocks without a record
    block_map map;
    lanes starts; // of the blocks that have a record; other: the low half of the span's number
    lanes sizes;  // and their granules, 0 for no record; other: the high half
    record_ref previous[record_count];
    record_ref next[record_count];

    /// Makes this one that is all free. It is live with the first block that is taken; `memory` is aligned to 4096.
    void open(void* memory, unsigned units, std::uint32_t id) noexcept {
        where = std::uint64_t{reinterpret_cast<std::uintptr_t>(memory)} | std::uint64_t{units - 1} << 9 | 0x1ffu;
        starts.other = static_cast<std::uint16_t>(id);
        sizes.other = static_cast<std::uint16_t>(id >> 16);
        clear_records();
        map.reset(units * unit_granules);
    }

    [[nodiscard]] bool live() const noexcept { return where != 0; }
    [[nodiscard]] std::uint32_t& free_link() noexcept { return reserved[0]; }
    [[nodiscard]] std::uint32_t id() const noexcept { return starts.other | std::uint32_t{sizes.other} << 16; }
    [[nodiscard]] std::byte* base() const noexcept {
        return reinterpret_cast<std::byte*>(to_size(where & ~std::uint64_t{0xfff}));
    }
    [[nodiscard]] unsigned units() const noexcept { return static_cast<unsigned>(where >> 9 & 3u) + 1; }
    [[nodiscard]] unsigned end() const noexcept { return units() * unit_granules; }
    [[nodiscard]] std::size_t bytes() const noexcept { return units() * Unit; }

    /// Granules of used blocks. There are some, but in between.
    [[nodiscard]] unsigned used() const noexcept { return static_cast<unsigned>(where & 0x1ffu) + 1; }
    [[nodiscard]] std::size_t used_bytes() const noexcept { return used() * granule; }
    PAGEFOLD_ALWAYS_INLINE void add_used(unsigned by) noexcept {
        where = (where & ~std::uint64_t{0x1ff}) | ((where + by) & 0x1ffu);
    }
    PAGEFOLD_ALWAYS_INLINE void subtract_used(unsigned by) noexcept { where -= by; }

    [[nodiscard]] bool is_victim() const noexcept { return (where & 0x800u) != 0; }
    void set_victim(bool value) noexcept {
        where = (where & ~std::uint64_t{0x800}) | (value ? std::uint64_t{0x800} : 0);
    }

    /// A number below 16 for its allocator to say which list by fullness it is in; 0 at first.
    [[nodiscard]] unsigned group() const noexcept { return reserved[0] >> 28; }
    void set_group(unsigned number) noexcept { reserved[0] = (reserved[0] & 0x0fffffffu) | number << 28; }
    /// The eighths of it that are free, 0 to 7, as long as there is something in it.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE unsigned free_eighths() const noexcept {
        constexpr std::uint32_t eighths[] = {65536 / 16, 65536 / 32,
                                             65536 / 48 + 1}; // of 2^16, a granule's part of a span
        return (end() - used()) * eighths[units() - 1] >> 16;
    }

    [[nodiscard]] bool has_reserved() const noexcept { return ((reserved[0] | reserved[1]) & low_bits(24)) != 0; }
    [[nodiscard]] unsigned reserved_count() const noexcept {
        return count_ones(reserved[0] & low_bits(24)) + count_ones(reserved[1] & low_bits(24));
    }
    /// Whether a used block starts there, below the end, and is reserved.
    [[nodiscard]] bool is_reserved(unsigned start) const noexcept {
        return (reserved[start / 192] >> (start % 192 / 8) & 1u) != 0 && map.end_of_used(start) >= start + min_reserved;
    }
    void flip_reserved(unsigned start) noexcept { reserved[start / 192] ^= 1u << (start % 192 / 8); }

    [[nodiscard]] unsigned unlisted() const noexcept { return reserved[1] >> 24; }
    void increase_unlisted() noexcept { reserved[1] += 1u << 24; }
    void decrease_unlisted() noexcept { reserved[1] -= 1u << 24; }

    /// Where the object ends that starts there, or 0 if none does; `start` may be anything.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE unsigned end_of_object(unsigned start) const noexcept {
        return start < end() && (!has_reserved() || !is_reserved(start)) ? map.end_of_used(start) : 0;
    }

    PAGEFOLD_ALWAYS_INLINE void set_record(unsigned at, unsigned start, unsigned size) noexcept {
        starts.of[at] = static_cast<std::uint16_t>(start);
        sizes.of[at] = static_cast<std::uint16_t>(size);
    }
    PAGEFOLD_ALWAYS_INLINE void use_record(unsigned at) noexcept { reserved[0] |= 1u << (24 + at); }
    PAGEFOLD_ALWAYS_INLINE void clear_record(unsigned at) noexcept {
        set_record(at, no_start, 0);
        reserved[0] &= ~(1u << (24 + at));
    }
    void clear_records() noexcept {
        for (unsigned i = 0; i < record_count; ++i) {
            clear_record(i);
        }
        reserved[0] &= 0xf0000000u;
        reserved[1] = 0;
    }
    /// The record of the free block that starts, or ends, at a granule; one that is of no block.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE unsigned record_that_starts(unsigned at) const noexcept {
        return find_lane(word_of(starts), at);
    }
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE unsigned record_that_ends(unsigned at) const noexcept {
        return find_lane(word_of(starts) + word_of(sizes), at);
    }
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE unsigned vacant_record() const noexcept {
        return trailing_zeros((~(reserved[0] >> 24) & 7u) | 1u << no_record);
    }

private:
    static constexpr unsigned no_start = 0x7fff;
    static constexpr std::uint64_t each_lane =
        PAGEFOLD_LITTLE_ENDIAN ? std::uint64_t{0x0000000100010001} : std::uint64_t{0x0001000100010000};

    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE static std::uint64_t word_of(const lanes& numbers) noexcept {
        std::uint64_t word = 0;
        copy_bytes(&word, &numbers, sizeof word);
        return word & 0x7fff * each_lane;
    }
    /// The first lane that has `value`, or no_record. A lane's top bit stays clear only where nothing is unlike.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE static unsigned find_lane(std::uint64_t word, unsigned value) noexcept {
        Meter::step();
        const std::uint64_t unlike = word ^ value * each_lane;
        const std::uint64_t equal = ~(unlike + 0x7fff * each_lane) & 0x8000 * each_lane;
        return (PAGEFOLD_LITTLE_ENDIAN ? trailing_zeros(equal) : leading_zeros(equal)) / 16;
    }
};

} // namespace pagefold
