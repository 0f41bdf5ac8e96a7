// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/basic_store.hpp>

// How a pool goes from one memory node to another while it is in use.
//
// What. A pool has a route (pool_route.hpp): which node its pages are wished to be on now, and before. A page's place
// policy gives it a home for either wish. While the two differ the pool moves, and a page is in its old home or in its new one.
// Reads, erasures and takes look in the old home first, then in the new one. A put first moves the page's old version, alone,
// and then replaces it in one step as ever. Meanwhile set_node walks each partition's ring of the pool for strays, pages that
// are not at home, and moves them. When a pass has gone through all partitions the pool moves no more.
//
// Why nobody misses a page. By one route a page moves from the old home to the new one and never back, and a move holds both
// locks. So who finds nothing in the old home finds what was there in the new one, or it was erased meanwhile. There are never
// two versions: a put that had no room to move the old one takes both locks for each try, and erases the old one in the step
// that places the new one, or refuses it for good. Until then readers find the old one, wherever it goes.
//
// Why no two routes mix. Every operation comes to a partition with the number of its route, and leaves it there. Who comes
// with an older one is sent back, and reads the route anew; it never waits, and who was sent back twice keeps the route from
// changing (route_tries), so that a small pool sent around without a pause can't keep a put from coming through. Whatever changes a page by a new route comes to
// the page's old home, so that an operation by the old route finds the new number there, or was before it. A pass comes to
// every partition, with pages or none: behind it nobody can leave a page where it is not looked for.
//
// Bounded. A hold of two locks moves up to four pages, or is a try of a put, one to find strays looks at 64 pages, or an
// extent. What can't be moved for want of room stays where it is and is found there, until somebody moves the pool on, or back.
//
// Why not this: one route that all partitions change at once (a reader would wait for hundreds of locks), a list of moved
// pages (memory that must be had just when there is none), to move on every read as well (a reader would write, and pay).

namespace pagefold::inline PAGEFOLD_ABI {

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::set_node(pool_id id, node_id node, bool strict, std::size_t work) noexcept {
    if (must_not_wait()) {
        return status::busy;
    }
    pool_options options;
    options.node = node;
    options.strict_node = strict;
    if (!is_valid({id, 0, 0}) || !can_keep_to(options)) {
        return status::invalid;
    }
    for (bool is_sent = false;;) {
        pool_route route;
        if (const status s = direct(id, options.wish(), is_sent, route); s != status::ok) {
            return s;
        }
        if (!route.is_moving()) {
            return status::ok;
        }
        status s = status::ok;
        for (partition_id from = 0; from < partition_count_ && s == status::ok; ++from) {
            s = move_strays(id, route, from, work);
        }
        if (s != status::ok && s != has_moved) {
            return s;
        }
        if (s == status::ok) {
            const registry_hold held{registry_, partition_type::token()};
            if (!registry_.settle(id, route)) {
                return status::busy;
            }
        }
    }
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::direct(pool_id id, node_id wish, bool& is_sent, pool_route& route) noexcept {
    const registry_hold held{registry_, partition_type::token()};
    if (!held) {
        return status::busy;
    }
    if (!is_valid({id, 0, 0})) {
        return status::invalid;
    }
    const pool_record& record = registry_.table().records[pool_ids::slot(id)];
    route = record.route.load();
    if (is_sent) {
        return route.now == wish ? status::ok : status::busy; // somebody sent it elsewhere
    }
    pool_options there;
    there.reserved_bytes = record.options.reserved_bytes;
    there.node = node_of(wish);
    there.strict_node = is_strict(wish);
    if (route.now != wish && !has_room_on_node(there)) {
        return status::limit;
    }
    route = registry_.reroute(id, wish);
    is_sent = route.now == wish; // or else the move that is under way ends first
    const bool is_held = !is_sent && (!route.is_moving() || route.before == wish);
    return is_held ? status::busy : status::ok;
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::move_strays(pool_id id, const pool_route& route, partition_id from,
                                               std::size_t& work) noexcept {
    for (;;) {
        stray found;
        status s = partitions_[from].next_stray(
            id, route.number, from,
            [&](const page_key& key) noexcept { return home_of(hasher_.locate(key), route.now); }, found);
        if (s == status::not_found) {
            return status::ok;
        }
        if (s == status::ok) {
            s = work != 0 ? move_stray(found, route, from, work) : status::busy;
            if (s != status::ok) {
                return s;
            }
        } else if (s != status::busy) {
            return s;
        }
        give_way<Config>(between_moves);
    }
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::move_stray(const stray& found, const pool_route& route, partition_id from,
                                              std::size_t& work) noexcept {
    partition_type& target = partitions_[found.home];
    typename partition_type::put_terms terms;
    typename partition_type::put_outcome outcome{status::ok};
    put_effort effort;
    for (;;) {
        located_key k = hasher_.locate(found.key);
        {
            const auto lease = scratch_.acquire();
            if (!lease) {
                return status::busy;
            }
            partition_pair<Config> pair{partitions_[from], target, from < found.home};
            if (!pair) {
                return status::busy;
            }
            // And pages behind it that go the same way, as the locks are there.
            unsigned pages = 0;
            bool is_same_extent = true;
            outcome.result = status::ok;
            while (is_same_extent && pages < moves_a_hold && outcome.result == status::ok) {
                if (home_of(k, route.now) == found.home) {
                    k.route = route.number;
                    const moved one = pair.move(k, lease.buffer(), held_back_from(k));
                    pages += one.has_gone ? 1u : 0u;
                    outcome.result = one.result == status::corrupt ? status::ok : one.result; // gone, and counted
                }
                const page_key next{k.key.pool, k.key.object, k.key.index + 1};
                is_same_extent = next.index % extent_pages != 0;
                k = hasher_.locate(next);
            }
            const std::size_t bytes = pages * page_size;
            work -= bytes < work ? bytes : work;
            outcome.at_node = pair.is_node_short();
            if (pages != 0 || (outcome.result != status::limit && outcome.result != status::no_memory)) {
                return pages != 0 ? status::ok : outcome.result;
            }
        }
        // As for a put that found no place.
        k = hasher_.locate(found.key);
        if (!reclaimer_.make_room(found.home, k, outcome, terms, effort)) {
            return outcome.result;
        }
        outcome.has_dropped = outcome.is_under_way = false;
        if (terms.victims != partition_type::no_pool) {
            const std::size_t dropped =
                target.evict(terms.victims, moves_a_hold, outcome.has_dropped, terms.victims == k.pool);
            outcome.is_under_way = outcome.has_dropped && dropped == 0;
        }
    }
}

template <store_config Config, partition_policy Place>
moved basic_store<Config, Place>::bring(const located_key& k, const homes& at, byte_span buffer) noexcept {
    partition_pair<Config> pair{partitions_[at.before], partitions_[at.now], at.before < at.now};
    return pair ? pair.move(k, buffer, held_back_from(k)) : moved{status::busy};
}

} // namespace pagefold
