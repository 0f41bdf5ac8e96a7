// SPDX-License-Identifier: MIT
#include <pagefold/alloc/zs.hpp>

#include <conformance/object_allocator.hpp>
#include <support/allocator_calls.hpp>
#include <support/rng.hpp>
#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <set>
#include <utility>
#include <vector>

namespace pagefold::testing::unit_alloc_zs {
namespace {

template <std::size_t UnitBytes, unsigned ChainUnits>
struct parameters {
    static constexpr std::size_t unit = UnitBytes;
    using allocator = zs<test_source, UnitBytes, ChainUnits>;
    using classes = size_classes<UnitBytes, ChainUnits>;
};

#define PAGEFOLD_ALL_ZS                                                                                                \
    parameters<4096, 1>, parameters<4096, 4>, parameters<4096, 8>, parameters<16384, 1>, parameters<16384, 4>,         \
        parameters<16384, 8>, parameters<65536, 1>, parameters<65536, 4>, parameters<65536, 12>

using zs4k = zs<test_source>;
using classes4k = size_classes<4096, 12>;

/// Handles of `count` objects of `n` bytes, the i-th of which holds pattern i.
[[nodiscard]] std::vector<object_handle> must_fill(auto& a, std::size_t n, std::size_t count) {
    std::vector<object_handle> handles;
    std::vector<std::byte> bytes(n);
    for (std::size_t i = 0; i < count; ++i) {
        handles.push_back(must_allocate(a, n));
        fill_pattern(bytes, i);
        a.write(handles.back(), bytes);
    }
    return handles;
}

TEST_CASE_TEMPLATE("an object occupies a slot of its class, or of a slightly larger one", T, PAGEFOLD_ALL_ZS) {
    using classes = typename T::classes;
    test_source source;
    typename T::allocator a{source, any_node};
    for (unsigned number = 0; number < classes::count(); ++number) {
        const std::size_t bytes = classes::at(number).bytes;
        CAPTURE(bytes);
        CHECK(a.rounded(bytes) == bytes);
        CHECK((number == 0 || a.rounded(classes::at(number - 1).bytes + 1) == bytes));
        const object_handle h = must_allocate(a, bytes);
        const size_class& shape = classes::at(classes::of(a.capacity(h)));
        CHECK(a.capacity(h) == shape.bytes);
        CHECK(a.capacity(h) >= bytes);
        CHECK(a.capacity(h) <= bytes + bytes / 4);
        CHECK(a.allocated_bytes() == shape.bytes);
        CHECK(a.bytes_held() == shape.units * T::unit);
        a.deallocate(h);
        CHECK(a.allocated_bytes() == 0);
        CHECK(a.bytes_held() == 0);
    }
    CHECK(a.rounded(1) == classes::at(0).bytes);
    CHECK(a.rounded(T::unit) == T::unit);
    CHECK(a.check());
}

TEST_CASE_TEMPLATE("a span is filled before the next is opened", T, PAGEFOLD_ALL_ZS) {
    using classes = typename T::classes;
    for (const std::size_t size : {classes::at(0).bytes + std::size_t{0}, T::unit / 16, T::unit / 2}) {
        test_source source;
        typename T::allocator a{source, any_node};
        const size_class& shape = classes::at(classes::of(size));
        REQUIRE(shape.units == 1);
        std::set<object_handle> distinct;
        for (unsigned span = 1; span <= 3; ++span) {
            for (unsigned i = 0; i < shape.slots; ++i) {
                distinct.insert(must_allocate(a, size));
                CHECK(a.bytes_held() == span * T::unit);
            }
        }
        CHECK(distinct.size() == 3u * shape.slots);
        CHECK(a.check());
    }
}

TEST_CASE("spans are of few units while little is held") {
    test_source source;
    zs4k a{source, any_node};
    const std::size_t size = 1900; // in a class of its own, of 7 units
    REQUIRE(classes4k::at(classes4k::of(size)).units == 7);
    CHECK(a.capacity(must_allocate(a, size)) == 2048);
    CHECK(a.bytes_held() == 4096);
    while (a.bytes_held() < 7 * 256 * 4096) {
        static_cast<void>(must_allocate(a, 4096));
    }
    static_cast<void>(must_allocate(a, size)); // in the slot that is free
    const std::size_t held = a.bytes_held();
    CHECK(a.capacity(must_allocate(a, size)) == a.rounded(size));
    CHECK(a.bytes_held() == held + 7 * 4096);
    CHECK(a.check());
}

TEST_CASE_TEMPLATE("objects are read in place, next to each other in their span", T, PAGEFOLD_ALL_ZS) {
    using classes = typename T::classes;
    test_source source;
    typename T::allocator a{source, any_node};
    const size_class& shape = classes::at(classes::of(T::unit / 16));
    std::set<const std::byte*> places;
    for (unsigned i = 0; i < shape.slots; ++i) {
        const object_handle h = must_allocate(a, T::unit / 16);
        const byte_view view = a.read(h, 10, {});
        CHECK(view.size() == 10);
        places.insert(view.data());
    }
    const std::byte* expected = *places.begin();
    for (const std::byte* place : places) {
        CHECK(place == expected);
        expected += shape.bytes;
    }
}

TEST_CASE_TEMPLATE("whole units cost a unit and eight bytes", T, PAGEFOLD_ALL_ZS) {
    test_source source;
    typename T::allocator a{source, any_node};
    const std::size_t sizes[] = {T::unit, T::unit - 1};
    std::vector<object_handle> handles;
    for (unsigned i = 0; i < 600; ++i) {
        handles.push_back(must_allocate(a, sizes[i % 2]));
        CHECK(a.bytes_held() == handles.size() * T::unit);
        CHECK(a.capacity(handles.back()) == T::unit);
        CHECK_FALSE(a.misplaced(handles.back()));
    }
    CHECK(a.table_bytes() <= 600 * 8 + 3 * 4096);
    CHECK(a.allocated_bytes() == a.bytes_held());
    CHECK(a.plan_compaction(~std::size_t{0}) == 0);
    CHECK(a.check());
    for (const object_handle h : handles) {
        a.deallocate(h);
    }
    CHECK(a.bytes_held() == 0);
    CHECK(a.check());
}

TEST_CASE("the fullest span is filled first, so that the sparse ones can come free") {
    test_source source;
    zs4k a{source, any_node};
    const size_class& shape = classes4k::at(classes4k::of(256));
    const std::vector<object_handle> h = must_fill(a, 256, 3 * shape.slots);
    const auto span_of = [](object_handle x) { return static_cast<std::uint64_t>(x) >> 16; };
    for (unsigned i = 0; i < shape.slots / 2; ++i) {
        a.deallocate(h[i]); // the first half empty
    }
    a.deallocate(h[shape.slots]); // the second lacks one
    for (unsigned i = 0; i < shape.slots / 2; ++i) {
        a.deallocate(h[2 * shape.slots + i]); // the third half empty
    }
    const object_handle next = must_allocate(a, 256);
    CHECK(span_of(next) == span_of(h[shape.slots]));
    CHECK(a.check());
}

TEST_CASE("a class without a free slot borrows a slightly larger one rather than open a span") {
    test_source source;
    zs4k a{source, any_node};
    static_cast<void>(must_allocate(a, 1632));
    const std::size_t held = a.bytes_held();
    const object_handle h = must_allocate(a, 1400);
    CHECK(a.bytes_held() == held);
    CHECK(a.capacity(h) == 1632);
    CHECK(a.allocated_bytes() == 2 * 1632);
    static_cast<void>(must_allocate(a, 400)); // that would waste too much of the slot
    CHECK(a.bytes_held() > held);
    CHECK(a.check());
}

TEST_CASE("when the source refuses, an object of a class without room takes any larger slot") {
    test_source source;
    zs4k a{source, any_node};
    const std::size_t larger = a.capacity(must_allocate(a, 3000));
    source.refuse_all(true, status::limit);
    const object_handle h = must_allocate(a, 100);
    CHECK(a.capacity(h) == larger);
    static_cast<void>(must_allocate(a, 2000));
    static_cast<void>(must_allocate(a, 50));
    const result<object_handle> full = a.allocate(50);
    CHECK(full.error() == status::limit);
    const result<object_handle> raw = a.allocate(4096);
    CHECK(raw.error() == status::limit);
    a.deallocate(h);
    CHECK(a.capacity(must_allocate(a, 1)) == larger);
    CHECK(a.check());
    source.refuse_all(false);
}

TEST_CASE("when the source refuses, spans that were to be emptied serve again") {
    test_source source;
    zs4k a{source, any_node};
    const size_class& shape = classes4k::at(classes4k::of(2000));
    const std::vector<object_handle> h = must_fill(a, 2000, 2 * shape.slots);
    for (unsigned i = 0; i < 2u * shape.slots; i += 2) {
        a.deallocate(h[i]);
    }
    REQUIRE(a.plan_compaction(~std::size_t{0}) == shape.units * 4096u);
    source.refuse_all(true);
    for (unsigned i = 0; i < 2u * ((shape.slots + 1u) / 2u); ++i) {
        static_cast<void>(must_allocate(a, 2000));
    }
    CHECK_FALSE(a.allocate(2000).has_value());
    CHECK_FALSE(a.misplaced(h[1]));
    CHECK(a.check());
    source.refuse_all(false);
}

TEST_CASE("units that the source's pages don't divide are invalid") {
    test_source source{8192};
    zs<test_source, 4096> a{source, any_node};
    CHECK(a.allocate(100).error() == status::invalid);
    CHECK(a.allocate(3072).error() == status::invalid); // three units are a page and a half
    CHECK(a.allocate(4096).error() == status::invalid);
    CHECK(source.bytes_held() == 0);
    CHECK(a.check());
}

TEST_CASE_TEMPLATE("a plan names the sparsest spans and their pages come free", T, PAGEFOLD_ALL_ZS) {
    using classes = typename T::classes;
    test_source source;
    typename T::allocator a{source, any_node};
    const std::size_t size = T::unit / 16;
    const size_class& shape = classes::at(classes::of(size));
    const std::size_t span_bytes = shape.units * T::unit;
    std::vector<object_handle> h = must_fill(a, size, 4 * shape.slots);
    // One object is left in the second span, the others lack one each.
    for (unsigned i = 0; i < 4u * shape.slots; ++i) {
        const bool second = i / shape.slots == 1;
        if (second ? i % shape.slots != 0 : i % shape.slots == 0) {
            a.deallocate(h[i]);
            h[i] = object_handle{~std::uint64_t{0}};
        }
    }
    CHECK(a.plan_compaction(0) == 0);
    CHECK(a.plan_compaction(1) == span_bytes); // one span, however small the budget
    CHECK(a.check());
    unsigned misplaced = 0;
    for (unsigned i = 0; i < h.size(); ++i) {
        if (h[i] != object_handle{~std::uint64_t{0}} && a.misplaced(h[i])) {
            CHECK(i == shape.slots);
            ++misplaced;
            const result<object_handle> moved = a.relocate(h[i]);
            REQUIRE(moved.has_value());
            h[i] = *moved;
        }
    }
    CHECK(misplaced == 1);
    CHECK(a.bytes_held() == 3 * span_bytes);
    CHECK(a.plan_compaction(~std::size_t{0}) == 0);
    a.finish_compaction();
    for (unsigned i = 0; i < h.size(); ++i) {
        if (h[i] != object_handle{~std::uint64_t{0}}) {
            CHECK(has_pattern(a.read(h[i], size, {}), i));
        }
    }
    CHECK(a.check());
}

TEST_CASE("a plan moves no more than its budget, and a second plan continues it") {
    test_source source;
    zs4k a{source, any_node};
    rng random{7};
    std::vector<object_handle> h = must_fill(a, 256, 4000);
    for (unsigned i = 0; i < 3000; ++i) {
        const std::size_t at = random.below(h.size());
        a.deallocate(h[at]);
        h[at] = h.back();
        h.pop_back();
    }
    const auto to_move = [&] {
        std::size_t bytes = 0;
        for (const object_handle x : h) {
            bytes += a.misplaced(x) ? a.capacity(x) : 0;
        }
        return bytes;
    };
    const std::size_t first = a.plan_compaction(5000);
    CHECK(first > 0);
    CHECK(to_move() <= 5000);
    const std::size_t second = a.plan_compaction(15000);
    CHECK(second > first);
    CHECK(to_move() <= 15000);
    CHECK(to_move() > 10000);
    CHECK(a.plan_compaction(10) == second); // what is planned stays
    a.finish_compaction();
    CHECK(to_move() == 0);
    CHECK(a.check());
}

TEST_CASE("a class borrows until the waste is worth a span, and then opens its own") {
    test_source source;
    zs4k a{source, any_node};
    const std::vector<object_handle> h = must_fill(a, 816, 5000);
    for (unsigned i = 0; i < 5000; i += 40) {
        a.deallocate(h[i]);
    }
    const std::size_t held = a.bytes_held();
    unsigned borrowed = 0, own = 0;
    for (unsigned i = 0; i < 100; ++i) {
        const std::size_t capacity = a.capacity(must_allocate(a, 680));
        borrowed += capacity == 816 ? 1 : 0;
        own += capacity == 680 ? 1 : 0;
        CHECK((own != 0 || a.bytes_held() == held));
    }
    // 60 objects in slots that are 136 bytes too large waste two spans of 4096.
    CHECK(borrowed + own == 100);
    CHECK(borrowed == 60);
    CHECK(a.check());
}

TEST_CASE("a class that has never had so many objects opens spans of its own sooner") {
    test_source source;
    zs4k a{source, any_node};
    unsigned own = 0;
    for (unsigned i = 0; i < 2000; ++i) {
        const std::size_t n = i % 2 == 0 ? 1360 : 1024;
        own += a.capacity(must_allocate(a, n)) == n ? 1 : 0;
    }
    CHECK(own >= 1990);
    CHECK(a.allocated_bytes() <= 1000 * 1360 + 1000 * 1024 + 10 * 336);
    CHECK(a.check());
}

TEST_CASE("the last objects of a class move to slightly larger slots") {
    test_source source;
    zs4k a{source, any_node};
    const object_handle small = must_allocate(a, 680), large = must_allocate(a, 816);
    const std::byte bytes[3] = {std::byte{1}, std::byte{2}, std::byte{3}};
    a.write(small, {bytes, 3});
    REQUIRE(a.bytes_held() == 2 * 4096);
    CHECK(a.plan_compaction(~std::size_t{0}) == 4096);
    CHECK(a.check());
    CHECK_FALSE(a.misplaced(large));
    REQUIRE(a.misplaced(small));
    const result<object_handle> moved = a.relocate(small);
    REQUIRE(moved.has_value());
    CHECK(a.capacity(*moved) == 816);
    CHECK(a.read(*moved, 3, {}).data()[2] == bytes[2]);
    CHECK(a.bytes_held() == 4096);
    a.finish_compaction();
    CHECK(a.check());
    static_cast<void>(must_allocate(a, 40)); // a slot of 816 would be too much of a waste for it
    CHECK(a.bytes_held() == 2 * 4096);
    CHECK(a.plan_compaction(~std::size_t{0}) == 0);
    a.finish_compaction();
}

/// Objects of many sizes, of which a random part is left.
template <class Allocator>
[[nodiscard]] std::vector<object_handle> thinned_out(Allocator& a, rng& random, std::size_t count,
                                                     unsigned one_left_in) {
    std::vector<object_handle> left;
    std::vector<object_handle> h;
    for (std::size_t i = 0; i < count; ++i) {
        h.push_back(
            must_allocate(a, 1 + random.below(random.one_in(2) ? Allocator::max_size : Allocator::max_size / 2)));
    }
    for (const object_handle x : h) {
        if (random.one_in(one_left_in)) {
            left.push_back(x);
        } else {
            a.deallocate(x);
        }
    }
    return left;
}

/// Relocates what is misplaced, in a random order; the bytes that were moved.
template <class Allocator>
std::size_t sweep(Allocator& a, rng& random, std::vector<object_handle>& handles) {
    for (std::size_t i = handles.size(); i > 1; --i) {
        std::swap(handles[i - 1], handles[random.below(i)]);
    }
    std::size_t moved = 0;
    for (object_handle& h : handles) {
        if (a.misplaced(h)) {
            moved += a.capacity(h);
            const result<object_handle> there = a.relocate(h);
            REQUIRE(there.has_value());
            h = *there;
        }
    }
    return moved;
}

TEST_CASE_TEMPLATE("a plan that nothing disturbs frees exactly what it said", T, PAGEFOLD_ALL_ZS) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        CAPTURE(seed);
        test_source source;
        typename T::allocator a{source, any_node};
        rng random{seed};
        std::vector<object_handle> h = thinned_out(a, random, 1500, 2);
        const std::size_t held = a.bytes_held();
        const std::size_t promise = a.plan_compaction(~std::size_t{0});
        CHECK(promise > 0);
        CHECK(a.check());
        sweep(a, random, h);
        CHECK(a.bytes_held() == held - promise);
        CHECK(a.check());
        a.finish_compaction();
        CHECK(a.check());
    }
}

TEST_CASE("small plans, one after another, get as far as a large one") {
    std::size_t held[2];
    for (const bool small : {false, true}) {
        test_source source;
        zs4k a{source, any_node};
        rng random{21};
        std::vector<object_handle> h = thinned_out(a, random, 8000, 3);
        const std::size_t budget = small ? 50000 : ~std::size_t{0};
        unsigned plans = 0;
        while (const std::size_t promise = a.plan_compaction(budget)) {
            const std::size_t before = a.bytes_held(), moved = sweep(a, random, h);
            CHECK(moved <= budget);
            CHECK(a.bytes_held() == before - promise);
            a.finish_compaction();
            ++plans;
        }
        CHECK((plans > 20) == small);
        held[small] = a.bytes_held();
        CHECK(a.check());
    }
    CHECK(held[true] <= held[false] + held[false] / 50);
}

TEST_CASE("a plan takes the emptiest span of all classes first") {
    test_source source;
    zs4k a{source, any_node};
    // Three classes, far from each other, of two full spans. The first of each makes room for a quarter, and of the second
    // three, one and two quarters are left.
    const std::size_t sizes[] = {128, 512, 256};
    const unsigned quarters_left[] = {3, 1, 2};
    std::vector<object_handle> full[3];
    for (unsigned k = 0; k < 3; ++k) {
        full[k] = must_fill(a, sizes[k], 2 * std::size_t{classes4k::at(classes4k::of(sizes[k])).slots});
    }
    REQUIRE(a.bytes_held() == 6 * 4096);
    std::vector<object_handle> left[3];
    for (unsigned k = 0; k < 3; ++k) {
        const std::size_t slots = full[k].size() / 2;
        for (std::size_t i = 0; i < slots; ++i) {
            if (i % 4 == 0) {
                a.deallocate(full[k][i]);
            }
            if (i % 4 >= quarters_left[k]) {
                a.deallocate(full[k][slots + i]);
            } else {
                left[k].push_back(full[k][slots + i]);
            }
        }
    }
    CHECK(a.plan_compaction(1) == 4096);
    for (unsigned k = 0; k < 3; ++k) {
        for (const object_handle h : left[k]) {
            CHECK(a.misplaced(h) == (k == 1));
        }
    }
    a.finish_compaction();
    CHECK(a.check());
}

TEST_CASE("objects freed in a span that was to be emptied count for the plan") {
    test_source source;
    zs4k a{source, any_node};
    const size_class& shape = classes4k::at(classes4k::of(256));
    const std::vector<object_handle> h = must_fill(a, 256, 2 * shape.slots);
    for (unsigned i = 0; i < 2u * shape.slots; i += 2) {
        a.deallocate(h[i]);
    }
    const std::size_t held = a.bytes_held(), promise = a.plan_compaction(~std::size_t{0});
    REQUIRE(promise == shape.units * 4096u);
    for (unsigned i = 1; i < 2u * shape.slots; i += 2) {
        if (a.misplaced(h[i])) {
            a.deallocate(h[i]);
            CHECK(a.check());
        }
    }
    CHECK(a.bytes_held() == held - promise);
    CHECK(a.plan_compaction(~std::size_t{0}) == 0);
    a.finish_compaction();
    CHECK(a.check());
}

TEST_CASE("an object whose room was taken since the plan stays where it is") {
    test_source source;
    zs4k a{source, any_node};
    const size_class& shape = classes4k::at(classes4k::of(256));
    std::vector<object_handle> h = must_fill(a, 256, 2 * shape.slots);
    for (unsigned i = 0; i < 2u * shape.slots; i += 2) {
        a.deallocate(h[i]);
    }
    REQUIRE(a.plan_compaction(~std::size_t{0}) != 0);
    for (unsigned i = 0; i < shape.slots / 2u; ++i) {
        static_cast<void>(must_allocate(a, 256));
    }
    const std::uint64_t acquisitions = source.acquisitions();
    for (unsigned i = 1; i < 2u * shape.slots; i += 2) {
        if (a.misplaced(h[i])) {
            CHECK(a.relocate(h[i]).error() == status::no_memory);
            CHECK(has_pattern(a.read(h[i], 256, {}), i));
        }
    }
    CHECK(source.acquisitions() == acquisitions);
    a.finish_compaction();
    CHECK(a.check());
}

/// What the failure-injected scenario does: fills, thins out, compacts, fills again.
template <class T>
void run_with_failure(std::uint64_t refused, bool& met) {
    test_source source{4096};
    {
        typename T::allocator a{source, any_node};
        struct object {
            object_handle handle;
            std::size_t size;
            std::uint64_t seed;
        };
        std::vector<object> objects;
        std::vector<std::byte> bytes;
        rng random{3};
        source.refuse_nth(refused, status::limit);
        const auto sums_hold = [&] { return a.bytes_held() + a.table_bytes() == source.bytes_held(); };
        const auto verify_all = [&] {
            bool good = true;
            for (const object& o : objects) {
                good = good && has_pattern(a.read(o.handle, o.size, {}), o.seed);
            }
            return good;
        };
        const auto fill = [&](unsigned count) {
            for (unsigned i = 0; i < count; ++i) {
                const std::size_t n = random.one_in(6) ? T::unit : 1 + random.below(T::unit);
                const std::size_t allocated = a.allocated_bytes(), held = a.bytes_held();
                const std::uint64_t refusals = source.refusals();
                const result<object_handle> h = a.allocate(n);
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
                if (source.refusals() != refusals) {
                    REQUIRE(a.check());
                    REQUIRE(sums_hold());
                }
            }
        };
        fill(120);
        for (unsigned i = 0; i < 80; ++i) {
            const std::size_t at = random.below(objects.size());
            a.deallocate(objects[at].handle);
            objects[at] = objects.back();
            objects.pop_back();
        }
        static_cast<void>(a.plan_compaction(~std::size_t{0}));
        for (object& o : objects) {
            if (a.misplaced(o.handle)) {
                if (const result<object_handle> h = a.relocate(o.handle)) {
                    o.handle = *h;
                }
            }
        }
        fill(60);
        a.finish_compaction();
        fill(60);
        REQUIRE(verify_all());
        REQUIRE(a.check());
        REQUIRE(sums_hold());
        met = source.refusals() != 0;
    }
    REQUIRE(source.bytes_held() == 0);
}

TEST_CASE_TEMPLATE("whichever acquisition fails, nothing is lost and all memory goes back", T, parameters<4096, 1>,
                   parameters<4096, 8>, parameters<16384, 4>, parameters<65536, 8>) {
    std::uint64_t refused = 0;
    for (bool met = true; met;) {
        ++refused;
        CAPTURE(refused);
        run_with_failure<T>(refused, met);
    }
    CHECK(refused > 50);
}

TEST_CASE("a limit of the source is used up before an allocation fails") {
    test_source source;
    source.set_limit(64 * 4096);
    {
        zs4k a{source, any_node};
        rng random{11};
        std::vector<object_handle> handles;
        for (;;) {
            const result<object_handle> h = a.allocate(1 + random.below(2000));
            if (!h) {
                CHECK(h.error() == status::limit);
                break;
            }
            handles.push_back(*h);
        }
        CHECK(source.bytes_held() + 8 * 4096 > 64 * 4096);
        CHECK(a.check());
        for (const object_handle h : handles) {
            a.deallocate(h);
        }
        CHECK(a.bytes_held() == 0);
    }
    CHECK(source.bytes_held() == 0);
}

TEST_CASE("checked builds assert that a handle is live and bytes fit") {
    test_source source;
    zs4k a{source, any_node};
    const object_handle slot = must_allocate(a, 100), other = must_allocate(a, 100), raw = must_allocate(a, 4096);
    const object_handle neighbour = must_allocate(a, 100);
    a.deallocate(neighbour);
    for (const object_handle dead : {neighbour, plus(slot, 0xffff), plus(slot, 1u << 16), plus(slot, 999u << 16),
                                     plus(raw, 1), plus(raw, 1u << 16), object_handle{~std::uint64_t{0}}}) {
        check_dies_of(a, dead);
    }
    const std::byte bytes[4097]{};
    CHECK(dies([&] { a.write(slot, {bytes, a.capacity(slot) + 1}); }));
    CHECK(dies([&] { a.write(raw, {bytes, 4097}); }));
    CHECK(dies([&] { static_cast<void>(a.read(slot, a.capacity(slot) + 1, {})); }));
    CHECK(dies([&] { static_cast<void>(a.relocate(slot)); })); // it is not misplaced
    CHECK(dies([&] { static_cast<void>(a.rounded(0)); }));
    CHECK_FALSE(dies([&] { a.deallocate(slot); }));
    CHECK_FALSE(dies([&] { a.write(raw, {bytes, 4096}); }));
    a.deallocate(other);
    CHECK(dies([&] { a.deallocate(other); }));
    CHECK(a.check());
}

TEST_CASE("the same operations give the same handles") {
    CHECK(handles_of_a_run<zs4k>(5) == handles_of_a_run<zs4k>(5));
    CHECK(handles_of_a_run<zs4k>(5) != handles_of_a_run<zs4k>(6));
}

} // namespace
} // namespace pagefold::testing::unit_alloc_zs
