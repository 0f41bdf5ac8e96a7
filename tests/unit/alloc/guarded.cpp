// SPDX-License-Identifier: MIT
#include <pagefold/alloc/guarded.hpp>

#include <pagefold/alloc/counted.hpp>
#include <pagefold/alloc/wiped.hpp>
#include <pagefold/alloc/zs.hpp>

#include <conformance/object_allocator.hpp>
#include <support/allocator_calls.hpp>
#include <support/rng.hpp>
#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

// What is found of wrong uses is in tests/hook/alloc/guarded.cpp. The hook here traps: these cases are also the proof
// that no right use is taken for a wrong one.

namespace pagefold::testing::unit_alloc_guarded {
namespace {

using zs4k = zs<test_source>;
using guarded4k = guarded<zs4k>;

static_assert(compacting_allocator<guarded4k>);
static_assert(compacting_allocator<guarded<guarded<zs4k>, 24, 1>>);

/// zs in pieces: reads always come through the scratch, and it does not compact.
class scattered {
public:
    static constexpr std::size_t max_size = zs4k::max_size;
    scattered(test_source& source, node_id node) noexcept : inner_{source, node} {}
    result<object_handle> allocate(std::size_t n) noexcept { return inner_.allocate(n); }
    void deallocate(object_handle h) noexcept { inner_.deallocate(h); }
    std::size_t capacity(object_handle h) const noexcept { return inner_.capacity(h); }
    std::size_t rounded(std::size_t n) const noexcept { return inner_.rounded(n); }
    void write(object_handle h, byte_view bytes) noexcept { inner_.write(h, bytes); }
    byte_view read(object_handle h, std::size_t n, byte_span scratch) const noexcept {
        copy_bytes(scratch.data(), inner_.read(h, n, {}).data(), n);
        return scratch.first(n);
    }
    bool contains(object_handle h) const noexcept { return inner_.contains(h); }
    byte_span place(object_handle h) const noexcept { return inner_.place(h); }
    std::size_t allocated_bytes() const noexcept { return inner_.allocated_bytes(); }
    std::size_t bytes_held() const noexcept { return inner_.bytes_held(); }
    std::size_t table_bytes() const noexcept { return inner_.table_bytes(); }
    bool check() const noexcept { return inner_.check(); }

private:
    zs4k inner_;
};
static_assert(object_allocator<scattered> && !compacting_allocator<scattered>);
static_assert(object_allocator<guarded<scattered>> && !compacting_allocator<guarded<scattered>>);

template <class T>
concept has_more = snug_allocator<T> && span_aware_allocator<T>;
/// zs, and what some allocators have besides.
template <page_source Source>
struct with_more : zs<Source, 4096, 1> {
    using zs<Source, 4096, 1>::zs;
    template <page_source Other>
    using over = with_more<Other>;
    result<object_handle> allocate_snug(std::size_t n) noexcept { return this->allocate(n); }
    /// True of whole units; of smaller objects it says half.
    unsigned fullness(object_handle h) const noexcept { return this->capacity(h) == 4096 ? 0 : max_fullness / 2; }
};
static_assert(!has_more<scattered> && !has_more<guarded<scattered>> && !has_more<counted<scattered>>);

TEST_CASE("an object has exactly the bytes that were asked for, with zones around it where they fit") {
    test_source source;
    guarded4k a{source, any_node};
    std::size_t sum = 0;
    for (const std::size_t n : {1u, 40u, 1000u, 4064u, 4065u, 4095u, 4096u}) {
        CAPTURE(n);
        const std::size_t below = a.inner().allocated_bytes();
        const object_handle h = must_allocate(a, n);
        sum += n;
        CHECK(a.capacity(h) == n);
        CHECK(a.rounded(n) == n);
        CHECK(a.allocated_bytes() == sum);
        const std::size_t taken = n + 32 <= 4096 ? n + 32 : 4096;
        CHECK(a.inner().allocated_bytes() - below >= taken);
        CHECK(reinterpret_cast<std::uintptr_t>(a.read(h, n, {}).data()) % 8 == 0); // as it is below
    }
    CHECK(a.bytes_held() == a.inner().bytes_held());
    CHECK(a.bytes_held() + a.table_bytes() == source.bytes_held());
    CHECK(a.check());
}

TEST_CASE("no bytes, and more than max_size, are invalid") {
    test_source source;
    guarded4k a{source, any_node};
    CHECK(a.allocate(0).error() == status::invalid);
    CHECK(a.allocate(4097).error() == status::invalid);
    CHECK(a.allocate(~std::size_t{0}).error() == status::invalid);
    CHECK(source.acquisitions() == 0);
    test_source coarse{8192};
    guarded4k wrong{coarse, any_node}; // the allocator below refuses the source
    CHECK(wrong.allocate(100).error() == status::invalid);
    CHECK(coarse.bytes_held() == 0);
    CHECK(wrong.check());
}

TEST_CASE("freed objects stay for a while, and none when nothing is live") {
    test_source source;
    guarded<zs4k, 16, 4> a{source, any_node};
    std::vector<object_handle> h;
    for (unsigned i = 0; i < 10; ++i) {
        h.push_back(must_allocate(a, 4096));
    }
    CHECK(a.bytes_held() == 10 * 4096);
    for (unsigned freed = 1; freed < 10; ++freed) {
        a.deallocate(h[freed]);
        CHECK(a.allocated_bytes() == (10 - freed) * 4096);
        CHECK(a.bytes_held() == (10 - (freed < 4 ? 0 : freed - 4)) * 4096);
        CHECK(a.check());
    }
    a.deallocate(h[0]);
    CHECK(a.bytes_held() == 0);
    CHECK(a.table_bytes() == 0);
    CHECK(source.bytes_held() == 0);
    CHECK(a.check());
}

TEST_CASE("a plan gives the quarantine back, and promises so") {
    test_source source;
    guarded<zs4k, 16, 4> a{source, any_node};
    std::vector<object_handle> h;
    for (unsigned i = 0; i < 10; ++i) {
        h.push_back(must_allocate(a, 4096));
    }
    a.deallocate(h[0]);
    a.deallocate(h[1]);
    CHECK(a.plan_compaction(0) == 0);
    CHECK(a.bytes_held() == 10 * 4096);
    CHECK(a.plan_compaction(1) == 2 * 4096);
    CHECK(a.bytes_held() == 8 * 4096);
    CHECK(a.plan_compaction(1) == 0);
    a.finish_compaction();
    CHECK(a.check());
}

TEST_CASE("objects freed in a span that is being emptied are not kept back") {
    test_source source;
    guarded4k a{source, any_node};
    std::vector<object_handle> h;
    for (unsigned i = 0; i < 200; ++i) {
        h.push_back(must_allocate(a, 300));
    }
    for (unsigned i = 0; i < 200; ++i) {
        if (i % 3 != 0) {
            a.deallocate(h[i]);
        }
    }
    const std::size_t held = a.bytes_held(), promise = a.plan_compaction(~std::size_t{0});
    REQUIRE(promise != 0);
    for (unsigned i = 0; i < 200; i += 3) {
        if (a.misplaced(h[i])) {
            a.deallocate(h[i]);
            CHECK(a.check());
        }
    }
    CHECK(a.bytes_held() + promise == held);
    a.finish_compaction();
}

TEST_CASE("when the source refuses, the smallest freed object that suffices serves again") {
    test_source source;
    guarded<zs<test_source, 4096, 1>> a{source, any_node}; // two small ones fill a unit
    const object_handle large = must_allocate(a, 4096), small = must_allocate(a, 1900), stays = must_allocate(a, 1900);
    a.deallocate(large);
    a.deallocate(small);
    source.refuse_all(true, status::limit);
    const std::size_t held = source.bytes_held();
    const object_handle again = must_allocate(a, 1800);
    CHECK(again != small);
    CHECK(a.capacity(again) == 1800);
    CHECK(a.capacity(must_allocate(a, 4090)) == 4090);
    CHECK(a.allocate(1).error() == status::limit);
    CHECK(a.allocated_bytes() == 1900 + 1800 + 4090);
    CHECK(source.bytes_held() == held);
    CHECK(a.check());
    source.refuse_all(false);
    CHECK(a.capacity(stays) == 1900);
}

TEST_CASE_TEMPLATE("what an allocator has besides, it has when it is decorated", T, guarded<with_more<test_source>>,
                   counted<with_more<test_source>>, wiped<with_more<test_source>>,
                   guarded<counted<wiped<with_more<test_source>>>>) {
    static_assert(has_more<T>);
    test_source source;
    T a{source, any_node};
    const result<object_handle> h = a.allocate_snug(1900);
    REQUIRE((h.has_value() && a.allocate(1900).has_value()));
    CHECK(a.fullness(*h) == max_fullness / 2);
    CHECK(a.allocate_snug(0).error() == status::invalid);
    CHECK(a.allocate_snug(T::max_size + 1).error() == status::invalid);
    source.refuse_all(true, status::limit);
    CHECK(a.allocate_snug(4096).error() == status::limit);
    CHECK(a.check());
}

TEST_CASE("fullness is 0 where freeing gives pages back, whether the object's or those of one kept back") {
    test_source source;
    guarded<with_more<test_source>, 16, 2> a{source, any_node};
    std::vector<object_handle> h;
    for (unsigned i = 0; i < 5; ++i) {
        h.push_back(must_allocate(a, 4096));
    }
    for (unsigned freed = 0; freed < 5; ++freed) {
        CAPTURE(freed);
        const std::size_t held = a.bytes_held();
        const unsigned fullness = a.fullness(h[freed]);
        CHECK(fullness <= max_fullness);
        CHECK((fullness == 0) == (freed >= 2));
        a.deallocate(h[freed]);
        CHECK((a.bytes_held() < held) == (fullness == 0));
    }
}

TEST_CASE("snug allocations count like others") {
    test_source source;
    counted<with_more<test_source>> a{source, any_node};
    CHECK(a.allocate_snug(1900).has_value());
    source.refuse_all(true);
    CHECK_FALSE(a.allocate_snug(4096).has_value());
    CHECK(a.total().allocations == 1);
    CHECK(a.total().requested_bytes == 1900);
    CHECK(a.total().refusals == 1);
}

TEST_CASE("of the quarantine, a snug allocation takes only what is snug") {
    test_source source;
    guarded<with_more<test_source>> a{source, any_node};
    const object_handle freed = must_allocate(a, 4096), other = must_allocate(a, 1900);
    a.deallocate(freed);
    static_cast<void>(must_allocate(a, 1900)); // their unit is full
    source.refuse_all(true, status::limit);
    CHECK(a.allocate_snug(1900).error() == status::limit);
    CHECK(a.allocate_snug(4090).has_value());
    a.deallocate(other);
    CHECK(a.allocate_snug(1900).has_value());
    CHECK(a.allocate(1900).error() == status::limit);
    CHECK(a.check());
}

TEST_CASE("whichever acquisition of the first allocation fails, no memory stays taken") {
    bool any_refused = true;
    for (std::uint64_t n = 1; any_refused; ++n) {
        CAPTURE(n);
        test_source source;
        guarded4k a{source, any_node};
        source.refuse_nth(n, status::limit);
        const result<object_handle> h = a.allocate(200);
        const bool refused = !h;
        any_refused = source.refusals() != 0;
        CHECK((refused ? any_refused : n > 2)); // a whole unit makes up for a span that is not to be had
        CHECK(h.error() == (refused ? status::limit : status::ok));
        CHECK((source.bytes_held() == 0) == refused);
        CHECK(a.bytes_held() + a.table_bytes() == source.bytes_held());
        CHECK(a.check());
        CHECK(a.allocate(200).has_value());
        CHECK((n > 2 || any_refused)); // buffer, records, and what is below
    }
}

TEST_CASE("objects of an allocator that reads in pieces stay apart in their readers' scratch") {
    test_source source;
    guarded<scattered> a{source, any_node};
    const object_handle one = must_allocate(a, 500), two = must_allocate(a, 4096);
    std::vector<std::byte> bytes(500), more(4096), here(500), there(4096);
    fill_pattern(bytes, 1);
    fill_pattern(more, 2);
    a.write(one, bytes);
    a.write(two, more);
    const byte_view first = a.read(one, 500, here), second = a.read(two, 4096, there);
    CHECK(first.data() == here.data());
    CHECK(second.data() == there.data());
    CHECK(has_pattern(first, 1));
    CHECK(has_pattern(second, 2));
    CHECK(describe(allocator_violations<guarded<scattered>>()) == "");
}

TEST_CASE("a guard may guard a guard, where nobody writes but through it") {
    CHECK(describe(allocator_violations<guarded<guarded<zs4k>, 24, 1>>(4096, false)) == "");
}

TEST_CASE("the same operations give the same handles, and a live handle is never given twice") {
    std::vector<object_handle> runs[2];
    for (std::vector<object_handle>& handles : runs) {
        test_source source;
        guarded4k a{source, any_node};
        rng random{5};
        std::vector<object_handle> live;
        for (unsigned i = 0; i < 2000; ++i) {
            if (live.size() > 50 && random.one_in(2)) {
                const std::size_t at = random.below(live.size());
                a.deallocate(live[at]);
                live[at] = live.back();
                live.pop_back();
            } else {
                const object_handle h = must_allocate(a, 1 + random.below(4096));
                CHECK(std::find(handles.begin(), handles.end(), h) == handles.end()); // not even a dead one
                live.push_back(h);
                handles.push_back(h);
            }
        }
    }
    CHECK(runs[0] == runs[1]);
}

} // namespace
} // namespace pagefold::testing::unit_alloc_guarded
