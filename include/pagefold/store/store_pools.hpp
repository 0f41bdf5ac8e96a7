// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/basic_store.hpp>

// How a store's pools come and go.

namespace pagefold::inline PAGEFOLD_ABI {

template <store_config Config, partition_policy Place>
result<pool_id> basic_store<Config, Place>::create_pool(const pool_options& options) noexcept {
    if (must_not_wait()) {
        return status::busy;
    }
    const registry_hold held{registry_, partition_type::token()};
    if (!held) {
        return status::busy;
    }
    if (options.weight == 0 || options.reserved_bytes > options.cap_bytes || !options.is_consistent() ||
        (!has_tier && options.on_pressure == pressure_action::demote) || !can_keep_to(options)) {
        return status::invalid;
    }
    if (options.codec >= codec_.codec_count() || options.admission >= codec_.admission_count()) {
        return status::invalid;
    }
    if (const status s = set_up(); s != status::ok) {
        return s;
    }
    if (options.parent != pool_id{} && !registry_.is_sealed(options.parent)) {
        return status::invalid;
    }
    if (!has_room_on_node(options)) {
        return status::limit;
    }
    const std::size_t limit = budget_.limit(), fixed = set_up_bytes();
    const result<pool_id> id = registry_.open(options, limit > fixed ? limit - fixed : 0);
    if (!id) {
        return id;
    }
    for (std::size_t i = 0; i < partition_count_; ++i) {
        if (const status s = partitions_[i].open_pool(*id); s != status::ok) {
            while (i > 0) {
                partitions_[--i].close_pool(*id);
            }
            registry_.free(*id);
            trim_pools(); // what it had made the partitions take for its slot
            return s;
        }
    }
    registry_.publish(*id);
    return id;
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::destroy_pool(pool_id id) noexcept {
    if (must_not_wait()) {
        return status::busy;
    }
    {
        const registry_hold held{registry_, partition_type::token()};
        if (!held) {
            return status::busy;
        }
        if (registry_.has_children(id)) {
            return status::busy;
        }
        if (!registry_.retire(id)) {
            return status::invalid;
        }
    }
    drain_and_free(id);
    return status::ok;
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::set_codec(pool_id id, unsigned codec) noexcept {
    return set_choice(id, &pool_record::codec, codec, codec_.codec_count());
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::set_admission(pool_id id, unsigned admission) noexcept {
    return set_choice(id, &pool_record::admission, admission, codec_.admission_count());
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::set_choice(pool_id id, atomic<std::uint8_t> pool_record::*which, unsigned number,
                                              unsigned count) noexcept {
    if (number >= count) {
        return status::invalid;
    }
    if (must_not_wait()) {
        return status::busy;
    }
    const registry_hold held{registry_, partition_type::token()}; // or the record might be another pool's meanwhile
    if (!held) {
        return status::busy;
    }
    if (!is_valid({id, 0, 0})) {
        return status::invalid;
    }
    // relaxed: it orders nothing. Every stream says who wrote it.
    (registry_.table().records[pool_ids::slot(id)].*which)
        .store(static_cast<std::uint8_t>(number), memory_order::relaxed);
    return status::ok;
}

template <store_config Config, partition_policy Place>
void basic_store<Config, Place>::drain_and_free(pool_id id) noexcept {
    for (std::size_t i = 0; i < partition_count_; ++i) {
        partitions_[i].close_pool(id);
    }
    for (std::size_t i = 0; i < partition_count_; ++i) {
        while (!partitions_[i].drain_pool(pool_ids::slot(id))) {
            give_way<Config>(between_erasures);
        }
    }
    drain_content(id);
    const registry_hold held{registry_, partition_type::token()};
    PAGEFOLD_CHECK(static_cast<bool>(held));
    free_pool(id);
}

template <store_config Config, partition_policy Place>
void basic_store<Config, Place>::free_pool(pool_id id) noexcept {
    const std::uint32_t before = registry_.bound();
    free_content(id);
    registry_.free(id);
    if (registry_.bound() < before) {
        trim_pools();
    }
}

template <store_config Config, partition_policy Place>
void basic_store<Config, Place>::trim_pools() noexcept {
    for (std::size_t i = 0; i < partition_count_; ++i) {
        partitions_[i].trim_pools(registry_.bound());
    }
}

template <store_config Config, partition_policy Place>
bool basic_store<Config, Place>::can_keep_to(const pool_options& options) const noexcept {
    if (options.node != any_node && (is_strict(options.node) || strictly(options.node) == any_node)) {
        return false; // no node has such a number
    }
    if (!options.strict_node || options.node == any_node) {
        return true;
    }
    if (host_.node_status(options.node) != status::ok) {
        return false;
    }
    // The pool's pages may come to any partition that the place policy picks for this node.
    const node_id must = strict_partition_policy<Place> ? strictly(options.node) : options.node;
    for (std::uint64_t extent = 0; extent < 4 * partition_count_; ++extent) {
        const page_key probe{pool_id{}, 0, extent * extent_pages};
        const node_id wish = strictly(options.node);
        if (place_.node(pagefold::home_of(place_, probe, mix(extent, 0), wish, partition_count_)) != must) {
            return false;
        }
    }
    return true;
}

/// Whether what pools reserve strictly on the node is within its limit together with this one. The registry's lock is held.
template <store_config Config, partition_policy Place>
bool basic_store<Config, Place>::has_room_on_node(const pool_options& options) const noexcept {
    const byte_budget* const budget =
        options.strict_node && options.node != any_node ? find_budget(options.node) : nullptr;
    if (budget == nullptr) {
        return true;
    }
    const std::size_t limit = budget->limit();
    return options.reserved_bytes <= limit &&
           registry_.reserved_strictly_on(options.node) <= limit - options.reserved_bytes;
}

} // namespace pagefold
