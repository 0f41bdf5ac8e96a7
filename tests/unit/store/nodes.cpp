// SPDX-License-Identifier: MIT
//
// A store over memory nodes: place/by_node over a model of a machine that knows where each page is.

#include "support/node_test_source.hpp"
#include "support/pages.hpp"
#include "support/played_locality.hpp"
#include "support/rng.hpp"
#include "support/store_configs.hpp"

#include <pagefold/place/by_node.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>

namespace pagefold::testing::unit_store_nodes {
namespace {

using machine = node_test_source<3>;
using store_type = partitioned_store<by_node_config>;
constexpr std::size_t plenty = 1u << 20;

struct fixture {
    explicit fixture(std::size_t pages_a_node = plenty, std::size_t partitions = 6)
        : source{pages_a_node}, store{source, {.partitions = partitions, .seed = 1}, {}, {}, by_node{source}} {}

    [[nodiscard]] pool_id strict(std::size_t node, pool_kind kind = pool_kind::persistent) {
        return store.create_pool({.kind = kind, .node = static_cast<node_id>(node), .strict_node = true}).value();
    }
    [[nodiscard]] status put(pool_id pool, std::uint64_t i, page_kind kind = page_kind::random) {
        return store.put({pool, i / 1000, i}, page_of(4096, kind, i));
    }
    [[nodiscard]] bool has(pool_id pool, std::uint64_t i, page_kind kind = page_kind::random) {
        bytes_of_a_page back{};
        return store.get({pool, i / 1000, i}, back) == status::ok && is_page(back, page_of(4096, kind, i));
    }
    using bytes_of_a_page = std::array<std::byte, 4096>;
    template <class Page>
    [[nodiscard]] static bool is_page(const bytes_of_a_page& a, const Page& b) {
        return std::memcmp(a.data(), b.data(), a.size()) == 0;
    }
    /// Pages on each node, of those asked for strictly of `node`.
    [[nodiscard]] std::array<std::size_t, 3> strict_pages(std::size_t node) const {
        const node_id wish = strictly(static_cast<node_id>(node));
        return {source.pages_for(wish, 0), source.pages_for(wish, 1), source.pages_for(wish, 2)};
    }

    machine source;
    store_type store;
};

TEST_CASE("nodes: a strict pool's pages and all that belongs to them are on its node") {
    fixture s;
    std::array<pool_id, 3> pools;
    for (std::size_t n = 0; n < 3; ++n) {
        pools[n] = s.strict(n);
    }
    const pool_id free = s.store.create_pool().value();
    std::array<std::array<std::size_t, 3>, 3> before;
    for (std::size_t n = 0; n < 3; ++n) {
        before[n] = s.strict_pages(n);
    }
    for (std::uint64_t i = 0; i < 300; ++i) {
        CHECK(s.put(pools[1], i) == status::ok);
        CHECK(s.put(free, i * extent_pages) == status::ok);
    }
    CHECK(s.strict_pages(0) == before[0]);
    CHECK(s.strict_pages(2) == before[2]);
    CHECK(s.strict_pages(1)[0] == 0);
    CHECK(s.strict_pages(1)[1] >= before[1][1] + 300);
    CHECK(s.strict_pages(1)[2] == 0);
    // A pool without a node is spread over those that prefer.
    for (std::size_t n = 0; n < 3; ++n) {
        CHECK(s.source.pages_for(static_cast<node_id>(n), n) > 64);
    }
    for (std::uint64_t i = 0; i < 300; ++i) {
        CHECK(s.has(pools[1], i));
        CHECK(s.has(free, i * extent_pages));
    }
    CHECK(s.source.fallbacks() == 0);
    CHECK(s.store.check());
}

TEST_CASE("nodes: where a node has no memory left, a strict pool is refused, and nobody elsewhere loses a page") {
    fixture s{400};
    const pool_id mine = s.strict(0);
    const pool_id elsewhere = s.store.create_pool({.kind = pool_kind::ephemeral, .node = node_id{2}}).value();
    for (std::uint64_t i = 0; i < 100; ++i) {
        CHECK(s.put(elsewhere, i) == status::ok);
    }
    std::uint64_t kept = 0;
    while (s.put(mine, kept) == status::ok) {
        ++kept;
    }
    CHECK(kept > 250);
    CHECK(s.put(mine, kept) == status::no_memory);
    CHECK(s.store.stats().evicted_pages == 0);
    CHECK(s.strict_pages(0)[1] + s.strict_pages(0)[2] == 0);
    for (std::uint64_t i = 0; i < kept; ++i) {
        CHECK(s.has(mine, i));
    }
    s.source.give(node_id{0}, 100); // and when it comes back, it goes on
    CHECK(s.put(mine, kept) == status::ok);
    CHECK(s.store.check());
}

TEST_CASE("nodes: a strict cache on a full node takes new pages in place of its own, or of others there") {
    fixture s{400};
    const pool_id cache = s.strict(1, pool_kind::ephemeral);
    const pool_id beside = s.store.create_pool({.kind = pool_kind::ephemeral, .node = node_id{0}}).value();
    for (std::uint64_t i = 0; i < 100; ++i) {
        CHECK(s.put(beside, i) == status::ok);
    }
    for (std::uint64_t i = 0; i < 2000; ++i) {
        CHECK(s.put(cache, i) == status::ok);
    }
    CHECK(s.store.statistics_of(cache).value().stored_pages > 250);
    CHECK(s.store.statistics_of(beside).value().stored_pages == 100);
    CHECK(s.strict_pages(1)[0] + s.strict_pages(1)[2] == 0);
    CHECK(s.store.check());
}

TEST_CASE("nodes: a pool that prefers a node goes on elsewhere when that is full, and it is counted") {
    fixture s{400};
    const pool_id pool = s.store.create_pool({.node = node_id{0}}).value();
    for (std::uint64_t i = 0; i < 700; ++i) {
        CHECK(s.put(pool, i) == status::ok);
    }
    CHECK(s.source.fallbacks() > 200);
    CHECK(s.source.pages_for(node_id{0}, 1) > 200); // the nearer one
    CHECK(s.source.pages_for(node_id{0}, 2) == 0);
    for (std::uint64_t i = 0; i < 700; ++i) {
        CHECK(s.has(pool, i));
    }
}

TEST_CASE("nodes: a strict pool needs a node that there is, partitions that keep to it, and a source that can") {
    {
        fixture s{plenty, 5}; // none keeps to node 2
        CHECK(s.store.create_pool({.node = node_id{1}, .strict_node = true}));
        CHECK(s.store.create_pool({.node = node_id{2}, .strict_node = true}).error() == status::invalid);
        CHECK(s.store.create_pool({.node = node_id{3}, .strict_node = true}).error() == status::invalid);
        CHECK(s.store.create_pool({.node = strictly(node_id{1})}).error() == status::invalid);
        CHECK(s.store.create_pool({.node = node_id{77}})); // a wish
        CHECK(s.store.create_pool({.strict_node = true})); // for no node
        s.source.take_away(node_id{1});
        CHECK(s.store.create_pool({.node = node_id{1}, .strict_node = true}).error() == status::invalid);
        CHECK(s.store.create_pool({.node = node_id{0}, .strict_node = true}));
    }
    // A source without nodes serves wishes, and can't make a partition that must be on one.
    test_source plain;
    const machine shape{1};
    store_type store{plain, {.partitions = 6}, {}, {}, by_node{shape}};
    CHECK(store.create_pool({.node = node_id{1}, .strict_node = true}).error() == status::invalid);
}

TEST_CASE("nodes: the number that would be any_node as a strict one is no node's, whatever the store is on") {
    test_source source;
    store_type store{source, {.partitions = 4, .seed = 1}, {}, {}, by_node{}};
    constexpr node_id last{0x7fff};
    CHECK(store.create_pool({.node = last, .strict_node = true}).error() == status::invalid);
    CHECK(store.create_pool({.node = last}).error() == status::invalid);
    CHECK(store.create_pool({.node = any_node, .strict_node = true}).error() == status::ok);
    const pool_id pool = store.create_pool({.node = node_id{0x7ffe}}).value();
    CHECK(store.set_node(pool, last, true) == status::invalid);
    CHECK(store.set_node(pool, any_node, true) == status::ok);
}

TEST_CASE("nodes: the budgets of nodes are parts of the store's, to the byte") {
    fixture s;
    CHECK(s.store.stats(node_id{0}).error() == status::invalid); // before the first pool
    CHECK(s.store.resize(1 << 20, node_id{0}) == status::invalid);
    CHECK(s.store.shrink(1, node_id{0}) == 0);
    const pool_id first = s.strict(0), second = s.store.create_pool({.node = node_id{1}}).value();
    for (std::uint64_t i = 0; i < 200; ++i) {
        CHECK(s.put(first, i) == status::ok);
        CHECK(s.put(second, i, page_kind::text) == status::ok);
    }
    const auto on = [&](unsigned node) { return s.store.stats(static_cast<node_id>(node)).value(); };
    const store_stats all = s.store.stats(), rest = s.store.stats(any_node).value();
    CHECK(on(0).total_bytes + on(1).total_bytes + on(2).total_bytes + rest.total_bytes == all.total_bytes);
    CHECK(all.total_bytes == s.source.bytes_held());
    CHECK(on(0).stored_pages == 200);
    CHECK(on(1).stored_pages == 200);
    CHECK(on(2).stored_pages + rest.stored_pages == 0);
    CHECK(on(0).total_bytes > 200 * 4096);
    CHECK(on(0).mem_used_max >= on(0).total_bytes);
    CHECK(on(0).mem_limit == ~std::uint64_t{0});
    CHECK(on(0).metadata_bytes + on(0).mem_used_total == on(0).total_bytes);
    CHECK(s.store.stats(node_id{3}).error() == status::invalid);
    CHECK(s.store.resize(1 << 20, node_id{3}) == status::invalid);
    CHECK(s.store.resize(1 << 20, any_node) == status::invalid);
}

TEST_CASE("nodes: a node's limit holds on the node, and costs nobody else a page") {
    fixture s;
    const pool_id strict = s.strict(0), cache = s.strict(0, pool_kind::ephemeral);
    const pool_id beside = s.store.create_pool({.kind = pool_kind::ephemeral, .node = node_id{1}}).value();
    for (std::uint64_t i = 0; i < 200; ++i) {
        CHECK(s.put(beside, i) == status::ok);
        CHECK(s.put(cache, i) == status::ok);
    }
    constexpr std::size_t limit = 600 * 4096;
    CHECK(s.store.resize(limit, node_id{0}) == status::ok);
    std::uint64_t kept = 0;
    while (s.put(strict, kept) == status::ok) {
        ++kept;
        CHECK(s.store.stats(node_id{0}).value().total_bytes <= limit);
    }
    CHECK(s.put(strict, kept) == status::limit);
    CHECK(kept > 450); // in place of the cache's pages
    CHECK(s.store.statistics_of(cache).value().stored_pages == 0);
    CHECK(s.store.statistics_of(beside).value().stored_pages == 200);
    CHECK(s.put(beside, 1000) == status::ok);
    CHECK(s.store.resize(limit / 2, node_id{0}) == status::limit); // persistent pages stay
    CHECK(s.store.resize(~std::size_t{0}, node_id{0}) == status::ok);
    CHECK(s.put(strict, kept) == status::ok);
    CHECK(s.store.check());
}

TEST_CASE("nodes: shrink takes from the node that it is asked for") {
    fixture s;
    std::array<pool_id, 3> caches;
    for (std::size_t n = 0; n < 3; ++n) {
        caches[n] = s.strict(n, pool_kind::ephemeral);
        for (std::uint64_t i = 0; i < 300; ++i) {
            CHECK(s.put(caches[n], i) == status::ok);
        }
    }
    const std::size_t before = s.store.stats(node_id{1}).value().total_bytes;
    const std::size_t given = s.store.shrink(100 * 4096, node_id{1});
    CHECK(given >= 100 * 4096);
    CHECK(s.store.stats(node_id{1}).value().total_bytes + given == before);
    CHECK(s.store.statistics_of(caches[0]).value().stored_pages == 300);
    CHECK(s.store.statistics_of(caches[1]).value().stored_pages < 205);
    CHECK(s.store.statistics_of(caches[2]).value().stored_pages == 300);
    CHECK(s.store.shrink(~std::size_t{0}, node_id{2}) > 300 * 4096);
    CHECK(s.store.statistics_of(caches[2]).value().stored_pages == 0);
    CHECK(s.store.statistics_of(caches[0]).value().stored_pages == 300);
    CHECK(s.store.check());
}

TEST_CASE("nodes: the store's limit holds over all of them, and drops pages wherever they are") {
    fixture s;
    const pool_id strict = s.strict(0);
    const pool_id elsewhere = s.store.create_pool({.kind = pool_kind::ephemeral, .node = node_id{2}}).value();
    for (std::uint64_t i = 0; i < 300; ++i) {
        CHECK(s.put(elsewhere, i) == status::ok);
    }
    CHECK(s.store.resize(s.store.stats().total_bytes + 20 * 4096) == status::ok);
    for (std::uint64_t i = 0; i < 200; ++i) {
        CHECK(s.put(strict, i) == status::ok);
    }
    CHECK(s.store.statistics_of(elsewhere).value().stored_pages < 150);
    CHECK(s.store.check());
}

TEST_CASE("nodes: random operations over strict, preferring and free pools on nodes that fill up, against a model") {
    fixture s{700};
    struct tenant {
        pool_id pool;
        std::map<std::uint64_t, page_kind> pages;
    };
    std::array<tenant, 5> tenants{{{s.strict(0), {}},
                                   {s.strict(1), {}},
                                   {s.strict(2), {}},
                                   {s.store.create_pool({.node = node_id{1}}).value(), {}},
                                   {s.store.create_pool().value(), {}}}};
    rng random{11};
    std::uint64_t refused = 0;
    for (int round = 0; round < 12000; ++round) {
        tenant& t = tenants[random.below(tenants.size())];
        const std::uint64_t i = random.below(900);
        const page_kind kind = random.one_in(2) ? page_kind::random : page_kind::text;
        switch (random.below(8)) {
        case 0:
        case 1: {
            const status done = s.store.erase({t.pool, i / 1000, i});
            CHECK(done == (t.pages.erase(i) == 1 ? status::ok : status::not_found));
            break;
        }
        case 2: CHECK(s.has(t.pool, i, t.pages.contains(i) ? t.pages[i] : kind) == t.pages.contains(i)); break;
        case 3:
            if (random.one_in(50)) {
                static_cast<void>(s.store.compact(1u << 20));
            }
            break;
        default: {
            const status done = s.put(t.pool, i, kind);
            if (done == status::ok) {
                t.pages[i] = kind;
            } else {
                CHECK(done == status::no_memory);
                t.pages.erase(i);
                ++refused;
            }
        }
        }
        if (round % 500 == 0) {
            CHECK(s.store.check());
            for (std::size_t n = 0; n < 3; ++n) {
                CHECK(s.strict_pages(n)[(n + 1) % 3] + s.strict_pages(n)[(n + 2) % 3] == 0);
            }
        }
    }
    CHECK(refused > 0);
    for (tenant& t : tenants) {
        for (const auto& [i, kind] : t.pages) {
            CHECK(s.has(t.pool, i, kind));
        }
    }
}

TEST_CASE("nodes: what strict pools reserve on a node is within its limit, to the byte, and other nodes' don't count") {
    fixture s;
    static_cast<void>(s.strict(0)); // or there is no node yet
    constexpr std::size_t limit = 1000 * 4096;
    CHECK(s.store.resize(limit, node_id{0}) == status::ok);
    const auto reserve = [&](std::size_t bytes, std::size_t node, bool strict = true) {
        return s.store.create_pool(
            {.reserved_bytes = bytes, .node = static_cast<node_id>(node), .strict_node = strict});
    };
    CHECK(reserve(limit + 1, 0).error() == status::limit);
    const auto all = reserve(limit, 0);
    CHECK(all);
    CHECK(reserve(1, 0).error() == status::limit);
    CHECK(reserve(0, 0));
    CHECK(reserve(limit + 1, 1));
    CHECK(reserve(limit + 1, 0, false)); // a wish binds it to no node
    CHECK(s.store.destroy_pool(*all) == status::ok);
    const auto most = reserve(limit - 1, 0);
    CHECK(most);
    CHECK(reserve(2, 0).error() == status::limit);
    CHECK(reserve(1, 0));
    CHECK(s.store.resize(limit - 1, node_id{0}) == status::ok); // nothing of it is used yet
    CHECK(reserve(0, 0).error() == status::limit);              // as of a whole store that reserves too much
    CHECK(s.store.resize(~std::size_t{0}, node_id{0}) == status::ok);
    CHECK(reserve(limit, 0));
    CHECK(s.store.check());
}

TEST_CASE("nodes: a limit below what a node's pools reserved takes no page of that from them, as a store's doesn't") {
    // The same of a node and of a whole store without nodes.
    const auto fill_and_lower = [](auto& store, const pool_options& options, auto lower) {
        pool_options o = options;
        o.kind = pool_kind::ephemeral;
        o.reserved_bytes = 200 * 4096;
        const pool_id pool = store.create_pool(o).value();
        for (std::uint64_t i = 0; i < 400; ++i) {
            CHECK(store.put({pool, 0, i}, page_of(4096, page_kind::random, i)) == status::ok);
        }
        CHECK(lower(std::size_t{100} * 4096) == status::limit);
        const pool_stats after = store.statistics_of(pool).value();
        CHECK(after.stored_pages < 205);
        CHECK(after.used_bytes >= o.reserved_bytes);
        CHECK(after.used_bytes < o.reserved_bytes + 2 * 4096);
        CHECK(store.create_pool(options).error() == status::limit);
        CHECK(lower(~std::size_t{0}) == status::ok);
        CHECK(store.create_pool(options));
        CHECK(store.check());
    };
    fixture s;
    fill_and_lower(s.store, {.node = node_id{1}, .strict_node = true},
                   [&](std::size_t bytes) { return s.store.resize(bytes, node_id{1}); });
    test_source plain;
    partitioned_store<default_config> store{plain, {.partitions = 1, .seed = 1}};
    fill_and_lower(store, {}, [&](std::size_t bytes) { return store.resize(bytes); });
}

// Where a store's scratch is.

struct located_config : by_node_config {
    using locality_type = played_locality;
};
using located_store = partitioned_store<located_config>;

/// What all nodes and no node have, which is the store's to the byte.
template <class Store>
[[nodiscard]] std::uint64_t bytes_of_parts(const Store& store, std::size_t nodes) {
    std::uint64_t bytes = store.stats(any_node).value().total_bytes;
    for (std::size_t n = 0; n < nodes; ++n) {
        bytes += store.stats(static_cast<node_id>(n)).value().total_bytes;
    }
    return bytes;
}

TEST_CASE("nodes: scratch is on the node of whoever works, counted there, and each node gives back its own") {
    machine source{plenty};
    played_locality::node = node_id{1};
    located_store store{source, {.partitions = 6, .seed = 1}, {}, {}, by_node{source}};
    const pool_id pool = store.create_pool({.node = node_id{2}, .strict_node = true}).value();
    const auto bytes = [&](std::size_t n) { return store.stats(static_cast<node_id>(n)).value().total_bytes; };
    const std::array<std::uint64_t, 3> before{bytes(0), bytes(1), bytes(2)};
    const std::size_t pages_before = source.pages_for(node_id{0}, 0);
    std::array<std::byte, 4096> back{};
    for (std::uint64_t i = 0; i < 30; ++i) { // all of it is there, from wherever
        played_locality::node = static_cast<node_id>(i % 3);
        CHECK(store.put({pool, 0, i}, page_of(4096, page_kind::text, i)) == status::ok);
        CHECK(store.get({pool, 0, i}, back) == status::ok);
        CHECK(bytes_of_parts(store, 3) == store.stats().total_bytes);
    }
    const std::uint64_t a_slot = bytes(0) - before[0];
    CHECK(a_slot > 4096 * 2);
    CHECK(bytes(1) == before[1]); // there was one from the beginning
    CHECK((source.pages_for(node_id{0}, 0) - pages_before) * 4096 == a_slot);
    CHECK(store.check());
    const std::uint64_t elsewhere = bytes(2); // with a slot that nobody uses either
    CHECK(store.shrink(1, node_id{0}) == a_slot);
    CHECK(bytes(0) == before[0]);
    CHECK(bytes(1) == before[1]);
    CHECK(bytes(2) == elsewhere);
    CHECK(bytes_of_parts(store, 3) == store.stats().total_bytes);
    CHECK(store.check());
}

TEST_CASE("nodes: a store works from a node whose limit is met, or that is gone, or that it is not on") {
    machine source{plenty};
    played_locality::node = node_id{0};
    located_store store{source, {.partitions = 6, .seed = 1}, {}, {}, by_node{source}};
    const pool_id pool = store.create_pool({.node = node_id{2}, .strict_node = true}).value();
    static_cast<void>(store.resize(1, node_id{1}));
    std::array<std::byte, 4096> back{};
    for (std::uint64_t i = 0; i < 60; ++i) {
        if (i == 30) {
            source.take_away(node_id{0});
        }
        played_locality::node = i % 4 == 3 ? any_node : static_cast<node_id>(i % 4);
        CHECK(store.put({pool, 0, i}, page_of(4096, page_kind::random, i)) == status::ok);
        CHECK(store.get({pool, 0, i}, back) == status::ok);
        CHECK(bytes_of_parts(store, 3) == store.stats().total_bytes);
    }
    CHECK(store.check());
}

TEST_CASE("nodes: a store on one node, or on none, never asks where it runs") {
    played_locality::asked = 0;
    const auto work = [](auto& store) {
        const pool_id pool = store.create_pool().value();
        std::array<std::byte, 4096> back{};
        for (std::uint64_t i = 0; i < 30; ++i) {
            CHECK(store.put({pool, 0, i}, page_of(4096, page_kind::text, i)) == status::ok);
            CHECK(store.get({pool, 0, i}, back) == status::ok);
        }
        CHECK(store.check());
    };
    node_test_source<1> one{plenty};
    located_store on_one{one, {.partitions = 4, .seed = 1}, {}, {}, by_node{one}};
    work(on_one);
    CHECK(bytes_of_parts(on_one, 1) == on_one.stats().total_bytes);
    struct config : default_config {
        using locality_type = played_locality;
    };
    test_source plain;
    partitioned_store<config> on_none{plain};
    work(on_none);
    CHECK(played_locality::asked == 0);
}

} // namespace
} // namespace pagefold::testing::unit_store_nodes
