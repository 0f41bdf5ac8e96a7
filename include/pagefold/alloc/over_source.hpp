// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/concept.hpp>
#include <pagefold/platform/concept.hpp>

// Nothing is deduced from an allocator's template: that takes a constrained template template parameter, with which
// clang 14 crashes in a precompiled header.

namespace pagefold::inline PAGEFOLD_ABI {

/// The allocator that `Allocator` is, over pages of `Source`; for a decorator that stands between an allocator and its
/// source. An allocator says it by an alias template of its own, `over<Source>`; a decorator by one that hands this on.
/// What derives from an allocator needs its own: inherited, it names the base.
template <object_allocator Allocator, page_source Source>
struct over_source { // a class, so that an allocator without `over` can be decorated as long as nobody asks for it
    using type = typename Allocator::template over<Source>;
};

template <object_allocator Allocator, page_source Source>
using over_source_t = typename over_source<Allocator, Source>::type;

} // namespace pagefold
