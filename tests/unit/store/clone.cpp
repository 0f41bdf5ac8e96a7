// SPDX-License-Identifier: MIT
#include <pagefold/store/clone.hpp>

#include "support/store_configs.hpp"

#include <doctest/doctest.h>

#include <concepts>
#include <type_traits>

namespace unit_store_clone {

using namespace pagefold;
using namespace pagefold::testing;

namespace {

struct larger : cloning_config {
    static constexpr std::size_t page_size = 16384;
};
struct of_values : cloning_config {
    static constexpr bool variable_length = true;
};
struct with_tier : cloning_config {
    using tier_type = test_tier;
};

} // namespace

TEST_CASE("clone: a configuration has clones where it names a delta codec") {
    static_assert(keeps_clones<cloning_config>);
    static_assert(!keeps_clones<default_config>);
    static_assert(std::same_as<delta_of<cloning_config>, page_delta>);
    static_assert(std::same_as<delta_of<default_config>, no_delta>);
    static_assert(std::is_empty_v<pool_lineage<false>>);
    static_assert(store_config<cloning_config>);
    static_assert(!store_config<larger>);
    static_assert(!store_config<of_values>);
    static_assert(!store_config<with_tier>);
    CHECK(page_form{} == page_form::own);
}

TEST_CASE("clone: what a page is bound to is its own key, the base's, and the base's content") {
    const base_page base{11, 22, 33};
    CHECK(base.bind(1) == base_page{11, 22, 99}.bind(1));
    CHECK(base.bind(1) != base.bind(2));
    CHECK(base.bind(1) != base_page{12, 22, 33}.bind(1));
    CHECK(base.bind(1) != base_page{11, 23, 33}.bind(1));
    CHECK(base.reference_check(1) != base.reference_check(2));
    CHECK(base.reference_check(1) != base.bind(1));
}

} // namespace unit_store_clone
