// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/atomic.hpp>
#include <pagefold/core/types.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold {

/// What create_pool is told.
struct pool_options {
    pool_kind kind = pool_kind::persistent;
    /// Most bytes that the pool may use (streams rounded up, and their entries). A persistent pool refuses puts beyond
    /// it, an ephemeral one drops its own pages.
    std::size_t cap_bytes = ~std::size_t{0};
    /// Bytes that other pools can't take, neither by filling the store nor by having this pool's pages dropped.
    std::size_t reserved_bytes = 0;
    /// Share of the memory of ephemeral pools, against the other pools' weights; at least 1. The pool furthest over its
    /// share loses pages first.
    std::uint32_t weight = 100;
    /// The memory node that the pool's pages should be on.
    node_id node = any_node;
    /// Whether create_pool fails with `invalid` where the store can't keep to that node, instead of taking it as a wish.
    bool strict_node = false;
};

/// A pool as all partitions share it. The options don't change while the pool lives.
struct pool_record {
    pool_options options;
    pool_id id{};                    // of the pool that has the slot now, or had it last
    bool live = false;               // guarded by the store's pool lock
    atomic<std::size_t> used{0};     // counted only where a cap or a reservation needs it
    atomic<std::size_t> reserved{0}; // options.reserved_bytes while the pool lives
    atomic<node_id> node{any_node}; // options.node, for whoever comes with the id of a pool that may be gone: any value
                                    // will do then, since no partition knows the id

    [[nodiscard]] bool is_metered() const noexcept {
        return options.cap_bytes != ~std::size_t{0} || options.reserved_bytes != 0;
    }
};

/// The records of all pools, and whether any of them is to be looked at in every put.
struct pool_table {
    pool_record* records = nullptr;
    std::uint32_t count = 0;
    atomic<std::uint32_t> reserving{0}; // pools with a reservation; read without order: reservations are met to within
                                        // what other threads are just now storing
};

// A pool id: slot in bits 0..11, kind in bit 12, generation in bits 13..31 (never 0, so that pool_id{} names no pool).
namespace pool_ids {

inline constexpr unsigned slot_bits = 12;
inline constexpr unsigned generation_bits = 19;

[[nodiscard]] constexpr std::uint32_t slot(pool_id id) noexcept {
    return static_cast<std::uint32_t>(id) & ((1u << slot_bits) - 1);
}
[[nodiscard]] constexpr pool_kind kind(pool_id id) noexcept {
    return (static_cast<std::uint32_t>(id) >> slot_bits & 1u) != 0 ? pool_kind::ephemeral : pool_kind::persistent;
}
[[nodiscard]] constexpr std::uint32_t generation(pool_id id) noexcept {
    return static_cast<std::uint32_t>(id) >> (slot_bits + 1);
}
/// The id of the next pool in a slot.
[[nodiscard]] constexpr pool_id next(pool_id last, std::uint32_t slot, pool_kind kind) noexcept {
    std::uint32_t generation_number = (generation(last) + 1) & ((1u << generation_bits) - 1);
    generation_number += generation_number == 0 ? 1 : 0;
    return static_cast<pool_id>(generation_number << (slot_bits + 1) |
                                (kind == pool_kind::ephemeral ? 1u << slot_bits : 0u) | slot);
}

} // namespace pool_ids

} // namespace pagefold
