// SPDX-License-Identifier: MIT
#include <pagefold/store/partition_mending.hpp>

#include "support/partition_fixture.hpp"

#include <pagefold/evict/lru.hpp>
#include <pagefold/store/default_config.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>

namespace pagefold::testing::unit_store_partition_mending {
namespace {

TEST_CASE("partition_mending: a damaged extent that is met goes with its pages, and that is told once") {
    lone_state<> o{pool_kind::ephemeral};
    REQUIRE(o.put(3, min_stream_size) == status::ok);
    REQUIRE(o.put(100 * extent_pages, min_stream_size) == status::ok);
    extent* const damaged = o.state.index.metas_of(o.slot(3) / extent_pages).single;
    REQUIRE(damaged != nullptr);
    damaged->bitmap ^= 1;
    bool is_damaged = false;
    CHECK(o.state.find(o.state.pools[0], o.at(1, 3), is_damaged) == no_slot);
    CHECK(is_damaged);
    CHECK(o.state.corruptions == 1);
    CHECK(o.state.totals.stored_pages == 1);
    CHECK(o.state.pools[0].counts.stored_pages == 1);
    CHECK(o.state.index.size() == 1);
    is_damaged = false;
    CHECK(o.state.find(o.state.pools[0], o.at(1, 3), is_damaged) == no_slot);
    CHECK_FALSE(is_damaged);
    CHECK(o.state.corruptions == 1);
    CHECK(o.state.find(o.state.pools[0], o.at(1, 100 * extent_pages), is_damaged) != no_slot);
    // The policy, which can't know what went, learns of all that stay.
    CHECK(o.state.pools[0].eviction.size() == 0);
    o.state.renew_policy(o.state.pools[0]);
    CHECK(o.state.pools[0].eviction.size() == 1);
}

template <class Policy>
struct config_with : default_config {
    using eviction_type = Policy;
};

TEST_CASE_TEMPLATE("partition_mending: a policy that lost its pages has all of them again, and none twice", Config,
                   default_config, config_with<lru>) {
    lone_state<Config> one{pool_kind::ephemeral};
    for (std::uint64_t i = 0; i < 200; ++i) {
        REQUIRE(one.put(i * 5, 100) == status::ok);
        auto view = one.state.slots(one.pool());
        one.pool().eviction.on_hit(view, one.slot(i / 2 * 5));
    }
    one.pool().eviction = typename Config::eviction_type{};
    CHECK(!one.check());
    one.state.renew_policy(one.pool());
    CHECK(one.check());
    CHECK(one.pool().eviction.size() == 200);
    auto view = one.state.slots(one.pool());
    std::size_t steps = 100'000;
    for (unsigned left = 200; left != 0; --left) {
        const slot_id victim = one.pool().eviction.evict(
            view, [](slot_id) noexcept { return true; }, steps);
        REQUIRE(victim != no_slot);
        one.state.forget(one.pool(), victim);
    }
    CHECK(one.check());
    CHECK(one.pool().counts.stored_pages == 0);
    one.state.renew_policy(one.pool()); // an empty pool
    CHECK(one.pool().eviction.size() == 0);
}

} // namespace
} // namespace pagefold::testing::unit_store_partition_mending
