// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bits.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/cell_arena.hpp>

#include <cstdint>

namespace pagefold {

/// 64 consecutive page numbers of an object: the key once, a bitmap of the pages that are present, and a reference to the
/// array of their entries. An extent with a single page keeps the entry in place of bitmap and reference.
struct extent {
    static constexpr std::uint32_t none = 0xffffffffu;

    std::uint64_t object;
    std::uint64_t tag;       // number 0..43, index of a single page 44..49, single 50, primary 51, pool 52..63
    std::uint64_t bitmap;    // a single page: its entry's word
    std::uint32_t cell;      // a single page: its entry's meta
    std::uint32_t hash_next; // number plus one; 0 ends the chain
    std::uint32_t ring_next, ring_previous;

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

    void make_single(unsigned at, std::uint64_t word, std::uint32_t meta) noexcept {
        tag = (tag & ~(std::uint64_t{63} << 44)) | std::uint64_t{at} << 44 | single_bit;
        bitmap = word;
        cell = meta;
    }
    void make_array(std::uint64_t pages, cell_ref array) noexcept {
        tag &= ~single_bit;
        bitmap = pages;
        cell = static_cast<std::uint32_t>(array);
    }

    // As an element of a slot_pool.
    [[nodiscard]] bool live() const noexcept { return is_single() || bitmap != 0; }
    [[nodiscard]] std::uint32_t& free_link() noexcept { return ring_next; }
};
static_assert(sizeof(extent) == 40);
static_assert((max_page_index - 1) / extent_pages <= extent::number_bits);

} // namespace pagefold
