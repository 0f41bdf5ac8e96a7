// SPDX-License-Identifier: MIT
#include <pagefold/admit/by_pool.hpp>

#include <pagefold/admit/all_of.hpp>
#include <pagefold/admit/always.hpp>
#include <pagefold/admit/ratio.hpp>
#include <pagefold/admit/second_touch.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::unit_admit_by_pool {
namespace {

static_assert(by_pool<always, ratio, always>::choice_count == 3);
static_assert(choosing_admission<by_pool<always, ratio>>);
static_assert(!screening_policy<by_pool<always, ratio>>);
static_assert(!remembering_admission<by_pool<always, ratio>>);
static_assert(screening_policy<by_pool<always, second_touch>>);
static_assert(remembering_admission<by_pool<always, second_touch>>);

admission_query query(unsigned choice, std::size_t packed, key_past past = key_past::untold) {
    return {4096, packed, pool_kind::ephemeral, 1, {}, past, static_cast<std::uint8_t>(choice)};
}

TEST_CASE("by_pool: the pool's number says who is asked, and nobody else is") {
    by_pool<always, ratio, ratio> policy{always{}, ratio{500, admission::raw}, ratio{500, admission::reject}};
    CHECK(policy.admit(query(0, 3000)) == admission::packed);
    CHECK(policy.admit(query(1, 3000)) == admission::raw);
    CHECK(policy.admit(query(2, 3000)) == admission::reject);
    CHECK(policy.admit(query(2, 1000)) == admission::packed);
}

TEST_CASE("by_pool: screens by the pool's policy alone") {
    by_pool<second_touch, always, all_of<second_touch, ratio>> policy;
    CHECK_FALSE(policy.screen(query(0, 4096, key_past::unseen)));
    CHECK(policy.screen(query(1, 4096, key_past::unseen)));
    CHECK_FALSE(policy.screen(query(2, 4096, key_past::unseen)));
    CHECK(policy.screen(query(2, 4096, key_past::left)));
    CHECK(policy.admit(query(1, 4095, key_past::unseen)) == admission::packed);
    CHECK(policy.admit(query(0, 4095, key_past::unseen)) == admission::reject);
    CHECK(by_pool<second_touch, second_touch>{second_touch{10}, second_touch{20}}.ghost_percent() == 20);
}

} // namespace
} // namespace pagefold::testing::unit_admit_by_pool
