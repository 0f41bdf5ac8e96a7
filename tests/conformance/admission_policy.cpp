// SPDX-License-Identifier: MIT
#include <conformance/admission_policy.hpp>

#include <pagefold/admit/all_of.hpp>
#include <pagefold/admit/always.hpp>
#include <pagefold/admit/by_pool.hpp>
#include <pagefold/admit/cost_aware.hpp>
#include <pagefold/admit/ratio.hpp>
#include <pagefold/admit/second_touch.hpp>
#include <pagefold/admit/size_aware.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::conformance_admission_policy {
namespace {

TEST_CASE("each admission policy keeps the contract") {
    CHECK(describe(violations(always{})) == "");
    for (const unsigned permille : {0u, 1u, 500u, 875u, 1000u}) {
        CHECK(describe(violations(ratio{permille})) == "");
        CHECK(describe(violations(ratio{permille, admission::reject})) == "");
    }
    CHECK(describe(violations(second_touch{})) == "");
    CHECK(describe(violations(second_touch{0})) == "");
    for (const std::uint32_t half : {1u, 100u, 2048u, 0xffffffffu}) {
        CHECK(describe(violations(size_aware{{half, 5}})) == "");
    }
    for (const std::uint32_t worth : {0u, 1u, 300u, 0xffffffffu}) {
        CHECK(describe(violations(cost_aware{{.worth_ns_a_kib = worth}})) == "");
        CHECK(describe(violations(cost_aware{{.worth_ns_a_kib = worth, .otherwise = admission::reject}})) == "");
    }
}

TEST_CASE("what is made of several keeps it too") {
    CHECK(describe(violations(all_of<always>{})) == "");
    CHECK(describe(violations(all_of<second_touch, ratio>{})) == "");
    CHECK(describe(violations(all_of<size_aware, second_touch, cost_aware>{})) == "");
    CHECK(describe(violations(by_pool<always, second_touch, size_aware>{})) == "");
    CHECK(describe(violations(by_pool<ratio, all_of<second_touch, cost_aware>>{})) == "");
    CHECK(describe(violations(all_of<by_pool<always, second_touch>, ratio>{})) == "");
}

} // namespace
} // namespace pagefold::testing::conformance_admission_policy
