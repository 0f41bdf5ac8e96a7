// SPDX-License-Identifier: MIT
#include <pagefold/alloc/over_source.hpp>

#include <pagefold/alloc/counted.hpp>
#include <pagefold/alloc/guarded.hpp>
#include <pagefold/alloc/wiped.hpp>
#include <pagefold/alloc/zs.hpp>
#include <pagefold/platform/static_source.hpp>

#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <type_traits>
#include <vector>

namespace pagefold::testing::unit_alloc_over_source {
namespace {

template <class From, class To>
constexpr bool becomes = std::is_same_v<over_source_t<From, static_source<>>, To>;

static_assert(becomes<zs<test_source>, zs<static_source<>>>);
static_assert(becomes<zs<test_source, 16384, 4>, zs<static_source<>, 16384, 4>>);
static_assert(becomes<guarded<zs<test_source>, 8, 2>, guarded<zs<static_source<>>, 8, 2>>);
static_assert(becomes<counted<wiped<zs<test_source, 65536>>, 16>, counted<wiped<zs<static_source<>, 65536>>, 16>>);

/// An allocator with a parameter of another kind says itself what it becomes.
template <page_source Source, class Policy>
struct with_policy : zs<Source> {
    using zs<Source>::zs;
    template <page_source Other>
    using over = with_policy<Other, Policy>;
};
struct policy {};
static_assert(becomes<with_policy<test_source, policy>, with_policy<static_source<>, policy>>);
static_assert(becomes<guarded<with_policy<test_source, policy>>, guarded<with_policy<static_source<>, policy>>>);

TEST_CASE("an allocator of other parameters can make itself known") {
    std::vector<std::byte> memory(1 << 16);
    static_source<> source{memory};
    wiped<with_policy<test_source, policy>> a{source, any_node};
    CHECK(a.allocate(100).has_value());
    CHECK(a.check());
}

} // namespace
} // namespace pagefold::testing::unit_alloc_over_source
