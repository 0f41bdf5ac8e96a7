// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/page_directory.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// The heads of hash chains, in a table that grows and shrinks by one bucket at a time (linear hashing; Litwin, VLDB 1980):
/// no operation pays for a rehash, and no large contiguous memory is asked for. A head is an element's number plus one, 0
/// where the chain is empty. Whoever owns the elements moves them between chains. Not thread-safe.
template <class Source>
class linear_buckets {
public:
    linear_buckets(Source& source, node_id node) noexcept : heads_{source, node} {}

    [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
    /// There must be a bucket.
    [[nodiscard]] std::uint32_t of(std::uint64_t hash) const noexcept {
        const std::uint32_t h = static_cast<std::uint32_t>(hash);
        const std::uint32_t mask = next_power_of_two(count_) - 1;
        return (h & mask) < count_ ? h & mask : h & (mask >> 1);
    }
    [[nodiscard]] std::uint32_t& operator[](std::uint32_t bucket) const noexcept { return heads_[bucket]; }

    /// One bucket more, empty, at number count() − 1; the elements that belong there are in split_from(). Fails with what the
    /// source answered.
    status add() noexcept {
        if (const status s = heads_.reserve(count_); s != status::ok) {
            return s;
        }
        heads_[count_++] = 0;
        return status::ok;
    }
    /// The chain that the last bucket was split off from, and goes back to. There are at least two buckets.
    [[nodiscard]] std::uint32_t split_from() const noexcept { return count_ - 1 - last_power_of_two(count_ - 1); }
    /// Takes the last bucket away, its chain having gone elsewhere. Pages of the table go back to the source, one leaf behind.
    void remove() noexcept {
        --count_;
        if (count_ % trim_step == 0) {
            heads_.trim(count_ == 0 ? 0 : count_ + trim_step);
        }
    }
    /// Gives back every page above the last bucket.
    void trim() noexcept { heads_.trim(count_); }

    [[nodiscard]] std::size_t bytes() const noexcept { return heads_.bytes(); }

private:
    static constexpr std::uint32_t trim_step = 256; // a quarter of a leaf of 4 KiB

    page_directory<std::uint32_t, Source> heads_;
    std::uint32_t count_ = 0;
};

} // namespace pagefold
