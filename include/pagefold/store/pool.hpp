// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/atomic.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/store/pool_route.hpp>
#include <pagefold/store/presence.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// What create_pool is told.
struct pool_options {
    pool_kind kind = pool_kind::persistent;
    /// Most bytes that the pool may use, in the currency of the store's limit: streams as they are placed, their share of
    /// tables and slack. A persistent pool refuses puts beyond it, an ephemeral one drops its own pages.
    std::size_t cap_bytes = ~std::size_t{0};
    /// Bytes that other pools can't take, neither by filling the store nor by having this pool's pages dropped.
    std::size_t reserved_bytes = 0;
    /// Share of the memory of pools that drop or demote, against the other pools' weights; at least 1. The pool furthest over
    /// its share loses pages first.
    std::uint32_t weight = 100;
    /// The memory node that the pool's pages should be on.
    node_id node = any_node;
    /// Whether the pool's pages must be on that node: create_pool fails with `invalid` where the store or its page source can't
    /// keep to it, and puts are refused where the node has no memory left. Else the node is a wish.
    bool strict_node = false;
    /// The codec for the pool's new pages, by its number, where the store's compressor chooses among several (routed). One that
    /// there is not is `invalid`; so is any but 0 where there is one codec.
    std::uint8_t codec = 0;
    /// The same for the admission policy (by_pool).
    std::uint8_t admission = 0;
    /// What happens to its pages when memory is short. `demote` is for persistent pools of a store with a backing tier.
    pressure_action on_pressure = pressure_action::as_kind;
    /// Of a pool that demotes: whether a page that is read in the tier comes back where there is room for it.
    bool promotes = true;
    /// A sealed pool that this one is a clone of, in a store that has clones (clone.hpp), or none. One that isn't sealed is
    /// `invalid`.
    pool_id parent{};

    /// Whether kind and answer to pressure go together.
    [[nodiscard]] constexpr bool is_consistent() const noexcept {
        return on_pressure == pressure_action::as_kind ||
               (kind == pool_kind::ephemeral
                    ? on_pressure == pressure_action::drop
                    : on_pressure == pressure_action::keep || on_pressure == pressure_action::demote);
    }
    [[nodiscard]] constexpr node_id wish() const noexcept { return strict_node ? strictly(node) : node; }
};

class content_index;

/// A pool's life: a slot is free, its pool is live, and then dying until its last page is gone.
enum class pool_stage : std::uint8_t { free, live, dying };

inline constexpr std::uint32_t max_pool_slots = 4096;

/// A pool as all partitions share it. Options, id and stage are guarded by the registry's lock; a partition reads the
/// options of pools that are open in it, which are set before and don't change while the pool lives. What everybody reads
/// without a lock is atomic, and relaxed: each is a number that somebody compares, and orders nothing.
struct alignas(64) pool_record {
    atomic<std::size_t> payload{0};  // bytes that the pool's streams occupy
    atomic<std::size_t> tables{0};   // bytes of the index that are its pages'
    atomic<std::size_t> reserved{0}; // options.reserved_bytes while the pool lives
    atomic<std::size_t> unmet{0};    // of those, what it does not use; its part of pool_table::unmet
    atomic<std::uint32_t> weight{0}; // options.weight of a live pool whose pages can leave, else 0
    std::uint32_t children = 0;      // pools that have it as their parent; guarded by the registry's lock
    shared_route route{};            // for whoever comes with the id of a pool that may be gone
    atomic<std::size_t> live{
        0}; // the pool's id (of 32 bits, its low half) from its first moment to the first of its end
    atomic<std::uint8_t> codec{0};         // options.codec, or what was set since
    atomic<std::uint8_t> admission{0};     // the same of options.admission
    atomic<std::uint16_t> behind{0};       // of pool_balance: the partition whose pages of the pool should go next
    atomic<std::uint32_t> demotes{0};      // 1: it is live, and its pages leave to the tier
    atomic<std::uint32_t> behind_turns{0}; // how far the hands of that partition were
    atomic<std::uint16_t> questions{0};    // where pages should go
    pool_stage stage = pool_stage::free;
    bool is_sealed = false;   // as children
    bool is_indexing = false; // somebody makes its content index, and counts as a child; as children
    pool_id id{};             // of the pool that has the slot now, or had it last
    pool_options options{};
    atomic<content_index*> content{nullptr}; // of a sealed pool, perhaps; set and reset with the registry's lock held
    atomic<std::size_t> content_bytes{0};    // of it, charged to the pool
};

/// What partitions share: the records of all pools, what they come to together, and who is at a lock.
struct pool_table {
    pool_record* records = nullptr;
    std::uint32_t count = 0;
    std::uint32_t partitions = 1;                // that share a limit; set once, before anybody has a pool
    atomic<std::uint32_t> bound{0};              // no slot at or above it is in use
    atomic<std::size_t> unmet{0};                // sum of the records' unmet reservations
    atomic<std::uint32_t> payload_rate{0x10000}; // what a byte of payload is charged, in 65536ths
    atomic<std::uint32_t> tables_rate{0x10000};  // the same for a byte of the index
    presence at_locks{};                         // threads that are at a partition's lock
    atomic<std::uint32_t> releasing{0};          // of those: that let it go, and are at the source or the tier
};

// A pool id: slot in bits 0..11, kind in bit 12, generation in bits 13..63 (never 0, so that pool_id{} names no pool).
namespace pool_ids {

inline constexpr unsigned slot_bits = 12;
static_assert(max_pool_slots == 1u << slot_bits);

[[nodiscard]] constexpr std::uint32_t slot(pool_id id) noexcept {
    return static_cast<std::uint32_t>(static_cast<std::uint64_t>(id) & (max_pool_slots - 1));
}
[[nodiscard]] constexpr pool_kind kind(pool_id id) noexcept {
    return (static_cast<std::uint64_t>(id) >> slot_bits & 1u) != 0 ? pool_kind::ephemeral : pool_kind::persistent;
}
[[nodiscard]] constexpr std::uint64_t generation(pool_id id) noexcept {
    return static_cast<std::uint64_t>(id) >> (slot_bits + 1);
}
/// What tells a live pool of a slot from those before it in a word, and is never 0; of 32 bits, with half of the generation.
[[nodiscard]] constexpr std::size_t mark(pool_id id) noexcept { return static_cast<std::size_t>(id) | 1u; }
/// The id of the next pool in a slot; `pool_id{}` after 2^51 − 1 of them, when the slot is used up.
[[nodiscard]] constexpr pool_id next(pool_id last, std::uint32_t slot, pool_kind kind) noexcept {
    const std::uint64_t number = (generation(last) + 1) << (slot_bits + 1);
    return number == 0 ? pool_id{}
                       : static_cast<pool_id>(number | (kind == pool_kind::ephemeral ? 1u << slot_bits : 0u) | slot);
}

} // namespace pool_ids

} // namespace pagefold
