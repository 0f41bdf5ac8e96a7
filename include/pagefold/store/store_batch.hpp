// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/macros.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/store/basic_store.hpp>

// Many operations in one call.
//
// A batch means what its operations mean one by one: a key that comes twice, pools that are mixed, a member that is invalid, a limit
// that is met midway are nothing special, and what others do comes between any two of them. Of one key's operations the order is the
// one that was given; among others there is none.
//
// What it spares is waiting, and entering. Up to 32 pages are worked on together. The lines that their look-ups meet are asked for
// first, step by step (batch_look_ahead.hpp). Then the partitions are entered one after the other, and what fits into a scratch,
// some six streams, is copied out in one hold; while two of them are decoded, in one call where the codec has one, streams of pages
// further on are asked for. A hold
// ends at the first page that needs more than a look and a copy (it is in the tier, has a base, its pool was moved): the
// page's own operation does that one, and a hold goes on behind it. So the order of a key's operations is kept.
//
// A page that is put has a scratch of its own, so its compression and its hold come page by page, in the order given; what it waits
// for was asked for before, and so is the next page itself.
//
// Cost: that of the operations, less the waits, and four holds a partition and 32 pages for the look-ups. A batch of one is the
// operation. Of a hold: pages_a_hold looks, and copies of the size of a scratch's two pages.

namespace pagefold::inline PAGEFOLD_ABI {

template <store_config Config, partition_policy Place>
template <class Request, class IsGood>
unsigned basic_store<Config, Place>::gather(Request* requests, unsigned count, batch_window& window,
                                            batch_groups& groups, IsGood is_good) noexcept {
    // A pool's pages all go by one route, so that those of a key come to one partition in their order.
    struct {
        std::uint32_t pool = ~std::uint32_t{0};
        pool_route route{};
    } known[pools_a_window];
    for (unsigned i = 0; i < count; ++i) {
        if (!is_good(requests[i])) {
            requests[i].outcome = status::invalid;
            continue;
        }
        located_key& k = window.keys[i];
        k = hasher_.locate(requests[i].key);
        unsigned at = 0;
        while (at < pools_a_window && known[at].pool != k.pool && known[at].pool != ~std::uint32_t{0}) {
            ++at;
        }
        if (at == pools_a_window) {
            return i;
        }
        if (known[at].pool != k.pool) {
            known[at].route = registry_.table().records[k.pool].route.load();
            if (known[at].route.is_moving()) [[unlikely]] {
                return i;
            }
            known[at].pool = k.pool;
        }
        k.route = known[at].route.number;
        window.slots[i] = no_slot;
        groups.add(home_of(k, known[at].route.now), i);
    }
    return count;
}

template <store_config Config, partition_policy Place>
void basic_store<Config, Place>::look_ahead(batch_step last, batch_window& window,
                                            const batch_groups& groups) noexcept {
    for (unsigned step = 0; step <= static_cast<unsigned>(last); ++step) {
        for (const auto& group : groups) {
            partitions_[group.home].look_ahead(static_cast<batch_step>(step), window, group.pages);
        }
    }
}

template <store_config Config, partition_policy Place>
PAGEFOLD_ALWAYS_INLINE void basic_store<Config, Place>::decode_some(const batch_window& window, page_request* requests,
                                                                    const fetched_page* pages, unsigned count,
                                                                    bool are_checked, byte_span scratch,
                                                                    partition_type& partition) noexcept {
    page_to_read from[2];
    page_context of[2];
    bool are_good = true;
    for (unsigned i = 0; i < count; ++i) {
        const auto& found = pages[i].found;
        const located_key& k = window.keys[pages[i].number];
        page_request& one = requests[pages[i].number];
        one.length = partition_state<Config>::length_of(found.e);
        from[i] = {found.stream, one.out.first(one.length)};
        of[i] = context_of(k);
        const bool is_good = are_checked || partition_state<Config>::is_good(found.e, found.stream, k.sum_seed);
        one.outcome = is_good ? status::ok : status::corrupt;
        are_good = are_good && is_good;
    }
    if (count == 2 && are_good) {
        const status_pair outcomes = codec_.unpack_pair(from[0], from[1], scratch, of[0], of[1]);
        requests[pages[0].number].outcome = outcomes.first;
        requests[pages[1].number].outcome = outcomes.second;
    } else {
        for (unsigned i = 0; i < count; ++i) {
            status& outcome = requests[pages[i].number].outcome;
            outcome = outcome == status::ok ? codec_.unpack(from[i].in, from[i].out, scratch, of[i]) : outcome;
        }
    }
    for (unsigned i = 0; i < count; ++i) {
        if (requests[pages[i].number].outcome != status::ok) {
            partition.note_corruption();
        }
    }
}

template <store_config Config, partition_policy Place>
PAGEFOLD_NOINLINE unsigned basic_store<Config, Place>::read_window(page_request* requests, unsigned count,
                                                                   reading how) noexcept {
    batch_window window;
    batch_groups groups;
    count = gather(requests, count, window, groups,
                   [this](const page_request& one) noexcept { return can_read(one.key, one.out); });
    if (groups.begin() == groups.end()) {
        return count; // none of them is good, and there may be no pool yet: nothing is taken, and nobody waited for
    }
    if (is_beyond_cache()) {
        look_ahead(batch_step::streams, window, groups);
    }
    const auto lease = scratch_.acquire();
    std::uint8_t order[batch_window::max_pages];
    unsigned ordered = 0, asked = 0, done = 0;
    for (const auto& group : groups) {
        for (std::uint64_t pages = group.pages; pages != 0; pages &= pages - 1) {
            order[ordered++] = static_cast<std::uint8_t>(trailing_zeros(pages));
        }
    }
    const auto ask = [&](unsigned until) noexcept {
        for (; asked < ordered && asked < until; ++asked) {
            window.streams[order[asked]].prefetch();
        }
    };
    ask(streams_ahead);
    typename partition_type::fetched_pages fetched;
    for (auto& page : fetched.pages) {
        page.found.is_use = how != reading::peek;
    }
    for (const auto& group : groups) {
        partition_type& partition = partitions_[group.home];
        for (std::uint64_t pages = group.pages; pages != 0;) {
            const std::uint64_t before = pages;
            if (lease) {
                partition.fetch_some(window, pages, requests, how == reading::take, lease.both(), fetched);
            }
            if (pages == before) { // the first needs more
                page_request& one = requests[trailing_zeros(pages)];
                one.outcome = lease ? read_with(lease, one.key, one.out, how, one.length) : status::busy;
                pages &= pages - 1;
                ask(++done + streams_ahead);
                continue;
            }
            for (unsigned n = 0; n < fetched.count;) {
                const unsigned some = fetched.count - n > 1 ? 2 : 1;
                done += some;
                ask(done + streams_ahead);
                decode_some(window, requests, fetched.pages + n, some, how == reading::take, lease.scratch(),
                            partition);
                n += some;
            }
        }
    }
    return count;
}

template <store_config Config, partition_policy Place>
PAGEFOLD_NOINLINE unsigned basic_store<Config, Place>::put_window(put_request* requests, unsigned count,
                                                                  acquire_context context) noexcept {
    batch_window window;
    batch_groups groups;
    const auto is_good = [this](const put_request& one) noexcept {
        return is_length(one.page.size()) && is_valid(one.key);
    };
    count = gather(requests, count, window, groups, is_good);
    if (count == 0) {
        return 0;
    }
    if (is_beyond_cache()) {
        look_ahead(batch_step::spans, window, groups);
    }
    // One after the other, as each has the scratch for itself.
    for (unsigned i = 0; i < count; ++i) {
        if (i + 1 < count) {
            const byte_view next = requests[i + 1].page;
            for (std::size_t byte = 0; byte < next.size() && byte < asked_of_next; byte += 64) {
                __builtin_prefetch(next.data() + byte);
            }
        }
        requests[i].outcome = put(requests[i].key, requests[i].page, context);
    }
    return count;
}

template <store_config Config, partition_policy Place>
PAGEFOLD_NOINLINE unsigned basic_store<Config, Place>::erase_window(erase_request* requests, unsigned count) noexcept {
    batch_window window;
    batch_groups groups;
    count = gather(requests, count, window, groups,
                   [this](const erase_request& one) noexcept { return is_valid(one.key); });
    if (count != 0 && is_beyond_cache()) {
        look_ahead(batch_step::spans, window, groups);
    }
    for (const auto& group : groups) {
        for (std::uint64_t pages = group.pages; pages != 0;) {
            const std::uint64_t before = pages;
            partitions_[group.home].erase_some(window, pages, requests);
            if (pages == before) { // the first is elsewhere by now
                erase_request& one = requests[trailing_zeros(pages)];
                one.outcome = erase(one.key);
                pages &= pages - 1;
            }
        }
    }
    return count;
}

/// Window by window. `step(requests, count)` says how many it took; `single(request)` does what has to be done alone.
template <store_config Config, partition_policy Place>
template <class Request, class Step, class Single>
PAGEFOLD_ALWAYS_INLINE void basic_store<Config, Place>::for_windows(Request* requests, std::size_t count, Step step,
                                                                    Single single) noexcept {
    while (count != 0) {
        const unsigned most = static_cast<unsigned>(count < batch_window::max_pages ? count : batch_window::max_pages);
        unsigned taken = most > 1 ? step(requests, most) : 0;
        if (taken == 0) {
            single(*requests);
            taken = 1;
        }
        requests += taken;
        count -= taken;
    }
}

template <store_config Config, partition_policy Place>
void basic_store<Config, Place>::read_many(page_request* requests, std::size_t count, reading how) noexcept {
    for_windows(
        requests, count, [&](page_request* some, unsigned n) noexcept { return read_window(some, n, how); },
        [&](page_request& one) noexcept { one.outcome = read(one.key, one.out, how, one.length); });
}

template <store_config Config, partition_policy Place>
void basic_store<Config, Place>::put_many(put_request* requests, std::size_t count, acquire_context context) noexcept {
    for_windows(
        requests, count, [&](put_request* some, unsigned n) noexcept { return put_window(some, n, context); },
        [&](put_request& one) noexcept { one.outcome = put(one.key, one.page, context); });
}

template <store_config Config, partition_policy Place>
void basic_store<Config, Place>::erase_many(erase_request* requests, std::size_t count) noexcept {
    for_windows(
        requests, count, [&](erase_request* some, unsigned n) noexcept { return erase_window(some, n); },
        [&](erase_request& one) noexcept { one.outcome = erase(one.key); });
}

} // namespace pagefold
