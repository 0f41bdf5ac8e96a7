// SPDX-License-Identifier: MIT
#include "support/store_configs.hpp"
#include "support/store_fixture.hpp"

#include <doctest/doctest.h>

#include <pagefold/evict/lru.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <concepts>

namespace unit_store_default_config {

using namespace pagefold;
using namespace pagefold::testing;

TEST_CASE("the default is a store of 4 KiB pages for many threads") {
    static_assert(store_config<default_config>);
    CHECK(default_config::page_size == 4096);
    CHECK(std::same_as<default_config::parking_type, host_parking>);
    CHECK(std::same_as<default_config::locality_type, host_locality>);
    CHECK(std::same_as<default_config::lock_type, parking_lock<host_parking>>);
    CHECK(std::same_as<default_config::place_type, hashed>);
    CHECK(default_config::max_pools == 64);
    CHECK(default_config::max_scratch == 64);
    CHECK(default_config::checksum_bits == 28);
    CHECK(std::same_as<default_config::eviction_type, probation_clock>);
    CHECK(std::same_as<default_config::compressor_type, chain<page_or_lz>>);
}

TEST_CASE("one line of configuration changes the eviction policy") {
    // Under a limit LRU keeps the page that is read again and again, which FIFO order would drop.
    store_fixture<page_store<lru_config>> f{store_options{.limit_bytes = 600 << 10}};
    const pool_id pool = f.make_pool({.kind = pool_kind::ephemeral});
    REQUIRE(f.put({pool, 1, 0}, page_kind::text, 7) == status::ok);
    std::uint64_t index = 1;
    while (f.store.stats().evicted_pages < 200) {
        REQUIRE(f.put({pool, 1, index}, page_kind::text, index) == status::ok);
        REQUIRE(f.has({pool, 1, 0}, page_kind::text, 7));
        ++index;
    }
    CHECK(f.lacks({pool, 1, 1}));
    CHECK(f.store.check());
}

} // namespace unit_store_default_config
