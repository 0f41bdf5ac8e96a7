// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/size_classes.hpp>
#include <pagefold/core/bits.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// All that zs knows of a span: 32 bytes, kept apart from it. A span is a run of consecutive units that is cut into equal
/// slots; its chain is that of its class, once or a few times doubled. All-zero bytes are no span.
///
/// `previous` and `next` are the list's that the span is in, by its allocator; the header doesn't look at them.
template <std::size_t Unit, unsigned MaxChain>
struct zs_span {
    using classes = size_classes<Unit, MaxChain>;
    static constexpr unsigned max_doublings = 3;

    std::uintptr_t where; // address of the span; its low 12 bits: class 0..8, doublings 9..10, victim 11
    std::uint64_t low;    // bit set: slots 0 to 63 that are free
    std::uint64_t high;   // the same for slots 64 to 119; above them the number of free slots
    std::uint32_t previous;
    std::uint32_t next;

    /// Makes it a span of class `number` at `memory`, which is aligned to 4096, all its slots free.
    void open(void* memory, unsigned number, unsigned doublings) noexcept {
        where = reinterpret_cast<std::uintptr_t>(memory) | doublings << 9 | number;
        low = low_bits(slots());
        high = low_bits(slots() < 64 ? 0 : slots() - 64u) | slots() * one_free;
    }

    [[nodiscard]] bool live() const noexcept { return where != 0; }
    [[nodiscard]] std::uint32_t& free_link() noexcept { return next; }

    [[nodiscard]] unsigned class_number() const noexcept { return where & 0x1ffu; }
    [[nodiscard]] const size_class& shape() const noexcept { return classes::at(class_number()); }
    [[nodiscard]] std::byte* base() const noexcept {
        return reinterpret_cast<std::byte*>(where & ~std::uintptr_t{0xfff});
    }
    [[nodiscard]] std::byte* slot(std::size_t at) const noexcept { return base() + at * shape().bytes; }

    /// How often the class's chain was doubled for this span.
    [[nodiscard]] unsigned doublings() const noexcept { return where >> 9 & 3u; }
    [[nodiscard]] unsigned slots() const noexcept { return unsigned{shape().slots} << doublings(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return (std::size_t{shape().units} << doublings()) * Unit; }
    /// The eighth of the span, 0 to 7, in which `free` of its slots lies; free < slots().
    [[nodiscard]] unsigned eighth(unsigned free) const noexcept { return shape().eighth(free) >> doublings(); }

    [[nodiscard]] bool is_victim() const noexcept { return (where & victim_flag) != 0; }
    void set_victim(bool value) noexcept { where = (where & ~victim_flag) | (value ? victim_flag : 0); }

    [[nodiscard]] unsigned free_count() const noexcept { return static_cast<unsigned>(high >> 56); }
    [[nodiscard]] unsigned used() const noexcept { return slots() - free_count(); }
    [[nodiscard]] bool is_free(unsigned at) const noexcept {
        return ((at < 64 ? low >> at : high >> (at - 64)) & 1u) != 0;
    }
    /// Takes the lowest free slot; there must be one.
    unsigned take() noexcept {
        high -= one_free;
        std::uint64_t& word = low != 0 ? low : high;
        const unsigned at = trailing_zeros(word) + (low != 0 ? 0u : 64u);
        word &= word - 1;
        return at;
    }
    /// Slot `at` must be in use.
    void put_back(unsigned at) noexcept {
        (at < 64 ? low : high) |= std::uint64_t{1} << (at % 64);
        high += one_free;
    }

    /// The first slot from `from` on that is in use; slots() where none is. `from` may be slots().
    [[nodiscard]] unsigned next_used(unsigned from) const noexcept {
        const unsigned count = slots();
        const std::uint64_t used_low = ~low & low_bits(count) & ~low_bits(from);
        if (used_low != 0) {
            return trailing_zeros(used_low);
        }
        const std::uint64_t used_high =
            ~high & low_bits(count < 64 ? 0 : count - 64u) & ~low_bits(from < 64 ? 0 : from - 64u);
        return used_high != 0 ? 64u + trailing_zeros(used_high) : count;
    }

    /// Its fields agree with each other.
    [[nodiscard]] bool consistent() const noexcept {
        if (class_number() + 1 >= classes::count()) {
            return false;
        }
        const unsigned count = slots();
        const std::uint64_t upper = high & low_bits(56);
        return count <= classes::max_slots && (low & ~low_bits(count)) == 0 &&
               (upper & ~low_bits(count < 64 ? 0 : count - 64u)) == 0 &&
               count_bits(low) + count_bits(upper) == free_count();
    }

private:
    static constexpr std::uintptr_t victim_flag = 0x800;
    static constexpr std::uint64_t one_free = std::uint64_t{1} << 56;

    [[nodiscard]] static unsigned count_bits(std::uint64_t bits) noexcept {
        unsigned count = 0;
        for (; bits != 0; bits &= bits - 1) {
            ++count;
        }
        return count;
    }
};

} // namespace pagefold
