// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/zs.hpp>
#if __has_include(<pagefold/alloc/xv.hpp>)
#include <pagefold/alloc/xv.hpp>
#endif
#if __has_include(<pagefold/alloc/tlsf.hpp>)
#include <pagefold/alloc/tlsf.hpp>
#endif
#include <pagefold/hosted/mmap_source.hpp>

namespace pagefold::support {

/// Calls visit.operator()<Allocator>(name) for every allocator of the library.
template <class Visitor>
void for_each_allocator(Visitor&& visit) {
    using source = mmap_source<>;
    visit.template operator()<zs<source>>("zs");
#if __has_include(<pagefold/alloc/xv.hpp>)
    visit.template operator()<xv<source>>("xv");
#endif
#if __has_include(<pagefold/alloc/tlsf.hpp>)
    visit.template operator()<tlsf<source>>("tlsf");
#endif
}

} // namespace pagefold::support
