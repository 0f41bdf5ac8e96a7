// SPDX-License-Identifier: MIT
#include <pagefold/store/restored_pools.hpp>

#include "support/store_configs.hpp"
#include "support/store_fixture.hpp"

#include <pagefold/store/image_reader.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

namespace unit_store_restored_pools {

using namespace pagefold;
using namespace pagefold::testing;
using store_type = partitioned_store<cloning_config>;

TEST_CASE("restored_pools: of each kind and family, once, and all gone again") {
    store_fixture<store_type> f;
    CHECK(image_pools<restored_pools<store_type>>);
    restored_pools few{f.store, static_cast<pool_id*>(nullptr), 0};
    CHECK(few.open({}).error() == status::limit);
    CHECK(few.find(3) == pool_id{});
    pool_id ids[3]{};
    restored_pools pools{f.store, ids, 3};
    image_pool_info parent, child, other;
    parent.is_sealed = true;
    child.number = 1;
    child.parent = 0;
    other.number = 2;
    other.kind = pool_kind::ephemeral;
    other.parent = image_pool_info::parent_elsewhere;
    CHECK(pools.open(other).error() == status::invalid);
    CHECK(pools.open(child).error() == status::invalid); // its parent is not there
    REQUIRE(pools.open(parent));
    CHECK(pools.open(parent).error() == status::corrupt);
    REQUIRE(pools.close(parent) == status::ok);
    REQUIRE(pools.open(child));
    CHECK(pools.close(child) == status::ok);
    CHECK(f.store.family_of(pools.find(0)).value().is_sealed);
    CHECK(f.store.family_of(pools.find(1)).value().parent == ids[0]);
    other.parent = image_pool_info::no_parent;
    REQUIRE(pools.open(other));
    CHECK(f.store.family_of(ids[2]).value().kind == pool_kind::ephemeral);
    const pool_id gone = ids[1];
    pools.drop_all(); // the child before its parent
    CHECK(ids[0] == pool_id{});
    CHECK(f.store.family_of(gone).error() == status::invalid);
    pools.drop_all();
}

TEST_CASE("restored_pools: one that can't go stays known") {
    store_fixture<store_type> f;
    pool_id ids[1]{};
    restored_pools pools{f.store, ids, 1};
    image_pool_info parent;
    parent.is_sealed = true;
    REQUIRE(pools.open(parent));
    REQUIRE(pools.close(parent) == status::ok);
    const pool_id child = f.make_pool({.parent = ids[0]}), kept = ids[0];
    pools.drop_all();
    CHECK(ids[0] == kept);
    REQUIRE(f.store.destroy_pool(child) == status::ok);
    pools.drop_all();
    CHECK(ids[0] == pool_id{});
    CHECK(f.store.family_of(kept).error() == status::invalid);
}

} // namespace unit_store_restored_pools
