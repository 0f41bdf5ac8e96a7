// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/atomic.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/store/pool.hpp>

#include <cstddef>
#include <cstdint>

// What a pool is charged: one currency for caps, reservations and shares, which is that of the byte limit.
//
// A page takes the place of its stream and its part of the index, both known exactly. Besides there is what nobody's page
// takes alone: idle places, the ends of spans, descriptors, chunks of tables that are not full. It is spread over all pools
// in proportion to what they have, by two rates, one for payload and one for the index: so the sum over all pools is what
// the store takes, but for a fixed part. The fixed part is what an empty store has taken (records, partitions, scratch) and
// of idle memory 12 pages of payload and 12 of the index in each partition, which the first page of a store needs; a pool
// whose single page were charged five pages of table could never have a small cap.
//
// A page's stream may lie in a slot that is larger than it needs, because that one was free. What a pool is charged does not
// depend on such luck: the page is charged the slot of its own size, and the rest is spread like what is idle, all of it.
//
// Idle memory beyond a sixteenth of payload and an eighth of the index is not charged either: it is what somebody's
// erasing left, until compaction takes it away, and no reason to refuse or to drop another's pages.
//
// The partitions say what they hold in a gauge each, which only the holder of their lock writes; the rates are worked out
// anew now and then. All is relaxed: numbers that somebody compares, and that order nothing.

namespace pagefold::inline PAGEFOLD_ABI {

/// What a partition holds, as it was at the end of the last hold that changed it.
struct alignas(64) partition_gauge {
    atomic<std::size_t> payload_charged{0}; ///< bytes that streams would occupy in slots of their own sizes
    atomic<std::size_t> payload_used{0};    ///< bytes that streams occupy
    atomic<std::size_t> payload_held{0};    ///< bytes of their pages and of the allocator's tables
    atomic<std::size_t> tables_used{0};     ///< bytes of extents, buckets and arrays of pages
    atomic<std::size_t> tables_held{0};     ///< bytes of the index
    atomic<std::size_t> evictable{0};       ///< pages that a policy has the care of
    atomic<std::uint32_t> pause{0}; ///< requests to compact that are passed over, after one that came to nothing

    /// Bytes held and used by nothing; what compaction could at best give back.
    [[nodiscard]] std::size_t payload_idle() const noexcept { return beyond(payload_held, payload_used); }
    [[nodiscard]] std::size_t tables_idle() const noexcept { return beyond(tables_held, tables_used); }

private:
    [[nodiscard]] static std::size_t beyond(const atomic<std::size_t>& held, const atomic<std::size_t>& used) noexcept {
        const std::size_t h = held.load(memory_order::relaxed), u = used.load(memory_order::relaxed);
        return h > u ? h - u : 0;
    }
};

namespace pool_charge {

/// Idle bytes of a partition that are charged to nobody, of payload and again of the index.
inline constexpr std::size_t free_idle = 12 * 4096;

/// `bytes` times a rate in 65536ths.
[[nodiscard]] constexpr std::size_t scaled(std::size_t bytes, std::uint32_t rate) noexcept {
    const std::size_t whole = bytes >> 16, rest = bytes & 0xffff;
    return whole * rate + to_size(std::uint64_t{rest} * rate >> 16);
}
[[nodiscard]] inline std::size_t of(const pool_table& table, std::size_t payload, std::size_t tables) noexcept {
    return scaled(payload, table.payload_rate.load(memory_order::relaxed)) +
           scaled(tables, table.tables_rate.load(memory_order::relaxed));
}
/// A sum of bytes to hold back: all that there are where it would begin anew at 0.
[[nodiscard]] constexpr std::size_t no_more_than_all(std::size_t a, std::size_t b) noexcept {
    return a + b < a ? ~std::size_t{0} : a + b;
}
/// What a pool is charged now.
[[nodiscard]] inline std::size_t of(const pool_table& table, const pool_record& record) noexcept {
    return of(table, record.payload.load(memory_order::relaxed), record.tables.load(memory_order::relaxed)) +
           record.content_bytes.load(memory_order::relaxed);
}

/// The rate that spreads `idle` over `used`, and no more than one part in `most` of it.
[[nodiscard]] constexpr std::uint32_t rate(std::size_t used, std::size_t idle, std::size_t most) noexcept {
    const std::size_t spread = idle < used / most ? idle : used / most;
    // Both lose the bits that the quotient's 16 leave no room for; they still have as many as it needs.
    constexpr unsigned room = 8 * sizeof(std::size_t) - 16;
    const unsigned width = bit_length(spread);
    const unsigned shift = width > room ? width - room : 0;
    const std::size_t more = used != 0 ? (spread >> shift << 16) / (used >> shift) : 0;
    return 0x10000u + static_cast<std::uint32_t>(more);
}

/// Works out the rates from the gauges of all partitions. Cost: a cache line a partition.
inline void renew_rates(pool_table& table, const partition_gauge* gauges, std::size_t count) noexcept {
    std::size_t charged = 0, payload = 0, payload_idle = 0, tables = 0, tables_idle = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t p = gauges[i].payload_idle(), t = gauges[i].tables_idle();
        charged += gauges[i].payload_charged.load(memory_order::relaxed);
        payload += gauges[i].payload_used.load(memory_order::relaxed);
        tables += gauges[i].tables_used.load(memory_order::relaxed);
        payload_idle += p > free_idle ? p - free_idle : 0;
        tables_idle += t > free_idle ? t - free_idle : 0;
    }
    const std::uint32_t borrowed = rate(charged, payload > charged ? payload - charged : 0, 1) - 0x10000u;
    table.payload_rate.store(rate(charged, payload_idle, 16) + borrowed, memory_order::relaxed);
    table.tables_rate.store(rate(tables, tables_idle, 8), memory_order::relaxed);
}

/// Brings the pool's part of the unmet reservations up to date. Cost: nothing without a reservation.
inline void renew_unmet(pool_table& table, pool_record& record) noexcept {
    const std::size_t reserved = record.reserved.load(memory_order::relaxed);
    if (reserved == 0 && record.unmet.load(memory_order::relaxed) == 0) {
        return;
    }
    const std::size_t used = of(table, record);
    const std::size_t now = reserved > used ? reserved - used : 0;
    // Every value that was put in is taken out by exactly one exchange, so the sum is always that of the records.
    const std::size_t before = record.unmet.exchange(now, memory_order::relaxed);
    table.unmet.fetch_add(now - before, memory_order::relaxed);
}
/// Bytes of the limit that others' puts must leave free: what other pools than this one have reserved and not used, and
/// a sixteenth for what their pages will leave idle.
[[nodiscard]] inline std::size_t held_back_from(const pool_table& table, const pool_record& record) noexcept {
    const std::size_t all = table.unmet.load(memory_order::relaxed), own = record.unmet.load(memory_order::relaxed);
    const std::size_t others = all > own ? all - own : 0;
    return no_more_than_all(others, others / 16);
}

} // namespace pool_charge

/// Whether a/b > c/d, exactly; b and d are not 0.
[[nodiscard]] constexpr bool is_greater_ratio(std::uint64_t a, std::uint32_t b, std::uint64_t c,
                                              std::uint32_t d) noexcept {
    // a·d > c·b in 96 bits: the upper and lower 32 bits of each factor apart.
    const std::uint64_t left_low = (a & 0xffffffffu) * d, left_high = (a >> 32) * d + (left_low >> 32);
    const std::uint64_t right_low = (c & 0xffffffffu) * b, right_high = (c >> 32) * b + (right_low >> 32);
    return left_high != right_high ? left_high > right_high : (left_low & 0xffffffffu) > (right_low & 0xffffffffu);
}

} // namespace pagefold
