// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// A view of one bit a page, set where the page is taken: what page sources keep their books in. The words belong to
/// the caller. Bits past the end count as set. Costs are in words looked at; 64 pages are one word.
class page_bitmap {
public:
    /// Consecutive pages; none where count is 0.
    struct run {
        std::size_t first;
        std::size_t count;
    };
    static constexpr std::size_t npos = ~std::size_t{0};

    [[nodiscard]] static constexpr std::size_t words_for(std::size_t pages) noexcept { return ceil_div(pages, 64); }

    /// `words` has words_for(pages) of them.
    constexpr page_bitmap(std::uint64_t* words, std::size_t pages) noexcept : words_{words}, pages_{pages} {}

    /// Makes every page free; needed once before anything else.
    constexpr void reset() noexcept {
        for (std::size_t w = 0; w < words_for(pages_); ++w) {
            words_[w] = 0;
        }
        if (pages_ % 64 != 0) {
            words_[pages_ / 64] = ~low_bits(pages_ % 64);
        }
    }

    constexpr void set(std::size_t first, std::size_t count) noexcept {
        for_each_word(first, count, [this](std::size_t w, std::uint64_t mask) { words_[w] |= mask; });
    }
    constexpr void clear(std::size_t first, std::size_t count) noexcept {
        for_each_word(first, count, [this](std::size_t w, std::uint64_t mask) { words_[w] &= ~mask; });
    }
    /// How many of the pages are set.
    [[nodiscard]] constexpr std::size_t count(std::size_t first, std::size_t count) const noexcept {
        std::size_t sum = 0;
        for_each_word(first, count, [&](std::size_t w, std::uint64_t mask) { sum += count_ones(words_[w] & mask); });
        return sum;
    }

    [[nodiscard]] constexpr bool all_set(std::size_t first, std::size_t count) const noexcept {
        bool all = true;
        for_each_word(first, count,
                      [&](std::size_t w, std::uint64_t mask) { all = all && (words_[w] & mask) == mask; });
        return all;
    }

    /// The lowest `count` consecutive clear pages at or above `from`; npos if there are none.
    [[nodiscard]] constexpr std::size_t find_clear(std::size_t count, std::size_t from = 0) const noexcept {
        PAGEFOLD_CHECK(count > 0);
        return count <= 64 ? find_short(static_cast<unsigned>(count), from) : find_long(count, from);
    }

    /// The first run of clear pages at or above `from`, cut to begin there.
    [[nodiscard]] constexpr run next_clear_run(std::size_t from) const noexcept {
        const std::size_t first = next(from, 0);
        return {first, next(first, ~std::uint64_t{0}) - first};
    }
    /// The run of clear pages around `page`, which is clear.
    [[nodiscard]] constexpr run clear_run_around(std::size_t page) const noexcept {
        std::size_t w = page / 64;
        std::uint64_t taken_below = words_[w] & low_bits(page % 64);
        while (taken_below == 0 && w > 0) {
            taken_below = words_[--w];
        }
        const std::size_t first = taken_below == 0 ? 0 : w * 64 + 64 - leading_zeros(taken_below);
        return {first, next(page, ~std::uint64_t{0}) - first};
    }
    [[nodiscard]] constexpr std::size_t longest_clear_run() const noexcept {
        std::size_t longest = 0;
        for (run r = next_clear_run(0); r.count != 0; r = next_clear_run(r.first + r.count)) {
            longest = r.count > longest ? r.count : longest;
        }
        return longest;
    }

private:
    template <class Function>
    constexpr void for_each_word(std::size_t first, std::size_t count, Function function) const noexcept {
        PAGEFOLD_CHECK(first <= pages_ && count <= pages_ - first);
        for (const std::size_t end = first + count; first < end;) {
            const std::size_t w = first / 64;
            const std::size_t word_end = end < (w + 1) * 64 ? end : (w + 1) * 64;
            function(w, low_bits(static_cast<unsigned>(word_end - first)) << (first % 64));
            first = word_end;
        }
    }

    /// The first page at or above `from` whose bit differs from those of `flip` (all zeros: the first clear page; all
    /// ones: the first set one); pages_ if there is none.
    [[nodiscard]] constexpr std::size_t next(std::size_t from, std::uint64_t flip) const noexcept {
        std::uint64_t skipped = low_bits(from % 64);
        for (std::size_t w = from / 64; w < words_for(pages_); ++w, skipped = 0) {
            const std::uint64_t hits = (flip == 0 ? ~words_[w] : words_[w]) & ~skipped;
            if (hits != 0) {
                return w * 64 + trailing_zeros(hits);
            }
        }
        return pages_;
    }

    /// A run of at most 64 begins in one word and ends in that or the next: both are shifted together, so that a bit
    /// stays set where a run of 1, 2, 4, … count pages begins. No walk over short runs.
    [[nodiscard]] constexpr std::size_t find_short(unsigned count, std::size_t from) const noexcept {
        const std::size_t words = words_for(pages_);
        std::uint64_t skipped = low_bits(from % 64);
        for (std::size_t w = from / 64; w < words; ++w, skipped = 0) {
            std::uint64_t low = ~words_[w] & ~skipped;
            if (low == 0) {
                continue;
            }
            std::uint64_t high = w + 1 < words ? ~words_[w + 1] : 0;
            for (unsigned length = 1; length < count;) {
                const unsigned step = length < count - length ? length : count - length;
                low &= low >> step | high << (64 - step);
                high &= high >> step;
                length += step;
            }
            if (low != 0) {
                return w * 64 + trailing_zeros(low);
            }
        }
        return npos;
    }
    [[nodiscard]] constexpr std::size_t find_long(std::size_t count, std::size_t from) const noexcept {
        for (run r = next_clear_run(from); r.count != 0; r = next_clear_run(r.first + r.count)) {
            if (r.count >= count) {
                return r.first;
            }
        }
        return npos;
    }

    std::uint64_t* words_;
    std::size_t pages_;
};

} // namespace pagefold
