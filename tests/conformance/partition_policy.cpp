// SPDX-License-Identifier: MIT
#include <conformance/partition_policy.hpp>

#include <pagefold/place/hashed.hpp>
#include <pagefold/place/single.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::conformance_partition_policy {
namespace {

TEST_CASE("single keeps the contract of a partition policy") { CHECK(describe(placement_violations(single{})) == ""); }

TEST_CASE("hashed keeps the contract of a partition policy") { CHECK(describe(placement_violations(hashed{})) == ""); }

} // namespace
} // namespace pagefold::testing::conformance_partition_policy
