// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/place/single.hpp>
#include <pagefold/store/basic_store.hpp>

namespace pagefold::inline PAGEFOLD_ABI {

/// A compressed page store of one partition: one lock, one allocator, least memory. `Config` models store_config; derive it
/// from default_config. For many threads see partitioned_store.
template <store_config Config>
class page_store : public basic_store<Config, single> {
public:
    explicit page_store(page_source_ref source, store_options options = {},
                        const typename Config::compressor_type& compressor = typename Config::compressor_type{},
                        const typename Config::admission_type& admission = typename Config::admission_type{},
                        const typename Config::eviction_type& eviction = typename Config::eviction_type{},
                        const typename Config::tier_type& tier = typename Config::tier_type{}) noexcept
        : basic_store<Config, single>{source, one_partition(options), compressor, admission, single{}, eviction, tier} {
    }

private:
    [[nodiscard]] static store_options one_partition(store_options options) noexcept {
        options.partitions = 1;
        return options;
    }
};

} // namespace pagefold
