// SPDX-License-Identifier: MIT
//
// The smallest locality, and one wrong one for each clause of its signature.

#include <pagefold/platform/locality.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::concepts_locality {
namespace {

struct smallest {
    static node_id current() noexcept { return node_id{1}; }
};
static_assert(locality<smallest>);
static_assert(locality<no_locality>);

struct without_current {};
struct current_may_throw {
    static node_id current() { return node_id{1}; }
};
struct current_of_number {
    static int current() noexcept { return 1; }
};
struct current_of_object {
    node_id current() noexcept { return node_id{1}; }
};
struct current_of_a_processor {
    static node_id current(int) noexcept { return node_id{1}; }
};
static_assert(!locality<without_current>);
static_assert(!locality<current_may_throw>);
static_assert(!locality<current_of_number>);
static_assert(!locality<current_of_object>, "a policy has no state");
static_assert(!locality<current_of_a_processor>);

TEST_CASE("a locality is taken for what it is at compile time, and one that can't tell says so") {
    CHECK(locality<smallest>);
    CHECK(no_locality::current() == any_node);
}

} // namespace
} // namespace pagefold::testing::concepts_locality
