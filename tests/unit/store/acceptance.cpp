// SPDX-License-Identifier: MIT
#include <pagefold/store/acceptance.hpp>

#include "support/store_configs.hpp"
#include "support/store_fixture.hpp"
#include "support/test_tier.hpp"

#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>

namespace pagefold::testing::unit_store_acceptance {
namespace {

TEST_CASE("acceptance: closed by a full store, and open again at the part of the limit") {
    byte_budget budget{1000};
    acceptance a{90};
    CHECK(!a.is_closed(budget));
    budget.add(1000);
    CHECK(!a.is_closed(budget)); // nobody met the limit
    a.close();
    CHECK(a.is_closed(budget));
    budget.give_back(99);
    CHECK(a.is_closed(budget)); // 901
    budget.give_back(1);
    CHECK(!a.is_closed(budget)); // 900
    budget.add(100);
    CHECK(!a.is_closed(budget)); // until somebody meets the limit again
    a.close();
    CHECK(a.is_closed(budget));
    budget.set_limit(2000);
    CHECK(!a.is_closed(budget));
}

TEST_CASE("acceptance: 100 percent never closes, 0 opens for an empty store") {
    byte_budget budget{1000};
    budget.add(1000);
    acceptance off{100}, all{0};
    off.close();
    CHECK(!off.is_closed(budget));
    all.close();
    CHECK(all.is_closed(budget));
    budget.give_back(1000);
    CHECK(!all.is_closed(budget));
}

TEST_CASE("acceptance: the part of any limit, exactly and without overflow") {
    CHECK(acceptance{90}.threshold(1000) == 900);
    CHECK(acceptance{90}.threshold(99) == 89);
    CHECK(acceptance{50}.threshold(1) == 0);
    CHECK(acceptance{100}.threshold(~std::size_t{0}) == ~std::size_t{0});
    CHECK(acceptance{1}.threshold(~std::size_t{0}) == ~std::size_t{0} / 100);
}

constexpr std::size_t limit = 600 * 1024;

TEST_CASE("acceptance: a full store refuses what it must keep until it is below the part, and then takes it") {
    store_fixture<page_store<default_config>> f{{.limit_bytes = limit, .accept_percent = 80}};
    const pool_id kept = f.make_pool(), cache = f.make_pool({.kind = pool_kind::ephemeral});
    std::uint64_t next = 0;
    while (f.put({kept, 1, next}, page_kind::random, next) == status::ok) {
        ++next;
    }
    REQUIRE(f.store.erase({kept, 1, 0}) == status::ok); // there is room for one, and no more
    CHECK(f.put({kept, 2, 0}, page_kind::random, 1) == status::limit);
    CHECK(f.put({kept, 1, 1}, page_kind::random, 99) == status::limit); // nor in place of an older one,
    CHECK(f.lacks({kept, 1, 1}));                                       // which does not stay readable
    CHECK(f.put({cache, 2, 0}, page_kind::random, 1) == status::ok);    // a cache makes its own room
    const store_stats before = f.store.stats();
    CHECK(before.reject_reclaim_fail >= 3);
    for (std::uint64_t i = 2; f.put({kept, 2, 0}, page_kind::random, 1) != status::ok; ++i) {
        CHECK(f.store.stats().total_bytes > limit / 100 * 80);
        REQUIRE(i < next);
        static_cast<void>(f.store.erase({kept, 1, i}));
        static_cast<void>(f.store.compact(~std::size_t{0}));
    }
    CHECK(f.has({kept, 2, 0}, page_kind::random, 1));
    CHECK(f.store.check());
}

TEST_CASE("acceptance: a full store takes what a pool has reserved room for, and no more") {
    store_fixture<page_store<default_config>> f{{.limit_bytes = 4 * limit, .accept_percent = 80}};
    const pool_id promised = f.make_pool({.reserved_bytes = 80'000}), kept = f.make_pool();
    std::uint64_t next = 0;
    while (f.put({kept, 1, next}, page_kind::random, next) == status::ok) {
        ++next;
    }
    REQUIRE(f.store.erase({kept, 1, 0}) == status::ok);
    CHECK(f.put({kept, 2, 0}, page_kind::random, 1) == status::limit);
    std::uint64_t taken = 0;
    while (f.put({promised, 1, taken}, page_kind::random, taken) == status::ok) {
        REQUIRE(++taken < 40);
    }
    CHECK(taken >= 15);
    CHECK(f.put({kept, 2, 0}, page_kind::random, 1) == status::limit);
    CHECK(f.store.check());
}

TEST_CASE("acceptance: without a part each page that goes makes room for one") {
    store_fixture<page_store<default_config>> f{{.limit_bytes = limit}};
    const pool_id kept = f.make_pool();
    std::uint64_t next = 0;
    while (f.put({kept, 1, next}, page_kind::random, next) == status::ok) {
        ++next;
    }
    REQUIRE(f.store.erase({kept, 1, 0}) == status::ok);
    CHECK(f.put({kept, 2, 0}, page_kind::random, 1) == status::ok);
}

TEST_CASE("acceptance: maintain drops and demotes until pages are taken again, and does no more") {
    test_tier_memory memory;
    store_fixture<page_store<tiered_config>> f{store_options{.limit_bytes = limit, .accept_percent = 80},
                                               default_config::compressor_type{}, default_config::admission_type{},
                                               default_config::eviction_type{}, test_tier{memory}};
    const pool_id kept = f.make_pool(), away = f.make_pool({.on_pressure = pressure_action::demote}),
                  cache = f.make_pool({.kind = pool_kind::ephemeral});
    for (std::uint64_t i = 0; i < 20; ++i) {
        REQUIRE(f.put({kept, 1, i}, page_kind::random, i) == status::ok);
    }
    for (std::uint64_t i = 0; i < 400; ++i) {
        REQUIRE(f.put({away, 1, i}, page_kind::random, i) == status::ok);
        REQUIRE(f.put({cache, 1, i}, page_kind::random, i) == status::ok);
    }
    CHECK(f.put({kept, 1, 20}, page_kind::random, 20) == status::limit);
    CHECK(f.store.maintain(1) < limit / 10); // bounded
    CHECK(f.put({kept, 1, 20}, page_kind::random, 20) == status::limit);
    CHECK(f.store.maintain(~std::size_t{0} / 2) != 0);
    const store_stats s = f.store.stats();
    CHECK(s.total_bytes <= limit / 100 * 80);
    CHECK(s.total_bytes > limit / 100 * 60);
    CHECK(f.put({kept, 1, 20}, page_kind::random, 20) == status::ok);
    for (std::uint64_t i = 0; i < 400; ++i) {
        REQUIRE(f.has({away, 1, i}, page_kind::random, i));
    }
    CHECK(f.store.check());
}

} // namespace
} // namespace pagefold::testing::unit_store_acceptance
