// SPDX-License-Identifier: MIT

// A walk over one partition's part of a pool, hold by hold: what a hold costs, what is listed, and what others do between two.

#include <pagefold/store/pool_cursor.hpp>

#include "support/partition_fixture.hpp"
#include "support/rng.hpp"

#include <doctest/doctest.h>

#include <pagefold/store/default_config.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace unit_store_pool_cursor {

using namespace pagefold;
using namespace pagefold::testing;

namespace {

constexpr unsigned steps_a_hold = pool_walk<default_config>::steps_a_hold;
using page = std::pair<std::uint64_t, std::uint64_t>;

struct walker {
    explicit walker(lone_partition<>& p) : of{p} { at.pool = p.id; }

    /// One hold; the pages that it listed.
    std::vector<walked_page> step(std::size_t room = steps_a_hold) {
        std::vector<walked_page> out(room);
        std::size_t listed = 0;
        last = of.part.walk(at, out.data(), room, listed);
        ++holds;
        REQUIRE(listed <= room);
        out.resize(listed);
        return out;
    }
    /// All that is left, and how often each page was listed.
    std::map<page, unsigned> rest(std::size_t room = steps_a_hold) {
        std::map<page, unsigned> all;
        do {
            for (const walked_page& one : step(room)) {
                ++all[{one.object, one.index}];
            }
            REQUIRE(holds < 1'000'000);
        } while (last == status::busy);
        REQUIRE(last == status::ok);
        return all;
    }

    lone_partition<>& of;
    pool_cursor at{};
    status last = status::busy;
    unsigned holds = 0;
};

/// A same-filled page: what its stream is does not matter here.
void put(lone_partition<>& p, std::uint64_t object, std::uint64_t index) {
    const std::vector<std::byte> stream(min_stream_size);
    REQUIRE(p.part.put(p.at(object, index), stream, 0, 0, {}).result == status::ok);
}

} // namespace

TEST_CASE("pool_cursor: at rest each page is listed once, whatever the room, and a hold does no more than it may") {
    for (const std::size_t room : {std::size_t{1}, std::size_t{7}, std::size_t{steps_a_hold}}) {
        lone_partition<> p{pool_kind::persistent};
        std::map<page, unsigned> expected;
        for (std::uint64_t i = 0; i < 300; ++i) { // full extents, and pages alone in theirs
            put(p, 1, i);
            put(p, 2, i * extent_pages + i % extent_pages);
            expected[{1, i}] = expected[{2, i * extent_pages + i % extent_pages}] = 1;
        }
        walker w{p};
        std::map<page, unsigned> listed;
        std::uint32_t below = 0;
        do {
            const bool is_first = w.holds == 0;
            const std::uint32_t before = w.at.below;
            const auto some = w.step(room);
            if (is_first) {
                below = w.at.below + steps_a_hold; // the top is what the tables have
            } else {
                CHECK(before - w.at.below + some.size() <= steps_a_hold);
            }
            for (const walked_page& one : some) {
                ++listed[{one.object, one.index}];
                CHECK(one.content == page_content::in_entry);
                CHECK(one.length == default_config::page_size);
                CHECK(one.stream == 0);
            }
        } while (w.last == status::busy);
        CHECK(w.last == status::ok);
        CHECK(listed == expected);
        CHECK(w.at.below == 0);
        CHECK(w.holds <= below / steps_a_hold + 600 / std::min<std::size_t>(room, steps_a_hold / 2) + 2);
        CHECK(w.step().empty()); // and nothing behind the end
        CHECK(p.part.check());
    }
}

TEST_CASE("pool_cursor: many extents and few pages, a hold looks at so many and no more") {
    lone_partition<> p{pool_kind::persistent};
    for (std::uint64_t i = 0; i < 5000; ++i) {
        put(p, 1, i * extent_pages);
    }
    for (std::uint64_t i = 0; i < 4990; ++i) {
        REQUIRE(p.part.erase(p.at(1, i * extent_pages)) == status::ok);
    }
    walker w{p};
    const std::map<page, unsigned> all = w.rest();
    CHECK(all.size() == 10);
    CHECK(w.holds >= 5000 / steps_a_hold);
    CHECK(w.holds <= (5000 + 1024) / steps_a_hold + 10);
}

TEST_CASE("pool_cursor: an empty pool ends at once, an unknown one is invalid, an older route is sent back") {
    lone_partition<> p{pool_kind::persistent};
    walker w{p};
    CHECK(w.step().empty());
    CHECK(w.last == status::ok);
    CHECK(w.holds == 1);
    put(p, 1, 1);
    walker unknown{p};
    unknown.at.pool = pool_ids::next(p.id, 0, pool_kind::persistent);
    CHECK(unknown.step().empty());
    CHECK(unknown.last == status::invalid);
    walker newer{p}, older{p};
    newer.at.route = 1;
    CHECK(newer.rest().size() == 1);
    CHECK(older.step().empty());
    CHECK(older.last == has_moved);
    p.part.close_pool(p.id);
    CHECK(newer.step().empty());
    CHECK(newer.last == status::invalid);
}

TEST_CASE("pool_cursor: what a page is kept as") {
    lone_partition<> p{pool_kind::persistent};
    put(p, 1, 0);
    REQUIRE(p.put(1, 1000) == status::ok);
    REQUIRE(p.put(2, default_config::page_size) == status::ok);
    std::map<std::uint64_t, walked_page> all;
    walker w{p};
    do {
        for (const walked_page& one : w.step()) {
            all[one.index] = one;
        }
    } while (w.last == status::busy);
    REQUIRE(all.size() == 3);
    CHECK(all[0].content == page_content::in_entry);
    CHECK(all[1].content == page_content::own);
    CHECK(all[1].stream == 1000);
    CHECK(all[2].content == page_content::raw);
    CHECK(all[2].stream == default_config::page_size);
}

TEST_CASE("pool_cursor: beside writers and compaction, against a set") {
    rng random{11};
    bool has_moved_extents = false;
    for (unsigned round = 0; round < 24; ++round) {
        lone_partition<> p{round % 2 == 0 ? pool_kind::persistent : pool_kind::ephemeral};
        std::set<page> there;
        const auto any = [&] { return page{random.below(4), random.below(40) * random.below(60)}; };
        for (unsigned i = 0; i < 3000; ++i) {
            const page one = any();
            put(p, one.first, one.second);
            there.insert(one);
        }
        // What goes before the walk leaves tables that compaction moves.
        for (auto it = there.begin(); it != there.end();) {
            if (random.below(8) >= round % 8) {
                REQUIRE(p.part.erase(p.at(it->first, it->second)) == status::ok);
                it = there.erase(it);
            } else {
                ++it;
            }
        }
        std::set<page> stay = there, listed; // from the beginning to the end
        walker w{p};
        do {
            for (const walked_page& one : w.step(1 + random.below(steps_a_hold))) {
                REQUIRE(there.count({one.object, one.index}) == 1);
                listed.insert({one.object, one.index});
            }
            for (unsigned i = static_cast<unsigned>(random.below(6)); i != 0; --i) {
                const page one = any();
                compaction_work done;
                switch (random.below(3)) {
                case 0:
                    put(p, one.first, one.second);
                    there.insert(one);
                    stay.erase(one);
                    break;
                case 1:
                    static_cast<void>(p.part.erase(p.at(one.first, one.second)));
                    there.erase(one);
                    stay.erase(one);
                    break;
                default:
                    static_cast<void>(p.part.compact_index(done));
                    has_moved_extents = has_moved_extents || done.moved_bytes != 0;
                }
            }
            REQUIRE(w.holds < 100'000);
        } while (w.last == status::busy);
        CHECK(w.last == status::ok);
        CHECK(std::includes(listed.begin(), listed.end(), stay.begin(), stay.end()));
        CHECK(p.part.check());
    }
    CHECK(has_moved_extents);
}

TEST_CASE("pool_cursor: no number in a cursor leads out of the tables, or keeps a walk from its end") {
    lone_partition<> p{pool_kind::persistent};
    for (std::uint64_t i = 0; i < 200; ++i) {
        put(p, i % 3, i);
    }
    rng random{3};
    for (unsigned i = 0; i < 100; ++i) {
        walker w{p};
        w.at.below = static_cast<std::uint32_t>(random() >> random.below(33));
        w.at.page = static_cast<std::uint32_t>(random() >> random.below(33));
        for (const auto& [one, times] : w.rest()) {
            CHECK(one.second < 200);
            CHECK(one.first == one.second % 3);
            CHECK(times == 1);
        }
    }
}

TEST_CASE("pool_cursor: a pass more where the pool moves") {
    pool_cursor at;
    CHECK(!at.has_ended());
    at.begin({4, any_node, any_node});
    CHECK(at.passes_left == 1);
    at.enter_next_partition();
    at.below = 5;
    at.begin({5, node_id{1}, any_node});
    CHECK(at.route == 5);
    CHECK(at.partition == 0);
    CHECK(at.below == pool_cursor::top);
    at.enter_next_partition();
    at.end_pass();
    CHECK(!at.has_ended());
    CHECK(at.partition == 0);
    at.end_pass();
    CHECK(at.has_ended());
    CHECK(at.passes == 3);
}

} // namespace unit_store_pool_cursor
