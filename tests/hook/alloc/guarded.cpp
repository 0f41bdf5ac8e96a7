// SPDX-License-Identifier: MIT
//
// Each wrong use that a guard promises to find, found; and what it promises of the time after, where the host's hook
// returns.

#include <support/returning_hook.hpp>

#include <pagefold/alloc/counted.hpp>
#include <pagefold/alloc/guarded.hpp>
#include <pagefold/alloc/wiped.hpp>
#include <pagefold/alloc/xv.hpp>
#include <pagefold/alloc/zs.hpp>

#include <conformance/object_allocator.hpp>
#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace pagefold::testing::hook_alloc_guarded {
namespace {

using plain = guarded<zs<test_source>>;
using composed = guarded<counted<wiped<zs<test_source>>>>;
using narrow = guarded<zs<test_source, 16384>, 8, 3>;

/// A guarded allocator with a few objects that nobody misuses, around those that a test does.
template <class Allocator>
struct scene {
    scene() {
        noted_assertions = {};
        for (std::size_t i = 0; i < 8; ++i) {
            bystanders.push_back(make(bystander_bytes, i));
        }
    }

    object_handle make(std::size_t n, std::uint64_t seed) {
        const result<object_handle> h = a.allocate(n);
        REQUIRE(h.has_value());
        std::vector<std::byte> bytes(n);
        fill_pattern(bytes, seed);
        a.write(*h, bytes);
        return *h;
    }
    /// The memory of an object of `n` bytes, as a stray pointer would have it.
    std::byte* memory_of(object_handle h, std::size_t n) {
        const byte_view view = a.read(h, n, {});
        REQUIRE(view.size() == n);
        return const_cast<std::byte*>(view.data());
    }
    bool holds(object_handle h, std::size_t n, std::uint64_t seed) { return has_pattern(a.read(h, n, {}), seed); }

    /// So many breaches since the last call, all of one kind, each told to the hook.
    void expect(guard_breach kind, unsigned count = 1) {
        CHECK(noted_assertions.count == count);
        CHECK(std::string{noted_assertions.last} == to_string(kind));
        CHECK(a.report().count[static_cast<unsigned>(kind)] == counted_before[static_cast<unsigned>(kind)] + count);
        CHECK(a.report().last == kind);
        std::memcpy(counted_before, a.report().count, sizeof counted_before);
        noted_assertions = {};
    }
    /// Nothing else is wrong.
    void expect_intact() {
        CHECK(a.check());
        for (std::size_t i = 0; i < bystanders.size(); ++i) {
            CHECK(holds(bystanders[i], bystander_bytes, i));
        }
        CHECK(a.bytes_held() + a.table_bytes() == source.bytes_held());
        CHECK(noted_assertions.count == 0);
    }
    /// Frees `count` objects of its own, so that earlier ones leave the quarantine.
    void rotate(unsigned count) {
        for (unsigned i = 0; i < count; ++i) {
            a.deallocate(make(50, 99));
        }
    }

    static constexpr std::size_t bystander_bytes = 100;
    test_source source;
    Allocator a{source, any_node};
    std::vector<object_handle> bystanders;
    std::uint64_t counted_before[guard_breach_kinds]{};
};

#define PAGEFOLD_GUARDED plain, composed, narrow

[[nodiscard]] object_handle plus(object_handle h, std::uint64_t by) {
    return object_handle{static_cast<std::uint64_t>(h) + by};
}

/// Every call but deallocate, with a handle that is dead: five breaches.
template <class Allocator>
void use(scene<Allocator>& s, object_handle h) {
    std::vector<std::byte> bytes(10), scratch(10, std::byte{1});
    s.a.write(h, bytes);
    const byte_view zeros = s.a.read(h, 10, scratch);
    REQUIRE(zeros.size() == 10);
    CHECK(std::memcmp(zeros.data(), bytes.data(), 10) == 0);
    CHECK(s.a.capacity(h) == 0);
    CHECK_FALSE(s.a.misplaced(h));
    CHECK(s.a.relocate(h).error() == status::invalid);
}

TEST_CASE_TEMPLATE("right use is silent", T, PAGEFOLD_GUARDED) {
    scene<T> s;
    for (const std::size_t n : {std::size_t{1}, std::size_t{2000}, T::max_size - 1, T::max_size}) {
        const object_handle h = s.make(n, n);
        CHECK(s.holds(h, n, n));
        s.a.deallocate(h);
    }
    s.expect_intact();
    CHECK(s.a.report().last == guard_breach::none);
}

TEST_CASE_TEMPLATE("a double free is found and ignored", T, PAGEFOLD_GUARDED) {
    scene<T> s;
    const object_handle h = s.make(700, 1);
    s.a.deallocate(h);
    const std::size_t allocated = s.a.allocated_bytes();
    s.a.deallocate(h);
    s.expect(guard_breach::double_free);
    CHECK(s.a.report().last_handle == h);
    CHECK(s.a.allocated_bytes() == allocated);
    s.rotate(20);
    s.a.deallocate(h); // whoever has the record now
    s.expect(guard_breach::unknown_handle);
    s.expect_intact();
}

TEST_CASE_TEMPLATE("any use after free is found, without an effect", T, PAGEFOLD_GUARDED) {
    scene<T> s;
    const object_handle h = s.make(700, 1);
    s.a.deallocate(h);
    use(s, h);
    s.expect(guard_breach::use_after_free, 5);
    s.rotate(20);
    use(s, h);
    s.expect(guard_breach::unknown_handle, 5);
    s.expect_intact();
}

TEST_CASE_TEMPLATE("a handle that was never given is found", T, PAGEFOLD_GUARDED) {
    scene<T> s;
    const object_handle h = s.bystanders.back();
    for (const object_handle wrong : {plus(h, 1), plus(h, 0x8000), plus(h, 1u << 16), plus(h, 1ull << 40),
                                      plus(h, 1ull << 48), object_handle{~std::uint64_t{0}}}) {
        CAPTURE(static_cast<std::uint64_t>(wrong));
        use(s, wrong);
        s.expect(guard_breach::unknown_handle, 5);
        s.a.deallocate(wrong);
        s.expect(guard_breach::unknown_handle);
    }
    s.expect_intact();
}

TEST_CASE_TEMPLATE("the handle from before a relocation is found, though the object lives", T, PAGEFOLD_GUARDED) {
    scene<T> s;
    std::vector<object_handle> many;
    for (std::uint64_t i = 0; i < 400; ++i) {
        many.push_back(s.make(300, i));
    }
    for (std::size_t i = 0; i < many.size(); ++i) {
        if (i % 3 != 0) {
            s.a.deallocate(many[i]);
        }
    }
    REQUIRE(s.a.plan_compaction(~std::size_t{0}) != 0);
    unsigned moved = 0;
    for (std::size_t i = 0; i < many.size(); i += 3) {
        if (s.a.misplaced(many[i])) {
            const result<object_handle> now = s.a.relocate(many[i]);
            REQUIRE(now.has_value());
            use(s, many[i]);
            s.expect(guard_breach::unknown_handle, 5);
            s.a.deallocate(many[i]);
            s.expect(guard_breach::unknown_handle);
            CHECK(s.holds(*now, 300, i));
            ++moved;
        }
    }
    CHECK(moved > 3);
    s.a.finish_compaction();
    s.expect_intact();
}

template <page_source Source>
struct with_fullness : zs<Source> {
    using zs<Source>::zs;
    unsigned fullness(object_handle) const noexcept { return 1; }
};

TEST_CASE("of a dead handle nobody expects that pages come free with it") {
    scene<guarded<with_fullness<test_source>>> s;
    const object_handle h = s.make(100, 1);
    CHECK(s.a.fullness(h) == 1);
    s.a.deallocate(h);
    CHECK(s.a.fullness(h) == max_fullness);
    s.expect(guard_breach::use_after_free);
    s.expect_intact();
}

TEST_CASE_TEMPLATE("a write or read of one byte too many has no effect", T, PAGEFOLD_GUARDED) {
    scene<T> s;
    for (const std::size_t n : {std::size_t{1}, std::size_t{41}, std::size_t{2000}, T::max_size - 17, T::max_size}) {
        const object_handle h = s.make(n, 5);
        std::vector<std::byte> bytes(n + 1), scratch(n + 1, std::byte{1});
        s.a.write(h, bytes);
        s.expect(guard_breach::too_long);
        CHECK(s.holds(h, n, 5));
        CHECK(s.a.read(h, n + 1, scratch).size() == n + 1);
        CHECK(scratch == bytes);
        CHECK(s.a.read(h, n + 1, {}).empty());
        s.expect(guard_breach::too_long, 2);
    }
    s.expect_intact();
}

/// Changes a byte of an object's surroundings, and back: each look at the object finds it in between.
template <class T>
void damage(std::size_t n, std::ptrdiff_t at, guard_breach kind) {
    CAPTURE(n);
    CAPTURE(at);
    scene<T> s;
    const object_handle h = s.make(n, 3);
    std::byte& byte = s.memory_of(h, n)[at];
    byte ^= std::byte{1};
    CHECK_FALSE(s.a.check());
    CHECK(noted_assertions.count == 0); // check() only answers
    CHECK(s.a.read(h, n, {}).size() == n);
    s.expect(kind);
    CHECK(s.a.report().last_handle == h);
    byte ^= std::byte{1};
    s.expect_intact();
    CHECK(s.holds(h, n, 3));

    byte ^= std::byte{1};
    std::vector<std::byte> bytes(n);
    fill_pattern(bytes, 4);
    s.a.write(h, bytes);
    s.expect(kind);
    CHECK(s.holds(h, n, 4)); // and the damage is made good
    s.expect_intact();

    byte ^= std::byte{1};
    s.a.deallocate(h);
    s.expect(kind);
    s.expect_intact();
}

TEST_CASE_TEMPLATE("an overrun by one is found, whatever the size", T, PAGEFOLD_GUARDED) {
    for (std::size_t n = 1; n < T::max_size; n += T::max_size / 100 - 7) {
        damage<T>(n, static_cast<std::ptrdiff_t>(n), guard_breach::overrun);
    }
    damage<T>(T::max_size - 1, static_cast<std::ptrdiff_t>(T::max_size) - 1, guard_breach::overrun);
}

TEST_CASE_TEMPLATE("an underrun by one is found where there is room for a zone", T, PAGEFOLD_GUARDED) {
    for (std::size_t n = 1; n <= T::max_size - 32; n += T::max_size / 100 - 7) {
        damage<T>(n, -1, guard_breach::underrun);
    }
}

TEST_CASE_TEMPLATE("the far ends of the zones count", T, plain, composed) {
    damage<T>(1000, 1015, guard_breach::overrun);
    damage<T>(1000, -16, guard_breach::underrun);
}

TEST_CASE_TEMPLATE("a write into an object that isn't by its handle is found, also where no zone fits", T,
                   PAGEFOLD_GUARDED) {
    for (const std::size_t n : {std::size_t{1}, std::size_t{1000}, T::max_size - 1, T::max_size}) {
        const std::size_t owners = n > owner_bytes && n < T::max_size ? owner_bytes : 0;
        damage<T>(n, 0, guard_breach::stray_write);
        damage<T>(n, static_cast<std::ptrdiff_t>(n - owners) - 1, guard_breach::stray_write);
    }
}

TEST_CASE_TEMPLATE("the last bytes of an object are its owner's to write", T, PAGEFOLD_GUARDED) {
    for (const std::size_t n : {owner_bytes + 1, std::size_t{1000}, T::max_size - 1}) {
        CAPTURE(n);
        scene<T> s;
        const object_handle h = s.make(n, 3);
        const byte_span place = s.a.place(h);
        REQUIRE(place.size() == n);
        REQUIRE(place.data() == s.memory_of(h, n));
        fill_bytes(place.data() + n - owner_bytes, 0x77, owner_bytes);
        CHECK(s.a.read(h, n, {})[n - 1] == std::byte{0x77});
        s.expect_intact();
        s.a.deallocate(h);
        s.expect_intact();
    }
}

TEST_CASE("damage far behind an object is found in the tag") {
    // 16 bytes of zones on both sides and four of a tag, in granules of eight bytes.
    for (std::ptrdiff_t at = 1020; at < 1024; ++at) {
        damage<guarded<xv<test_source>>>(1000, at, guard_breach::overrun);
    }
}

TEST_CASE("an object whose tag is damaged is not named, and moves when it is asked for") {
    scene<guarded<xv<test_source>>> s;
    std::vector<object_handle> handles;
    for (unsigned i = 0; i < 200; ++i) {
        handles.push_back(s.make(1000, 3));
    }
    for (unsigned i = 0; i < 200; ++i) {
        if (i % 4 != 1) {
            s.a.deallocate(handles[i]);
        }
    }
    static_cast<void>(s.a.plan_compaction(~std::size_t{0}));
    object_handle damaged{};
    std::size_t misplaced = 0, named = 0;
    for (unsigned i = 1; i < 200; i += 4) {
        misplaced += s.a.misplaced(handles[i]) ? 1 : 0;
        damaged = s.a.misplaced(handles[i]) ? handles[i] : damaged;
    }
    REQUIRE(misplaced > 3);
    const byte_span place = s.a.place(damaged);
    place.data()[1020] ^= std::byte{1};
    for (byte_span one = s.a.next_misplaced(); !one.empty(); one = s.a.next_misplaced()) {
        CHECK(one.data() != place.data());
        CHECK(one.size() == 1000);
        ++named;
    }
    CHECK(named >= misplaced - 1);
    CHECK(noted_assertions.count == 0);
    CHECK(s.a.relocate(damaged).has_value());
    s.expect(guard_breach::overrun);
    s.a.finish_compaction();
    s.expect_intact();
}

TEST_CASE("a run of equal bytes over a zone is an overrun, whichever they are") {
    for (unsigned value = 0; value < 256; ++value) {
        scene<plain> s;
        const object_handle h = s.make(100, 3);
        std::memset(s.memory_of(h, 100) + 100, static_cast<int>(value), 2);
        s.a.deallocate(h);
        s.expect(guard_breach::overrun);
    }
}

/// An object that was written to after it was freed.
template <class T>
object_handle written_after_free(scene<T>& s, std::size_t n = 500) {
    const object_handle h = s.make(n, 1);
    std::byte* const memory = s.memory_of(h, n);
    s.a.deallocate(h);
    CHECK(s.a.check());
    memory[n - 1] = std::byte{7}; // also of what was the owner's
    CHECK_FALSE(s.a.check());
    CHECK(noted_assertions.count == 0);
    return h;
}

TEST_CASE_TEMPLATE("a write after free is found when the memory would be used again", T, PAGEFOLD_GUARDED) {
    for (const std::size_t n : {std::size_t{1}, std::size_t{500}, T::max_size}) {
        CAPTURE(n);
        scene<T> s;
        const object_handle h = written_after_free(s, n);
        s.rotate(20);
        s.expect(guard_breach::write_after_free);
        CHECK(s.a.report().last_handle == h);
        s.expect_intact();
    }
}

TEST_CASE_TEMPLATE("a freed object overwritten from end to end with one value is found", T, plain, composed) {
    scene<T> s;
    const object_handle h = s.make(500, 1);
    std::byte* const memory = s.memory_of(h, 500);
    s.a.deallocate(h);
    std::memset(memory - 16, 0, 532);
    s.rotate(20);
    s.expect(guard_breach::write_after_free);
    s.expect_intact();
}

TEST_CASE_TEMPLATE("a write after free is found when a compaction is planned", T, PAGEFOLD_GUARDED) {
    scene<T> s;
    static_cast<void>(written_after_free(s));
    static_cast<void>(s.a.plan_compaction(1000));
    s.expect(guard_breach::write_after_free);
    s.a.finish_compaction();
    s.expect_intact();
}

TEST_CASE_TEMPLATE("a write after free is found when the last object goes", T, PAGEFOLD_GUARDED) {
    scene<T> s;
    static_cast<void>(written_after_free(s));
    while (!s.bystanders.empty()) {
        s.a.deallocate(s.bystanders.back());
        s.bystanders.pop_back();
    }
    s.expect(guard_breach::write_after_free);
    CHECK(s.a.bytes_held() == 0);
    CHECK(s.source.bytes_held() == 0);
    s.expect_intact();
}

TEST_CASE_TEMPLATE("a write after free is found when the source refuses and the place serves again", T,
                   PAGEFOLD_GUARDED) {
    scene<T> s;
    const object_handle h = written_after_free(s, T::max_size);
    s.source.refuse_all(true);
    const object_handle fresh = s.make(T::max_size - 5, 8);
    s.expect(guard_breach::write_after_free);
    CHECK(s.a.report().last_handle == h);
    CHECK(fresh != h);
    CHECK(s.holds(fresh, T::max_size - 5, 8));
    use(s, h);
    s.expect(guard_breach::unknown_handle, 5);
    s.expect_intact();
    s.source.refuse_all(false);
}

TEST_CASE("the end of a guard finds what nobody looked at") {
    noted_assertions = {};
    {
        scene<plain> s;
        s.memory_of(s.bystanders[3], 100)[50] ^= std::byte{1};
        s.memory_of(s.bystanders[5], 100)[-1] ^= std::byte{1};
        std::byte* const freed = s.memory_of(s.bystanders[6], 100);
        s.a.deallocate(s.bystanders[6]);
        freed[99] = std::byte{0};
        CHECK(noted_assertions.count == 0);
    }
    CHECK(noted_assertions.count == 3);
}

/// A zs that loses what it moves.
struct forgetful : zs<test_source> {
    using zs<test_source>::zs;
    result<object_handle> relocate(object_handle h) noexcept {
        const std::byte nothing[64]{};
        write(h, {nothing, sizeof nothing});
        return zs<test_source>::relocate(h);
    }
};
/// A zs that now and then hands out a place that is taken.
struct generous : zs<test_source> {
    using zs<test_source>::zs;
    result<object_handle> allocate(std::size_t n) noexcept {
        if (++calls == 12) {
            return last;
        }
        const result<object_handle> h = zs<test_source>::allocate(n);
        last = h.value_or(last);
        return h;
    }
    object_handle last{};
    unsigned calls = 0;
};

TEST_CASE("an allocator that loses contents is found out") {
    scene<guarded<forgetful>> s;
    std::vector<object_handle> many;
    for (std::uint64_t i = 0; i < 400; ++i) {
        many.push_back(s.make(300, i));
    }
    for (std::size_t i = 0; i < many.size(); i += 2) {
        s.a.deallocate(many[i]);
    }
    REQUIRE(s.a.plan_compaction(~std::size_t{0}) != 0);
    std::size_t at = 1;
    while (!s.a.misplaced(many[at])) {
        at += 2;
    }
    const object_handle h = s.a.relocate(many[at]).value();
    static_cast<void>(s.a.read(h, 300, {}));
    s.expect(guard_breach::underrun); // the zone was lost with the rest
    CHECK_FALSE(s.a.check());
}

TEST_CASE("an allocator that gives one place to two is found out") {
    scene<guarded<generous>> s;
    const object_handle one = s.make(100, 1), two = s.make(100, 2), three = s.make(100, 3), four = s.make(100, 4);
    CHECK(s.holds(one, 100, 1));
    CHECK(s.holds(two, 100, 2));
    CHECK(s.holds(four, 100, 4));
    CHECK(noted_assertions.count == 0);
    CHECK_FALSE(s.a.check());
    static_cast<void>(s.a.read(three, 100, {}));
    s.expect(guard_breach::stray_write);
}

} // namespace
} // namespace pagefold::testing::hook_alloc_guarded
