// SPDX-License-Identifier: MIT
#include <pagefold/alloc/xv_span.hpp>

#include <support/rng.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace pagefold::testing::unit_alloc_xv_span {
namespace {

static_assert(sizeof(xv_span) == 128, "two lines of memory");

/// A record of zeros, opened. Nothing looks at the memory itself.
struct opened_span {
    explicit opened_span(unsigned units) {
        std::memset(static_cast<void*>(&span), 0, sizeof span);
        span.open(7, &memory, units);
    }
    std::byte memory{};
    xv_span span;
};

/// As the allocator takes the upper end of the largest hole.
void take(xv_span& span, unsigned granules, xv_span::block_state state = xv_span::used) {
    const xv_span::hole_key hole = span.holes[0];
    const unsigned start = xv_span::hole_start(hole), size = xv_span::hole_size(hole), at = span.find(start);
    REQUIRE(size >= granules);
    if (size - granules < xv_span::min_granules) {
        granules = size;
        span.set_state(at, state);
        span.shrink_largest(0);
    } else {
        span.split(at, size - granules, state);
        span.shrink_largest(xv_span::key(start, size - granules));
    }
    span.free_granules = static_cast<std::uint16_t>(span.free_granules - granules);
    span.reserved_blocks = static_cast<std::uint16_t>(span.reserved_blocks + (state == xv_span::reserved ? 1 : 0));
}
/// Frees a block that has no hole beside it.
void free_alone(xv_span& span, unsigned at) {
    span.set_state(at, xv_span::free);
    span.add_hole(xv_span::key(span.start(at), span.size(at)));
    span.free_granules = static_cast<std::uint16_t>(span.free_granules + span.size(at));
}

TEST_CASE("a new span is one hole") {
    for (const unsigned units : {1u, 8u, xv_span::max_units}) {
        CAPTURE(units);
        opened_span o{units};
        CHECK(o.span.live());
        CHECK(o.span.is_empty());
        CHECK(o.span.has_own_table());
        CHECK(o.span.granules() == units * 512);
        CHECK(o.span.used_granules() == 0);
        CHECK(o.span.holes[0] == xv_span::key(0, units * 512));
        CHECK(o.span.check(false));
        CHECK_FALSE(o.span.starts_used(0));
        CHECK_FALSE(o.span.starts_used(units * 512));
        CHECK_FALSE(o.span.starts_used(0xffff));
    }
}

TEST_CASE("a granule's block is found in tables of both kinds") {
    for (const bool own : {true, false}) {
        CAPTURE(own);
        opened_span o{2};
        std::vector<std::uint16_t> far(128);
        if (!own) {
            o.span.move_table(far.data(), 128);
        }
        CHECK(o.span.has_own_table() == own);
        rng random{2};
        while (!o.span.table_is_full() && xv_span::hole_size(o.span.holes[0]) > 60) {
            take(o.span, 8 + static_cast<unsigned>(random.below(40)));
            REQUIRE(o.span.check(false));
            for (unsigned granule = 0, at = 0; granule < 1024; ++granule) {
                at += granule == o.span.start(at + 1) ? 1 : 0;
                REQUIRE(o.span.find(granule) == at);
                REQUIRE(o.span.starts_used(granule) ==
                        (granule == o.span.start(at) && o.span.state(at) == xv_span::used));
            }
        }
        CHECK(o.span.blocks > 20);
        for (unsigned at = 1; at < o.span.blocks; at += at % 2 == 0 ? 5 : 3) {
            free_alone(o.span, at);
        }
        for (unsigned from = 0; from <= o.span.blocks; ++from) {
            unsigned expected = from, looks = 0;
            while (expected < o.span.blocks && o.span.state(expected) != xv_span::used) {
                ++expected;
            }
            REQUIRE(o.span.next_used(from, [&] { ++looks; }) == expected);
            REQUIRE(looks == expected - from + (expected < o.span.blocks ? 1 : 0));
        }
    }
}

TEST_CASE("a table moves out of the record and home again") {
    opened_span o{1};
    for (unsigned i = 0; i < 12; ++i) {
        take(o.span, 30, i % 5 == 4 ? xv_span::reserved : xv_span::used);
    }
    std::vector<std::uint16_t> before(o.span.table(), o.span.table() + o.span.blocks + 1), far(48);
    o.span.move_table(far.data(), 48);
    CHECK(o.span.table() == far.data());
    CHECK(std::vector<std::uint16_t>(far.begin(), far.begin() + o.span.blocks + 1) == before);
    CHECK(o.span.check(false));
    o.span.move_table_home();
    CHECK(o.span.has_own_table());
    CHECK(std::vector<std::uint16_t>(o.span.table(), o.span.table() + o.span.blocks + 1) == before);
    CHECK(o.span.check(false));
}

TEST_CASE("merged blocks leave no trace") {
    opened_span o{1};
    for (unsigned i = 0; i < 6; ++i) {
        take(o.span, 50);
    }
    REQUIRE(o.span.blocks == 7);
    const unsigned begin = o.span.start(2), end = o.span.start(5);
    o.span.merge(2, 4);
    CHECK(o.span.blocks == 5);
    CHECK(o.span.start(2) == begin);
    CHECK(o.span.start(3) == end);
    CHECK(o.span.check(false));
    o.span.merge(3, 3);
    CHECK(o.span.blocks == 5);
}

TEST_CASE("the largest hole is the first, and the holes beyond four are found when those are gone") {
    opened_span o{1};
    xv_span& span = o.span;
    std::vector<std::uint16_t> far(64);
    span.move_table(far.data(), 64);
    for (unsigned granules = 16; span.blocks < 20; ++granules) {
        take(span, granules);
    }
    take(span, xv_span::hole_size(span.holes[0]));
    REQUIRE(span.free_granules == 0);
    REQUIRE(span.holes[0] == 0);
    unsigned freed = 0;
    for (unsigned at = 1; at < span.blocks; at += 2, ++freed) {
        free_alone(span, at);
        CHECK(span.check(false));
        CHECK(span.hidden == (freed < 4 ? 0 : freed - 3));
    }
    for (unsigned left = freed; left > 0; --left) {
        REQUIRE(span.holes[0] != 0);
        take(span, xv_span::hole_size(span.holes[0]));
        CHECK(span.check(false));
    }
    CHECK(span.holes[0] == 0);
    CHECK(span.hidden == 0);
    CHECK(span.free_granules == 0);
}

TEST_CASE("a hidden hole is found as soon as those that are listed are smaller") {
    opened_span o{1};
    xv_span& span = o.span;
    for (unsigned i = 0; i < 12; ++i) {
        take(span, i % 2 == 0 ? 10 : 40 + i);
    }
    take(span, xv_span::hole_size(span.holes[0]));
    for (unsigned at = 1; at < 12; ++at) { // 41, 43 … 51, from the upper end on
        if (span.size(at) > 40) {
            free_alone(span, at);
        }
    }
    REQUIRE(span.hidden == 2);
    for (const unsigned largest : {51u, 49u, 47u}) {
        REQUIRE(xv_span::hole_size(span.holes[0]) == largest);
        CHECK(span.least_hole(48) == (largest == 51 ? span.least_hole(49) : span.holes[0]));
        take(span, 20); // leaves less than is hidden
        CHECK(span.check(false));
    }
    CHECK(xv_span::hole_size(span.holes[0]) == 45);
    const xv_span::hole_key least = span.least_hole(24);
    REQUIRE(xv_span::hole_size(least) == 27);
    span.set_state(span.find(xv_span::hole_start(least)), xv_span::used);
    span.use_hole(least);
    span.free_granules = static_cast<std::uint16_t>(span.free_granules - 27);
    CHECK(span.check(false));
    CHECK(span.hidden != 0);
    CHECK(xv_span::hole_size(span.holes[0]) == 45);
    take(span, 45);
    CHECK(xv_span::hole_size(span.holes[0]) == 43); // it was hidden
    CHECK(span.hidden == 0);
}

TEST_CASE("a table in the span is no object's, whether it is in use or kept") {
    alignas(8) std::byte memory[4096];
    xv_span span;
    std::memset(static_cast<void*>(&span), 0, sizeof span);
    span.open(7, memory, 1);
    take(span, 12, xv_span::reserved);
    --span.reserved_blocks;
    span.free_granules = 512;
    span.table_start = 500;
    span.table_granules = 12;
    span.move_table(reinterpret_cast<std::uint16_t*>(memory + 4000), 48);
    CHECK(span.check(false));
    CHECK(span.is_empty());
    CHECK(span.used_granules() == 0);
    CHECK_FALSE(span.starts_used(500));
    take(span, 8);
    CHECK_FALSE(span.is_empty());
    CHECK(span.used_granules() == 8);
    span.move_table_home();
    CHECK(span.has_own_table());
    CHECK(span.check(false));
    ++span.table_start;
    CHECK_FALSE(span.check(false));
    --span.table_start;
    --span.table_granules;
    CHECK_FALSE(span.check(false));
}

TEST_CASE("holes grow and go, listed or hidden") {
    opened_span o{1};
    xv_span& span = o.span;
    for (unsigned i = 0; i < 15; ++i) {
        take(span, 32);
    }
    take(span, xv_span::hole_size(span.holes[0]));
    for (unsigned at = 1; at < 15; at += 2) {
        free_alone(span, at);
    }
    REQUIRE(span.hidden == 3);
    while (span.blocks > 1) { // joins each hole with the block and the hole behind it, from the front
        unsigned at = 0;
        while (at < span.blocks && span.state(at) != xv_span::free) {
            ++at;
        }
        if (at + 2 >= span.blocks || span.state(at + 2) != xv_span::free) {
            break;
        }
        const unsigned start = span.start(at), size = span.size(at), behind = span.start(at + 2);
        const unsigned behind_size = span.size(at + 2);
        span.free_granules = static_cast<std::uint16_t>(span.free_granules + span.size(at + 1));
        span.remove_hole(xv_span::key(behind, behind_size));
        span.grow_hole(xv_span::key(start, size), xv_span::key(start, behind + behind_size - start));
        span.merge(at, at + 2);
        REQUIRE(span.check(false));
        REQUIRE(span.holes[0] == xv_span::key(start, behind + behind_size - start));
    }
    CHECK(span.hidden == 0);
    CHECK(span.blocks == 4); // the first, the joined hole, the last two
}

TEST_CASE("check sees damage") {
    const auto damaged = [](auto damage) {
        opened_span o{1};
        for (unsigned i = 0; i < 5; ++i) {
            take(o.span, 40);
        }
        free_alone(o.span, 2);
        REQUIRE(o.span.check(false));
        damage(o.span);
        return !o.span.check(false);
    };
    CHECK(damaged([](xv_span& s) { ++s.free_granules; }));
    CHECK(damaged([](xv_span& s) { ++s.reserved_blocks; }));
    CHECK(damaged([](xv_span& s) { ++s.hidden; }));
    CHECK(damaged([](xv_span& s) { s.holes[1] = 0; }));
    CHECK(damaged([](xv_span& s) { s.holes[1] = s.holes[0] + 1; }));
    CHECK(damaged([](xv_span& s) { s.own[3] = s.own[2]; }));
    CHECK(damaged([](xv_span& s) { s.set_state(1, xv_span::free); }));
    CHECK(damaged([](xv_span& s) { s.own[20] = 0; }));
    CHECK(damaged([](xv_span& s) { --s.blocks; }));
}

template <std::size_t GranuleBytes>
void check_table_sizes() {
    using sizes = xv_table_sizes<GranuleBytes>;
    unsigned before = xv_span::own_entries;
    while (before <= xv_span::max_units * xv_span::unit_granules / xv_span::min_granules) {
        CAPTURE(before);
        const unsigned granules = sizes::next(before), entries = sizes::entries(granules);
        CHECK(granules >= xv_span::min_granules);
        CHECK(entries >= before + 3); // for the table's own block, and what is cut from a hole
        CHECK((granules == xv_span::min_granules || entries * 2 <= 3 * before));
        before = entries;
    }
}

TEST_CASE("tables come in sizes of half a power of two, and of a block at the least") {
    check_table_sizes<8>();
    check_table_sizes<32>();
    check_table_sizes<128>();
}

} // namespace
} // namespace pagefold::testing::unit_alloc_xv_span
