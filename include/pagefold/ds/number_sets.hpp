// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/page_directory.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace pagefold::inline PAGEFOLD_ABI {

/// `Sets` sets of numbers below a bound that grows and shrinks, and the lowest number of each: a bit for each number, and
/// for each 64 words of bits a summary word that has a bit for each word in which any is set. The summary stands before
/// its 64 words in one page_directory, so that the sets of some hundred numbers take no page.
///
/// insert and erase look at two words. lowest looks at one word for each 4096 numbers up to its answer, and at one more.
/// `Meter`: void, or a type whose `step` is called for each word looked at, so that a test can count them. Not thread-safe.
// clang-format off
template <unsigned Sets, class Source, class Meter = void>
    requires(Sets >= 1 && is_power_of_two(Sets))
class number_sets {
    // clang-format on
public:
    static constexpr std::uint32_t none = 0xffffffffu; ///< the answer where a set is empty

    number_sets(Source& source, node_id node) noexcept : entries_{source, node} {}

    /// Makes the numbers below `count` usable; they start in no set. Fails with what the source answered, and the bound
    /// stays as it was then.
    status reserve(std::uint32_t count) noexcept {
        for (std::uint32_t index = entries_for(bound_); index < entries_for(count); ++index) {
            if (const status s = entries_.reserve(index); s != status::ok) {
                return s;
            }
        }
        bound_ = count > bound_ ? count : bound_;
        return status::ok;
    }
    /// Lowers the bound to `count`, above which no number is in any set, and gives back memory that `kept` numbers (or
    /// `count`, where that is more) don't need. Never fails. Costs what page_directory's trim does.
    void trim(std::uint32_t count, std::uint32_t kept) noexcept {
        if (count < bound_) {
            bound_ = count;
        }
        entries_.trim(entries_for(kept > count ? kept : count));
    }

    /// `number` must be below the bound, here and in the next two.
    void insert(unsigned set, std::uint32_t number) noexcept {
        PAGEFOLD_ASSERT(number < bound_);
        word(set, number) |= bit(number);
        summary(set, number) |= bit(number / 64);
    }
    void erase(unsigned set, std::uint32_t number) noexcept {
        PAGEFOLD_ASSERT(number < bound_);
        std::uint64_t& w = word(set, number);
        w &= ~bit(number);
        if (w == 0) {
            summary(set, number) &= ~bit(number / 64);
        }
    }
    [[nodiscard]] bool contains(unsigned set, std::uint32_t number) const noexcept {
        PAGEFOLD_ASSERT(number < bound_);
        return (word(set, number) & bit(number)) != 0;
    }

    /// The lowest number of the set, or none.
    [[nodiscard]] std::uint32_t lowest(unsigned set) const noexcept {
        for (std::uint32_t group = 0; group < bound_; group += group_numbers) {
            if (const std::uint64_t words = summary(set, group); words != 0) {
                const std::uint32_t first = group + 64 * trailing_zeros(words);
                return first + trailing_zeros(word(set, first));
            }
        }
        return none;
    }
    /// Takes the numbers just below `end`, as far as they are in the set without a gap, out of it; the least of them, or
    /// `end`. Looks at a word for each 64 of them.
    [[nodiscard]] std::uint32_t erase_run_below(unsigned set, std::uint32_t end) noexcept {
        PAGEFOLD_ASSERT(end <= bound_);
        while (end > 0) {
            std::uint64_t& w = word(set, end - 1);
            const unsigned shift = 63 - (end - 1) % 64;
            const unsigned run = leading_ones(w << shift);
            const std::uint32_t start = end - run;
            w &= ~(low_bits(run) << (start % 64));
            if (w == 0) {
                summary(set, end - 1) &= ~bit((end - 1) / 64);
            }
            end = start;
            if (run == 0 || start % 64 != 0) {
                break;
            }
        }
        return end;
    }

    /// Bytes taken from the source.
    [[nodiscard]] std::size_t bytes() const noexcept { return entries_.bytes(); }

    /// Walks all words; false where a summary or a number past the bound is wrong.
    [[nodiscard]] bool check() const noexcept {
        for (unsigned set = 0; set < Sets; ++set) {
            for (std::uint32_t first = 0; first < bound_; first += 64) {
                const std::uint64_t w = word(set, first);
                const bool is_noted = (summary(set, first) & bit(first / 64)) != 0;
                if ((w != 0) != is_noted || (bound_ - first < 64 && (w & ~low_bits(bound_ - first)) != 0)) {
                    return false;
                }
            }
        }
        return true;
    }

private:
    static constexpr std::uint32_t group_numbers = 64 * 64;
    static constexpr std::uint32_t group_entries = 1 + 64; // a summary and its words

    struct entry {
        std::uint64_t words[Sets];
    };

    [[nodiscard]] static constexpr std::uint64_t bit(std::uint32_t at) noexcept {
        return std::uint64_t{1} << (at % 64);
    }
    [[nodiscard]] static constexpr std::uint32_t group_of(std::uint32_t number) noexcept {
        return number / group_numbers * group_entries;
    }
    [[nodiscard]] static constexpr std::uint32_t entry_of(std::uint32_t number) noexcept {
        return group_of(number) + 1 + number % group_numbers / 64;
    }
    [[nodiscard]] static constexpr std::uint32_t entries_for(std::uint32_t count) noexcept {
        return count != 0 ? entry_of(count - 1) + 1 : 0;
    }
    [[nodiscard]] std::uint64_t& look(unsigned set, std::uint32_t index) const noexcept {
        if constexpr (!std::is_void_v<Meter>) {
            Meter::step();
        }
        return entries_[index].words[set];
    }
    [[nodiscard]] std::uint64_t& word(unsigned set, std::uint32_t number) const noexcept {
        return look(set, entry_of(number));
    }
    [[nodiscard]] std::uint64_t& summary(unsigned set, std::uint32_t number) const noexcept {
        return look(set, group_of(number));
    }

    page_directory<entry, Source> entries_;
    std::uint32_t bound_ = 0;
};

} // namespace pagefold
