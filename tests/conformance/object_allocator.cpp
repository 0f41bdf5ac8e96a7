// SPDX-License-Identifier: MIT
#include <conformance/object_allocator.hpp>

#include <pagefold/alloc/zs.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing {
namespace {

template <std::size_t Unit>
void check_zs(std::size_t page_size) {
    CAPTURE(Unit);
    CAPTURE(page_size);
    CHECK(describe(allocator_violations<zs<test_source, Unit, 1>>(page_size)) == "");
    CHECK(describe(allocator_violations<zs<test_source, Unit, 4>>(page_size)) == "");
    CHECK(describe(allocator_violations<zs<test_source, Unit, 8>>(page_size)) == "");
}

TEST_CASE("zs of 4 KiB units keeps the contract of a compacting allocator") { check_zs<4096>(4096); }

TEST_CASE("zs of 16 KiB units keeps the contract of a compacting allocator") {
    check_zs<16384>(4096);
    check_zs<16384>(16384);
}

TEST_CASE("zs of 64 KiB units keeps the contract of a compacting allocator") {
    check_zs<65536>(4096);
    check_zs<65536>(65536);
}

} // namespace
} // namespace pagefold::testing
