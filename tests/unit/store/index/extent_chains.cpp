// SPDX-License-Identifier: MIT
#include <pagefold/store/index/extent_chains.hpp>

#include "support/rng.hpp"
#include "support/test_source.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

namespace pagefold::testing::unit_store_index_extent_chains {
namespace {

constexpr std::uint32_t none = extent::none;

struct name {
    std::uint32_t pool;
    std::uint64_t object, number;
    friend auto operator<=>(const name&, const name&) = default;
};

/// Chains over extents of a page each, and what should be in them. The first extent of an object is its primary.
struct chained {
    /// False where the source had no room for the extent.
    bool add(const name& n) {
        const std::uint32_t first = find_primary(n);
        const result<std::uint32_t> id = extents.insert();
        if (!id) {
            return false;
        }
        extent& x = extents[*id];
        x.object = n.object;
        x.tag = extent::identity(n.pool, n.number);
        x.make_single(static_cast<unsigned>(n.number % extent_pages), n.object * 3, 7);
        if (first == none) {
            x.make_primary();
        }
        chains.insert(*id);
        ids[n] = *id;
        return true;
    }
    bool add_and_grow(const name& n) {
        const bool added = add(n);
        if (added) {
            chains.grow();
        }
        return added;
    }
    void remove(name n) { // a copy: the map's own name goes
        const std::uint32_t id = ids.at(n);
        const bool was_primary = extents[id].is_primary();
        chains.remove(id);
        extents.erase(id);
        ids.erase(n);
        const auto next = ids.lower_bound({n.pool, n.object, 0});
        if (was_primary && next != ids.end() && next->first.pool == n.pool && next->first.object == n.object) {
            chains.remove(next->second);
            extents[next->second].make_primary();
            chains.insert(next->second);
        }
    }
    [[nodiscard]] std::uint32_t find_primary(const name& n) const {
        return chains.find_primary(n.pool, n.object, hasher.object(n.pool, n.object));
    }
    [[nodiscard]] std::uint32_t find(const name& n) const {
        const std::uint64_t of_object = hasher.object(n.pool, n.object);
        return chains.find(n.pool, n.object, n.number, of_object, hasher.extent(of_object, n.number));
    }
    /// Walks to the end of the extent's chain, in vain.
    void look_past(std::uint32_t id) const {
        const extent x = extents[id];
        const std::uint64_t hash =
            x.is_primary() ? hasher.object(x.pool(), x.object) : hasher.extent(x.pool(), x.object, x.number());
        CHECK(chains.find_primary(4095, ~x.object, hash) == none);
    }
    [[nodiscard]] bool has_all() const {
        for (const auto& [n, id] : ids) {
            const std::uint32_t first = find_primary(n);
            if (find(n) != id || first == none || !extents[first].is_primary() ||
                !extents[first].same_object(extents[id])) {
                return false;
            }
        }
        return true;
    }
    void fill(std::uint64_t count) {
        REQUIRE(chains.prepare() == status::ok);
        for (std::uint64_t i = 0; i < count; ++i) {
            REQUIRE(add_and_grow({static_cast<std::uint32_t>(i % 3), i / 4, i % 4}));
        }
    }

    test_source source;
    key_hasher hasher{5};
    extent_pool<test_source> extents{source, any_node};
    extent_chains<test_source> chains{extents, hasher, source, any_node};
    std::map<name, std::uint32_t> ids;
};

TEST_CASE("extent_chains: without a bucket nothing is found, and nothing is taken") {
    chained c;
    CHECK(c.find({0, 1, 0}) == none);
    CHECK(c.find_primary({0, 1, 0}) == none);
    CHECK(c.chains.bytes() == 0);
    c.chains.follow_down();
    CHECK(c.chains.shrink(10));
    c.chains.trim();
    CHECK(c.chains.check());
    for (const status answer : {status::no_memory, status::limit}) {
        c.source.refuse_nth(1, answer);
        const status s = c.chains.prepare();
        c.source.refuse_nth(0);
        CHECK((s == answer || (s == status::ok && c.source.acquisitions() == 0)));
    }
    CHECK(c.chains.prepare() == status::ok);
    const std::size_t bytes = c.chains.bytes();
    CHECK(c.chains.prepare() == status::ok); // once
    CHECK(c.chains.bytes() == bytes);
    CHECK(c.find({0, 1, 0}) == none);
    CHECK(c.chains.check());
}

TEST_CASE("extent_chains: pool, object and number tell extents apart, at both ends of their numbers") {
    chained c;
    REQUIRE(c.chains.prepare() == status::ok);
    const std::uint64_t last = (max_page_index - 1) / extent_pages;
    for (const std::uint32_t pool : {0u, 1u, max_pool_slots - 1}) {
        for (const std::uint64_t object : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
            for (const std::uint64_t number : {last, std::uint64_t{0}}) {
                REQUIRE(c.find({pool, object, number}) == none);
                REQUIRE(c.add_and_grow({pool, object, number}));
                REQUIRE(c.chains.check());
                REQUIRE(c.find({pool, object, number ^ 1}) == none);
                REQUIRE(c.find({pool, object, number}) == c.ids.at({pool, object, number}));
                REQUIRE(c.find_primary({pool, object, 0}) == c.ids.at({pool, object, last}));
            }
        }
    }
    CHECK(c.has_all());
}

TEST_CASE("extent_chains: random extents come and go as in a map, whatever the source refuses") {
    chained c;
    rng random{11};
    REQUIRE(c.chains.prepare() == status::ok);
    for (int i = 0; i < 6000; ++i) {
        const bool grows = i / 1500 % 2 == 0;
        if (c.ids.empty() || random.below(10) < (grows ? 8u : 2u)) {
            const name n{static_cast<std::uint32_t>(random.below(3)), random.below(200), random.below(20)};
            if (c.find(n) == none) {
                c.source.refuse_nth(random.below(3));
                static_cast<void>(c.add_and_grow(n));
                c.source.refuse_nth(0);
            }
        } else {
            const auto at =
                c.ids.lower_bound({static_cast<std::uint32_t>(random.below(3)), random.below(200), random.below(20)});
            c.remove(at != c.ids.end() ? at->first : c.ids.begin()->first);
            c.chains.follow_down();
            if (random.one_in(100)) {
                static_cast<void>(c.chains.shrink(5));
                c.chains.trim();
            }
        }
        REQUIRE(c.chains.check());
        if (i % 50 == 0) {
            REQUIRE(c.has_all());
        }
    }
    CHECK(c.chains.damage() == 0);
    CHECK(c.chains.bytes() + c.extents.bytes() == c.source.bytes_held());
}

TEST_CASE("extent_chains: buckets that are refused make chains longer, and nothing else") {
    chained c;
    REQUIRE(c.chains.prepare() == status::ok);
    std::size_t bytes = 0;
    for (std::uint64_t i = 0; i < 3000; ++i) {
        REQUIRE(c.add({0, i, 0}));
        c.source.refuse_all(i > 100);
        c.chains.grow();
        c.source.refuse_all(false);
        if (i == 2000) {
            bytes = c.chains.bytes();
        }
    }
    CHECK(c.chains.bytes() == bytes); // refused it was
    CHECK(c.has_all());
    CHECK(c.find({0, 3000, 0}) == none);
    CHECK(c.chains.check());
    while (!c.ids.empty()) {
        c.remove(c.ids.begin()->first);
    }
    CHECK(c.chains.check());
}

TEST_CASE("extent_chains: shrinking stops at one bucket an extent, and at 64") {
    for (const std::uint64_t kept : {std::uint64_t{500}, std::uint64_t{65}, std::uint64_t{1}}) {
        CAPTURE(kept);
        chained c;
        c.fill(1000); // a bucket for each
        while (c.ids.size() > kept) {
            c.remove(c.ids.rbegin()->first);
        }
        unsigned calls = 0;
        while (!c.chains.shrink(1)) {
            ++calls;
            REQUIRE(calls <= 1000);
        }
        CHECK(calls == 1000 - (kept > 64 ? kept : 64));
        CHECK(c.has_all());
        CHECK(c.chains.check());
        c.chains.trim();
        CHECK(c.has_all());
        CHECK(c.chains.bytes() <= 3 * 4096);
    }
}

TEST_CASE("extent_chains: who follows down keeps less than a third more buckets than extents") {
    chained c;
    c.fill(1000);
    while (c.ids.size() > 600) {
        c.remove(c.ids.rbegin()->first);
        c.chains.follow_down();
    }
    unsigned beyond = 0;
    while (!c.chains.shrink(1)) {
        ++beyond;
    }
    CHECK(beyond == 200);
    CHECK(c.has_all());
    CHECK(c.chains.check());
}

TEST_CASE("extent_chains: a link leads to the extent, and can be turned to its copy") {
    chained c;
    c.fill(300);
    for (auto& [n, id] : c.ids) {
        std::uint32_t* const link = c.chains.find_link(id);
        REQUIRE(link != nullptr);
        REQUIRE(*link == chain_link::to(id));
        const std::uint32_t copy = c.extents.insert().value();
        c.extents[copy] = c.extents[id];
        *link = chain_link::to(copy);
        c.extents.erase(id);
        id = copy;
        REQUIRE(c.find(n) == copy);
    }
    CHECK(c.chains.check());
    CHECK(c.chains.damage() == 0);
}

/// All that may be wrong with a link of one bit, and then of whole ones.
[[nodiscard]] std::vector<std::uint32_t> wrong_links(std::uint32_t link, std::uint32_t dead) {
    std::vector<std::uint32_t> all;
    for (unsigned bit = 0; bit < 32; ++bit) {
        all.push_back(link ^ std::uint32_t{1} << bit);
    }
    all.push_back(chain_link::to(dead));
    all.push_back(chain_link::to(0x3fffffff));
    all.push_back(chain_link::to(0x7ffffffe));
    return all;
}

TEST_CASE("extent_chains: a wrong link is noticed by who meets it, and all chains are made anew, once") {
    for (std::uint32_t what = 0; what < 35; ++what) {
        CAPTURE(what);
        for (const std::uint64_t victim : {std::uint64_t{0}, std::uint64_t{57}}) {
            chained c;
            c.fill(200);
            const std::uint32_t id = c.ids.at({static_cast<std::uint32_t>(victim % 3), victim / 4, victim % 4});
            std::uint32_t& link = c.extents[id].hash_next;
            link = wrong_links(link, c.extents.bound() - 1)[what];
            c.look_past(id);
            REQUIRE(c.chains.damage() == 1);
            REQUIRE(c.has_all());
            REQUIRE(c.chains.damage() == 1);
            REQUIRE(!c.chains.check()); // it tells of damage
        }
    }
}

TEST_CASE("extent_chains: what is looked for is found though a link in front of it is wrong") {
    for (std::uint32_t what = 0; what < 35; ++what) {
        chained c;
        c.fill(200);
        std::uint64_t damaged = 0;
        for (const auto& [n, id] : c.ids) {
            std::uint32_t* const link = c.chains.find_link(id);
            REQUIRE(link != nullptr);
            *link = wrong_links(*link, c.extents.bound() - 1)[what];
            REQUIRE(c.find(n) == id);
            REQUIRE(c.chains.damage() == ++damaged);
        }
    }
}

TEST_CASE("extent_chains: a chain without end ends the search, and is mended by who wants a link") {
    for (const bool to_itself : {true, false}) {
        chained c;
        REQUIRE(c.chains.prepare() == status::ok);
        for (std::uint64_t i = 0; i < 3; ++i) { // a single chain
            REQUIRE(c.add({0, i, 0}));
        }
        const std::uint32_t first = c.ids.at({0, 2, 0}), last = c.ids.at({0, 0, 0});
        c.extents[last].hash_next = chain_link::to(to_itself ? last : first);
        CHECK(c.find({0, 77, 0}) == none);
        CHECK(c.chains.damage() > 0);
        CHECK(c.has_all());                                    // each of them stands before the end that is none
        const std::uint32_t lost = c.extents.insert().value(); // in no chain at all
        c.extents[lost].object = 1000;
        c.extents[lost].make_single(0, 1, 1);
        c.extents[lost].make_primary();
        std::uint32_t* const link = c.chains.find_link(lost);
        REQUIRE(link != nullptr);
        CHECK(*link == chain_link::to(lost));
        const std::uint64_t damage = c.chains.damage();
        CHECK(c.find({0, 78, 0}) == none);
        CHECK(c.has_all());
        CHECK(c.chains.damage() == damage); // there is an end again
    }
}

TEST_CASE("extent_chains: an extent that is not whole counts for who passes by, and hides none behind it") {
    chained c;
    REQUIRE(c.chains.prepare() == status::ok);
    for (std::uint64_t i = 0; i < 3; ++i) {
        REQUIRE(c.add({0, i, 0}));
    }
    c.extents[c.ids.at({0, 1, 0})].bitmap ^= 16;
    CHECK(c.find_primary({0, 2, 0}) == c.ids.at({0, 2, 0})); // in front of it
    CHECK(c.chains.damage() == 0);
    CHECK(c.find_primary({0, 0, 0}) == c.ids.at({0, 0, 0})); // behind it
    CHECK(c.chains.damage() == 1);
    CHECK(c.find_primary({0, 9, 0}) == none);
    CHECK(c.chains.damage() == 2);
}

TEST_CASE("extent_chains: an object's first extent under another number counts for who wants a page of it") {
    chained c;
    c.fill(400);
    unsigned looked_for = 0;
    for (const auto& [n, id] : c.ids) {
        if (c.extents[id].is_primary()) {
            c.extents[id].tag ^= std::uint64_t{1} << 40;
            const std::uint64_t damage = c.chains.damage();
            CHECK(c.find(n) == none);
            CHECK(c.chains.damage() > damage);
            c.extents[id].tag ^= std::uint64_t{1} << 40;
            ++looked_for;
        }
    }
    CHECK(looked_for > 100);
    CHECK(c.has_all());
}

TEST_CASE("extent_chains: an extent that goes to another bucket by a name that damage gave it is counted") {
    chained c;
    c.fill(64);
    for (const auto& [n, id] : c.ids) {
        c.extents[id].object ^= 1;
    }
    std::uint64_t seen = 0;
    for (std::uint64_t i = 0; i < 64; ++i) {
        REQUIRE(c.add({7, 1000 + i, 0}));
        const std::uint64_t damage = c.chains.damage();
        c.chains.grow();
        seen += c.chains.damage() - damage;
    }
    CHECK(seen == 64); // each bucket is split once
}

TEST_CASE("extent_chains: who removes, grows or shrinks past a wrong link mends it, and loses none") {
    for (std::uint32_t what = 0; what < 35; ++what) {
        CAPTURE(what);
        { // in front of what is removed
            chained c;
            c.fill(200);
            const name n{2, 12, 2};
            const std::uint32_t id = c.ids.at(n);
            std::uint32_t* const link = c.chains.find_link(id);
            *link = wrong_links(*link, c.extents.bound() - 1)[what];
            c.chains.remove(id);
            REQUIRE(c.find(n) == none);
            c.extents.erase(id);
            c.ids.erase(n);
            REQUIRE(c.chains.damage() == 1);
            REQUIRE(c.has_all());
        }
        for (const bool up : {true, false}) { // in every chain that is split, or joined
            chained c;
            c.fill(200);
            std::uint64_t damaged = 0;
            for (int i = 0; i < 20; ++i) {
                for (const auto& [n, id] : c.ids) {
                    if (c.extents[id].hash_next == 0) {
                        c.extents[id].hash_next = wrong_links(0, c.extents.bound() - 1)[what];
                    }
                }
                if (up) {
                    REQUIRE(c.add_and_grow({0, 1000 + c.ids.size(), 0}));
                } else {
                    c.remove(c.ids.rbegin()->first);
                    static_cast<void>(c.chains.shrink(1));
                }
                damaged += c.chains.damage() > damaged ? 1 : 0;
                REQUIRE(c.has_all());
            }
            REQUIRE(damaged > 0);
            REQUIRE(c.has_all());
        }
    }
}

TEST_CASE("extent_chains: check sees an extent in no chain, in the wrong one, and twice in one") {
    for (int wrong = 0; wrong < 4; ++wrong) {
        CAPTURE(wrong);
        chained c;
        c.fill(200);
        REQUIRE(c.chains.check());
        const std::uint32_t id = c.ids.at({0, 0, 0});
        switch (wrong) {
        case 0: c.chains.remove(id); break;
        case 1: c.extents[id].object ^= 0x30; break; // whole, and of another hash
        case 2: c.chains.insert(id); break;
        default: *c.chains.find_link(id) ^= 1;
        }
        CHECK(!c.chains.check());
    }
}

} // namespace
} // namespace pagefold::testing::unit_store_index_extent_chains
