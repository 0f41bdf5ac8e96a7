// SPDX-License-Identifier: MIT
#include <pagefold/alloc/pending_frees.hpp>

#include <pagefold/alloc/tlsf.hpp>
#include <pagefold/alloc/xv.hpp>
#include <pagefold/alloc/zs.hpp>

#include <conformance/object_allocator.hpp>
#include <support/allocator_calls.hpp>
#include <support/rng.hpp>
#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing::unit_alloc_pending_frees {
namespace {

constexpr unsigned depth = pending_frees::depth;

[[nodiscard]] object_handle handle(std::uint64_t value) { return object_handle{value}; }

TEST_CASE("a free that may wait is carried out depth frees later, in the order of the frees") {
    pending_frees waiting;
    std::vector<std::uint64_t> freed;
    const auto free = [&](object_handle h) { freed.push_back(static_cast<std::uint64_t>(h)); };
    for (std::uint64_t i = 0; i < 3 * depth; ++i) {
        waiting.add(handle(i), true, free);
        CHECK(waiting.contains(handle(i)));
        CHECK((i < depth || !waiting.contains(handle(i - depth))));
        CHECK(freed.size() == (i < depth ? 0 : i - depth + 1));
        CHECK(waiting.check());
    }
    for (std::uint64_t i = 0; i < freed.size(); ++i) {
        CHECK(freed[i] == i);
    }
    CHECK(waiting.sum([](object_handle h) { return static_cast<unsigned>(h); }) == 8 + 9 + 10 + 11);
    waiting.free_all(free);
    CHECK(freed.size() == 3 * depth);
    CHECK(freed.back() == 3 * depth - 1);
    CHECK(waiting.empty());
}

TEST_CASE("a free that may not wait is carried out at once, with one that waited") {
    pending_frees waiting;
    std::vector<std::uint64_t> freed;
    const auto free = [&](object_handle h) { freed.push_back(static_cast<std::uint64_t>(h)); };
    waiting.add(handle(1), true, free);
    waiting.add(handle(2), true, free);
    for (std::uint64_t i = 3; i < 6; ++i) {
        waiting.add(handle(i), false, free);
    }
    CHECK(freed == std::vector<std::uint64_t>{1, 3, 2, 4, 5});
    CHECK(waiting.empty());
}

TEST_CASE("a handle waits once, and not at all when it was given out again") {
    pending_frees waiting;
    std::vector<std::uint64_t> freed;
    const auto free = [&](object_handle h) { freed.push_back(static_cast<std::uint64_t>(h)); };
    for (unsigned i = 0; i < 2 * depth; ++i) {
        waiting.add(handle(7), true, free);
    }
    CHECK(freed.empty());
    waiting.add(handle(8), true, free);
    waiting.forget(handle(7));
    waiting.forget(handle(9));
    CHECK_FALSE(waiting.contains(handle(7)));
    CHECK(waiting.check());
    waiting.free_all(free);
    CHECK(freed == std::vector<std::uint64_t>{8});
}

/// More spans than are few, of objects of one size.
template <class Allocator>
class many_spans {
public:
    static constexpr std::size_t size = 1300, count = 15000;

    many_spans() {
        for (std::size_t i = 0; i < count; ++i) {
            handles.push_back(must_allocate(allocator, size));
        }
    }
    ~many_spans() { CHECK(allocator.check()); }

    /// Frees the last ones, so that what was freed before is carried out.
    void free_others() {
        for (unsigned i = 0; i < depth; ++i) {
            allocator.deallocate(handles.back());
            handles.pop_back();
        }
    }

    test_source source;
    Allocator allocator{source, any_node};
    std::vector<object_handle> handles;
};

#define PAGEFOLD_ALLOCATORS zs<test_source, 4096, 1>, xv<test_source, 4096, 1>, tlsf<test_source>

TEST_CASE_TEMPLATE("with many spans a freed object counts no more at once, and its span comes free a few frees later",
                   T, PAGEFOLD_ALLOCATORS) {
    many_spans<T> many;
    T& a = many.allocator;
    std::size_t next = 0;
    for (; a.fullness(many.handles[next]) != 0; ++next) {
        const std::size_t allocated = a.allocated_bytes(), bytes = a.capacity(many.handles[next]);
        a.deallocate(many.handles[next]);
        CHECK(a.allocated_bytes() == allocated - bytes);
        CHECK(a.check());
        many.free_others();
    }
    CHECK(next > 1);
    const std::size_t held = a.bytes_held();
    a.deallocate(many.handles[next]);
    CHECK(a.bytes_held() == held);
    CHECK(dies([&] { a.deallocate(many.handles[next]); }));
    CHECK(dies([&] { static_cast<void>(a.capacity(many.handles[next])); }));
    many.free_others();
    CHECK(a.bytes_held() < held);
}

TEST_CASE_TEMPLATE("a plan finds no free waiting", T, PAGEFOLD_ALLOCATORS) {
    many_spans<T> many;
    T& a = many.allocator;
    for (std::size_t i = 0; i < 3000; ++i) {
        a.deallocate(many.handles[i]);
    }
    const std::size_t held = a.bytes_held();
    static_cast<void>(a.plan_compaction(1));
    CHECK(a.bytes_held() < held);
    a.deallocate(many.handles[3000]); // nor does one wait while there are victims
    CHECK(a.check());
    a.finish_compaction();
}

TEST_CASE_TEMPLATE("where the source refuses, what was freed serves at once", T, PAGEFOLD_ALLOCATORS) {
    many_spans<T> many;
    T& a = many.allocator;
    many.source.refuse_all(true);
    while (a.allocate(many.size)) {
    }
    a.deallocate(many.handles[5]);
    CHECK(a.allocate(many.size).has_value());
    CHECK_FALSE(a.allocate(many.size).has_value());
    many.source.refuse_all(false);
}

TEST_CASE_TEMPLATE("objects that come and go in many spans keep what was written, and all memory goes back", T,
                   PAGEFOLD_ALLOCATORS) {
    struct object {
        object_handle handle;
        std::size_t size;
    };
    test_source source;
    {
        T a{source, any_node};
        rng random{11};
        std::vector<object> objects;
        std::vector<std::byte> bytes;
        const auto seed_of = [](object_handle h, std::size_t n) { return static_cast<std::uint64_t>(h) * 31 + n; };
        const auto add = [&](object& o) {
            o.size = 1 + random.below(T::max_size);
            o.handle = must_allocate(a, o.size);
            bytes.resize(o.size);
            fill_pattern(bytes, seed_of(o.handle, o.size));
            a.write(o.handle, bytes);
        };
        for (unsigned i = 0; i < 8000; ++i) {
            add(objects.emplace_back());
        }
        for (unsigned i = 0; i < 20000; ++i) {
            object& o = objects[random.below(objects.size())];
            REQUIRE(has_pattern(a.read(o.handle, o.size, {}), seed_of(o.handle, o.size)));
            a.deallocate(o.handle);
            add(o);
            if (random.one_in(1000)) {
                REQUIRE(a.check());
                REQUIRE(a.bytes_held() + a.table_bytes() == source.bytes_held());
            }
        }
        while (!objects.empty()) {
            a.deallocate(objects.back().handle);
            objects.pop_back();
        }
        CHECK(a.allocated_bytes() == 0);
        CHECK(a.bytes_held() == 0);
        CHECK(a.check());
    }
    CHECK(source.bytes_held() == 0);
}

} // namespace
} // namespace pagefold::testing::unit_alloc_pending_frees
