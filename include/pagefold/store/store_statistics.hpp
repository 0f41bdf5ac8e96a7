// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/basic_store.hpp>

// What a store says of itself, and how it checks itself.

namespace pagefold::inline PAGEFOLD_ABI {

template <store_config Config, partition_policy Place>
store_stats basic_store<Config, Place>::stats() const noexcept {
    store_stats s{};
    for (std::size_t i = 0; partitions_ready() && i < partition_count_; ++i) {
        partitions_[i].add_to(s);
    }
    if constexpr (has_tier) {
        s.tier_read_fail = this->own_stage.failed_reads();
        s.tier_forget_fail += this->own_stage.forget_failures();
    }
    s.mem_limit = budget_.limit();
    s.mem_used_max = budget_.peak();
    s.total_bytes = budget_.used();
    s.metadata_bytes = s.total_bytes > s.mem_used_total ? s.total_bytes - s.mem_used_total : 0;
    std::uint64_t charged = 0;
    const pool_table& table = registry_.table();
    for (std::uint32_t i = 0; i < table.bound.load(memory_order::relaxed); ++i) {
        charged += pool_charge::of(table, table.records[i]);
        s.content_indexes_size += table.records[i].content_bytes.load(memory_order::relaxed);
    }
    s.fixed_bytes = s.total_bytes > charged ? s.total_bytes - charged : 0;
    return s;
}

template <store_config Config, partition_policy Place>
result<store_stats> basic_store<Config, Place>::stats(node_id node) const noexcept {
    const byte_budget* const budget = budget_on(node);
    if (!partitions_ready() || (budget == nullptr && node != any_node)) {
        return status::invalid;
    }
    store_stats s{};
    for (std::size_t i = 0; i < partition_count_; ++i) {
        if (node_of(place_.node(i)) == node) {
            partitions_[i].add_to(s);
        }
    }
    if (budget != nullptr) {
        s.mem_limit = budget->limit();
        s.mem_used_max = budget->peak();
        s.total_bytes = budget->used();
    } else {
        s.mem_limit = budget_.limit();
        s.total_bytes = budget_.used();
        for (std::size_t i = 0; i < node_parts_.size(); ++i) {
            const std::size_t elsewhere = node_parts_[i].budget.used();
            s.total_bytes = s.total_bytes > elsewhere ? s.total_bytes - elsewhere : 0;
        }
        s.mem_used_max = s.total_bytes;
    }
    s.metadata_bytes = s.total_bytes - (s.mem_used_total < s.total_bytes ? s.mem_used_total : s.total_bytes);
    return s;
}

template <store_config Config, partition_policy Place>
result<pool_stats> basic_store<Config, Place>::statistics_of(pool_id id) const noexcept {
    pool_stats s{};
    if (!is_valid({id, 0, 0})) {
        return status::invalid;
    }
    for (std::size_t i = 0; i < partition_count_; ++i) {
        if (!partitions_[i].add_to(s, id)) {
            return status::invalid;
        }
    }
    const pool_table& table = registry_.table();
    s.used_bytes = pool_charge::of(table, table.records[pool_ids::slot(id)]);
    s.content_index_size = table.records[pool_ids::slot(id)].content_bytes.load(memory_order::relaxed);
    return s;
}

template <store_config Config, partition_policy Place>
bool basic_store<Config, Place>::check() const noexcept {
    std::size_t bytes = divided_.idle_bytes() + divided_.table_bytes();
    for (std::size_t i = 0; partitions_ready() && i < partition_count_; ++i) {
        if (!partitions_[i].check()) {
            return false;
        }
        bytes += partitions_[i].bytes_taken();
    }
    for (std::uint32_t slot = 0; slot < registry_.table().count; ++slot) {
        bytes += registry_.table().records[slot].content_bytes.load(memory_order::relaxed);
    }
    if (!check_nodes()) {
        return false;
    }
    bytes += lent_.load(memory_order::relaxed);
    return bytes + set_up_bytes() + scratch_.bytes() == budget_.used() && check_pools() && divided_.check();
}

/// Whether each node's budget is what its partitions took, and the scratch there.
template <store_config Config, partition_policy Place>
bool basic_store<Config, Place>::check_nodes() const noexcept {
    bool good = true;
    for (std::size_t n = 0; n < node_parts_.size(); ++n) {
        const node_part& part = node_parts_[n];
        std::size_t bytes = scratch_.bytes_on(part);
        for (std::size_t i = 0; i < partitions_.size(); ++i) {
            bytes += node_of(place_.node(i)) == part.node ? partitions_[i].bytes_taken() : 0;
        }
        good = good && bytes == part.budget.used();
    }
    return good;
}

/// Whether the records say of each pool what the partitions do.
template <store_config Config, partition_policy Place>
bool basic_store<Config, Place>::check_pools() const noexcept {
    const registry_hold held{registry_, partition_type::token()};
    for (std::uint32_t slot = 0; partitions_ready() && slot < registry_.table().count; ++slot) {
        const pool_record& record = registry_.table().records[slot];
        std::size_t payload = 0, tables = 0;
        for (std::size_t i = 0; i < partition_count_; ++i) {
            const auto share = partitions_[i].share_of(slot);
            if (share.id != (record.stage == pool_stage::live ? record.id : pool_id{})) {
                return false;
            }
            payload += share.payload;
            tables += share.tables;
        }
        if (payload != record.payload.load(memory_order::relaxed) ||
            tables != record.tables.load(memory_order::relaxed)) {
            return false;
        }
    }
    return registry_.check();
}

} // namespace pagefold
