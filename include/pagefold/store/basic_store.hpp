// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/checksum.hpp>
#include <pagefold/store/config.hpp>
#include <pagefold/store/partition.hpp>
#include <pagefold/store/pool.hpp>
#include <pagefold/store/scratch_pool.hpp>
#include <pagefold/store/stats.hpp>

#include <cstddef>
#include <cstdint>
#include <new>

// The store: what page_store and partitioned_store share.
//
// A put compresses into a scratch, takes the lock of the page's partition, places and copies the stream in, and leaves. A
// get takes the lock, finds and copies the stream out into a scratch, leaves, checks the checksum and decompresses. So
// nobody waits for anybody's codec, and a lock is held for a copy of some two kilobytes. (Pinning the stream and decoding
// in place would save that copy and cost two atomic operations and a reader count in every entry's neighbourhood.)
//
// Invariants. (1) A page that was answered `ok` reads back the same bytes, or `corrupt`, until it is erased, taken, or, in
// an ephemeral pool, dropped. (2) After a put, whatever it answers, no older content of the page can be read. (3) The bytes
// taken from the page source never exceed the limit, and stats().total_bytes is their exact sum. (4) A failed operation
// leaves no trace but counters.
//
// All memory comes from the page source: the partitions themselves, the pools' records, tables, scratch and payload. The
// first create_pool takes the first page.

namespace pagefold {

template <store_config Config, partition_policy Place>
class basic_store {
    using compressor_type = typename Config::compressor_type;
    using admission_type = typename Config::admission_type;
    using partition_type = partition<Config>;
    using scratch_type = scratch_pool<compressor_type, Config::max_scratch>;

public:
    static constexpr std::size_t page_size = Config::page_size;

    /// Takes no memory. The source must outlive the store; its page size divides the store's. Compressor and admission policy are copied.
    basic_store(page_source_ref source, const store_options& options, const compressor_type& compressor,
                const admission_type& admission, const Place& place) noexcept
        : source_ref_{source}, budget_{options.limit_bytes}, source_{source, budget_}, compressor_{compressor},
          admission_{admission}, place_{place}, scratch_{compressor_, page_size, source_}, partition_count_{
                                                                                               options.partitions} {
        PAGEFOLD_CHECK(options.partitions >= 1 && options.partitions <= max_partitions);
        PAGEFOLD_CHECK(page_size % source.page_size() == 0);
    }
    /// Gives all memory back. No other thread may be using the store.
    ~basic_store() {
        for (std::size_t i = 0; partitions_ != nullptr && i < partition_count_; ++i) {
            partitions_[i].~partition_type();
        }
        release_array(partitions_, partition_count_);
        release_array(table_.records, table_.count);
    }
    basic_store(const basic_store&) = delete;
    basic_store& operator=(const basic_store&) = delete;

    // Pools.

    /// Makes a pool. Fails with `limit` or `no_memory` where its records have no room, `limit` where there are max_pools
    /// already, and `invalid` for a weight of 0, a reservation above the cap, or a strict node that no partition is on.
    result<pool_id> create_pool(const pool_options& options = {}) noexcept {
        const lock_guard guard{pools_lock_};
        if (options.weight == 0 || options.reserved_bytes > options.cap_bytes || !can_keep_to(options)) {
            return status::invalid;
        }
        if (const status s = set_up(); s != status::ok) {
            return s;
        }
        std::uint32_t slot = 0;
        while (slot < table_.count && table_.records[slot].live) {
            ++slot;
        }
        if (slot == table_.count) {
            return status::limit;
        }
        pool_record& record = table_.records[slot];
        record.options = options;
        record.node.store(options.node, memory_order::relaxed); // the id is handed out later, and carries its own order
        record.id = pool_ids::next(record.id, slot, options.kind);
        for (std::size_t i = 0; i < partition_count_; ++i) {
            if (const status s = partitions_[i].open_pool(record.id); s != status::ok) {
                while (i > 0) {
                    partitions_[--i].close_pool(record.id);
                }
                record.options = pool_options{};
                return s;
            }
        }
        record.live = true;
        record.reserved.store(options.reserved_bytes, memory_order::relaxed);
        table_.reserving.fetch_add(options.reserved_bytes != 0 ? 1 : 0, memory_order::relaxed);
        return record.id;
    }

    /// Erases all pages of a pool, and the pool. From the first moment no operation on it succeeds. The work is in
    /// proportion to the pages stored (of all pools); locks are held for a bounded part of it at a time. `invalid` if
    /// there is no such pool.
    status destroy_pool(pool_id id) noexcept {
        const lock_guard guard{pools_lock_};
        const std::uint32_t slot = pool_ids::slot(id);
        if (slot >= table_.count || !table_.records[slot].live || table_.records[slot].id != id) {
            return status::invalid;
        }
        pool_record& record = table_.records[slot];
        table_.reserving.fetch_sub(record.options.reserved_bytes != 0 ? 1 : 0, memory_order::relaxed);
        record.reserved.store(0, memory_order::relaxed);
        for (std::size_t i = 0; i < partition_count_; ++i) {
            partitions_[i].close_pool(id);
        }
        for (std::size_t i = 0; i < partition_count_; ++i) {
            std::uint32_t cursor = 0;
            while (!partitions_[i].sweep_pool(slot, cursor)) {
            }
        }
        record.live = false;
        return status::ok;
    }

    // Pages. All of these are safe from many threads; of puts to one key at the same time one wins.

    /// Stores the page, or replaces what was stored under its key. `page` must be page_size bytes.
    ///
    /// ok: a persistent pool keeps it until it is erased; an ephemeral one may drop it. limit, no_memory: there is no room,
    /// and nothing (more) to drop. incompressible: the admission policy refused. After any refusal but invalid the page is
    /// not stored, in any version. invalid: the size, the pool or the index (at least max_page_index).
    ///
    /// Costs a compression, and a copy of the stream under the lock.
    status put(const page_key& key, byte_view page) noexcept {
        if (page.size() != page_size || !is_valid(key)) {
            return status::invalid;
        }
        status reason = status::no_memory;
        const auto lease = scratch_.acquire(reason);
        if (!lease) {
            return refused(key, reason);
        }
        home(key).foresee(key);
        byte_view stream = page;
        const result<std::size_t> packed = compressor_.compress(page, lease.buffer(), lease.scratch());
        if (packed && *packed < page_size) {
            stream = lease.buffer().first(*packed);
        }
        const admission_query query{page_size, stream.size(), pool_ids::kind(key.pool), key_hash(key)};
        switch (admission_.admit(query)) {
        case admission::packed: break;
        case admission::raw: stream = page; break;
        case admission::reject: return refused(key, status::incompressible);
        }
        if (home(key).rounded(stream.size()) >= page_size) {
            stream = page; // it would take a whole page all the same, and raw it needs no decoding
        }
        return place_stream(key, stream);
    }

    /// Copies the page to `out`, which must be page_size bytes. Its content is undefined unless ok. not_found, corrupt, or
    /// invalid as for put; before anything was stored also limit or no_memory, for the scratch. Costs a copy of the stream under the lock, its checksum, and a decompression.
    status get(const page_key& key, byte_span out) noexcept { return read(key, out, false); }

    /// Like get, and erases the page in the same step: of several takers one gets it. A page found corrupt stays.
    status take(const page_key& key, byte_span out) noexcept { return read(key, out, true); }

    /// ok, not_found or invalid.
    status erase(const page_key& key) noexcept { return is_valid(key) ? home(key).erase(key) : status::invalid; }
    /// Erases all pages of an object; says how many there were. invalid: no such pool.
    result<std::size_t> erase_object(pool_id pool, std::uint64_t object) noexcept {
        return erase_range(pool, object, 0, max_page_index);
    }
    /// Erases pages first to first + count − 1 of an object; says how many there were. The range may reach beyond the last
    /// possible page. Locks are held for some hundred extents at a time. invalid: no such pool.
    result<std::size_t> erase_range(pool_id pool, std::uint64_t object, std::uint64_t first,
                                    std::uint64_t count) noexcept {
        if (!is_valid({pool, object, 0}) || !knows(pool)) {
            return status::invalid;
        }
        std::size_t erased = 0;
        if (count == 0 || first >= max_page_index) {
            return erased;
        }
        const std::uint64_t last = count > max_page_index - first ? max_page_index - 1 : first + count - 1;
        for (std::size_t i = 0; i < partition_count_; ++i) {
            std::uint64_t cursor = first / extent_pages;
            while (!partitions_[i].erase_range(pool, object, first, last, cursor, erased)) {
            }
        }
        return erased;
    }

    // Memory.

    /// Sets a new byte limit. It holds at once for what is taken from now on. ok: the store is within it. busy: it is not
    /// yet, though a bounded amount of work was done; call again, or shrink. limit: what is left can't be dropped. Once it
    /// is met, and was not raised, fragmentation ends as well: more than a sixteenth of idle places is compacted.
    status resize(std::size_t limit_bytes) noexcept {
        const bool is_lower = limit_bytes <= budget_.limit();
        budget_.set_limit(limit_bytes);
        const status s = reclaim_to(limit_bytes, resize_work);
        if (s == status::ok && is_lower && partitions_ready() && slack() > budget_.used() / tolerated_slack) {
            compaction_work done;
            compact(resize_work, done);
        }
        return s;
    }

    /// Drops ephemeral pages and compacts until `bytes` were given back to the page source, or no more can be; says how many
    /// were.
    std::size_t shrink(std::size_t bytes) noexcept {
        const std::size_t before = budget_.used();
        static_cast<void>(reclaim_to(before > bytes ? before - bytes : 0, ~std::size_t{0}));
        const std::size_t after = budget_.used();
        return before > after ? before - after : 0;
    }

    /// Moves about `budget` bytes of objects, so that whole pages go back to the page source; says how many bytes did. The
    /// next call goes on where this one stopped. A lock is held for one object's move at a time; a sweep besides looks at every
    /// page of the index once.
    std::size_t compact(std::size_t budget) noexcept {
        compaction_work done;
        compact(budget, done);
        return done.freed_bytes;
    }

    // Statistics.

    [[nodiscard]] store_stats stats() const noexcept {
        store_stats s{};
        for (std::size_t i = 0; partitions_ready() && i < partition_count_; ++i) {
            partitions_[i].add_to(s);
        }
        s.mem_limit = budget_.limit();
        s.mem_used_max = budget_.peak();
        s.total_bytes = budget_.used();
        s.metadata_bytes = s.total_bytes > s.mem_used_total ? s.total_bytes - s.mem_used_total : 0;
        return s;
    }
    /// invalid if there is no such pool.
    [[nodiscard]] result<pool_stats> statistics_of(pool_id id) const noexcept {
        pool_stats s{};
        if (!is_valid({id, 0, 0})) {
            return status::invalid;
        }
        for (std::size_t i = 0; i < partition_count_; ++i) {
            if (!partitions_[i].add_to(s, id)) {
                return status::invalid;
            }
        }
        return s;
    }

    /// Calls `look` with each partition's allocator, const, while that partition is locked: for what a decorator has to tell
    /// (counted, guarded). It must not call the store.
    template <class Look>
    void look_at_allocators(Look look) const noexcept {
        for (std::size_t i = 0; partitions_ready() && i < partition_count_; ++i) {
            partitions_[i].look_at_allocator(look);
        }
    }

    /// Walks every structure and compares every counter; for tests. The store must be at rest for the sum over partitions
    /// to be compared with what was taken from the source.
    [[nodiscard]] bool check() const noexcept {
        std::size_t bytes = 0;
        for (std::size_t i = 0; partitions_ready() && i < partition_count_; ++i) {
            if (!partitions_[i].check()) {
                return false;
            }
            bytes += partitions_[i].bytes_taken();
        }
        return bytes + scratch_.bytes() + array_bytes<partition_type>(partitions_ != nullptr ? partition_count_ : 0) +
                   array_bytes<pool_record>(table_.count) ==
               budget_.used();
    }

private:
    static constexpr std::size_t max_partitions = 1024;
    static constexpr std::size_t resize_work = std::size_t{64} << 20; // bytes of pages dropped and of streams moved
    static constexpr std::size_t evictions_a_round = 64;
    // A put that finds holes and no place: how much a plan may move (the larger it is, the less of the index is looked at
    // for each object), how much is to come free before the put tries again, and how often it does.
    static constexpr std::size_t least_plan_for_put = 64 * page_size;
    static constexpr std::size_t enough_for_put = 16 * page_size;
    static constexpr unsigned max_compactions_a_put = 4;
    static constexpr std::size_t tolerated_slack = 16; // after a shrink, 1/16 of what is taken
    // Where holes are many and no compaction helps: enough to empty a span of a handful of pages, and little more.
    static constexpr std::size_t compaction_step = 16 * page_size;
    static constexpr std::size_t evictions_a_step = 8;

    // Set-up.

    template <class T>
    [[nodiscard]] std::size_t array_bytes(std::size_t count) const noexcept {
        return round_up(count * sizeof(T), source_ref_.page_size());
    }
    template <class T>
    void release_array(T* array, std::size_t count) noexcept {
        if (array != nullptr) {
            source_.release(array, array_bytes<T>(count) / source_ref_.page_size());
        }
    }
    /// Memory for the pools' records and the partitions, once.
    status set_up() noexcept {
        if (table_.records == nullptr) {
            const result<void*> memory =
                source_.acquire(array_bytes<pool_record>(Config::max_pools) / source_ref_.page_size(), any_node);
            if (!memory) {
                return memory.error();
            }
            pool_record* const records = static_cast<pool_record*>(*memory);
            for (std::uint32_t i = 0; i < Config::max_pools; ++i) {
                ::new (static_cast<void*>(records + i)) pool_record{};
            }
            table_.records = records;
            table_.count = Config::max_pools;
        }
        if (partitions_ == nullptr) {
            const result<void*> memory =
                source_.acquire(array_bytes<partition_type>(partition_count_) / source_ref_.page_size(), any_node);
            if (!memory) {
                return memory.error();
            }
            partition_type* const partitions = static_cast<partition_type*>(*memory);
            for (std::size_t i = 0; i < partition_count_; ++i) {
                ::new (static_cast<void*>(partitions + i)) partition_type{source_ref_, budget_, table_, place_.node(i)};
            }
            partitions_ = partitions;
            // Releases the partitions to threads that come with no pool id (stats); a pool id carries its own order.
            ready_.store(1, memory_order::release);
        }
        return status::ok;
    }
    [[nodiscard]] bool partitions_ready() const noexcept { return ready_.load(memory_order::acquire) != 0; }
    [[nodiscard]] bool can_keep_to(const pool_options& options) const noexcept {
        if (!options.strict_node || options.node == any_node) {
            return true;
        }
        // The pool's pages may come to any partition that the place policy picks for this node.
        for (std::uint64_t extent = 0; extent < 4 * partition_count_; ++extent) {
            const page_key probe{pool_id{}, 0, extent * extent_pages};
            if (place_.node(place_.home(probe, options.node, partition_count_)) != options.node) {
                return false;
            }
        }
        return true;
    }

    // Keys.

    /// Whether the key can be looked up; its pool may still be gone.
    [[nodiscard]] bool is_valid(const page_key& key) const noexcept {
        return partitions_ready() && pool_ids::slot(key.pool) < table_.count && key.index < max_page_index;
    }
    [[nodiscard]] bool knows(pool_id id) const noexcept {
        pool_stats ignored{};
        return partitions_[0].add_to(ignored, id);
    }
    /// Also the seed of the page's checksum: a stream in another page's place fails its check.
    [[nodiscard]] static std::uint64_t key_hash(const page_key& key) noexcept {
        return mix(mix(key.object, static_cast<std::uint64_t>(key.pool)), key.index);
    }
    [[nodiscard]] partition_id home_id(const page_key& key) const noexcept {
        return place_.home(key, table_.records[pool_ids::slot(key.pool)].node.load(memory_order::relaxed),
                           partition_count_);
    }
    [[nodiscard]] partition_type& home(const page_key& key) const noexcept { return partitions_[home_id(key)]; }

    // Pages.

    status refused(const page_key& key, status why) noexcept {
        const status s = home(key).refuse(key, why);
        return s == status::ok ? why : s;
    }
    /// Puts the stream into its home partition; where that has nothing left to drop, other partitions drop pages for it.
    status place_stream(const page_key& key, byte_view stream) noexcept {
        const std::uint64_t sum = checksum(stream, key_hash(key));
        const partition_id home_partition = home_id(key);
        partition_type& target = partitions_[home_partition];
        auto outcome = target.put(key, stream, sum, {.is_last = partition_count_ == 1});
        for (unsigned rounds = 1; outcome.wants_compaction; ++rounds) {
            gather(target);
            outcome = target.put(key, stream, sum,
                                 {.is_first = false,
                                  .is_last = partition_count_ == 1,
                                  .may_ask_for_compaction = rounds < max_compactions_a_put});
        }
        for (std::size_t attempt = 0; attempt + 1 < partition_count_; ++attempt) {
            if (outcome.result != status::limit && outcome.result != status::no_memory) {
                break;
            }
            const std::uint32_t victims = outcome.at_pool_cap ? pool_ids::slot(key.pool) : partition_type::any_pool;
            const bool last_try = attempt + 2 == partition_count_;
            if (outcome.at_pool_cap && pool_ids::kind(key.pool) == pool_kind::persistent) {
                break;
            }
            if (make_room_in(partitions_[place_.spill(home_partition, attempt, partition_count_)], victims) ||
                last_try) {
                outcome = target.put(key, stream, sum,
                                     {.is_first = false, .is_last = last_try, .may_ask_for_compaction = false});
            }
        }
        return outcome.result;
    }
    /// Drops some ephemeral pages of a partition so that at least a page goes back to the source, if that is possible.
    bool make_room_in(partition_type& other, std::uint32_t victims) noexcept {
        const std::size_t before = budget_.used();
        std::size_t evicted = 0;
        for (unsigned round = 0; round < 4; ++round) {
            const std::size_t evicted_before = evicted;
            static_cast<void>(other.evict(evictions_a_round, victims, evicted));
            if (budget_.used() < before || evicted == evicted_before) {
                break;
            }
        }
        compaction_work done;
        while (evicted != 0 && budget_.used() >= before && other.compact(page_size * 64, done)) {
        }
        return evicted != 0;
    }
    /// Compacts a partition until some pages went back to the source, or a sweep ended.
    void gather(partition_type& target) noexcept {
        const std::size_t share = budget_.used() / partition_count_ / 64;
        const std::size_t plan = share > least_plan_for_put ? share : least_plan_for_put;
        compaction_work done;
        while (done.freed_bytes < enough_for_put && target.compact(plan, done)) {
        }
    }

    status read(const page_key& key, byte_span out, bool removing) noexcept {
        if (out.size() != page_size || !is_valid(key)) {
            return status::invalid;
        }
        status reason = status::no_memory;
        const auto lease = scratch_.acquire(reason);
        if (!lease) {
            return reason;
        }
        const std::uint64_t seed = key_hash(key);
        typename partition_type::fetched found;
        partition_type& partition = home(key);
        if (const status s = partition.fetch(key, out, lease.buffer(), seed, removing, found); s != status::ok) {
            return s;
        }
        status s = removing || found.e.matches(checksum(found.stream, seed)) ? status::ok : status::corrupt;
        if (s == status::ok && found.stream.size() < page_size) {
            s = compressor_.decompress(found.stream, out, lease.scratch());
        }
        if (s != status::ok) {
            partition.note_corruption();
            return status::corrupt;
        }
        return status::ok;
    }

    // Memory.

    /// Drops and compacts until no more than `target` bytes are taken, or `work` bytes of pages were dropped and moved.
    status reclaim_to(std::size_t target, std::size_t work) noexcept {
        if (budget_.used() <= target) {
            return status::ok;
        }
        if (!partitions_ready()) {
            return status::limit;
        }
        for (;;) {
            const std::size_t used = budget_.used();
            if (used <= target) {
                return status::ok;
            }
            if (work == 0) {
                return status::busy;
            }
            const std::size_t over = used - target, holes = slack();
            // No page occupies more than page_size: this many never is more than it takes.
            const std::size_t wanted = holes < over ? (over - holes) / page_size + 1 : 0;
            const std::size_t pages = work / page_size + 1;
            std::size_t dropped = wanted != 0 ? evict_everywhere(wanted < pages ? wanted : pages) : 0;
            compaction_work done;
            if (slack() >= over || dropped == 0) {
                const std::size_t gain = over < ~std::size_t{0} / 4 ? 2 * over + compaction_step : over;
                const std::size_t before = budget_.used();
                compact(gain < work ? gain : work, done);
                if (dropped == 0 && budget_.used() >= before) {
                    dropped = evict_everywhere(evictions_a_step);
                    if (dropped == 0) {
                        return status::limit;
                    }
                }
            }
            const std::size_t worked = dropped * page_size + done.moved_bytes;
            work -= worked < work ? worked : work;
        }
    }
    /// Goes through the partitions until the budget is used up; through each until a sweep comes to nothing.
    void compact(std::size_t budget, compaction_work& done) noexcept {
        for (std::size_t i = 0; partitions_ready() && i < partition_count_ && done.moved_bytes < budget; ++i) {
            while (done.moved_bytes < budget && (partitions_[i].compact(budget - done.moved_bytes, done) ||
                                                 partitions_[i].compaction_was_worthwhile())) {
            }
        }
    }
    std::size_t evict_everywhere(std::size_t pages) noexcept {
        std::size_t evicted = 0;
        for (std::size_t i = 0; i < partition_count_ && evicted < pages; ++i) {
            const std::size_t share = (pages - evicted) / (partition_count_ - i) + 1;
            std::size_t here = 0;
            static_cast<void>(partitions_[i].evict(share, partition_type::any_pool, here));
            evicted += here;
        }
        return evicted < pages ? evicted : pages;
    }
    [[nodiscard]] std::size_t slack() const noexcept {
        std::size_t bytes = 0;
        for (std::size_t i = 0; i < partition_count_; ++i) {
            bytes += partitions_[i].slack();
        }
        return bytes;
    }

    page_source_ref source_ref_;
    byte_budget budget_;
    limited_source source_;
    compressor_type compressor_;
    admission_type admission_;
    Place place_;
    scratch_type scratch_;
    typename Config::lock_type pools_lock_; // taken before a partition's lock, never after one
    pool_table table_;
    std::size_t partition_count_;
    partition_type* partitions_ = nullptr;
    atomic<std::uint32_t> ready_{0};
};

} // namespace pagefold
