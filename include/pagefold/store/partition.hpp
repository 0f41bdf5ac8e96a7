// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/config/macros.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/checksum.hpp>
#include <pagefold/ds/stable_array.hpp>
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/compaction_sweep.hpp>
#include <pagefold/store/config.hpp>
#include <pagefold/store/extent_index.hpp>
#include <pagefold/store/pool.hpp>
#include <pagefold/store/stats.hpp>
#include <pagefold/store/victim_search.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

// One partition of a store: a lock, an allocator, an index, and what it knows of each pool.
//
// Everything here happens under the partition's lock and takes bounded time: the lock is held to find an entry and to copy
// a stream in or out, never to compress or decompress. Public members take the lock; private ones expect it. A partition
// takes no lock but its own, so the order is trivial: pool lock of the store, then one partition at a time.
//
// A put that doesn't fit drops ephemeral pages of this partition until it does: of the pool furthest over its weighted
// share among those above their reservation; or of its own pool, when that is at its cap. The policy is asked for a victim
// whose place the new stream fills, so that one victim usually is enough (victim_search.hpp). When more than a sixteenth of
// the pages held is free places, the put is answered `wants_compaction` before it drops anything, so that a shift in what is
// stored doesn't leave the store half empty; and again when it dropped many pages and found no place still.
//
// Compaction (compaction_sweep.hpp) lets the lock go after every object: who reads meanwhile waits for one object's move.

namespace pagefold {

/// Page and operation counters, for a pool and for a whole partition. A stream counts as what it would occupy in a slot of
/// its own size class: what a pool is charged must not depend on which slot the allocator had free.
struct partition_counters {
    std::uint64_t stored_pages = 0, same_pages = 0, huge_pages = 0, compr_data_size = 0, rounded_bytes = 0;
    std::uint64_t puts = 0, hits = 0, misses = 0, evicted_pages = 0, rejected_puts = 0;
};

template <store_config Config>
class partition {
    using allocator_type = typename Config::template allocator_type<limited_source, Config::page_size>;
    using eviction_type = typename Config::eviction_type;
    using hook = typename eviction_type::hook;
    using index_type = extent_index<hook, eviction_type::hook_bits, limited_source>;
    using sweep_type = decltype(sweep_for<index_type, allocator_type>());
    using victim_search_type = victim_search<index_type, allocator_type, Config::sparse_candidates>;

public:
    /// Where one thread at a time uses the store, streams are read in place and not copied out.
    static constexpr bool exclusive = std::same_as<typename Config::lock_type, null_lock>;
    static constexpr std::size_t entry_bytes = index_type::entry_bytes;

    partition(page_source_ref source, byte_budget& budget, pool_table& table, node_id node) noexcept
        : source_{source, budget, limited_source::releases::deferred}, table_{table},
          allocator_{source_, node}, index_{source_, node}, pools_{source_, node} {}
    partition(const partition&) = delete;
    partition& operator=(const partition&) = delete;

    // Pools.

    /// Makes the pool known here. Fails with what the source answered.
    status open_pool(pool_id id) noexcept {
        const hold held{*this};
        if (const status s = pools_.reserve(pool_ids::slot(id)); s != status::ok) {
            return s;
        }
        pools_[pool_ids::slot(id)] = pool_state{};
        pools_[pool_ids::slot(id)].id = id;
        return status::ok;
    }
    /// No operation on the pool succeeds from here on; its pages are still to be erased.
    void close_pool(pool_id id) noexcept {
        const hold held{*this};
        if (pool_state* const pool = find_pool(id); pool != nullptr) {
            pool->id = pool_id{};
            pool->eviction = eviction_type{};
        }
    }
    /// Erases pages of a closed pool, some extents at a time; true when none are left.
    bool sweep_pool(std::uint32_t slot, std::uint32_t& cursor) noexcept {
        const hold held{*this};
        if (slot >= pools_.size()) {
            return true;
        }
        for (unsigned visited = 0; visited < extents_a_hold; ++visited, ++cursor) {
            cursor = index_.next_extent(cursor);
            if (cursor == index_type::none) {
                return true;
            }
            if (index_.pool_of(cursor) == slot) {
                erase_pages(cursor, slot, ~std::uint64_t{0});
            }
        }
        return false;
    }

    // Pages.

    /// Asks for the cache line of the page's entry, if there is one, while there is a compression to hide the wait.
    void foresee(const page_key& key) noexcept {
        const lock_guard guard{lock_};
        if (find_pool(key.pool) != nullptr) {
            index_.prefetch(find(key));
        }
    }

    /// What a put left for its caller to do.
    struct put_outcome {
        status result;
        bool at_pool_cap = false;      // the pool's cap refused, not the store's limit
        bool met_limit = false;        // the cap or the limit refused, if only until something was dropped
        bool wants_compaction = false; // free places that the stream does not fit into can be gathered into whole pages
    };
    /// What a put may do: the statistics count one that is tried several times once.
    struct put_try {
        bool is_first = true;
        bool is_last = true;
        bool may_ask_for_compaction = true;
    };
    /// Stores a stream as the page's content. On a refusal the page is not here any more.
    put_outcome put(const page_key& key, byte_view stream, std::uint64_t sum, const put_try& attempt) noexcept {
        const hold held{*this};
        pool_state* const pool = find_pool(key.pool);
        if (pool == nullptr) {
            return {status::invalid};
        }
        source_.hold_back(held_back_from(pool_ids::slot(key.pool)));
        const bool is_inline = stream.size() == min_stream_size;
        const slot_id slot = index_.find(pool_ids::slot(key.pool), key.object, key.index);
        put_outcome outcome{status::limit};
        if (slot != no_slot) {
            outcome.result = replace(*pool, slot, stream, sum, is_inline);
            if (outcome.result != status::ok) {
                remove(*pool, slot);
                ++erased_pages_;
            }
        }
        if (outcome.result != status::ok) {
            outcome = insert(*pool, key, stream, sum, is_inline, attempt);
        }
        source_.hold_back(0);
        limit_hits_ += attempt.is_first && outcome.met_limit ? 1 : 0;
        if (outcome.result == status::ok) {
            ++pool->counts.puts;
            ++totals_.puts;
            totals_huge_since_ += stream.size() == Config::page_size ? 1 : 0;
        } else if ((attempt.is_last && !outcome.wants_compaction) || (outcome.at_pool_cap && !pool->is_ephemeral())) {
            note_refusal(*pool, outcome.result);
        }
        return outcome;
    }
    /// For a page that is refused before it comes here: no older version stays readable.
    status refuse(const page_key& key, status why) noexcept {
        const hold held{*this};
        pool_state* const pool = find_pool(key.pool);
        if (pool == nullptr) {
            return status::invalid;
        }
        if (const slot_id slot = find(key); slot != no_slot) {
            remove(*pool, slot);
            ++erased_pages_;
        }
        limit_hits_ += why == status::limit ? 1 : 0;
        note_refusal(*pool, why);
        return status::ok;
    }

    /// A stream that was found: in place, in the buffer, or (a raw page) already in the caller's page.
    struct fetched {
        byte_view stream;
        entry e;
        std::byte inline_stream[min_stream_size];
    };
    /// Copies the stream of a page out. With `removing`, checks it and erases the page in the same step; a page that fails
    /// the check stays. Otherwise the caller checks.
    status fetch(const page_key& key, byte_span out, byte_span buffer, std::uint64_t seed, bool removing,
                 fetched& found) noexcept {
        const hold held{*this};
        pool_state* const pool = find_pool(key.pool);
        if (pool == nullptr) {
            return status::invalid;
        }
        const slot_id slot = find(key);
        if (slot == no_slot) {
            ++pool->counts.misses;
            ++totals_.misses;
            return status::not_found;
        }
        found.e = index_.get(slot);
        if (found.e.is_inline()) {
            store_native(found.inline_stream, found.e.word());
            found.stream = {found.inline_stream, min_stream_size};
        } else {
            const std::size_t size = found.e.size();
            const byte_span target = size == Config::page_size ? out : buffer;
            found.stream = allocator_.read(found.e.handle(), size, target);
            // All of the stream's cache lines are asked for at once: the copy alone would meet them a few at a time.
            for (std::size_t line = 0; line < size; line += 64) {
                __builtin_prefetch(found.stream.data() + line);
            }
            const bool stays_in_place = exclusive && !removing && size != Config::page_size;
            if (!stays_in_place && found.stream.data() != target.data()) {
                copy_bytes(target.data(), found.stream.data(), size);
                found.stream = target.first(size);
            }
        }
        if (removing) {
            if (!found.e.matches(checksum(found.stream, seed))) {
                ++corruptions_;
                return status::corrupt;
            }
            remove(*pool, slot);
            ++erased_pages_;
        } else if (pool->is_ephemeral()) {
            slots_of view{index_, pool_ids::slot(key.pool)};
            pool->eviction.on_hit(view, slot);
        }
        ++pool->counts.hits;
        ++totals_.hits;
        return status::ok;
    }
    /// A stream that fetch handed out failed its check.
    void note_corruption() noexcept {
        const lock_guard guard{lock_};
        ++corruptions_;
    }

    status erase(const page_key& key) noexcept {
        const hold held{*this};
        pool_state* const pool = find_pool(key.pool);
        if (pool == nullptr) {
            return status::invalid;
        }
        const slot_id slot = find(key);
        if (slot == no_slot) {
            return status::not_found;
        }
        remove(*pool, slot);
        ++erased_pages_;
        return status::ok;
    }

    /// Erases the object's pages `first` to `last`, some extents at a time. `cursor` starts at first / extent_pages; true
    /// when all are gone, and `erased` has grown by their number. `invalid` shows as true, with nothing erased.
    bool erase_range(pool_id id, std::uint64_t object, std::uint64_t first, std::uint64_t last, std::uint64_t& cursor,
                     std::size_t& erased) noexcept {
        const hold held{*this};
        const std::uint32_t slot = pool_ids::slot(id);
        if (find_pool(id) == nullptr || index_.find_object(slot, object) == index_type::none) {
            return true;
        }
        const std::uint64_t last_extent = last / extent_pages;
        if (last_extent - cursor >= index_.size()) {
            return erase_along_ring(slot, object, first, last, erased);
        }
        for (unsigned visited = 0; visited < extents_a_hold && cursor <= last_extent; ++visited, ++cursor) {
            if (const std::uint32_t x = index_.find_extent(slot, object, cursor); x != index_type::none) {
                erased += erase_pages(x, slot, pages_within(cursor, first, last));
            }
        }
        return cursor > last_extent;
    }

    // Memory.

    /// Drops up to `pages` ephemeral pages, of `only` when that is a pool's slot, else by the pools' shares; returns how
    /// many bytes of streams went. The lock is held for a few pages at a time.
    std::size_t evict(std::size_t pages, std::uint32_t only, std::size_t& evicted) noexcept {
        std::size_t bytes = 0;
        for (std::size_t left = pages, done = ~std::size_t{0}; left != 0 && done != 0; left -= done) {
            done = evict_some(left < evictions_a_hold ? left : evictions_a_hold, only, bytes);
            evicted += done;
            give_way();
        }
        return bytes;
    }

    /// Moves objects so that whole pages come free: at most about `budget` bytes, and a bounded number of extents looked at
    /// in one call; adds to `done`. Returns false at the end of a sweep, and where there is nothing worth doing. The lock is
    /// held for one step at a time.
    bool compact(std::size_t budget, compaction_work& done) noexcept {
        const std::size_t enough = done.moved_bytes + budget;
        for (unsigned steps = 0; steps < steps_a_call && done.moved_bytes < enough; ++steps) {
            {
                const hold held{*this};
                const compaction_work before = done;
                const bool goes_on = sweep_.step(index_, allocator_, enough - done.moved_bytes, done);
                objects_moved_ += done.objects_moved - before.objects_moved;
                compacted_bytes_ += done.freed_bytes - before.freed_bytes;
                if (!goes_on) {
                    compaction_pause_ = sweep_.was_worthwhile() ? 0 : evictions_a_put;
                    return false;
                }
            }
            give_way();
        }
        return true;
    }
    /// Whether the sweep that ended last came to anything.
    [[nodiscard]] bool compaction_was_worthwhile() noexcept {
        const lock_guard guard{lock_};
        return sweep_.was_worthwhile();
    }

    /// What a stream of `size` bytes would occupy. Needs no lock: it depends on the allocator's settings only.
    [[nodiscard]] std::size_t rounded(std::size_t size) const noexcept { return allocator_.rounded(size); }

    // Statistics.

    void add_to(store_stats& s) noexcept {
        const lock_guard guard{lock_};
        s.orig_data_size += totals_.stored_pages * Config::page_size;
        s.compr_data_size += totals_.compr_data_size;
        s.mem_used_total += allocator_.bytes_held();
        s.same_pages += totals_.same_pages;
        s.pages_compacted += compacted_bytes_ / 4096;
        s.huge_pages += totals_.huge_pages;
        s.huge_pages_since += totals_huge_since_;
        s.stored_pages += totals_.stored_pages;
        s.pool_limit_hit += limit_hits_;
        s.reject_reclaim_fail += refused_by_limit_;
        s.reject_alloc_fail += refused_by_source_;
        s.reject_compress_poor += refused_by_admission_;
        s.decompress_fail += corruptions_;
        s.allocated_bytes += allocator_.allocated_bytes();
        s.puts += totals_.puts;
        s.hits += totals_.hits;
        s.misses += totals_.misses;
        s.erased_pages += erased_pages_;
        s.evicted_pages += totals_.evicted_pages;
        s.objects_moved += objects_moved_;
    }
    [[nodiscard]] bool add_to(pool_stats& s, pool_id id) noexcept {
        const lock_guard guard{lock_};
        const pool_state* const pool = find_pool(id);
        if (pool == nullptr) {
            return false;
        }
        s.stored_pages += pool->counts.stored_pages;
        s.same_pages += pool->counts.same_pages;
        s.huge_pages += pool->counts.huge_pages;
        s.compr_data_size += pool->counts.compr_data_size;
        s.used_bytes += pool->used_bytes();
        s.puts += pool->counts.puts;
        s.hits += pool->counts.hits;
        s.misses += pool->counts.misses;
        s.evicted_pages += pool->counts.evicted_pages;
        s.rejected_puts += pool->counts.rejected_puts;
        return true;
    }
    /// Bytes of pages that hold streams but no stream: what compaction could at best give back.
    [[nodiscard]] std::size_t slack() noexcept {
        const lock_guard guard{lock_};
        return allocator_.bytes_held() - allocator_.allocated_bytes();
    }
    /// Hands the allocator to `look`, while nobody else is at it.
    template <class Look>
    void look_at_allocator(Look& look) noexcept {
        const lock_guard guard{lock_};
        look(static_cast<const allocator_type&>(allocator_));
    }
    [[nodiscard]] std::size_t bytes_taken() noexcept {
        const lock_guard guard{lock_};
        return allocator_.bytes_held() + allocator_.table_bytes() + index_.bytes() + pools_.bytes();
    }

    /// Walks index, allocator, policies and counters against each other.
    [[nodiscard]] bool check() noexcept {
        const lock_guard guard{lock_};
        partition_counters all;
        for (std::uint32_t slot = 0; slot < pools_.size(); ++slot) {
            partition_counters seen;
            for (std::uint32_t x = index_.next_extent(0); x != index_type::none; x = index_.next_extent(x + 1)) {
                if (index_.pool_of(x) == slot) {
                    count_pages(x, seen);
                }
            }
            const pool_state& pool = pools_[slot];
            slots_of view{index_, slot};
            if (!same_pages(seen, pool.counts) ||
                pool.eviction.size() != (pool.is_ephemeral() ? seen.stored_pages : 0) ||
                (pool.is_ephemeral() && !pool.eviction.check(view))) {
                return false;
            }
            all.stored_pages += seen.stored_pages;
            all.same_pages += seen.same_pages;
            all.huge_pages += seen.huge_pages;
            all.compr_data_size += seen.compr_data_size;
            all.rounded_bytes += seen.rounded_bytes;
        }
        return same_pages(all, totals_) && occupied() == allocator_.allocated_bytes() &&
               all.stored_pages == index_.size() && index_.check() && allocator_.check();
    }

    static constexpr std::uint32_t any_pool = 0xffffffffu;

private:
    static constexpr unsigned extents_a_hold = 256; // looked at while the lock is held
    static constexpr unsigned steps_a_call = 256;   // of compaction
    static constexpr std::size_t evictions_a_hold = 4;
    static constexpr unsigned pauses_between_holds = std::is_same_v<typename Config::lock_type, null_lock> ? 0 : 4;
    static constexpr unsigned evictions_a_put = 64;
    static constexpr std::size_t tolerated_slack = 16; // under the limit, 1/16 of the pages held

    /// The lock, for a scope. Pages that left meanwhile are released behind it, where nobody waits.
    class [[nodiscard]] hold {
    public:
        explicit hold(partition& held) noexcept : partition_{held} { partition_.lock_.lock(); }
        ~hold() {
            const limited_source::deferred_runs runs = partition_.source_.take_deferred();
            partition_.lock_.unlock();
            partition_.source_.release_all(runs);
        }
        hold(const hold&) = delete;
        hold& operator=(const hold&) = delete;

    private:
        partition& partition_;
    };

    struct pool_state {
        pool_id id{};
        partition_counters counts;
        eviction_type eviction;

        [[nodiscard]] bool is_ephemeral() const noexcept { return pool_ids::kind(id) == pool_kind::ephemeral; }
        [[nodiscard]] std::size_t used_bytes() const noexcept {
            return static_cast<std::size_t>(counts.rounded_bytes + counts.stored_pages * entry_bytes);
        }
    };

    /// What an eviction policy sees of the index: the slots of one pool.
    class slots_of {
    public:
        slots_of(index_type& index, std::uint32_t pool) noexcept : index_{index}, pool_{pool} {}
        [[nodiscard]] hook get(slot_id s) const noexcept { return index_.hook(s); }
        void set(slot_id s, hook h) noexcept { index_.set_hook(s, h); }
        [[nodiscard]] slot_id next(slot_id s) const noexcept { return index_.next_in_pool(pool_, s); }

    private:
        index_type& index_;
        std::uint32_t pool_;
    };

    [[nodiscard]] pool_state* find_pool(pool_id id) noexcept {
        const std::uint32_t slot = pool_ids::slot(id);
        return id != pool_id{} && slot < pools_.size() && pools_[slot].id == id ? &pools_[slot] : nullptr;
    }
    [[nodiscard]] pool_state* pool_at(std::uint32_t slot) noexcept {
        return slot < pools_.size() ? &pools_[slot] : nullptr;
    }
    [[nodiscard]] pool_record& record_of(const pool_state& pool) noexcept {
        return table_.records[pool_ids::slot(pool.id)];
    }
    [[nodiscard]] slot_id find(const page_key& key) const noexcept {
        return index_.find(pool_ids::slot(key.pool), key.object, key.index);
    }

    // Accounting: the pool's counters, the partition's, and the pool's use over all partitions where that is limited.

    void account(pool_state& pool, std::uint32_t slot, const entry& e, bool arrives) noexcept {
        partition_counters one;
        add_page(e, one);
        for (partition_counters* c : {&pool.counts, &totals_}) {
            c->stored_pages += arrives ? 1 : ~std::uint64_t{0};
            c->same_pages += arrives ? one.same_pages : 0 - one.same_pages;
            c->huge_pages += arrives ? one.huge_pages : 0 - one.huge_pages;
            c->compr_data_size += arrives ? one.compr_data_size : 0 - one.compr_data_size;
            c->rounded_bytes += arrives ? one.rounded_bytes : 0 - one.rounded_bytes;
        }
        if (pool_record& record = table_.records[slot]; record.is_metered()) {
            const std::size_t bytes = static_cast<std::size_t>(one.rounded_bytes) + entry_bytes;
            // A meter, like the budget: it orders nothing.
            arrives ? record.used.fetch_add(bytes, memory_order::relaxed)
                    : record.used.fetch_sub(bytes, memory_order::relaxed);
        }
    }
    void add_page(const entry& e, partition_counters& c) const noexcept {
        ++c.stored_pages;
        if (e.is_inline()) {
            ++c.same_pages;
            return;
        }
        c.huge_pages += e.size() == Config::page_size ? 1 : 0;
        c.compr_data_size += e.size();
        c.rounded_bytes += allocator_.rounded(e.size());
    }
    void count_pages(std::uint32_t x, partition_counters& c) const noexcept {
        for (std::uint64_t pages = index_.pages_of(x); pages != 0; pages &= pages - 1) {
            add_page(index_.get(x * extent_pages + static_cast<unsigned>(std::countr_zero(pages))), c);
        }
    }
    /// What the streams occupy, lent slots of larger classes included; walks the index.
    [[nodiscard]] std::size_t occupied() const noexcept {
        std::size_t bytes = 0;
        for (std::uint32_t x = index_.next_extent(0); x != index_type::none; x = index_.next_extent(x + 1)) {
            for (std::uint64_t pages = index_.pages_of(x); pages != 0; pages &= pages - 1) {
                const entry e = index_.get(x * extent_pages + static_cast<unsigned>(std::countr_zero(pages)));
                bytes += e.is_inline() ? 0 : allocator_.capacity(e.handle());
            }
        }
        return bytes;
    }
    [[nodiscard]] static bool same_pages(const partition_counters& a, const partition_counters& b) noexcept {
        return a.stored_pages == b.stored_pages && a.same_pages == b.same_pages && a.huge_pages == b.huge_pages &&
               a.compr_data_size == b.compr_data_size && a.rounded_bytes == b.rounded_bytes;
    }
    void note_refusal(pool_state& pool, status why) noexcept {
        ++pool.counts.rejected_puts;
        ++totals_.rejected_puts;
        ++(why == status::no_memory        ? refused_by_source_
           : why == status::incompressible ? refused_by_admission_
                                           : refused_by_limit_);
    }

    // Puts.

    /// Gives a page that is here its new content, without dropping anything. On a failure the old content is still there.
    status replace(pool_state& pool, slot_id slot, byte_view stream, std::uint64_t sum, bool is_inline) noexcept {
        const std::uint32_t pool_slot = pool_ids::slot(pool.id);
        const entry old = index_.get(slot);
        entry now;
        if (is_inline) {
            now = entry::with_stream(load_native<std::uint64_t>(stream.data()), sum);
        } else {
            const std::size_t rounded = allocator_.rounded(stream.size());
            const std::size_t before = old.is_inline() ? 0 : allocator_.rounded(old.size());
            if (rounded > before && over_cap(pool, rounded - before)) {
                return status::limit;
            }
            object_handle h{};
            const std::size_t place = old.is_inline() ? 0 : allocator_.capacity(old.handle());
            if (place >= rounded && place - rounded <= rounded / 16) { // a borrowed place may be a little larger
                h = old.handle();
            } else {
                const result<object_handle> fresh = allocate_snug(stream.size());
                if (!fresh) {
                    return fresh.error();
                }
                h = *fresh;
            }
            allocator_.write(h, stream);
            now = entry::with_payload(h, stream.size(), sum);
        }
        account(pool, pool_slot, old, false);
        account(pool, pool_slot, now, true);
        if (!old.is_inline() && (is_inline || now.handle() != old.handle())) {
            allocator_.deallocate(old.handle());
        }
        now.set_hook(old.hook());
        index_.set(slot, now);
        if (pool.is_ephemeral()) {
            slots_of view{index_, pool_slot};
            pool.eviction.on_hit(view, slot);
        }
        ++erased_pages_;
        return status::ok;
    }

    put_outcome insert(pool_state& pool, const page_key& key, byte_view stream, std::uint64_t sum, bool is_inline,
                       const put_try& attempt) noexcept {
        const std::size_t need = is_inline ? 0 : stream.size();
        unsigned evictions = 0;
        while (over_cap(pool, entry_bytes + (is_inline ? 0 : allocator_.rounded(need)))) {
            if (!pool.is_ephemeral() || ++evictions > evictions_a_put || !evict_one(pool, 0)) {
                return {.result = status::limit, .at_pool_cap = true, .met_limit = true};
            }
        }
        bool met_limit = evictions != 0;
        entry e;
        if (is_inline) {
            e = entry::with_stream(load_native<std::uint64_t>(stream.data()), sum);
        } else {
            result<object_handle> h = allocate_snug(need);
            met_limit |= h.error() == status::limit;
            if (!h && attempt.is_first && attempt.may_ask_for_compaction && has_many_holes()) {
                return {.result = h.error(), .met_limit = met_limit, .wants_compaction = true};
            }
            for (; !h && evictions < evictions_a_put && make_room(need); ++evictions) {
                h = allocate_snug(need);
            }
            const bool may_gather = attempt.may_ask_for_compaction && evictions != 0;
            if (!h && !may_gather) {
                h = allocator_.allocate(need); // a place much too large is better than none
            }
            if (!h) {
                return {.result = h.error(), .met_limit = met_limit, .wants_compaction = may_gather};
            }
            allocator_.write(*h, stream);
            e = entry::with_payload(*h, need, sum);
        }
        const std::uint32_t pool_slot = pool_ids::slot(pool.id);
        result<slot_id> slot = index_.insert(pool_slot, key.object, key.index, e);
        met_limit |= slot.error() == status::limit;
        for (; !slot && evictions < evictions_a_put && make_room(0); ++evictions) {
            slot = index_.insert(pool_slot, key.object, key.index, e);
        }
        if (!slot) {
            if (!is_inline) {
                allocator_.deallocate(e.handle());
            }
            return {.result = slot.error(),
                    .met_limit = met_limit,
                    .wants_compaction = attempt.may_ask_for_compaction && evictions != 0};
        }
        account(pool, pool_slot, e, true);
        if (pool.is_ephemeral()) {
            slots_of view{index_, pool_slot};
            pool.eviction.on_insert(view, *slot);
        }
        return {.result = status::ok, .met_limit = met_limit};
    }

    [[nodiscard]] result<object_handle> allocate_snug(std::size_t n) noexcept {
        if constexpr (snug_allocator<allocator_type>) {
            return allocator_.allocate_snug(n);
        } else {
            return allocator_.allocate(n);
        }
    }
    /// Whether the pool, with so many bytes more, would be above its cap.
    [[nodiscard]] bool over_cap(pool_state& pool, std::size_t bytes) noexcept {
        const pool_record& record = record_of(pool);
        const std::size_t cap = record.options.cap_bytes;
        return cap != ~std::size_t{0} && (bytes > cap || record.used.load(memory_order::relaxed) > cap - bytes);
    }
    /// Bytes that pools other than `slot` have reserved and not used.
    [[nodiscard]] std::size_t held_back_from(std::uint32_t slot) const noexcept {
        std::size_t bytes = 0;
        const bool any = table_.reserving.load(memory_order::relaxed) != 0;
        for (std::uint32_t i = 0; any && i < table_.count; ++i) {
            const std::size_t reserved = table_.records[i].reserved.load(memory_order::relaxed);
            const std::size_t used = reserved != 0 ? table_.records[i].used.load(memory_order::relaxed) : 0;
            bytes += i != slot && reserved > used ? reserved - used : 0;
        }
        return bytes;
    }

    // Leaving.

    void remove(pool_state& pool, slot_id slot) noexcept {
        const std::uint32_t pool_slot = pool_ids::slot(pool.id);
        if (pool.is_ephemeral()) {
            slots_of view{index_, pool_slot};
            pool.eviction.on_remove(view, slot);
        }
        forget(pool, pool_slot, slot);
    }
    /// The policy has forgotten the slot, or never knew it.
    void forget(pool_state& pool, std::uint32_t pool_slot, slot_id slot) noexcept {
        const entry e = index_.get(slot);
        account(pool, pool_slot, e, false);
        if (!e.is_inline()) {
            allocator_.deallocate(e.handle());
        }
        index_.erase(slot);
    }
    std::size_t erase_pages(std::uint32_t x, std::uint32_t pool_slot, std::uint64_t which) noexcept {
        pool_state& pool = pools_[pool_slot];
        std::size_t count = 0;
        for (std::uint64_t pages = index_.pages_of(x) & which; pages != 0; pages &= pages - 1, ++count) {
            const slot_id slot = x * extent_pages + static_cast<unsigned>(std::countr_zero(pages));
            if (pool.is_ephemeral()) {
                remove(pool, slot);
            } else {
                forget(pool, pool_slot, slot);
            }
        }
        erased_pages_ += count;
        return count;
    }
    /// For a range of more extents than there are: goes through those of the object instead.
    bool erase_along_ring(std::uint32_t slot, std::uint64_t object, std::uint64_t first, std::uint64_t last,
                          std::size_t& erased) noexcept {
        unsigned emptied = 0;
        std::uint32_t x = index_.find_object(slot, object);
        const std::uint32_t start = x;
        bool again = true;
        while (again) {
            const std::uint32_t next = index_.next_of_object(x);
            again = next != start;
            const std::uint64_t pages = pages_within(index_.number_of(x), first, last) & index_.pages_of(x);
            const bool start_goes = x == start && pages == index_.pages_of(x);
            if (!start_goes) { // it marks the end of the ring, and goes last
                erased += erase_pages(x, slot, pages);
                if (pages != 0 && again && ++emptied >= extents_a_hold) {
                    return false;
                }
            }
            x = next;
        }
        erased += erase_pages(start, slot, pages_within(index_.number_of(start), first, last));
        return true;
    }
    /// The pages of an extent that lie in first..last, as bits.
    [[nodiscard]] static std::uint64_t pages_within(std::uint64_t extent, std::uint64_t first,
                                                    std::uint64_t last) noexcept {
        const std::uint64_t base = extent * extent_pages;
        if (last < base || first > base + extent_pages - 1) {
            return 0;
        }
        const unsigned low = first > base ? static_cast<unsigned>(first - base) : 0;
        const unsigned high = last - base < extent_pages ? static_cast<unsigned>(last - base) : extent_pages - 1;
        return low_bits(high + 1) & ~low_bits(low);
    }

    // Making room.

    /// Between two holds: a lock that is taken back at once would never be seen free by who waits for it.
    static void give_way() noexcept {
        for (unsigned i = 0; i < pauses_between_holds; ++i) {
            PAGEFOLD_CPU_RELAX();
        }
    }
    /// One hold's share of evict(); how many pages went. Fewer than asked for: there are no more.
    std::size_t evict_some(std::size_t pages, std::uint32_t only, std::size_t& bytes) noexcept {
        const hold held{*this};
        const std::uint64_t before = totals_.rounded_bytes;
        pool_state* pool = nullptr;
        std::size_t done = 0;
        while (done < pages) {
            if (done == 0 || table_.reserving.load(memory_order::relaxed) != 0) {
                pool = only != any_pool ? pool_at(only) : furthest_over_share();
            }
            if (pool == nullptr || !evict_one(*pool, 0)) {
                break;
            }
            ++done;
        }
        bytes += static_cast<std::size_t>(before - totals_.rounded_bytes);
        return done;
    }

    [[nodiscard]] pool_state* furthest_over_share() noexcept {
        pool_state* chosen = nullptr;
        std::uint32_t chosen_weight = 1;
        for (std::uint32_t i = 0; i < pools_.size(); ++i) {
            pool_state& pool = pools_[i];
            if (!pool.is_ephemeral() || pool.counts.stored_pages == 0) {
                continue;
            }
            const pool_record& record = table_.records[i];
            const std::size_t reserved = record.options.reserved_bytes;
            // No page may go that takes the pool below what it has reserved.
            const std::size_t used = reserved != 0 ? record.used.load(memory_order::relaxed) : 0;
            if (reserved != 0 && (used <= reserved || used - reserved < Config::page_size + entry_bytes)) {
                continue;
            }
            const std::uint32_t weight = record.options.weight;
            if (chosen == nullptr || pool.used_bytes() / weight > chosen->used_bytes() / chosen_weight) {
                chosen = &pool;
                chosen_weight = weight;
            }
        }
        return chosen;
    }
    /// Whether so much of the pages held is free places that gathering them comes before dropping anything.
    [[nodiscard]] bool has_many_holes() const noexcept {
        const std::size_t held = allocator_.bytes_held();
        return compaction_pause_ == 0 && held - allocator_.allocated_bytes() > held / tolerated_slack;
    }
    /// Drops a page of the pool whose turn it is; false when there is none.
    [[nodiscard]] bool make_room(std::size_t need) noexcept {
        compaction_pause_ -= compaction_pause_ != 0 ? 1 : 0;
        pool_state* const pool = furthest_over_share();
        return pool != nullptr && evict_one(*pool, need);
    }
    /// Drops a page: by preference one that serves the need, for a place of so many bytes or (0) for pages; if the policy
    /// finds none, any.
    bool evict_one(pool_state& pool, std::size_t need) noexcept {
        const std::uint32_t pool_slot = pool_ids::slot(pool.id);
        slots_of view{index_, pool_slot};
        victim_search_type search{index_, allocator_, need, sparse_bar_};
        std::size_t steps = ~std::size_t{0};
        slot_id victim = pool.eviction.evict(view, search, steps);
        if (victim == no_slot) {
            victim = pool.eviction.evict(
                view, [](slot_id) noexcept { return true; }, steps);
        }
        if (victim == no_slot) {
            return false;
        }
        forget(pool, pool_slot, victim);
        ++pool.counts.evicted_pages;
        ++totals_.evicted_pages;
        return true;
    }

    typename Config::lock_type lock_;
    limited_source source_;
    pool_table& table_;
    allocator_type allocator_;
    index_type index_;
    stable_array<pool_state, limited_source> pools_;
    partition_counters totals_;
    std::uint64_t totals_huge_since_ = 0, erased_pages_ = 0, corruptions_ = 0, objects_moved_ = 0, limit_hits_ = 0;
    std::uint64_t refused_by_limit_ = 0, refused_by_source_ = 0, refused_by_admission_ = 0, compacted_bytes_ = 0;
    sweep_type sweep_;
    unsigned compaction_pause_ = 0; // evictions until compaction is tried again, after it found nothing worth doing
    unsigned sparse_bar_ = max_fullness;
};

} // namespace pagefold
