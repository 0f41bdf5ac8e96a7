// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/basic_store.hpp>

// How a store puts, reads and erases pages. Every operation goes by the route of its pool (pool_route.hpp), and once more
// where a partition says that there is a newer one. While the pool moves it has two places to look at: store_migration.hpp.

namespace pagefold::inline PAGEFOLD_ABI {

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::put(const page_key& key, byte_view page, acquire_context context) noexcept {
    return put_as(key, copied_page{page}, true, context);
}

template <store_config Config, partition_policy Place>
template <class Page>
status basic_store<Config, Place>::put_as(const page_key& key, const Page& page, bool may_shrink,
                                          acquire_context context) noexcept {
    if (!is_length(page.size()) || !is_valid(key)) {
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
        s = put_by_route(k, page, may_shrink, lease);
    } while (tries.has_next(s == has_moved));
    return s;
}

template <store_config Config, partition_policy Place>
template <class Page>
status basic_store<Config, Place>::put_by_route(located_key& k, const Page& page, bool may_shrink,
                                                const typename scratch_type::lease& lease) noexcept {
    homes at = find_homes(k);
    const homes of_key = at;
    if (at.before != at.now) [[unlikely]] {
        const moved one = bring(k, at, lease.buffer());
        if (one.result == has_moved || one.result == status::invalid || one.result == status::busy) {
            return one.result;
        }
        at.before = one.has_stayed ? at.before : at.now;
    }
    partition_type& target = partitions_[at.now];
    pool_id parent{};
    const page_facts facts = look_at(of_key, k, parent);
    bool codec_failed = false;
    const bool is_refused = is_refused_for_now(k);
    const auto pack = [&](const auto& some, bool was_let_pass) {
        return shortest(page.size(),
                        codec_.pack_page(some, lease.page(), lease.buffer(), lease.scratch(), most_packed_, facts,
                                         codec_failed, may_shrink, was_let_pass),
                        lease.page(), target);
    };
    result<byte_view> stream{status::limit};
    if constexpr (has_clones) {
        if (parent == pool_id{} || !may_shrink || is_refused) {
            stream = is_refused ? stream : pack(page, false);
        } else if (!is_promised<Page> && !codec_.lets_pass(page.size(), facts)) {
            stream = status::incompressible;
        } else {
            const byte_span copy = scratch_of_clones{lease.extra()}.page(); // as codec_stage: it may change meanwhile
            packed_page packed;
            if (!page.write_to(copy)) {
                return status::invalid;
            }
            if (pack_clone(lease, target, k, parent, facts, !is_promised<Page>, packed)) {
                return place_stream(at, k, packed, lease.page(), false);
            }
            if constexpr (is_promised<Page>) {
                stream = pack(promised_page<copied_page>{copied_page{copy}}, true);
            } else {
                stream = pack(copied_page{copy}, true);
            }
        }
    } else {
        stream = is_refused ? stream : pack(page, false);
    }
    if (stream) {
        // The stream is in the one or in the other.
        return place_stream(at, k, {*stream, partition_state<Config>::check_of(*stream, k.sum_seed, page.size())},
                            (*stream).data() == lease.page().data() ? lease.buffer() : lease.page(), codec_failed);
    }
    if (stream.error() == status::invalid) { // it could not be written
        return status::invalid;
    }
    status s = status::busy;
    if (at.before == at.now) [[likely]] {
        s = target.refuse(k, stream.error(), codec_failed);
    } else if (partition_pair<Config> pair{partitions_[at.before], target, at.before < at.now}; pair) {
        s = pair.refuse(k, stream.error(), codec_failed);
    }
    return s == status::ok ? stream.error() : s;
}

/// What codec and admission are told of a page; the line of its entry is asked for meanwhile. A key that left while its pool was
/// on another node is not known there: the ghost stays behind.
template <store_config Config, partition_policy Place>
page_facts basic_store<Config, Place>::look_at(const homes& at, const located_key& k, pool_id& parent) noexcept {
    page_facts facts{context_of(k), k.sum_seed};
    if constexpr (choosing_admission<admission_type>) {
        // relaxed: the number that the pool had a moment ago will do.
        facts.admission = registry_.table().records[k.pool].admission.load(memory_order::relaxed);
    }
    if constexpr (remembering_admission<admission_type>) {
        facts.past = past_in(at.now, k);
        if (at.before != at.now && facts.past == key_past::unseen) [[unlikely]] {
            facts.past = past_in(at.before, k);
        }
        if constexpr (has_clones) {
            parent = partitions_[at.now].prefetch(k);
        }
    } else {
        parent = partitions_[at.now].prefetch(k);
    }
    return facts;
}

template <store_config Config, partition_policy Place>
key_past basic_store<Config, Place>::past_in(partition_id at, const located_key& k) noexcept {
    key_past past = key_past::untold;
    if constexpr (remembering_admission<admission_type>) {
        bool is_growing = false;
        past = partitions_[at].look(k, held_back_from(k), is_growing);
        while (is_growing) {
            give_way<Config>(between_erasures); // the partition's first put makes its ghost, some pages a hold
            past = partitions_[at].look(k, held_back_from(k), is_growing);
        }
    } else {
        static_cast<void>(at);
        static_cast<void>(k);
    }
    return past;
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::place_stream(const homes& at, const located_key& k, const packed_page& packed,
                                                byte_span spare, bool codec_failed) noexcept {
    const byte_view stream = packed.stream;
    const std::uint64_t sum = packed.sum;
    partition_type& target = partitions_[at.now];
    typename partition_type::put_terms terms;
    terms.codec_failed = codec_failed;
    terms.form = packed.form;
    if (partition_count_ > 1) {
        terms.asks_as = at.now;
    }
    put_effort effort;
    effort.need = partition_state<Config>::object_bytes(stream.size());
    effort.spare = spare;
    for (;;) {
        typename partition_type::put_outcome outcome{status::busy};
        if (at.before == at.now) [[likely]] {
            outcome = target.put(k, stream, sum, held_back_from(k), terms);
        } else if (partition_pair<Config> pair{partitions_[at.before], target, at.before < at.now}; pair) {
            outcome = pair.put(k, stream, sum, held_back_from(k), terms);
        }
        if (outcome.wants_rates) {
            reclaimer_.renew_rates();
        }
        const bool met_limit = outcome.result == status::limit || outcome.has_dropped;
        if (met_limit && !effort.has_met_limit) {
            effort.has_met_limit = true;
            target.note_limit();
        }
        if (outcome.result == status::limit && !outcome.at_cap && !outcome.at_node) {
            acceptance_.close();
        }
        if (terms.is_last || (outcome.result != status::limit && outcome.result != status::no_memory)) {
            return outcome.result;
        }
        terms.is_last = !reclaimer_.make_room(at.now, k, outcome, terms, effort);
    }
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::read(const page_key& key, byte_span out, reading how, std::size_t& length) noexcept {
    if (!can_read(key, out)) {
        return status::invalid;
    }
    const auto lease = scratch_.acquire();
    return lease ? read_with(lease, key, out, how, length) : status::busy;
}

template <store_config Config, partition_policy Place>
PAGEFOLD_ALWAYS_INLINE status basic_store<Config, Place>::read_through(const typename scratch_type::lease& lease,
                                                                       const page_key& key, byte_span out, reading how,
                                                                       std::size_t& length) noexcept {
    const bool removing = how == reading::take;
    located_key k = hasher_.locate(key);
    partition_type* partition = nullptr;
    typename partition_type::fetched found;
    found.is_use = how != reading::peek;
    route_tries tries{route_of(k.pool)};
    status s;
    do {
        const homes at = find_homes(k);
        partition = &partitions_[at.before];
        found.is_last_place = at.before == at.now;
        s = partition->fetch(k, out, lease.buffer(), removing, found);
        if (s == status::not_found && !found.is_last_place) {
            partition = &partitions_[at.now];
            found.is_last_place = true;
            s = partition->fetch(k, out, lease.buffer(), removing, found);
        }
        if constexpr (has_tier) {
            if (s == is_in_tier) [[unlikely]] {
                s = read_away(*partition, k, out, lease, removing, found);
                if (s != has_moved) {
                    length = partition_state<Config>::length_of(found.e);
                    return s;
                }
            }
        }
    } while (tries.has_next(s == has_moved));
    if (s != status::ok) {
        return s;
    }
    length = partition_state<Config>::length_of(found.e);
    if constexpr (has_clones) {
        if (found.e.has_base()) [[unlikely]] {
            return read_clone(lease, *partition, k, out, removing, found);
        }
    }
    s = decode(k, removing, found, out.first(length), lease.scratch());
    if (s != status::ok) {
        partition->note_corruption();
    }
    return s;
}

/// Of a page that is in the tier, as its entry says in `found`; has_moved where it is not any more.
template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::read_away(partition_type& partition, const located_key& k, byte_span out,
                                             const typename scratch_type::lease& lease, bool removing,
                                             typename partition_type::fetched& found) noexcept {
    if constexpr (!has_tier) {
        return status::corrupt;
    } else {
        status s = status::busy;
        const std::size_t size = found.e.away_size();
        const byte_span target = size == page_size ? lease.page() : lease.buffer().first(size);
        {
            const typename tier_stage<tier_type>::visit visit{this->own_stage, partition_type::token()};
            s = visit ? this->own_stage.fetch({k.key, found.e.place()}, target) : status::busy;
        }
        found.stream = target;
        if (s == status::ok && !partition_state<Config>::is_good(found.e, found.stream, k.sum_seed)) {
            s = status::corrupt;
        }
        if (s == status::ok) { // before the page goes
            const std::size_t length = partition_state<Config>::length_of(found.e);
            s = codec_.unpack(found.stream, out.first(length), lease.scratch(), context_of(k));
        }
        s = partition.arrive(k, s, removing, held_back_from(k), found);
        if (s == status::corrupt || s == status::unavailable) {
            this->own_stage.note_failed_read();
        }
        return s;
    }
}

template <store_config Config, partition_policy Place>
result<std::size_t> basic_store<Config, Place>::length_of(const page_key& key) noexcept {
    if (!is_valid(key)) {
        return status::invalid;
    }
    located_key k = hasher_.locate(key);
    std::size_t length = 0;
    route_tries tries{route_of(k.pool)};
    status s;
    do {
        const homes at = find_homes(k);
        s = partitions_[at.before].look_up(k, length);
        if (s == status::not_found && at.before != at.now) {
            s = partitions_[at.now].look_up(k, length);
        }
    } while (tries.has_next(s == has_moved));
    return s == status::ok ? result<std::size_t>{length} : s;
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::erase(const page_key& key) noexcept {
    if (!is_valid(key)) {
        return status::invalid;
    }
    located_key k = hasher_.locate(key);
    bool any = false;
    route_tries tries{route_of(k.pool)};
    status s;
    do {
        const homes at = find_homes(k);
        s = partitions_[at.before].erase(k);
        any = any || s == status::ok;
        if (at.before != at.now && (s == status::ok || s == status::not_found)) {
            s = partitions_[at.now].erase(k);
            any = any || s == status::ok;
        }
    } while (tries.has_next(s == has_moved));
    // Where the pool was destroyed after the page had been erased, it was erased.
    return any ? status::ok : s;
}

template <store_config Config, partition_policy Place>
result<std::size_t> basic_store<Config, Place>::erase_range(pool_id pool, std::uint64_t object, std::uint64_t first,
                                                            std::uint64_t count) noexcept {
    if (!is_valid({pool, object, 0})) {
        return status::invalid;
    }
    if (interrupts_itself()) {
        return status::busy;
    }
    std::size_t erased = 0;
    if (count == 0 || first >= max_page_index) {
        return erased;
    }
    const std::uint64_t last = count > max_page_index - first ? max_page_index - 1 : first + count - 1;
    // By one route a page moves once at most: from a partition that is swept later to one that was swept before, say. In the
    // second sweep it is where it stays, as behind the first nobody moves it by an older route.
    shared_route& route = route_of(pool_ids::slot(pool));
    route_tries tries{route};
    pool_route before, after = route.load();
    do {
        before = after;
        for (unsigned sweeps = before.is_moving() ? 2 : 1; sweeps != 0; --sweeps) {
            const status s = sweep_range({pool, object, first}, last, before.number, erased);
            if (has_clones && s == status::invalid && is_valid({pool, object, 0})) {
                return s; // sealed
            }
            if (notes_changes<Config> && s == status::unavailable) {
                return status::busy; // frozen
            }
        }
        after = route.load();
    } while (tries.has_next(after.number != before.number));
    return erased;
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::sweep_range(const page_key& first, std::uint64_t last, std::uint32_t route,
                                               std::size_t& erased) noexcept {
    // Not on behind one where the pool is sealed or frozen already, which it becomes partition by partition: what the last
    // one answers must not stand for all.
    status s = status::ok;
    for (std::size_t i = 0; i < partition_count_ && s == status::ok; ++i) {
        range_cursor cursor{first.index / extent_pages};
        do {
            s = partitions_[i].erase_range(first.pool, route, first.object, first.index, last, cursor, erased);
            give_way<Config>(between_erasures);
        } while (s == status::busy);
    }
    return s;
}

} // namespace pagefold
