// SPDX-License-Identifier: MIT
//
// Pools that go from node to node, in one thread: stopped at every step, refused at every acquisition, and used meanwhile. With
// threads: tests/stress/store_migration.cpp; with real nodes: tests/numa.
#include <pagefold/store/store_migration.hpp>

#include "support/node_test_source.hpp"
#include "support/pages.hpp"
#include "support/rng.hpp"
#include "support/store_configs.hpp"

#include <pagefold/place/by_node.hpp>
#include <pagefold/platform/parking.hpp>
#include <pagefold/platform/spin_lock.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace pagefold::testing::unit_store_store_migration {
namespace {

using machine = node_test_source<3>;
using store_type = partitioned_store<by_node_config>;
constexpr std::size_t plenty = 1u << 20;
constexpr node_id nodes[] = {node_id{0}, node_id{1}, node_id{2}};

struct fixture {
    explicit fixture(std::size_t pages_a_node = plenty, std::size_t limit = ~std::size_t{0})
        : source{pages_a_node}, store{source,
                                      {.limit_bytes = limit, .partitions = 12, .seed = 1},
                                      {},
                                      {},
                                      by_node{source}} {}

    [[nodiscard]] pool_id strict(node_id node, pool_kind kind = pool_kind::persistent,
                                 std::size_t cap = ~std::size_t{0}) {
        return store.create_pool({.kind = kind, .cap_bytes = cap, .node = node, .strict_node = true}).value();
    }
    [[nodiscard]] status put(const page_key& key, std::uint64_t seed) {
        return store.put(key, page_of(4096, kind_of(seed), seed));
    }
    [[nodiscard]] status get(const page_key& key) { return store.get(key, page_); }
    [[nodiscard]] bool got(std::uint64_t seed) const {
        const auto expected = page_of(4096, kind_of(seed), seed);
        return std::memcmp(page_.data(), expected.data(), page_.size()) == 0;
    }
    [[nodiscard]] bool has(const page_key& key, std::uint64_t seed) { return get(key) == status::ok && got(seed); }
    /// Pages of the source that were asked for strictly of a node. What is empty stays until it is shrunk.
    [[nodiscard]] std::size_t strict_pages(node_id node) {
        static_cast<void>(store.compact(~std::size_t{0}));
        return source.pages_for(strictly(node), static_cast<std::size_t>(node));
    }
    [[nodiscard]] std::uint64_t stored(node_id node) { return store.stats(node).value().stored_pages; }
    /// One small step: a few pages.
    [[nodiscard]] status step(pool_id pool, node_id node, bool is_strict = true) {
        return store.set_node(pool, node, is_strict, 1);
    }

    machine source;
    store_type store;
    std::array<std::byte, 4096> page_{};
};

/// Calls back before it is taken and when it was let go: around any hold of an operation somebody else may come.
struct calling_lock {
    void lock() noexcept {
        if (held == 0 && before_lock && !is_within) {
            is_within = true;
            before_lock();
            is_within = false;
        }
        inner.lock();
        ++held;
        ++takes;
    }
    void unlock() noexcept {
        inner.unlock();
        if (--held == 0 && after_unlock && !is_within) {
            is_within = true;
            after_unlock();
            is_within = false;
        } else if (after_each && !is_within) {
            is_within = true;
            after_each();
            is_within = false;
        }
    }
    spin_lock inner{};
    static inline unsigned held = 0; // of all locks: a move has two
    static inline unsigned takes = 0;
    static inline bool is_within = false;
    static inline std::function<void()> before_lock, after_unlock;
    static inline std::function<void()> after_each; // the registry's may be held still
};
/// Errs with every page, where it is told so.
struct erring_codec : default_config::compressor_type {
    using base = default_config::compressor_type;
    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        calls += errs ? 1u : 0u;
        return errs ? status::corrupt : base::compress(in, out, scratch);
    }
    static inline bool errs = false;
    static inline unsigned calls = 0;
};
struct calling_config : by_node_config {
    using compressor_type = erring_codec;
    using lock_type = calling_lock;
    using parking_type = spin_parking; // the lock calls the store, which would take that for a call within a call
    static constexpr bool logs_changes = true;
};

/// Between the n-th and the next hold of an operation, or behind each from there on, `meanwhile` happens. The number of holds.
template <class Operation, class Meanwhile>
unsigned between_holds(unsigned n, bool each, Operation operation, Meanwhile meanwhile) {
    unsigned holds = 0;
    calling_lock::after_unlock = [&] {
        if (++holds == n || (each && holds > n)) {
            meanwhile();
        }
    };
    operation();
    calling_lock::after_unlock = nullptr;
    return holds;
}

TEST_CASE(
    "store_migration: all of a pool's pages go to the node, with their memory, and those put behind them as well") {
    for (const pool_kind kind : {pool_kind::persistent, pool_kind::ephemeral}) {
        fixture f;
        const pool_id pool = f.strict(nodes[0], kind), other = f.strict(nodes[0]);
        const std::size_t empty = f.strict_pages(nodes[0]), empty_there = f.strict_pages(nodes[2]);
        for (std::uint64_t i = 0; i < 1000; ++i) {
            REQUIRE(f.put({pool, i / 100, i}, i) == status::ok);
        }
        REQUIRE(f.put({other, 1, 1}, 7) == status::ok);
        REQUIRE(f.strict_pages(nodes[0]) > empty + 200);
        CHECK(f.store.set_node(pool, nodes[2], true) == status::ok);
        CHECK(f.store.check());
        CHECK(f.stored(nodes[0]) == 1); // the other pool's
        CHECK(f.stored(nodes[2]) == 1000);
        CHECK(f.strict_pages(nodes[0]) <= empty + 12);
        CHECK(f.strict_pages(nodes[2]) > empty_there + 200);
        CHECK(f.store.stats().pages_migrated == 1000);
        for (std::uint64_t i = 0; i < 1000; ++i) {
            REQUIRE(f.has({pool, i / 100, i}, i));
        }
        CHECK(f.put({pool, 55, 1}, 1) == status::ok);
        CHECK(f.stored(nodes[2]) == 1001);
        CHECK(f.has({other, 1, 1}, 7));
        CHECK(f.store.set_node(pool, nodes[2], true) == status::ok); // nothing to do
        CHECK(f.store.stats().pages_migrated == 1000);
        CHECK(f.store.destroy_pool(pool) == status::ok);
        CHECK(f.store.set_node(pool, nodes[1]) == status::invalid);
        CHECK(f.store.check());
    }
}

TEST_CASE("store_migration: from no node to one, to a wish for it, and back to none") {
    fixture f;
    const pool_id pool = f.store.create_pool().value();
    for (std::uint64_t i = 0; i < 600; ++i) {
        REQUIRE(f.put({pool, 1, i * 7}, i) == status::ok);
    }
    const struct {
        node_id node;
        bool strict;
    } steps[] = {{nodes[1], true},  {nodes[1], false}, {nodes[2], false},
                 {any_node, false}, {any_node, true},  {nodes[0], true}};
    for (const auto& to : steps) {
        REQUIRE(f.store.set_node(pool, to.node, to.strict) == status::ok);
        REQUIRE(f.store.check());
        if (to.node != any_node) {
            CHECK(f.stored(to.node) == 600);
        } else {
            CHECK(f.stored(nodes[0]) < 400);
            CHECK(f.stored(nodes[1]) < 400);
        }
        for (std::uint64_t i = 0; i < 600; ++i) {
            REQUIRE(f.has({pool, 1, i * 7}, i));
        }
    }
    CHECK(f.store.set_node(pool, node_id{9}, true) == status::invalid);
    CHECK(f.store.set_node(pool_id{}, nodes[1]) == status::invalid);
    CHECK(f.store.stats().pages_migrated > 600);
}

TEST_CASE("store_migration: half-way every operation means what it means elsewhere") {
    // Stopped after each step, compared with a map; then on, back, or to a third node.
    rng random{11};
    for (unsigned round = 0; round < 12; ++round) {
        CAPTURE(round);
        fixture f;
        const pool_kind kind = round % 3 == 2 ? pool_kind::ephemeral : pool_kind::persistent;
        const pool_id pool = f.strict(nodes[0], kind);
        std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> model;
        std::uint64_t seed = 0;
        const auto any_key = [&] { return std::pair{random.below(6), random.below(300)}; };
        const auto put = [&](std::pair<std::uint64_t, std::uint64_t> at) {
            REQUIRE(f.put({pool, at.first, at.second}, ++seed) == status::ok);
            model[at] = seed;
        };
        for (unsigned i = 0; i < 500; ++i) {
            put(any_key());
        }
        node_id target = nodes[1];
        unsigned steps = 0, arrivals = 0;
        while (arrivals < 3) {
            REQUIRE(++steps < 4000);
            const status s = f.step(pool, target);
            REQUIRE((s == status::ok || s == status::busy));
            if (s == status::ok) {
                ++arrivals;
                REQUIRE(f.stored(target) == model.size());
                target = nodes[(static_cast<std::size_t>(target) + 1) % 3];
            } else if (random.below(40) == 0) {
                target = nodes[random.below(3)]; // it is under way to another, which ends first, or it turns back
            }
            for (unsigned i = 0; i < 4; ++i) {
                const auto at = any_key();
                const page_key key{pool, at.first, at.second};
                const auto known = model.find(at);
                switch (random.below(6)) {
                case 0: put(at); break;
                case 1:
                    REQUIRE(f.store.erase(key) == (known != model.end() ? status::ok : status::not_found));
                    model.erase(at);
                    break;
                case 2: {
                    const status taken = f.store.take(key, f.page_);
                    REQUIRE(taken == (known != model.end() ? status::ok : status::not_found));
                    REQUIRE((taken != status::ok || f.got(known->second)));
                    model.erase(at);
                    break;
                }
                case 3:
                    if (random.below(20) == 0) {
                        const auto count = static_cast<std::uint64_t>(random.below(200));
                        std::size_t expected = 0;
                        for (std::uint64_t index = at.second; index < at.second + count; ++index) {
                            expected += model.erase({at.first, index});
                        }
                        REQUIRE(f.store.erase_range(pool, at.first, at.second, count).value() == expected);
                    }
                    break;
                default: REQUIRE(f.get(key) == (known != model.end() ? status::ok : status::not_found));
                }
            }
            if (steps % 16 == 0) {
                REQUIRE(f.store.check());
                REQUIRE(f.store.statistics_of(pool).value().stored_pages == model.size());
            }
        }
        for (const auto& [at, content] : model) {
            REQUIRE(f.has({pool, at.first, at.second}, content));
        }
    }
}

TEST_CASE("store_migration: a pool takes its reservation along, or stays where the node can't promise it") {
    fixture f;
    const pool_id pool =
        f.store.create_pool({.reserved_bytes = 1'000'000, .node = nodes[0], .strict_node = true}).value();
    const pool_id other =
        f.store.create_pool({.reserved_bytes = 600'000, .node = nodes[1], .strict_node = true}).value();
    REQUIRE(f.put({pool, 1, 1}, 1) == status::ok);
    REQUIRE(f.store.resize(1'500'000, nodes[1]) == status::ok);
    CHECK(f.store.set_node(pool, nodes[1], true) == status::limit);
    CHECK(f.stored(nodes[0]) == 1);
    CHECK(f.store.set_node(pool, nodes[1], false) == status::ok); // a wish promises nothing
    CHECK(f.stored(nodes[1]) == 1);
    CHECK(f.store.set_node(pool, nodes[0], true) == status::ok);
    REQUIRE(f.store.destroy_pool(other) == status::ok);
    CHECK(f.store.set_node(pool, nodes[1], true) == status::ok);
    CHECK(f.store.create_pool({.reserved_bytes = 600'000, .node = nodes[1], .strict_node = true}).error() ==
          status::limit);
    CHECK(f.store.create_pool({.reserved_bytes = 600'000, .node = nodes[0], .strict_node = true}).error() ==
          status::ok);
}

TEST_CASE("store_migration: a page that is not there is one miss, wherever it is looked for") {
    fixture f;
    const pool_id pool = f.strict(nodes[0]);
    for (std::uint64_t i = 0; i < 200; ++i) {
        REQUIRE(f.put({pool, 1, i}, i) == status::ok);
    }
    REQUIRE(f.step(pool, nodes[1]) == status::busy);
    for (std::uint64_t i = 0; i < 400; ++i) {
        CHECK(f.get({pool, 1, i}) == (i < 200 ? status::ok : status::not_found));
    }
    CHECK(f.store.statistics_of(pool).value().misses == 200);
    CHECK(f.store.statistics_of(pool).value().hits == 200);
    CHECK(f.store.stats().misses == 200);
}

TEST_CASE("store_migration: a node that is full stops a move; every page stays, is found, and goes on or back") {
    for (const bool goes_on : {false, true}) {
        fixture f{600};
        const pool_id pool = f.strict(nodes[0]), blocker = f.strict(nodes[1]);
        std::uint64_t in_the_way = 0;
        while (f.put({blocker, 1, in_the_way}, in_the_way * 16 + 3) == status::ok) {
            ++in_the_way;
        }
        for (std::uint64_t i = 0; i < 200; ++i) {
            REQUIRE(f.put({pool, 1, i}, i) == status::ok);
        }
        REQUIRE(f.store.set_node(pool, nodes[1], true) == status::no_memory);
        REQUIRE(f.store.check());
        for (std::uint64_t i = 0; i < 200; ++i) {
            REQUIRE(f.has({pool, 1, i}, i));
        }
        // An overwrite that finds no room there is refused, and the page is gone in every version.
        unsigned refused = 0;
        for (std::uint64_t i = 0; i < 200; i += 10) {
            const status s = f.put({pool, 1, i}, 1000 + i);
            refused += s != status::ok ? 1u : 0u;
            REQUIRE((s == status::ok ? f.has({pool, 1, i}, 1000 + i) : f.get({pool, 1, i}) == status::not_found));
        }
        CHECK(refused != 0);
        const std::uint64_t left = f.store.statistics_of(pool).value().stored_pages;
        CHECK(left == 200 - refused);
        if (goes_on) {
            REQUIRE(f.store.erase_object(blocker, 1).value() == in_the_way);
        }
        CHECK(f.store.set_node(pool, nodes[goes_on ? 1 : 0], true) == status::ok);
        CHECK(f.stored(nodes[goes_on ? 1 : 0]) == left);
        CHECK(f.store.check());
        for (std::uint64_t i = 1; i < 200; i += 10) {
            REQUIRE(f.has({pool, 1, i}, i));
        }
    }
}

TEST_CASE("store_migration: what may be dropped on a node makes room for pages that come") {
    fixture f{600};
    const pool_id pool = f.strict(nodes[0]), cache = f.strict(nodes[1], pool_kind::ephemeral);
    for (std::uint64_t i = 0; i < 900; ++i) {
        static_cast<void>(f.put({cache, 1, i}, i * 16 + 3));
    }
    for (std::uint64_t i = 0; i < 400; ++i) {
        REQUIRE(f.put({pool, 1, i}, i) == status::ok);
    }
    const std::uint64_t cached = f.store.statistics_of(cache).value().stored_pages;
    CHECK(f.store.set_node(pool, nodes[1], true) == status::ok);
    CHECK(f.store.statistics_of(cache).value().stored_pages < cached);
    CHECK(f.store.statistics_of(pool).value().stored_pages == 400);
    for (std::uint64_t i = 0; i < 400; ++i) {
        REQUIRE(f.has({pool, 1, i}, i));
    }
    CHECK(f.store.check());
}

TEST_CASE("store_migration: whichever acquisition is refused, no page is lost and the next try ends it") {
    bool was_refused = true;
    for (std::uint64_t n = 1; was_refused; ++n) {
        CAPTURE(n);
        REQUIRE(n < 400);
        fixture f;
        const pool_id pool = f.strict(nodes[0]);
        for (std::uint64_t i = 0; i < 150; ++i) {
            REQUIRE(f.put({pool, i % 3, i}, i) == status::ok);
        }
        f.source.refuse_nth(n);
        const status s = f.store.set_node(pool, nodes[1], true);
        f.source.refuse_nth(0);
        was_refused = n < 12 || s != status::ok; // one refusal alone need not stop it
        REQUIRE((s == status::ok || s == status::no_memory || s == status::limit));
        REQUIRE(f.store.check());
        for (std::uint64_t i = 0; i < 150; ++i) {
            REQUIRE(f.has({pool, i % 3, i}, i));
        }
        REQUIRE(f.store.set_node(pool, nodes[1], true) == status::ok);
        REQUIRE(f.stored(nodes[1]) == 150);
        REQUIRE(f.store.check());
    }
}

TEST_CASE("store_migration: a pool at its cap overwrites its pages half-way as it did before") {
    fixture f;
    const pool_id pool = f.strict(nodes[0], pool_kind::persistent, 400'000);
    std::uint64_t pages = 0;
    while (f.put({pool, 1, pages}, pages * 16 + 3) == status::ok) {
        ++pages;
    }
    REQUIRE(pages > 50);
    REQUIRE(f.step(pool, nodes[1]) == status::busy);
    for (std::uint64_t i = 0; i < pages; ++i) {
        REQUIRE(f.put({pool, 1, i}, i * 16 + 3) == status::ok); // as large as before
    }
    CHECK(f.store.statistics_of(pool).value().stored_pages == pages);
    CHECK(f.put({pool, 1, pages}, pages * 16 + 3) == status::limit);
    CHECK(f.store.set_node(pool, nodes[1], true) == status::ok);
    CHECK(f.store.check());
}

TEST_CASE(
    "store_migration: a version that found no room to move is counted once, and goes for a new one that finds it") {
    // Node 1 has room for small streams only, and the pool, of raw pages, is at its cap.
    fixture f{700};
    const auto raw = [](std::uint64_t i) { return i * page_kinds + 5; };
    const auto small = [](std::uint64_t i) { return i * page_kinds + 3; };
    const pool_id pool = f.strict(nodes[0], pool_kind::persistent, 400'000), blocker = f.strict(nodes[1]);
    std::uint64_t pages = 0, blocks = 0;
    while (f.put({pool, 1, pages}, raw(pages)) == status::ok) {
        ++pages;
    }
    REQUIRE(pages > 50);
    while (f.put({blocker, 1, blocks}, blocks % 2 == 0 ? raw(blocks) : small(blocks)) == status::ok) {
        ++blocks;
    }
    REQUIRE(f.store.set_node(pool, nodes[1], true) == status::no_memory);
    const std::uint64_t first = f.store.stats().pages_migrated; // some fit still
    for (std::uint64_t i = 1; i < blocks; i += 4) {
        REQUIRE(f.store.erase({blocker, 1, i}) == status::ok);
    }
    unsigned replaced = 0;
    for (std::uint64_t i = pages; i-- > first;) {
        CAPTURE(i);
        const status s = f.put({pool, 1, i}, small(i));
        REQUIRE((s == status::ok || s == status::no_memory));
        REQUIRE((s == status::ok ? f.has({pool, 1, i}, small(i)) : f.get({pool, 1, i}) == status::not_found));
        replaced += s == status::ok ? 1u : 0u;
    }
    CHECK(replaced > 10);
    CHECK(f.store.statistics_of(pool).value().stored_pages == first + replaced);
    CHECK(f.store.set_node(pool, nodes[0], true) == status::ok);
    CHECK(f.stored(nodes[0]) == first + replaced);
    CHECK(f.store.check());
}

TEST_CASE("store_migration: a pool that is destroyed half-way leaves nothing") {
    fixture f;
    const pool_id keeper = f.strict(nodes[1]);
    const std::uint64_t before = f.store.stats().stored_pages;
    for (unsigned steps = 1; steps < 40; steps += 3) {
        const pool_id pool = f.strict(nodes[0]);
        for (std::uint64_t i = 0; i < 200; ++i) {
            REQUIRE(f.put({pool, i % 5, i}, i) == status::ok);
        }
        for (unsigned i = 0; i < steps; ++i) {
            REQUIRE(f.step(pool, nodes[1]) == status::busy);
        }
        REQUIRE(f.store.destroy_pool(pool) == status::ok);
        REQUIRE(f.step(pool, nodes[1]) == status::invalid);
        REQUIRE(f.store.check());
        REQUIRE(f.store.stats().stored_pages == before);
        // The next pool of the slot is where it was made.
        const pool_id next = f.strict(nodes[2]);
        REQUIRE(pool_ids::slot(next) == pool_ids::slot(pool));
        REQUIRE(f.put({next, 1, 1}, 1) == status::ok);
        REQUIRE(f.stored(nodes[2]) == 1);
        REQUIRE(f.store.destroy_pool(next) == status::ok);
    }
    CHECK(f.store.destroy_pool(keeper) == status::ok);
}

TEST_CASE("store_migration: a page that was erased before its pool was destroyed was erased") {
    machine source{plenty};
    partitioned_store<calling_config> store{source, {.partitions = 6, .seed = 1}, {}, {}, by_node{source}};
    const pool_id pool = store.create_pool({.node = nodes[1], .strict_node = true}).value();
    for (std::uint64_t i = 0; i < 60; ++i) {
        REQUIRE(store.put({pool, 1, i}, page_of(4096, page_kind::pointers, i)) == status::ok);
    }
    REQUIRE(store.set_node(pool, nodes[0], true, 1) == status::busy);
    status erased = status::busy;
    const unsigned holds = between_holds(
        1, false,
        [&] {
            erased = store.erase({pool, 1, 59});
        },
        [&] { CHECK(store.destroy_pool(pool) == status::ok); });
    CHECK(holds == 2);
    CHECK(erased == status::ok);
    CHECK(store.erase({pool, 1, 58}) == status::invalid);
    CHECK(store.check());
}

TEST_CASE("store_migration: a put that is sent to another node and begins anew counts once, and so does its codec's "
          "failure") {
    machine source{plenty};
    partitioned_store<calling_config> store{source, {.partitions = 6, .seed = 1}, {}, {}, by_node{source}};
    const pool_id pool = store.create_pool({.node = nodes[0], .strict_node = true}).value();
    erring_codec::errs = true;
    erring_codec::calls = 0;
    unsigned holds = 1, puts = 0;
    for (unsigned n = 1; n <= holds; ++n) {
        status s = status::busy;
        holds = between_holds(
            n, false,
            [&] {
                s = store.put({pool, 1, n}, page_of(4096, page_kind::text, n));
            },
            [&] { CHECK(store.set_node(pool, nodes[1 + n % 2], true) == status::ok); });
        CHECK(s == status::ok);
        ++puts;
        const pool_stats one = store.statistics_of(pool).value();
        CHECK(one.puts == puts);
        CHECK(one.reject_compress_fail == puts);
        CHECK(one.rejected_puts == 0);
        CHECK(store.stats().reject_compress_fail == puts);
    }
    erring_codec::errs = false;
    CHECK(erring_codec::calls > puts); // some were packed twice
    CHECK(store.check());
}

TEST_CASE("store_migration: steps and holds are in proportion to the pool, however much else there is") {
    for (const std::uint64_t others : {0u, 20'000u}) {
        fixture f;
        const pool_id pool = f.strict(nodes[0]), other = f.strict(nodes[0]);
        for (std::uint64_t i = 0; i < others; ++i) {
            REQUIRE(f.put({other, i, 0}, 16 * i) == status::ok);
        }
        for (std::uint64_t i = 0; i < 200; ++i) {
            REQUIRE(f.put({pool, 1, i}, i) == status::ok);
        }
        unsigned steps = 0;
        while (f.step(pool, nodes[1]) == status::busy) {
            ++steps;
        }
        CHECK(steps >= 200 / 4 - 1);
        CHECK(steps <= 200 / 4 + 16);
        CHECK(f.store.stats().pages_migrated == 200);
    }
}

/// Node 1 has no room for raw pages, and some for small ones; the pool, of 40 raw pages, was sent there from node 0 and is
/// half-way.
struct stuck_move {
    explicit stuck_move(bool has_small_room) {
        std::uint64_t blocks = 0;
        for (std::uint64_t i = 0; i < 40; ++i) {
            REQUIRE(store.put({pool, 1, i}, raw(i)) == status::ok);
        }
        while (store.put({blocker, 1, blocks}, blocks % 2 != 0 && has_small_room ? small(blocks) : raw(blocks)) ==
               status::ok) {
            ++blocks;
        }
        REQUIRE(store.set_node(pool, nodes[1], true) == status::no_memory);
        for (std::uint64_t i = 1; i < blocks && has_small_room; i += 4) {
            REQUIRE(store.erase({blocker, 1, i}) == status::ok);
        }
    }
    [[nodiscard]] static std::vector<std::byte> raw(std::uint64_t i) { return page_of(4096, page_kind::random, i); }
    [[nodiscard]] static std::vector<std::byte> small(std::uint64_t i) { return page_of(4096, page_kind::pointers, i); }

    machine source{500};
    partitioned_store<calling_config> store{source, {.partitions = 6, .seed = 1}, {}, {}, by_node{source}};
    const pool_id pool = store.create_pool({.node = nodes[0], .strict_node = true}).value();
    const pool_id blocker = store.create_pool({.node = nodes[1], .strict_node = true}).value();
};

TEST_CASE("store_migration: a pool that is sent back while a put of a page that could not move is under way") {
    unsigned holds = 1;
    for (unsigned n = 1; n <= holds; ++n) {
        CAPTURE(n);
        stuck_move f{true};
        const page_key key{f.pool, 1, 39};
        const auto older = f.raw(39), newer = f.small(99);
        std::vector<unsigned> seen;
        const auto read = [&] {
            std::vector<std::byte> out(4096);
            REQUIRE(f.store.get(key, out) == status::ok);
            seen.push_back(out == older ? 1 : out == newer ? 2 : 0);
        };
        holds = between_holds(
            n, false, [&] { CHECK(f.store.put(key, newer) == status::ok); },
            [&] {
                read();
                static_cast<void>(f.store.set_node(f.pool, nodes[0], true, 0));
                read();
                CHECK(f.store.set_node(f.pool, nodes[0], true) == status::ok);
                read();
            });
        read();
        CHECK(seen[0] != 0);
        CHECK(std::is_sorted(seen.begin(), seen.end())); // no old version comes back
        CHECK(seen.back() == 2);
        CHECK(f.store.check());
    }
}

TEST_CASE("store_migration: a put that is refused leaves no version, though the old one found room meanwhile") {
    for (const bool is_moved : {false, true}) {
        unsigned holds = 1, refused = 0;
        for (unsigned n = 1; n <= holds; ++n) {
            CAPTURE(n);
            stuck_move f{false};
            const page_key key{f.pool, 1, 39};
            const auto newer = f.raw(99);
            status s = status::ok;
            holds = between_holds(
                n, false, [&] { s = f.store.put(key, newer); },
                [&] {
                    if (is_moved) {
                        CHECK(f.store.erase_object(f.blocker, 1));
                        CHECK(f.store.set_node(f.pool, nodes[1], true) == status::ok);
                    }
                });
            refused += s == status::no_memory ? 1u : 0u;
            std::vector<std::byte> out(4096);
            REQUIRE(f.store.get(key, out) == (s == status::ok ? status::ok : status::not_found));
            CHECK((s != status::ok || out == newer));
            CHECK(f.store.check());
        }
        CHECK(refused != 0);
    }
}

TEST_CASE("store_migration: a put that finds its pool frozen leaves the version that has not moved") {
    stuck_move f{false};
    const page_key key{f.pool, 1, 39};
    std::vector<std::byte> out(4096);
    REQUIRE(f.store.log_changes(f.pool, nullptr, 0, true) == status::ok);
    CHECK(f.store.put(key, f.raw(99)) == status::busy);
    CHECK(f.store.get(key, out) == status::ok);
    CHECK(out == f.raw(39));
    REQUIRE(f.store.log_changes(f.pool, nullptr, 0) == status::ok);
    CHECK(f.store.get(key, out) == status::ok);
    CHECK(f.store.check());
}

TEST_CASE("store_migration: a range that is erased while its pool freezes, partition by partition, is busy") {
    unsigned holds = 1;
    for (unsigned n = 1; n <= holds; ++n) {
        CAPTURE(n);
        machine source{plenty};
        partitioned_store<calling_config> store{source, {.partitions = 6, .seed = 1}, {}, {}, by_node{source}};
        const pool_id pool = store.create_pool().value();
        for (std::uint64_t i = 0; i < 40; ++i) {
            REQUIRE(store.put({pool, 1, i * 64}, page_of(4096, page_kind::pointers, i)) == status::ok);
        }
        result<std::size_t> erased{0};
        unsigned at = 0;
        calling_lock::after_each = [&] {
            if (++at == n) {
                erased = store.erase_object(pool, 1);
            }
        };
        CHECK(store.log_changes(pool, nullptr, 0, true) == status::ok);
        calling_lock::after_each = nullptr;
        holds = at;
        CHECK(erased.error() == status::busy); // and not what the last partition said
    }
    CHECK(holds == 6 + 1);
}

TEST_CASE("store_migration: of a pool that is being destroyed nobody is at the log behind its end") {
    machine source{plenty};
    partitioned_store<calling_config> store{source, {.partitions = 6, .seed = 1}, {}, {}, by_node{source}};
    const pool_id pool = store.create_pool().value();
    atomic<std::uint32_t> word{0};
    change_log log{&word, 1}, other{&word, 1};
    REQUIRE(store.log_changes(pool, &log, 0) == status::ok);
    CHECK(store.log_changes(pool, &other, 0) == status::invalid);
    CHECK(store.log_changes(pool, &log, 0) == status::ok);
    unsigned takes = 0;
    calling_lock::after_unlock = [&] { // the id is gone, and the pool is open still
        if (takes == 0) {
            const unsigned before = calling_lock::takes;
            CHECK(store.log_changes(pool, &log, 0) == status::invalid);
            CHECK(calling_lock::takes == before + 1);
            CHECK(store.log_changes(pool, nullptr, 0) == status::invalid);
            takes = calling_lock::takes - before - 1;
        }
    };
    CHECK(store.destroy_pool(pool) == status::ok);
    calling_lock::after_unlock = nullptr;
    CHECK(takes == 1 + 6); // who came by the id before has left each partition
}

TEST_CASE("store_migration: whatever moves between two holds of an operation, it does what it says") {
    enum class kind : unsigned { erase_range, erase, take, get, put };
    for (const kind what : {kind::erase_range, kind::erase, kind::take, kind::get, kind::put}) {
        for (const bool is_moving : {false, true}) {
            // All of it goes to a third node; or some of it onwards, by the same route; or it is sent around all the time.
            for (const unsigned manner : {0u, 1u, 2u}) {
                const bool each = manner == 2;
                unsigned holds = 1;
                for (unsigned n = 1; n <= holds && n < 60; ++n) {
                    CAPTURE(static_cast<unsigned>(what));
                    CAPTURE(is_moving);
                    CAPTURE(manner);
                    CAPTURE(n);
                    machine source{plenty};
                    partitioned_store<calling_config> store{
                        source, {.partitions = 6, .seed = 1}, {}, {}, by_node{source}};
                    const pool_id pool = store.create_pool({.node = nodes[1], .strict_node = true}).value();
                    const auto page = [](std::uint64_t i) { return page_of(4096, page_kind::pointers, i); };
                    for (std::uint64_t i = 0; i < 60; ++i) {
                        REQUIRE(store.put({pool, 1, i}, page(i)) == status::ok);
                    }
                    if (is_moving) {
                        REQUIRE(store.set_node(pool, nodes[0], true, 1) == status::busy);
                    }
                    unsigned turns = 0;
                    const auto move = [&] {
                        const node_id to = nodes[each ? turns++ / 4 % 3 : manner == 1 ? 0 : 2];
                        const std::size_t work = each ? 40'000 : manner == 1 ? 100'000 : ~std::size_t{0};
                        static_cast<void>(store.set_node(pool, to, true, work));
                    };
                    const page_key key{pool, 1, 40};
                    std::vector<std::byte> out(4096);
                    status s = status::invalid;
                    std::size_t erased = 0;
                    holds = between_holds(
                        n, each && turns < 100,
                        [&] {
                            switch (what) {
                            case kind::erase_range: {
                                const result<std::size_t> done = store.erase_range(pool, 1, 0, 60);
                                s = done.error();
                                erased = done.value_or(0);
                                break;
                            }
                            case kind::erase: s = store.erase(key); break;
                            case kind::take: s = store.take(key, out); break;
                            case kind::get: s = store.get(key, out); break;
                            case kind::put: s = store.put(key, page(99)); break;
                            }
                        },
                        [&] {
                            if (turns < 100) {
                                move();
                            }
                        });
                    REQUIRE(s == status::ok);
                    REQUIRE(store.check());
                    const std::uint64_t left = store.statistics_of(pool).value().stored_pages;
                    switch (what) {
                    case kind::erase_range:
                        REQUIRE(erased == 60);
                        REQUIRE(left == 0);
                        break;
                    case kind::erase:
                    case kind::take: REQUIRE(left == 59); break;
                    default: REQUIRE(left == 60);
                    }
                    REQUIRE((what != kind::take && what != kind::get ? true : out == page(40)));
                    const status now = store.get(key, out);
                    REQUIRE(now == (what == kind::get || what == kind::put ? status::ok : status::not_found));
                    REQUIRE((now != status::ok || out == page(what == kind::put ? 99 : 40)));
                }
            }
        }
    }
}

TEST_CASE("store_migration: whoever sends a pool around without a pause keeps no operation from coming through") {
    machine source{plenty};
    partitioned_store<calling_config> store{source, {.partitions = 6, .seed = 1}, {}, {}, by_node{source}};
    const pool_id pool = store.create_pool({.node = nodes[0], .strict_node = true}).value();
    const page_key key{pool, 1, 1};
    const auto page = page_of(4096, page_kind::text, 1);
    std::array<std::byte, 4096> out{};
    // In front of each hold the pool is sent to the next node, where it may be already; or a few pages of it.
    const auto moves_during = [&](std::size_t work, auto operation) {
        unsigned calls = 0, moves = 0;
        calling_lock::before_lock = [&] {
            if (++calls <= 1000) {
                const status s = store.set_node(pool, nodes[calls % 3], true, work);
                moves += s == status::ok ? 1u : 0u;
                CHECK((s == status::ok || s == status::busy));
            }
        };
        operation();
        calling_lock::before_lock = nullptr;
        CHECK(calls < 1000);
        CHECK(store.check());
        return moves;
    };
    for (const std::size_t work : {~std::size_t{0}, std::size_t{1}}) {
        for (unsigned round = 0; round < 20; ++round) {
            CHECK(moves_during(work, [&] { CHECK(store.put(key, page) == status::ok); }) <= 4);
            CHECK(moves_during(work, [&] { CHECK(store.get(key, out) == status::ok); }) <= 4);
            CHECK(moves_during(work, [&] { CHECK(store.take(key, out) == status::ok); }) <= 4);
            CHECK(moves_during(work, [&] { CHECK(store.erase(key) == status::not_found); }) <= 4);
            CHECK(store.put(key, page) == status::ok);
            // 6 partitions a sweep, and a move in front of each; the second sweep is the last that is disturbed.
            CHECK(moves_during(work, [&] { CHECK(store.erase_range(pool, 1, 0, 4).value() == 1); }) <= 12);
            while (store.set_node(pool, nodes[round % 3], true) == status::busy) {
            }
            CHECK(store.stats(nodes[round % 3]).value().stored_pages == 0);
        }
    }
}

TEST_CASE("store_migration: in a copy of the process nobody holds a route who is gone") {
    machine source{plenty};
    partitioned_store<calling_config> store{source, {.partitions = 6, .seed = 1}, {}, {}, by_node{source}};
    const pool_id pool = store.create_pool({.node = nodes[0], .strict_node = true}).value();
    std::array<status, 3> answers{};
    unsigned calls = 0;
    calling_lock::before_lock = [&] {
        if (++calls <= 2) {
            REQUIRE(store.set_node(pool, nodes[calls], true) == status::ok);
        } else if (calls == 3) {
            answers[0] = store.set_node(pool, nodes[0], true);
            answers[1] = store.quiesce();
            store.resume_alone(); // here the other thread goes on, but nothing is asked of the store any more
            answers[2] = store.set_node(pool, nodes[0], true);
        }
    };
    CHECK(store.erase({pool, 1, 1}) == status::not_found);
    calling_lock::before_lock = nullptr;
    CHECK(answers == std::array{status::busy, status::ok, status::ok});
}

} // namespace
} // namespace pagefold::testing::unit_store_store_migration
