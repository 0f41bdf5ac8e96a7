// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/types.hpp>

#include <cstddef>
#include <cstdint>

// What a pager knows of every page, in five bytes of the host's memory: a byte of bits, and a stamp of 32 bits that
// means something else in each state.
//
//   state       good copy                            entry in the store        stamp
//   nowhere     –                                    no                        eviction number, or 0
//   zero        –                                    no                        eviction number, or 0
//   resident    no                                   maybe, older than it      –
//   clean       where it came from, or in the store  where that is the copy    –
//   in_transit  as it was when it was taken out      as it was                 place in the queue
//   stored      –                                    yes                       eviction number, or 0
//   lost        –                                    maybe, and corrupt        –
//
// Memory of zero bytes is a region whose pages are all nowhere.

namespace pagefold::inline PAGEFOLD_ABI {

/// Where a page of a paged region is.
enum class page_state : std::uint8_t {
    nowhere,    ///< never brought: as its base has it, zeros where there is none
    zero,       ///< it is zeros, and takes no memory
    resident,   ///< in memory, and newer than any copy
    clean,      ///< in memory, and a copy elsewhere is as good
    in_transit, ///< taken out of the program's hands, and not yet elsewhere
    stored,     ///< in the store alone
    lost,       ///< nobody has it any more
};

/// The name of a state, for messages. Never null.
[[nodiscard]] constexpr const char* to_string(page_state state) noexcept {
    switch (state) {
    case page_state::nowhere: return "nowhere";
    case page_state::zero: return "zero";
    case page_state::resident: return "resident";
    case page_state::clean: return "clean";
    case page_state::in_transit: return "in_transit";
    case page_state::stored: return "stored";
    case page_state::lost: return "lost";
    default: return "unknown";
    }
}

/// A byte and a stamp a page. Not thread-safe. Every call is O(1) and takes a page below the number it was opened with.
class page_states {
public:
    enum place : std::uint8_t { absent = 0, resident = 1, in_transit = 2, stored = 3, lost = 4 };
    enum trait : std::uint8_t {
        good = 0x08,      ///< resident or in transit: a copy is as good
        has_entry = 0x10, ///< the store has something of it
        zero_base = 0x20, ///< what is below it are zeros, and not the base
        barred = 0x40,    ///< the store would not have it as it is; it waits for a write
        ahead = 0x80      ///< brought unasked, and not known to have been used
    };

    [[nodiscard]] static constexpr std::size_t bytes_for(std::size_t pages) noexcept {
        return pages * (sizeof(std::uint32_t) + 1);
    }
    /// `memory` is aligned for 32-bit words, has bytes_for(pages) bytes, all zero, and is somebody else's.
    void open(std::byte* memory, std::size_t pages) noexcept {
        stamps_ = static_cast<std::uint32_t*>(static_cast<void*>(memory));
        bits_ = static_cast<std::uint8_t*>(static_cast<void*>(memory + pages * sizeof(std::uint32_t)));
        pages_ = pages;
    }

    [[nodiscard]] std::size_t pages() const noexcept { return pages_; }
    [[nodiscard]] place at(slot_id page) const noexcept { return static_cast<place>(bits(page) & place_bits); }
    void set_place(slot_id page, place p) noexcept {
        bits_[page] = static_cast<std::uint8_t>((bits(page) & ~unsigned{place_bits}) | p);
    }
    [[nodiscard]] bool has(slot_id page, trait t) const noexcept { return (bits(page) & t) != 0; }
    void set(slot_id page, trait t, bool yes) noexcept {
        bits_[page] = static_cast<std::uint8_t>(yes ? bits(page) | t : bits(page) & ~unsigned{t});
    }
    [[nodiscard]] std::uint32_t stamp(slot_id page) const noexcept { return stamps_[page]; }
    void set_stamp(slot_id page, std::uint32_t stamp) noexcept { stamps_[page] = stamp; }

    [[nodiscard]] page_state state(slot_id page) const noexcept {
        switch (at(page)) {
        case absent: return has(page, zero_base) ? page_state::zero : page_state::nowhere;
        case resident: return has(page, good) ? page_state::clean : page_state::resident;
        case in_transit: return page_state::in_transit;
        case stored: return page_state::stored;
        case lost:
        default: return page_state::lost;
        }
    }

private:
    static constexpr std::uint8_t place_bits = 0x07;

    [[nodiscard]] unsigned bits(slot_id page) const noexcept {
        PAGEFOLD_CHECK(page < pages_);
        return bits_[page];
    }

    std::uint32_t* stamps_ = nullptr;
    std::uint8_t* bits_ = nullptr;
    std::size_t pages_ = 0;
};

} // namespace pagefold
