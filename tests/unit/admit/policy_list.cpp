// SPDX-License-Identifier: MIT
#include <pagefold/admit/policy_list.hpp>

#include <pagefold/admit/always.hpp>
#include <pagefold/admit/by_pool.hpp>
#include <pagefold/admit/ratio.hpp>
#include <pagefold/admit/second_touch.hpp>

#include <doctest/doctest.h>

#include <cstddef>

namespace pagefold::testing::unit_admit_policy_list {
namespace {

using two = by_pool<always, always>;
using three = by_pool<always, always, always>;
static_assert(policy_list<always>::choices() == 1);
static_assert(policy_list<always, two>::choices() == 2);
static_assert(policy_list<three, always, two>::choices() == 2);
static_assert(policy_list<three, by_pool<always>>::choices() == 3);

TEST_CASE("policy_list: each has its place, also twice of a type") {
    policy_list<ratio, ratio, always> list{ratio{100}, ratio{900}, always{}};
    std::size_t calls = 0;
    unsigned packed = 0;
    list.for_each([&](auto& policy, std::size_t position) {
        CHECK(position == calls++);
        packed |= policy.admit({4096, 2048, pool_kind::ephemeral, 1}) == admission::packed ? 1u << position : 0u;
    });
    CHECK(calls == 3);
    CHECK(packed == 0b110);
}

TEST_CASE("policy_list: the longest ghost") {
    CHECK(policy_list<always>{}.ghost_percent() == 0);
    CHECK(policy_list<second_touch, always>{second_touch{30}, always{}}.ghost_percent() == 30);
    CHECK(policy_list<second_touch, second_touch>{second_touch{30}, second_touch{70}}.ghost_percent() == 70);
    CHECK(policy_list<second_touch, second_touch>{second_touch{70}, second_touch{30}}.ghost_percent() == 70);
}

} // namespace
} // namespace pagefold::testing::unit_admit_policy_list
