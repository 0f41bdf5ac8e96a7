// SPDX-License-Identifier: MIT
//
// The smallest admission policy, and one wrong one for each clause of its signature.

#include <pagefold/admit/concept.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::concepts_admission_policy {
namespace {

struct smallest {
    admission admit(const admission_query&) noexcept { return admission::reject; }
};
static_assert(admission_policy<smallest>);

struct by_value_and_const {
    admission admit(admission_query) const noexcept { return admission::raw; }
};
static_assert(admission_policy<by_value_and_const>);

struct without_admit {};
struct admit_of_bool {
    bool admit(const admission_query&) noexcept { return true; }
};
struct admit_may_throw {
    admission admit(const admission_query&) { return admission::raw; }
};
struct admit_changes_query {
    admission admit(admission_query&) noexcept { return admission::raw; }
};
struct admit_without_query {
    admission admit() noexcept { return admission::raw; }
};
static_assert(!admission_policy<without_admit>);
static_assert(!admission_policy<admit_of_bool>);
static_assert(!admission_policy<admit_may_throw>);
static_assert(!admission_policy<admit_changes_query>);
static_assert(!admission_policy<admit_without_query>);

TEST_CASE("an admission policy of one function is enough") {
    CHECK(smallest{}.admit({4096, 100, pool_kind::ephemeral, 0}) == admission::reject);
    CHECK(by_value_and_const{}.admit({4096, 100, pool_kind::ephemeral, 0}) == admission::raw);
}

} // namespace
} // namespace pagefold::testing::concepts_admission_policy
