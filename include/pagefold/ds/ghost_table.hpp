// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/stable_array.hpp>

#include <cstddef>
#include <cstdint>

// A ghost: the keys of pages that left a short while ago, without their content. Who finds a key here knows that the page
// was let go too early.
//
//     bucket of 64 bytes:   newest … oldest       32 fingerprints of 16 bits; 0: none
//
// A key is its hash: the low bits choose the bucket, the topmost 16 are the fingerprint. A new one comes in front, and the
// oldest of the bucket falls out: so the table is a queue, first in, first out, to within the luck of the buckets. A key that
// is not here is found with a probability of 32 in 65536: a page is then taken for known, which costs nothing but its place
// for a while.
//
// The table grows and shrinks by a page. Pages share the hashes as buckets do in linear hashing (Litwin, 1980): with one more,
// one of the others is split. The fingerprints stay where they are, so half of the split page's keys are forgotten; all
// others are still found. A host that refuses memory has a smaller ghost, or none, and nothing fails.

namespace pagefold::inline PAGEFOLD_ABI {

/// Takes 2 bytes a key, by whole pages, from its source. Every operation reaches one cache line. Not thread-safe.
template <class Source>
class ghost_table {
public:
    static constexpr std::size_t bytes_a_key = sizeof(std::uint16_t);

    /// Takes no memory.
    ghost_table(Source& source, node_id node) noexcept
        : buckets_{source, node}, page_shift_{bit_length(source.page_size() / sizeof(bucket)) - 1} {}

    /// The key is known from here on, for as many as capacity() others, more or less.
    void remember(std::uint64_t hash) noexcept {
        if (buckets_.size() == 0) {
            return;
        }
        bucket& b = bucket_of(hash);
        const bucket was = b;
        copy_bytes(b.marks + 1, was.marks, sizeof was.marks - sizeof was.marks[0]);
        b.marks[0] = mark_of(hash);
    }
    /// Whether the key is known.
    [[nodiscard]] bool contains(std::uint64_t hash) const noexcept {
        return buckets_.size() != 0 && find(bucket_of(hash), mark_of(hash)) < depth_;
    }
    /// The same, and forgets it.
    [[nodiscard]] bool recall(std::uint64_t hash) noexcept {
        if (buckets_.size() == 0) {
            return false;
        }
        bucket& b = bucket_of(hash);
        const unsigned at = find(b, mark_of(hash));
        if (at >= depth_) {
            return false;
        }
        move_bytes(b.marks + at, b.marks + at + 1, (marks_a_bucket - 1 - at) * sizeof b.marks[0]);
        b.marks[marks_a_bucket - 1] = 0;
        return true;
    }

    /// Is no longer than so many keys from here on, as nearly as it can: a queue that is much longer than the cache knows what
    /// left long ago. Not below a 32nd of the capacity.
    void shorten(std::size_t keys) noexcept {
        // Rounded to the nearest, for any number of keys.
        const std::size_t buckets = buckets_.size(), whole = buckets != 0 ? keys / buckets : 0,
                          depth = whole + (buckets != 0 && keys % buckets >= buckets - buckets / 2 ? 1u : 0u);
        depth_ = depth == 0 ? 1 : depth < marks_a_bucket ? static_cast<unsigned>(depth) : marks_a_bucket;
    }
    /// Keys that there is room for.
    [[nodiscard]] std::size_t capacity() const noexcept { return std::size_t{buckets_.size()} * marks_a_bucket; }
    /// Keys that a page of the source has room for.
    [[nodiscard]] std::size_t page_capacity() const noexcept { return std::size_t{marks_a_bucket} << page_shift_; }
    /// Takes one page more. Fails with what the source answered, and all is as it was.
    status grow() noexcept { return buckets_.reserve(buckets_.size()); }
    /// Gives a page back, if there is one; the keys that were in it are forgotten.
    void shrink() noexcept {
        const std::uint32_t count = buckets_.size(), page = std::uint32_t{1} << page_shift_;
        buckets_.trim(count > page ? count - page : 0);
    }
    /// Bytes taken from the source.
    [[nodiscard]] std::size_t bytes() const noexcept { return buckets_.bytes(); }

private:
    static constexpr unsigned marks_a_bucket = 32;
    struct alignas(64) bucket {
        std::uint16_t marks[marks_a_bucket] = {};
    };
    static_assert(sizeof(bucket) == 64);

    [[nodiscard]] static std::uint16_t mark_of(std::uint64_t hash) noexcept {
        const auto mark = static_cast<std::uint16_t>(hash >> 48);
        return mark != 0 ? mark : std::uint16_t{1};
    }
    [[nodiscard]] static unsigned find(const bucket& b, std::uint16_t mark) noexcept {
        std::uint16_t any = 0;
        for (unsigned i = 0; i < marks_a_bucket; ++i) { // no early end: compilers make a few wide comparisons of it
            any = static_cast<std::uint16_t>(any | (b.marks[i] == mark ? 0xffffu : 0u));
        }
        unsigned at = any != 0 ? 0 : marks_a_bucket;
        while (at < marks_a_bucket && b.marks[at] != mark) {
            ++at;
        }
        return at;
    }
    [[nodiscard]] bucket& bucket_of(std::uint64_t hash) const noexcept {
        const std::uint32_t pages = buckets_.size() >> page_shift_;
        const std::uint32_t in_page = static_cast<std::uint32_t>(hash & low_bits(page_shift_));
        const std::uint32_t whole = next_power_of_two(pages);
        std::uint32_t page = static_cast<std::uint32_t>(hash >> page_shift_) & (whole - 1);
        page = page < pages ? page : page & (whole / 2 - 1); // not split yet
        return buckets_[page << page_shift_ | in_page];
    }

    stable_array<bucket, Source> buckets_;
    unsigned depth_ = marks_a_bucket; // marks of a bucket that are used
    unsigned page_shift_;             // log2 of the buckets in a page
};

} // namespace pagefold
