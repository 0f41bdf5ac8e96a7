// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>
#include <pagefold/place/concept.hpp>
#include <pagefold/store/pool.hpp>

#include <cstddef>
#include <cstdint>

// In which partition a pool that pays loses a page.
//
// A put wants a place in its own partition, and a victim there makes one. If victims were always taken there, each
// partition would keep for ever what it had when the store became full: where a pool's pages are read most it would have too few
// places, and cold pages would stay where nobody puts. So the policies' hands should go round at one speed, as if there were one
// hand for all partitions. Each partition counts how often the pool's hands went round (pool_state::wear, in 256ths of a
// round here: turns). Where home is ahead of another partition by more than a tolerance, the page that goes is one of the other's, and
// its memory comes here. In balance all victims are at home, and no memory moves.
//
// Turns are counted, never estimated: there is no rate, no window and no clock, and the same puts give the same choice. The pool's
// record remembers the partition that was furthest behind, and one other is looked at every now and then. Both are hints:
// two threads may overwrite each other's, and the next look mends it.
//
// A pool at its cap loses a page of its own in the hold in which its put found out. There it only asks where the hint says that home
// is too far ahead, and each eighth time, to look: what it costs a put that is in balance is an eighth of three holds.
//
// Why not stays (pages over arrivals): the mean stay is long where pages are hot, so equal stays take memory from where it serves best
// (docs/store.md has the numbers).

namespace pagefold::inline PAGEFOLD_ABI {

/// How far the hands of a pool's policy went in a partition.
struct pool_pace {
    bool has_pages = false;
    std::uint32_t turns = 0; ///< in 256ths of a round; wraps, and is compared by differences
};

/// Chooses the partition, with holds of one partition's lock at a time: two in the mean and four at most. `Partition` has
/// pace_of(slot, is_ahead, turns). Safe from many threads.
template <class Partition>
class pool_balance {
public:
    static constexpr partition_id nowhere = ~partition_id{0};
    static constexpr std::uint32_t round = 256;
    /// Home may be so much ahead: 2 rounds. With an eighth of it, five times as many pages moved for the same hits.
    static constexpr std::uint32_t tolerance = 2 * round;
    /// No partition stays behind by more: one that nobody put to for long would lose all its pages at once when it is found.
    static constexpr std::uint32_t most_behind = 8 * round;
    /// Every so many questions another partition is looked at.
    static constexpr std::uint32_t questions_a_look = 8;

    struct answer {
        bool has_pages = false;        ///< at home
        partition_id behind = nowhere; ///< where a page should go rather than at home, if anywhere
    };

    /// Whether a pool at its cap, whose hands at `home` are so far, should ask: the hint says so, or it is time for a look. Under
    /// the lock of home, and without another: the record is at hand there.
    [[nodiscard]] static bool is_due(pool_record& record, partition_id home, std::uint32_t turns) noexcept {
        // relaxed, all: as below.
        const std::uint32_t question = record.questions.load(memory_order::relaxed) + 1u;
        const partition_id at = record.behind.load(memory_order::relaxed);
        if (question % questions_a_look == 0 ||
            (at != home && is_far_behind(record.behind_turns.load(memory_order::relaxed), turns))) {
            return true;
        }
        record.questions.store(static_cast<std::uint16_t>(question), memory_order::relaxed);
        return false;
    }

    /// For the pool in slot `pool`, whose record it is, and a put at `home`. `may(i)`: whether memory of a partition is any help.
    template <class Set, class May>
    [[nodiscard]] static answer find(const Set& partitions, pool_record& record, std::uint32_t pool, partition_id home,
                                     May may) noexcept {
        const std::size_t count = partitions.size();
        const pool_pace here = partitions[home].pace_of(pool, false, 0);
        if (count == 1) {
            return {here.has_pages};
        }
        const auto look = [&](partition_id i) noexcept {
            return partitions[i].pace_of(pool, here.has_pages, here.turns - most_behind);
        };
        // relaxed, all three: hints, which order nothing. A store of a number that another thread changed meanwhile loses that.
        partition_id at = record.behind.load(memory_order::relaxed);
        std::uint32_t turns = record.behind_turns.load(memory_order::relaxed);
        const std::uint32_t question = record.questions.load(memory_order::relaxed) + 1u;
        record.questions.store(static_cast<std::uint16_t>(question), memory_order::relaxed);
        if (question % questions_a_look == 0) {
            const partition_id other = question / questions_a_look % count;
            const pool_pace there = other != home && may(other) ? look(other) : pool_pace{};
            if (there.has_pages && (at >= count || at == home || !may(at) || is_behind(there.turns, turns))) {
                at = other;
                turns = there.turns;
                record.behind.store(static_cast<std::uint16_t>(at), memory_order::relaxed);
                record.behind_turns.store(turns, memory_order::relaxed);
            }
        }
        if (at >= count || at == home || !may(at) || (here.has_pages && !is_far_behind(turns, here.turns))) {
            return {here.has_pages};
        }
        const pool_pace there = look(at);
        record.behind_turns.store(there.has_pages ? there.turns : here.turns, memory_order::relaxed);
        const bool serves = there.has_pages && (!here.has_pages || is_far_behind(there.turns, here.turns));
        return {here.has_pages, serves ? at : nowhere};
    }

    /// Whether one number of turns is behind another; they wrap.
    [[nodiscard]] static constexpr bool is_behind(std::uint32_t turns, std::uint32_t others) noexcept {
        return others - turns - 1 < 0x7fffffffu;
    }
    [[nodiscard]] static constexpr bool is_far_behind(std::uint32_t turns, std::uint32_t others) noexcept {
        return is_behind(turns + tolerance, others);
    }
};

} // namespace pagefold
