// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bits.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// One size class: spans of `units` consecutive units are cut into `slots` slots of `bytes` each.
struct size_class {
    std::uint32_t bytes;
    std::uint8_t slots;
    std::uint8_t units;
    std::uint16_t eighths; // 2^16 / slots, rounded up; of no use for one slot

    /// The eighth of a span, 0 to 7, in which `free` of its slots lies; free < slots.
    [[nodiscard]] constexpr unsigned eighth(unsigned free) const noexcept { return (free * eighths) >> 13; }
};

/// The size classes of a chained-span allocator, computed at compile time.
///
/// For every multiple of `step` the table takes the chain of 1 to `MaxChain` units whose cost for an object (span bytes
/// over slots) is least, the shorter chain where two are equal. Sizes with the same chain and number of slots share a
/// class, whose slot size is the greatest multiple of `step` that fits (zsmalloc's merging, mm/zsmalloc.c; it steps by
/// 16 bytes at 4 KiB, where 8 make objects 0.1 % denser). What is left is that the slot sizes are the fractions
/// units/slots of a unit, so that the gaps between them are wide near the unit (12/13 to 1 at chains of 12) and narrow
/// below its half.
///
/// A span has at most `max_slots` slots; short chains keep to that for small objects, which leave little waste anyway.
/// It makes the smallest class Unit/max_slots: 40 bytes at 4 KiB, which is what LZ4 leaves of an almost empty page.
template <std::size_t Unit, unsigned MaxChain>
class size_classes {
public:
    static_assert(is_power_of_two(Unit) && Unit >= 4096 && Unit <= 65536 && MaxChain >= 1 && MaxChain <= 16);

    static constexpr std::size_t step = Unit / 512;
    static constexpr unsigned max_slots = 120;
    static constexpr unsigned max_count = 512; // a number takes 9 bits

    /// Classes by ascending slot size; the last is whole units, one a span.
    static constexpr unsigned count() noexcept { return table_.count; }
    static constexpr const size_class& at(unsigned number) noexcept { return table_.classes[number]; }
    /// The class with the smallest slots that hold `bytes`, from 1 to Unit.
    static constexpr unsigned of(std::size_t bytes) noexcept { return table_.class_of[ceil_div(bytes, step)]; }

private:
    struct table {
        size_class classes[max_count];
        std::uint16_t class_of[Unit / step + 1];
        unsigned count;
    };

    static constexpr size_class best_for(std::size_t bytes) noexcept {
        size_class best{};
        for (unsigned units = 1; units <= MaxChain; ++units) {
            const std::size_t slots = units * Unit / bytes;
            // fewer bytes of span for a slot: units/slots < best.units/best.slots
            if (slots <= max_slots && (best.slots == 0 || units * best.slots < best.units * slots)) {
                best.slots = static_cast<std::uint8_t>(slots);
                best.units = static_cast<std::uint8_t>(units);
            }
        }
        if (best.slots != 0) {
            best.bytes = static_cast<std::uint32_t>(best.units * Unit / best.slots / step * step);
            best.eighths = static_cast<std::uint16_t>(ceil_div(65536, best.slots));
        }
        return best;
    }

    static constexpr table compute() noexcept {
        table out{};
        for (std::size_t i = 1; i <= Unit / step; ++i) {
            const size_class best = best_for(i * step);
            if (best.slots == 0) {
                continue; // more than max_slots to a unit: the first class serves it
            }
            const size_class* const last = out.count == 0 ? nullptr : &out.classes[out.count - 1];
            if (last == nullptr || last->slots != best.slots || last->units != best.units) {
                out.classes[out.count++] = best;
            }
            out.class_of[i] = static_cast<std::uint16_t>(out.count - 1);
        }
        return out;
    }

    static constexpr table table_ = compute();
};

} // namespace pagefold
