// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/partition_state.hpp>

#include <cstddef>

// What a partition knows of keys whose pages left: its ghost, for the eviction policies of its pools (partition_ghost.hpp), and,
// where the admission policy remembers, for admission as well (shared_ghost.hpp). Where neither does all of this is nothing.

namespace pagefold::inline PAGEFOLD_ABI {

template <store_config Config>
unsigned partition_state<Config>::eviction_percent() const noexcept {
    if constexpr (remembering_policy<eviction_type>) {
        return new_policy.ghost_percent();
    } else {
        return 0;
    }
}

template <store_config Config>
void partition_state<Config>::grow_ghost() noexcept {
    if constexpr (admission_remembers) {
        ghost.follow(ephemeral_pages, allocator.bytes_held() + index.bytes());
    } else if constexpr (remembering_policy<eviction_type>) {
        ghost.follow(ephemeral_pages, eviction_percent(), allocator.bytes_held() + index.bytes());
    }
}

template <store_config Config>
bool partition_state<Config>::trim_ghost() noexcept {
    if constexpr (admission_remembers) {
        return ghost.trim(ephemeral_pages, ghost_type::counted_limit(source.limit()) / table.partitions,
                          Config::page_size);
    } else if constexpr (remembering_policy<eviction_type>) {
        return ghost.trim(ephemeral_pages, eviction_percent());
    } else {
        return true;
    }
}

template <store_config Config>
bool partition_state<Config>::has_long_ghost() noexcept {
    if constexpr (admission_remembers) {
        return ghost.is_long(ephemeral_pages, ghost_type::counted_limit(source.limit()) / table.partitions,
                             Config::page_size);
    } else {
        return false;
    }
}

template <store_config Config>
std::size_t partition_state<Config>::charged_ghost_bytes() const noexcept {
    if constexpr (admission_remembers) {
        return ghost.charged_bytes(allocator.bytes_held() + index.bytes());
    } else {
        return ghost.bytes();
    }
}

template <store_config Config>
key_past partition_state<Config>::past_of(const pool_state& pool, const located_key& k, slot_id slot) noexcept {
    if constexpr (admission_remembers) {
        if (!pool.is_ephemeral()) {
            return key_past::untold;
        }
        return slot != no_slot ? key_past::stored
                               : ghost.ask(k.sum_seed, ghost_type::counted_limit(source.limit()) / table.partitions,
                                           Config::page_size);
    } else {
        static_cast<void>(pool);
        static_cast<void>(k);
        static_cast<void>(slot);
        return key_past::untold;
    }
}

template <store_config Config>
void partition_state<Config>::note_left(const pool_state& pool, const located_key& k) noexcept {
    if constexpr (admission_remembers) {
        if (pool.is_ephemeral()) {
            ghost.note_left(k.sum_seed);
        }
    } else {
        static_cast<void>(pool);
        static_cast<void>(k);
    }
}

template <store_config Config>
void partition_state<Config>::note_arrival(const located_key& k) noexcept {
    // A policy that remembers has recalled it.
    if constexpr (admission_remembers && !remembering_policy<eviction_type>) {
        ghost.note_arrival(k.sum_seed);
    } else {
        static_cast<void>(k);
    }
}

template <store_config Config>
void partition_state<Config>::note_opening(const pool_state& pool) noexcept {
    if constexpr (admission_remembers) {
        if (pool.is_ephemeral()) {
            ghost.pool_opened();
        }
    } else {
        static_cast<void>(pool);
    }
}

template <store_config Config>
void partition_state<Config>::note_closing(const pool_state& pool) noexcept {
    if constexpr (admission_remembers) {
        if (pool.is_ephemeral()) {
            ghost.pool_closed();
        }
    } else {
        static_cast<void>(pool);
    }
}

} // namespace pagefold
