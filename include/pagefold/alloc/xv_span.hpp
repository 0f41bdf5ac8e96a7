// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/config/macros.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Neighbours in a list that runs in a circle through its head: in and out without a branch.
struct xv_links {
    xv_links* previous;
    xv_links* next;
};

/// A span of xv: where it is, the table of its blocks, and its holes (the free blocks). Blocks are measured in granules,
/// of which a unit has 512.
///
/// The table has an entry of 16 bits for every block in the order of their addresses: the granule at which it begins, and
/// its state. A block ends where the next begins; the entry behind the last stands for the end of the span. So a block
/// costs two bytes beside it and none in it, and its neighbours are found without touching the span. A table of up to 31
/// blocks is in the record, one line of memory, whose unused entries are greater than all others, so that it is searched
/// without a branch. A longer table lies elsewhere: in a block of the span itself, which is marked as reserved and told
/// apart by where it starts.
///
/// The four largest holes are listed a second time, by their size. Others are hidden; they are looked for when those that
/// are listed have become smaller than the largest that was hidden. So the first that is listed is the largest of all.
struct alignas(64) xv_span {
    static constexpr unsigned unit_granules = 512;
    static constexpr unsigned max_units = 15;   // so that an entry can say where the span ends
    static constexpr unsigned min_granules = 8; // of a block
    static constexpr unsigned own_entries = 32;
    static constexpr unsigned hole_places = 4;

    enum block_state : unsigned {
        used = 0,
        free = 1,
        reserved = 2, // for an object that is to be moved, or for the table
    };
    /// A hole: its size above its start, both in granules. Keys compare as sizes do; 0 is none.
    using hole_key = std::uint32_t;

    xv_links links;
    std::byte* base;             // null: not live
    hole_key holes[hole_places]; // the first is the largest
    std::uint32_t id;
    std::uint16_t hidden;      // holes that are not listed
    std::uint16_t hidden_most; // none of these is larger
    std::uint16_t blocks;
    std::uint16_t free_granules;   // of holes, and of the table's block
    std::uint16_t reserved_blocks; // for objects
    std::uint16_t table_size;      // entries that the table has room for
    std::uint16_t table_start;     // the block for a table that is not in the record
    std::uint16_t table_granules;  // of that block; 0: there is none
    std::uint16_t list;
    std::uint8_t units;
    std::uint8_t group; // of the spans that are as empty
    union alignas(64) {
        std::uint16_t own[own_entries];
        std::uint16_t* elsewhere;
    };

    [[nodiscard]] bool live() const noexcept { return base != nullptr; }
    [[nodiscard]] std::uint32_t& free_link() noexcept { return id; }

    [[nodiscard]] unsigned granules() const noexcept { return units * unit_granules; }
    /// Of objects, and of places reserved for them.
    [[nodiscard]] unsigned used_granules() const noexcept { return granules() - free_granules; }
    [[nodiscard]] bool is_empty() const noexcept { return free_granules == granules(); }

    [[nodiscard]] bool has_own_table() const noexcept { return table_size == own_entries; }
    [[nodiscard]] const std::uint16_t* table() const noexcept { return has_own_table() ? own : elsewhere; }
    [[nodiscard]] std::uint16_t* table() noexcept { return has_own_table() ? own : elsewhere; }

    [[nodiscard]] unsigned start(unsigned at) const noexcept { return table()[at] >> 2; }
    [[nodiscard]] block_state state(unsigned at) const noexcept { return static_cast<block_state>(table()[at] & 3u); }
    [[nodiscard]] unsigned size(unsigned at) const noexcept { return start(at + 1) - start(at); }
    void set_state(unsigned at, block_state s) noexcept { table()[at] = entry(start(at), s); }
    [[nodiscard]] static constexpr std::uint16_t entry(unsigned granule, block_state s) noexcept {
        return static_cast<std::uint16_t>(granule << 2 | s);
    }

    /// One hole, of `count` units; the rest of the record must be zero.
    void open(std::uint32_t number, std::byte* memory, unsigned count) noexcept {
        base = memory;
        id = number;
        units = static_cast<std::uint8_t>(count);
        table_size = own_entries;
        blocks = 1;
        free_granules = static_cast<std::uint16_t>(granules());
        own[0] = entry(0, free);
        own[1] = entry(granules(), used);
        clear_entries(own + 2, own_entries - 2);
        holes[0] = key(0, granules());
    }

    /// The block that a granule below granules() lies in.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE unsigned find(unsigned granule) const noexcept {
        const unsigned target = granule << 2 | 3u;
        if (has_own_table()) [[likely]] {
            // Four entries at a time: the top bit of a lane is free, and stays set where the entry is not above the target.
            constexpr std::uint64_t ones = 0x0001000100010001u, tops = ones << 15;
            std::uint64_t not_above = 0;
            for (unsigned i = 0; i < own_entries; i += 4) {
                const std::uint64_t four = load_native<std::uint64_t>(reinterpret_cast<const std::byte*>(own + i));
                not_above += (((target * ones) | tops) - four) >> 15 & ones;
            }
            return static_cast<unsigned>(not_above * ones >> 48) - 1;
        }
        const std::uint16_t* at = elsewhere;
        for (unsigned left = blocks; left > 1;) {
            const unsigned half = left / 2;
            at += at[half] <= target ? half : 0;
            left -= half;
        }
        return static_cast<unsigned>(at - elsewhere);
    }
    /// Whether a block that is in use begins there; any granule may be asked.
    [[nodiscard]] bool starts_used(unsigned granule) const noexcept {
        return granule < granules() && table()[find(granule)] == entry(granule, used);
    }

    /// The first block from `at` on that is in use; `blocks` where none is. `look()` is called for every entry looked at.
    template <class Look>
    [[nodiscard]] unsigned next_used(unsigned at, Look look) const noexcept {
        for (; at < blocks; ++at) {
            look();
            if (state(at) == used) {
                return at;
            }
        }
        return blocks;
    }

    [[nodiscard]] bool table_is_full() const noexcept { return blocks + 1u == table_size; }
    /// Cuts a block in two, the first of `granules`, which keeps its state; the table must not be full.
    void split(unsigned at, unsigned granules, block_state second) noexcept {
        PAGEFOLD_ASSERT(!table_is_full() && granules < size(at));
        std::uint16_t* const entries = table();
        const unsigned behind = entries[at] >> 2;
        move_bytes(entries + at + 2, entries + at + 1, (blocks - at) * sizeof *entries);
        entries[at + 1] = entry(behind + granules, second);
        ++blocks;
    }
    /// Makes one block of blocks `first` to `last`, with the state of the first.
    void merge(unsigned first, unsigned last) noexcept {
        std::uint16_t* const entries = table();
        const unsigned less = last - first, end = blocks + 1u;
        move_bytes(entries + first + 1, entries + last + 1, (end - last - 1) * sizeof *entries);
        clear_entries(entries + end - less, less);
        blocks = static_cast<std::uint16_t>(blocks - less);
    }
    /// Puts the table into other memory, of `size` entries.
    void move_table(std::uint16_t* entries, unsigned size) noexcept {
        copy_bytes(entries, table(), (blocks + 1u) * sizeof *entries);
        elsewhere = entries;
        table_size = static_cast<std::uint16_t>(size);
    }
    /// Puts the table, of few blocks, into the record.
    void move_table_home() noexcept {
        PAGEFOLD_ASSERT(blocks < own_entries);
        const std::uint16_t* const entries = elsewhere;
        copy_bytes(own, entries, (blocks + 1u) * sizeof *own);
        clear_entries(own + blocks + 1, own_entries - blocks - 1u);
        table_size = own_entries;
    }

    [[nodiscard]] static constexpr hole_key key(unsigned start, unsigned granules) noexcept {
        return granules << 16 | start;
    }
    [[nodiscard]] static constexpr unsigned hole_size(hole_key hole) noexcept { return hole >> 16; }
    [[nodiscard]] static constexpr unsigned hole_start(hole_key hole) noexcept { return hole & 0xffffu; }

    /// A hole that was not there.
    void add_hole(hole_key added) noexcept { put_hole(place_of(0), added); }
    /// A hole that has become part of another.
    void remove_hole(hole_key removed) noexcept {
        const unsigned place = place_of(removed);
        if (place != hole_places) [[likely]] {
            holes[place] = 0;
        } else {
            --hidden;
        }
    }
    /// A hole that has grown.
    void grow_hole(hole_key old, hole_key grown) noexcept {
        const unsigned place = place_of(old);
        if (place != hole_places) [[likely]] {
            put_hole(place, grown);
        } else {
            --hidden;
            add_hole(grown);
        }
    }
    /// The first has shrunk to this, or to 0.
    void shrink_largest(hole_key left) noexcept {
        unsigned largest = 0;
        hole_key most = left;
        for (unsigned i = 1; i < hole_places; ++i) {
            largest = holes[i] > most ? i : largest;
            most = holes[i] > most ? holes[i] : most;
        }
        holes[largest] = left;
        holes[0] = most; // last, where both are one
        if (hole_size(most) < hidden_most) [[unlikely]] {
            list_holes();
        }
    }
    /// The smallest of the listed holes that has so many granules; the first must have them.
    [[nodiscard]] hole_key least_hole(unsigned granules) const noexcept {
        hole_key least = holes[0];
        for (const hole_key hole : holes) {
            least = hole_size(hole) >= granules && hole < least ? hole : least;
        }
        return least;
    }
    /// A hole is used up.
    void use_hole(hole_key hole) noexcept {
        if (hole == holes[0]) {
            shrink_largest(0);
        } else {
            remove_hole(hole);
        }
    }
    void list_holes() noexcept {
        fill_bytes(holes, 0, sizeof holes);
        hidden = 0;
        hidden_most = 0;
        for (unsigned at = 0; at < blocks; ++at) {
            if (state(at) == free) {
                add_hole(key(start(at), size(at)));
            }
        }
    }

    /// Whether blocks fill the span, and holes and counts are those of the table. In a span that is to be emptied, holes
    /// may lie side by side, and are not listed.
    [[nodiscard]] bool check(bool to_be_emptied) const noexcept {
        if (blocks == 0 || blocks >= table_size || table()[0] >> 2 != 0 || table()[blocks] != entry(granules(), used)) {
            return false;
        }
        unsigned free_here = 0, reserved_here = 0, tables = 0, found = 0, listed = 0;
        for (unsigned at = 0; at < blocks; ++at) {
            if (table()[at] >= table()[at + 1] || size(at) < min_granules) {
                return false;
            }
            const bool is_hole = state(at) == free;
            if (is_hole && !to_be_emptied && at + 1 < blocks && state(at + 1) == free) {
                return false;
            }
            free_here += is_hole ? size(at) : 0;
            const bool is_table = table_granules != 0 && start(at) == table_start;
            tables += is_table && state(at) == reserved && size(at) == table_granules ? 1u : 0u;
            reserved_here += state(at) == reserved && !is_table ? 1u : 0u;
            found += is_hole ? 1u : 0u;
            const bool is_listed = place_of(key(start(at), size(at))) != hole_places;
            listed += is_hole && is_listed ? 1u : 0u;
            if (is_hole && !is_listed && !to_be_emptied && (size(at) > hidden_most || size(at) > hole_size(holes[0]))) {
                return false;
            }
        }
        for (unsigned at = blocks + 1u; has_own_table() && at < own_entries; ++at) {
            if (own[at] != no_entry) {
                return false;
            }
        }
        unsigned places = 0;
        for (const hole_key hole : holes) {
            places += hole != 0 ? 1u : 0u;
            if (hole > holes[0]) {
                return false;
            }
        }
        return free_here + table_granules == free_granules && reserved_here == reserved_blocks &&
               tables == (table_granules != 0 ? 1 : 0) &&
               (to_be_emptied || (places == listed && found == listed + hidden));
    }

private:
    static constexpr std::uint16_t no_entry = 0x7fff;

    static void clear_entries(std::uint16_t* entries, unsigned count) noexcept {
        for (unsigned i = 0; i < count; ++i) {
            entries[i] = no_entry;
        }
    }
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE unsigned place_of(hole_key hole) const noexcept {
        unsigned found = 1u << hole_places; // no branch: which place it is cannot be guessed
        for (unsigned i = 0; i < hole_places; ++i) {
            found |= unsigned{holes[i] == hole} << i;
        }
        return trailing_zeros(found);
    }
    void put_hole(unsigned place, hole_key put) noexcept {
        if (place == hole_places) [[unlikely]] { // the smallest goes
            place = 0;
            for (unsigned i = 1; i < hole_places; ++i) {
                place = holes[i] < holes[place] ? i : place;
            }
            const unsigned size = hole_size(put < holes[place] ? put : holes[place]);
            hidden_most = static_cast<std::uint16_t>(size > hidden_most ? size : hidden_most);
            ++hidden;
            if (put < holes[place]) {
                return;
            }
        }
        holes[place] = put;
        const hole_key first = holes[0];
        holes[place] = put < first ? put : first;
        holes[0] = put < first ? first : put; // last, where both are one
    }
};

/// The sizes of the tables that are not in the record of their span: 48, 64, 96, 128 … entries, and what is left of their
/// last granule.
template <std::size_t GranuleBytes>
struct xv_table_sizes {
    /// The granules of the next table after one that has room for so many entries.
    [[nodiscard]] static constexpr unsigned next(unsigned entries) noexcept {
        unsigned number = 0;
        while (bytes(number) / sizeof(std::uint16_t) <= entries) {
            ++number;
        }
        const std::size_t granules = ceil_div(bytes(number), GranuleBytes);
        return granules < xv_span::min_granules ? xv_span::min_granules : static_cast<unsigned>(granules);
    }
    [[nodiscard]] static constexpr unsigned entries(unsigned granules) noexcept {
        return static_cast<unsigned>(granules * GranuleBytes / sizeof(std::uint16_t));
    }

private:
    [[nodiscard]] static constexpr std::size_t bytes(unsigned number) noexcept {
        return std::size_t{number % 2 == 0 ? 96u : 128u} << (number / 2);
    }
};

} // namespace pagefold
