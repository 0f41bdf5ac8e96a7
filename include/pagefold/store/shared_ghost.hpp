// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/admit/concept.hpp>
#include <pagefold/ds/ghost_table.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// The ghost of a partition whose admission policy remembers (admit/concept.hpp): one table of keys for admission and for the
/// eviction policies. A key in it was refused, taken, or dropped by eviction, and isn't stored.
///
/// An admission policy that refuses strangers must know keys before there are pages. So from the first put on, while an
/// ephemeral pool is open, it has room for as many keys as the partition's part of the limit has room for pages, in the
/// policy's percent: 2 bytes for each 4096 of it, and a page of the source at least, if that is no more than a 64th. Beyond that
/// it follows the number of pages as partition_ghost does, within a 256th of what the partition holds. Where the source
/// refuses it stays as it is and asks again later; where it has no memory at all nobody can know, and admission isn't told
/// that a key is a stranger. The partition's lock is held around every call.
template <class Source>
class shared_ghost {
public:
    /// Of what the partition holds, the part of it that is beyond the first keys at most.
    static constexpr std::size_t part = 256;
    /// Of the partition's limit, the part that the first page of the source may be, and the first keys, whatever the percentage.
    static constexpr std::size_t first_part = 64;
    /// What a store without a limit counts as, or one with a greater one than all memory.
    static constexpr std::size_t unlimited = std::size_t{1} << 28,
                                 endless = to_size(std::uint64_t{1} << (sizeof(std::size_t) > 4 ? 44 : 30));

    /// What the limit of a store counts as.
    [[nodiscard]] static constexpr std::size_t counted_limit(std::size_t limit) noexcept {
        return limit < endless ? limit : unlimited;
    }

    /// Takes no memory.
    shared_ghost(Source& source, node_id node) noexcept : table_{source, node}, page_bytes_{source.page_size()} {}
    /// Once, before everything else: what the two policies ask for.
    void set_percents(unsigned admission, unsigned eviction) noexcept {
        admission_percent_ = admission;
        percent_ = admission > eviction ? admission : eviction;
    }

    void pool_opened() noexcept { ++pools_; }
    void pool_closed() noexcept { pools_ -= pools_ != 0 ? 1u : 0u; }

    // For the eviction policies.
    void remember(std::uint64_t hash) noexcept { table_.remember(hash); }
    [[nodiscard]] bool recall(std::uint64_t hash) noexcept { return table_.recall(hash); }

    // For the store.

    /// The key left, or was refused: it is known once, whoever else remembers it.
    void note_left(std::uint64_t hash) noexcept {
        if (admission_percent_ != 0 && !table_.contains(hash)) {
            table_.remember(hash);
        }
    }
    /// The key's page is stored from here on.
    void note_arrival(std::uint64_t hash) noexcept { static_cast<void>(table_.recall(hash)); }
    /// What is known of a key whose page is not stored. Before it the ghost gets what it needs, some pages of memory at most;
    /// `limit`: the partition's part, `page_size`: that of its pages.
    [[nodiscard]] key_past ask(std::uint64_t hash, std::size_t limit, std::size_t page_size) noexcept {
        if (admission_percent_ == 0) {
            return key_past::untold;
        }
        set_limit(limit, page_size);
        for (unsigned taken = 0; table_.capacity() < first_keys() && taken < pages_a_call; ++taken) {
            if (pause_ != 0) {
                --pause_;
                break;
            }
            pause_ = table_.grow() != status::ok ? looks_after_refusal : 0;
        }
        table_.shorten(to_size(keys_for(pages_)));
        if (table_.capacity() == 0) {
            return key_past::untold;
        }
        return table_.contains(hash) ? key_past::left : key_past::unseen;
    }
    /// Whether it took some of what it needs, and goes on with the next question. A key may be forgotten while it does.
    [[nodiscard]] bool is_growing() const noexcept { return table_.capacity() < first_keys() && pause_ == 0; }
    /// There are so many pages now, and the partition holds so many bytes. Takes a page at most.
    void follow(std::uint64_t pages, std::size_t held) noexcept {
        pages_ = pages;
        if (pages < next_growth_) [[likely]] {
            return;
        }
        // Another page when a quarter of one is wanted more.
        const bool wants = keys_for(pages) >= table_.capacity() + table_.page_capacity() / 4;
        if (wants && table_.bytes() + page_bytes_ <= held / part) {
            static_cast<void>(table_.grow()); // refused: a smaller ghost
        }
        table_.shorten(to_size(keys_for(pages)));
        // Not each time, but before another page is wanted.
        const std::size_t step = table_.page_capacity() / 4;
        next_growth_ = pages + (pages / 32 < step ? pages / 32 : step) + 1;
    }
    /// Whether it has more than so many pages and the limit need.
    [[nodiscard]] bool is_long(std::uint64_t pages, std::size_t limit, std::size_t page_size) noexcept {
        set_limit(limit, page_size);
        // An eighth of a page in use keeps it, where a quarter is needed for a new one.
        return table_.capacity() * 8 > keys_for(pages) * 8 + table_.page_capacity() * 7;
    }
    /// Gives that back, some pages of memory a call; true when it is all.
    [[nodiscard]] bool trim(std::uint64_t pages, std::size_t limit, std::size_t page_size) noexcept {
        pages_ = pages;
        for (unsigned released = 0; is_long(pages, limit, page_size); ++released) {
            if (released == pages_a_call) {
                return false;
            }
            table_.shrink();
            next_growth_ = 0;
        }
        table_.shorten(to_size(keys_for(pages)));
        return true;
    }
    /// Bytes taken from the source.
    [[nodiscard]] std::size_t bytes() const noexcept { return table_.bytes(); }
    /// Of those, what is charged to the pools with what is idle: no more than a part of what the partition holds.
    [[nodiscard]] std::size_t charged_bytes(std::size_t held) const noexcept {
        return table_.bytes() < held / part ? table_.bytes() : held / part;
    }

private:
    static constexpr unsigned pages_a_call = 32;
    static constexpr unsigned looks_after_refusal = 64; // before the source is asked again

    void set_limit(std::size_t limit, std::size_t page_size) noexcept {
        if (limit == limit_) [[likely]] {
            return;
        }
        limit_ = limit;
        const std::size_t counted = counted_limit(limit);
        const std::size_t most = page_size / first_part / table_.bytes_a_key * 100;
        const std::size_t percent = admission_percent_ < most ? admission_percent_ : most;
        const std::uint64_t keys = std::uint64_t{counted / page_size} * percent / 100;
        const std::size_t a_page = table_.page_capacity();
        const bool has_first = admission_percent_ != 0 && counted / first_part >= page_bytes_;
        first_keys_ = has_first ? to_size((keys + a_page - 1) / a_page) * a_page : 0;
        first_keys_ = has_first && first_keys_ == 0 ? a_page : first_keys_;
    }
    [[nodiscard]] std::size_t first_keys() const noexcept { return pools_ != 0 ? first_keys_ : 0; }
    [[nodiscard]] std::uint64_t keys_for(std::uint64_t pages) const noexcept {
        const std::uint64_t keys = pages * percent_ / 100, first = first_keys();
        return keys > first ? keys : first;
    }

    ghost_table<Source> table_;
    std::uint64_t next_growth_ = 0; // pages at which to look again
    std::uint64_t pages_ = 0;       // when they were last told
    std::size_t page_bytes_;
    std::size_t limit_ = 0, first_keys_ = 0; // of that limit
    std::uint32_t pools_ = 0;                // ephemeral ones that are open
    unsigned admission_percent_ = 0, percent_ = 0, pause_ = 0;
};

} // namespace pagefold
