// SPDX-License-Identifier: MIT
#include <pagefold/alloc/xv.hpp>

#include <conformance/object_allocator.hpp>
#include <support/allocator_calls.hpp>
#include <support/rng.hpp>
#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace pagefold::testing::unit_alloc_xv {
namespace {

using xv4k = xv<test_source>;
using single = xv<test_source, 4096, 1>; // spans of one unit

static_assert(compacting_allocator<xv4k> && snug_allocator<xv4k> && span_aware_allocator<xv4k>);

TEST_CASE_TEMPLATE("an object occupies its size, in steps of Unit/512", A, xv4k, xv<test_source, 16384>,
                   xv<test_source, 65536>) {
    constexpr std::size_t step = A::max_size / 512;
    test_source source;
    A a{source, any_node};
    for (std::size_t n = 1; n <= A::max_size; n += n < 100 ? 1 : step / 2 + 1) {
        CAPTURE(n);
        const std::size_t rounded = std::max((n + step - 1) / step * step, 8 * step);
        const bool splits = A::max_size - rounded >= 8 * step; // what is left can be a block
        const object_handle h = must_allocate(a, n);
        CHECK(a.rounded(n) == rounded);
        CHECK(a.capacity(h) == (splits ? rounded : A::max_size));
        CHECK(a.allocated_bytes() == a.capacity(h));
        CHECK(a.bytes_held() == A::max_size);
        a.deallocate(h);
        CHECK(a.bytes_held() == 0);
        CHECK(a.allocated_bytes() == 0);
    }
    CHECK(a.check());
}

TEST_CASE("sizes of nothing and above the unit are invalid") {
    test_source source;
    xv4k a{source, any_node};
    for (const std::size_t n : {std::size_t{0}, std::size_t{4097}, ~std::size_t{0}}) {
        CHECK(a.allocate(n).error() == status::invalid);
        CHECK(a.allocate_snug(n).error() == status::invalid);
    }
    CHECK(source.acquisitions() == 0);
    CHECK(a.check());
}

TEST_CASE("units that the source's pages don't divide are invalid") {
    test_source source{8192};
    xv4k a{source, any_node};
    CHECK(a.allocate(100).error() == status::invalid);
    CHECK(a.allocate(4096).error() == status::invalid);
    CHECK(source.bytes_held() == 0);
    CHECK(a.check());
}

/// Spans of one unit, each filled by two objects; the second of `tail` bytes.
[[nodiscard]] object_handle fill_span(single& a, std::size_t tail) {
    const std::size_t held = a.bytes_held();
    const object_handle first = must_allocate(a, tail);
    static_cast<void>(must_allocate(a, 4096 - tail));
    REQUIRE(a.bytes_held() == held + 4096);
    return first;
}

TEST_CASE("free lists are exact, eight bytes apart") {
    for (const bool larger_first : {false, true}) {
        test_source source;
        single a{source, any_node};
        std::vector<object_handle> holes;
        for (std::size_t tail = 104; tail <= 400; tail += 8) {
            holes.push_back(fill_span(a, tail));
        }
        for (const object_handle h : holes) {
            a.deallocate(h);
        }
        if (larger_first) {
            std::reverse(holes.begin(), holes.end());
        }
        for (std::size_t i = 0; i < holes.size(); ++i) {
            const std::size_t n = larger_first ? 400 - 8 * i : 104 + 8 * i;
            CAPTURE(n);
            const object_handle h = must_allocate(a, n);
            CHECK(h == holes[i]);
            CHECK(a.capacity(h) == n);
        }
        CHECK(a.check());
    }
}

TEST_CASE("of equal holes the one that came free last is filled first") {
    test_source source;
    single a{source, any_node};
    const object_handle h[] = {fill_span(a, 104), fill_span(a, 104), fill_span(a, 104)};
    for (const unsigned i : {1u, 0u, 2u}) {
        a.deallocate(h[i]);
    }
    for (const unsigned i : {2u, 0u, 1u}) {
        CHECK(must_allocate(a, 104) == h[i]);
    }
    CHECK(a.check());
}

TEST_CASE("a freed block joins the holes on both sides, in whatever order they come") {
    std::array<unsigned, 4> order = {0, 1, 2, 3};
    do {
        CAPTURE(order[0]);
        CAPTURE(order[1]);
        CAPTURE(order[2]);
        test_source source;
        single a{source, any_node};
        object_handle h[4];
        for (object_handle& each : h) {
            each = must_allocate(a, 1024);
        }
        REQUIRE(a.bytes_held() == 4096);
        for (unsigned i = 0; i < 3; ++i) {
            a.deallocate(h[order[i]]);
            REQUIRE(a.check());
        }
        const std::size_t room = std::max(order[3], 3 - order[3]) * 1024;
        const object_handle joined = must_allocate(a, room);
        CHECK(a.capacity(joined) == room);
        CHECK(a.bytes_held() == 4096);
        static_cast<void>(must_allocate(a, 3072 - room + 8)); // more than the rest
        CHECK(a.bytes_held() == 8192);
        CHECK(a.check());
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("a span without objects goes back at once, with its table") {
    test_source source;
    xv4k a{source, any_node};
    std::vector<object_handle> handles;
    std::size_t lasts[5] = {}; // the last object of each span
    while (a.bytes_held() <= 5 * 4096) {
        handles.push_back(must_allocate(a, 64)); // tables outgrow the record
        lasts[a.bytes_held() / 4096 - 1 < 5 ? a.bytes_held() / 4096 - 1 : 4] = handles.size() - 1;
    }
    a.deallocate(handles.back()); // in a sixth
    handles.pop_back();
    lasts[4] = handles.size() - 1;
    CHECK(handles.size() >= 5 * 60);
    CHECK(a.bytes_held() == 5 * 4096);
    CHECK(a.check());
    std::size_t spans = 5;
    for (std::size_t i = 0; i < handles.size(); ++i) {
        a.deallocate(handles[i]);
        spans -= i == lasts[5 - spans] ? 1 : 0;
        REQUIRE(a.bytes_held() == spans * 4096);
        REQUIRE(a.bytes_held() + a.table_bytes() == source.bytes_held());
        REQUIRE(a.check());
    }
    CHECK(a.table_bytes() == 0);
    CHECK(a.allocated_bytes() == 0);
}

TEST_CASE("objects of more than half a unit share units") {
    test_source source, of_singles;
    xv4k a{source, any_node};
    single b{of_singles, any_node};
    constexpr std::size_t count = 20000;
    for (std::size_t i = 0; i < count; ++i) {
        static_cast<void>(must_allocate(a, 2100));
        static_cast<void>(must_allocate(b, 2100));
    }
    CHECK(a.bytes_held() * 100 < count * 2104 * 107);
    CHECK(b.bytes_held() == count * 4096);
    CHECK(a.check());
}

TEST_CASE("many holes in one span: those that are not listed are found again") {
    for (const std::size_t n : {std::size_t{136}, std::size_t{80}}) { // with a table in the record, and in the span
        CAPTURE(n);
        test_source source;
        single a{source, any_node};
        std::vector<object_handle> h;
        while (a.bytes_held() <= 4096) {
            h.push_back(must_allocate(a, n));
        }
        a.deallocate(h.back());
        h.pop_back();
        for (std::size_t i = 0; i < h.size(); i += 2) {
            a.deallocate(h[i]);
            CHECK(a.check());
        }
        for (std::size_t i = 0; i < h.size(); i += 2) {
            static_cast<void>(must_allocate(a, n));
            CHECK(a.bytes_held() == 4096);
            CHECK(a.check());
        }
        static_cast<void>(must_allocate(a, 64));
        CHECK(a.bytes_held() == 8192);
    }
}

TEST_CASE("a table that outgrows its record asks the source for nothing, and its block is used again") {
    test_source source;
    single a{source, any_node};
    std::vector<object_handle> h = {must_allocate(a, 64)};
    source.refuse_all(true);
    while (const result<object_handle> more = a.allocate(64)) {
        h.push_back(*more);
        REQUIRE(a.check());
    }
    CHECK(h.size() == 61); // the last table takes what two objects and a rest would
    for (unsigned round = 0; round < 3; ++round) {
        CAPTURE(round);
        for (std::size_t i = 1; i < h.size(); ++i) {
            a.deallocate(h[i]); // down to one: the table is in the record again
            REQUIRE(a.check());
        }
        for (std::size_t i = 1; i < h.size(); ++i) {
            h[i] = must_allocate(a, 64);
            REQUIRE(a.check());
        }
        CHECK_FALSE(a.allocate(64).has_value());
    }
    source.refuse_all(false);
}

TEST_CASE("where a table can't grow, the smallest hole that fits is used whole") {
    test_source source;
    single a{source, any_node};
    std::vector<object_handle> h;
    for (unsigned i = 0; i < 29; ++i) {
        h.push_back(must_allocate(a, 128));
    }
    h.push_back(must_allocate(a, 264)); // 31 blocks: the hole is of 120 bytes
    a.deallocate(h[5]);
    for (const std::size_t whole : {std::size_t{120}, std::size_t{128}}) { // the table has no entry for a rest
        CHECK(a.capacity(must_allocate(a, 64)) == whole);
    }
    CHECK(a.bytes_held() == 4096);
    CHECK(a.check());
    a.deallocate(h[8]);
    a.deallocate(h[9]);
    const object_handle two = must_allocate(a, 64); // one entry is left again
    CHECK(a.capacity(two) == 64);
    CHECK(a.check());
}

TEST_CASE("fullness is the share of the span in use, and 0 for its last object") {
    test_source source;
    single a{source, any_node};
    const object_handle first = must_allocate(a, 1024), whole = must_allocate(a, 4096);
    CHECK(a.fullness(whole) == 0);
    CHECK(a.fullness(first) == 0);
    const object_handle second = must_allocate(a, 1024);
    CHECK(a.fullness(first) == max_fullness / 2);
    CHECK(a.fullness(second) == max_fullness / 2);
    const object_handle third = must_allocate(a, 2048);
    CHECK(a.fullness(third) == max_fullness);
    a.deallocate(third);
    a.deallocate(first);
    CHECK(a.fullness(second) == 0);
    a.deallocate(second);
    CHECK(a.bytes_held() == 4096);
}

TEST_CASE("fullness counts the place that an object would have moved to") {
    test_source source;
    single a{source, any_node};
    std::vector<object_handle> h;
    for (unsigned i = 0; i < 8; ++i) {
        h.push_back(must_allocate(a, 1024));
    }
    for (const unsigned i : {1u, 2u, 6u, 7u}) { // half of each span
        a.deallocate(h[i]);
    }
    REQUIRE(a.plan_compaction(~std::size_t{0}) == 4096);
    const bool first_goes = a.misplaced(h[0]);
    const unsigned stay = first_goes ? 4 : 0, leave = 4 - stay;
    a.deallocate(h[stay == 0 ? 0 : 4]);
    a.deallocate(h[stay == 0 ? 3 : 5]);
    const object_handle going[] = {h[leave == 0 ? 0 : 4], h[leave == 0 ? 3 : 5]};
    for (const object_handle x : going) {
        const unsigned fullness = a.fullness(x);
        const std::size_t held = a.bytes_held();
        a.deallocate(x);
        CHECK((fullness == 0) == (a.bytes_held() < held));
        CHECK(a.check());
    }
    CHECK(a.bytes_held() == 0);
}

TEST_CASE("fullness is 0 where the span that comes free is that of a reserved place") {
    test_source source;
    single a{source, any_node};
    const object_handle tail = must_allocate(a, 1024), rest = must_allocate(a, 3072), other = fill_span(a, 512);
    const object_handle moves = must_allocate(a, 1024), moves_too = must_allocate(a, 512);
    a.deallocate(tail);
    a.deallocate(other);
    REQUIRE(a.plan_compaction(~std::size_t{0}) == 4096);
    REQUIRE(a.misplaced(moves));
    REQUIRE(a.misplaced(moves_too));
    CHECK(a.fullness(moves) != 0);
    a.deallocate(rest); // the place for `moves` is alone now
    CHECK(a.bytes_held() == 3 * 4096);
    CHECK(a.fullness(moves) == 0);
    CHECK(a.fullness(moves_too) != 0);
    a.deallocate(moves);
    CHECK(a.bytes_held() == 2 * 4096);
    CHECK(a.check());
}

TEST_CASE("when the source refuses, spans that were to be emptied serve again") {
    test_source source;
    single a{source, any_node};
    std::vector<object_handle> h;
    for (unsigned i = 0; i < 16; ++i) {
        h.push_back(must_allocate(a, 1024));
    }
    for (unsigned i = 0; i < 16; i += 2) {
        a.deallocate(h[i]);
    }
    REQUIRE(a.plan_compaction(~std::size_t{0}) == 2 * 4096);
    source.refuse_all(true, status::limit);
    CHECK(a.allocate(2048).error() == status::limit); // what the source said, though the plan was given up for it
    CHECK(a.check());
    for (unsigned i = 0; i < 16; ++i) {
        CHECK((i % 2 == 0 || !a.misplaced(h[i])));
    }
    for (unsigned i = 0; i < 8; ++i) {
        static_cast<void>(must_allocate(a, 1024));
    }
    CHECK(a.allocate(64).error() == status::limit);
    CHECK(a.allocate_snug(64).error() == status::limit);
    CHECK(a.check());
    source.refuse_all(false);
}

TEST_CASE("a refused allocation gives no memory back, even where only reserved places are in a span") {
    test_source source;
    single a{source, any_node};
    std::vector<object_handle> h;
    for (unsigned i = 0; i < 8; ++i) {
        h.push_back(must_allocate(a, 1024));
    }
    for (const unsigned i : {1u, 2u, 6u, 7u}) {
        a.deallocate(h[i]);
    }
    REQUIRE(a.plan_compaction(~std::size_t{0}) == 4096);
    for (const unsigned i : {0u, 3u, 4u, 5u}) {
        if (!a.misplaced(h[i])) {
            a.deallocate(h[i]); // two places remain in its span
        }
    }
    REQUIRE(a.bytes_held() == 8192);
    source.refuse_all(true);
    static_cast<void>(must_allocate(a, 3000)); // there, though two places of 1024 bytes were reserved
    CHECK(a.bytes_held() == 8192);
    CHECK(a.check());
    CHECK_FALSE(a.allocate(3000).has_value());
    CHECK(a.bytes_held() == 8192);
    CHECK(a.check());
    source.refuse_all(false);
}

/// Fills, thins out, compacts and fills again while one acquisition fails. Returns whether there was such a one.
[[nodiscard]] bool run_with_failure(std::uint64_t refused) {
    struct object {
        object_handle handle;
        std::size_t size;
        std::uint64_t seed;
    };
    test_source source;
    xv4k a{source, any_node};
    std::vector<object> objects;
    std::vector<std::byte> bytes;
    rng random{3};
    source.refuse_nth(refused, status::limit);
    const auto is_sound = [&] { return a.check() && a.bytes_held() + a.table_bytes() == source.bytes_held(); };
    const auto fill = [&](unsigned count, std::size_t most) {
        for (unsigned i = 0; i < count; ++i) {
            const std::size_t n = random.one_in(6) ? 4096 : 1 + random.below(most);
            const std::size_t allocated = a.allocated_bytes(), held = a.bytes_held();
            const std::uint64_t refusals = source.refusals();
            const result<object_handle> h = a.allocate(n);
            REQUIRE((source.refusals() == refusals || is_sound()));
            if (!h) {
                REQUIRE(h.error() == status::limit);
                REQUIRE(source.refusals() == refusals + 1);
                REQUIRE(a.allocated_bytes() == allocated);
                REQUIRE(a.bytes_held() == held);
                continue;
            }
            bytes.resize(n);
            objects.push_back({*h, n, random()});
            fill_pattern(bytes, objects.back().seed);
            a.write(*h, bytes);
        }
    };
    fill(150, 4096);
    fill(200, 100);
    for (unsigned i = 0; i < 240; ++i) {
        std::swap(objects[random.below(objects.size())], objects.back());
        a.deallocate(objects.back().handle);
        objects.pop_back();
    }
    static_cast<void>(a.plan_compaction(~std::size_t{0}));
    REQUIRE(is_sound());
    for (object& o : objects) {
        if (a.misplaced(o.handle)) {
            const result<object_handle> h = a.relocate(o.handle);
            REQUIRE(h.has_value()); // a place has been reserved
            o.handle = *h;
        }
    }
    fill(60, 4096);
    a.finish_compaction();
    fill(60, 4096);
    for (const object& o : objects) {
        REQUIRE(has_pattern(a.read(o.handle, o.size, {}), o.seed));
    }
    REQUIRE(is_sound());
    return source.refusals() != 0;
}

TEST_CASE("whichever acquisition fails, nothing is lost and all memory goes back") {
    std::uint64_t refused = 1;
    while (run_with_failure(refused)) {
        ++refused;
        CAPTURE(refused);
    }
    CHECK(refused > 50);
}

TEST_CASE("checked builds assert that a handle is live and bytes fit") {
    test_source source;
    xv4k a{source, any_node};
    const object_handle block = must_allocate(a, 100), raw = must_allocate(a, 4096), neighbour = must_allocate(a, 100);
    a.deallocate(neighbour);
    for (const object_handle dead : {neighbour, plus(block, 1), plus(block, 0x4000), plus(block, 1u << 16),
                                     plus(block, 999u << 16), plus(block, std::uint64_t{1} << 48), plus(raw, 1),
                                     plus(raw, 1u << 16), object_handle{0}, object_handle{~std::uint64_t{0}}}) {
        check_dies_of(a, dead);
    }
    const std::byte bytes[4097]{};
    CHECK(dies([&] { a.write(block, {bytes, a.capacity(block) + 1}); }));
    CHECK(dies([&] { a.write(raw, {bytes, 4097}); }));
    CHECK(dies([&] { static_cast<void>(a.read(block, a.capacity(block) + 1, {})); }));
    CHECK(dies([&] { static_cast<void>(a.relocate(block)); })); // it is not misplaced
    CHECK(dies([&] { static_cast<void>(a.rounded(0)); }));
    CHECK_FALSE(dies([&] { a.deallocate(block); }));
    CHECK(a.check());
}

TEST_CASE("the same operations give the same handles") {
    CHECK(handles_of_a_run<xv4k>(5) == handles_of_a_run<xv4k>(5));
    CHECK(handles_of_a_run<xv4k>(5) != handles_of_a_run<xv4k>(6));
}

} // namespace
} // namespace pagefold::testing::unit_alloc_xv
