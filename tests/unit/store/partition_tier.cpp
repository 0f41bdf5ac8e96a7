// SPDX-License-Identifier: MIT
#include <pagefold/store/partition_tier.hpp>

#include "support/partition_fixture.hpp"
#include "support/store_configs.hpp"
#include "support/test_tier.hpp"

#include <pagefold/store/default_config.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <type_traits>

namespace pagefold::testing::unit_store_partition_tier {
namespace {

static_assert(!partition_tier<no_tier>::exists && partition_tier<test_tier>::exists);
static_assert(std::is_empty_v<partition_tier<no_tier>>);
static_assert(!partition_state<default_config>::has_tier && partition_state<tiered_config>::has_tier);
static_assert(sizeof(partition_state<default_config>::pool_state) < sizeof(partition_state<tiered_config>::pool_state));

TEST_CASE("partition_tier: with a tier a store takes 16 bytes more for each extent, and without none") {
    const auto bytes = [](auto& f) {
        for (std::uint64_t i = 0; i < 2000; ++i) {
            REQUIRE(f.put(i * 64, 8) == status::ok);
        }
        return f.state.order_bytes();
    };
    lone_state<default_config> without{pool_kind::persistent};
    lone_state<tiered_config> with{pool_kind::persistent};
    CHECK(bytes(without) == 0);
    const std::size_t order = bytes(with);
    CHECK(order >= 2000 * 16);
    CHECK(order <= 2000 * 16 + 3 * 4096);
    CHECK(without.check());
    CHECK(with.check());
}

TEST_CASE("partition_tier: a page whose mark has no memory is refused, and leaves nothing") {
    lone_state<tiered_config> f{pool_kind::persistent};
    for (std::uint64_t i = 0; i < 600; ++i) {
        f.source.refuse_nth(1);
        while (f.put(i * 64, 200) != status::ok) { // whichever of its acquisitions is refused
            CHECK(f.lacks(i * 64));
            REQUIRE(f.check());
        }
        f.source.refuse_nth(0);
        REQUIRE(f.holds(i * 64, 200));
    }
    CHECK(f.check());
}

} // namespace
} // namespace pagefold::testing::unit_store_partition_tier
