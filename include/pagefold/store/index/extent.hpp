// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bits.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/cell_arena.hpp>
#include <pagefold/ds/slot_pool.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// A link of a hash chain: the number of an extent plus one, 0 at the end. Bit 31 makes the number of ones even, so that a
/// flipped bit shows, and no link looks like the end.
namespace chain_link {

[[nodiscard]] constexpr std::uint32_t to(std::uint32_t id) noexcept {
    return (id + 1) | (is_odd(id + 1) ? std::uint32_t{1} << 31 : 0);
}
[[nodiscard]] constexpr bool is_whole(std::uint32_t link) noexcept { return !is_odd(link); }
/// Not for the end.
[[nodiscard]] constexpr std::uint32_t id(std::uint32_t link) noexcept {
    return static_cast<std::uint32_t>(link & low_bits(31)) - 1;
}

} // namespace chain_link

/// 64 consecutive page numbers of an object: the key once, a bitmap of the pages that are present, and a reference to the
/// array of their entries. An extent with a single page keeps the entry in place of bitmap and reference.
///
/// One bit says whether the number of ones in all that is not a link is odd: is_whole() tells when any bit of it is flipped.
/// Who changes the object, the tag, or a single page's entry keeps it by seal() or note_change().
struct extent {
    static constexpr std::uint32_t none = 0xffffffffu;

    std::uint64_t object;
    std::uint64_t tag;       // number 0..43, index of a single page 44..49, single 50, primary 51, pool 52..63
    std::uint64_t bitmap;    // a single page: its entry's word
    std::uint32_t cell;      // a single page: its entry's meta
    std::uint32_t hash_next; // a chain_link
    std::uint32_t ring_next;
    std::uint32_t ring_before; // the previous one's number in bits 0..30, seal 31

    static constexpr std::uint64_t single_bit = std::uint64_t{1} << 50;
    static constexpr std::uint64_t primary_bit = std::uint64_t{1} << 51;
    static constexpr std::uint64_t number_bits = low_bits(44);
    static constexpr std::uint64_t identity_bits = number_bits | low_bits(12) << 52;

    [[nodiscard]] static constexpr std::uint64_t identity(std::uint32_t pool, std::uint64_t number) noexcept {
        return number | std::uint64_t{pool} << 52;
    }
    [[nodiscard]] bool is_single() const noexcept { return (tag & single_bit) != 0; }
    [[nodiscard]] bool is_primary() const noexcept { return (tag & primary_bit) != 0; }
    [[nodiscard]] unsigned single_index() const noexcept { return static_cast<unsigned>(tag >> 44 & 63); }
    [[nodiscard]] std::uint64_t number() const noexcept { return tag & number_bits; }
    [[nodiscard]] std::uint32_t pool() const noexcept { return static_cast<std::uint32_t>(tag >> 52); }
    [[nodiscard]] bool has_identity(std::uint64_t wanted) const noexcept { return (tag & identity_bits) == wanted; }
    [[nodiscard]] bool same_object(const extent& other) const noexcept {
        return object == other.object && pool() == other.pool();
    }
    [[nodiscard]] cell_ref array() const noexcept { return static_cast<cell_ref>(cell); }
    [[nodiscard]] std::uint64_t present() const noexcept {
        return is_single() ? std::uint64_t{1} << single_index() : bitmap;
    }
    [[nodiscard]] bool has_page(unsigned at) const noexcept { return (present() >> at & 1) != 0; }

    [[nodiscard]] std::uint32_t ring_previous() const noexcept {
        return static_cast<std::uint32_t>(ring_before & low_bits(31));
    }
    void set_ring_previous(std::uint32_t id) noexcept { ring_before = (ring_before & seal_bit) | id; }

    void seal() noexcept {
        ring_before = static_cast<std::uint32_t>(ring_before & low_bits(31)) | (is_odd(content()) ? seal_bit : 0);
    }
    /// Keeps the seal for bits that somebody changes outside the functions below; what was damaged stays so.
    void note_change(std::uint64_t flipped) noexcept { ring_before ^= is_odd(flipped) ? seal_bit : 0; }
    [[nodiscard]] bool is_whole() const noexcept { return is_odd(content()) == ((ring_before & seal_bit) != 0); }

    void make_single(unsigned at, std::uint64_t word, std::uint32_t meta) noexcept {
        tag = (tag & ~(std::uint64_t{63} << 44)) | std::uint64_t{at} << 44 | single_bit;
        bitmap = word;
        cell = meta;
        seal();
    }
    void make_array(std::uint64_t pages, cell_ref array) noexcept {
        tag &= ~single_bit;
        bitmap = pages;
        cell = static_cast<std::uint32_t>(array);
        seal();
    }
    /// Other pages in the same array.
    void set_pages(std::uint64_t pages) noexcept {
        bitmap = pages;
        seal();
    }
    void make_primary() noexcept {
        note_change(~tag & primary_bit);
        tag |= primary_bit;
    }

    // As an element of a slot_pool.
    [[nodiscard]] bool live() const noexcept { return is_single() || bitmap != 0; }
    [[nodiscard]] std::uint32_t& free_link() noexcept { return ring_next; }

private:
    static constexpr std::uint32_t seal_bit = std::uint32_t{1} << 31;

    [[nodiscard]] std::uint64_t content() const noexcept { return object ^ tag ^ bitmap ^ cell; }
};
static_assert(sizeof(extent) == 40);

template <class Source>
using extent_pool = slot_pool<extent, Source>;

/// The first live extent with a number ≥ `from`, or none. Walks the numbers between.
template <class Source>
[[nodiscard]] std::uint32_t next_extent(const extent_pool<Source>& extents, std::uint32_t from) noexcept {
    const std::uint32_t id = extents.next_live(from);
    return id < extents.bound() ? id : extent::none;
}
static_assert((max_page_index - 1) / extent_pages <= extent::number_bits);

} // namespace pagefold
