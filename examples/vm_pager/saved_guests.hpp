// SPDX-License-Identifier: MIT
#pragma once

#include "guest_identity.hpp"
#include "store.hpp"

#include <pagefold/core/types.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// Guests over a restart of vm_pager. The file is a book, and behind it an image of the store's pools (docs/images.md).
//
// The book says what the pools don't: who the guests are, what they begin as, and of every page that is not in a guest's memory
// why. That is asked for again at the return: a page that the guest's memfd has is resident, whatever the book says. One
// that it has not is stored, or as the base has it, or lost, where the book says so, and zeros everywhere else: it was removed,
// before the end of the first vm_pager or since, or it was never touched and there is no base.
//
// The book has a check over all of it, and the image is bound to it by its id. So a file that is damaged, cut, or put together
// from two is refused whole.
//
// The book, in words of 64 bits, little-endian: "PFGUEST" and 0x1a; version; bytes of the book; the image's id; the boot, two
// words; what guests begin as: its kind, bytes and identity; guests; then of each: device, inode and time of birth of its
// memfd, regions, offset and bytes of each region, and its pages' states, 32 to a word; at the end the check.

namespace vm_pager {

/// What a page is that the guest's memfd doesn't have.
enum class page_state : std::uint8_t { zeros, base, stored, lost };

struct saved_guest {
    guest_identity identity;
    std::vector<std::uint64_t> states; ///< two bits a page
    pagefold::pool_id pool{};

    explicit saved_guest(guest_identity who = {}) : identity{std::move(who)}, states((identity.pages() + 31) / 32) {}

    [[nodiscard]] page_state state(std::size_t page) const noexcept {
        return static_cast<page_state>(states[page / 32] >> 2 * (page % 32) & 3u);
    }
    void set_state(std::size_t page, page_state state) noexcept {
        const unsigned shift = 2 * (page % 32);
        states[page / 32] = (states[page / 32] & ~(std::uint64_t{3} << shift)) |
                            std::uint64_t{static_cast<std::uint8_t>(state)} << shift;
    }
};

/// What all guests begin as.
struct saved_base {
    enum class kind : std::uint8_t { none, snapshot, pool };

    kind is = kind::none;
    std::uint64_t bytes = 0;
    std::uint64_t identity = 0; ///< of the snapshot's file
    pagefold::pool_id pool{};   ///< of the template
};

struct saved_guests {
    saved_base base;
    std::vector<saved_guest> guests;
    std::uint64_t pages = 0; ///< in the image, the template's among them
    std::uint64_t bytes = 0; ///< of the file
};

/// Writes the book and the pools to `path`.new, and has that take the place of `path` once it is on the disk. Counts pages and
/// bytes. Throws failure where it can't; then there is no `path`.new, and `path` is as it was.
void save_guests(store_type& store, const std::string& path, saved_guests& all);

/// Reads all of it, into new pools. Throws failure where the file can't be read, is not whole, or is from before this machine's start,
/// or the store can't take it. Nothing where `goes_on`, which is asked after each frame, said no.
[[nodiscard]] std::optional<saved_guests> restore_guests(store_type& store, const std::string& path,
                                                         const std::function<bool()>& goes_on);

} // namespace vm_pager
