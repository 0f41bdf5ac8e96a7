// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/basic_store.hpp>

// How a store puts, reads and erases pages.

namespace pagefold::inline PAGEFOLD_ABI {

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::place_stream(partition_id home, const located_key& k, byte_view stream) noexcept {
    const std::uint64_t sum = checksum(stream, k.sum_seed);
    partition_type& target = partitions_[home];
    typename partition_type::put_terms terms;
    put_effort effort;
    for (;;) {
        const auto outcome = target.put(k, stream, sum, held_back_from(k), terms);
        if (outcome.wants_rates) {
            reclaimer_.renew_rates();
        }
        const bool met_limit = outcome.result == status::limit || outcome.has_dropped;
        if (met_limit && !effort.has_met_limit) {
            effort.has_met_limit = true;
            target.note_limit();
        }
        if (terms.is_last || (outcome.result != status::limit && outcome.result != status::no_memory)) {
            return outcome.result;
        }
        terms.is_last = !reclaimer_.make_room(home, k, outcome, terms, effort);
    }
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::read(const page_key& key, byte_span out, bool removing) noexcept {
    if (out.size() != page_size || !is_valid(key)) {
        return status::invalid;
    }
    const auto lease = scratch_.acquire();
    if (!lease) {
        return status::busy;
    }
    const located_key k = hasher_.locate(key);
    partition_type& partition = partitions_[home_of(k)];
    typename partition_type::fetched found;
    if (const status s = partition.fetch(k, out, lease.buffer(), removing, found); s != status::ok) {
        return s;
    }
    status s = removing || found.e.matches(checksum(found.stream, k.sum_seed)) ? status::ok : status::corrupt;
    if (s == status::ok) {
        s = codec_.unpack(found.stream, out, lease.scratch());
    }
    if (s != status::ok) {
        partition.note_corruption();
    }
    return s;
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
    for (std::size_t i = 0; i < partition_count_; ++i) {
        range_cursor cursor{first / extent_pages};
        status s = status::busy;
        while (s == status::busy) {
            s = partitions_[i].erase_range(pool, object, first, last, cursor, erased);
            give_way<Config>(between_erasures);
        }
    }
    return erased;
}

} // namespace pagefold
