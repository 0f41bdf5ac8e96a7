// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/basic_store.hpp>

// How pages leave a store, and come to one, as they are kept.
//
// An entry's check is bound to the page's key and to the store's secret, so it is worth nothing elsewhere. It does not travel:
// the stream is checked by it when it leaves, and gets a new one when it comes. In between it is its carrier who must tell
// damage (image_format.hpp has a checksum for each frame).
//
// A page with a base is bound to the base's stream. What travels is a checksum of that stream under no secret, `base_print`. So a
// reference that comes finds whether the parent's page is the one it was made by, with a look at the parent's stream and no
// decoding.

namespace pagefold::inline PAGEFOLD_ABI {

/// What base_print is seeded with; part of the format of images.
inline constexpr std::uint64_t base_print_seed = 0x6261736570616765;

template <store_config Config, partition_policy Place>
result<std::size_t> basic_store<Config, Place>::walk_kept(pool_cursor& cursor, const kept_filter& filter,
                                                          kept_page* out, std::size_t room, byte_span bytes,
                                                          std::size_t holds) noexcept {
    if (!is_valid({cursor.pool, 0, 0}) || bytes.size() < page_size) {
        return status::invalid;
    }
    const auto lease = scratch_.acquire();
    if (!lease) {
        return status::busy;
    }
    std::size_t copied = 0, used = 0;
    typename partition_type::copies_type few;
    for (; copied < room && holds != 0 && bytes.size() - used >= page_size && !cursor.has_ended(); --holds) {
        pool_cursor at = cursor;
        const pool_route route = route_of(pool_ids::slot(at.pool)).load();
        if (at.passes == 0 || at.route != route.number) {
            at.begin(route);
        }
        status s = status::ok;
        few.count = 0;
        if (at.partition >= partition_count_) {
            at.end_pass();
        } else {
            partition_type& partition = partitions_[at.partition];
            const byte_span left = bytes.subview(used);
            few.room = room - copied < few.most ? room - copied : few.most;
            s = partition.walk_kept(at, filter, left, few);
            if (s == status::ok) {
                at.enter_next_partition();
            }
            if (s == status::ok || s == status::busy) {
                if (const status good = complete(lease, partition, at.pool, few, left); good != status::ok) {
                    return copied != 0 ? result<std::size_t>{copied}
                                       : good; // what is behind the cursor is the caller's
                }
            }
        }
        if (s == status::invalid) {
            return s;
        }
        for (std::size_t i = 0; i < few.count; ++i) {
            if (few.pages[i].content != page_content::away) { // or it went while it was read
                out[copied] = few.pages[i];
                out[copied++].at += static_cast<std::uint32_t>(used);
            }
        }
        used += few.count != 0 ? few.bytes : 0;
        cursor = at;
        give_way<Config>(between_erasures);
    }
    return copied;
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::complete(const typename scratch_type::lease& lease, partition_type& partition,
                                            pool_id pool, typename partition_type::copies_type& copies,
                                            byte_span bytes) noexcept {
    for (std::size_t i = 0; i < copies.count; ++i) {
        kept_page& one = copies.pages[i];
        const page_key key{pool, one.object, one.index};
        if (one.content == page_content::damaged) {
            partition.note_corruption();
            continue;
        }
        if (one.content == page_content::away) {
            if constexpr (has_tier) {
                const status s = read_kept(lease, key, one, bytes.subview(one.at, page_size));
                if (s == status::unavailable || s == status::busy || s == status::invalid) {
                    return s;
                }
                if (s != status::ok &&
                    s != status::not_found) { // who was erased meanwhile is not damaged: it stays `away`
                    one.content = page_content::damaged;
                }
            }
            continue;
        }
        const byte_view stream = bytes.subview(one.at, one.stream);
        const located_key k = hasher_.locate(key);
        bool is_good = false;
        if (one.has_base()) {
            base_page base;
            const status s = look_at_base(lease, copies.parent, {copies.parent, one.base_object, one.base_index}, base,
                                          one.base_print);
            if (s == status::busy || (s == status::invalid && !is_valid({pool, 0, 0}))) {
                return s; // it is destroyed, and its parent
            }
            const std::uint64_t check = one.content == page_content::delta ? checksum(stream, base.bind(k.sum_seed))
                                                                           : base.reference_check(k.sum_seed);
            is_good = s == status::ok && copies.entries[i].matches(check);
        } else {
            is_good = partition_state<Config>::is_good(copies.entries[i], stream, k.sum_seed);
        }
        if (!is_good) {
            one.content = page_content::damaged;
            partition.note_corruption();
        }
    }
    return status::ok;
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::read_kept(const typename scratch_type::lease& lease, const page_key& key,
                                             kept_page& page, byte_span out) noexcept {
    using state_type = partition_state<Config>;
    if constexpr (!has_tier) {
        return status::corrupt;
    } else {
        located_key k = hasher_.locate(key);
        typename partition_type::fetched found;
        found.is_use = false;
        route_tries tries{route_of(k.pool)};
        status s;
        do {
            const homes at = find_homes(k);
            partition_type* partition = &partitions_[at.before];
            s = partition->fetch(k, lease.page(), lease.buffer(), false, found);
            if (s == status::not_found && at.before != at.now) {
                partition = &partitions_[at.now];
                s = partition->fetch(k, lease.page(), lease.buffer(), false, found);
            }
            std::size_t size = 0;
            if (s == is_in_tier) {
                size = found.e.away_size();
                const byte_span target = size == page_size ? lease.page() : lease.buffer().first(size);
                {
                    const typename tier_stage<tier_type>::visit visit{this->own_stage, partition_type::token()};
                    s = visit ? this->own_stage.fetch({key, found.e.place()}, target) : status::busy;
                }
                found.stream = target;
                if (s == status::ok && !state_type::is_good(found.e, found.stream, k.sum_seed)) {
                    s = status::corrupt;
                }
                s = partition->arrive(k, s, false, held_back_from(k), found);
                if (s == status::corrupt || s == status::unavailable) {
                    this->own_stage.note_failed_read();
                }
            } else if (s == status::ok) { // it came back meanwhile
                size = found.stream.size();
                s = state_type::is_good(found.e, found.stream, k.sum_seed) ? status::ok : status::corrupt;
            }
            if (s == status::ok) {
                copy_bytes(out.data(), found.stream);
                page.stream = static_cast<std::uint32_t>(size);
                page.length = static_cast<std::uint32_t>(state_type::length_of(found.e));
                page.content = size == min_stream_size                    ? page_content::in_entry
                               : state_type::is_raw(size, found.e.meta()) ? page_content::raw
                                                                          : page_content::own;
            }
        } while (tries.has_next(s == has_moved));
        return s;
    }
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::look_at_base(const typename scratch_type::lease& lease, pool_id parent,
                                                const page_key& key, base_page& base, std::uint64_t& print) noexcept {
    if constexpr (!has_clones) {
        return status::not_found;
    } else {
        if (!is_valid(key)) {
            return status::invalid;
        }
        located_key k = hasher_.locate({parent, key.object, key.index});
        const scratch_of_clones room{lease.extra()};
        partition_type* partition = nullptr;
        typename partition_type::fetched found;
        const status s = fetch_base(k, room.base(), room.stream(), partition, found);
        if (s != status::ok) {
            return s;
        }
        if (found.e.has_base() || !partition_state<Config>::is_good(found.e, found.stream, k.sum_seed)) {
            partition->note_corruption();
            return status::corrupt;
        }
        base = {k.sum_seed, found.e.sum(), found.e.is_inline() ? min_stream_size : found.e.size()};
        print = checksum(found.stream, base_print_seed);
        return s;
    }
}

template <store_config Config, partition_policy Place>
bool basic_store<Config, Place>::can_keep(const kept_page& page, byte_view stream) noexcept {
    const std::size_t size = stream.size();
    if (page.stream != size || !is_length(page.length)) {
        return false;
    }
    switch (page.content) {
    case page_content::in_entry: return size == min_stream_size;
    case page_content::own: return size > min_stream_size && size < page.length;
    case page_content::raw: return size > min_stream_size && size == page.length;
    case page_content::reference: return has_clones && size == 0;
    case page_content::delta: return has_clones && size > min_stream_size && size < page_size;
    case page_content::away:
    case page_content::damaged:
    default: return false;
    }
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::put_kept(pool_id pool, const kept_page& page, byte_view stream, bool verifies,
                                            acquire_context context) noexcept {
    const page_key key{pool, page.object, page.index};
    if (!is_valid(key) || !can_keep(page, stream)) {
        return status::invalid;
    }
    const auto lease = scratch_.acquire(context);
    if (!lease) {
        return status::busy;
    }
    located_key k = hasher_.locate(key);
    k.context = {context.may_sleep && sleepable_lock<typename Config::lock_type>, context.how_urgent};
    route_tries tries{route_of(k.pool)};
    status s;
    do {
        s = put_kept_by_route(k, page, stream, verifies, lease);
    } while (tries.has_next(s == has_moved));
    return s;
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::put_kept_by_route(located_key& k, const kept_page& page, byte_view stream,
                                                     bool verifies,
                                                     const typename scratch_type::lease& lease) noexcept {
    homes at = find_homes(k);
    if (at.before != at.now) [[unlikely]] {
        const moved one = bring(k, at, lease.buffer());
        if (one.result == has_moved || one.result == status::invalid || one.result == status::busy) {
            return one.result;
        }
        at.before = one.has_stayed ? at.before : at.now;
    }
    if (is_refused_for_now(k)) {
        return status::limit;
    }
    packed_page packed;
    byte_span spare = lease.page();
    if (page.has_base()) {
        const pool_id parent = partitions_[at.now].prefetch(k);
        const status s =
            parent == pool_id{} ? status::invalid : pack_kept(lease, k, parent, page, stream, verifies, packed);
        if (s != status::ok || packed.stream.empty()) {
            return s;
        }
    } else {
        // A copy: the caller's memory is not read under a lock, nor twice.
        const bool is_raw = page.content == page_content::raw;
        byte_span own = (is_raw ? lease.page() : lease.buffer()).first(stream.size());
        copy_bytes(own.data(), stream);
        // One that takes a whole page here is kept raw, as put does.
        const bool is_long = !is_raw && own.size() > most_packed_;
        if (is_long || (verifies && !is_raw)) {
            const byte_span out = lease.page().first(page.length);
            if (codec_.unpack(own, out, lease.scratch(), context_of(k)) != status::ok) {
                return status::corrupt;
            }
            own = is_long ? out : own;
        }
        spare = is_raw || is_long ? lease.buffer() : lease.page();
        packed = {own, partition_state<Config>::check_of(own, k.sum_seed, page.length)};
    }
    return place_stream(at, k, packed, spare, false);
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::pack_kept(const typename scratch_type::lease& lease, located_key& k, pool_id parent,
                                             const kept_page& page, byte_view stream, bool verifies,
                                             packed_page& packed) noexcept {
    if constexpr (!has_clones) {
        return status::invalid;
    } else {
        const scratch_of_clones room{lease.extra()};
        const bool is_delta = page.content == page_content::delta;
        const page_key key{parent, page.base_object, page.base_index};
        base_page base;
        std::uint64_t print = 0;
        if (const status s = look_at_base(lease, parent, key, base, print); s != status::ok) {
            return s == status::busy ? s : status::corrupt;
        }
        if (print != page.base_print) {
            return status::corrupt;
        }
        const byte_span copy = lease.buffer().first(stream.size());
        copy_bytes(copy.data(), stream);
        // This store's entries name a base by the page's own key alone: of any other, and where the delta takes a whole page here,
        // the page is put by its content.
        const bool is_kept = page.base_object == k.key.object && page.base_index == k.key.index &&
                             (!is_delta || stream.size() <= most_packed_);
        if (!is_kept || (verifies && is_delta)) {
            status s = read_base(lease, parent, key, room.base(), base);
            if (s == status::ok && is_delta) {
                s = delta_.decompress(copy, room.pair(), room.delta());
            }
            if (s != status::ok) {
                return s == status::busy ? s : status::corrupt;
            }
        }
        if (!is_kept) {
            const byte_span content = lease.buffer().first(page_size);
            copy_bytes(content.data(), is_delta ? room.page().data() : room.base().data(), page_size);
            return put_by_route(k, copied_page{content}, true, lease);
        }
        if (is_delta) {
            packed = {copy, checksum(copy, base.bind(k.sum_seed)), page_form::delta};
        } else {
            store_native(room.stream().data(), std::uint64_t{base.size});
            packed = {room.stream().first(min_stream_size), base.reference_check(k.sum_seed), page_form::reference};
        }
        return status::ok;
    }
}

template <store_config Config, partition_policy Place>
result<pool_family> basic_store<Config, Place>::family_of(pool_id id) const noexcept {
    if (interrupts_itself() || scratch_.has_slot()) {
        return status::busy;
    }
    const registry_hold held{registry_, partition_type::token()};
    if (!held) {
        return status::busy;
    }
    if (!is_valid({id, 0, 0})) {
        return status::invalid;
    }
    const pool_record& record = registry_.table().records[pool_ids::slot(id)];
    return pool_family{pool_ids::kind(id), record.options.parent, record.is_sealed};
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::log_changes(pool_id id, change_log* log, std::uint32_t tag, bool is_frozen) noexcept
    requires(notes_changes<Config>) {
    if (must_not_wait()) {
        return status::busy;
    }
    const registry_hold held{registry_, partition_type::token()};
    if (!held) {
        return status::busy;
    }
    if (!partitions_ready()) {
        return status::invalid;
    }
    // One that is being destroyed takes no log. It may still be open in partitions, with who was on the way there before, and leaves
    // the one that it has in each of them.
    const bool is_there = is_valid({id, 0, 0});
    if (log != nullptr && (!is_there || partitions_[0].has_other_log(id, log))) {
        return status::invalid;
    }
    for (std::size_t i = 0; i < partition_count_; ++i) {
        partitions_[i].log_pool(id, log, tag, is_frozen);
    }
    return is_there ? status::ok : status::invalid;
}

} // namespace pagefold
