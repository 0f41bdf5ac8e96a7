// SPDX-License-Identifier: MIT
#include <conformance/eviction_policy.hpp>

#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/clock2q_plus.hpp>
#include <pagefold/evict/fifo.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/evict/probation_clock.hpp>
#include <pagefold/evict/s3_fifo.hpp>
#include <pagefold/evict/sieve.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::conformance_eviction_policy {
namespace {

constexpr std::size_t two_lists = 4;

TEST_CASE("fifo keeps the contract of an eviction policy") { CHECK(describe(eviction_violations<fifo>()) == ""); }

TEST_CASE("lru keeps the contract of an eviction policy") { CHECK(describe(eviction_violations<lru>()) == ""); }

TEST_CASE("clock keeps the contract of an eviction policy") { CHECK(describe(eviction_violations<clock>()) == ""); }

TEST_CASE("probation_clock keeps the contract of an eviction policy") {
    CHECK(describe(eviction_violations<probation_clock>()) == "");
    for (const unsigned percent : {0u, 1u, 50u, 99u, 100u}) {
        CAPTURE(percent);
        CHECK(describe(eviction_violations(probation_clock{{percent, 100}})) == "");
    }
}

TEST_CASE("sieve keeps the contract of an eviction policy") { CHECK(describe(eviction_violations<sieve>()) == ""); }

TEST_CASE("s3_fifo keeps the contract of an eviction policy") {
    CHECK(describe(eviction_violations(s3_fifo{}, two_lists)) == "");
    CHECK(describe(eviction_violations(s3_fifo{{10, 1, 100}}, two_lists)) == "");
    for (const unsigned percent : {0u, 50u, 99u, 100u}) {
        CAPTURE(percent);
        CHECK(describe(eviction_violations(s3_fifo{{percent, 2, 90}}, two_lists)) == "");
    }
}

TEST_CASE("clock2q_plus keeps the contract of an eviction policy") {
    CHECK(describe(eviction_violations(clock2q_plus{}, two_lists)) == "");
    for (const unsigned percent : {0u, 50u, 100u}) {
        CAPTURE(percent);
        CHECK(describe(eviction_violations(clock2q_plus{{50, percent, 50}}, two_lists)) == "");
        CHECK(describe(eviction_violations(clock2q_plus{{percent, 100 - percent, 50}}, two_lists)) == "");
    }
}

} // namespace
} // namespace pagefold::testing::conformance_eviction_policy
