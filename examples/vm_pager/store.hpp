// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/admit/always.hpp>
#include <pagefold/admit/by_pool.hpp>
#include <pagefold/admit/ratio.hpp>
#include <pagefold/compress/page_delta.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <cstdint>

namespace vm_pager {

/// One store for all guests and what they begin as, for all threads.
struct store_choices : pagefold::default_config {
    using admission_type = pagefold::by_pool<pagefold::ratio, pagefold::always>;
    using delta_type = pagefold::page_delta;
    static constexpr unsigned max_pools = 1024;
};

/// pool_options::admission of a pool whose pages are nowhere else: those that don't shrink are kept, too.
inline constexpr std::uint8_t keeps_all = 1;

using store_type = pagefold::partitioned_store<store_choices>;
using source_type = pagefold::mmap_source<>;

} // namespace vm_pager
