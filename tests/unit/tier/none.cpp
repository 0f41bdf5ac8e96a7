// SPDX-License-Identifier: MIT
#include <pagefold/tier/none.hpp>

#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partition_tier.hpp>

#include "support/store_fixture.hpp"

#include <doctest/doctest.h>

#include <type_traits>

namespace pagefold::testing::unit_tier_none {
namespace {

static_assert(!takes_pages<no_tier>);

TEST_CASE("no_tier: takes nothing, and has nothing") {
    const no_tier none;
    CHECK(none.offer({}, {}).error() == status::limit);
    CHECK(none.fetch({}, {}, {}) == status::not_found);
    CHECK(none.forget({}, {}) == status::ok);
}

TEST_CASE("no_tier: a store over it has no memory for one, and no pool that demotes") {
    static_assert(std::is_empty_v<partition_tier<no_tier>>);
    static_assert(std::is_empty_v<pool_demotion<false>>);
    static_assert(std::is_empty_v<store_tier<default_config>>);
    store_fixture<page_store<default_config>> f;
    CHECK(f.store.create_pool({.on_pressure = pressure_action::demote}).error() == status::invalid);
    CHECK(f.store.create_pool({.on_pressure = pressure_action::drop}).error() == status::invalid);
    CHECK(f.store.create_pool({.kind = pool_kind::ephemeral, .on_pressure = pressure_action::keep}).error() ==
          status::invalid);
    CHECK(f.store.create_pool({.kind = pool_kind::ephemeral, .on_pressure = pressure_action::demote}).error() ==
          status::invalid);
    CHECK(f.store.create_pool({.on_pressure = pressure_action::keep}).has_value());
    CHECK(f.store.create_pool({.kind = pool_kind::ephemeral, .on_pressure = pressure_action::drop}).has_value());
}

} // namespace
} // namespace pagefold::testing::unit_tier_none
