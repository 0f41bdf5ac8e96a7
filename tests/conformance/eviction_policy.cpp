// SPDX-License-Identifier: MIT
#include <conformance/eviction_policy.hpp>

#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/fifo.hpp>
#include <pagefold/evict/lru.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::conformance_eviction_policy {
namespace {

TEST_CASE("fifo keeps the contract of an eviction policy") { CHECK(describe(eviction_violations<fifo>()) == ""); }

TEST_CASE("lru keeps the contract of an eviction policy") { CHECK(describe(eviction_violations<lru>()) == ""); }

TEST_CASE("clock keeps the contract of an eviction policy") { CHECK(describe(eviction_violations<clock>()) == ""); }

} // namespace
} // namespace pagefold::testing::conformance_eviction_policy
