// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/basic_store.hpp>

// What a store makes at its first pool, and what of that is on which node; and what it lends.

namespace pagefold::inline PAGEFOLD_ABI {

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::set_up() noexcept {
    pool_table& table = registry_.table();
    status s = divided_.can_divide() ? status::ok : status::invalid;
    if (s != status::ok) {
        return s;
    }
    if (records_.size() == 0) {
        s = records_.create(Config::max_pools, [](void* place, std::size_t) noexcept { ::new (place) pool_record{}; });
        table.records = records_.data();
        table.count = static_cast<std::uint32_t>(records_.size());
        table.partitions = static_cast<std::uint32_t>(partition_count_);
    }
    if (s == status::ok && node_parts_.size() == 0) {
        s = make_node_parts();
    }
    if (s == status::ok) {
        s = scratch_.set_up();
    }
    if (s == status::ok && gauges_.size() == 0) {
        s = gauges_.create(partition_count_,
                           [](void* place, std::size_t) noexcept { ::new (place) partition_gauge{}; });
    }
    if (s == status::ok && partitions_.size() == 0) {
        s = partitions_.create(
            partition_count_, [this](std::size_t i) noexcept { return place_.node(i); },
            [&](void* place, std::size_t i) noexcept {
                const node_id node = place_.node(i);
                byte_budget* const own = find_budget(node);
                ::new (place) partition_type{
                    source_ref_, own != nullptr ? *own : budget_, table,        hasher_, gauges_[i], node,
                    new_policy_, codec_.ghost_percent(),          this->stage()};
            });
        if (s == status::ok) {
            most_packed_ = partitions_[0].most_packed();
            reclaimer_.set_partitions(partitions_, gauges_.data());
            // Releases the partitions to threads that come with no pool id (stats); a pool id carries its own order.
            ready_.store(1, memory_order::release);
        }
    }
    return s;
}

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::make_node_parts() noexcept {
    // The lowest partition of each node stands for it.
    const auto stands_for_its_node = [this](std::size_t i) noexcept {
        const node_id node = node_of(place_.node(i));
        bool is_first = node != any_node;
        for (std::size_t j = 0; j < i && is_first; ++j) {
            is_first = node_of(place_.node(j)) != node;
        }
        return is_first;
    };
    std::size_t nodes = 0;
    for (std::size_t i = 0; i < partition_count_; ++i) {
        nodes += stands_for_its_node(i) ? 1u : 0u;
    }
    std::size_t next = 0;
    if (nodes == 0) {
        return status::ok;
    }
    const status s = node_parts_.create(nodes, [&](void* place, std::size_t) noexcept {
        while (!stands_for_its_node(next)) {
            ++next;
        }
        ::new (place) node_part{node_of(place_.node(next++)), source_ref_, budget_};
    });
    scratch_.set_nodes(node_parts_.data(), node_parts_.size());
    return s;
}

template <store_config Config, partition_policy Place>
result<void*> basic_store<Config, Place>::lend(std::size_t pages, acquire_context context) noexcept {
    const std::size_t size = source_ref_.page_size();
    if (pages == 0 || pages > ~std::size_t{0} / size || !divided_.can_divide()) {
        return status::invalid;
    }
    if (!budget_.charge(pages * size, held_back_from_lent())) {
        return status::limit;
    }
    context.may_sleep = context.may_sleep && sleepable_lock<typename Config::lock_type>;
    const result<void*> memory = source_ref_.acquire(pages, any_node, context);
    if (memory) {
        lent_.fetch_add(pages * size, memory_order::relaxed); // a meter
    } else {
        budget_.give_back(pages * size);
    }
    return memory;
}

template <store_config Config, partition_policy Place>
bool basic_store<Config, Place>::has_room(std::size_t pages) noexcept {
    const std::size_t size = source_ref_.page_size(), held_back = held_back_from_lent();
    const std::size_t limit = budget_.limit(), used = budget_.used();
    return !is_refusing() && used <= limit && held_back <= limit - used && pages <= (limit - used - held_back) / size;
}

template <store_config Config, partition_policy Place>
void basic_store<Config, Place>::take_back(void* memory, std::size_t pages) noexcept {
    const std::size_t bytes = pages * source_ref_.page_size();
    source_ref_.release(memory, pages);
    lent_.fetch_sub(bytes, memory_order::relaxed);
    budget_.give_back(bytes);
}

} // namespace pagefold
