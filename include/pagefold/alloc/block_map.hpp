// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/no_meter.hpp>
#include <pagefold/config/assert.hpp>
#include <pagefold/config/macros.hpp>
#include <pagefold/core/bits.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// How a span of up to `Granules` granules is cut into blocks, in one bit a granule. Blocks are used or free, of at least
/// two granules, and no two free ones lie side by side.
///
///     granule   0 1 2 3 4 5 6 7 8 9 ...
///     bits      1 0 0 0 1 1 0 0 1 0 ...       4 used, 4 free, then used: a free block sets its first two bits
///
/// The bits read both ways: two set bits in a row begin a free block, three are a free block of two granules and the
/// start of the used one behind it, and there are no four. So what lies before and behind a block is found without any
/// tag in either, which is what coalescing takes. A shorter span ends with the start of a block that is neither.
template <unsigned Granules, class Meter = no_meter>
class block_map {
public:
    static_assert(Granules % 64 == 0);
    static constexpr unsigned max_granules = Granules;
    static constexpr unsigned min_block = 2;
    /// As many free blocks as there can be, with used ones between them.
    static constexpr unsigned max_free_blocks = max_granules / (2 * min_block);

    /// Steps of for_each_free, at most: every word for the starts, and again for the end of every block.
    static constexpr unsigned max_steps = 2 * (Granules / 64) + max_free_blocks;
    /// Steps to either end of a block, at most.
    static constexpr unsigned max_scan_steps = Granules / 64;
    /// Steps of next_used, at most: three ends of blocks.
    static constexpr unsigned max_next_steps = 3 * (1 + max_scan_steps);

    /// The granules from `start` on, and below `stop`.
    struct extent {
        unsigned start;
        unsigned stop;
    };

    /// One free block of `end` granules.
    void reset(unsigned end) noexcept {
        for (std::uint64_t& word : words_) {
            word = 0;
        }
        set(0);
        set(1);
        if (end < max_granules) {
            set(end);
        }
    }
    /// Uses `size` granules at the start of a free block of `available`. Returns what it used: one more, where one would
    /// be left.
    PAGEFOLD_ALWAYS_INLINE unsigned take(unsigned start, unsigned available, unsigned size) noexcept {
        PAGEFOLD_ASSERT(size >= min_block && size <= available && starts_free(start));
        clear(start + 1);
        if (available - size < min_block) {
            return available;
        }
        set(start + size);
        set(start + size + 1);
        return size;
    }
    /// Frees the used block from `start` to `stop`, in a span of `end`; returns the free block that it is part of then.
    PAGEFOLD_ALWAYS_INLINE extent give_back(unsigned start, unsigned stop, unsigned end) noexcept {
        extent merged{start, stop};
        if (stop < end && test(stop + 1)) {
            merged.stop = next(stop + min_block);
            clear(stop);
            clear(stop + 1);
        }
        merged.start = start == 0 ? 0 : free_before(start);
        if (merged.start == start) {
            set(start + 1);
        } else {
            clear(start);
        }
        return merged;
    }

    /// Where the used block ends that starts at `start`, or 0 if none does; `start` must be below the end.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE unsigned end_of_used(unsigned start) const noexcept {
        const window at = look(start);
        if ((at.low & 3u) != 1 || (start != 0 && test(start - 1) && !ends_pair(start))) [[unlikely]] {
            return 0;
        }
        return at.low == 1 && at.high == 0 ? walk(start + 128) : nearest(start, at.low - 1, at.high);
    }
    [[nodiscard]] bool starts_free(unsigned at) const noexcept {
        return test(at) && test(at + 1) && (at == 0 || !test(at - 1));
    }

    /// Calls `visit(start, granules)` for the free blocks in ascending order.
    template <class Visit>
    void for_each_free(Visit visit) const noexcept {
        std::uint64_t below = 0;
        for (unsigned w = 0; w < word_count; ++w) {
            Meter::step();
            const std::uint64_t here = words_[w];
            const std::uint64_t above = w + 1 < word_count ? words_[w + 1] : 0;
            std::uint64_t starts = here & (here >> 1 | above << 63) & ~(here << 1 | below >> 63);
            for (; starts != 0; starts &= starts - 1) {
                const unsigned start = w * 64 + trailing_zeros(starts);
                visit(start, next(start + min_block) - start);
            }
            below = here;
        }
    }
    /// Calls `visit(start, granules)` for the used blocks in ascending order until it answers false.
    template <class Visit>
    void for_each_used(unsigned end, Visit visit) const noexcept {
        for (unsigned start = 0; start < end;) {
            const bool free = test(start + 1);
            const unsigned stop = next(start + (free ? min_block : 1));
            if (!free && !visit(start, stop - start)) {
                return;
            }
            start = stop;
        }
    }

    /// The first used block that starts at or above `from`, in a span of `end`; from end to end where there is none. `from`
    /// must be the start or end of a block, be it of one that has become part of a free one since.
    [[nodiscard]] extent next_used(unsigned from, unsigned end) const noexcept {
        unsigned start = next(from);
        if (start < end && test(start + 1)) {
            start = next(start + min_block);
        }
        return start < end ? extent{start, next(start + 1)} : extent{end, end};
    }

    /// Whether the bits are such as operations leave them: no block is too small, and no free ones lie side by side.
    [[nodiscard]] bool check(unsigned end) const noexcept {
        if (!test(0) || (end < max_granules && (!test(end) || next(end + 1) != max_granules))) {
            return false;
        }
        bool was_free = false;
        for (unsigned start = 0; start < end;) {
            const bool free = test(start + 1);
            const unsigned stop = next(start + (free ? min_block : 1));
            if (stop - start < min_block || stop > end || (free && was_free)) {
                return false;
            }
            was_free = free;
            start = stop;
        }
        return true;
    }

private:
    static constexpr unsigned word_count = max_granules / 64;

    [[nodiscard]] bool test(unsigned at) const noexcept {
        return at < max_granules && (words_[at / 64] >> (at % 64) & 1u) != 0;
    }
    void set(unsigned at) noexcept { words_[at / 64] |= std::uint64_t{1} << (at % 64); }
    void clear(unsigned at) noexcept { words_[at / 64] &= ~(std::uint64_t{1} << (at % 64)); }

    /// The 128 bits from a granule on. Most blocks end within them, and which half it is in can't be predicted: so both
    /// are looked at at once. What would lie past the last granule has no meaning.
    struct window {
        std::uint64_t low;
        std::uint64_t high;
    };
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE window look(unsigned from) const noexcept {
        Meter::step();
        const unsigned w = from / 64, shift = from % 64;
        const std::uint64_t middle = words_[following(w)];
        return {words_[w] >> shift | middle << 1 << (63 - shift),
                middle >> shift | words_[following(following(w))] << 1 << (63 - shift)};
    }
    /// w + 1, or w if it is the last, without a branch.
    [[nodiscard]] static constexpr unsigned following(unsigned w) noexcept {
        return w + 1 - ((w + 64 - (word_count - 1)) >> 6);
    }
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE static unsigned nearest(unsigned from, std::uint64_t low,
                                                                 std::uint64_t high) noexcept {
        const unsigned is_high = low == 0 ? 1 : 0;
        const std::uint64_t here = low | (high & (0 - std::uint64_t{is_high}));
        const unsigned at = from + trailing_zeros(here) + (is_high << 6);
        return at < max_granules ? at : max_granules;
    }
    /// The first granule of a block at or above `from`, or the last granule's successor.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE unsigned next(unsigned from) const noexcept {
        if (from >= max_granules) {
            return max_granules;
        }
        const window at = look(from);
        return (at.low | at.high) != 0 ? nearest(from, at.low, at.high) : walk(from + 128);
    }
    [[nodiscard]] PAGEFOLD_COLD unsigned walk(unsigned from) const noexcept {
        for (unsigned w = from / 64; w < word_count; ++w) {
            Meter::step();
            const std::uint64_t here = w == from / 64 ? words_[w] >> (from % 64) << (from % 64) : words_[w];
            if (here != 0) {
                return w * 64 + trailing_zeros(here);
            }
        }
        return max_granules;
    }
    /// Whether two free granules end there: bits in a run of three.
    [[nodiscard]] bool ends_pair(unsigned at) const noexcept { return at >= 2 && test(at - 2); }
    /// The start of the free block that ends at `start`, or `start` if what lies before is used; `start` is not 0.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE unsigned free_before(unsigned start) const noexcept {
        unsigned last = start - 1;
        unsigned w = last / 64;
        Meter::step();
        // As in look(): two words at once. In the first word of all there is bit 0 at the least.
        const std::uint64_t high = words_[w] << (63 - last % 64);
        const std::uint64_t is_low = std::uint64_t{high == 0};
        const std::uint64_t here = high | (words_[w - (w != 0 ? 1 : 0)] & (0 - is_low));
        if (here == 0) [[unlikely]] {
            return free_far_before(start, w - 2);
        }
        last -= static_cast<unsigned>(is_low) * (last % 64 + 1) + leading_zeros(here);
        return starts_free_second(last) ? last - 1 : start;
    }
    [[nodiscard]] PAGEFOLD_COLD unsigned free_far_before(unsigned start, unsigned w) const noexcept {
        Meter::step();
        while (words_[w] == 0) {
            Meter::step();
            --w;
        }
        const unsigned last = w * 64 + bit_length(words_[w]) - 1;
        return starts_free_second(last) ? last - 1 : start;
    }
    /// Whether the second bit of a free block is there, where a bit is set.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE bool starts_free_second(unsigned at) const noexcept {
        return at != 0 && test(at - 1) && !ends_pair(at);
    }

    std::uint64_t words_[word_count];
};

} // namespace pagefold
