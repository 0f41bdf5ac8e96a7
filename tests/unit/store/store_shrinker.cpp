// SPDX-License-Identifier: MIT
#include "support/node_test_source.hpp"
#include "support/noting_source.hpp"
#include "support/pages.hpp"
#include "support/rng.hpp"
#include "support/store_configs.hpp"
#include "support/store_fixture.hpp"
#include "support/test_tier.hpp"

#include <pagefold/platform/spin_lock.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>

// What a kernel asks of a store: how many pages could go, that some go, and for memory in a context.
namespace unit_store_store_shrinker {

using namespace pagefold;
using namespace pagefold::testing;

namespace {

constexpr pool_options cache{.kind = pool_kind::ephemeral};

struct spinning_config : default_config {
    using lock_type = spin_lock;
};

} // namespace

static_assert(sleepable_lock<null_lock> && sleepable_lock<std_mutex> && !sleepable_lock<spin_lock>);
static_assert(sleepable_lock<default_config::lock_type>);

TEST_CASE("a store that was never used has nothing to count or scan") {
    store_fixture<page_store<default_config>> f;
    CHECK(f.store.count() == 0);
    const scan_outcome none = f.store.scan(10);
    CHECK(none.freed == 0);
    CHECK(none.is_stopped);
}

TEST_CASE("what could leave is counted, and what may not is not") {
    store_fixture<page_store<default_config>> f;
    const pool_id kept = f.make_pool(), pages = f.make_pool(cache);
    REQUIRE(f.put({kept, 1, 0}, 1) == status::ok);
    CHECK(f.store.count() == 0);
    REQUIRE(f.put({pages, 1, 0}, 2) == status::ok);
    CHECK(f.store.count() == 1); // at once, as it is no longer nothing
    for (std::uint64_t i = 1; i < 1000; ++i) {
        REQUIRE(f.put({pages, 1, i}, i) == status::ok);
        const std::uint64_t counted = f.store.count();
        REQUIRE(counted <= i + 1);
        REQUIRE(counted + 16 >= i + 1);
    }
    CHECK(f.store.count(node_id{3}) == 0); // no partition is there
    REQUIRE(f.store.erase_object(pages, 1).value() == 1000);
    CHECK(f.store.count() == 0);
    CHECK(f.lacks({pages, 1, 0}));
    CHECK(f.has({kept, 1, 0}, 1));
}

TEST_CASE("a scan drops as many pages as it is told, gives their memory back, and stops at the end") {
    store_fixture<page_store<default_config>> f;
    const pool_id kept = f.make_pool(), pages = f.make_pool(cache);
    for (std::uint64_t i = 0; i < 600; ++i) {
        REQUIRE(f.put({kept, 1, i}, page_kind::text, i) == status::ok);
        REQUIRE(f.put({pages, 1, i}, page_kind::text, i + 5000) == status::ok);
    }
    CHECK(f.store.scan(0).freed == 0);
    CHECK_FALSE(f.store.scan(0).is_stopped);
    std::uint64_t left = 600, given_back = 0;
    const std::size_t before = f.store.stats().total_bytes;
    while (left != 0) {
        const std::uint64_t ask = left < 128 ? 1000 : 128; // Linux: SHRINK_BATCH
        const scan_outcome one = f.store.scan(ask);
        CHECK(one.scanned == ask);
        REQUIRE(one.freed == (left < ask ? left : ask));
        CHECK_FALSE(one.is_stopped);
        left -= one.freed;
        given_back += one.freed_bytes;
        CHECK(f.store.stats().evicted_pages == 600 - left);
        REQUIRE(f.store.check());
    }
    CHECK(f.store.count() == 0);
    const scan_outcome none = f.store.scan(128);
    CHECK(none.freed == 0);
    CHECK(none.is_stopped);
    CHECK(given_back == before - f.store.stats().total_bytes);
    CHECK(given_back > before / 4); // half of the pages, less what holds the others
    for (std::uint64_t i = 0; i < 600; ++i) {
        REQUIRE(f.has({kept, 1, i}, page_kind::text, i));
    }
}

TEST_CASE("a number of pages that no store has is a scan of all") {
    store_fixture<page_store<default_config>> f;
    const pool_id pages = f.make_pool(cache);
    for (std::uint64_t i = 0; i < 100; ++i) {
        REQUIRE(f.put({pages, 1, i}, i) == status::ok);
    }
    const scan_outcome all = f.store.scan(~std::uint64_t{0});
    CHECK(all.freed == 100);
    CHECK_FALSE(all.is_stopped);
    CHECK(f.store.check());
}

TEST_CASE("pages that a tier takes are counted, and scanned to it") {
    test_tier_memory memory;
    store_fixture<page_store<tiered_config>> f{store_options{}, default_config::compressor_type{},
                                               default_config::admission_type{}, default_config::eviction_type{},
                                               test_tier{memory}};
    const pool_id pool = f.make_pool({.on_pressure = pressure_action::demote});
    for (std::uint64_t i = 0; i < 200; ++i) {
        REQUIRE(f.put({pool, 1, i}, page_kind::text, i) == status::ok);
    }
    CHECK(f.store.count() + 16 >= 200);
    const scan_outcome some = f.store.scan(50);
    CHECK(some.freed >= 50); // a batch goes whole
    CHECK(f.store.stats().away_pages == some.freed);
    CHECK(f.store.check());
    for (std::uint64_t i = 0; i < 200; ++i) {
        REQUIRE(f.has({pool, 1, i}, page_kind::text, i));
    }
}

TEST_CASE("a shrinker that is called within an allocation of its own thread says that it can't") {
    noting_source source;
    page_store<default_config> store{source};
    const pool_id pages = store.create_pool(cache).value();
    std::array<std::byte, 4096> page{};
    unsigned stopped = 0, scans = 0;
    source.ask = [&] {
        const scan_outcome one = store.scan(4);
        static_cast<void>(store.count()); // takes no lock
        stopped += one.is_stopped ? 1u : 0u;
        ++scans;
    };
    for (std::uint64_t i = 0; i < 200; ++i) {
        make_page(page, page_kind::random, i);
        REQUIRE(store.put({pages, 1, i}, page) == status::ok);
    }
    CHECK(scans > 100);
    CHECK(stopped == scans);
    CHECK(store.stats().evicted_pages == 0);
    source.ask = nullptr;
    CHECK(store.scan(4).freed == 4);
    CHECK(store.check());
}

TEST_CASE("a source that wants to know is told who asks: a put's context, and background for what can wait") {
    noting_source source;
    page_store<default_config> store{source, {.limit_bytes = 1 << 20}};
    const pool_id pages = store.create_pool(cache).value();
    CHECK(source.asked(acquire_context{}) == source.contexts.size()); // of nobody it is known
    std::array<std::byte, 4096> page{};
    for (const bool may_sleep : {false, true}) {
        for (const urgency how : {urgency::background, urgency::normal, urgency::reclaim}) {
            source.contexts.clear();
            const acquire_context context{may_sleep, how};
            for (std::uint64_t i = 0; i < 20; ++i) {
                make_page(page, page_kind::random, i);
                REQUIRE(store.put({pages, 1 + static_cast<std::uint64_t>(how) * 2 + (may_sleep ? 1u : 0u), i}, page,
                                  context) == status::ok);
            }
            CHECK(source.contexts.size() >= 10);
            CHECK(source.asked(context) == source.contexts.size());
        }
    }
    source.contexts.clear();
    make_page(page, page_kind::random, 1);
    REQUIRE(store.put({pages, 99, 1}, page) == status::ok); // the context of the one before is forgotten
    CHECK(source.asked(acquire_context{}) == source.contexts.size());
    source.contexts.clear();
    static_cast<void>(store.scan(40));
    static_cast<void>(store.compact(1 << 20));
    CHECK(source.asked({false, urgency::background}) == source.contexts.size());
    CHECK(source.without_context == 0);
    CHECK(store.check());
}

TEST_CASE("who holds a lock that others spin for may not sleep, whatever the host allows") {
    noting_source source;
    page_store<spinning_config> store{source};
    const pool_id pages = store.create_pool(cache).value();
    std::array<std::byte, 4096> page{};
    source.contexts.clear();
    for (std::uint64_t i = 0; i < 20; ++i) {
        make_page(page, page_kind::random, i);
        REQUIRE(store.put({pages, 1, i}, page, {.may_sleep = true, .how_urgent = urgency::reclaim}) == status::ok);
    }
    CHECK(source.contexts.size() >= 10);
    CHECK(source.asked({.may_sleep = false, .how_urgent = urgency::reclaim}) == source.contexts.size());
}

TEST_CASE("large pages of a source are asked for in the context of who wants a part of one") {
    noting_source source{16384};
    page_store<default_config> store{source};
    const pool_id pages = store.create_pool(cache).value();
    source.contexts.clear();
    std::array<std::byte, 4096> page{};
    for (std::uint64_t i = 0; i < 20; ++i) {
        make_page(page, page_kind::random, i);
        REQUIRE(store.put({pages, 1, i}, page, {.may_sleep = true, .how_urgent = urgency::reclaim}) == status::ok);
    }
    CHECK(source.asked({.may_sleep = true, .how_urgent = urgency::reclaim}) >= 4);
    CHECK(source.without_context == 0);
}

TEST_CASE("a scan is by node, and the nodes' counts are the store's") {
    node_test_source<2> source{4096};
    partitioned_store<by_node_config> store{source, {.partitions = 4, .seed = 1}, {}, {}, by_node{source}};
    std::array<std::byte, 4096> page{};
    const pool_id here = store.create_pool({.kind = pool_kind::ephemeral, .node = node_id{0}}).value();
    const pool_id there = store.create_pool({.kind = pool_kind::ephemeral, .node = node_id{1}}).value();
    for (std::uint64_t i = 0; i < 300; ++i) {
        make_page(page, page_kind::text, i);
        REQUIRE(store.put({here, 1, i}, page) == status::ok);
        REQUIRE((i >= 100 || store.put({there, 1, i}, page) == status::ok));
    }
    CHECK(store.count() == store.count(node_id{0}) + store.count(node_id{1}));
    CHECK(store.count(node_id{0}) + 2 * 16 >= 300);
    CHECK(store.count(node_id{1}) + 2 * 16 >= 100);
    CHECK(store.scan(1000, node_id{1}).freed == 100);
    CHECK(store.count(node_id{1}) == 0);
    CHECK(store.statistics_of(here).value().stored_pages == 300);
    CHECK(store.scan(10, node_id{1}).is_stopped);
    CHECK(store.scan(10, node_id{7}).is_stopped);
    CHECK(store.scan(10, node_id{0}).freed == 10);
    CHECK(store.check());
}

} // namespace unit_store_store_shrinker
