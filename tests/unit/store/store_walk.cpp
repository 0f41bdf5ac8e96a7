// SPDX-License-Identifier: MIT

// Walks over pools of a whole store: what is listed of clones, of pages in a tier, of a pool that moves, of damaged tables.

#include <pagefold/store/store_walk.hpp>

#include "support/damaged_store.hpp"
#include "support/node_test_source.hpp"
#include "support/pages.hpp"
#include "support/rng.hpp"
#include "support/store_configs.hpp"
#include "support/store_fixture.hpp"

#include <pagefold/place/by_node.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace unit_store_store_walk {

namespace {

using namespace pagefold;
using namespace pagefold::testing;
using page = std::pair<std::uint64_t, std::uint64_t>;
using cloning_store = partitioned_store<cloning_config>;
using node_store = partitioned_store<by_node_config>;

/// A walk to its end; what it listed last of each page, and how often.
struct whole_walk {
    template <class Store>
    whole_walk(Store& store, pool_id pool, std::size_t room) : cursor{pool} {
        std::vector<walked_page> out(room);
        unsigned calls = 0;
        for (;;) {
            const result<std::size_t> count = store.walk(cursor, out.data(), room);
            REQUIRE(count);
            REQUIRE(*count <= room);
            REQUIRE(++calls < 100'000);
            for (std::size_t i = 0; i < *count; ++i) {
                pages[{out[i].object, out[i].index}] = out[i];
                ++times[{out[i].object, out[i].index}];
                ++listed;
            }
            if (*count < room) {
                CHECK(cursor.has_ended());
                CHECK(store.walk(cursor, out.data(), room).value() == 0);
                return;
            }
        }
    }
    pool_cursor cursor;
    std::map<page, walked_page> pages;
    std::map<page, unsigned> times;
    std::size_t listed = 0;
};

struct node_fixture {
    node_fixture() : store{source, {.partitions = 12, .seed = 1}, {}, {}, by_node{source}} {
        pool = store.create_pool({.node = node_id{0}, .strict_node = true}).value();
    }
    void put(const page& at) {
        REQUIRE(store.put({pool, at.first, at.second}, page_of(4096, page_kind::word, at.second)) == status::ok);
    }
    [[nodiscard]] bool has(const page& at) { return store.contains({pool, at.first, at.second}) == status::ok; }

    node_test_source<3> source{1u << 20};
    node_store store;
    pool_id pool{};
};

} // namespace

TEST_CASE("walk: a sealed pool and its clone, by what pages are kept as, each once, whatever the room") {
    store_fixture<cloning_store> f;
    const pool_id parent = f.make_pool();
    for (std::uint64_t i = 0; i < 100; ++i) {
        REQUIRE(f.put({parent, 1, i}, page_kind::pointers, i) == status::ok);
    }
    REQUIRE(f.store.seal(parent) == status::ok);
    const pool_id child = f.make_pool({.parent = parent}), other = f.make_pool();
    REQUIRE(f.put({child, 1, 0}, page_kind::pointers, 0) == status::ok);
    std::vector<std::byte> near = page_of(4096, page_kind::pointers, 1);
    near[2000] ^= std::byte{0x55};
    REQUIRE(f.store.put({child, 1, 1}, near) == status::ok);
    REQUIRE(f.put({child, 1, 2}, page_kind::zeros, 0) == status::ok);
    REQUIRE(f.put({child, 1, 3}, page_kind::random, 0) == status::ok);
    REQUIRE(f.put({child, 7, max_page_index - 1}, page_kind::text, 0) == status::ok);
    REQUIRE(f.put({other, 9, 9}, page_kind::text, 0) == status::ok);
    for (const std::size_t room : {std::size_t{1}, std::size_t{5}, std::size_t{6}, std::size_t{1000}}) {
        whole_walk w{f.store, child, room};
        CHECK(w.listed == 5);
        CHECK(w.pages[page(1, 0)].content == page_content::reference);
        CHECK(w.pages[page(1, 0)].stream == 0);
        CHECK(w.pages[page(1, 1)].content == page_content::delta);
        CHECK(w.pages[page(1, 1)].stream < 64);
        CHECK(w.pages[page(1, 2)].content == page_content::in_entry);
        CHECK(w.pages[page(1, 3)].content == page_content::raw);
        CHECK(w.pages[page(7, max_page_index - 1)].content == page_content::own);
        CHECK(w.pages[page(7, max_page_index - 1)].length == 4096);
        CHECK(w.cursor.passes == 1);
    }
    const whole_walk of_parent{f.store, parent, 16};
    CHECK(of_parent.listed == 100);
    CHECK(of_parent.pages.size() == 100);
    CHECK(f.store.stats().hits + f.store.stats().misses == 0);
    CHECK(f.store.check());
}

TEST_CASE("walk: no pool, an empty one, no room, a destroyed one, one of the same slot") {
    store_fixture<cloning_store> f;
    walked_page out[4];
    pool_cursor none{};
    CHECK(f.store.walk(none, out, 4).error() == status::invalid); // and no memory yet
    const pool_id pool = f.make_pool();
    pool_cursor at{pool}, ended{pool};
    CHECK(f.store.walk(at, out, 0).value() == 0);
    CHECK(!at.has_ended());
    CHECK(f.store.walk(ended, out, 4).value() == 0);
    CHECK(ended.has_ended());
    for (std::uint64_t i = 0; i < 10; ++i) {
        REQUIRE(f.put({pool, 1, i * extent_pages}, i) == status::ok);
    }
    CHECK(f.store.walk(ended, out, 4).value() == 0);
    CHECK(f.store.walk(at, out, 4).value() == 4);
    const pool_cursor copy = at;
    REQUIRE(f.store.quiesce() == status::ok);
    CHECK(f.store.walk(at, out, 4).error() == status::busy); // it would wait for itself
    f.store.resume();
    CHECK(at.below == copy.below);
    CHECK(at.partition == copy.partition);
    REQUIRE(f.store.destroy_pool(pool) == status::ok);
    CHECK(f.store.walk(at, out, 4).error() == status::invalid);
    const pool_id next = f.make_pool();
    REQUIRE(pool_ids::slot(next) == pool_ids::slot(pool));
    REQUIRE(f.put({next, 1, 0}, 1) == status::ok);
    CHECK(f.store.walk(at, out, 4).error() == status::invalid);
    CHECK(f.store.walk(ended, out, 4).error() == status::invalid);
    at.pool = next; // goes on in the middle, and ends
    while (f.store.walk(at, out, 4).value() == 4) {
    }
    CHECK(at.has_ended());
}

TEST_CASE("walk: pages in the tier are listed as such, with their streams' bytes") {
    test_tier_memory memory;
    store_fixture<page_store<tiered_config>> f{store_options{.limit_bytes = 1 << 20}, default_config::compressor_type{},
                                               default_config::admission_type{}, default_config::eviction_type{},
                                               test_tier{memory}};
    const pool_id pool = f.make_pool({.on_pressure = pressure_action::demote});
    for (std::uint64_t i = 0; i < 400; ++i) {
        REQUIRE(f.put({pool, 1, i}, page_kind::random, i) == status::ok);
    }
    std::size_t away = 0;
    const whole_walk w{f.store, pool, 64};
    for (const auto& [key, one] : w.pages) {
        away += one.content == page_content::away ? 1u : 0u;
        CHECK(one.stream == 4096);
        CHECK(one.length == 4096);
    }
    CHECK(w.listed == 400);
    CHECK(w.pages.size() == 400);
    CHECK(away > 0);
    CHECK(away == f.store.statistics_of(pool).value().away_pages);
}

TEST_CASE("walk: a pool that goes to another node meanwhile, in steps, and one that has stopped on its way") {
    for (unsigned pages_first = 0; pages_first < 200; pages_first += 30) {
        node_fixture f;
        std::set<page> expected;
        for (std::uint64_t i = 0; i < 200; ++i) {
            f.put({i % 5, i * 7});
            expected.insert({i % 5, i * 7});
        }
        pool_cursor at{f.pool};
        std::set<page> listed;
        std::size_t calls = 0;
        walked_page out[5];
        for (std::size_t count = 5; count == 5; ++calls) {
            count = f.store.walk(at, out, 5).value();
            for (std::size_t i = 0; i < count; ++i) {
                CHECK(listed.size() <= 200);
                listed.insert({out[i].object, out[i].index});
            }
            if (listed.size() >= pages_first) {
                static_cast<void>(f.store.set_node(f.pool, node_id{1}, true, 1));
            }
            REQUIRE(calls < 10'000);
        }
        CHECK(listed == expected);
        CHECK(at.passes > 1);
        while (f.store.set_node(f.pool, node_id{1}, true) == status::busy) {
        }
        REQUIRE(f.store.set_node(f.pool, node_id{2}, true, 1) == status::busy); // and stays so
        const whole_walk twice{f.store, f.pool, 64};
        CHECK(twice.pages.size() == 200);
        CHECK(twice.listed == 400);
        CHECK(twice.cursor.passes == 2);
        CHECK(f.store.check());
    }
}

TEST_CASE("walk: beside puts, erasures, ranges, moves and compaction, against a set") {
    rng random{5};
    std::uint64_t passes = 0;
    for (unsigned round = 0; round < 40; ++round) {
        node_fixture f;
        std::set<page> there;
        const auto any = [&] { return page{random.below(3), random.below(30) * random.below(50)}; };
        for (unsigned i = 0; i < 600; ++i) {
            const page one = any();
            f.put(one);
            there.insert(one);
        }
        std::set<page> stay = there, listed;
        pool_cursor at{f.pool};
        walked_page out[24];
        unsigned sent = 0;
        for (unsigned steps = 0; !at.has_ended(); ++steps) {
            REQUIRE(steps < 100'000);
            const std::size_t count = f.store.walk(at, out, 1 + random.below(24)).value();
            for (std::size_t i = 0; i < count; ++i) {
                const page one{out[i].object, out[i].index};
                REQUIRE(there.count(one) == 1);
                listed.insert(one);
            }
            for (unsigned i = static_cast<unsigned>(random.below(5)); i != 0; --i) {
                const page one = any();
                const page_key key{f.pool, one.first, one.second};
                switch (random.below(8)) {
                case 0:
                case 1:
                    f.put(one);
                    there.insert(one);
                    stay.erase(one);
                    break;
                case 2:
                case 3:
                    CHECK(f.store.erase(key) == (there.erase(one) != 0 ? status::ok : status::not_found));
                    stay.erase(one);
                    break;
                case 4: {
                    const auto from = there.lower_bound(one), to = there.lower_bound({one.first, one.second + 9});
                    for (auto it = from; it != to; ++it) {
                        stay.erase(*it);
                    }
                    CHECK(f.store.erase_range(f.pool, one.first, one.second, 9).value() ==
                          static_cast<std::size_t>(std::distance(from, to)));
                    there.erase(from, to);
                    break;
                }
                case 5: static_cast<void>(f.store.compact(1 << 16)); break;
                default:
                    // Not for ever, or the walk would have no end.
                    if (round % 2 == 0 && ++sent < 300) {
                        static_cast<void>(f.store.set_node(f.pool, static_cast<node_id>(random.below(3)), true,
                                                           random.below(2) * 100'000));
                    }
                }
            }
        }
        CHECK(std::includes(listed.begin(), listed.end(), stay.begin(), stay.end()));
        passes += at.passes;
        CHECK(f.store.check());
    }
    CHECK(passes > 60);
}

TEST_CASE("walk: one flipped bit of the tables keeps no walk from its end, and hides no page that it did not hit") {
    using store_type = damaged_store<default_config>;
    for (unsigned p = 0; p < damaged_parts; ++p) {
        const auto part = static_cast<damaged_part>(p);
        for (std::size_t bit = p; bit < 8 * sizeof(extent); bit += 13) {
            store_type d{pool_kind::persistent};
            const store_type::place place = d.find(part);
            REQUIRE(place.data != nullptr);
            if (bit >= 8 * place.bytes) {
                break;
            }
            const std::vector<page_key> keys = d.keys();
            store_type::flip(place, bit);
            std::set<page> expected;
            for (const page_key& key : keys) {
                if (key.pool == d.pools[0]) {
                    expected.insert({key.object, key.index});
                }
            }
            const whole_walk w{d.store, d.pools[0], 64};
            CHECK(w.listed == w.pages.size());
            for (const auto& [key, one] : w.pages) {
                CHECK(expected.count(key) == 1);
                expected.erase(key);
            }
            // What is missing is of one extent, and that of what was hit.
            CHECK(expected.size() <= 5);
            for (const page& key : expected) {
                CHECK((key.first == store_type::object_hit() || key.first == store_type::single_hit() ||
                       key.first == store_type::middle_hit()));
                CHECK(key.second / extent_pages == expected.begin()->second / extent_pages);
                CHECK(part < damaged_part::array);
            }
        }
    }
}

} // namespace unit_store_store_walk
