// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// What the guest and its monitor agree on. Both compile this file; the guest has no library.
//
// Guest memory, from address 0: page tables, the mailbox, the guest's image, its stack, the numbers of writes, and from
// first_page on the pages that it steps through. All of it is paged.

namespace kvm_guest {

inline constexpr std::uint64_t page_size = 4096;
inline constexpr std::uint64_t tables_address = 0x1000;
inline constexpr std::uint64_t mailbox_address = 0xf000;
inline constexpr std::uint64_t image_address = 0x10000;
inline constexpr std::uint64_t stack_top = 0x80000;
inline constexpr std::uint64_t versions_address = 0x100000; ///< a byte a page
inline constexpr std::uint64_t first_page = 0x200000;
inline constexpr std::uint64_t max_pages = first_page - versions_address;

// Ports that the guest writes: the monitor gets what is in eax.
inline constexpr std::uint16_t port_done = 0x10;
inline constexpr std::uint16_t port_wrong = 0x11; ///< number of a page that is not what was written
inline constexpr std::uint16_t port_lost = 0x12;  ///< how many counts are missing

/// The monitor writes the first part, the guest the second.
struct mailbox {
    std::uint64_t pages;
    std::uint64_t steps;
    std::uint64_t seed;
    std::uint64_t hammers; ///< if not 0: counts so often on each of hammered_pages pages, and does nothing else
    std::uint64_t stamps;  ///< if not 0: stamps pages up to step `steps`, and does nothing else
    std::uint64_t dies_at; ///< step at which the guest executes what is no instruction; 0: never

    std::uint64_t written;
    std::uint64_t checked;
    std::uint64_t counts; ///< additions to the last words of all pages
    std::uint64_t now;    ///< of a guest that stamps: the step that it has begun
};

/// The words of a page that are written with it; the last one counts, and is not.
inline constexpr std::uint64_t content_words = page_size / 8 - 1;

inline constexpr std::uint64_t hammered_pages = 8;

/// The page that a guest which stamps writes at a step, from 1 on: all once, then three times of four one of a quarter. So what
/// each page has to hold follows from the step alone.
inline std::uint64_t stamped_page(std::uint64_t step, std::uint64_t pages) noexcept {
    constexpr std::uint64_t stride = 2'654'435'761u;
    return step <= pages ? step - 1 : step % 4 == 0 ? step / 4 * stride % pages : step * stride % (pages / 4);
}

inline std::uint64_t next_random(std::uint64_t& state) noexcept {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/// Word `i` of a page that was written `version` times. One page in four is of one value; of the others one word in eight
/// is noise, and the rest repeat.
inline std::uint64_t word_of(std::uint64_t seed, std::uint64_t page, std::uint64_t version, std::uint64_t i) noexcept {
    const std::uint64_t mixed = (seed + page * 0x9e37'79b9'7f4a'7c15u + version) * 0xbf58'476d'1ce4'e5b9u;
    if (page % 4 == 0) {
        return mixed;
    }
    if (i % 8 == 7) {
        const std::uint64_t luck = (mixed + i) * 0x94d0'49bb'1331'11ebu;
        return luck ^ luck >> 31;
    }
    return (mixed & 0xffff'ff00u) + i % 8;
}

} // namespace kvm_guest
