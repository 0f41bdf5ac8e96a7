// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/pool.hpp>
#include <pagefold/store/pool_charge.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Who pays when pages must be dropped: the ephemeral pool that is furthest over its weighted share of all memory of the
/// store, among those that can lose a page and keep what they have reserved.
///
/// Shares are the store's, whatever the partitions: a pool's charge is counted over all of them, and compared exactly. Takes
/// no lock; while others work it sees what they last counted. Cost: a cache line for each slot up to the last that is in use.
class pool_shares {
public:
    static constexpr std::uint32_t no_pool = 0xffffffffu;

    explicit pool_shares(const pool_table& table) noexcept : table_{table} {}

    /// The slot of the pool that loses a page next, or no_pool; `page_bytes` is the most that a page is charged. A pool for
    /// which skip(slot) is left out.
    template <class Skip>
    [[nodiscard]] std::uint32_t furthest(std::size_t page_bytes, Skip skip) const noexcept {
        std::uint32_t chosen = no_pool, chosen_weight = 1;
        std::size_t chosen_used = 0;
        const std::uint32_t bound = table_.bound.load(memory_order::relaxed);
        for (std::uint32_t i = 0; i < bound; ++i) {
            const pool_record& record = table_.records[i];
            const std::uint32_t weight = record.weight.load(memory_order::relaxed);
            if (weight == 0) {
                continue;
            }
            const std::size_t used = pool_charge::of(table_, record);
            if (used == 0 || !can_lose(record, used, page_bytes) || skip(i)) {
                continue;
            }
            if (chosen == no_pool || is_greater_ratio(used, weight, chosen_used, chosen_weight)) {
                chosen = i;
                chosen_used = used;
                chosen_weight = weight;
            }
        }
        return chosen;
    }
    [[nodiscard]] std::uint32_t furthest(std::size_t page_bytes) const noexcept {
        return furthest(page_bytes, [](std::uint32_t) noexcept { return false; });
    }

    /// Whether a pool that can lose a page may as well pay itself as the one that is furthest over: where it is as far over its
    /// own share, but for a 64th. Pools that are all at their shares then replace their own pages, each where it puts them, and
    /// no page has to go where another pool puts its.
    [[nodiscard]] bool may_pay_itself(std::uint32_t own, std::uint32_t furthest,
                                      std::size_t page_bytes) const noexcept {
        const pool_record &record = table_.records[own], &other = table_.records[furthest];
        const std::uint32_t weight = record.weight.load(memory_order::relaxed);
        const std::size_t used = pool_charge::of(table_, record), most = pool_charge::of(table_, other);
        return weight != 0 && used != 0 && can_lose(record, used, page_bytes) &&
               !is_greater_ratio(most - most / 64, other.weight.load(memory_order::relaxed), used, weight);
    }
    /// Whether a page of at most so many bytes can go without taking the pool below what it has reserved.
    [[nodiscard]] bool can_lose(const pool_record& record, std::size_t page_bytes) const noexcept {
        return can_lose(record, pool_charge::of(table_, record), page_bytes);
    }

private:
    [[nodiscard]] static bool can_lose(const pool_record& record, std::size_t used, std::size_t page_bytes) noexcept {
        const std::size_t reserved = record.reserved.load(memory_order::relaxed);
        return reserved == 0 || (used > reserved && used - reserved >= page_bytes);
    }

    const pool_table& table_;
};

} // namespace pagefold
