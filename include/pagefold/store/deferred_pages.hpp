// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/deferred_store.hpp>

// How pages come into the queue of a deferred_store, and are read and erased there.

namespace pagefold::inline PAGEFOLD_ABI {

template <class Store>
bool deferred_store<Store>::set_up() noexcept {
    const presence::stay stay{at_locks_, token()};
    if (!stay) {
        return false;
    }
    const lock_guard guard{set_up_lock_};
    if (is_ready()) {
        return true;
    }
    if (pause_ != 0) {
        --pause_;
        return false;
    }
    if (slots_.create(slot_count_, [](void* at, std::size_t) noexcept { ::new (at) slot_type{}; }) != status::ok) {
        pause_ = puts_after_refusal;
        return false;
    }
    std::size_t given = 0;
    for (std::size_t i = 0; i < shard_count_; ++i) {
        const std::size_t end = slot_count_ * (i + 1) / shard_count_;
        const lock_guard shard_guard{shards_[i].lock};
        shards_[i].set_up(slots_.data() + given, static_cast<std::uint32_t>(end - given));
        given = end;
    }
    // What there is of it; a slot's memory fills it later.
    const lock_guard reserve_guard{reserve_lock_};
    for (std::uint32_t i = 0; i < reserve_wanted(); ++i) {
        std::byte* const memory = borrow({});
        if (memory == nullptr) {
            break;
        }
        reserve_[i] = memory;
        reserve_count_.store(i + 1, memory_order::relaxed);
    }
    ready_.store(1, memory_order::release); // the slots
    return true;
}

template <class Store>
void deferred_store<Store>::fill_reserve(shard_type& shard) noexcept {
    const lock_guard guard{reserve_lock_};
    const std::uint32_t count = reserve_count_.load(memory_order::relaxed);
    std::byte* const memory = count < reserve_wanted() ? shard.take_memory() : nullptr;
    if (memory != nullptr) {
        reserve_[count] = memory;
        reserve_count_.store(count + 1, memory_order::relaxed);
    }
}

template <class Store>
std::byte* deferred_store<Store>::take_reserve() noexcept {
    const lock_guard guard{reserve_lock_};
    const std::uint32_t count = reserve_count_.load(memory_order::relaxed);
    if (count == 0) {
        return nullptr;
    }
    reserve_count_.store(count - 1, memory_order::relaxed);
    return reserve_[count - 1];
}

template <class Store>
std::size_t deferred_store<Store>::trim() noexcept {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < shard_count_; ++i) {
        std::byte* memory = nullptr;
        do {
            const attendance present{*this}; // as in put
            {
                const hold h{*this, shards_[i]};
                memory = h ? shards_[i].take_memory() : nullptr;
            }
            if (memory != nullptr) {
                give_back(memory);
                bytes += lent_bytes();
            }
        } while (memory != nullptr);
    }
    for (;;) {
        std::byte* memory = nullptr;
        const attendance present{*this};
        {
            const presence::stay stay{at_locks_, token()};
            memory = stay ? take_reserve() : nullptr;
        }
        if (memory == nullptr) {
            return bytes;
        }
        give_back(memory);
        bytes += lent_bytes();
    }
}

/// The page is what the key has now. The shard's lock is held.
template <class Store>
void deferred_store<Store>::write(shard_type& shard, slot_type& s, byte_view page) noexcept {
    copy_bytes(s.page, page.data(), page.size());
    s.length = static_cast<std::uint32_t>(page.size());
    shard.counted.superseded += s.has_page ? 1u : 0u;
    ++shard.counted.deferred;
    s.has_page = true;
    ++s.version;
    if (s.is == stage::held) { // what is new may be shorter
        shard.take(s);
        shard.line_up(s, stage::waiting);
    }
}

template <class Store>
status deferred_store<Store>::put(const page_key& key, byte_view page, acquire_context context) noexcept {
    const bool is_length = has_values ? page.size() <= page_size : page.size() == page_size;
    if (!is_length || !store_.is_key(key)) {
        return status::invalid;
    }
    const bool has_queue = slot_count_ != 0 && (is_ready() || set_up());
    const place at = place_of(key);
    std::byte* memory = nullptr;
    status answer = status::busy;
    bool is_done = false, goes_past = false, may_borrow = true;
    while (!is_done && !goes_past) {
        bool borrows = false;
        {
            const hold h{*this, at.shard};
            if (!h) {
                break;
            }
            slot_type* s = at.shard.find(key, at.hash);
            if (!store_.is_key(key)) { // under the lock: who destroys the pool looks for its slots afterwards
                answer = status::invalid;
                is_done = true;
            } else if (s != nullptr) {
                write(at.shard, *s, page);
                is_done = true;
                answer = status::ok;
            } else {
                const bool may_defer = has_queue && !is_direct(key.pool) && !at.shard.is_passed(at.hash);
                s = may_defer ? at.shard.open(key, at.hash, memory) : nullptr;
                borrows = s == nullptr && may_defer && may_borrow && at.shard.has_cold();
                if (s != nullptr) {
                    write(at.shard, *s, page);
                    at.shard.line_up(*s, stage::waiting);
                    is_done = true;
                    answer = status::ok;
                } else if (!borrows) {
                    at.shard.go_past(at.hash);
                    ++at.shard.counted.direct;
                    goes_past = true;
                }
            }
        }
        if (borrows) { // no lock is held at the page source, but a standstill waits; where it is this thread's, for what it is in
            const attendance present{*this};
            memory = borrow(context);
            may_borrow = false;
        }
    }
    if (memory != nullptr) {
        const attendance present{*this};
        give_back(memory);
    }
    if (goes_past) {
        answer = store_.put(key, page, context);
        const hold h{*this, at.shard};
        PAGEFOLD_CHECK(static_cast<bool>(h));
        at.shard.come_back(at.hash);
    } else if (answer == status::ok) {
        note_waiting();
    }
    return answer;
}

/// What the slot says. The shard's lock is held.
template <class Store>
status deferred_store<Store>::copy_out(shard_type& shard, const slot_type& s, byte_span out,
                                       std::size_t& length) noexcept {
    if (!s.has_page) {
        return status::not_found;
    }
    if (out.size() < s.length) {
        return status::too_short;
    }
    copy_bytes(out.data(), s.page, s.length);
    length = s.length;
    ++shard.counted.hits;
    return status::ok;
}

template <class Store>
template <class InQueue, class InStore>
status deferred_store<Store>::look(const page_key& key, InQueue in_queue, InStore in_store) noexcept {
    if (slot_count_ == 0) {
        return in_store();
    }
    const place at = place_of(key);
    for (;;) {
        // acquire, both: who finds no slot finds in the store what its holder put there. In this order: a refusal behind the look
        // at the slots is seen below.
        const std::uint32_t refusals = at.shard.refusals.load(memory_order::acquire);
        if (at.shard.live.load(memory_order::acquire) != 0) {
            const hold h{*this, at.shard};
            if (!h) {
                return status::busy;
            }
            if (slot_type* const s = at.shard.find(key, at.hash); s != nullptr) {
                return in_queue(at.shard, *s);
            }
        }
        const status answer = in_store();
        if (answer != status::not_found) {
            return answer;
        }
        // A refusal may have erased the version before one that is in the queue, or was, and is stored by now.
        if (at.shard.live.load(memory_order::acquire) != 0) {
            const hold h{*this, at.shard};
            if (!h) {
                return status::busy;
            }
            if (slot_type* const s = at.shard.find(key, at.hash); s != nullptr) {
                return in_queue(at.shard, *s);
            }
        }
        if (at.shard.refusals.load(memory_order::acquire) == refusals) {
            return answer;
        }
    }
}

template <class Store>
status deferred_store<Store>::read_stored(const page_key& key, byte_span out, bool is_use,
                                          std::size_t& length) noexcept {
    if constexpr (has_values) {
        if (is_use) {
            const result<std::size_t> read = store_.get_value(key, out);
            length = read ? *read : 0;
            return read ? status::ok : read.error();
        }
    }
    length = out.size();
    return is_use ? store_.get(key, out) : store_.peek(key, out);
}

template <class Store>
status deferred_store<Store>::read(const page_key& key, byte_span out, bool is_use, std::size_t& length) noexcept {
    if ((!has_values && out.size() != page_size) || !store_.is_key(key)) {
        return status::invalid;
    }
    return look(
        key, [&](shard_type& shard, slot_type& s) noexcept { return copy_out(shard, s, out, length); },
        [&]() noexcept { return read_stored(key, out, is_use, length); });
}

template <class Store>
result<std::size_t> deferred_store<Store>::length_of(const page_key& key) noexcept {
    if (!store_.is_key(key)) {
        return status::invalid;
    }
    std::size_t length = 0;
    const status s = look(
        key,
        [&](shard_type&, const slot_type& slot) noexcept {
            length = slot.length;
            return slot.has_page ? status::ok : status::not_found;
        },
        [&]() noexcept {
            const result<std::size_t> found = store_.length_of(key);
            length = found ? *found : 0;
            return found ? status::ok : found.error();
        });
    return s == status::ok ? result<std::size_t>{length} : s;
}

template <class Store>
status deferred_store<Store>::take_stored(const page_key& key, byte_span out, std::size_t& length) noexcept {
    if constexpr (has_values) {
        const result<std::size_t> taken = store_.take_value(key, out);
        length = taken ? *taken : 0;
        return taken ? status::ok : taken.error();
    } else {
        length = page_size;
        return store_.take(key, out);
    }
}

template <class Store>
status deferred_store<Store>::take_page(const page_key& key, byte_span out, std::size_t& length) noexcept {
    if ((!has_values && out.size() != page_size) || !store_.is_key(key)) {
        return status::invalid;
    }
    if (slot_count_ == 0) {
        return take_stored(key, out, length);
    }
    const place at = place_of(key);
    const presence::stay at_work{at_work_, token()}; // a handler that comes must not wait for the slot
    slot_type* s = nullptr;
    {
        const hold h{*this, at.shard};
        if (!h) {
            return status::busy;
        }
        s = at.shard.find(key, at.hash);
        if (s != nullptr) {
            const status copied = copy_out(at.shard, *s, out, length);
            if (copied != status::ok) {
                return copied;
            }
            remove_page(*s);
            ++at.shard.counted.superseded;
            if (s->is == stage::working) {
                return status::ok; // whoever has it erases what there is in the store
            }
            at.shard.take(*s);
        } else {
            at.shard.go_past(at.hash);
        }
    }
    if (s != nullptr) {
        static_cast<void>(erase_behind(at.shard, *s)); // or it waits for somebody who can
        return status::ok;
    }
    const status answer = take_stored(key, out, length);
    const hold h{*this, at.shard};
    PAGEFOLD_CHECK(static_cast<bool>(h));
    at.shard.come_back(at.hash);
    return answer;
}

template <class Store>
status deferred_store<Store>::erase(const page_key& key) noexcept {
    if (slot_count_ == 0) {
        return store_.erase(key);
    }
    if (!store_.is_key(key)) {
        return status::invalid;
    }
    const place at = place_of(key);
    const presence::stay at_work{at_work_, token()}; // a handler that comes must not wait for the slot
    slot_type* s = nullptr;
    {
        const hold h{*this, at.shard};
        if (!h) {
            return status::busy;
        }
        s = at.shard.find(key, at.hash);
        if (s != nullptr) {
            if (!s->has_page) {
                return status::not_found;
            }
            remove_page(*s);
            ++at.shard.counted.superseded;
            if (s->is == stage::working) {
                return status::ok;
            }
            at.shard.take(*s);
        } else {
            at.shard.go_past(at.hash);
        }
    }
    if (s != nullptr) {
        static_cast<void>(erase_behind(at.shard, *s));
        return status::ok;
    }
    const status answer = store_.erase(key);
    const hold h{*this, at.shard};
    PAGEFOLD_CHECK(static_cast<bool>(h));
    at.shard.come_back(at.hash);
    return answer;
}

template <class Store>
void deferred_store<Store>::let_go(shard_type& shard, std::uint32_t& first, bool are_erased) noexcept {
    const hold h{*this, shard};
    PAGEFOLD_CHECK(static_cast<bool>(h));
    for (std::size_t slots = 0; slots < slots_a_hold && first != slot_type::none; ++slots) {
        slot_type& s = shard.slot(first);
        first = s.after;
        if (s.has_page || !are_erased) { // a newer page came, or it is done later
            shard.line_up(s, stage::waiting);
        } else {
            shard.erasures.store(shard.erasures.load(memory_order::relaxed) + 1,
                                 memory_order::seq_cst); // as in erase_behind
            close(shard, s);
        }
    }
}

template <class Store>
result<std::size_t> deferred_store<Store>::erase_range(pool_id pool, std::uint64_t object, std::uint64_t first,
                                                       std::uint64_t count) noexcept {
    if (slot_count_ == 0 || count == 0 || first >= max_page_index || !store_.is_key({pool, object, 0})) {
        return store_.erase_range(pool, object, first, count);
    }
    const std::uint64_t last = count > max_page_index - first ? max_page_index - 1 : first + count - 1;
    const presence::stay at_work{at_work_, token()}; // as in erase
    // No slot comes for a key of the pool from the look at its shard on. relaxed: the shard's lock orders it.
    atomic<std::uint32_t>& sweeps = sweeps_[pool_ids::slot(pool)];
    sweeps.fetch_add(1, memory_order::relaxed);
    constexpr std::size_t most = 32;
    std::uint64_t others[most]; // pages that somebody has, who erases them
    std::size_t other_count = 0, erased = 0;
    // Of each shard, the pages that this call has, till the end, so that what is put meanwhile comes behind it: a slot's `after` is the
    // next. Shards and slots are gone through in one order by all, so nobody waits for who waits for it.
    std::uint32_t mine[max_shards];
    for (std::uint32_t& first_of_shard : mine) {
        first_of_shard = slot_type::none;
    }
    status answer = status::ok;
    for (std::size_t i = 0; i < shard_count_ && answer == status::ok; ++i) {
        shard_type& shard = shards_[i];
        for (std::uint32_t at = 0, size = 1; at < size && answer == status::ok;) {
            slot_type* taken = nullptr;
            bool waits = false;
            {
                const hold h{*this, shard};
                answer = h ? status::ok : status::busy;
                size = h ? shard.size() : 0;
                for (std::size_t looks = 0; at < size && looks < slots_a_hold && taken == nullptr && !waits; ++looks) {
                    slot_type& s = shard.slot(at);
                    if (s.is == stage::free || s.key.pool != pool || s.key.object != object || s.key.index < first ||
                        s.key.index > last) {
                        ++at;
                        continue;
                    }
                    waits = s.is == stage::working && other_count == most;
                    if (s.has_page && !waits) {
                        remove_page(s);
                        ++shard.counted.superseded;
                        ++erased;
                    }
                    if (s.is != stage::working) {
                        shard.take(s);
                        taken = &s;
                        s.after = mine[i];
                        mine[i] = at;
                    } else if (!waits) {
                        others[other_count++] = s.key.index;
                    }
                    at += waits ? 0u : 1u;
                }
            }
            if (taken != nullptr) {
                static_cast<void>(store_.erase(taken->key)); // counted already; if it can't, below
            } else if (waits && !at_work) {
                answer = status::busy; // the one that it would wait for may be this thread's
            } else if (at < size) {
                give_way<config>(between_looks);
            }
        }
    }
    for (std::size_t i = 1; i < other_count; ++i) { // in order
        for (std::size_t j = i; j != 0 && others[j - 1] > others[j]; --j) {
            const std::uint64_t higher = others[j - 1];
            others[j - 1] = others[j];
            others[j] = higher;
        }
    }
    for (std::size_t i = 0; i <= other_count && answer == status::ok; ++i) {
        const std::uint64_t end = i < other_count ? others[i] : last + 1;
        if (end > first) {
            const result<std::size_t> stored = store_.erase_range(pool, object, first, end - first);
            erased += stored ? *stored : 0;
            answer = stored ? status::ok : stored.error();
        }
        first = end + 1;
    }
    bool had_some = false;
    for (std::size_t i = 0; i < shard_count_; ++i) {
        had_some = had_some || mine[i] != slot_type::none;
        while (mine[i] != slot_type::none) {
            let_go(shards_[i], mine[i], answer == status::ok);
        }
    }
    if (had_some) {
        tell_waiters();
        note_waiting();
    }
    sweeps.fetch_sub(1, memory_order::relaxed);
    return answer == status::ok ? result<std::size_t>{erased} : answer;
}

template <class Store>
result<std::size_t> deferred_store<Store>::walk(deferred_cursor& cursor, walked_page* out, std::size_t room) noexcept {
    const pool_id pool = cursor.pages.pool;
    if (!store_.is_key({pool, 0, 0})) {
        return status::invalid;
    }
    std::size_t listed = 0;
    // First the queue: what leaves it meanwhile comes into the store, which is walked behind it.
    while (cursor.shard < shard_count_ && listed < room) {
        constexpr std::size_t most = 32;
        walked_page few[most];
        std::size_t count = 0;
        {
            const hold h{*this, shards_[cursor.shard]};
            if (!h) {
                return status::busy;
            }
            const shard_type& shard = shards_[cursor.shard];
            for (std::size_t looks = 0;
                 looks < slots_a_hold && cursor.slot < shard.size() && count < most && listed + count < room; ++looks) {
                const slot_type& s = shard.slot(cursor.slot++);
                if (s.has_page && s.key.pool == pool) {
                    few[count++] = {s.key.object, s.key.index, s.length, s.length, page_content::raw};
                }
            }
            if (cursor.slot >= shard.size()) {
                ++cursor.shard;
                cursor.slot = 0;
            }
        }
        for (std::size_t i = 0; i < count; ++i) {
            out[listed++] = few[i];
        }
    }
    while (listed < room && !cursor.pages.has_ended()) {
        const std::size_t erasures = sum(&shard_type::erasures);
        const result<std::size_t> more = store_.walk(cursor.pages, out + listed, room - listed);
        if (!more) {
            return more;
        }
        // Not what is gone already, though somebody has still to erase it, or has just done so.
        std::size_t kept = listed;
        for (std::size_t i = listed; i < listed + *more; ++i) {
            const page_key key{pool, out[i].object, out[i].index};
            const place at = place_of(key);
            bool is_there = true;
            if (at.shard.live.load(memory_order::acquire) != 0) {
                const hold h{*this, at.shard};
                const slot_type* const s = h ? at.shard.find(key, at.hash) : nullptr;
                is_there = s == nullptr || s->has_page;
            }
            if (sum(&shard_type::erasures) != erasures) {
                is_there = is_there && contains(key) != status::not_found;
            }
            out[kept] = out[i];
            kept += is_there ? 1u : 0u;
        }
        listed = kept;
    }
    return listed;
}

} // namespace pagefold
