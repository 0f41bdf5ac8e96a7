// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/admit/ratio.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

namespace vm_pager {

/// One store for all guests and the snapshot; the one thread needs no locks.
struct store_choices : pagefold::default_config {
    using lock_type = pagefold::null_lock;
    using admission_type = pagefold::ratio;
    static constexpr unsigned max_pools = 1024;
    static constexpr unsigned max_scratch = 1;
};

using store_type = pagefold::page_store<store_choices>;
using source_type = pagefold::mmap_source<>;

} // namespace vm_pager
