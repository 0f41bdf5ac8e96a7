// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/status.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

// Which units of a file are taken, for a tier over it: runs of neighbouring units that are taken together and come free together.
//
// Two bits a unit, in memory of the caller: whether it is taken, and whether it goes on what the unit before it began. So a run
// is given back by its first unit alone, as a tier is told to forget a copy by its place and not by its length.
//
// The search goes round: it begins where the last one ended, so that what is written in a row lies in a row, and a unit that
// came free is taken again one round later. A run that is not found is remembered by its length until a unit comes free: a
// full file costs one look. Words that are wholly taken are passed over at once.
//
// Cost: take looks at each word of 64 units once at most; give_back at the units of the run. Not thread-safe.
//
// Not size classes with a list each, as the allocators have: what lies in a file can't be moved, and a page of one class would
// stay for one object. Not a list of free runs in the free space: a read for each step.

namespace pagefold::inline PAGEFOLD_ABI {

class file_places {
public:
    /// The memory that so many units take, in bytes.
    [[nodiscard]] static constexpr std::size_t memory_for(std::uint32_t units) noexcept {
        return 2 * words_for(units) * sizeof(std::uint64_t);
    }

    file_places() noexcept = default;
    file_places(const file_places&) = delete;
    file_places& operator=(const file_places&) = delete;

    /// Begins with so many units, all free. invalid: the memory is less than memory_for(units), or not aligned to 8 bytes. The
    /// memory is the caller's, and stays until the object is gone.
    status open(std::uint32_t units, byte_span memory) noexcept {
        if (memory.size() < memory_for(units) ||
            reinterpret_cast<std::uintptr_t>(memory.data()) % sizeof(std::uint64_t) != 0) {
            return status::invalid;
        }
        memory_ = memory.data();
        units_ = free_ = units;
        next_ = 0;
        least_refused_ = ~std::uint32_t{0};
        words_ = words_for(units);
        if (memory_for(units) != 0) {
            std::memset(memory_, 0, memory_for(units));
        }
        for (std::size_t unit = units; unit < 64 * words_; ++unit) { // what is behind the end is never free
            set(unit, true, true);
        }
        return status::ok;
    }

    /// The first of `count` (at least 1) neighbours that were free, and are taken now. limit: there are none.
    [[nodiscard]] result<std::uint32_t> take(std::uint32_t count) noexcept {
        PAGEFOLD_CHECK(count != 0);
        if (count > free_ || count >= least_refused_) {
            return status::limit;
        }
        std::size_t first = find(next_, 64 * words_, count);
        if (first == nowhere) { // one that begins before, and may end behind
            const std::size_t end = std::size_t{next_} + count;
            first = find(0, end < 64 * words_ ? end : 64 * words_, count);
        }
        if (first == nowhere) {
            least_refused_ = count;
            return status::limit;
        }
        for (std::size_t unit = first; unit < first + count; ++unit) {
            set(unit, true, unit != first);
        }
        free_ -= count;
        next_ = static_cast<std::uint32_t>(first + count);
        return static_cast<std::uint32_t>(first);
    }
    /// The run that begins at a unit is free again. not_found: none begins there; any number may be asked.
    status give_back(std::uint32_t first) noexcept {
        if (!begins(first)) {
            return status::not_found;
        }
        std::size_t unit = first;
        do {
            set(unit, false, false);
            ++free_;
            ++unit;
        } while (unit < units_ && goes_on(unit));
        least_refused_ = ~std::uint32_t{0};
        return status::ok;
    }
    /// Makes a run of `count` units into one of `left` (at least 1), and another behind it, which is given back by its own
    /// first unit.
    void split(std::uint32_t first, std::uint32_t left) noexcept {
        PAGEFOLD_CHECK(begins(first) && left != 0 && first + left < units_ && goes_on(first + left));
        set(first + left, true, false);
    }

    /// Whether a run begins at the unit; any number may be asked.
    [[nodiscard]] bool begins(std::uint32_t unit) const noexcept {
        return unit < units_ && bit(unit, 0) && !bit(unit, 1);
    }
    /// Units of the run that begins there. Cost: its length.
    [[nodiscard]] std::uint32_t length(std::uint32_t first) const noexcept {
        PAGEFOLD_CHECK(begins(first));
        std::uint32_t count = 1;
        while (first + count < units_ && goes_on(first + count)) {
            ++count;
        }
        return count;
    }
    [[nodiscard]] std::uint32_t units() const noexcept { return units_; }
    [[nodiscard]] std::uint32_t free_units() const noexcept { return free_; }

private:
    static constexpr std::size_t nowhere = ~std::size_t{0};

    [[nodiscard]] static constexpr std::size_t words_for(std::uint32_t units) noexcept {
        return units / 64 + (units % 64 != 0 ? 1u : 0u);
    }
    // Word 2 i: which of units 64 i to 64 i + 63 are taken; the next: which go on.
    [[nodiscard]] std::uint64_t word(std::size_t number) const noexcept {
        return load_native<std::uint64_t>(memory_ + number * sizeof(std::uint64_t));
    }
    [[nodiscard]] bool bit(std::size_t unit, std::size_t which) const noexcept {
        return (word(unit / 64 * 2 + which) >> unit % 64 & 1) != 0;
    }
    [[nodiscard]] bool goes_on(std::size_t unit) const noexcept { return bit(unit, 1); }
    void set(std::size_t unit, bool is_taken, bool is_going_on) noexcept {
        const std::uint64_t mask = std::uint64_t{1} << unit % 64;
        const std::size_t at = unit / 64 * 2;
        store_native(memory_ + at * 8, (word(at) & ~mask) | (is_taken ? mask : 0));
        store_native(memory_ + (at + 1) * 8, (word(at + 1) & ~mask) | (is_going_on ? mask : 0));
    }
    /// The first unit of a free run of `count` between two units, or nowhere.
    [[nodiscard]] std::size_t find(std::size_t from, std::size_t end, std::uint32_t count) const noexcept {
        std::size_t run = 0;
        for (std::size_t unit = from; unit < end;) {
            const std::uint64_t taken = word(unit / 64 * 2) >> unit % 64;
            const std::size_t here = 64 - unit % 64;
            // As many as are alike, from here on.
            const bool is_taken = (taken & 1) != 0;
            const std::uint64_t others = is_taken ? ~taken : taken;
            std::size_t alike = others != 0 ? trailing_zeros(others) : here;
            alike = alike < here ? alike : here;
            alike = alike < end - unit ? alike : end - unit;
            run = is_taken ? 0 : run + alike;
            unit += alike;
            if (run >= count) {
                return unit - run;
            }
        }
        return nowhere;
    }

    std::byte* memory_ = nullptr;
    std::size_t words_ = 0;
    std::uint32_t units_ = 0, free_ = 0, next_ = 0;
    std::uint32_t least_refused_ = ~std::uint32_t{0}; // of runs that were looked for in vain since a unit came free
};

} // namespace pagefold
