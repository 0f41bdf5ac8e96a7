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
#include <initializer_list>

namespace pagefold::testing::unit_store_acceptance {
namespace {

constexpr auto in_use = []() noexcept { return false; };

TEST_CASE("acceptance: closed by a full store, and open again at the part of the limit") {
    byte_budget budget{1000};
    acceptance a{90};
    CHECK(!a.is_closed(budget, in_use));
    budget.add(1000);
    CHECK(!a.is_closed(budget, in_use)); // nobody met the limit
    a.close();
    CHECK(a.is_closed(budget, in_use));
    budget.give_back(99);
    CHECK(a.is_closed(budget, in_use)); // 901
    budget.give_back(1);
    CHECK(!a.is_closed(budget, in_use)); // 900
    budget.add(100);
    CHECK(!a.is_closed(budget, in_use)); // until somebody meets the limit again
    a.close();
    CHECK(a.is_closed(budget, in_use));
    budget.set_limit(2000);
    CHECK(!a.is_closed(budget, in_use));
}

TEST_CASE("acceptance: 100 percent never closes, 0 opens for an empty store") {
    byte_budget budget{1000};
    budget.add(1000);
    acceptance off{100}, all{0};
    off.close();
    CHECK(!off.is_closed(budget, in_use));
    all.close();
    CHECK(all.is_closed(budget, in_use));
    budget.give_back(1000);
    CHECK(!all.is_closed(budget, in_use));
}

TEST_CASE("acceptance: the part of any limit, exactly and without overflow") {
    CHECK(acceptance{90}.threshold(1000) == 900);
    CHECK(acceptance{90}.threshold(99) == 89);
    CHECK(acceptance{50}.threshold(1) == 0);
    CHECK(acceptance{100}.threshold(~std::size_t{0}) == ~std::size_t{0});
    CHECK(acceptance{1}.threshold(~std::size_t{0}) == ~std::size_t{0} / 100);
}

TEST_CASE("acceptance: an empty store opens, whatever it takes, and is not asked while it is open or below the part") {
    byte_budget budget{1000};
    acceptance a{10};
    unsigned asked = 0;
    bool is_empty = false;
    const auto ask = [&]() noexcept {
        ++asked;
        return is_empty;
    };
    budget.add(1000);
    CHECK(!a.is_closed(budget, ask));
    CHECK(asked == 0);
    a.close();
    CHECK(a.is_closed(budget, ask));
    CHECK(asked == 1);
    is_empty = true;
    CHECK(!a.is_closed(budget, ask));
    CHECK(asked == 2);
    is_empty = false;
    CHECK(!a.is_closed(budget, ask)); // until it is full again
    a.close();
    budget.give_back(900);
    CHECK(!a.is_closed(budget, ask));
    CHECK(asked == 2);
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
    CHECK(before.reject_threshold == 2);
    CHECK(before.reject_reclaim_fail == 1); // the put that closed it
    CHECK(before.rejected_puts == 3);
    const pool_stats of_pool = f.store.statistics_of(kept).value();
    CHECK(of_pool.reject_threshold == 2);
    CHECK(of_pool.reject_reclaim_fail == 1);
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

TEST_CASE("acceptance: with a part below what an empty store takes, an empty one takes pages again") {
    for (const unsigned percent : {0u, 1u}) {
        store_fixture<page_store<default_config>> f{{.limit_bytes = limit, .accept_percent = percent}};
        const pool_id kept = f.make_pool(), other = f.make_pool();
        REQUIRE(f.store.stats().total_bytes > limit / 100 * percent);
        for (unsigned turn = 0; turn < 3; ++turn) {
            REQUIRE(f.put({other, 1, 0}, page_kind::text, 7) == status::ok);
            std::uint64_t next = 0;
            while (f.put({kept, 1, next}, page_kind::random, next) == status::ok) {
                ++next;
            }
            CHECK(next > 50);
            for (std::uint64_t i = 0; i < next; ++i) {
                CHECK(f.put({kept, 2, 0}, page_kind::text, 1) == status::limit);
                REQUIRE(f.store.erase({kept, 1, i}) == status::ok);
            }
            CHECK(f.put({kept, 2, 0}, page_kind::text, 1) == status::limit); // the other pool's is there
            REQUIRE(f.store.erase({other, 1, 0}) == status::ok);
            CHECK(f.put({kept, 2, 0}, page_kind::text, 1) == status::ok);
            REQUIRE(f.store.erase({kept, 2, 0}) == status::ok);
        }
        CHECK(f.store.check());
    }
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

TEST_CASE("acceptance: limits, caps and reservations that no memory could ever meet are limits like others") {
    constexpr std::size_t greatest = ~std::size_t{0};
    for (const std::size_t bytes : {greatest, greatest - 1, greatest - 4096, greatest / 2 + 1, greatest / 4}) {
        store_fixture<page_store<default_config>> f{{.limit_bytes = bytes, .accept_percent = 80}};
        const pool_id kept = f.make_pool({.cap_bytes = bytes}), cache = f.make_pool({.kind = pool_kind::ephemeral});
        const result<pool_id> promised = f.store.create_pool({.reserved_bytes = bytes / 2});
        REQUIRE(promised);
        CHECK(f.store.create_pool({.reserved_bytes = bytes / 2}).error() == status::limit);
        for (std::uint64_t i = 0; i < 200; ++i) {
            REQUIRE(f.put({kept, 1, i}, i) == status::ok);
            REQUIRE(f.put({cache, 1, i}, i) == status::ok);
            REQUIRE(f.put({*promised, 1, i}, i) == status::ok);
        }
        CHECK(f.store.resize(bytes - 1) == status::ok);
        CHECK(f.store.resize(bytes) == status::ok);
        CHECK(f.store.maintain(greatest) == 0);
        CHECK(f.store.stats().evicted_pages == 0);
        CHECK(f.store.shrink(1) != 0);
        CHECK(f.store.resize(f.store.stats().total_bytes) == status::ok);
        for (std::uint64_t i = 0; i < 200; ++i) {
            REQUIRE(f.has({kept, 1, i}, i));
            REQUIRE(f.has({*promised, 1, i}, i));
        }
        CHECK(f.store.check());
        // Nearly all is promised to one, with what that may leave idle.
        store_fixture<page_store<default_config>> full{{.limit_bytes = bytes}};
        const pool_id others = full.make_pool(), own = full.make_pool({.reserved_bytes = bytes - bytes / 64});
        CHECK(full.put({others, 1, 0}, 1) == status::limit);
        CHECK(full.put({own, 1, 0}, 1) == status::ok);
    }
}

} // namespace
} // namespace pagefold::testing::unit_store_acceptance
