// SPDX-License-Identifier: MIT
#pragma once

#include "frame_allocator.hpp"
#include "machine.hpp"

#include <cstddef>
#include <cstdint>

namespace kernel {

/// The page-table entries of the paged region: a GiB of addresses behind the first 512 GiB.
class page_table {
public:
    static constexpr std::uintptr_t first_address = std::uintptr_t{1} << 39;
    static constexpr std::size_t max_pages = std::size_t{1} << 18;

    // The processor's bits. An entry that has a frame and is not present is a page on its way out.
    static constexpr std::uint64_t present = 1u << 0;
    static constexpr std::uint64_t writable = 1u << 1;
    static constexpr std::uint64_t accessed = 1u << 5;
    static constexpr std::uint64_t dirty = 1u << 6;

    /// Makes tables for as many pages; false where there are no frames for them.
    [[nodiscard]] bool open(frame_allocator& frames, std::size_t pages) noexcept;
    /// Gives the tables back. Nobody may touch the region any more.
    void close(frame_allocator& frames) noexcept;

    [[nodiscard]] std::uint64_t& entry(std::size_t page) noexcept {
        auto* const table = reinterpret_cast<std::uint64_t*>(directory_[page / entries] & address_bits);
        return table[page % entries];
    }
    [[nodiscard]] static std::byte* frame_of(std::uint64_t entry) noexcept {
        return reinterpret_cast<std::byte*>(entry & address_bits);
    }
    [[nodiscard]] static std::byte* address(std::size_t page) noexcept {
        return reinterpret_cast<std::byte*>(first_address + page * frame_allocator::frame_size);
    }
    static void forget(std::size_t page) noexcept {
        machine::forget_translation(first_address + page * frame_allocator::frame_size);
    }

private:
    static constexpr std::size_t entries = 512;
    static constexpr std::uint64_t address_bits = 0x000f'ffff'ffff'f000;

    [[nodiscard]] std::uint64_t* make_table(frame_allocator& frames, std::uint64_t& parent) noexcept;

    std::uint64_t* pointers_ = nullptr;
    std::uint64_t* directory_ = nullptr;
    std::size_t tables_ = 0;
};

} // namespace kernel
