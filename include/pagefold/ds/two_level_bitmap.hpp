// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Up to 64·64 bits, and the first set one at or above any place in O(1): a word that has a bit for each word in which
/// any bit is set, over those words. What a segregated-fit allocator looks a non-empty free list up in (xvmalloc, Nitin
/// Gupta; TLSF, Masmano and others, "TLSF: a new dynamic memory allocator for real-time systems", ECRTS 2004).
///
/// set and clear read and write at most the two words, find_from reads at most three. All bits are clear at first. Not
/// thread-safe.
template <unsigned Bits>
class two_level_bitmap {
public:
    static_assert(Bits >= 1 && Bits <= 64 * 64);

    static constexpr unsigned size = Bits;
    static constexpr unsigned npos = Bits; ///< the answer where no bit is set

    /// `bit` must be below size, here and in the next two.
    constexpr void set(unsigned bit) noexcept {
        PAGEFOLD_CHECK(bit < Bits);
        words_[bit / 64] |= mask(bit);
        summary_ |= mask(bit / 64);
    }
    constexpr void clear(unsigned bit) noexcept {
        PAGEFOLD_CHECK(bit < Bits);
        std::uint64_t& word = words_[bit / 64];
        word &= ~mask(bit);
        summary_ &= ~(std::uint64_t{word == 0} << (bit / 64));
    }
    /// Sets or clears, as `value` says, without a branch.
    constexpr void assign(unsigned bit, bool value) noexcept {
        PAGEFOLD_CHECK(bit < Bits);
        std::uint64_t& word = words_[bit / 64];
        word = (word & ~mask(bit)) | std::uint64_t{value} << (bit % 64);
        summary_ = (summary_ & ~mask(bit / 64)) | std::uint64_t{word != 0} << (bit / 64);
    }
    [[nodiscard]] constexpr bool test(unsigned bit) const noexcept {
        PAGEFOLD_CHECK(bit < Bits);
        return (words_[bit / 64] & mask(bit)) != 0;
    }
    [[nodiscard]] constexpr bool any() const noexcept { return summary_ != 0; }

    /// The lowest set bit at or above `from`, or npos; `from` may be anything.
    [[nodiscard]] constexpr unsigned find_from(unsigned from) const noexcept {
        if (from >= Bits) {
            return npos;
        }
        const unsigned at = from / 64;
        if (const std::uint64_t here = words_[at] & ~low_bits(from % 64); here != 0) {
            return at * 64 + lowest(here);
        }
        const std::uint64_t above = summary_ & ~low_bits(at + 1);
        if (above == 0) {
            return npos;
        }
        return lowest(above) * 64 + lowest(words_[lowest(above)]);
    }

    /// Whether the summary says of each word what is in it, and no bit is set past the end. Reads every word.
    [[nodiscard]] constexpr bool check() const noexcept {
        std::uint64_t expected = 0;
        for (unsigned w = 0; w < word_count; ++w) {
            expected |= std::uint64_t{words_[w] != 0} << w;
        }
        const bool ends = Bits % 64 == 0 || (words_[word_count - 1] & ~low_bits(Bits % 64)) == 0;
        return summary_ == expected && ends;
    }

private:
    static constexpr unsigned word_count = (Bits + 63) / 64;

    [[nodiscard]] static constexpr std::uint64_t mask(unsigned bit) noexcept { return std::uint64_t{1} << (bit % 64); }
    [[nodiscard]] static constexpr unsigned lowest(std::uint64_t word) noexcept { return trailing_zeros(word); }

    std::uint64_t summary_ = 0;
    std::uint64_t words_[word_count] = {};
};

} // namespace pagefold
