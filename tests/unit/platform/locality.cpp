// SPDX-License-Identifier: MIT
//
// What the concept asks is in tests/concepts/locality.cpp.

#include <pagefold/platform/locality.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::unit_platform_locality {
namespace {

TEST_CASE("no_locality: a thread is on no node that anybody knows") {
    CHECK(no_locality::current() == any_node);
    CHECK_FALSE(is_strict(no_locality::current()));
}

} // namespace
} // namespace pagefold::testing::unit_platform_locality
