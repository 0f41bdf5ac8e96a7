// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/config/macros.hpp>
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/platform/parking.hpp>
#include <pagefold/store/batch_look_ahead.hpp>
#include <pagefold/store/batch_window.hpp>
#include <pagefold/store/clone.hpp>
#include <pagefold/store/compaction_sweep.hpp>
#include <pagefold/store/index_sweep.hpp>
#include <pagefold/store/partition_state.hpp>
#include <pagefold/store/placement.hpp>
#include <pagefold/store/pool_balance.hpp>
#include <pagefold/store/pool_copy.hpp>
#include <pagefold/store/pool_cursor.hpp>
#include <pagefold/store/range_erase.hpp>
#include <pagefold/store/retrieval.hpp>
#include <pagefold/store/room.hpp>
#include <pagefold/store/stats.hpp>
#include <pagefold/store/tier_copies.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

// One partition of a store: a lock around an allocator, an index, and what it knows of each pool.
//
// Every public member takes the lock once, and does no more than 64 pages' or 64 extents' work while it has it: it finds an
// entry and copies a stream in or out, drops some pages, moves one object. Whatever takes longer is driven from outside,
// call by call (reclaim.hpp). A partition takes no lock but its own, so the order is trivial: the registry's lock, then one
// partition at a time. Pages that leave are released behind the lock, where nobody waits.
//
// Re-entry. A call that comes from within another of the same thread (a signal handler, an interrupt, a page source that
// calls back) would wait for itself. Where the host can tell its threads apart, it answers `busy` instead (presence.hpp),
// whichever partition the other one is at: two threads that wait in handlers for each other's partition would do so for
// ever. A page source must not call back at all: statistics asked for by one are a caller's bug, and assert.

namespace pagefold::inline PAGEFOLD_ABI {

template <store_config Config>
class partition_pair;

/// A page of a pool that is not in the partition that it is at home in.
struct stray {
    page_key key{};
    std::size_t home = 0;
};
template <store_config Config>
class partition {
    using state_type = partition_state<Config>;
    using pool_state = typename state_type::pool_state;
    using index_type = typename state_type::index_type;
    friend class partition_pair<Config>;

public:
    using allocator_type = typename state_type::allocator_type;
    using entry_type = typename state_type::entry_type;
    /// Where one thread at a time uses the store, streams are read in place and not copied out.
    static constexpr bool exclusive = std::same_as<typename Config::lock_type, null_lock>;
    static constexpr std::uint32_t no_pool = pool_shares::no_pool;

    /// `tier`: where there is one, the store's.
    partition(page_source_ref source, byte_budget& budget, pool_table& table, const key_hasher& hasher,
              partition_gauge& gauge, node_id node, const typename Config::eviction_type& eviction = {},
              unsigned admission_percent = 0, tier_stage<typename Config::tier_type>* tier = nullptr) noexcept
        : state_{source, budget, table, hasher, gauge, node, eviction, admission_percent, tier} {}
    partition(const partition&) = delete;
    partition& operator=(const partition&) = delete;

    /// Of this thread; 0 where the host can't tell its threads apart.
    [[nodiscard]] static std::uintptr_t token() noexcept { return exclusive ? 1 : Config::parking_type::self(); }

    // All at rest: nobody comes in between the two.

    void quiesce() noexcept { lock_.lock(); }
    void resume() noexcept { lock_.unlock(); }
    /// The same where all threads but this one are gone.
    void resume_alone() noexcept {
        lock_.unlock();
        renew(lock_);
    }

    // Pools.

    /// Makes the pool known here. Fails with what the source answered.
    status open_pool(pool_id id) noexcept;
    /// Nothing in the pool changes from here on: puts, takes and erasures are `invalid`.
    void seal_pool(pool_id id) noexcept requires(state_type::has_clones) {
        const hold held{*this};
        PAGEFOLD_CHECK(static_cast<bool>(held));
        if (pool_state* const pool = held ? state_.find_pool(id) : nullptr; pool != nullptr) {
            pool->is_sealed = true;
        }
    }
    /// From here on changes in the pool are noted in `log`, or nowhere, and with `is_frozen` there are none: puts, takes and erases
    /// are busy. Behind it nobody is at the log that was there before.
    void log_pool(pool_id id, change_log* log, std::uint32_t tag, bool is_frozen) noexcept
        requires(state_type::has_log) {
        const hold held{*this};
        PAGEFOLD_CHECK(static_cast<bool>(held));
        if (pool_state* const pool = held ? state_.find_pool(id) : nullptr; pool != nullptr) {
            pool->log = log;
            pool->log_tag = tag;
            pool->is_frozen = is_frozen;
        }
    }
    /// Whether changes in the pool are noted elsewhere.
    [[nodiscard]] bool has_other_log(pool_id id, const change_log* log) noexcept requires(state_type::has_log) {
        const hold held{*this};
        PAGEFOLD_CHECK(static_cast<bool>(held));
        const pool_state* const pool = held ? state_.find_pool(id) : nullptr;
        return pool != nullptr && pool->log != nullptr && pool->log != log;
    }
    /// Waits for who is at the lock now.
    void pass() noexcept { const hold held{*this}; }
    /// No operation on the pool succeeds from here on; its pages are still there.
    void close_pool(pool_id id) noexcept;
    /// Erases some pages of a closed pool; true when none are left.
    [[nodiscard]] bool drain_pool(std::uint32_t slot) noexcept;
    /// Gives back the memory of pool slots at and above a number; none of them has a pool.
    void trim_pools(std::uint32_t bound) noexcept;
    /// Looks for a page of a pool that is not at home here; `home_of(key)` is a partition's number, `own` this one's. Each call
    /// goes on where the last one of the route stopped, whoever made it: what was seen to be at home stays so. ok: `found` is
    /// one. busy: not yet. not_found: there are none, and there will be none, as nobody can come by an older route now.
    /// has_moved: somebody came by a newer one. invalid: no such pool.
    template <class HomeOf>
    status next_stray(pool_id id, std::uint32_t route, std::size_t own, HomeOf home_of, stray& found) noexcept;

    // Pages.

    /// Asks for the cache line of the page's entry, if there is one, while there is a compression to hide the wait. Says which
    /// pool is the parent of the page's.
    pool_id prefetch(const located_key& k) noexcept {
        const hold held{*this};
        pool_state* const pool = held ? state_.find_pool(k.key.pool) : nullptr;
        if (pool != nullptr) {
            state_.index.prefetch(state_.index.find(k));
            if constexpr (state_type::has_clones) {
                return pool->parent;
            }
        }
        return pool_id{};
    }
    /// The same, and what is known of the page's key, for an admission policy that asks. May take some memory for the ghost;
    /// `is_growing` where that is not all, and a key may be forgotten. Leaves `held_back` bytes of the limit free.
    [[nodiscard]] key_past look(const located_key& k, std::size_t held_back,
                                bool& is_growing) noexcept requires state_type::admission_remembers {
        const hold held{*this};
        pool_state* const pool = held ? state_.find_pool(k.key.pool) : nullptr;
        is_growing = false;
        if (pool == nullptr) {
            return key_past::untold;
        }
        const limited_source::holding_back scope{state_.source, held_back, can_wait};
        const slot_id slot = state_.index.find(k);
        state_.index.prefetch(slot);
        const key_past past = state_.past_of(*pool, k, slot);
        // Who didn't ask the ghost doesn't make it grow, and would look for ever.
        is_growing = pool->is_ephemeral() && past != key_past::stored && state_.ghost.is_growing();
        return past;
    }

    /// A page of the parent that may have the content with that hash; false where there is none, or no content index.
    bool find_content(const located_key& k, std::uint64_t hash, content_place& found) noexcept
        requires(state_type::has_clones) {
        const hold held{*this};
        const pool_state* const pool = held ? state_.find_pool(k.key.pool) : nullptr;
        const content_index* const content = pool != nullptr ? state_.content_of(*pool) : nullptr;
        return content != nullptr && content->find(hash, found);
    }

    /// What a put may do.
    struct put_terms {
        std::uint32_t victims = no_pool; ///< the slot of the pool whose pages may be dropped for it here
        bool begins_with_drop = false;   ///< there was no place a moment ago
        bool is_last = false;            ///< nothing else can be done: it ends here, one way or the other
        bool codec_failed = false;       ///< the compressor did; it counts with the put's end
        old_version elsewhere{};         ///< of the page
        page_form form = page_form::own; ///< what the stream is
        /// The partition's own number, where a pool at its cap may be told to lose a page elsewhere; its put ends then.
        partition_id asks_as = pool_balance<partition>::nowhere;
    };
    /// What a put left for its caller to do.
    struct put_outcome {
        status result;
        bool at_cap = false;       ///< the pool's cap refused, not the store's limit or its source
        bool has_dropped = false;  ///< pages went for it, or the policy came nearer to one
        bool is_under_way = false; ///< it came nearer, and none went
        bool wants_rates = false;  ///< what the partition holds has changed: time to spread it anew
        bool at_node = false;      ///< where the limit refused, it was that of the partition's node
    };
    /// Stores a stream as the page's content. A refusal leaves everything as it was, but when it is the last: then no
    /// version of the page is here.
    put_outcome put(const located_key& k, byte_view stream, std::uint64_t sum, std::size_t held_back,
                    const put_terms& terms) noexcept {
        const hold held{*this};
        return held ? put_held(k, stream, sum, held_back, terms) : put_outcome{status::busy};
    }
    /// For a page that is refused before it comes here: no older version stays readable.
    status refuse(const located_key& k, status why, bool codec_failed = false) noexcept {
        const hold held{*this};
        return held ? refuse_held(k, why, codec_failed) : status::busy;
    }
    /// A put met the byte limit or its pool's cap.
    void note_limit() noexcept {
        const hold held{*this};
        state_.pool_limit_hit += held ? 1u : 0u;
    }

    using fetched = typename retrieval<Config, exclusive>::fetched_type;
    /// Copies the stream of a page out; see retrieval. `invalid` if there is no such pool.
    status fetch(const located_key& k, byte_span out, byte_span buffer, bool removing, fetched& found) noexcept {
        const hold held{*this};
        if (!held) {
            return status::busy;
        }
        const result<pool_state*> pool = (state_type::has_clones || state_type::has_log) && removing
                                             ? state_.enter_to_change(k.key.pool, k.route)
                                             : state_.enter(k.key.pool, k.route);
        return pool ? retrieval<Config, exclusive>{state_}.fetch(**pool, k, out, buffer, removing, found)
                    : pool.error();
    }
    /// Ends a take of a page that has a base, which was read and found good in between: erases it if its entry is that still.
    /// has_moved: it isn't, and has to be read anew.
    status take_same(const located_key& k, const entry_type& e) noexcept requires(state_type::has_clones) {
        const hold held{*this};
        if (!held) {
            return status::busy;
        }
        const result<pool_state*> pool = state_.enter_to_change(k.key.pool, k.route);
        return pool ? retrieval<Config, exclusive>{state_}.take_same(**pool, k, e) : pool.error();
    }
    /// Ends a fetch that was answered is_in_tier, in a hold of its own; see retrieval. `held_back` as for a put.
    status arrive(const located_key& k, status read, bool removing, std::size_t held_back, fetched& found) noexcept
        requires(state_type::has_tier) {
        const hold held{*this};
        PAGEFOLD_CHECK(static_cast<bool>(held));
        const limited_source::holding_back scope{state_.source, held_back, can_wait};
        return retrieval<Config, exclusive>{state_}.arrive(k, read, removing, found);
    }
    /// The length of the value under a key, without a use of it; see retrieval.
    status look_up(const located_key& k, std::size_t& length) noexcept {
        const hold held{*this};
        if (!held) {
            return status::busy;
        }
        const result<pool_state*> pool = state_.enter(k.key.pool, k.route);
        return pool ? retrieval<Config, exclusive>{state_}.look_up(**pool, k, length) : pool.error();
    }
    /// A stream that fetch handed out failed its check.
    void note_corruption() noexcept {
        const hold held{*this};
        state_.corruptions += held ? 1u : 0u;
    }

    status erase(const located_key& k) noexcept {
        const hold held{*this};
        return held ? erase_held(k) : status::busy;
    }

    // Pages of a batch that are at home here (partition_batch.hpp): `pages` is a bit for each of them in the window.

    /// One step of looking ahead. Tells nobody anything, and changes nothing.
    void look_ahead(batch_step step, batch_window& window, std::uint64_t pages) noexcept;
    /// Streams that one hold copied out, and whose they are.
    struct fetched_pages {
        struct page {
            fetched found{};
            std::uint8_t number = 0; ///< in the window
        };
        page pages[batch_window::pages_a_hold];
        unsigned count = 0;
    };
    /// fetch, page by page, of the first pages_a_hold pages, or as many as have room in `scratch`. Ends at the first one that needs
    /// more than a look and a copy. Those that it took are out of `pages`, with their outcome, which is ok for those in `into`.
    template <class Request>
    void fetch_some(const batch_window& window, std::uint64_t& pages, Request* requests, bool removing,
                    byte_span scratch, fetched_pages& into) noexcept;
    /// erase, page by page, of the first pages_a_hold pages. Ends at the first one that has to be looked for elsewhere.
    template <class Request>
    void erase_some(const batch_window& window, std::uint64_t& pages, Request* requests) noexcept;

    /// Erases some of the object's pages `first` to `last`; ok when all are gone, busy when there are more (and where this call
    /// interrupts another, which its caller rules out); unavailable where the pool is frozen. Adds to `erased`.
    status erase_range(pool_id id, std::uint32_t route, std::uint64_t object, std::uint64_t first, std::uint64_t last,
                       range_cursor& cursor, std::size_t& erased) noexcept {
        const hold held{*this};
        if (!held) {
            return status::busy;
        }
        const result<pool_state*> pool = state_.enter_to_change(id, route);
        if (!pool) {
            return pool.error() == status::busy ? status::unavailable : pool.error();
        }
        const bool done = range_erase<Config>{state_}.erase(**pool, object, first, last, cursor, erased);
        state_.settle(**pool);
        return done ? status::ok : status::busy;
    }
    /// Lists some pages of the cursor's pool, from where it stands in this partition; ok when there are no more here, busy when
    /// there may be, has_moved where the cursor's route is not the newest. Adds to `listed`.
    status walk(pool_cursor& at, walked_page* out, std::size_t room, std::size_t& listed) noexcept {
        const hold held{*this};
        if (!held) {
            return status::busy;
        }
        const result<pool_state*> pool = state_.enter(at.pool, at.route);
        if (!pool) {
            return pool.error();
        }
        return pool_walk<Config>{state_}.step(**pool, at, out, room, listed) ? status::ok : status::busy;
    }
    using copies_type = typename pool_copy<Config>::copies_type;
    /// The same, and copies the streams of those that the filter takes to `bytes`, which has room for a page; see pool_copy.
    status walk_kept(pool_cursor& at, const kept_filter& filter, byte_span bytes, copies_type& copies) noexcept {
        const hold held{*this};
        if (!held) {
            return status::busy;
        }
        const result<pool_state*> pool = state_.enter(at.pool, at.route);
        if (!pool) {
            return pool.error();
        }
        return pool_copy<Config>{state_}.step(**pool, at, filter, bytes, copies) ? status::ok : status::busy;
    }

    // Memory. Each of these is one hold.

    /// Drops up to `pages` pages of a pool, for its own put or another's; says how many went, and whether the policy came
    /// nearer to one.
    std::size_t evict(std::uint32_t pool, std::size_t pages, bool& is_under_way, bool for_its_own = false) noexcept {
        const hold held{*this};
        if (!held) {
            is_under_way = false;
            return 0;
        }
        const limited_source::holding_back scope{state_.source, 0, can_wait};
        std::size_t dropped = 0, steps = room_.steps_a_hold;
        eviction_outcome last = eviction_outcome::none;
        while (dropped < pages && (last = room_.drop_one(pool, 0, for_its_own, steps)) == eviction_outcome::dropped) {
            ++dropped;
        }
        is_under_way = dropped != 0 || last == eviction_outcome::again;
        static_cast<void>(state_.trim_ghost());
        return dropped;
    }
    using batch_type = demotion_batch<entry_type>;
    /// Copies the streams of pages of a pool that demotes, for the tier to be offered them (demotion.hpp). They stay what and
    /// where they are, but out of order until dispose. `copies`: room for a page. again: the policy goes on where it stopped.
    eviction_outcome detach(std::uint32_t pool, std::size_t need, bool for_its_own, byte_span copies,
                            batch_type& batch) noexcept;
    /// Ends what detach began: of each page that the tier keeps a copy of and that has not changed, the stream is away. Says
    /// how many.
    unsigned dispose(const batch_type& batch) noexcept;
    /// Whether the pool has pages here.
    [[nodiscard]] bool has_pages(std::uint32_t slot) noexcept {
        const hold held{*this};
        const pool_state* const pool = held ? state_.pool_at(slot) : nullptr;
        return pool != nullptr && pool->counts.stored_pages != 0;
    }
    /// How far the hands of the pool's policy have gone here. With `is_ahead` they are set forward to `turns` if they are behind.
    [[nodiscard]] pool_pace pace_of(std::uint32_t slot, bool is_ahead, std::uint32_t turns) noexcept {
        const hold held{*this};
        pool_state* const pool = held ? state_.pool_at(slot) : nullptr;
        if (pool == nullptr) {
            return {};
        }
        if (is_ahead && pool_balance<partition>::is_behind(pool->turns(), turns)) {
            pool->set_turns(turns);
        }
        return {pool->counts.stored_pages != 0, pool->turns()};
    }
    /// One step of compacting the payload: `budget` bytes may move by a plan made now. False at the end of a sweep, and where
    /// there is nothing worth doing.
    bool compact_payload(std::size_t budget, compaction_work& done) noexcept {
        const hold held{*this};
        if (!held) {
            return false;
        }
        const compaction_work before = done;
        const limited_source::holding_back scope{state_.source, 0, can_wait};
        const bool goes_on = sweep_.step(state_, budget, done);
        state_.objects_moved += done.objects_moved - before.objects_moved;
        state_.compacted_bytes += done.freed_bytes - before.freed_bytes;
        return goes_on;
    }
    /// One step of compacting the index; false at the end of a sweep.
    bool compact_index(compaction_work& done) noexcept {
        const hold held{*this};
        if (!held) {
            return false;
        }
        const limited_source::holding_back scope{state_.source, 0, can_wait};
        return index_sweep_.step(state_, done);
    }
    /// Whether the sweep that ended last came to anything.
    [[nodiscard]] bool payload_was_worthwhile() noexcept {
        const hold held{*this};
        return sweep_.was_worthwhile();
    }
    [[nodiscard]] bool index_sweep_is_due() noexcept {
        const hold held{*this};
        return held && index_sweep_.is_due(state_);
    }
    [[nodiscard]] bool index_was_worthwhile() noexcept {
        const hold held{*this};
        return index_sweep_.was_worthwhile();
    }

    /// The longest stream that takes less than a whole page. Needs no lock: it depends on the allocator's settings only.
    [[nodiscard]] std::size_t most_packed() const noexcept {
        std::size_t size = Config::page_size - state_type::tag_bytes - 1;
        while (size > min_stream_size && state_.allocator.rounded(size + state_type::tag_bytes) >= Config::page_size) {
            --size;
        }
        return size;
    }

    /// Memory that a stream takes, without its tables. As most_packed, it needs no lock.
    [[nodiscard]] std::size_t occupied_by_stream(std::size_t size) const noexcept {
        return state_.occupied_by_stream(size);
    }

    // Statistics.

    void add_to(store_stats& s) noexcept;
    [[nodiscard]] bool add_to(pool_stats& s, pool_id id) noexcept;
    /// Hands the allocator to `look`, while nobody else is at it.
    template <class Look>
    void look_at_allocator(Look& look) noexcept;
    [[nodiscard]] std::size_t bytes_taken() noexcept;
    /// Walks index, allocator, policies and counters against each other.
    [[nodiscard]] bool check() noexcept;
    /// What the slot's pool has here, for the store to compare with its record: the id while it is open, and what the record
    /// was told.
    struct pool_share {
        pool_id id{};
        std::size_t payload = 0, tables = 0;
    };
    [[nodiscard]] pool_share share_of(std::uint32_t slot) noexcept;

private:
    static constexpr acquire_context can_wait{.may_sleep = false, .how_urgent = urgency::background};
    static constexpr unsigned drops_a_put = 16;
    static constexpr std::uint64_t shows_a_spread = 8;

    /// The lock, for a scope; false where this thread is at one of the store's already. Pages that left meanwhile are
    /// released behind it.
    class [[nodiscard]] hold {
    public:
        explicit hold(partition& held) noexcept : partition_{held}, stay_{held.state_.table.at_locks, token()} {
            if (stay_) {
                partition_.lock_.lock();
            }
        }
        ~hold() {
            if (stay_) {
                partition_.leave();
            }
        }
        hold(const hold&) = delete;
        hold& operator=(const hold&) = delete;
        [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(stay_); }

    private:
        partition& partition_;
        presence::stay stay_;
    };

    /// Lets the lock go, and does behind it what was left for then.
    void leave() noexcept {
        if constexpr (state_type::has_tier) {
            if (state_.copies.has_leaving()) [[unlikely]] {
                const leaving_copies copies = state_.copies.take_leaving();
                begin_forgetting();
                release(unlock());
                state_.tier->forget(copies);
                end_forgetting();
                return;
            }
        }
        release(unlock());
    }
    /// A standstill waits for who is at the tier behind the lock. Begins under the lock; the unlock publishes it.
    void begin_forgetting() noexcept { state_.table.releasing.fetch_add(1, memory_order::relaxed); }
    void end_forgetting() noexcept {
        state_.table.releasing.fetch_sub(1, memory_order::release);
    } // the tier's memory, too
    /// Lets the lock go, and leaves what is to be released behind it.
    [[nodiscard]] limited_source::deferred_runs unlock() noexcept {
        state_.show();
        const limited_source::deferred_runs runs = state_.source.take_deferred();
        if (!runs.empty()) [[unlikely]] {
            state_.table.releasing.fetch_add(
                1, memory_order::relaxed); // the unlock publishes it to who takes the lock next
        }
        lock_.unlock();
        return runs;
    }
    void release(limited_source::deferred_runs runs) noexcept {
        if (!runs.empty()) [[unlikely]] {
            state_.source.release_all(runs);
            state_.table.releasing.fetch_sub(1, memory_order::release); // pages and budget as they are now
        }
    }

    // The lock is held.

    put_outcome put_held(const located_key& k, byte_view stream, std::uint64_t sum, std::size_t held_back,
                         const put_terms& terms) noexcept {
        const result<pool_state*> entered = state_.enter_to_change(k.key.pool, k.route);
        if (!entered) {
            return {entered.error()};
        }
        pool_state* const pool = *entered;
        const limited_source::holding_back scope{state_.source, held_back, k.context};
        placement<Config> places{state_, terms.elsewhere, terms.form};
        placed outcome{status::limit};
        if (!terms.begins_with_drop) {
            outcome = places.put(*pool, k, stream, sum);
        }
        bool has_dropped = false, is_under_way = false;
        std::size_t steps = room_.steps_a_hold;
        const std::size_t need = state_type::object_bytes(stream.size());
        for (unsigned drops = 0; outcome.result != status::ok && drops < drops_a_put; ++drops) {
            const std::uint32_t victims = !outcome.at_cap ? terms.victims : pool->is_ephemeral() ? k.pool : no_pool;
            if (victims == no_pool || (drops == 0 && outcome.at_cap && asks_elsewhere(*pool, terms))) {
                break;
            }
            const eviction_outcome dropped = room_.drop_one(
                victims, stream.size() == min_stream_size || outcome.at_cap ? 0 : need, victims == k.pool, steps);
            has_dropped = has_dropped || dropped != eviction_outcome::none;
            is_under_way = dropped == eviction_outcome::again && drops == 0;
            if (dropped != eviction_outcome::dropped) {
                break;
            }
            outcome = places.put(*pool, k, stream, sum);
        }
        if (outcome.result != status::ok && terms.is_last) {
            outcome = places.put_at_last(*pool, k, stream, sum);
            if (outcome.result != status::ok) {
                note_put(*pool, reason_of(outcome.result, outcome.in_tables), terms.codec_failed);
            }
        }
        if (outcome.result == status::ok) {
            note_put(*pool, nullptr, terms.codec_failed);
            state_.huge_pages_since += state_type::is_raw(stream.size(), sum) ? 1u : 0u;
        }
        state_.settle(*pool);
        const bool wants_rates = state_.shows >= shows_spread_ + shows_a_spread;
        shows_spread_ = wants_rates ? state_.shows : shows_spread_;
        return {outcome.result, outcome.at_cap, has_dropped, is_under_way, wants_rates, state_.source.is_node_short()};
    }
    /// Whether a pool at its cap should ask in which partition it loses a page.
    [[nodiscard]] bool asks_elsewhere(const pool_state& pool, const put_terms& terms) noexcept {
        using balance = pool_balance<partition>;
        return terms.asks_as != balance::nowhere &&
               balance::is_due(state_.record_of(pool), terms.asks_as, pool.turns());
    }
    status erase_held(const located_key& k) noexcept {
        const result<pool_state*> pool = state_.enter_to_change(k.key.pool, k.route);
        if (!pool) {
            return pool.error();
        }
        bool is_damaged = false;
        const slot_id slot = state_.find(**pool, k, is_damaged);
        if (slot != no_slot) {
            state_.remove(**pool, slot);
            ++state_.erased_pages;
        }
        state_.settle(**pool);
        return slot != no_slot || is_damaged ? status::ok : status::not_found;
    }
    status refuse_held(const located_key& k, status why, bool codec_failed) noexcept {
        const result<pool_state*> pool = state_.enter_to_change(k.key.pool, k.route);
        if (!pool) {
            return pool.error();
        }
        placement<Config>{state_}.remove_all(**pool, k);
        if (why == status::incompressible) {
            state_.note_left(**pool, k); // by admission
        }
        // limit: nobody looked for room, as the store isn't below store_options::accept_percent yet.
        note_put(**pool, why == status::limit ? &common_stats::reject_threshold : reason_of(why, false), codec_failed);
        state_.settle(**pool);
        return status::ok;
    }
    /// A put has ended, with a page that is stored or for that reason.
    void note_put(pool_state& pool, std::uint64_t common_stats::*refused, bool codec_failed) noexcept {
        pool.counts.add_put(refused, codec_failed);
        state_.totals.add_put(refused, codec_failed);
    }
    /// What a refusal counts as. `in_tables`: it was the index that got no memory.
    [[nodiscard]] static std::uint64_t common_stats::*reason_of(status why, bool in_tables) noexcept {
        return why == status::incompressible ? &common_stats::reject_compress_poor
               : why != status::no_memory    ? &common_stats::reject_reclaim_fail
               : in_tables                   ? &common_stats::reject_kmemcache_fail
                                             : &common_stats::reject_alloc_fail;
    }

    alignas(64) typename Config::lock_type lock_{}; // in a cache line that no other partition shares
    alignas(64) state_type state_;
    room<Config> room_{state_};
    compaction_sweep<state_type> sweep_{};
    index_sweep<state_type> index_sweep_{};
    std::uint64_t shows_spread_ = 0;
};

} // namespace pagefold

#include <pagefold/store/partition_batch.hpp>
#include <pagefold/store/partition_detach.hpp>
#include <pagefold/store/partition_pools.hpp>
#include <pagefold/store/partition_statistics.hpp>
