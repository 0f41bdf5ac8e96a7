// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/basic_store.hpp>

// How a store seals pools, and packs and reads pages of clones; what they are is in clone.hpp.
//
// Who makes a pool's content index counts as its child until it is whole, so that the pool stays. What it takes of memory it takes
// while it has a scratch, or the registry's lock, and says at once in the pool's record: so it is whole in a standstill, and a process
// that is forked meanwhile gives it back; but not one that is published, as pages of children may be kept by it.

namespace pagefold::inline PAGEFOLD_ABI {

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::fetch_base(located_key& k, byte_span out, byte_span buffer,
                                              partition_type*& partition,
                                              typename partition_type::fetched& found) noexcept {
    found.is_use = false;
    route_tries tries{route_of(k.pool)};
    status s;
    do {
        const homes at = find_homes(k);
        partition = &partitions_[at.before];
        s = partition->fetch(k, out, buffer, false, found);
        if (s == status::not_found && at.before != at.now) {
            partition = &partitions_[at.now];
            s = partition->fetch(k, out, buffer, false, found);
        }
    } while (tries.has_next(s == has_moved));
    return s;
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::read_base(const typename scratch_type::lease& lease, pool_id parent,
                                             const page_key& key, byte_span out, base_page& base) noexcept {
    if constexpr (!has_clones) {
        return status::not_found;
    } else {
        located_key k = hasher_.locate({parent, key.object, key.index});
        const scratch_of_clones room{lease.extra()};
        partition_type* partition = nullptr;
        typename partition_type::fetched found;
        status s = fetch_base(k, out, room.stream(), partition, found);
        if (s != status::ok) {
            return s;
        }
        const bool is_good = !found.e.has_base() && partition_state<Config>::is_good(found.e, found.stream, k.sum_seed);
        s = is_good ? codec_.unpack(found.stream, out, lease.scratch(), context_of(k)) : status::corrupt;
        if (s != status::ok) {
            partition->note_corruption();
            return s;
        }
        base = {k.sum_seed, found.e.sum(), found.e.is_inline() ? min_stream_size : found.e.size()};
        return s;
    }
}

template <store_config Config, partition_policy Place>
bool basic_store<Config, Place>::find_equal(const typename scratch_type::lease& lease, partition_type& target,
                                            const located_key& k, pool_id parent, base_page& base,
                                            content_place& place) noexcept {
    if constexpr (!has_clones) {
        return false;
    } else {
        const byte_view page = scratch_of_clones{lease.extra()}.page();
        return target.find_content(k, content_hash(parent, page), place) &&
               read_base(lease, parent, {parent, place.object, place.index}, lease.page(), base) == status::ok &&
               equal_bytes(lease.page().data(), page.data(), page_size);
    }
}

template <store_config Config, partition_policy Place>
bool basic_store<Config, Place>::pack_clone(const typename scratch_type::lease& lease, partition_type& target,
                                            const located_key& k, pool_id parent, const page_facts& facts, bool asks,
                                            packed_page& packed) noexcept {
    if constexpr (!has_clones) {
        return false;
    } else {
        const scratch_of_clones room{lease.extra()};
        const byte_view page = room.page();
        const auto is_same_filled = [](byte_view of) noexcept {
            return equal_bytes(of.data(), of.data() + min_stream_size, page_size - min_stream_size);
        };
        if (is_same_filled(page)) {
            return false; // it takes no payload
        }
        base_page base;
        const bool has_base = read_base(lease, parent, k.key, room.base(), base) == status::ok;
        page_form form = page_form::own;
        base_page equal = base;
        content_place place;
        if (has_base && equal_bytes(room.base().data(), page.data(), page_size)) {
            form = page_form::reference;
        } else if (may_have_content(parent) && find_equal(lease, target, k, parent, equal, place)) {
            form = page_form::reference_by_content;
        }
        if (form != page_form::own) {
            if (asks && !codec_.admits(page_size, min_stream_size, facts)) {
                return false;
            }
            store_native(room.stream().data(), std::uint64_t{place.ordinal} << 32 | equal.size);
            packed = {room.stream().first(min_stream_size), equal.reference_check(k.sum_seed), form};
            return true;
        }
        if (!has_base || is_same_filled(room.base()) || !delta_.is_near(room.pair())) {
            return false;
        }
        const result<std::size_t> size = delta_.compress(room.pair(), room.stream(), room.delta());
        if (!size || *size > most_packed_ || (asks && !codec_.admits(page_size, *size, facts))) {
            return false;
        }
        const byte_view stream = room.stream().first(*size);
        packed = {stream, checksum(stream, base.bind(k.sum_seed)), page_form::delta};
        return true;
    }
}

template <store_config Config, partition_policy Place>
PAGEFOLD_NOINLINE status basic_store<Config, Place>::read_clone(
    const typename scratch_type::lease& lease, partition_type& partition, const located_key& k, byte_span out,
    bool removing, const typename partition_type::fetched& found) noexcept {
    if constexpr (!has_clones) {
        return status::corrupt;
    } else {
        const scratch_of_clones room{lease.extra()};
        const bool is_delta = found.e.is_delta();
        base_page base;
        status s = read_base(lease, found.parent, {found.parent, found.base_object, found.base_index},
                             is_delta ? room.base() : out, base);
        if (s == status::busy || s == status::corrupt) {
            return s; // damage is counted, in the base's partition
        }
        if (s == status::invalid && !is_valid(k.key)) {
            return s; // the parent is gone, as children are that are gone; it outlives them
        }
        if (s == status::ok) {
            const std::uint64_t check =
                is_delta ? checksum(found.stream, base.bind(k.sum_seed)) : base.reference_check(k.sum_seed);
            s = found.e.matches(check) ? status::ok : status::corrupt;
        }
        if (s == status::ok && is_delta) {
            s = delta_.decompress(found.stream, room.pair(), room.delta());
            copy_bytes(out.data(), room.page().data(), page_size);
        }
        if (s != status::ok) {
            partition.note_corruption();
            return status::corrupt;
        }
        return removing ? partition.take_same(k, found.e) : status::ok;
    }
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::seal_everywhere(pool_id id) noexcept {
    if (must_not_wait()) {
        return status::busy;
    }
    const registry_hold held{registry_, partition_type::token()};
    if (!held) {
        return status::busy;
    }
    if (!registry_.may_be_sealed(id)) {
        return status::invalid;
    }
    for (std::size_t i = 0; i < partition_count_; ++i) {
        if constexpr (has_clones) {
            partitions_[i].seal_pool(id);
        }
    }
    registry_.seal(id);
    return status::ok;
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::make_content_index(pool_id id) noexcept {
    if (must_not_wait()) {
        return status::busy;
    }
    content_index* content = nullptr;
    {
        const registry_hold held{registry_, partition_type::token()};
        if (!held) {
            return status::busy;
        }
        const result<pool_stats> s = statistics_of(id);
        if (!s || registry_.is_indexing(id)) {
            return s ? status::busy : s.error();
        }
        if (may_have_content(id)) {
            return status::ok;
        }
        const located_key any = hasher_.locate({id, 0, 0});
        // Of an extent that was lost nobody knows how many pages were same-filled: what is told may be more than there are.
        const std::uint64_t pages = (*s).stored_pages > (*s).same_pages ? (*s).stored_pages - (*s).same_pages : 0;
        const result<content_index*> made = content_index::make(source_ref_, budget_, pages, held_back_from(any));
        if (!made) {
            return made.error();
        }
        content = *made;
        registry_.begin_indexing(id, content, content->bytes());
    }
    const status s = fill_content_index(id, *content);
    if (s == status::ok) {
        content->publish();
    } else {
        drain_content(id);
    }
    const registry_hold held{registry_, partition_type::token()};
    PAGEFOLD_CHECK(static_cast<bool>(held));
    if (s != status::ok) {
        free_content(id);
    }
    pool_charge::renew_unmet(registry_.table(), registry_.table().records[pool_ids::slot(id)]);
    registry_.end_indexing(id);
    return s;
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::fill_content_index(pool_id id, content_index& content) noexcept {
    constexpr std::size_t step = 8;
    const located_key any = hasher_.locate({id, 0, 0});
    pool_record& record = registry_.table().records[any.pool];
    status s = status::busy;
    while (s == status::busy) {
        const auto lease = scratch_.acquire();
        if (!lease) {
            return s;
        }
        s = content.grow(held_back_from(any));
        record.content_bytes.store(content.bytes(), memory_order::relaxed); // a meter
        if (pool_charge::of(registry_.table(), record) > record.options.cap_bytes) {
            return status::limit;
        }
    }
    pool_cursor cursor{.pool = id};
    route_tries tries{route_of(any.pool)}; // who sends the pool around can't make the walk begin for ever
    std::uint32_t passes = 1;
    while (s == status::ok && !cursor.has_ended()) {
        walked_page few[step];
        const result<std::size_t> listed = walk(cursor, few, step);
        if (!listed) {
            return listed.error();
        }
        if (cursor.passes > passes) {
            passes = cursor.passes;
            static_cast<void>(tries.has_next(true));
        }
        for (std::size_t i = 0; s == status::ok && i < *listed; ++i) {
            if (few[i].content == page_content::own || few[i].content == page_content::raw) {
                s = index_page({id, few[i].object, few[i].index}, content);
            }
        }
        give_way<Config>(between_erasures);
    }
    return s;
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::index_page(const page_key& key, content_index& content) noexcept {
    if constexpr (!has_clones) {
        return status::invalid;
    } else {
        const auto lease = scratch_.acquire();
        if (!lease) {
            return status::busy;
        }
        const byte_span page = scratch_of_clones{lease.extra()}.base();
        base_page base;
        if (read_base(lease, key.pool, key, page, base) != status::ok) {
            return status::ok;
        }
        const located_key k = hasher_.locate(key);
        const status s = content.add(content_hash(key.pool, page), key.object, key.index, held_back_from(k));
        pool_record& record = registry_.table().records[k.pool];
        record.content_bytes.store(content.bytes(), memory_order::relaxed); // a meter
        return s == status::ok && pool_charge::of(registry_.table(), record) > record.options.cap_bytes ? status::limit
                                                                                                        : s;
    }
}

template <store_config Config, partition_policy Place>
void basic_store<Config, Place>::drain_content(pool_id id) noexcept {
    if constexpr (has_clones) {
        pool_record& record = registry_.table().records[pool_ids::slot(id)];
        content_index* const content = record.content.load(memory_order::relaxed); // this thread's alone
        for (bool is_done = content == nullptr; !is_done;) {
            const auto lease = scratch_.acquire();
            is_done = content->drain();
            record.content_bytes.store(content->bytes(), memory_order::relaxed);
        }
    }
}

template <store_config Config, partition_policy Place>
void basic_store<Config, Place>::free_content(pool_id id) noexcept {
    if constexpr (has_clones) {
        content_index* const content = registry_.release_content(id);
        if (content == nullptr) {
            return;
        }
        for (std::size_t i = 0; i < partition_count_; ++i) {
            partitions_[i].pass(); // who has seen it, and asks whether it is ready, is gone
        }
        content_index::destroy(content);
    }
}

} // namespace pagefold
