// SPDX-License-Identifier: MIT
#include <conformance/object_allocator.hpp>

#include <pagefold/alloc/tlsf.hpp>
#include <pagefold/alloc/xv.hpp>
#include <pagefold/alloc/zs.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::conformance_object_allocator {
namespace {

template <std::size_t Unit>
void check_zs(std::size_t page_size) {
    CAPTURE(Unit);
    CAPTURE(page_size);
    CHECK(describe(allocator_violations<zs<test_source, Unit, 1>>(page_size)) == "");
    CHECK(describe(allocator_violations<zs<test_source, Unit, 4>>(page_size)) == "");
    CHECK(describe(allocator_violations<zs<test_source, Unit, 12>>(page_size)) == "");
    CHECK(describe(allocator_violations<zs<test_source, Unit, 16>>(page_size)) == "");
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

template <std::size_t Unit>
void check_xv(std::size_t page_size) {
    CAPTURE(Unit);
    CAPTURE(page_size);
    CHECK(describe(allocator_violations<xv<test_source, Unit, 1>>(page_size)) == "");
    CHECK(describe(allocator_violations<xv<test_source, Unit, 8>>(page_size)) == "");
    CHECK(describe(allocator_violations<xv<test_source, Unit, 15>>(page_size)) == "");
}

TEST_CASE("xv of 4 KiB units keeps the contract of a compacting allocator") { check_xv<4096>(4096); }

TEST_CASE("xv of 16 KiB units keeps the contract of a compacting allocator") {
    check_xv<16384>(4096);
    check_xv<16384>(16384);
}

TEST_CASE("xv of 64 KiB units keeps the contract of a compacting allocator") {
    check_xv<65536>(4096);
    check_xv<65536>(65536);
}

template <std::size_t Unit>
void check_tlsf(std::size_t page_size) {
    CAPTURE(Unit);
    CAPTURE(page_size);
    CHECK(describe(allocator_violations<tlsf<test_source, Unit, 16>>(page_size)) == "");
    CHECK(describe(allocator_violations<tlsf<test_source, Unit, 32>>(page_size)) == "");
}

TEST_CASE("tlsf of 4 KiB units keeps the contract of a compacting allocator") { check_tlsf<4096>(4096); }

TEST_CASE("tlsf of 16 KiB units keeps the contract of a compacting allocator") {
    check_tlsf<16384>(4096);
    check_tlsf<16384>(16384);
}

TEST_CASE("tlsf of 64 KiB units keeps the contract of a compacting allocator") {
    check_tlsf<65536>(4096);
    check_tlsf<65536>(65536);
}

} // namespace
} // namespace pagefold::testing::conformance_object_allocator
