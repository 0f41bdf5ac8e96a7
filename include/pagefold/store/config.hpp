// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/admit/concept.hpp>
#include <pagefold/alloc/concept.hpp>
#include <pagefold/compress/concept.hpp>
#include <pagefold/evict/concept.hpp>
#include <pagefold/place/concept.hpp>
#include <pagefold/platform/concept.hpp>
#include <pagefold/platform/locality.hpp>
#include <pagefold/platform/parking.hpp>
#include <pagefold/store/limited_source.hpp>
#include <pagefold/tier/concept.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

// store_config: the named choices that make a store. Derive from default_config and override lines.
//
//   C::page_size               bytes of a page: 4096, 16384 or 65536
//   C::compressor_type         compressor
//   C::allocator_type<S, N>    object_allocator over page source S for objects of up to N = page_size bytes
//   C::eviction_type           eviction_policy for the pages of ephemeral pools, and of those that demote
//   C::admission_type          admission_policy
//   C::tier_type               backing_tier for the pages of pools that demote; no_tier: there are no such pools
//   C::lock_type               lockable; one a partition. null_lock where one thread at a time uses the store
//   C::place_type              partition_policy of a partitioned_store
//   C::max_pools               pools at a time, at most 4096
//   C::sparse_candidates       when pages must go to give memory back: how many candidates of the eviction policy may be
//                              passed over for one whose span is nearly empty; 0 keeps to the policy's order. Otherwise
//                              the allocator must be span-aware
//   C::max_scratch             operations that compress or decompress at the same time; more wait. At most 64 are used
//   C::parking_type            parking: how who waits for a scratch sleeps, and how the host tells its threads apart
//   C::locality_type           locality: on which memory node a thread works, so that its scratch is there. Asked only where
//                              partitions are on several nodes
//   C::variable_length         optional; true: a store of values, of any length up to page_size, each with its own. An entry takes
//                              16 bytes, with the length and 43 bits of checksum, whatever checksum_bits says
//   C::delta_type              optional; delta_codec for pages of page_size, which must be 4096: pools may be clones of a sealed one
//                              (clone.hpp). Not together with a tier or variable_length
//   C::logs_changes            optional; true: pools can be migrated to another store while they are in use (migration_stream.hpp).
//                              A partition's record of a pool grows by two words, and a change of a page looks at one
//   C::checksum_bits           28 or 60 bits of checksum kept for each page: an entry takes 12 or 16 bytes, and damage passes
//                              unnoticed once in 2^28 times, or 2^60

namespace pagefold::inline PAGEFOLD_ABI {

/// Whether a store keeps values of any length up to its page size, and not pages alone.
template <class C>
inline constexpr bool keeps_values = requires {
    requires C::variable_length;
};

/// Whether a store's pools may have a parent.
template <class C>
inline constexpr bool keeps_clones = requires {
    requires delta_codec<typename C::delta_type>;
};

/// Whether changes in a store's pools can be noted for who migrates them.
template <class C>
inline constexpr bool notes_changes = requires {
    requires C::logs_changes;
};

namespace detail {

template <class C>
[[nodiscard]] constexpr bool can_keep_clones() noexcept {
    if constexpr (keeps_clones<C>) {
        return C::page_size == 4096 && C::delta_type::page_size == C::page_size && !keeps_values<C> &&
               !takes_pages<typename C::tier_type>;
    } else {
        return true;
    }
}

} // namespace detail

// clang-format off
template <class C>
concept store_config =
    (C::page_size == 4096 || C::page_size == 16384 || C::page_size == 65536) &&
    compressor<typename C::compressor_type> &&
    object_allocator<typename C::template allocator_type<limited_source, C::page_size>> &&
    (C::template allocator_type<limited_source, C::page_size>::max_size >= C::page_size) &&
    eviction_policy<typename C::eviction_type> &&
    admission_policy<typename C::admission_type> &&
    backing_tier<typename C::tier_type> &&
    lockable<typename C::lock_type> && std::is_nothrow_default_constructible_v<typename C::lock_type> &&
    partition_policy<typename C::place_type> &&
    parking<typename C::parking_type> && locality<typename C::locality_type> &&
    (C::checksum_bits == 28 || C::checksum_bits == 60) &&
    detail::can_keep_clones<C>() &&
    (C::max_pools >= 1 && C::max_pools <= 4096) && (C::max_scratch >= 1) &&
    (C::sparse_candidates == 0 ||
     (C::sparse_candidates <= 1024 && span_aware_allocator<typename C::template allocator_type<limited_source, C::page_size>>));
// clang-format on

/// What a store is told when it is made.
struct store_options {
    /// Most bytes to take from the page source, everything included.
    std::size_t limit_bytes = ~std::size_t{0};
    /// For a partitioned_store: how many partitions, from 1 to 1024. Two for each thread that works at a time are plenty.
    std::size_t partitions = 8;
    /// The secret of the store's hash of keys, which tenants must not know: 0 takes one from the host (host_seed). Give one
    /// where runs should be alike, or where the host has no random numbers and the caller has.
    std::uint64_t seed = 0;
    /// Once a put found the store full, pages that it would have to keep are refused with `limit`, until no more than so many
    /// percent of the limit are taken (zswap's accept_threshold_percent), or no page is left: what an empty store takes may be
    /// more. 100: as soon as there is room. Pools that drop or demote their pages make their own room, and those below their
    /// reservation have theirs: they are not refused for this.
    unsigned accept_percent = 100;
};

} // namespace pagefold
