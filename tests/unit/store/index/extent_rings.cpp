// SPDX-License-Identifier: MIT
#include <pagefold/store/index/extent_rings.hpp>

#include "support/rng.hpp"
#include "support/test_source.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing::unit_store_index_extent_rings {
namespace {

constexpr std::uint32_t none = extent::none;
constexpr std::size_t extent_bytes = 10; // of each, in these rings

/// Rings of two pools, and beside each the numbers of its extents in order, from the head on.
struct ringed {
    std::uint32_t make(std::uint32_t pool, std::uint64_t object, bool is_primary) {
        const std::uint32_t id = extents.insert().value();
        extent& x = extents[id];
        x.object = object;
        x.tag = extent::identity(pool, ++numbers);
        x.make_single(0, 1, 1);
        if (is_primary) {
            x.make_primary();
        }
        return id;
    }
    std::uint32_t link(std::uint32_t pool, std::uint64_t object) {
        auto& order = orders[pool];
        const auto first = std::find_if(order.begin(), order.end(), [&](std::uint32_t id) {
            return extents[id].object == object && extents[id].is_primary();
        });
        const std::uint32_t primary = first != order.end() ? *first : none;
        const std::uint32_t id = make(pool, object, primary == none);
        all.link(rings[pool], id, primary);
        rings[pool].bytes += extent_bytes;
        order.insert(first != order.end() ? first + 1 : first, id);
        return id;
    }
    void unlink(std::uint32_t pool, std::size_t at) {
        auto& order = orders[pool];
        const std::uint32_t id = order[at];
        const std::uint32_t next = all.next_of_object(id);
        if (extents[id].is_primary() && next != none) {
            extents[next].make_primary();
        }
        all.unlink(rings[pool], id, all.around(id));
        rings[pool].bytes -= extent_bytes;
        extents.erase(id);
        order.erase(order.begin() + static_cast<std::ptrdiff_t>(at));
    }
    void renumber(std::uint32_t pool, std::size_t at) {
        std::uint32_t& id = orders[pool][at];
        const std::uint32_t copy = extents.insert().value();
        extents[copy] = extents[id];
        all.renumber(rings[pool], id, copy);
        extents.erase(id);
        id = copy;
    }
    [[nodiscard]] bool check_ring(std::uint32_t pool) const {
        return all.check(rings[pool], pool, [](const extent&) { return extent_bytes; });
    }
    /// Whether the ring goes round its extents in order, both ways.
    [[nodiscard]] bool goes_round(std::uint32_t pool) const {
        const auto& order = orders[pool];
        if (rings[pool].head != (order.empty() ? none : order[0])) {
            return false;
        }
        for (std::size_t i = 0; i < order.size(); ++i) {
            const std::uint32_t after = order[(i + 1) % order.size()];
            const auto sides = all.around(order[i]);
            if (all.next(order[i]) != after || sides.next != after ||
                sides.before != order[(i + order.size() - 1) % order.size()]) {
                return false;
            }
            const bool same = extents[after].same_object(extents[order[i]]) && !extents[after].is_primary();
            if (all.next_of_object(order[i]) != (same ? after : none) || all.owner_of(order[i]) != pool ||
                !all.is_linked(order[i])) {
                return false;
            }
        }
        return true;
    }
    void fill() {
        for (std::uint64_t i = 0; i < 24; ++i) {
            link(static_cast<std::uint32_t>(i % 2), i / 2 % 5);
        }
        REQUIRE(goes_round(0));
        REQUIRE(goes_round(1));
    }

    test_source source;
    extent_pool<test_source> extents{source, any_node};
    extent_rings<test_source> all{extents};
    pool_ring rings[2];
    std::vector<std::uint32_t> orders[2];
    std::uint64_t numbers = 0;
};

TEST_CASE("extent_rings: an empty ring, one extent that is its own neighbour, and an empty ring again") {
    ringed r;
    CHECK(r.check_ring(0));
    CHECK(r.rings[0].head == none);
    const std::uint32_t id = r.link(0, 5);
    CHECK(r.goes_round(0));
    CHECK(r.all.next(id) == id);
    CHECK(r.all.next_of_object(id) == none); // itself is none that follows
    CHECK(r.check_ring(0));
    r.renumber(0, 0);
    CHECK(r.goes_round(0));
    CHECK(r.check_ring(0));
    r.unlink(0, 0);
    CHECK(r.rings[0].head == none);
    CHECK(r.rings[0].extents == 0);
    CHECK(r.check_ring(0));
    CHECK(r.all.damage() == 0);
}

TEST_CASE("extent_rings: random extents come, go and get other numbers, in the order of a list") {
    ringed r;
    rng random{17};
    for (int i = 0; i < 4000; ++i) {
        const auto pool = static_cast<std::uint32_t>(random.below(2));
        auto& order = r.orders[pool];
        const bool grows = i / 500 % 2 == 0;
        if (order.empty() || random.below(10) < (grows ? 7u : 3u)) {
            r.link(pool, random.below(12));
        } else if (random.one_in(3)) {
            r.renumber(pool, static_cast<std::size_t>(random.below(order.size())));
        } else {
            r.unlink(pool, static_cast<std::size_t>(random.below(order.size())));
        }
        REQUIRE(r.check_ring(0));
        REQUIRE(r.check_ring(1));
        REQUIRE(r.goes_round(pool));
    }
    CHECK(r.all.damage() == 0);
}

/// What a link may be by damage: a bit flipped, a dead extent, itself, one of another pool, another of the same.
[[nodiscard]] std::vector<std::uint32_t> wrong_links(const ringed& r, std::uint32_t id, std::uint32_t link) {
    std::vector<std::uint32_t> wrong;
    for (unsigned bit = 0; bit < 31; ++bit) {
        wrong.push_back(link ^ std::uint32_t{1} << bit);
    }
    const auto& order = r.orders[0];
    for (const std::uint32_t one : {r.extents.bound() - 1, id, r.orders[1][3], order[6], std::uint32_t{0x7fffffff}}) {
        if (one != link) {
            wrong.push_back(one);
        }
    }
    return wrong;
}

TEST_CASE("extent_rings: a wrong link is mended by the one that leads the other way, and counted once") {
    for (const std::size_t at : {std::size_t{0}, std::size_t{4}, std::size_t{11}}) {
        for (const bool forward : {true, false}) {
            ringed model;
            model.fill();
            const extent was = model.extents[model.orders[0][at]];
            const auto wrong = wrong_links(model, model.orders[0][at], forward ? was.ring_next : was.ring_previous());
            for (const std::uint32_t link : wrong) {
                CAPTURE(link);
                ringed r;
                r.fill();
                const std::uint32_t id = r.orders[0][at];
                extent& x = r.extents[id];
                forward ? static_cast<void>(x.ring_next = link) : x.set_ring_previous(link);
                REQUIRE(!r.check_ring(0));
                if (forward) {
                    REQUIRE(r.all.next(id) == was.ring_next);
                } else {
                    REQUIRE(r.all.around(id).before == was.ring_previous());
                }
                REQUIRE(r.all.damage() == 1);
                REQUIRE(r.check_ring(0));
                REQUIRE(r.goes_round(0));
                REQUIRE(r.goes_round(1));
                REQUIRE(r.all.damage() == 1);
                REQUIRE(x.is_whole());
            }
        }
    }
}

TEST_CASE("extent_rings: who links, unlinks or asks at a wrong link finds a ring that is whole") {
    for (const bool forward : {true, false}) {
        for (const std::size_t at : {std::size_t{0}, std::size_t{5}, std::size_t{11}}) {
            CAPTURE(at);
            for (int what = 0; what < 3; ++what) {
                CAPTURE(what);
                ringed r;
                r.fill();
                extent& x = r.extents[r.orders[0][at]];
                forward ? static_cast<void>(x.ring_next ^= 64) : x.set_ring_previous(x.ring_previous() ^ 64);
                switch (what) {
                case 0:
                    r.link(0, 1000); // at the end of the round
                    r.link(0, r.extents[r.orders[0][at]].object);
                    break;
                case 1: r.unlink(0, at); break;
                default: REQUIRE(r.all.is_linked(r.orders[0][at]) == forward); // of the way back it only tells
                }
                REQUIRE(r.goes_round(0));
                REQUIRE(r.check_ring(0));
            }
        }
    }
}

TEST_CASE("extent_rings: where the extent between is gone, the two ends are joined") {
    for (const bool forward : {true, false}) {
        ringed r;
        r.fill();
        auto& order = r.orders[0];
        const std::uint32_t before = order[3], gone = order[4], after = order[5];
        r.extents.erase(gone); // nobody had it unlinked
        if (forward) {
            CHECK(r.all.next(before) == after);
        } else {
            CHECK(r.all.around(after).before == before);
        }
        order.erase(order.begin() + 4);
        r.rings[0].extents -= 1;
        r.rings[0].bytes -= extent_bytes;
        if (!r.extents[after].is_primary() && !r.extents[after].same_object(r.extents[before])) {
            r.extents[after].make_primary();
        }
        CHECK(r.goes_round(0));
        CHECK(r.check_ring(0));
        CHECK(r.goes_round(1));
        CHECK(r.all.damage() == 1);
    }
}

TEST_CASE("extent_rings: ends of one pool are never joined with another's") {
    for (const bool forward : {true, false}) {
        for (std::uint32_t pool = 0; pool < 2; ++pool) {
            ringed r;
            r.fill();
            const auto &own = r.orders[pool], &other = r.orders[1 - pool];
            r.extents.erase(own[4]);
            r.extents.erase(other[4]); // whose neighbours look for theirs as well
            if (forward) {
                CHECK(r.all.next(own[3]) == own[5]);
                CHECK(r.all.next(other[3]) == other[5]);
            } else {
                CHECK(r.all.around(own[5]).before == own[3]);
                CHECK(r.all.around(other[5]).before == other[3]);
            }
            CHECK(r.all.damage() == 2);
        }
    }
}

TEST_CASE("extent_rings: of several wrong links each is mended by its own neighbour") {
    ringed r;
    r.fill();
    const auto &own = r.orders[0], &other = r.orders[1];
    // A link leads to an extent of another pool that has lost its own way back.
    r.extents[own[4]].ring_next = other[3];
    r.extents[other[3]].set_ring_previous(0x7ffffffe);
    CHECK(r.all.next(own[4]) == own[5]);
    CHECK(r.all.around(other[3]).before == other[2]);
    r.extents[own[7]].set_ring_previous(other[8]);
    r.extents[other[8]].ring_next = 0x7ffffffe;
    CHECK(r.all.around(own[7]).before == own[6]);
    CHECK(r.all.next(other[8]) == other[9]);
    CHECK(r.goes_round(0));
    CHECK(r.goes_round(1));
    // Others of the pool have lost theirs too, in front of the one that is looked for and behind it.
    for (const std::size_t at : {std::size_t{0}, std::size_t{10}}) {
        r.extents[own[at]].ring_next = 0x7ffffffe;
        r.extents[own[5]].set_ring_previous(0x7ffffffd);
        CHECK(r.all.around(own[5]).before == own[4]);
        CHECK(r.all.next(own[at]) == own[at + 1]);
        r.extents[own[at]].set_ring_previous(0x7ffffffe);
        r.extents[own[5]].ring_next = 0x7ffffffd;
        CHECK(r.all.next(own[5]) == own[6]);
        CHECK(r.all.around(own[at]).before == own[(at + 11) % 12]);
        CHECK(r.goes_round(0));
    }
    CHECK(r.check_ring(0));
    CHECK(r.check_ring(1));
}

TEST_CASE("extent_rings: a ring damaged beyond mending has no next, and the next extent begins another") {
    ringed r;
    const std::uint32_t id = r.link(0, 5);
    r.link(1, 5); // of another pool: nobody's neighbour here
    r.extents[id].ring_next = 99;
    r.extents[id].set_ring_previous(98);
    CHECK(r.all.next(id) == none);
    CHECK(r.all.next_of_object(id) == none);
    CHECK(!r.all.is_linked(id));
    const auto sides = r.all.around(id);
    CHECK(sides.before == none);
    CHECK(sides.next == none);
    CHECK(r.all.damage() > 0);
    const std::uint32_t another = r.make(0, 6, true);
    r.all.link(r.rings[0], another, none);
    CHECK(r.rings[0].head == another);
    CHECK(r.all.next(another) == another);
    r.all.unlink(r.rings[0], id, r.all.around(id)); // alone, in no ring
    CHECK(r.rings[0].head == another);
    CHECK(r.rings[0].extents == 1);
    r.extents.erase(id);
    CHECK(r.all.next(another) == another);
    CHECK(r.goes_round(1));
}

TEST_CASE("extent_rings: an extent that is about to come is taken for no lost neighbour") {
    for (const bool forward : {true, false}) {
        for (const bool is_first : {true, false}) {
            ringed r;
            const std::uint32_t low = r.make(1, 0, true), lower = r.make(1, 1, true);
            r.fill();
            // The head has number 0, as links in an extent of zero bytes have; a new extent gets a number below the others.
            r.extents.erase(low);
            auto& order = r.orders[0];
            r.renumber(0, 0);
            r.extents.erase(lower);
            REQUIRE(order[0] == low);
            extent& head = r.extents[order[0]];
            forward ? static_cast<void>(head.ring_next ^= 64) : head.set_ring_previous(head.ring_previous() ^ 64);
            const std::uint32_t added = r.link(0, is_first ? 1000 : head.object);
            CHECK(added == lower);
            CHECK(r.goes_round(0));
            CHECK(r.check_ring(0));
        }
    }
}

TEST_CASE("extent_rings: the count of extents never falls below 0") {
    ringed r;
    const std::uint32_t id = r.link(0, 5);
    r.rings[0].extents = 0;
    r.all.unlink(r.rings[0], id, r.all.around(id));
    CHECK(r.rings[0].extents == 0);
    CHECK(r.rings[0].head == none);
}

TEST_CASE("extent_rings: whose an extent is, its neighbour knows where it doesn't itself") {
    ringed r;
    r.fill();
    const std::uint32_t id = r.orders[0][4];
    r.extents[id].tag ^= std::uint64_t{1} << 52; // of pool 1, it says
    CHECK(r.all.owner_of(id) == 0);
    extent& next = r.extents[r.extents[id].ring_next];
    next.tag ^= std::uint64_t{1} << 53; // who isn't whole knows nothing
    CHECK(r.all.owner_of(id) == 1);
    next.tag ^= std::uint64_t{1} << 53;
    next.set_ring_previous(r.orders[0][7]); // nor does one that is not its neighbour
    CHECK(r.all.owner_of(id) == 1);
    r.extents[id].ring_next = 0x7fffffff;
    CHECK(r.all.owner_of(id) == 1);
}

TEST_CASE("extent_rings: check sees wrong counts, bytes, pools, links, and an object that is not together") {
    for (int wrong = 0; wrong < 10; ++wrong) {
        CAPTURE(wrong);
        ringed r;
        r.fill();
        REQUIRE(r.check_ring(0));
        pool_ring& ring = r.rings[0];
        extent& x = r.extents[r.orders[0][5]];
        switch (wrong) {
        case 0: ++ring.extents; break;
        case 1: --ring.extents; break;
        case 2: ring.bytes += 1; break;
        case 3: ring.head = none; break;
        case 4: ring.head = r.rings[1].head; break;
        case 5: x.ring_next = r.orders[0][9]; break;
        case 6: x.tag ^= std::uint64_t{1} << 52; break;
        case 7: ring.head = r.extents.bound() + 5; break;
        case 8: r.extents[ring.head].tag ^= extent::primary_bit; break; // behind the last object's
        default:
            r.extents[ring.head].tag ^= extent::primary_bit;
            r.extents[ring.head].set_ring_previous(0x7fffffff); // not to be followed
        }
        CHECK(!r.check_ring(0));
        CHECK(r.check_ring(1));
    }
}

} // namespace
} // namespace pagefold::testing::unit_store_index_extent_rings
