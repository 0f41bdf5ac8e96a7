// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/basic_store.hpp>

// How a store walks a pool; what that promises, and why, is in pool_cursor.hpp.
//
// What is listed comes out through a few places on the stack, and so does the position: the caller's memory is not touched while a
// lock is held, as it may be paged by somebody who needs this store.

namespace pagefold::inline PAGEFOLD_ABI {

template <store_config Config, partition_policy Place>
result<std::size_t> basic_store<Config, Place>::walk(pool_cursor& cursor, walked_page* out, std::size_t room) noexcept {
    constexpr std::size_t most = pool_walk<Config>::steps_a_hold;
    pool_cursor at = cursor;
    if (!is_valid({at.pool, 0, 0})) {
        return status::invalid;
    }
    if (interrupts_itself()) {
        return status::busy;
    }
    std::size_t listed = 0;
    while (listed < room && !at.has_ended()) {
        const pool_route route = route_of(pool_ids::slot(at.pool)).load();
        if (at.passes == 0 || at.route != route.number) {
            at.begin(route);
        }
        walked_page few[most];
        std::size_t count = 0;
        status s = status::ok;
        if (at.partition >= partition_count_) {
            at.end_pass();
        } else {
            s = partitions_[at.partition].walk(at, few, room - listed < most ? room - listed : most, count);
            if (s == status::ok) {
                at.enter_next_partition();
            }
        }
        if (s == status::invalid) {
            return s;
        }
        for (std::size_t i = 0; i < count; ++i) {
            out[listed++] = few[i];
        }
        cursor = at;
        give_way<Config>(between_erasures); // has_moved: the next look at the route finds the newer one
    }
    return listed;
}

} // namespace pagefold
