// SPDX-License-Identifier: MIT
//
// What an index's check must see, each beside an index that is right. Its parts have their own tests.
#include <pagefold/store/index/check.hpp>

#include "support/index_model.hpp"
#include "support/rng.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace pagefold::testing::unit_store_index_check {
namespace {

using key = narrow_index::key;

constexpr std::uint64_t victim = 0x123456789abcdef0u, another = 0x0fedcba987654321u;

/// Two objects of nine pages in an extent and one in another, and a page alone.
void fill(narrow_index& m) {
    rng random{1};
    for (const std::uint64_t object : {victim, another}) {
        for (std::uint64_t i = 0; i < 9; ++i) {
            REQUIRE(m.insert({0, object, i * 7}, narrow_index::random_entry(random)) == status::ok);
        }
        REQUIRE(m.insert({0, object, 1000}, narrow_index::random_entry(random)) == status::ok);
    }
    REQUIRE(m.insert({1, 7, 7}, narrow_index::random_entry(random)) == status::ok);
    REQUIRE(m.check());
}

/// The extent in the memory that the index has taken.
[[nodiscard]] extent* find(const narrow_index& m, std::uint64_t object, std::uint64_t number) {
    extent* found = nullptr;
    m.source.for_each_run([&](std::byte* memory, std::size_t bytes) {
        for (std::size_t at = 0; at + sizeof(extent) <= bytes; at += sizeof(extent)) {
            extent x;
            std::memcpy(&x, memory + at, sizeof x);
            if (x.object == object && x.number() == number && x.is_whole()) {
                found = reinterpret_cast<extent*>(memory + at);
            }
        }
    });
    REQUIRE(found != nullptr);
    return found;
}

TEST_CASE("index check: an empty index is right, and one that was emptied") {
    narrow_index m;
    CHECK(m.index.check());
    CHECK(m.index.check_ring(pool_ring{}, 0));
    fill(m);
    m.erase_all();
    CHECK(m.check());
}

TEST_CASE("index check: any bit of an extent that is flipped shows, in the index or in its ring") {
    for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{15}}) {
        for (unsigned bit = 0; bit < 8 * sizeof(extent); ++bit) {
            CAPTURE(bit);
            narrow_index m;
            fill(m);
            m.source.forgive();
            auto* const bytes = reinterpret_cast<std::byte*>(find(m, victim, number));
            bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
            REQUIRE(!(m.index.check_ring(m.rings[0], narrow_index::slots[0]) && m.index.check()));
        }
    }
}

TEST_CASE("index check: more pages, or fewer, than the index counts") {
    for (const std::uint64_t bits : {std::uint64_t{6}, std::uint64_t{0x81}, std::uint64_t{3}}) {
        narrow_index m;
        fill(m);
        extent* const x = find(m, victim, 0);
        x->set_pages(x->bitmap ^ bits); // its array has room for 12, and page 1 is none, 0 and 7 are
        CHECK(m.index.check() == (bits == 3));
        x->set_pages(x->bitmap ^ bits);
        CHECK(m.check());
    }
}

TEST_CASE("index check: two extents of one array, and an array of none") {
    narrow_index m;
    fill(m);
    extent *const x = find(m, victim, 0), *const y = find(m, another, 0);
    const std::uint32_t was = x->cell;
    x->make_array(x->bitmap, y->array());
    CHECK(m.index.check()); // each has one: who owns it, entries don't say
    x->make_single(0, 1, 1);
    CHECK(!m.index.check());
    x->make_array(y->bitmap, static_cast<cell_ref>(was));
    CHECK(m.check());
}

TEST_CASE("index check: two extents of one name") {
    for (std::uint64_t object = 1; object <= 16; ++object) { // of both buckets
        narrow_index m;
        rng random{1};
        for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{5}}) {
            REQUIRE(m.insert({0, object, number * extent_pages}, narrow_index::random_entry(random)) == status::ok);
        }
        find(m, object, 5)->tag ^= 5; // whole still
        REQUIRE(!m.index.check());
    }
}

TEST_CASE("index check: an array that no extent knows, where pages and bytes are as many as before") {
    narrow_index m;
    rng random{1};
    for (const auto& [object, pages] : {std::pair<std::uint64_t, std::uint64_t>{1001, 2}, {1002, 2}, {1003, 3}}) {
        for (std::uint64_t i = 0; i < pages; ++i) {
            REQUIRE(m.insert({0, object, i}, narrow_index::random_entry(random)) == status::ok);
        }
    }
    REQUIRE(m.check());
    find(m, 1001, 0)->make_single(0, 1, 1);                     // an array of two entries is lost
    find(m, 1002, 0)->make_array(7, find(m, 1003, 0)->array()); // one of four instead of two
    CHECK(!m.index.check());
}

TEST_CASE("index check: an object whose first extent is not its primary, and one that is under another name") {
    for (int wrong = 0; wrong < 3; ++wrong) {
        CAPTURE(wrong);
        narrow_index m;
        fill(m);
        extent* const x = find(m, victim, wrong == 2 ? 0 : 15);
        switch (wrong) {
        case 0: x->make_primary(); break; // a second one
        case 1: x->tag ^= 3; break;       // of another number, and whole
        default: x->object ^= 3;
        }
        REQUIRE(x->is_whole());
        CHECK(!m.index.check());
    }
}

TEST_CASE("index check: what was found damaged before is not right any more") {
    narrow_index m;
    fill(m);
    extent* const x = find(m, victim, 0);
    x->bitmap ^= 2;
    CHECK(!m.index.is_sound(m.index.find_object(0, victim)));
    x->bitmap ^= 2;
    CHECK(!m.index.check());
}

TEST_CASE("index check: a ring's bytes are those of its extents, their buckets and arrays, exactly") {
    narrow_index m;
    fill(m);
    pool_ring& ring = m.rings[0];
    CHECK(m.index.check_ring(ring, narrow_index::slots[0]));
    for (const std::size_t wrong : {ring.bytes - 1, ring.bytes + 1, ring.bytes - 12, std::size_t{0}}) {
        pool_ring other = ring;
        other.bytes = wrong;
        CHECK(!m.index.check_ring(other, narrow_index::slots[0]));
    }
    CHECK(!m.index.check_ring(ring, narrow_index::slots[1]));
    find(m, 7, 0)->bitmap ^= 1;
    pool_ring other = m.rings[1];
    other.bytes = 0; // nothing is said of what an extent that is not sound takes
    CHECK(!m.index.check_ring(other, narrow_index::slots[1]));
    CHECK(!m.index.check_ring(m.rings[1], narrow_index::slots[0]));
}

} // namespace
} // namespace pagefold::testing::unit_store_index_check
