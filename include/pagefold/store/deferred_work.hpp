// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/deferred_store.hpp>

#include <initializer_list>

// How the pages of a deferred_store's queue come into the store, what that does to pools, and how the queue stands still.

namespace pagefold::inline PAGEFOLD_ABI {

/// `version`: of the page that the store was handed, if it was.
template <class Store>
status deferred_store<Store>::store_page(shard_type& shard, slot_type& s, std::uint32_t& version) noexcept {
    std::size_t length = 0;
    {
        const hold h{*this, shard};
        PAGEFOLD_CHECK(static_cast<bool>(h));
        length = s.length;
        version = s.version;
    }
    const auto write = [&](byte_span to) noexcept {
        const hold h{*this, shard};
        if (!h || !s.has_page || s.length != to.size()) {
            return false; // and whoever has the slot looks why
        }
        copy_bytes(to.data(), s.page, to.size());
        version = s.version;
        return true;
    };
    const acquire_context context{.may_sleep = true, .how_urgent = urgency::background};
    return pool_ids::kind(s.key.pool) == pool_kind::persistent ? store_.put_promised(s.key, length, write, context)
                                                               : store_.put_written(s.key, length, write, context);
}

/// Whether a page that was refused so may fit when the queue has given back what it doesn't need. Where the limit has room
/// it was refused for its pool's cap, or its node's limit.
template <class Store>
bool deferred_store<Store>::is_short(status refusal) noexcept {
    return refusal == status::no_memory || (refusal == status::limit && !store_.has_room(most_reserve * lent_pages()));
}

template <class Store>
status deferred_store<Store>::settle(shard_type& shard, slot_type& s) noexcept {
    bool has_page = false;
    {
        const hold h{*this, shard};
        PAGEFOLD_CHECK(static_cast<bool>(h));
        has_page = s.has_page;
    }
    if (!has_page) {
        return erase_behind(shard, s);
    }
    std::uint32_t version = 0;
    status answer = store_page(shard, s, version);
    const bool was_refused = answer != status::ok; // by any try: the older version is erased then
    if (is_short(answer) && trim() != 0) {
        answer = store_page(shard, s, version);
    }
    status outcome = status::ok;
    bool waits_anew = false;
    {
        const hold h{*this, shard};
        PAGEFOLD_CHECK(static_cast<bool>(h));
        const bool is_newest = s.version == version;
        has_page = s.has_page;
        if (was_refused) {
            // release: while the slot is there, in front of what is read behind it.
            shard.refusals.store(shard.refusals.load(memory_order::relaxed) + 1, memory_order::release);
        }
        const bool is_key = store_.is_key(s.key);
        if (!has_page) {
            // It is erased below.
        } else if (answer == status::ok && is_newest) {
            ++shard.counted.stored;
            remove_page(s);
            close(shard, s);
        } else if (is_key && (answer == status::ok || answer == status::busy || !is_newest)) {
            shard.line_up(s, stage::waiting);
            waits_anew = answer != status::busy;
            outcome = waits_anew ? status::ok : answer;
        } else if (!is_key || pool_ids::kind(s.key.pool) == pool_kind::ephemeral) {
            ++shard.counted.dropped;
            remove_page(s);
            close(shard, s);
        } else {
            ++shard.counted.refused;
            shard.line_up(s, stage::held);
            outcome = answer;
        }
    }
    if (!has_page) {
        return erase_behind(shard, s);
    }
    tell_waiters();
    if (waits_anew) {
        note_waiting();
    }
    return outcome;
}

template <class Store>
status deferred_store<Store>::erase_behind(shard_type& shard, slot_type& s) noexcept {
    const status answer = store_.erase(s.key);
    const bool was_interrupted = answer == status::busy || answer == status::unavailable;
    {
        const hold h{*this, shard};
        PAGEFOLD_CHECK(static_cast<bool>(h));
        if (s.has_page || was_interrupted) { // a newer page came, or it is done later
            shard.line_up(s, stage::waiting);
        } else {
            // Before the slot goes: who finds none looks at this afterwards. Only the lock's holder writes.
            shard.erasures.store(shard.erasures.load(memory_order::relaxed) + 1, memory_order::seq_cst);
            close(shard, s);
        }
    }
    tell_waiters();
    note_waiting();
    return was_interrupted ? status::busy : status::ok;
}

template <class Store>
status deferred_store<Store>::settle_first(shard_type& shard, stage in) noexcept {
    const attendance present{*this};
    if (!present) {
        return status::busy;
    }
    slot_type* s = nullptr;
    {
        const hold h{*this, shard};
        s = h ? shard.first_of(in) : nullptr;
        if (s == nullptr) {
            return status::not_found;
        }
        shard.take(*s);
    }
    return settle(shard, *s);
}

template <class Store>
std::size_t deferred_store<Store>::work(std::size_t pages) noexcept {
    if (!is_ready()) {
        return 0;
    }
    std::size_t tried = 0, done = 0;
    const std::size_t start = turn_.fetch_add(1, memory_order::relaxed);
    for (const stage in : {stage::waiting, stage::held}) {
        bool goes_on = true;
        for (std::size_t i = 0; i < shard_count_ && goes_on; ++i) {
            shard_type& shard = shards_[(start + i) % shard_count_];
            // No more than there were: what is refused, or comes meanwhile, is for the next call.
            std::uint32_t left = (in == stage::held ? shard.held : shard.waiting).load(memory_order::seq_cst);
            for (; left != 0 && tried < pages && goes_on; --left) {
                const status s = settle_first(shard, in);
                if (s == status::busy) {
                    return done;
                }
                if (s == status::not_found) {
                    break;
                }
                ++tried;
                done += s == status::ok ? 1u : 0u;
                goes_on = s == status::ok || in == stage::waiting; // of those once refused, the next call tries another
            }
        }
    }
    return done;
}

template <class Store>
status deferred_store<Store>::settle_slot(shard_type& shard, std::uint32_t number, pool_id pool) noexcept {
    page_key key{};
    std::uint32_t version = 0;
    bool was_waiting = false;
    for (bool is_first = true;; is_first = false) {
        std::uint32_t settled = 0;
        {
            const attendance present{*this};
            if (!present) {
                return status::busy;
            }
            slot_type* mine = nullptr;
            {
                const hold h{*this, shard};
                if (!h) {
                    return status::busy;
                }
                slot_type& s = shard.slot(number);
                if (s.is == stage::free || (pool != pool_id{} && s.key.pool != pool)) {
                    return status::ok;
                }
                if (!is_first && (s.key != key || s.version != version)) {
                    return status::ok; // what was there is stored, or superseded
                }
                key = s.key;
                version = s.version;
                if (s.is == stage::working) {
                    // Before its holder comes back, which takes the lock: so it sees that somebody waits. seq_cst as there.
                    waiters_.fetch_add(1, memory_order::seq_cst);
                    settled = settled_.load(memory_order::seq_cst);
                } else {
                    was_waiting = s.is == stage::waiting;
                    shard.take(s);
                    mine = &s;
                }
            }
            if (mine != nullptr) {
                const status answer = settle(shard, *mine);
                if (answer != status::ok && was_waiting && alarm_.load(memory_order::seq_cst) != 0) {
                    ring(); // who went to sleep meanwhile didn't see the page, and this thread won't try it again
                }
                return answer;
            }
        }
        parking_type::wait(settled_, settled);
        waiters_.fetch_sub(1, memory_order::seq_cst);
    }
}

template <class Store>
status deferred_store<Store>::flush_pages(pool_id pool) noexcept {
    status worst = status::ok;
    for (unsigned round = 0; round < flush_rounds; ++round) {
        const std::size_t before = waiting_pages() + held_pages();
        worst = flush_once(pool);
        // Pages that went took fewer bytes than in the queue, and left room for those that were refused in front of them.
        if ((worst != status::limit && worst != status::no_memory) || waiting_pages() + held_pages() >= before) {
            break;
        }
    }
    return worst;
}

template <class Store>
status deferred_store<Store>::flush_once(pool_id pool) noexcept {
    status worst = status::ok;
    for (std::size_t i = 0; i < shard_count_ && is_ready(); ++i) {
        for (std::uint32_t number = 0; number < shards_[i].size(); ++number) {
            const status s = settle_slot(shards_[i], number, pool);
            if (s == status::busy && interrupts()) {
                return s;
            }
            worst = s != status::ok ? s : worst; // busy also: of a pool that is frozen, whose pages keep nobody else's
        }
    }
    return worst;
}

template <class Store>
status deferred_store<Store>::flush(pool_id pool) noexcept {
    for (unsigned round = 0; round < flush_rounds; ++round) {
        const status s = flush_pages(pool);
        if (s != status::ok || !store_.is_key({pool, 0, 0}) ||
            direct_[pool_ids::slot(pool)].load(memory_order::relaxed) != pool_ids::mark(pool) || !has_pages_of(pool)) {
            return s;
        }
    }
    return status::busy;
}

// Who sleeps.

template <class Store>
std::uint32_t deferred_store<Store>::arm(std::uint32_t pages) noexcept {
    // seq_cst, all: the put that comes behind the look at waiting_pages() finds the alarm.
    const std::uint32_t now = bell_.load(memory_order::seq_cst);
    std::uint32_t found = alarm_.load(memory_order::seq_cst);
    while ((found == 0 || found > pages) && !alarm_.compare_exchange(found, pages, memory_order::seq_cst)) {
    }
    return now;
}

template <class Store>
void deferred_store<Store>::ring() noexcept {
    alarm_.store(0, memory_order::seq_cst);
    bell_.fetch_add(1, memory_order::seq_cst);
    parking_type::wake_all(bell_);
}

// Pools.

template <class Store>
result<pool_id> deferred_store<Store>::create_pool(const pool_options& options) noexcept {
    const result<pool_id> id = store_.create_pool(options);
    if (id) {
        direct_[pool_ids::slot(*id)].store(0, memory_order::relaxed);
    }
    return id;
}

template <class Store>
status deferred_store<Store>::destroy_pool(pool_id id) noexcept {
    if (at_locks_.has(token())) {
        return status::busy;
    }
    const status s = store_.destroy_pool(id);
    if (s == status::ok) {
        drop_pool(id);
    }
    return s;
}

template <class Store>
void deferred_store<Store>::drop_pool(pool_id id) noexcept {
    for (std::size_t i = 0; i < shard_count_; ++i) {
        shard_type& shard = shards_[i];
        for (std::uint32_t at = 0, size = 1; at < size;) {
            {
                const hold h{*this, shard};
                size = h ? shard.size() : 0;
                for (std::size_t looks = 0; at < size && looks < slots_a_hold; ++looks, ++at) {
                    slot_type& s = shard.slot(at);
                    if (s.is == stage::free || s.key.pool != id) {
                        continue;
                    }
                    if (s.has_page) {
                        remove_page(s);
                        ++shard.counted.dropped;
                    }
                    if (s.is != stage::working) {
                        shard.take(s);
                        close(shard, s);
                    }
                }
            }
            give_way<config>(between_looks);
        }
    }
}

template <class Store>
bool deferred_store<Store>::has_pages_of(pool_id id) noexcept {
    for (std::size_t i = 0; i < shard_count_; ++i) {
        shard_type& shard = shards_[i];
        for (std::uint32_t at = 0, size = 1; at < size;) {
            const hold h{*this, shard};
            size = h ? shard.size() : 0;
            for (std::size_t looks = 0; at < size && looks < slots_a_hold; ++looks, ++at) {
                if (shard.slot(at).is != stage::free && shard.slot(at).key.pool == id) {
                    return true;
                }
            }
        }
    }
    return false;
}

template <class Store>
status deferred_store<Store>::set_direct(pool_id id, bool is_direct) noexcept {
    atomic<std::size_t>& mark = direct_[pool_ids::slot(id) % config::max_pools];
    // relaxed: who looks for the pool's pages takes the shards' locks, under which this is read. In one step with what it was
    // before the look at the pool: it may be gone by now, and the next in its place have its own mark.
    std::size_t before = mark.load(memory_order::relaxed);
    do {
        if (!store_.is_key({id, 0, 0})) {
            return status::invalid;
        }
    } while (!mark.compare_exchange(before, is_direct ? pool_ids::mark(id) : 0, memory_order::relaxed));
    return status::ok;
}

// Memory.

template <class Store>
status deferred_store<Store>::resize(std::size_t limit_bytes) noexcept {
    if (limit_bytes < store_.stats().mem_limit) {
        static_cast<void>(flush());
        static_cast<void>(trim());
    }
    return store_.resize(limit_bytes);
}

template <class Store>
std::size_t deferred_store<Store>::shrink(std::size_t bytes) noexcept {
    static_cast<void>(flush());
    const std::size_t trimmed = trim();
    return trimmed < bytes ? trimmed + store_.shrink(bytes - trimmed) : trimmed;
}

// Standstill.

template <class Store>
status deferred_store<Store>::quiesce() noexcept {
    if (at_work_.has(token()) || !at_locks_.arrive(token())) {
        return status::busy;
    }
    set_up_lock_.lock();
    stopping_.store(1, memory_order::seq_cst); // as in begin_work()
    for (std::uint32_t at_work = 0; (at_work = workers_.load(memory_order::seq_cst)) != 0;) {
        parking_type::wait(workers_, at_work);
    }
    for (std::size_t i = 0; i < shard_count_; ++i) {
        shards_[i].lock.lock();
    }
    reserve_lock_.lock();
    return status::ok;
}

template <class Store>
void deferred_store<Store>::resume() noexcept {
    reserve_lock_.unlock();
    for (std::size_t i = 0; i < shard_count_; ++i) {
        shards_[i].lock.unlock();
    }
    stopping_.store(0, memory_order::seq_cst);
    parking_type::wake_all(stopping_);
    set_up_lock_.unlock();
    at_locks_.depart(token());
}

template <class Store>
void deferred_store<Store>::resume_alone() noexcept {
    // Memory that a put had just been lent is nobody's here, and stays lost.
    std::size_t memory = reserve_count_.load(memory_order::relaxed);
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        memory += slots_[i].page != nullptr ? 1u : 0u;
    }
    lent_.store(memory * lent_bytes(), memory_order::relaxed);
    for (std::size_t i = 0; i < shard_count_; ++i) {
        shards_[i].forget_others();
        shards_[i].lock.unlock();
        renew(shards_[i].lock);
    }
    reserve_lock_.unlock();
    renew(reserve_lock_);
    set_up_lock_.unlock();
    renew(set_up_lock_);
    for (atomic<std::uint32_t>& sweeps : sweeps_) {
        sweeps.store(0, memory_order::relaxed);
    }
    at_locks_.forget_all();
    at_work_.forget_all();
    workers_.store(0, memory_order::relaxed);
    // Who forked may be a handler of a thread that waits for a slot: its holder isn't there, so it has to look again. That it waits it
    // takes back itself; what others said of that stays, and costs the copy a call of the parking's a page.
    settled_.fetch_add(1, memory_order::relaxed);
    alarm_.store(0, memory_order::relaxed);
    stopping_.store(0, memory_order::release);
}

// What it says of itself.

template <class Store>
deferred_stats deferred_store<Store>::stats() const noexcept {
    deferred_stats all{};
    for (std::size_t i = 0; i < shard_count_; ++i) {
        const shard_type& shard = shards_[i];
        for (std::uint32_t at = 0, size = 1; at < size || at == 0;) {
            const hold h{*this, shard};
            size = h ? shard.size() : 0;
            if (h && at == 0) {
                all.held_pages += shard.held.load(memory_order::relaxed);
                all.deferred_puts += shard.counted.deferred;
                all.worker_puts += shard.counted.stored;
                all.direct_puts += shard.counted.direct;
                all.superseded_pages += shard.counted.superseded;
                all.refused_tries += shard.counted.refused;
                all.dropped_pages += shard.counted.dropped;
                all.queue_hits += shard.counted.hits;
            }
            for (std::size_t looks = 0; at < size && looks < slots_a_hold; ++looks, ++at) {
                all.queued_pages += shard.slot(at).has_page ? 1u : 0u;
                all.queued_bytes += shard.slot(at).has_page ? shard.slot(at).length : 0;
            }
            if (size == 0) {
                break;
            }
        }
    }
    all.queue_bytes = lent_.load(memory_order::relaxed) + (is_ready() ? slots_.bytes() : 0);
    return all;
}

template <class Store>
bool deferred_store<Store>::check() const noexcept {
    std::size_t memory = reserve_count_.load(memory_order::relaxed);
    for (std::size_t i = 0; i < shard_count_; ++i) {
        const hold h{*this, shards_[i]};
        const shard_type& shard = shards_[i];
        if (!h || !shard.check()) {
            return false;
        }
        std::uint64_t here = 0;
        for (std::uint32_t at = 0; at < shard.size(); ++at) {
            here += shard.slot(at).has_page ? 1u : 0u;
            memory += shard.slot(at).page != nullptr ? 1u : 0u;
        }
        const auto& n = shard.counted;
        if (n.deferred != n.superseded + n.stored + n.dropped + here) {
            return false;
        }
    }
    return memory * lent_bytes() == lent_.load(memory_order::relaxed) && store_.check();
}

} // namespace pagefold
