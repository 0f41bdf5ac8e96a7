// SPDX-License-Identifier: MIT
#include <conformance/object_allocator.hpp>

#include <pagefold/alloc/counted.hpp>
#include <pagefold/alloc/guarded.hpp>
#include <pagefold/alloc/tlsf.hpp>
#include <pagefold/alloc/wiped.hpp>
#include <pagefold/alloc/xv.hpp>
#include <pagefold/alloc/zs.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::conformance_decorated_allocator {
namespace {

/// Also proof that neither the suite nor the allocator below does what a guard would report: the hook traps.
template <object_allocator Allocator>
void check_decorated(std::size_t page_size) {
    CHECK(describe(allocator_violations<guarded<Allocator>>(page_size)) == "");
    CHECK(describe(allocator_violations<counted<Allocator>>(page_size)) == "");
    CHECK(describe(allocator_violations<wiped<Allocator>>(page_size)) == "");
    CHECK(describe(allocator_violations<guarded<counted<wiped<Allocator>>>>(page_size)) == "");
    CHECK(describe(allocator_violations<wiped<counted<guarded<Allocator>>>>(page_size)) == "");
}

TEST_CASE("decorated, zs of 4 KiB units keeps its contract") { check_decorated<zs<test_source>>(4096); }

TEST_CASE("decorated, zs of 16 KiB units keeps its contract") {
    check_decorated<zs<test_source, 16384, 4>>(4096);
    CHECK(describe(allocator_violations<guarded<zs<test_source, 16384, 1>, 64, 100>>(16384)) == "");
}

TEST_CASE("decorated, zs of 64 KiB units keeps its contract") {
    CHECK(describe(allocator_violations<guarded<zs<test_source, 65536>>>(4096)) == "");
    CHECK(describe(allocator_violations<guarded<counted<wiped<zs<test_source, 65536, 1>>>>>(65536)) == "");
}

TEST_CASE("decorated, xv keeps its contract") {
    check_decorated<xv<test_source>>(4096);
    CHECK(describe(allocator_violations<guarded<xv<test_source, 16384, 1>>>(16384)) == "");
    CHECK(describe(allocator_violations<guarded<xv<test_source, 65536>>>(4096)) == "");
}

TEST_CASE("decorated, tlsf keeps its contract") {
    check_decorated<tlsf<test_source>>(4096);
    CHECK(describe(allocator_violations<guarded<tlsf<test_source, 16384, 16>, 64, 100>>(16384)) == "");
    CHECK(describe(allocator_violations<guarded<tlsf<test_source, 65536>>>(4096)) == "");
}

} // namespace
} // namespace pagefold::testing::conformance_decorated_allocator
