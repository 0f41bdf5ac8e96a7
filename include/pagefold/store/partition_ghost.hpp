// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/ds/ghost_table.hpp>
#include <pagefold/evict/concept.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// The ghost of a partition: the keys of ephemeral pages that left, for the eviction policies of all its pools. There is none
/// where the policy doesn't remember.
///
/// It follows the number of pages, by a page of memory at a time, and never takes more than a part of what the partition
/// holds, which is within the store's limit: pages that are all alike take a few bytes each, and two more for a ghost would be
/// much. Where the source refuses it stays as it is, and asks again when there are more pages. The partition's lock is held
/// around every call.
template <eviction_policy Policy, class Source>
class partition_ghost {
public:
    partition_ghost(Source&, node_id) noexcept {}
    void follow(std::uint64_t, unsigned, std::size_t) noexcept {}
    [[nodiscard]] bool trim(std::uint64_t, unsigned) noexcept { return true; }
    [[nodiscard]] std::size_t bytes() const noexcept { return 0; }
};

template <remembering_policy Policy, class Source>
class partition_ghost<Policy, Source> {
public:
    /// The ghost's part of what a partition holds.
    static constexpr std::size_t part = 256;

    /// Takes no memory.
    partition_ghost(Source& source, node_id node) noexcept : table_{source, node} {}

    void remember(std::uint64_t hash) noexcept { table_.remember(hash); }
    [[nodiscard]] bool recall(std::uint64_t hash) noexcept { return table_.recall(hash); }

    /// There are so many pages now, and the partition holds so many bytes. Takes a page at most.
    void follow(std::uint64_t pages, unsigned percent, std::size_t held) noexcept {
        if (pages < next_growth_) [[likely]] {
            return;
        }
        // A first page once it is a quarter full; another when a quarter of one is wanted more.
        const bool wants = keys_for(pages, percent) >= table_.capacity() + table_.page_capacity() / 4;
        const std::size_t after = table_.bytes() + table_.page_capacity() * table_.bytes_a_key;
        if (wants && after <= held / part) {
            static_cast<void>(table_.grow()); // refused: a smaller ghost
        }
        table_.shorten(to_size(keys_for(pages, percent)));
        // Not each time, but before another page is wanted: a large ghost would fall behind its pages.
        const std::uint64_t step = table_.page_capacity() / 4;
        next_growth_ = pages + (pages / 32 < step ? pages / 32 : step) + 1;
    }
    /// Gives back what so many pages don't need, some pages of memory a call; true when that is all.
    [[nodiscard]] bool trim(std::uint64_t pages, unsigned percent) noexcept {
        const std::uint64_t keys = keys_for(pages, percent);
        if (table_.capacity() <= keys) [[likely]] {
            return true;
        }
        // An eighth of a page in use keeps it, where a quarter is needed for a new one.
        for (unsigned released = 0; table_.capacity() * 8 > keys * 8 + table_.page_capacity() * 7; ++released) {
            if (released == pages_a_call) {
                return false;
            }
            table_.shrink();
            next_growth_ = 0;
        }
        table_.shorten(to_size(keys));
        return true;
    }
    /// Bytes taken from the source.
    [[nodiscard]] std::size_t bytes() const noexcept { return table_.bytes(); }

private:
    static constexpr unsigned pages_a_call = 32;

    [[nodiscard]] static constexpr std::uint64_t keys_for(std::uint64_t pages, unsigned percent) noexcept {
        return pages * percent / 100;
    }

    ghost_table<Source> table_;
    std::uint64_t next_growth_ = 0; // pages at which to look again
};

} // namespace pagefold
