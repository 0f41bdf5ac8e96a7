// SPDX-License-Identifier: MIT
#include <pagefold/ds/ghost_table.hpp>

#include <support/rng.hpp>
#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace pagefold::testing::unit_ds_ghost_table {
namespace {

using table = ghost_table<test_source>;

std::vector<std::uint64_t> hashes(std::size_t count, std::uint64_t seed) {
    rng random{seed};
    std::vector<std::uint64_t> made(count);
    for (std::uint64_t& h : made) {
        h = random();
    }
    return made;
}
std::size_t known(const table& t, const std::vector<std::uint64_t>& keys) {
    std::size_t count = 0;
    for (const std::uint64_t key : keys) {
        count += t.contains(key) ? 1u : 0u;
    }
    return count;
}

TEST_CASE("ghost_table: without memory it knows nothing, and a refusal leaves it so") {
    test_source source;
    table t{source, any_node};
    t.remember(7);
    CHECK_FALSE(t.contains(7));
    CHECK_FALSE(t.recall(7));
    CHECK(t.capacity() == 0);
    CHECK(t.bytes() == 0);
    t.shrink();
    source.refuse_all(true);
    CHECK(t.grow() == status::no_memory);
    t.remember(7);
    CHECK_FALSE(t.contains(7));
    source.refuse_all(false);
    CHECK(t.grow() == status::ok);
    CHECK(t.capacity() == 2048);
    CHECK(t.page_capacity() == 2048);
    CHECK(t.bytes() == source.bytes_held());
    source.refuse_all(true);
    t.remember(7);
    CHECK(t.grow() == status::no_memory);
    CHECK(t.contains(7));
    CHECK(t.capacity() == 2048);
}

TEST_CASE("ghost_table: a key is known once") {
    test_source source;
    table t{source, any_node};
    REQUIRE(t.grow() == status::ok);
    for (const std::uint64_t key :
         {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{1} << 48, std::uint64_t{12345}}) {
        CAPTURE(key);
        CHECK_FALSE(t.recall(key));
        t.remember(key);
        CHECK(t.contains(key));
        CHECK(t.contains(key));
        CHECK(t.recall(key));
        CHECK_FALSE(t.contains(key));
        CHECK_FALSE(t.recall(key));
    }
}

TEST_CASE("ghost_table: of a bucket's keys the 32 that came last are known, and gaps are filled first") {
    test_source source;
    table t{source, any_node};
    REQUIRE(t.grow() == status::ok);
    const auto key = [](std::uint64_t i) { return (i + 1) << 48 | 5; }; // all in one bucket
    for (std::uint64_t i = 0; i < 100; ++i) {
        t.remember(key(i));
        for (std::uint64_t j = 0; j <= i; ++j) {
            REQUIRE(t.contains(key(j)) == (j + 32 > i));
        }
    }
    CHECK(t.recall(key(80)));
    t.remember(key(100)); // in its place
    CHECK(t.contains(key(68)));
    CHECK(t.contains(key(100)));
    t.remember(key(101));
    CHECK_FALSE(t.contains(key(68)));
    CHECK(t.contains(key(69)));
    CHECK_FALSE(t.contains(key(101) + 1)); // the same fingerprint in another bucket
}

TEST_CASE("ghost_table: holds about as many as it has room for, and few that it never saw") {
    for (const std::uint32_t pages : {1u, 2u, 3u, 5u, 8u}) {
        CAPTURE(pages);
        test_source source;
        table t{source, any_node};
        for (std::uint32_t i = 0; i < pages; ++i) {
            REQUIRE(t.grow() == status::ok);
        }
        const std::size_t room = t.capacity();
        CHECK(room == 2048 * pages);
        const auto first = hashes(room / 2, 1), second = hashes(3 * room, 2), strangers = hashes(100'000, 3);
        for (const std::uint64_t h : first) {
            t.remember(h);
        }
        CHECK(known(t, first) * 100 >
              first.size() * (is_power_of_two(pages) ? 99 : 85)); // a page that isn't split has two pages' keys
        CHECK(known(t, strangers) < 100);                         // 32 in 65536 of them, at most
        for (const std::uint64_t h : second) {
            t.remember(h);
        }
        CHECK(known(t, first) * 100 < first.size() * 12);
        const std::vector<std::uint64_t> last(second.end() - static_cast<std::ptrdiff_t>(room / 2), second.end());
        CHECK(known(t, last) * 100 > last.size() * (is_power_of_two(pages) ? 99 : 85));
        CHECK(known(t, second) <= room + room / 100);
    }
}

TEST_CASE("ghost_table: growth and shrinking forget the keys of one page") {
    test_source source;
    table t{source, any_node};
    std::vector<std::uint64_t> keys;
    std::uint64_t seed = 1;
    for (std::uint32_t pages = 1; pages <= 9; ++pages) {
        CAPTURE(pages);
        const std::size_t before = known(t, keys);
        REQUIRE(t.grow() == status::ok);
        CHECK(t.bytes() == source.bytes_held());
        // One page of those before is split, and with it at most two pages' share of the keys is halved.
        CHECK(known(t, keys) + keys.size() * 12 / 10 / last_power_of_two(pages > 1 ? pages - 1 : 1) >= before);
        const auto more = hashes(200, seed++);
        for (const std::uint64_t h : more) {
            t.remember(h);
        }
        keys.insert(keys.end(), more.begin(), more.end());
    }
    for (std::size_t pages = 8; pages > 0; --pages) {
        const std::size_t before = known(t, keys);
        t.shrink();
        CHECK(t.capacity() == 2048 * pages);
        CHECK(t.bytes() == source.bytes_held());
        CHECK(known(t, keys) + keys.size() / 4 + keys.size() / pages >= before);
    }
    t.shrink();
    CHECK(t.capacity() == 0);
    CHECK(t.bytes() == 0);
    CHECK(known(t, keys) == 0);
    REQUIRE(t.grow() == status::ok);
    CHECK(known(t, keys) == 0); // and memory that comes again knows nothing
}

TEST_CASE("ghost_table: is as long as it is told, between a 32nd of its room and all of it") {
    test_source source;
    table t{source, any_node};
    t.shorten(5); // nothing to shorten
    REQUIRE(t.grow() == status::ok);
    const auto key = [](std::uint64_t i) { return (i + 1) << 48 | 5; }; // all in one bucket
    for (const auto& [asked, kept] : {std::pair<std::size_t, std::uint64_t>{0, 1},
                                      {64, 1},
                                      {95, 1},
                                      {96, 2},
                                      {640, 10},
                                      {2047, 32},
                                      {2048, 32},
                                      {1'000'000, 32},
                                      {0x7fff'ffffu, 32},
                                      {0xffff'ffdfu, 32}, // a sum with half of the buckets would begin anew on 32 bits
                                      {0xffff'ffffu, 32},
                                      {~std::size_t{0} - 32, 32},
                                      {~std::size_t{0}, 32}}) {
        const std::size_t keys = asked; // a name that a lambda may capture
        const std::uint64_t depth = kept;
        CAPTURE(keys);
        t.shorten(keys);
        for (std::uint64_t i = 0; i < 40; ++i) {
            t.remember(key(i));
        }
        for (std::uint64_t i = 0; i < 40; ++i) {
            CHECK(t.contains(key(i)) == (i + depth >= 40));
        }
    }
    t.shorten(320);
    CHECK_FALSE(t.recall(key(34)));
    CHECK(t.recall(key(35)));
    t.shorten(2048);
    CHECK(t.recall(key(34))); // what was beyond is known again
}

TEST_CASE("ghost_table: larger pages have room for more keys") {
    test_source source{65536};
    table t{source, any_node};
    REQUIRE(t.grow() == status::ok);
    CHECK(t.capacity() == 32768);
    const auto keys = hashes(16384, 1);
    for (const std::uint64_t h : keys) {
        t.remember(h);
    }
    CHECK(known(t, keys) * 100 > keys.size() * 99);
}

} // namespace
} // namespace pagefold::testing::unit_ds_ghost_table
