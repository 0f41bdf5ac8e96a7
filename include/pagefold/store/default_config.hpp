// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/admit/always.hpp>
#include <pagefold/alloc/zs.hpp>
#include <pagefold/compress/chain.hpp>
#include <pagefold/compress/page_or_lz.hpp>
#include <pagefold/evict/probation_clock.hpp>
#include <pagefold/place/hashed.hpp>
#include <pagefold/platform/host_locality.hpp>
#include <pagefold/platform/host_parking.hpp>
#include <pagefold/platform/parking_lock.hpp>
#include <pagefold/store/config.hpp>
#include <pagefold/tier/none.hpp>

#include <cstddef>

namespace pagefold::inline PAGEFOLD_ABI {

/// The choices that a user gets without choosing. Derive from it and override what should differ:
///
///     struct mine : pagefold::default_config { using eviction_type = pagefold::lru; };
///
/// It needs no library. The codec is the page codec where the machine has vectors for it, else lz_block; a freestanding
/// build takes what its compiler's target has.
struct default_config {
    static constexpr std::size_t page_size = 4096;
    using compressor_type = chain<page_or_lz>;
    template <class Source, std::size_t PageSize>
    using allocator_type = zs<Source, PageSize>;
    using eviction_type = probation_clock;
    using admission_type = always;
    using tier_type = no_tier;
    using parking_type = host_parking;
    using lock_type = parking_lock<parking_type>;
    using locality_type = host_locality;
    using place_type = hashed;
    static constexpr unsigned sparse_candidates = 0;
    static constexpr unsigned max_pools = 64;
    static constexpr unsigned max_scratch = 64;
    static constexpr unsigned checksum_bits = 28;
    static constexpr bool variable_length = false;
};

} // namespace pagefold
