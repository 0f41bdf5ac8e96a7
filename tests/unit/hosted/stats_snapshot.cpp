// SPDX-License-Identifier: MIT
#include <pagefold/hosted/stats_snapshot.hpp>

#include <doctest/doctest.h>

#include <cstdint>

namespace pagefold::testing::unit_hosted_stats_snapshot {
namespace {

TEST_CASE("stats_snapshot: one that nobody filled in says nothing") {
    const stats_snapshot store{};
    CHECK(store.name.empty());
    CHECK(store.pools.empty());
    CHECK(store.nodes.empty());
    std::uint64_t sum = 0;
    const auto add_up = [&](const stat_info&, std::uint64_t value) { sum += value; };
    visit(store.whole, add_up);
    visit(pool_snapshot{}.stats, add_up);
    visit(node_snapshot{}.stats, add_up);
    CHECK(sum == 0);
    CHECK(pool_snapshot{}.ages == nullptr);
    CHECK(node_snapshot{}.node == any_node);
}

TEST_CASE("stats_snapshot: the classes of ages have each page once") {
    age_histogram ages;
    std::uint64_t sum = 0;
    for (unsigned age = 0; age < age_histogram::ages; ++age) {
        ages.add(static_cast<std::uint8_t>(age), age + 1);
    }
    for (unsigned which = 0; which < published_ages; ++which) {
        sum += pages_of_published_age(ages, which);
        CHECK(pages_of_published_age(age_histogram{}, which) == 0);
    }
    CHECK(sum == ages.total());
    CHECK(first_published_age(0) == 0);
    CHECK(first_published_age(1) == 1);
    CHECK(first_published_age(published_ages - 1) == 128);
    CHECK(pages_of_published_age(ages, published_ages - 1) == ages.at_least(128));
    ages.add(1, ~std::uint64_t{0}); // stops at the greatest number
    CHECK(pages_of_published_age(ages, 1) == ~std::uint64_t{0});
}

} // namespace
} // namespace pagefold::testing::unit_hosted_stats_snapshot
