// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/macros.hpp>
#include <pagefold/store/basic_store.hpp>

// How a store comes to rest, and goes on.

namespace pagefold::inline PAGEFOLD_ABI {

template <store_config Config, partition_policy Place>
status basic_store<Config, Place>::quiesce() noexcept {
    pool_table& table = registry_.table();
    const std::uintptr_t token = partition_type::token();
    // Before anybody waits for this thread: threads that wait fill the room for those that are there.
    if (scratch_.has_slot() || !table.at_locks.arrive(token)) {
        return status::busy;
    }
    if (!registry_.quiesce(token)) {
        table.at_locks.depart(token);
        return status::busy;
    }
    if (!scratch_.quiesce()) {
        registry_.resume(token);
        table.at_locks.depart(token);
        return status::busy;
    }
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
        partitions_[i].quiesce();
    }
    // acquire: what they did to the source, the budget and the tier comes before. They wait for nobody but source and
    // tier. (The lock of a divided source is free then: only who has one of these takes it, or is at memory that the store lends, and came
    // to rest before.)
    while (table.releasing.load(memory_order::acquire) != 0) {
        PAGEFOLD_CPU_RELAX();
    }
    return status::ok;
}

template <store_config Config, partition_policy Place>
void basic_store<Config, Place>::resume() noexcept {
    const std::uintptr_t token = partition_type::token();
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
        partitions_[i].resume();
    }
    scratch_.resume();
    registry_.resume(token);
    registry_.table().at_locks.depart(token);
}

template <store_config Config, partition_policy Place>
void basic_store<Config, Place>::resume_alone() noexcept {
    pool_table& table = registry_.table();
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
        partitions_[i].resume_alone();
    }
    table.at_locks.forget_all();
    scratch_.resume_alone();
    registry_.resume_alone();
    // No id is given out between the two locks of create_pool: whatever is dying was retired.
    for (std::uint32_t slot = 0; slot < table.count; ++slot) {
        table.records[slot].route.forget_holds();
        if (table.records[slot].is_indexing) { // who made it is gone
            const content_index* const content = table.records[slot].content.load(memory_order::relaxed);
            if (content == nullptr || !content->is_ready()) { // else pages may be kept by it
                drain_content(table.records[slot].id);
                free_content(table.records[slot].id);
            }
            registry_.end_indexing(table.records[slot].id);
        }
        if (table.records[slot].stage == pool_stage::dying) {
            drain_and_free(table.records[slot].id);
        }
    }
}

} // namespace pagefold
