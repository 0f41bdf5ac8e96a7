// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/basic_store.hpp>

namespace pagefold::inline PAGEFOLD_ABI {

/// A compressed page store of several partitions, which share nothing but the byte limit: threads in different partitions
/// never meet. Each partition has allocator slack of its own, so more of them take more memory.
template <store_config Config>
class partitioned_store : public basic_store<Config, typename Config::place_type> {
public:
    explicit partitioned_store(page_source_ref source, const store_options& options = {},
                               const typename Config::compressor_type& compressor = typename Config::compressor_type{},
                               const typename Config::admission_type& admission = typename Config::admission_type{},
                               const typename Config::place_type& place = typename Config::place_type{},
                               const typename Config::eviction_type& eviction = typename Config::eviction_type{},
                               const typename Config::tier_type& tier = typename Config::tier_type{}) noexcept
        : basic_store<Config, typename Config::place_type>{source, options,  compressor, admission,
                                                           place,  eviction, tier} {}
};

} // namespace pagefold
