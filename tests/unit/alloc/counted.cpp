// SPDX-License-Identifier: MIT
#include <pagefold/alloc/counted.hpp>

#include <pagefold/alloc/guarded.hpp>
#include <pagefold/alloc/zs.hpp>

#include <conformance/object_allocator.hpp>
#include <support/allocator_calls.hpp>
#include <support/rng.hpp>
#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace pagefold::testing::unit_alloc_counted {
namespace {

using zs4k = zs<test_source>;
using counted4k = counted<zs4k>;

static_assert(compacting_allocator<counted4k>);
static_assert(std::is_trivially_copyable_v<allocation_counts> && std::is_aggregate_v<allocation_counts>);

TEST_CASE("classes are of equal width, and hold what they say") {
    CHECK(counted4k::class_count == 8);
    for (unsigned number = 0; number < 8; ++number) {
        CHECK(counted4k::class_bytes(number) == (number + 1) * 512u);
        CHECK(counted4k::class_of(number * 512 + 1) == number);
        CHECK(counted4k::class_of(counted4k::class_bytes(number)) == number);
    }
    CHECK(counted4k::class_of(5000) == 7);
    CHECK(counted<zs4k, 1>::class_of(1) == 0);
    CHECK(counted<zs<test_source, 65536>, 256>::class_of(65536) == 255);
}

TEST_CASE("each object is counted once when it comes and once when it goes") {
    test_source source;
    counted4k a{source, any_node};
    const object_handle one = must_allocate(a, 500), two = must_allocate(a, 500), large = must_allocate(a, 4090);
    const std::size_t place = a.capacity(one);
    const unsigned number = counted4k::class_of(place);
    const allocation_counts& c = a.counts(number);
    CHECK(c.allocations == 2);
    CHECK(c.requested_bytes == 1000);
    CHECK(c.granted_bytes == 2 * place);
    CHECK(c.live_objects == 2);
    CHECK(c.live_bytes == 2 * place);
    CHECK(a.counts(7).requested_bytes == 4090);
    CHECK(a.counts(7).granted_bytes == 4096);
    a.deallocate(one);
    CHECK(c.frees == 1);
    CHECK(c.live_objects == 1);
    CHECK(c.live_bytes == place);
    CHECK(c.allocations == 2); // what grows stays
    CHECK(c.granted_bytes == 2 * place);
    a.deallocate(two);
    a.deallocate(large);
    const allocation_counts all = a.total();
    CHECK(all.allocations == 3);
    CHECK(all.frees == 3);
    CHECK(all.live_objects == 0);
    CHECK(all.live_bytes == 0);
    CHECK(all.requested_bytes == 5090);
    CHECK(all.refusals + all.moves + a.invalid_requests() == 0);
    CHECK(a.check());
}

TEST_CASE("refusals count under their size, and bad sizes apart") {
    test_source source;
    counted4k a{source, any_node};
    source.refuse_all(true);
    CHECK_FALSE(a.allocate(4096).has_value());
    CHECK_FALSE(a.allocate(4096).has_value());
    CHECK_FALSE(a.allocate(100).has_value());
    CHECK_FALSE(a.allocate(0).has_value());
    CHECK_FALSE(a.allocate(4097).has_value());
    CHECK(a.counts(7).refusals == 2);
    CHECK(a.counts(0).refusals == 1);
    CHECK(a.total().refusals == 3);
    CHECK(a.total().allocations == 0);
    CHECK(a.invalid_requests() == 2);
    CHECK(a.check());
}

TEST_CASE("moves count, and the live bytes follow them") {
    test_source source;
    counted<zs4k, 16> a{source, any_node};
    std::vector<object_handle> h;
    rng random{2};
    for (unsigned i = 0; i < 2000; ++i) {
        h.push_back(must_allocate(a, 1 + random.below(4096)));
    }
    for (std::size_t i = 0; i < h.size(); i += 2) {
        a.deallocate(h[i]);
    }
    REQUIRE(a.plan_compaction(~std::size_t{0}) != 0);
    // So that some objects find their class full and go to a larger one.
    source.set_limit(source.bytes_held());
    for (unsigned i = 0; i < 200; ++i) {
        static_cast<void>(a.allocate(1 + random.below(2000)));
    }
    std::uint64_t moves = 0;
    for (std::size_t i = 1; i < h.size(); i += 2) {
        if (a.misplaced(h[i]) && a.relocate(h[i]).has_value()) {
            ++moves;
            REQUIRE(a.check());
        }
    }
    CHECK(moves > 20);
    CHECK(a.total().moves == moves);
    a.finish_compaction();
    CHECK(a.check());
}

TEST_CASE("over a guard the live bytes are those asked for") {
    test_source source;
    counted<guarded<zs4k>> a{source, any_node};
    const object_handle h = must_allocate(a, 777);
    static_cast<void>(must_allocate(a, 600));
    CHECK(a.counts(1).live_bytes == 1377);
    a.deallocate(h);
    CHECK(a.counts(1).live_bytes == 600);
    CHECK(a.inner().report().last == guard_breach::none);
}

/// Loses what allocate adds to its sum.
struct miscounting : zs4k {
    using zs4k::zs4k;
    std::size_t allocated_bytes() const noexcept { return off + zs4k::allocated_bytes(); }
    std::size_t off = 0;
};

TEST_CASE("check holds the counts against the allocator's own") {
    test_source source;
    counted<miscounting> a{source, any_node};
    static_cast<void>(must_allocate(a, 100));
    CHECK(a.check());
    const_cast<miscounting&>(a.inner()).off = 8;
    CHECK_FALSE(a.check());
}

} // namespace
} // namespace pagefold::testing::unit_alloc_counted
