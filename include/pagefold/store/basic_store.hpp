// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/checksum.hpp>
#include <pagefold/core/stream_format.hpp>
#include <pagefold/ds/fixed_array.hpp>
#include <pagefold/platform/host_seed.hpp>
#include <pagefold/store/acceptance.hpp>
#include <pagefold/store/clone.hpp>
#include <pagefold/store/codec_stage.hpp>
#include <pagefold/store/config.hpp>
#include <pagefold/store/content_index.hpp>
#include <pagefold/store/demotion.hpp>
#include <pagefold/store/divided_source.hpp>
#include <pagefold/store/kept_page.hpp>
#include <pagefold/store/located_key.hpp>
#include <pagefold/store/node_part.hpp>
#include <pagefold/store/partition.hpp>
#include <pagefold/store/partition_pair.hpp>
#include <pagefold/store/partition_set.hpp>
#include <pagefold/store/pool_cursor.hpp>
#include <pagefold/store/pool_registry.hpp>
#include <pagefold/store/reclaim.hpp>
#include <pagefold/store/scan_outcome.hpp>
#include <pagefold/store/scratch_pool.hpp>
#include <pagefold/store/stats.hpp>

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>

// The store: what page_store and partitioned_store share.
//
// A put takes a scratch, copies the page, compresses the copy, takes the lock of the page's partition, places and copies the
// stream in, and leaves. A get takes the lock, finds and copies the stream out into a scratch, leaves, checks the checksum
// and decompresses. So nobody waits for anybody's codec, and a lock is held for a copy of some two kilobytes. (Pinning the
// stream and decoding in place would save that copy and cost two atomic operations and a reader count in every entry's
// neighbourhood.) A put that finds no place makes room step by step (reclaim.hpp), and meanwhile the old version of its page
// stays readable.
//
// Invariants. (1) A page that was answered `ok` reads back the same bytes, or `corrupt`, until it is erased, taken, or, in
// an ephemeral pool, dropped. (2) A reader finds the version of the last put or, while one is under way, that before it;
// after a put that is refused, none. (3) The bytes taken from the page source never exceed the limit, and
// stats().total_bytes is their exact sum. (4) A failed operation leaves no trace but counters. (5) No lock is held for more
// than 64 pages' or 64 extents' work, and whoever waits, waits by the host's hook (platform/parking.hpp).
//
// All memory comes from the page source: the partitions themselves, the pools' records, tables, scratch and payload. The
// first create_pool takes the first page, and the first scratch with it.

namespace pagefold::inline PAGEFOLD_ABI {

/// One of a batch of gets or takes.
struct page_request {
    page_key key{};
    byte_span out{};                  ///< as for get; nobody else's
    status outcome = status::invalid; ///< what get or take would have answered
    std::size_t length = 0;           ///< of the value, where that is ok
};
/// One of a batch of puts.
struct put_request {
    page_key key{};
    byte_view page{};                 ///< as for put
    status outcome = status::invalid; ///< what put would have answered
};
/// One of a batch of erasures.
struct erase_request {
    page_key key{};
    status outcome = status::invalid; ///< what erase would have answered
};

template <store_config Config, partition_policy Place>
class basic_store : store_tier<Config> {
    static constexpr bool takes_values = keeps_values<Config>;
    static constexpr bool has_tier = takes_pages<typename Config::tier_type>;
    static constexpr bool has_clones = keeps_clones<Config>;
    using tier_type = typename Config::tier_type;
    using compressor_type = typename Config::compressor_type;
    using admission_type = typename Config::admission_type;
    using eviction_type = typename Config::eviction_type;
    using partition_type = partition<Config>;
    using registry_type = pool_registry<typename Config::lock_type>;
    using registry_hold = typename registry_type::hold;
    using scratch_type = scratch_of<Config>;
    using scratch_of_clones = clone_scratch<delta_of<Config>>;

public:
    using config_type = Config;
    static constexpr std::size_t page_size = Config::page_size;
    static constexpr bool has_values = takes_values; ///< of any length up to that

    /// Takes no memory. The source must outlive the store. One whose pages are larger than the store's is divided
    /// (divided_source.hpp); beyond 64 times as large, create_pool answers invalid. Compressor, admission policy and tier are
    /// copied, and so is the eviction policy, which is empty, for each pool.
    basic_store(page_source_ref source, const store_options& options, const compressor_type& compressor,
                const admission_type& admission, const Place& place, const eviction_type& eviction = eviction_type{},
                const tier_type& tier = tier_type{}) noexcept
        : store_tier<Config>{tier}, budget_{options.limit_bytes}, divided_{source, page_size, budget_}, host_{source},
          source_ref_{fitting(source)}, source_{source_ref_, budget_}, codec_{compressor, admission}, place_{place},
          hasher_{options.seed != 0 ? options.seed : host_seed()}, scratch_{codec_.compressor(),
                                                                            page_size,
                                                                            source_,
                                                                            budget_,
                                                                            registry_.table().at_locks,
                                                                            scratch_of_clones::bytes},
          reclaimer_{registry_.table(), budget_, place_}, new_policy_{eviction}, partition_count_{options.partitions},
          acceptance_{options.accept_percent} {
        PAGEFOLD_CHECK(eviction.size() == 0);
        PAGEFOLD_CHECK(options.partitions >= 1 && options.partitions <= max_partitions);
        if constexpr (has_tier) {
            this->own_demoter.set_up(hasher_, scratch_);
            reclaimer_.demote_by(this->own_demoter);
        }
    }
    /// Gives all memory back. No other thread may be using the store.
    ~basic_store() {
        for (std::size_t slot = 0; has_clones && slot < records_.size(); ++slot) {
            free_content(records_.data()[slot].id);
        }
    }
    basic_store(const basic_store&) = delete;
    basic_store& operator=(const basic_store&) = delete;

    // Pools.

    /// Makes a pool. Fails with `limit` or `no_memory` where its records have no room, `limit` where there are max_pools
    /// already or all reservations together would exceed the store's limit, or those of strict pools their node's, and `invalid`
    /// for a weight of 0, a reservation above the cap, an answer to pressure that the kind doesn't have or no tier is there
    /// for, or a strict node that no partition is on. `busy` if this call interrupts another.
    result<pool_id> create_pool(const pool_options& options = {}) noexcept;

    /// Makes a pool one that others can have as their parent (pool_options::parent, clone.hpp): nothing in it changes from the
    /// answer on, and puts, takes and erasures of its pages are `invalid`; those that are under way come first, but of a range some
    /// pages may stay, with `invalid`. There is no way back but destroy_pool. ok also where it is sealed already. invalid: no such pool, or
    /// one that is ephemeral or a clone. busy: this call interrupts another, and nothing happened. Takes no memory; costs a hold of
    /// each partition's lock.
    ///
    /// With seal_options::by_content the pool gets its content index, too, which is charged to it: all pages are read once, beside
    /// everybody who uses the pool. limit, no_memory: there is no room for it within the store's limit or the pool's cap, and
    /// nothing is dropped for it. busy then also: another thread is making it. After any of these the pool is sealed, without
    /// the index, and the call may come again. destroy_pool is `busy` meanwhile, and children that are made meanwhile, or that were
    /// there before, use the index once it is whole.
    status seal(pool_id id, const seal_options& options = {}) noexcept requires(has_clones) {
        const status s = seal_everywhere(id);
        return s == status::ok && options.by_content ? make_content_index(id) : s;
    }

    /// Erases all pages of a pool, and the pool. From the first moment no operation on it succeeds. The work is in proportion
    /// to the pool's pages; no lock is held for more than a bounded part of it, and other pools come and go meanwhile.
    /// `invalid` if there is no such pool; `busy` if this call interrupts another, or the pool is the parent of one that is not gone,
    /// and nothing happened.
    status destroy_pool(pool_id id) noexcept;

    /// Moves a pool to another memory node, or to none; `strict` as in pool_options. Everybody goes on using the pool meanwhile,
    /// and no page is missed; what is put from now on is put there. Pages move as they are, a few under the locks of two
    /// partitions at a time, until about `work` bytes of pages have moved.
    ///
    /// ok: all pages are there. busy: not yet; call again. (Also where this call interrupts another, and nothing happened;
    /// where another thread has sent the pool elsewhere meanwhile; and while an operation that moves sent back twice is under
    /// way.) limit, no_memory: there is no room for the rest, and nothing
    /// can be dropped for it. Then, and after busy, pages are in both places, found by everybody, and either call again goes on:
    /// this one, or one that sends the pool back. (limit also, and nothing happened, where what the pool has reserved is more
    /// than a strict node can promise.) invalid: no such pool, or a strict node that no partition is on.
    ///
    /// A page takes its new place before it leaves the old one. The cost is that of the pool's pages, each a put's without the
    /// compression; and of its extents, if they are all where they should be. An operation on a pool that moves takes two
    /// locks in turn where it else takes one.
    status set_node(pool_id id, node_id node, bool strict = false, std::size_t work = ~std::size_t{0}) noexcept;

    /// From now on, the pool's new pages go to another of the compressor's codecs (pool_options::codec); puts that are under way
    /// may still take the one before. What is stored stays as it is, and readable. invalid: no such pool, or no such codec.
    /// busy: this call interrupts another, and nothing happened. Takes the registry's lock.
    status set_codec(pool_id id, unsigned codec) noexcept;
    /// The same for the admission policy (pool_options::admission).
    status set_admission(pool_id id, unsigned admission) noexcept;

    // Pages. All of these are safe from many threads; of puts to one key at the same time one wins. All answer `busy`, and
    // do nothing, where they interrupt another operation of the same thread that they would have to wait for.

    /// Stores the page, or replaces what was stored under its key. `page` must be page_size bytes, in a store of values
    /// (Config::variable_length) at most so many, and perhaps none; it may change meanwhile, and one of the contents it had is
    /// stored. A value takes what its own bytes need: nothing is filled up, coded or charged beyond them. One of no more than 8
    /// bytes stands in its index entry.
    ///
    /// ok: a persistent pool keeps it until it is erased, in the backing tier if it demotes; an ephemeral one may drop it.
    /// limit, no_memory: there is no room, and nothing that could be dropped or demoted for it; limit also while the store
    /// was full and is not empty enough (store_options::accept_percent). incompressible: the admission policy refused. After any refusal but invalid
    /// and busy the page is not stored, in any version; until then readers find the old one. invalid: the size, the pool or
    /// the index (at least max_page_index).
    ///
    /// Costs a copy, a compression, and a copy of the stream under the lock. `context`: for memory that is taken on its way,
    /// where the source asks for that (contextual_page_source); what only others gain by is `background`.
    status put(const page_key& key, byte_view page, acquire_context context = {}) noexcept;

    /// The same for what shrinks no further, as its caller has compressed it or knows better: it is kept as it is, and no codec
    /// is asked. A caller that compresses in several ways puts a mark of its own into the value.
    status put_raw(const page_key& key, byte_view page, acquire_context context = {}) noexcept {
        return put_as(key, copied_page{page}, false, context);
    }

    /// The same as put of `length` bytes that `write` makes: bool(byte_span of length bytes), noexcept, which must not call the
    /// store. They come straight into the store's scratch, which spares put's copy and, where the admission policy refuses the
    /// key before it sees a page (second_touch), all of them. With no lock held; once, or again where the pool is being
    /// moved. Where it says false the put answers invalid, counts nowhere, and what was stored stays.
    template <class Write>
    status put_written(const page_key& key, std::size_t length, Write&& write, acquire_context context = {}) noexcept {
        static_assert(noexcept(static_cast<bool>(write(byte_span{}))), "it is called inside a put");
        return put_as(key, written_page<std::remove_reference_t<Write>>{length, write}, true, context);
    }

    /// The same as put_written, and no admission policy is asked: for a page that its caller has promised to keep.
    template <class Write>
    status put_promised(const page_key& key, std::size_t length, Write&& write, acquire_context context = {}) noexcept {
        static_assert(noexcept(static_cast<bool>(write(byte_span{}))), "it is called inside a put");
        using page_type = promised_page<written_page<std::remove_reference_t<Write>>>;
        return put_as(key, page_type{{length, write}}, true, context);
    }
    /// Whether a page can have this key: its pool is there, from create_pool to the first moment of destroy_pool, and the number
    /// is below max_page_index. Costs two loads.
    [[nodiscard]] bool is_key(const page_key& key) const noexcept { return is_valid(key); }

    /// Copies the page to `out`, which must be page_size bytes, and in a store of values as long as the value, at least: or
    /// else too_short, which is no use of it. Its content is undefined unless ok. not_found, corrupt, or
    /// invalid as for put. Costs a copy of the stream under the lock, its checksum, and a decompression.
    ///
    /// A page that was demoted is read from the tier, with no lock held, and comes back where there is room for it
    /// (pool_options::promotes). unavailable: the tier can't read it now, and it may later. corrupt: it has lost it, or what it
    /// gave back is not what was stored. The page stays where it is then.
    status get(const page_key& key, byte_span out) noexcept {
        std::size_t length = 0;
        return read(key, out, reading::use, length);
    }
    /// The same, and no use of the page: neither a hit nor a miss, nothing that an eviction policy learns of, and a page in the tier
    /// stays there. For who walks a pool, or saves it.
    status peek(const page_key& key, byte_span out) noexcept {
        std::size_t length = 0;
        return read(key, out, reading::peek, length);
    }
    /// The same, and says how long the value is. Behind it `out` stays as it was.
    result<std::size_t> get_value(const page_key& key, byte_span out) noexcept requires(takes_values) {
        return read_value(key, out, reading::use);
    }
    // Batches (store_batch.hpp): many operations in one call, each told what became of it, as if they had been called one by one.
    // Those of one key in the order given; among others there is no order. A key may come twice, and pools may be mixed.

    void get_many(page_request* requests, std::size_t count) noexcept { read_many(requests, count, reading::use); }
    void take_many(page_request* requests, std::size_t count) noexcept { read_many(requests, count, reading::take); }
    void put_many(put_request* requests, std::size_t count, acquire_context context = {}) noexcept;
    void erase_many(erase_request* requests, std::size_t count) noexcept;

    /// Like get, and erases the page in the same step: of several takers one gets it. A page found corrupt stays.
    status take(const page_key& key, byte_span out) noexcept {
        std::size_t length = 0;
        return read(key, out, reading::take, length);
    }
    /// The same, and says how long the value was.
    result<std::size_t> take_value(const page_key& key, byte_span out) noexcept requires(takes_values) {
        return read_value(key, out, reading::take);
    }

    /// Whether there is a page, here or in the backing tier: ok or not_found, else as for get, but that damage is seen only where
    /// the index has it. No use of the page, neither a hit nor a miss. Costs a look-up under the lock: no scratch, no decoding.
    status contains(const page_key& key) noexcept { return length_of(key).error(); }
    /// The same, and the length of the value: page_size in a store of pages.
    result<std::size_t> length_of(const page_key& key) noexcept;

    /// Lists the pages of `cursor.pool` from where the cursor stands, up to `room` of them, with what each is kept as; says how many
    /// were. Less than `room`: it was the end, as has_ended says, and each later call lists none. A new pool_cursor begins a walk.
    /// Everybody goes on using the pool meanwhile: what is there from the first call to the last, and is not put, is listed at least
    /// once, perhaps several times, in no order, and nothing that was not there (pool_cursor.hpp). No use of the pages. invalid: no such
    /// pool; what the call had listed counts for nothing then. busy: this call interrupts another, and nothing happened. Takes no memory; a
    /// lock is held for a look at 32 extents or pages.
    result<std::size_t> walk(pool_cursor& cursor, walked_page* out, std::size_t room) noexcept;

    // Pages as they are kept (store_images.hpp): what images (image.hpp) and migrations (migration_stream.hpp) are made of.

    /// Copies pages of `cursor.pool` as they are kept, from where the cursor stands: up to `room`, as many as their streams have room
    /// for in `bytes`, and those found in `holds` holds of a lock; says how many there were. has_ended tells the end, and all else is as
    /// for walk. Each stream is checked against its entry, and that of a page's base. What fails is `damaged`, and counted as damage.
    ///
    /// `bytes` has room for a page at least, or it is invalid; it is written under locks, so it must not be memory that is paged by
    /// somebody who needs this store. unavailable: the tier can't read a page now; the cursor stands before it. busy: this call
    /// interrupts another. Takes a scratch. No decompression: a copy and a checksum a
    /// page, and of one with a base the same of the base.
    result<std::size_t> walk_kept(pool_cursor& cursor, const kept_filter& filter, kept_page* out, std::size_t room,
                                  byte_span bytes, std::size_t holds = ~std::size_t{0}) noexcept;
    /// Puts a page as another store of the same stream_format (or this one) kept it, without compression, as put does otherwise; no
    /// admission policy is asked. `stream` is page.stream bytes. With `verifies` the stream is decoded first.
    ///
    /// ok, limit, no_memory, busy: as put. invalid: as put; a page that this store can't keep, as it has a length, a form or a base that
    /// this one doesn't take. corrupt: the base is not there or not the same, or with `verifies` the stream doesn't decode; the page stays
    /// as it was. A stream that doesn't decode is else found by who reads the page.
    status put_kept(pool_id pool, const kept_page& page, byte_view stream, bool verifies = false,
                    acquire_context context = {}) noexcept;
    /// What kind of pool it is, and whose clone. invalid: no such pool. busy: this call interrupts another. Takes the registry's lock.
    [[nodiscard]] result<pool_family> family_of(pool_id id) const noexcept;
    /// Which streams the store's codec reads, and its delta codec (core/stream_format.hpp): 0 where they don't say, or there is
    /// none.
    [[nodiscard]] std::uint64_t stream_format() const noexcept { return stream_format_of(codec_.compressor()); }
    [[nodiscard]] std::uint64_t delta_format() const noexcept { return stream_format_of(delta_); }

    /// From now on each page of the pool that comes, goes or changes is noted in `log`, under `tag`; with null in none, and nobody is
    /// at the log that was there before. With `is_frozen` nothing changes in the pool: put, take and erase are busy, until another
    /// call says otherwise; but ephemeral pages may be dropped. invalid: no such pool, and nobody is at its log behind a call with
    /// null; or it has another log, which has to go first. busy: this call interrupts another, and nothing happened. Costs a hold of
    /// each partition's lock.
    status log_changes(pool_id id, change_log* log, std::uint32_t tag, bool is_frozen = false) noexcept
        requires(notes_changes<Config>);

    /// ok, not_found or invalid.
    status erase(const page_key& key) noexcept;
    /// Erases all pages of an object; says how many there were. invalid: no such pool.
    result<std::size_t> erase_object(pool_id pool, std::uint64_t object) noexcept {
        return erase_range(pool, object, 0, max_page_index);
    }
    /// Erases pages first to first + count − 1 of an object; says how many there were. The range may reach beyond the last
    /// possible page. No lock is held for more than 64 pages or extents at a time. The cost is that of the range's extents
    /// or of the object's, whichever are fewer. invalid: no such pool.
    result<std::size_t> erase_range(pool_id pool, std::uint64_t object, std::uint64_t first,
                                    std::uint64_t count) noexcept;

    // Memory.

    /// Sets a new byte limit. It holds at once for what is taken from now on. ok: the store is within it. busy: it is not
    /// yet, though a bounded amount of work was done; call again, or shrink. limit: what is left can't be dropped. Once it
    /// is met, and was not raised, fragmentation ends as well: more than a sixteenth of idle memory is compacted.
    status resize(std::size_t limit_bytes) noexcept {
        const bool is_lower = limit_bytes <= budget_.limit();
        budget_.set_limit(limit_bytes);
        const status s = reclaim_to(budget_, any_node, limit_bytes, resize_work);
        if (s == status::ok && is_lower) {
            static_cast<void>(maintain(resize_work));
        }
        return s;
    }
    /// The same for what is on a memory node: no limit of its own until one is set. invalid: no partition is on the node, or no
    /// pool was made yet.
    status resize(std::size_t limit_bytes, node_id node) noexcept {
        byte_budget* const budget = budget_on(node);
        if (budget == nullptr) {
            return status::invalid;
        }
        budget->set_limit(limit_bytes);
        return reclaim_to(*budget, node, limit_bytes, resize_work);
    }

    /// Gives back scratch that nobody uses, drops ephemeral pages and compacts until `bytes` were given back to the page
    /// source, or no more can be; says how many were.
    std::size_t shrink(std::size_t bytes) noexcept { return shrink_to_less(budget_, any_node, bytes); }
    /// The same of what is on a memory node, which is how a kernel's shrinker asks. 0: no partition is on it.
    std::size_t shrink(std::size_t bytes, node_id node) noexcept {
        byte_budget* const budget = budget_on(node);
        return budget != nullptr ? shrink_to_less(*budget, node, bytes) : 0;
    }

    /// For a kernel's shrinker (count_objects, scan_objects): how many pages could leave, of ephemeral pools and of those that
    /// demote; on a memory node, or of all. 0: none, or the node is unknown. Takes no lock, and reads a cache line a partition:
    /// a partition's number is of up to 16 pages ago, but for whether it is 0.
    [[nodiscard]] std::uint64_t count(node_id node = any_node) const noexcept;
    /// Drops and demotes up to so many pages there, of the pools that are furthest over their shares, and compacts what they
    /// leave, as many bytes as so many pages have at most; between two pages or two moves everybody else has a turn. Ends where
    /// nothing more can leave. Unlike shrink it has no aim in bytes: a kernel asks again where it needs more.
    scan_outcome scan(std::uint64_t pages, node_id node = any_node) noexcept;

    /// Moves about `budget` bytes of objects and tables, so that whole pages go back to the page source; says how many
    /// bytes did. The next call goes on where this one stopped. A lock is held for one object's move, or 64 extents, at a time.
    std::size_t compact(std::size_t budget) noexcept {
        compaction_work done;
        if (partitions_ready() && !interrupts_itself()) {
            reclaimer_.compact(any_node, budget, done);
        }
        return done.freed_bytes;
    }

    /// What a host may call when it has time: compacts where more than a sixteenth is idle, so that puts needn't, and where
    /// pages are refused for store_options::accept_percent, drops and demotes until they aren't. Moves at most about `budget`
    /// bytes, for each; says how many went back.
    std::size_t maintain(std::size_t budget) noexcept {
        std::size_t freed = 0;
        if (is_refusing()) {
            const std::size_t before = budget_.used();
            static_cast<void>(reclaim_to(budget_, any_node, acceptance_.threshold(budget_.limit()), budget));
            const std::size_t after = budget_.used();
            freed = before > after ? before - after : 0;
        }
        return freed + (partitions_ready() && reclaimer_.has_much_idle() ? compact(budget) : 0);
    }

    /// Pages of memory for what stands in front of the store (deferred_store.hpp), under its limit: they count in total_bytes and
    /// fixed_bytes until they are given back, and nothing is dropped for them. What pools have reserved, and room for the
    /// first scratches, stays free. A standstill doesn't wait for these two: who is in front of the store comes to rest before it does.
    /// Of the size that lent_page_size says. limit, no_memory, as put; invalid: `pages` is 0.
    result<void*> lend(std::size_t pages, acquire_context context = {}) noexcept;
    void take_back(void* memory, std::size_t pages) noexcept;
    /// Whether the limit has room for so many more of these pages now, and for good (store_options::accept_percent). Takes nothing,
    /// so the answer may be past by when it is read.
    [[nodiscard]] bool has_room(std::size_t pages) noexcept;
    [[nodiscard]] std::size_t lent_page_size() const noexcept { return source_ref_.page_size(); }

    /// Whether this call comes from within one of the same thread that somebody may wait for: which is at a lock of the store, or has
    /// a scratch, which whoever quiesces waits for. Who is in front of the store must not wait for others then.
    [[nodiscard]] bool must_not_wait() const noexcept { return interrupts_itself() || scratch_.has_slot(); }

    // Standstill, for who copies the process (hosted/fork_guard.hpp) or its memory.

    /// Waits until no operation is under way, and lets none begin. All memory of the store is whole then. Waits for the
    /// operations that there are, but for destroy_pool, erase_range, shrink, resize and compact: those stand still between two
    /// holds of a lock. busy, and nothing happened: this call interrupts an operation of its own thread.
    ///
    /// Takes the registry's lock, all scratches, and the partitions' locks in their order: whoever has one of them asks only for
    /// later ones. Other threads wait until the same thread resumes; its own calls, in a signal handler say, answer `busy`.
    status quiesce() noexcept;
    void resume() noexcept;
    /// In a copy of the process that only this thread came to: nobody who waited is waited for, and pools that were being
    /// destroyed are destroyed. The store is as good as the one that was copied, if its source is.
    void resume_alone() noexcept;

    // Statistics.

    [[nodiscard]] store_stats stats() const noexcept;
    /// Of what is on a memory node: total_bytes (with the scratch there), mem_limit and mem_used_max are its own, the other
    /// numbers those of its partitions, and fixed_bytes is 0. With any_node, of what is on none: all nodes' total_bytes and
    /// that one's are the store's. invalid: no partition is on the node, or no pool was made yet.
    [[nodiscard]] result<store_stats> stats(node_id node) const noexcept;
    /// invalid if there is no such pool.
    [[nodiscard]] result<pool_stats> statistics_of(pool_id id) const noexcept;

    /// Calls `look` with each partition's allocator, const, while that partition is locked: for what a decorator has to tell
    /// (counted, guarded). It must not call the store.
    template <class Look>
    void look_at_allocators(Look look) const noexcept {
        for (std::size_t i = 0; partitions_ready() && i < partition_count_; ++i) {
            partitions_[i].look_at_allocator(look);
        }
    }

    /// Walks every structure and compares every counter; for tests. The store must be at rest for the sum over partitions
    /// to be compared with what was taken from the source. Once an extent was taken out as damaged it stays false: what the
    /// extent led to is held, known to nobody, and how many pages it had may not be sure.
    [[nodiscard]] bool check() const noexcept;

private:
    static constexpr std::size_t max_partitions = 1024;
    static constexpr unsigned between_erasures = 24; // pauses: about the time of a hold
    static constexpr unsigned between_moves = 48;    // a hold of two locks is longer
    static constexpr unsigned moves_a_hold = 4;      // pages
    static constexpr unsigned pools_a_window = 4;    // of a batch
    static constexpr std::size_t asked_of_next =
        1024; // of the next page to put, in bytes: the processor sees where it goes on
    static constexpr unsigned streams_ahead = 8; // of a batch: asked for before they are copied
    static constexpr std::size_t bytes_in_cache = std::size_t{4}
                                                  << 20; // a store whose pages a processor finds in its cache
    static constexpr std::size_t resize_work = std::size_t{64} << 20; // bytes of pages dropped and of streams moved

    // Set-up.

    [[nodiscard]] page_source_ref fitting(page_source_ref source) noexcept {
        return source.page_size() > page_size ? page_source_ref{divided_} : source;
    }
    /// Memory for the pools' records, the first scratch and the partitions, once.
    status set_up() noexcept;
    /// A part for each node that a partition is on; none where the place policy has no nodes.
    status make_node_parts() noexcept;
    [[nodiscard]] byte_budget* find_budget(node_id wish) const noexcept {
        for (std::size_t i = 0; i < node_parts_.size(); ++i) {
            if (node_parts_[i].node == node_of(wish)) {
                return &node_parts_[i].budget;
            }
        }
        return nullptr;
    }
    /// For whoever comes without a pool.
    [[nodiscard]] byte_budget* budget_on(node_id node) const noexcept {
        return partitions_ready() ? find_budget(node) : nullptr;
    }
    /// Erases the pages of a pool that is retired, and frees its slot.
    void drain_and_free(pool_id id) noexcept;
    /// Sets one of a live pool's numbers.
    status set_choice(pool_id id, atomic<std::uint8_t> pool_record::*which, unsigned number, unsigned count) noexcept;
    /// The pool's slot serves again. The registry's lock is held.
    void free_pool(pool_id id) noexcept;
    void trim_pools() noexcept;
    [[nodiscard]] std::size_t set_up_bytes() const noexcept {
        return records_.bytes() + gauges_.bytes() + node_parts_.bytes() + partitions_.bytes();
    }
    [[nodiscard]] bool check_nodes() const noexcept;
    /// Whether the records say of each pool what the partitions do.
    [[nodiscard]] bool check_pools() const noexcept;
    [[nodiscard]] bool partitions_ready() const noexcept { return ready_.load(memory_order::acquire) != 0; }
    [[nodiscard]] bool can_keep_to(const pool_options& options) const noexcept;
    [[nodiscard]] bool has_room_on_node(const pool_options& options) const noexcept;

    // Keys.

    /// Whether the key can be looked up. A pool is gone for all operations from the same moment, whatever partition they go
    /// to; one that has passed this may still find it closed.
    [[nodiscard]] bool is_valid(const page_key& key) const noexcept {
        if (!partitions_ready() || pool_ids::slot(key.pool) >= registry_.table().count || key.index >= max_page_index) {
            return false;
        }
        const std::size_t live = registry_.table().records[pool_ids::slot(key.pool)].live.load(memory_order::relaxed);
        return live == pool_ids::mark(key.pool);
    }
    [[nodiscard]] partition_id home_of(const located_key& k, node_id wish) const noexcept {
        return pagefold::home_of(place_, k.key, k.extent_hash, wish, partition_count_);
    }
    /// The route of whoever has the pool slot.
    [[nodiscard]] shared_route& route_of(std::uint32_t slot) noexcept { return registry_.table().records[slot].route; }
    /// Where a page is: in `now`, or while its pool moves perhaps in `before` still, which is looked at first.
    struct homes {
        partition_id now, before;
    };
    /// By the newest route of the key's pool, which the key remembers.
    [[nodiscard]] homes find_homes(located_key& k) const noexcept {
        const pool_route route = registry_.table().records[k.pool].route.load();
        k.route = route.number;
        const partition_id now = home_of(k, route.now);
        return {now, route.is_moving() ? home_of(k, route.before) : now};
    }

    /// Whether this call comes from within one of the same thread that is at a partition's lock.
    [[nodiscard]] bool interrupts_itself() const noexcept {
        return registry_.table().at_locks.has(partition_type::token());
    }
    // Pages.

    /// What a put places.
    struct packed_page {
        byte_view stream{};    ///< as placement takes it
        std::uint64_t sum = 0; ///< the entry's check
        page_form form = page_form::own;
    };
    /// Puts the stream into its page's home, and makes room for it, step by step, as long as that comes to anything. `before`:
    /// where a version is that could not be moved, or the same home.
    /// `spare`: a page of scratch that nothing is in.
    status place_stream(const homes& at, const located_key& k, const packed_page& packed, byte_span spare,
                        bool codec_failed) noexcept;
    /// `Page`: copied_page, or written_page.
    template <class Page>
    status put_as(const page_key& key, const Page& page, bool may_shrink, acquire_context context) noexcept;
    /// The whole put by one route; has_moved where there is a newer one.
    template <class Page>
    status put_by_route(located_key& k, const Page& page, bool may_shrink,
                        const typename scratch_type::lease& lease) noexcept;
    [[nodiscard]] static constexpr bool is_length(std::size_t length) noexcept {
        return takes_values ? length <= page_size : length == page_size;
    }
    /// The stream, or the value itself, which is in `copy`, where that takes no more memory: it needs no decoding.
    [[nodiscard]] static result<byte_view> shortest(std::size_t length, const result<byte_view>& stream, byte_view copy,
                                                    const partition_type& target) noexcept {
        if constexpr (takes_values) {
            if (stream && (*stream).size() > min_stream_size && (*stream).data() != copy.data() &&
                target.occupied_by_stream((*stream).size()) >= target.occupied_by_stream(length)) {
                return copy.first(length);
            }
        }
        return stream;
    }
    /// `parent`: of the page's pool.
    [[nodiscard]] page_facts look_at(const homes& at, const located_key& k, pool_id& parent) noexcept;
    [[nodiscard]] key_past past_in(partition_id at, const located_key& k) noexcept;
    [[nodiscard]] page_context context_of(const located_key& k) const noexcept {
        page_context page{k.key.pool, pool_ids::kind(k.key.pool)};
        if constexpr (pool_compressor<compressor_type>) {
            // relaxed: the number that the pool had a moment ago will do.
            page.codec = registry_.table().records[k.pool].codec.load(memory_order::relaxed);
        }
        return page;
    }
    /// Whether the store was full, and isn't below its part yet. Where it was, and has a page: a look at each pool's record until one
    /// has pages.
    [[nodiscard]] bool is_refusing() noexcept {
        return acceptance_.is_closed(budget_, [this]() noexcept {
            const pool_table& table = registry_.table();
            std::size_t charged = 0; // relaxed: who erases the last page sees it gone
            for (std::uint32_t i = 0; i < table.bound.load(memory_order::relaxed) && charged == 0; ++i) {
                charged = table.records[i].payload.load(memory_order::relaxed) |
                          table.records[i].tables.load(memory_order::relaxed);
            }
            return charged == 0;
        });
    }
    /// Whether the page has to be refused, as the store was full, its pool never lets a page go, and has what it has reserved.
    [[nodiscard]] bool is_refused_for_now(const located_key& k) noexcept {
        const pool_record& record = registry_.table().records[k.pool];
        return is_refusing() && pool_ids::kind(k.key.pool) == pool_kind::persistent &&
               record.demotes.load(memory_order::relaxed) == 0 && record.unmet.load(memory_order::relaxed) == 0;
    }
    [[nodiscard]] std::size_t held_back_from(const located_key& k) const noexcept {
        const pool_table& table = registry_.table();
        return pool_charge::no_more_than_all(pool_charge::held_back_from(table, table.records[k.pool]),
                                             scratch_.kept_free());
    }

    /// As a put of a page does that no pool with a reservation has, so that neither finds room where the other finds none.
    [[nodiscard]] std::size_t held_back_from_lent() const noexcept {
        const std::size_t unmet = registry_.table().unmet.load(memory_order::relaxed);
        return pool_charge::no_more_than_all(pool_charge::no_more_than_all(unmet, unmet / 16), scratch_.kept_free());
    }

    enum class reading : std::uint8_t { use, peek, take };
    status read(const page_key& key, byte_span out, reading how, std::size_t& length) noexcept;
    result<std::size_t> read_value(const page_key& key, byte_span out, reading how) noexcept {
        std::size_t length = 0;
        const status s = read(key, out, how, length);
        return s == status::ok ? result<std::size_t>{length} : s;
    }
    status read_through(const typename scratch_type::lease& lease, const page_key& key, byte_span out, reading how,
                        std::size_t& length) noexcept;
    PAGEFOLD_ALWAYS_INLINE status read_with(const typename scratch_type::lease& lease, const page_key& key,
                                            byte_span out, reading how, std::size_t& length) noexcept {
        status s;
        do {
            s = read_through(lease, key, out, how, length);
        } while (has_clones && s == has_moved); // another version came between the reading and the taking of one
        return s;
    }
    [[nodiscard]] bool can_read(const page_key& key, byte_span out) const noexcept {
        return (takes_values || out.size() == page_size) && is_valid(key);
    }
    /// The page of a stream that was fetched. A take has checked it already.
    PAGEFOLD_ALWAYS_INLINE status decode(const located_key& k, bool is_checked,
                                         const typename partition_type::fetched& found, byte_span out,
                                         byte_span scratch) const noexcept {
        return is_checked || partition_state<Config>::is_good(found.e, found.stream, k.sum_seed)
                   ? codec_.unpack(found.stream, out, scratch, context_of(k))
                   : status::corrupt;
    }

    // Batches (store_batch.hpp).

    /// Says where the first pages of a batch are, up to `count`, and which partitions they are at home in; how many that are. The
    /// rest goes otherwise: 0 where the first page's pool moves. Bad ones are told so.
    template <class Request, class IsGood>
    [[nodiscard]] unsigned gather(Request* requests, unsigned count, batch_window& window, batch_groups& groups,
                                  IsGood is_good) noexcept;
    void look_ahead(batch_step last, batch_window& window, const batch_groups& groups) noexcept;
    /// Whether looking ahead spares more than it costs.
    [[nodiscard]] bool is_beyond_cache() const noexcept { return budget_.used() > bytes_in_cache; }
    void read_many(page_request* requests, std::size_t count, reading how) noexcept;
    template <class Request, class Step, class Single>
    void for_windows(Request* requests, std::size_t count, Step step, Single single) noexcept;
    using fetched_page = typename partition_type::fetched_pages::page;
    /// One or two pages that were fetched.
    void decode_some(const batch_window& window, page_request* requests, const fetched_page* pages, unsigned count,
                     bool are_checked, byte_span scratch, partition_type& partition) noexcept;
    // How many they took.

    unsigned put_window(put_request* requests, unsigned count, acquire_context context) noexcept;
    unsigned erase_window(erase_request* requests, unsigned count) noexcept;
    unsigned read_window(page_request* requests, unsigned count, reading how) noexcept;
    status read_away(partition_type& partition, const located_key& k, byte_span out,
                     const typename scratch_type::lease& lease, bool removing,
                     typename partition_type::fetched& found) noexcept;
    /// Erases an object's pages first to last in all partitions, or until one says that there is a newer route. The last answer.
    status sweep_range(const page_key& first, std::uint64_t last, std::uint32_t route, std::size_t& erased) noexcept;

    // Clones (store_clones.hpp).

    status seal_everywhere(pool_id id) noexcept;
    /// Of a sealed pool; ok where it has one.
    status make_content_index(pool_id id) noexcept;
    status fill_content_index(pool_id id, content_index& content) noexcept;
    /// Adds a page of the pool, unless it can't be read.
    status index_page(const page_key& key, content_index& content) noexcept;
    /// Gives back what a pool's content index takes, which nobody looks at: first all but its last page, some pages at a time, and
    /// then that. The registry's lock is held for the second.
    void drain_content(pool_id id) noexcept;
    void free_content(pool_id id) noexcept;
    [[nodiscard]] std::uint64_t content_hash(pool_id parent, byte_view page) const noexcept {
        return checksum(page, hasher_.locate({parent, ~std::uint64_t{0}, max_page_index}).sum_seed);
    }
    /// Whether that pool may have a content index. Looks at no index: it could be going.
    [[nodiscard]] bool may_have_content(pool_id parent) const noexcept {
        const pool_table& table = registry_.table();
        // relaxed: nothing is read by it.
        return pool_ids::slot(parent) < table.count &&
               table.records[pool_ids::slot(parent)].content.load(memory_order::relaxed) != nullptr;
    }
    /// Finds a parent's page, without a use of it, and copies its stream out; says in which partition it is.
    status fetch_base(located_key& k, byte_span out, byte_span buffer, partition_type*& partition,
                      typename partition_type::fetched& found) noexcept;
    /// Reads a page of the parent; not_found, corrupt, busy, or invalid where the parent is gone, as its children are. Counts the
    /// damage that it finds.
    status read_base(const typename scratch_type::lease& lease, pool_id parent, const page_key& key, byte_span out,
                     base_page& base) noexcept;
    /// What is to be kept of a page whose pool has a parent, other than its own stream; a copy of the page is in the scratch of
    /// clones. False where it is to be its own. `asks`: the admission policy, about what it would be. Nothing is in the lease's
    /// page and buffer, and may be what it leaves there.
    bool pack_clone(const typename scratch_type::lease& lease, partition_type& target, const located_key& k,
                    pool_id parent, const page_facts& facts, bool asks, packed_page& packed) noexcept;
    /// A page of the parent, of any key, that equals the one in the scratch of clones; false where none is found.
    bool find_equal(const typename scratch_type::lease& lease, partition_type& target, const located_key& k,
                    pool_id parent, base_page& base, content_place& place) noexcept;
    /// Ends a read that found a page with a base; has_moved where it has to be begun anew.
    status read_clone(const typename scratch_type::lease& lease, partition_type& partition, const located_key& k,
                      byte_span out, bool removing, const typename partition_type::fetched& found) noexcept;

    // Kept pages (store_images.hpp).

    /// Checks what a hold copied, and completes it: fetches what is in the tier, and looks at bases.
    status complete(const typename scratch_type::lease& lease, partition_type& partition, pool_id pool,
                    typename partition_type::copies_type& copies, byte_span bytes) noexcept;
    /// Reads a page of the tier as it is kept there, to `out`, which has room for a page.
    status read_kept(const typename scratch_type::lease& lease, const page_key& key, kept_page& page,
                     byte_span out) noexcept;
    /// What a page that is kept by another one's is bound to, and what tells that one's stream; as read_base, without decoding.
    status look_at_base(const typename scratch_type::lease& lease, pool_id parent, const page_key& key, base_page& base,
                        std::uint64_t& print) noexcept;
    /// Whether a page of the store can be kept like that.
    [[nodiscard]] static bool can_keep(const kept_page& page, byte_view stream) noexcept;
    status put_kept_by_route(located_key& k, const kept_page& page, byte_view stream, bool verifies,
                             const typename scratch_type::lease& lease) noexcept;
    /// Of a page with a base, which becomes what is placed; no stream where it was put by its content.
    status pack_kept(const typename scratch_type::lease& lease, located_key& k, pool_id parent, const kept_page& page,
                     byte_view stream, bool verifies, packed_page& packed) noexcept;

    // Migration.

    /// Sends the pool to a wish, unless it was sent already or has to end another move first: `route` is what to go by now.
    /// busy: somebody else has sent it elsewhere.
    status direct(pool_id id, node_id wish, bool& is_sent, pool_route& route) noexcept;
    /// Moves all strays of a partition.
    status move_strays(pool_id id, const pool_route& route, partition_id from, std::size_t& work) noexcept;
    /// Moves one stray, and some pages behind it that go to the same partition; makes room for it.
    status move_stray(const stray& found, const pool_route& route, partition_id from, std::size_t& work) noexcept;
    /// Moves the page of a put to where it is at home now; what of it stays, if there is no room.
    moved bring(const located_key& k, const homes& at, byte_span buffer) noexcept;

    // Memory.

    status reclaim_to(const byte_budget& budget, node_id where, std::size_t target, std::size_t work) noexcept {
        if (budget.used() <= target) {
            return status::ok;
        }
        if (!partitions_ready()) {
            return status::limit;
        }
        if (interrupts_itself() || (has_tier && scratch_.has_slot())) { // pages are demoted through a scratch
            return status::busy;
        }
        static_cast<void>(scratch_.trim(where));
        return reclaimer_.reclaim_to(budget, where, target, work);
    }
    std::size_t shrink_to_less(const byte_budget& budget, node_id where, std::size_t bytes) noexcept {
        const std::size_t before = budget.used();
        static_cast<void>(reclaim_to(budget, where, before > bytes ? before - bytes : 0, ~std::size_t{0}));
        const std::size_t after = budget.used();
        return before > after ? before - after : 0;
    }

    byte_budget budget_;
    divided_source<typename Config::lock_type> divided_; // where the source's pages are larger than ours
    page_source_ref host_;                               // what the store was given
    page_source_ref source_ref_;                         // what it takes pages of: that, or divided_
    limited_source source_;
    codec_stage<compressor_type, admission_type, takes_values> codec_;
    [[no_unique_address]] delta_of<Config> delta_{};
    Place place_;
    key_hasher hasher_;
    registry_type registry_{}; // its lock is taken before a partition's, never after one
    fixed_array<pool_record, limited_source> records_{source_};
    fixed_array<partition_gauge, limited_source> gauges_{source_};
    fixed_array<node_part, limited_source> node_parts_{source_}; // one for each node that partitions are on
    scratch_type scratch_;
    partition_set<partition_type, limited_source> partitions_{source_}; // gone before what they refer to
    reclaimer<Config, Place> reclaimer_;
    eviction_type new_policy_; // what every pool starts with
    std::size_t partition_count_;
    std::size_t most_packed_ = 0;
    acceptance acceptance_;
    atomic<std::uint32_t> ready_{0};
    atomic<std::size_t> lent_{0}; // bytes
};

} // namespace pagefold

#include <pagefold/store/store_batch.hpp>
#include <pagefold/store/store_clones.hpp>
#include <pagefold/store/store_images.hpp>
#include <pagefold/store/store_migration.hpp>
#include <pagefold/store/store_pages.hpp>
#include <pagefold/store/store_pools.hpp>
#include <pagefold/store/store_set_up.hpp>
#include <pagefold/store/store_shrinker.hpp>
#include <pagefold/store/store_standstill.hpp>
#include <pagefold/store/store_statistics.hpp>
#include <pagefold/store/store_walk.hpp>
