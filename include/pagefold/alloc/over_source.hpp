// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/concept.hpp>
#include <pagefold/platform/concept.hpp>

namespace pagefold {

/// The allocator that `Allocator` is, over pages of `Source`; for a decorator that stands between an allocator and its
/// source. Known for every A<source, constants...> and for decorators D<allocator, constants...> of such. An allocator
/// with other parameters says it by an alias template of its own, `over<Source>`.
template <object_allocator Allocator, page_source Source>
struct over_source {
    using type = typename Allocator::template over<Source>;
};

template <template <page_source, auto...> class A, page_source Old, auto... Constants, page_source Source>
struct over_source<A<Old, Constants...>, Source> {
    using type = A<Source, Constants...>;
};

template <template <object_allocator, auto...> class Decorator, object_allocator Inner, auto... Constants,
          page_source Source>
struct over_source<Decorator<Inner, Constants...>, Source> {
    using type = Decorator<typename over_source<Inner, Source>::type, Constants...>;
};

template <object_allocator Allocator, page_source Source>
using over_source_t = typename over_source<Allocator, Source>::type;

} // namespace pagefold
