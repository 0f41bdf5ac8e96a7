// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/admit/always.hpp>
#include <pagefold/alloc/zs.hpp>
#include <pagefold/compress/chain.hpp>
#include <pagefold/compress/same_filled.hpp>
#include <pagefold/evict/clock.hpp>
#include <pagefold/place/hashed.hpp>
#include <pagefold/platform/spin_lock.hpp>
#include <pagefold/store/config.hpp>

#if __STDC_HOSTED__ && __has_include(<lz4.h>)
#include <pagefold/compress/lz4.hpp>
#endif

#include <cstddef>

namespace pagefold {

/// The choices that a user gets without choosing. Derive from it and override what should differ:
///
///     struct mine : pagefold::default_config { using eviction_type = pagefold::lru; };
///
/// Where there is no liblz4 (a freestanding program; a system without its header) only same-filled pages shrink, until
/// `compressor_type` names a codec.
struct default_config {
    static constexpr std::size_t page_size = 4096;
#if __STDC_HOSTED__ && __has_include(<lz4.h>)
    using compressor_type = chain<lz4>;
#else
    using compressor_type = same_filled;
#endif
    template <class Source, std::size_t PageSize>
    using allocator_type = zs<Source, PageSize>;
    using eviction_type = clock<>;
    using admission_type = always;
    using lock_type = spin_lock;
    using place_type = hashed;
    static constexpr unsigned max_pools = 64;
    static constexpr unsigned max_scratch = 64;
};

} // namespace pagefold
