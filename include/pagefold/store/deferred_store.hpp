// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/config/macros.hpp>
#include <pagefold/core/acquire_context.hpp>
#include <pagefold/core/atomic.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/fixed_array.hpp>
#include <pagefold/platform/concept.hpp>
#include <pagefold/platform/host_seed.hpp>
#include <pagefold/store/basic_store.hpp>
#include <pagefold/store/deferred_shard.hpp>
#include <pagefold/store/located_key.hpp>
#include <pagefold/store/presence.hpp>
#include <pagefold/store/stats.hpp>

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>

// Puts that are answered before their page is compressed.
//
// A deferred_store stands in front of a store. A put copies its page into a slot of a queue and answers; whoever calls
// work(), on threads or processors that the host has for it, takes slots and puts their pages into the store. A page in the queue
// is read from there. The store itself knows nothing of it, and who doesn't use it pays nothing.
//
// What is promised. All operations answer as if each put had been done at once, whoever does the work and when, with three
// exceptions that are said where they are. (1) The admission policy is not asked about a page of a persistent pool, since it was
// promised already: a pool whose policy is to have its say needs set_direct. (2) A page of an ephemeral pool is dropped where the
// store refuses it, as it could have been dropped a moment after its put. (3) Hits and misses of the store don't count reads
// that found their page in the queue.
//
// Accepted means kept: a slot keeps its page until the store has taken it. Where the store refuses (limit, no_memory, a cap), the
// page stays in its slot, readable, and is tried again; its slot serves no other page. If all slots came to that, every new put
// would do its work itself and hear what the store says. So a slot is the reservation: it has a whole page of memory, which is
// charged to the store's limit, and to no pool. The pool is charged when the store takes the page. A cap that refuses then leaves it
// where it is. Some pages of memory are kept in reserve and given back to the limit for the try that follows a refusal, so that a
// queue in a full store can turn its pages into fewer bytes one by one.
//
// Back-pressure. A put that finds no slot puts its page into the store itself. That is what the put would have cost without
// a queue: draining the oldest slot instead would cost a second copy, and somebody else's page, which is colder, for no gain
// to anybody, as there is no order between keys. A put of a key that is in the queue always goes there, in place of
// the older page, and needs no room.
//
// Order. A key has one slot at most, and the slot's holder alone changes what the store has under the key; who comes meanwhile
// changes the slot only, and the holder sees that when it comes back and goes on: it puts the newer page, or erases. So nobody
// waits for somebody's codec: not put, get, take, erase, nor destroy_pool. Only flush and seal do, which must.
// What goes to the store without a slot keeps slots for its key away until it is back (deferred_shard.hpp). A get doesn't: what it
// finds in the store was there at some moment of the call. But `not_found` may be of a page whose older version a refusal
// erased, while the newer one is in the queue: so it looks again.
//
// Locks. The shards' locks are the host's. One is held for the copy of one page, or a look at 64 slots, and never over a call of the
// store or of the page source. The store may call back with a scratch taken, for the page that is put. Caller's memory is read
// and written under them, so it must not be memory that is paged by somebody who needs this queue.
//
// Standing still: quiesce waits for pages that are being put by workers, and for memory that comes from the store or goes back,
// and then takes all locks. It doesn't stop the store, which is the caller's to stop after it (fork_guard does both, in this
// order). In the copy of a process no worker is in the midst of a page.
//
// Cost. put: a hold of a lock that few share, with a copy. get, of an empty queue: a load more than the store's. take and erase: two
// holds more. Memory: a page a slot, taken when it is first needed and kept until trim; the records have 64 bytes a slot.

namespace pagefold::inline PAGEFOLD_ABI {

/// What a deferred_store is told when it is made.
struct deferred_options {
    /// Most bytes of pages that wait in the queue. Less than a page: there is none, and every put does its work itself. Records
    /// and reserve come on top, and all is taken within the store's limit.
    std::size_t queue_bytes = std::size_t{1} << 20;
    /// Locks that the queue is divided among, by keys, at most 16; 0: one for each 64 pages, up to that. A put finds the queue full
    /// where its key's part is.
    std::size_t shards = 0;
    /// The secret of the queue's hash, as store_options::seed.
    std::uint64_t seed = 0;
};

/// Where a walk over a pool stands: first in the queue, then in the store.
struct deferred_cursor {
    pool_cursor pages{}; ///< with the pool
    std::uint32_t shard = 0;
    std::uint32_t slot = 0;

    [[nodiscard]] constexpr bool has_ended() const noexcept { return pages.has_ended(); }
};

/// A queue in front of `Store`, which is a basic_store. Everybody has to use the store's pages by this object; pools, too, where it
/// has an operation for them. All else, statistics, set_node, limits of nodes, images, is the store's. Who saves an image, migrates
/// or looks at the store's pages otherwise makes the pool direct and flushes it first.
template <class Store>
class deferred_store {
    using config = typename Store::config_type;
    using lock_type = typename config::lock_type;
    using shard_type = deferred_shard<lock_type>;
    using slot_type = deferred_slot;
    using stage = slot_type::stage;
    static constexpr bool has_values = Store::has_values;

public:
    using parking_type = typename config::parking_type;
    static constexpr std::size_t page_size = Store::page_size;
    static constexpr bool stops_before_stores = true; ///< for a fork

    /// Takes no memory before the first put. The store outlives this.
    explicit deferred_store(Store& store, const deferred_options& options = {}) noexcept
        : store_{store}, lender_{store}, slots_{lender_}, hasher_{options.seed != 0 ? options.seed : host_seed()},
          slot_count_{slots_in(options.queue_bytes)}, shard_count_{shards_for(options.shards, slot_count_)} {}
    /// Flushes. Pages of persistent pools that the store doesn't take are lost: who has some flushes before, and looks. No other
    /// thread may be using this.
    ~deferred_store() {
        static_cast<void>(flush());
        for (std::size_t i = 0; i < slots_.size(); ++i) {
            if (slots_[i].page != nullptr) {
                give_back(slots_[i].page);
            }
        }
        for (std::byte* memory = take_reserve(); memory != nullptr; memory = take_reserve()) {
            give_back(memory);
        }
    }
    deferred_store(const deferred_store&) = delete;
    deferred_store& operator=(const deferred_store&) = delete;

    [[nodiscard]] Store& store() noexcept { return store_; }
    [[nodiscard]] const Store& store() const noexcept { return store_; }

    // Pools.

    result<pool_id> create_pool(const pool_options& options = {}) noexcept;
    /// As the store's. Pages of the pool that are in the queue are dropped when it is ok.
    status destroy_pool(pool_id id) noexcept;
    /// With `is_direct`, puts into the pool do their work themselves from the answer on, unless their key is in the queue: so that
    /// behind flush(id) nothing of the pool is there, nor comes. invalid: no such pool.
    status set_direct(pool_id id, bool is_direct = true) noexcept;
    /// As the store's, behind a flush of the pool, which is direct from then on, whatever the answer. limit, no_memory also: a
    /// page in the queue doesn't fit, and the pool is not sealed. busy also: puts came faster than they could be flushed.
    status seal(pool_id id, const seal_options& options = {}) noexcept
        requires(keeps_clones<typename Store::config_type>) {
        if (const status s = set_direct(id); s != status::ok) {
            return s;
        }
        if (const status s = flush(id); s != status::ok) {
            return s;
        }
        if constexpr (keeps_clones<typename Store::config_type>) {
            return store_.seal(id, options);
        }
    }

    // Pages. As the store's, with what is said above. `busy` also where a call interrupts one of this object in the same thread.

    /// ok: the page is in the queue, or the store took it. The other answers are those of a put that does its work itself, and
    /// invalid. `context`: for memory for the slot, and for a put that does its work itself.
    status put(const page_key& key, byte_view page, acquire_context context = {}) noexcept;
    status get(const page_key& key, byte_span out) noexcept {
        std::size_t length = 0;
        return read(key, out, true, length);
    }
    status peek(const page_key& key, byte_span out) noexcept {
        std::size_t length = 0;
        return read(key, out, false, length);
    }
    result<std::size_t> get_value(const page_key& key, byte_span out) noexcept requires(has_values) {
        std::size_t length = 0;
        const status s = read(key, out, true, length);
        return s == status::ok ? result<std::size_t>{length} : s;
    }
    status take(const page_key& key, byte_span out) noexcept {
        std::size_t length = 0;
        return take_page(key, out, length);
    }
    result<std::size_t> take_value(const page_key& key, byte_span out) noexcept requires(has_values) {
        std::size_t length = 0;
        const status s = take_page(key, out, length);
        return s == status::ok ? result<std::size_t>{length} : s;
    }
    status contains(const page_key& key) noexcept { return length_of(key).error(); }
    result<std::size_t> length_of(const page_key& key) noexcept;
    status erase(const page_key& key) noexcept;
    result<std::size_t> erase_object(pool_id pool, std::uint64_t object) noexcept {
        return erase_range(pool, object, 0, max_page_index);
    }
    /// As the store's. Each look at the queue is at all its slots. Meanwhile puts into the pool do their work themselves, and who
    /// flushes waits. busy also, of a call that interrupts another of its thread: a part of the pages may be gone.
    result<std::size_t> erase_range(pool_id pool, std::uint64_t object, std::uint64_t first,
                                    std::uint64_t count) noexcept;
    /// As the store's; pages in the queue are listed as raw. What moves from there into the store may be listed twice.
    result<std::size_t> walk(deferred_cursor& cursor, walked_page* out, std::size_t room) noexcept;

    // Work.

    /// Puts up to so many pages of the queue into the store, first those that wait, the oldest of a shard first; then, once each, those
    /// that it refused. Says how many left the queue, or would have if there hadn't been a newer one already. 0: there was nothing to
    /// do, or nothing that could be. Any number of threads may, and nobody must. While the queue stands still it waits.
    std::size_t work(std::size_t pages) noexcept;
    /// Puts everything into the store that was accepted before the call; waits for pages that others are at. ok: it is there. Else
    /// what the store last refused a page with, which stays; busy of one that can't be put now. busy also: this call interrupts another.
    status flush() noexcept { return flush_pages(pool_id{}); }
    /// The same of a pool; of one that is direct, until the queue has nothing of it, also what came in place of pages that were
    /// there. busy then also: puts came faster than they could be flushed.
    status flush(pool_id pool) noexcept;
    /// Pages that wait for work: those that the store refused don't count. Reads a line a shard.
    [[nodiscard]] std::size_t waiting_pages() const noexcept { return sum(&shard_type::waiting); }
    /// Those that it refused.
    [[nodiscard]] std::size_t held_pages() const noexcept { return sum(&shard_type::held); }
    /// Most pages that the queue has; 0: there is no queue.
    [[nodiscard]] std::size_t capacity() const noexcept { return slot_count_; }

    /// The put that brings the queue to so many waiting pages rings the bell: it changes and wakes all who wait for it by the
    /// host's parking; once. The answer is the bell as it is. Who sleeps till there is work: arm(1), a look at waiting_pages(), and
    /// parking_type::wait(bell(), answer). Of several who arm it the least number counts.
    [[nodiscard]] std::uint32_t arm(std::uint32_t pages) noexcept;
    [[nodiscard]] atomic<std::uint32_t>& bell() noexcept { return bell_; }
    /// Rings it.
    void ring() noexcept;

    // Memory.

    /// Where the limit is lowered, the queue is flushed and trimmed first, since compressed pages take less of it; then as the
    /// store's.
    status resize(std::size_t limit_bytes) noexcept;
    /// Flushes, trims, and shrinks the store for the rest; says how many bytes went back.
    std::size_t shrink(std::size_t bytes) noexcept;
    /// Gives back the memory of free slots, and the reserve; says how many bytes.
    std::size_t trim() noexcept;

    // Standstill: of the queue alone, before the store's.

    status quiesce() noexcept;
    void resume() noexcept;
    void resume_alone() noexcept;

    /// Exact for a queue at rest.
    [[nodiscard]] deferred_stats stats() const noexcept;
    /// Walks every structure and compares every counter, of the store too; for tests, at rest.
    [[nodiscard]] bool check() const noexcept;

private:
    static constexpr std::size_t max_shards = 16, slots_a_shard = 64, slots_a_hold = 64, most_reserve = 8;
    static constexpr std::uint32_t puts_after_refusal = 1024; // before memory for the records is asked for again
    static constexpr unsigned flush_rounds = 8;
    static constexpr unsigned between_looks = 24; // pauses

    /// The store's memory, as a source.
    class lender {
    public:
        explicit lender(Store& store) noexcept : store_{store} {}
        [[nodiscard]] std::size_t page_size() const noexcept { return store_.lent_page_size(); }
        result<void*> acquire(std::size_t pages, node_id) noexcept { return store_.lend(pages); }
        void release(void* p, std::size_t pages) noexcept { store_.take_back(p, pages); }

    private:
        Store& store_;
    };

    /// A shard's lock, for a scope; false where this call interrupts one of its thread that is at a lock of this object.
    class [[nodiscard]] hold {
    public:
        hold(const deferred_store& queue, const shard_type& of) noexcept
            : shard_{const_cast<shard_type&>(of)}, stay_{queue.at_locks_, token()} {
            if (stay_) {
                shard_.lock.lock();
            }
        }
        ~hold() {
            if (stay_) {
                shard_.lock.unlock();
            }
        }
        hold(const hold&) = delete;
        hold& operator=(const hold&) = delete;
        [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(stay_); }

    private:
        shard_type& shard_;
        presence::stay stay_;
    };

    /// This thread puts a page of the queue into the store, or is at its memory, for a scope, which begins where nothing stands still.
    /// False where it is at one already, or at a lock, or had the queue stand still, or is in the midst of a call of the store, whose
    /// standstill waits for it.
    class [[nodiscard]] attendance {
    public:
        explicit attendance(deferred_store& queue) noexcept
            : queue_{queue}, stay_{queue.at_work_, token()}, is_present_{stay_ && !queue.must_not_wait()} {
            if (is_present_) {
                queue_.begin_work();
            }
        }
        ~attendance() {
            if (is_present_) {
                queue_.end_work();
            }
        }
        attendance(const attendance&) = delete;
        attendance& operator=(const attendance&) = delete;
        [[nodiscard]] explicit operator bool() const noexcept { return is_present_; }

    private:
        deferred_store& queue_;
        presence::stay stay_;
        bool is_present_;
    };

    [[nodiscard]] static std::uintptr_t token() noexcept { return partition<config>::token(); }
    /// Whether this call comes from within one of the same thread that others may wait for.
    [[nodiscard]] bool must_not_wait() const noexcept { return at_locks_.has(token()) || store_.must_not_wait(); }
    [[nodiscard]] bool interrupts() const noexcept { return at_work_.has(token()) || must_not_wait(); }
    [[nodiscard]] static std::size_t slots_in(std::size_t bytes) noexcept {
        const std::size_t slots = bytes / page_size, most = std::size_t{1} << 28;
        return slots < most ? slots : most;
    }
    [[nodiscard]] static std::size_t shards_for(std::size_t wanted, std::size_t slots) noexcept {
        const std::size_t all = wanted != 0 ? wanted : slots / slots_a_shard;
        const std::size_t most = slots < max_shards ? slots : max_shards;
        return all < 1 || most < 1 ? 1 : all < most ? all : most;
    }
    [[nodiscard]] std::size_t sum(atomic<std::uint32_t> shard_type::*number) const noexcept {
        std::size_t all = 0;
        for (std::size_t i = 0; i < shard_count_; ++i) {
            all += (shards_[i].*number).load(memory_order::seq_cst);
        }
        return all;
    }

    // Keys and memory.

    struct place {
        shard_type& shard;
        std::uint32_t hash;
    };
    [[nodiscard]] place place_of(const page_key& key) noexcept {
        const std::uint64_t hash = hasher_.locate(key).sum_seed;
        return {shards_[(hash >> 32) % shard_count_], static_cast<std::uint32_t>(hash)};
    }
    [[nodiscard]] bool is_ready() const noexcept { return ready_.load(memory_order::acquire) != 0; }
    /// Takes the slots, once; false where there is no memory for them now.
    bool set_up() noexcept;
    [[nodiscard]] std::size_t lent_pages() const noexcept {
        const std::size_t size = store_.lent_page_size();
        return size < page_size ? page_size / size : 1;
    }
    [[nodiscard]] std::byte* borrow(acquire_context context) noexcept {
        const result<void*> memory = store_.lend(lent_pages(), context);
        if (!memory) {
            return nullptr;
        }
        lent_.fetch_add(lent_bytes(), memory_order::relaxed); // a meter
        return static_cast<std::byte*>(*memory);
    }
    void give_back(std::byte* memory) noexcept {
        lent_.fetch_sub(lent_bytes(), memory_order::relaxed);
        store_.take_back(memory, lent_pages());
    }
    [[nodiscard]] std::size_t lent_bytes() const noexcept { return lent_pages() * store_.lent_page_size(); }
    [[nodiscard]] std::size_t reserve_wanted() const noexcept {
        return slot_count_ / 8 < most_reserve ? slot_count_ / 8 : most_reserve;
    }
    /// Whether puts into the pool have to pass the queue. The pool is there, and the lock of a shard is held, as it was by whoever
    /// looked for the pool's pages after it had said so.
    [[nodiscard]] bool is_direct(pool_id id) const noexcept {
        const std::uint32_t slot = pool_ids::slot(id);
        return direct_[slot].load(memory_order::relaxed) == pool_ids::mark(id) ||
               sweeps_[slot].load(memory_order::relaxed) != 0;
    }

    // Pages (deferred_pages.hpp).

    void write(shard_type& shard, slot_type& s, byte_view page) noexcept;
    [[nodiscard]] status copy_out(shard_type& shard, const slot_type& s, byte_span out, std::size_t& length) noexcept;
    /// The page is gone: what the slot said was replaced, erased or taken.
    static void remove_page(slot_type& s) noexcept {
        s.has_page = false;
        ++s.version;
    }
    status read(const page_key& key, byte_span out, bool is_use, std::size_t& length) noexcept;
    status read_stored(const page_key& key, byte_span out, bool is_use, std::size_t& length) noexcept;
    status take_page(const page_key& key, byte_span out, std::size_t& length) noexcept;
    status take_stored(const page_key& key, byte_span out, std::size_t& length) noexcept;
    /// Looks at a key by `in_queue(slot)` under the lock, or by `in_store()`, for who changes nothing.
    template <class InQueue, class InStore>
    status look(const page_key& key, InQueue in_queue, InStore in_store) noexcept;

    // Work (deferred_work.hpp).

    void begin_work() noexcept {
        // seq_cst: either who quiesces sees this one at work, or this one that it has to wait.
        workers_.fetch_add(1, memory_order::seq_cst);
        while (stopping_.load(memory_order::seq_cst) != 0) {
            end_work();
            parking_type::wait(stopping_, 1);
            workers_.fetch_add(1, memory_order::seq_cst);
        }
    }
    void end_work() noexcept {
        const bool was_last = workers_.fetch_sub(1, memory_order::seq_cst) == 1;
        if (was_last && stopping_.load(memory_order::seq_cst) != 0) {
            parking_type::wake_all(workers_);
        }
    }
    /// A slot came back. For who waits for that; no lock is held. seq_cst: who waits has said so before it looked at the slot.
    void tell_waiters() noexcept {
        if (waiters_.load(memory_order::seq_cst) != 0) [[unlikely]] {
            settled_.fetch_add(1, memory_order::seq_cst);
            parking_type::wake_all(settled_);
        }
    }
    /// Rings for who waits for so many pages. No lock is held.
    void note_waiting() noexcept {
        const std::uint32_t wanted = alarm_.load(memory_order::seq_cst);
        if (wanted != 0 && waiting_pages() >= wanted) [[unlikely]] {
            ring();
        }
    }
    /// Puts the page of a slot that this thread has into the store, or erases it there, and lets the slot go. ok: what it had is done
    /// with. busy: nothing happened. Else what the store refused the page with.
    status settle(shard_type& shard, slot_type& s) noexcept;
    [[nodiscard]] bool is_short(status refusal) noexcept;
    status store_page(shard_type& shard, slot_type& s, std::uint32_t& version) noexcept;
    /// Lets slots go that this thread has, the first of a chain, of which the store has no page if `are_erased`. One hold of the lock.
    void let_go(shard_type& shard, std::uint32_t& first, bool are_erased) noexcept;
    /// Erases in the store what a slot that this thread has says is gone, until it says otherwise, and lets the slot go.
    status erase_behind(shard_type& shard, slot_type& s) noexcept;
    /// The first in a line of a shard, put into the store. not_found: there is none.
    status settle_first(shard_type& shard, stage in) noexcept;
    /// The same of a certain slot, as it is at the call; waits for who has it.
    status settle_slot(shard_type& shard, std::uint32_t number, pool_id pool) noexcept;
    status flush_pages(pool_id pool) noexcept;
    /// Each page that there is once.
    status flush_once(pool_id pool) noexcept;
    /// The slot is closed. Its memory fills the reserve, if that is short.
    void close(shard_type& shard, slot_type& s) noexcept {
        shard.close(s);
        if (reserve_count_.load(memory_order::relaxed) < reserve_wanted()) {
            fill_reserve(shard);
        }
    }
    void fill_reserve(shard_type& shard) noexcept;
    /// A page of the reserve, or null. Its lock is taken.
    [[nodiscard]] std::byte* take_reserve() noexcept;
    void drop_pool(pool_id id) noexcept;
    [[nodiscard]] bool has_pages_of(pool_id id) noexcept;

    Store& store_;
    lender lender_;
    fixed_array<slot_type, lender> slots_;
    key_hasher hasher_;
    std::size_t slot_count_;
    std::size_t shard_count_;
    shard_type shards_[max_shards]{};
    atomic<std::uint32_t> ready_{0};
    mutable presence at_locks_{}; // threads at a lock of this object
    presence at_work_{};          // threads that put a page of the queue, or have a slot
    alignas(64) atomic<std::uint32_t> alarm_{0};
    atomic<std::uint32_t> bell_{0};
    atomic<std::uint32_t> workers_{0};
    atomic<std::uint32_t> stopping_{0};
    atomic<std::uint32_t> waiters_{0};
    atomic<std::uint32_t> settled_{0};
    atomic<std::uint32_t> turn_{0};
    atomic<std::size_t> lent_{0};                       // pages' memory
    atomic<std::size_t> direct_[config::max_pools]{};   // by pool slot: the mark of a pool that passes the queue
    atomic<std::uint32_t> sweeps_[config::max_pools]{}; // by pool slot: erase_range under way
    // The order of locks: set_up_lock_, one shard's (all, in their order, for a standstill), reserve_lock_.
    alignas(64) mutable lock_type set_up_lock_{};
    std::uint32_t pause_ = 0; // guarded by that one
    lock_type reserve_lock_{};
    std::byte* reserve_[most_reserve]{};     // guarded by that one
    atomic<std::uint32_t> reserve_count_{0}; // written under it
};

} // namespace pagefold

#include <pagefold/store/deferred_pages.hpp>
#include <pagefold/store/deferred_work.hpp>
