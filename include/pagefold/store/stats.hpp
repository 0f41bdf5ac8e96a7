// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

// What a store counts, and the one list of it: name, unit, kind and a line of help, beside the members themselves.
//
// Whoever adds up partitions, writes the numbers out or shows them goes by the list: a new count of pools and partitions is a
// member and a row here, and the place that counts it. A member without a row does not compile. docs/statistics.md says of each
// what counts it and what it is not; a test compares the names.
//
// Invariants. A counter only grows. A gauge is never negative: what is a difference of numbers that were read at different
// moments is 0 where it would fall below. Every put that was answered anything but `busy` and `invalid` is in exactly one of
// `puts`, reject_reclaim_fail, reject_threshold, reject_alloc_fail, reject_kmemcache_fail and reject_compress_poor, and
// rejected_puts is the sum of the last five.
//
// Cost. All is counted under the lock of a partition that the operation holds anyway, in memory of that partition.

namespace pagefold::inline PAGEFOLD_ABI {

/// What a number counts.
enum class stat_unit : std::uint8_t {
    bytes,
    pages,   ///< of the store's page size, but for pages_compacted
    calls,   ///< puts, gets and takes
    objects, ///< streams and tables
    events,
};
enum class stat_kind : std::uint8_t {
    counter, ///< only grows
    gauge,   ///< what is now, or a setting
};

/// What is known of a number: static strings.
struct stat_info {
    const char* name;
    stat_unit unit;
    stat_kind kind;
    const char* help; ///< a sentence without a full stop
};

/// A member of a struct of statistics.
template <class Stats>
struct stat_row {
    stat_info info;
    std::uint64_t Stats::*value;
};

/// Counts that a pool has, and a partition, a node and a store as sums of them. A name that zram or zswap uses means here what
/// it means there.
struct common_stats {
    std::uint64_t stored_pages = 0;          ///< pages stored now
    std::uint64_t same_pages = 0;            ///< of those, pages stored in their index entry, without payload
    std::uint64_t huge_pages = 0;            ///< of those, pages stored raw, because they do not shrink
    std::uint64_t compr_data_size = 0;       ///< bytes of their streams; a raw page counts whole, a same-filled one not
    std::uint64_t reference_pages = 0;       ///< of the stored pages, those that are a parent's page, without payload
    std::uint64_t reference_data_size = 0;   ///< bytes of the parents' streams that those stand for
    std::uint64_t delta_pages = 0;           ///< of the stored pages, those kept as what they differ in from a parent's
    std::uint64_t delta_data_size = 0;       ///< bytes of their streams, which compr_data_size counts, too
    std::uint64_t away_pages = 0;            ///< pages in the backing tier now; stored_pages doesn't count them
    std::uint64_t puts = 0;                  ///< puts that stored a page
    std::uint64_t hits = 0;                  ///< gets and takes that found a page
    std::uint64_t misses = 0;                ///< gets and takes that did not
    std::uint64_t evicted_pages = 0;         ///< ephemeral pages dropped to make room
    std::uint64_t written_back_pages = 0;    ///< pages that went to the backing tier
    std::uint64_t rejected_puts = 0;         ///< puts refused, for any of the five reasons below
    std::uint64_t reject_reclaim_fail = 0;   ///< limit or cap was met, and nothing could be dropped to make room
    std::uint64_t reject_threshold = 0;      ///< the store was full, and is not below accept_percent yet
    std::uint64_t reject_alloc_fail = 0;     ///< the page source had no memory for the stream
    std::uint64_t reject_kmemcache_fail = 0; ///< the page source had none for the index entry
    std::uint64_t reject_compress_poor = 0;  ///< the admission policy refused
    std::uint64_t reject_compress_fail = 0;  ///< puts whose page the compressor failed on, whatever became of them
};
namespace detail {

inline constexpr stat_row<common_stats> common_rows[] = {
    {{"stored_pages", stat_unit::pages, stat_kind::gauge, "Pages stored now"}, &common_stats::stored_pages},
    {{"same_pages", stat_unit::pages, stat_kind::gauge, "Stored pages that need no payload"},
     &common_stats::same_pages},
    {{"huge_pages", stat_unit::pages, stat_kind::gauge, "Stored pages that are kept raw"}, &common_stats::huge_pages},
    {{"compr_data_size", stat_unit::bytes, stat_kind::gauge, "Streams of the stored pages"},
     &common_stats::compr_data_size},
    {{"reference_pages", stat_unit::pages, stat_kind::gauge, "Stored pages that are a page of their pool's parent"},
     &common_stats::reference_pages},
    {{"reference_data_size", stat_unit::bytes, stat_kind::gauge, "Streams of parents that references stand for"},
     &common_stats::reference_data_size},
    {{"delta_pages", stat_unit::pages, stat_kind::gauge, "Stored pages kept as deltas to a page of the parent"},
     &common_stats::delta_pages},
    {{"delta_data_size", stat_unit::bytes, stat_kind::gauge, "Streams of the deltas"}, &common_stats::delta_data_size},
    {{"away_pages", stat_unit::pages, stat_kind::gauge, "Pages in the backing tier now"}, &common_stats::away_pages},
    {{"puts", stat_unit::calls, stat_kind::counter, "Puts that stored a page"}, &common_stats::puts},
    {{"hits", stat_unit::calls, stat_kind::counter, "Gets and takes that found a page"}, &common_stats::hits},
    {{"misses", stat_unit::calls, stat_kind::counter, "Gets and takes that found none"}, &common_stats::misses},
    {{"evicted_pages", stat_unit::pages, stat_kind::counter, "Ephemeral pages dropped to make room"},
     &common_stats::evicted_pages},
    {{"written_back_pages", stat_unit::pages, stat_kind::counter, "Pages that went to the backing tier"},
     &common_stats::written_back_pages},
    {{"rejected_puts", stat_unit::calls, stat_kind::counter, "Puts refused for any reason"},
     &common_stats::rejected_puts},
    {{"reject_reclaim_fail", stat_unit::calls, stat_kind::counter, "Puts refused as nothing could leave for them"},
     &common_stats::reject_reclaim_fail},
    {{"reject_threshold", stat_unit::calls, stat_kind::counter,
      "Puts refused as the store was full and is not below accept_percent yet"},
     &common_stats::reject_threshold},
    {{"reject_alloc_fail", stat_unit::calls, stat_kind::counter, "Puts refused as there was no memory for the stream"},
     &common_stats::reject_alloc_fail},
    {{"reject_kmemcache_fail", stat_unit::calls, stat_kind::counter,
      "Puts refused as there was no memory for the index entry"},
     &common_stats::reject_kmemcache_fail},
    {{"reject_compress_poor", stat_unit::calls, stat_kind::counter, "Puts that the admission policy refused"},
     &common_stats::reject_compress_poor},
    {{"reject_compress_fail", stat_unit::calls, stat_kind::counter, "Puts whose page the compressor failed on"},
     &common_stats::reject_compress_fail},
};

} // namespace detail

/// What a partition counts besides, of no pool.
struct partition_stats {
    std::uint64_t huge_pages_since = 0; ///< pages stored raw, over all puts
    std::uint64_t pool_limit_hit = 0;   ///< puts that met the byte limit or a cap, stored in the end or not
    std::uint64_t erased_pages = 0;     ///< pages erased, replaced or taken
    std::uint64_t objects_moved = 0;    ///< by compaction
    std::uint64_t pages_migrated = 0;   ///< from one partition to another, for set_node
};
namespace detail {

inline constexpr stat_row<partition_stats> partition_rows[] = {
    {{"huge_pages_since", stat_unit::pages, stat_kind::counter, "Pages stored raw, over all puts"},
     &partition_stats::huge_pages_since},
    {{"pool_limit_hit", stat_unit::calls, stat_kind::counter, "Puts that met the byte limit or a cap"},
     &partition_stats::pool_limit_hit},
    {{"erased_pages", stat_unit::pages, stat_kind::counter, "Pages erased, replaced or taken"},
     &partition_stats::erased_pages},
    {{"objects_moved", stat_unit::objects, stat_kind::counter, "Objects that compaction moved"},
     &partition_stats::objects_moved},
    {{"pages_migrated", stat_unit::pages, stat_kind::counter, "Pages moved from one partition to another"},
     &partition_stats::pages_migrated},
};

} // namespace detail

/// Counters of a whole store, or of a memory node. All are exact for a store at rest; while other threads work they are a sum
/// of snapshots of the partitions.
struct store_stats : common_stats, partition_stats {
    std::uint64_t orig_data_size = 0;  ///< bytes of the pages stored, same-filled ones included
    std::uint64_t mem_used_total = 0;  ///< bytes of pages that hold streams (like zram, without tables)
    std::uint64_t mem_limit = 0;       ///< the byte limit in force
    std::uint64_t mem_used_max = 0;    ///< greatest total_bytes so far
    std::uint64_t pages_compacted = 0; ///< pages of 4 KiB that compaction gave back
    std::uint64_t decompress_fail = 0; ///< reads that found corruption; nothing was handed out
    std::uint64_t total_bytes = 0;     ///< all memory taken from the page source: payload, slack, tables, scratch
    std::uint64_t fixed_bytes =
        0; ///< of those, what no pool is charged: the pools' used_bytes and this are total_bytes
    std::uint64_t metadata_bytes = 0;       ///< total_bytes less the pages that hold streams
    std::uint64_t allocated_bytes = 0;      ///< streams, each rounded up to what it occupies
    std::uint64_t promoted_pages = 0;       ///< of the pages that went to the tier, those that a read brought back
    std::uint64_t tier_refusals = 0;        ///< pages that the tier did not take; they stayed
    std::uint64_t tier_read_fail = 0;       ///< reads of a page there that the tier failed, or brought damage to
    std::uint64_t tier_forget_fail = 0;     ///< copies that it did not forget, or that damage left with it
    std::uint64_t content_indexes_size = 0; ///< of total_bytes, what the content indexes of sealed pools take
    std::uint64_t damaged_tables = 0; ///< times that a table contradicted itself; pages were lost, and none mixed up

    /// Thousandths of data over memory, all overhead included; 0 for an empty store.
    [[nodiscard]] constexpr std::uint64_t ratio_permille() const noexcept {
        return total_bytes == 0 ? 0 : orig_data_size * 1000 / total_bytes;
    }
};
namespace detail {

inline constexpr stat_row<store_stats> store_rows[] = {
    {{"orig_data_size", stat_unit::bytes, stat_kind::gauge, "Content of the stored pages"},
     &store_stats::orig_data_size},
    {{"mem_used_total", stat_unit::bytes, stat_kind::gauge, "Pages of memory that hold streams"},
     &store_stats::mem_used_total},
    {{"mem_limit", stat_unit::bytes, stat_kind::gauge, "The byte limit in force"}, &store_stats::mem_limit},
    {{"mem_used_max", stat_unit::bytes, stat_kind::gauge, "Greatest total_bytes so far"}, &store_stats::mem_used_max},
    {{"pages_compacted", stat_unit::pages, stat_kind::counter, "Pages of 4 KiB that compaction gave back"},
     &store_stats::pages_compacted},
    {{"decompress_fail", stat_unit::calls, stat_kind::counter, "Reads that found corruption"},
     &store_stats::decompress_fail},
    {{"total_bytes", stat_unit::bytes, stat_kind::gauge, "All memory taken from the page source"},
     &store_stats::total_bytes},
    {{"fixed_bytes", stat_unit::bytes, stat_kind::gauge, "Memory that no pool is charged"}, &store_stats::fixed_bytes},
    {{"metadata_bytes", stat_unit::bytes, stat_kind::gauge, "Memory that holds no streams"},
     &store_stats::metadata_bytes},
    {{"allocated_bytes", stat_unit::bytes, stat_kind::gauge, "Places that streams occupy"},
     &store_stats::allocated_bytes},
    {{"promoted_pages", stat_unit::pages, stat_kind::counter, "Pages that came back from the backing tier"},
     &store_stats::promoted_pages},
    {{"tier_refusals", stat_unit::pages, stat_kind::counter, "Pages that the backing tier did not take"},
     &store_stats::tier_refusals},
    {{"tier_read_fail", stat_unit::calls, stat_kind::counter, "Reads that the backing tier failed"},
     &store_stats::tier_read_fail},
    {{"tier_forget_fail", stat_unit::pages, stat_kind::counter, "Copies that the backing tier did not forget"},
     &store_stats::tier_forget_fail},
    {{"content_indexes_size", stat_unit::bytes, stat_kind::gauge, "Content indexes of sealed pools"},
     &store_stats::content_indexes_size},
    {{"damaged_tables", stat_unit::events, stat_kind::counter, "Times that a table contradicted itself"},
     &store_stats::damaged_tables},
};

} // namespace detail

/// Counters of one pool.
struct pool_stats : common_stats {
    std::uint64_t used_bytes =
        0; ///< what the pool is charged: its streams' places, its tables, its share of what is idle
    std::uint64_t content_index_size = 0; ///< of those, its content index, which a sealed pool may have
};
namespace detail {

inline constexpr stat_row<pool_stats> pool_rows[] = {
    {{"used_bytes", stat_unit::bytes, stat_kind::gauge, "What the pool is charged"}, &pool_stats::used_bytes},
    {{"content_index_size", stat_unit::bytes, stat_kind::gauge, "The content index of a sealed pool"},
     &pool_stats::content_index_size},
};

} // namespace detail

/// Counters of a deferred_store: what stands in front of a store. The queue's memory is in the store's total_bytes and fixed_bytes, and
/// what workers put is counted by the store as any put is.
///
/// deferred_puts is superseded_pages, worker_puts, dropped_pages and queued_pages together, for a queue at rest.
struct deferred_stats {
    std::uint64_t queued_pages = 0;     ///< pages that are in the queue and not, or not yet, in the store
    std::uint64_t queued_bytes = 0;     ///< bytes of them
    std::uint64_t held_pages = 0;       ///< of those pages, those that the store refused last time
    std::uint64_t queue_bytes = 0;      ///< memory that the queue has, with its records and what waits for pages
    std::uint64_t deferred_puts = 0;    ///< puts that were answered when the page was in the queue
    std::uint64_t worker_puts = 0;      ///< of those, pages that work and flush put into the store
    std::uint64_t direct_puts = 0;      ///< puts that did the work themselves: the queue was full, or had to be passed
    std::uint64_t superseded_pages = 0; ///< pages replaced, erased or taken while they were in the queue
    std::uint64_t refused_tries = 0;    ///< times that the store refused a page, which stayed in the queue
    std::uint64_t dropped_pages = 0;    ///< ephemeral pages that it refused, and pages of pools that were destroyed
    std::uint64_t queue_hits = 0;       ///< reads that found their page in the queue; the store's hits don't count them
};
namespace detail {

inline constexpr stat_row<deferred_stats> deferred_rows[] = {
    {{"queued_pages", stat_unit::pages, stat_kind::gauge, "Pages in the queue"}, &deferred_stats::queued_pages},
    {{"queued_bytes", stat_unit::bytes, stat_kind::gauge, "Content of the pages in the queue"},
     &deferred_stats::queued_bytes},
    {{"held_pages", stat_unit::pages, stat_kind::gauge, "Queued pages that the store refused last time"},
     &deferred_stats::held_pages},
    {{"queue_bytes", stat_unit::bytes, stat_kind::gauge, "Memory that the queue has"}, &deferred_stats::queue_bytes},
    {{"deferred_puts", stat_unit::calls, stat_kind::counter, "Puts answered when the page was in the queue"},
     &deferred_stats::deferred_puts},
    {{"worker_puts", stat_unit::pages, stat_kind::counter, "Queued pages that workers put into the store"},
     &deferred_stats::worker_puts},
    {{"direct_puts", stat_unit::calls, stat_kind::counter, "Puts that did the work themselves"},
     &deferred_stats::direct_puts},
    {{"superseded_pages", stat_unit::pages, stat_kind::counter, "Queued pages replaced, erased or taken"},
     &deferred_stats::superseded_pages},
    {{"refused_tries", stat_unit::events, stat_kind::counter, "Times that the store refused a queued page"},
     &deferred_stats::refused_tries},
    {{"dropped_pages", stat_unit::pages, stat_kind::counter,
      "Queued pages refused of ephemeral pools, or of pools that were destroyed"},
     &deferred_stats::dropped_pages},
    {{"queue_hits", stat_unit::calls, stat_kind::counter, "Reads that found their page in the queue"},
     &deferred_stats::queue_hits},
};

} // namespace detail

namespace detail {

/// Several lists as one.
template <class Stats, class... Base, std::size_t... N>
[[nodiscard]] constexpr auto joined(const stat_row<Base> (&... lists)[N]) noexcept {
    struct all_rows {
        stat_row<Stats> rows[(N + ...)]{};

        [[nodiscard]] static constexpr std::size_t size() noexcept { return (N + ...); }
        [[nodiscard]] constexpr const stat_row<Stats>* begin() const noexcept { return rows; }
        [[nodiscard]] constexpr const stat_row<Stats>* end() const noexcept { return rows + size(); }
        [[nodiscard]] constexpr const stat_row<Stats>& operator[](std::size_t i) const noexcept { return rows[i]; }
    };
    all_rows all{};
    std::size_t at = 0;
    const auto append = [&](const auto& list) {
        for (const auto& row : list) {
            all.rows[at++] = {row.info, row.value};
        }
    };
    (append(lists), ...);
    return all;
}

} // namespace detail

/// All rows of a struct of statistics, those of its bases first.
template <class Stats>
inline constexpr auto stat_rows = detail::joined<Stats>(detail::common_rows);
template <>
inline constexpr auto stat_rows<partition_stats> = detail::joined<partition_stats>(detail::partition_rows);
template <>
inline constexpr auto stat_rows<store_stats> = detail::joined<store_stats>(detail::common_rows, detail::partition_rows,
                                                                           detail::store_rows);
template <>
inline constexpr auto stat_rows<pool_stats> = detail::joined<pool_stats>(detail::common_rows, detail::pool_rows);
template <>
inline constexpr auto stat_rows<deferred_stats> = detail::joined<deferred_stats>(detail::deferred_rows);

namespace detail {

template <class Stats>
inline constexpr bool lists_all = sizeof(Stats) == stat_rows<Stats>.size() * sizeof(std::uint64_t);
static_assert(lists_all<common_stats> && lists_all<partition_stats> && lists_all<store_stats> &&
                  lists_all<pool_stats> && lists_all<deferred_stats>,
              "a count without a row in the list");

} // namespace detail

/// A struct that the list has.
template <class T>
concept listed_stats = std::same_as<T, common_stats> || std::same_as<T, partition_stats> ||
    std::same_as<T, store_stats> || std::same_as<T, pool_stats> || std::same_as<T, deferred_stats>;

/// Calls `f(info, value)` for each number.
template <listed_stats Stats, class F>
constexpr void visit(const Stats& s, F&& f) noexcept {
    for (const stat_row<Stats>& row : stat_rows<Stats>) {
        f(row.info, s.*row.value);
    }
}
/// Adds up what several partitions, or several pools, counted.
template <listed_stats Stats>
constexpr void add(Stats& sum, const Stats& one) noexcept {
    for (const stat_row<Stats>& row : stat_rows<Stats>) {
        sum.*row.value += one.*row.value;
    }
}

} // namespace pagefold
