// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/tlsf.hpp>
#include <pagefold/alloc/xv.hpp>
#include <pagefold/alloc/zs.hpp>
#include <pagefold/hosted/mmap_source.hpp>

namespace pagefold::support {

/// Calls visit.operator()<Allocator>(name) for every allocator of the library.
template <class Visitor>
void for_each_allocator(Visitor&& visit) {
    using source = mmap_source<>;
    visit.template operator()<zs<source>>("zs");
    visit.template operator()<xv<source>>("xv");
    visit.template operator()<tlsf<source>>("tlsf");
}

} // namespace pagefold::support
