// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/cell_arena.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Where the parts of one entry are.
struct entry_place {
    std::byte *word, *meta, *hook;
};

/// An array of entries in a cell: word and meta side by side so that they mostly share a cache line; then the hooks, if
/// they are wider than an entry's spare bits.
template <class Entry, std::size_t HookBytes>
struct entry_array {
    std::byte* data;
    unsigned capacity;

    [[nodiscard]] entry_place at(unsigned rank) const noexcept {
        std::byte* const word = data + rank * Entry::bytes;
        return {word, word + 8, HookBytes != 0 ? hook(rank) : nullptr};
    }
    [[nodiscard]] Entry get(unsigned rank) const noexcept {
        const entry_place p = at(rank);
        return {load_native<std::uint64_t>(p.word), load_native<typename Entry::meta_type>(p.meta)};
    }
    /// The hook starts as zero.
    void put(unsigned rank, Entry e) const noexcept {
        const entry_place p = at(rank);
        store_native(p.word, e.word());
        store_native(p.meta, e.meta());
        if constexpr (HookBytes != 0) {
            fill_bytes(p.hook, 0, HookBytes);
        }
    }
    /// Moves `count` elements; the arrays may be the same.
    static void move(const entry_array& to, unsigned to_rank, const entry_array& from, unsigned from_rank,
                     unsigned count) noexcept {
        move_bytes(to.data + to_rank * Entry::bytes, from.data + from_rank * Entry::bytes, count * Entry::bytes);
        if constexpr (HookBytes != 0) {
            move_bytes(to.hook(to_rank), from.hook(from_rank), count * HookBytes);
        }
    }

private:
    [[nodiscard]] std::byte* hook(unsigned rank) const noexcept {
        return data + capacity * Entry::bytes + rank * HookBytes;
    }
};

/// The arrays of all extents of an index, in cells of eleven sizes. Not thread-safe.
template <class Entry, std::size_t HookBytes, class Source>
class entry_arrays {
    static constexpr std::uint8_t capacities[] = {1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64};

public:
    /// Whether a page alone in its extent stands in the extent: an entry of 12 bytes and no hook beside it.
    static constexpr bool singles_inline = HookBytes == 0 && Entry::bytes == 12;
    static constexpr std::size_t entry_bytes = Entry::bytes + HookBytes;
    using array = entry_array<Entry, HookBytes>;

    entry_arrays(Source& source, node_id node) noexcept : cells_{source, node} {}

    /// An array for at least `count` entries; what the source answered where there is none.
    result<cell_ref> allocate(unsigned count) noexcept { return cells_.allocate(class_for(count)); }
    void deallocate(cell_ref ref) noexcept { cells_.deallocate(ref); }

    PAGEFOLD_ALWAYS_INLINE void prefetch(cell_ref ref) const noexcept { cells_.prefetch(ref); }
    [[nodiscard]] array view(cell_ref ref) const noexcept { return {cells_.data(ref), capacity(ref)}; }
    [[nodiscard]] unsigned capacity(cell_ref ref) const noexcept {
        return capacities[cells_.size_class(ref) + smallest];
    }
    /// Bytes of the cell.
    [[nodiscard]] std::size_t bytes(cell_ref ref) const noexcept { return capacity(ref) * entry_bytes; }
    /// Bytes of the cell that `count` entries need.
    [[nodiscard]] static std::size_t bytes_for(unsigned count) noexcept {
        return capacities[class_for(count) + smallest] * entry_bytes;
    }
    /// Whether the array is larger than `count` entries need, by more than the slack that keeps an extent at the edge of
    /// two sizes from changing its cell every time.
    [[nodiscard]] bool is_large_for(cell_ref ref, unsigned count) const noexcept {
        const unsigned c = cells_.size_class(ref);
        return c > 0 && count < capacities[c - 1 + smallest];
    }
    /// The same without that slack.
    [[nodiscard]] bool is_not_least_for(cell_ref ref, unsigned count) const noexcept {
        return class_for(count) < cells_.size_class(ref);
    }
    /// Whether it is an array of at least `count` entries; any value may be asked.
    [[nodiscard]] bool contains(cell_ref ref, unsigned count) const noexcept {
        return cells_.contains(ref) && capacity(ref) >= count;
    }
    /// Moves an array that lies where it keeps memory from coming free; its new reference, or the same.
    result<cell_ref> relocate(cell_ref ref) noexcept { return cells_.relocate(ref); }

    [[nodiscard]] std::size_t bytes() const noexcept { return cells_.bytes(); }
    [[nodiscard]] std::size_t used_bytes() const noexcept { return cells_.used_bytes(); }
    [[nodiscard]] std::size_t count() const noexcept { return cells_.cell_count(); }
    [[nodiscard]] bool check() const noexcept { return cells_.check(); }

private:
    static constexpr unsigned smallest = singles_inline ? 1 : 0;
    struct sizes {
        static constexpr unsigned class_count = sizeof capacities - smallest;
        [[nodiscard]] static constexpr std::size_t cell_bytes(unsigned c) noexcept {
            return capacities[c + smallest] * entry_bytes;
        }
    };
    [[nodiscard]] static constexpr unsigned class_for(unsigned count) noexcept {
        unsigned c = 0;
        while (capacities[c + smallest] < count) {
            ++c;
        }
        return c;
    }

    cell_arena<sizes, Source> cells_;
};

} // namespace pagefold
