// SPDX-License-Identifier: MIT
#include <pagefold/alloc/tlsf.hpp>

#include <conformance/object_allocator.hpp>
#include <support/allocator_calls.hpp>
#include <support/rng.hpp>
#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing::unit_alloc_tlsf {
namespace {

using tlsf4k = tlsf<test_source>;
static_assert(compacting_allocator<tlsf4k> && snug_allocator<tlsf4k> && span_aware_allocator<tlsf4k>);
static_assert(span_aware_allocator<tlsf<test_source, 65536, 16>>);

struct counting_meter {
    static inline unsigned steps = 0;
    static void step() noexcept { ++steps; }
};

[[nodiscard]] const std::byte* place(const auto& a, object_handle h) { return a.read(h, 1, {}).data(); }

TEST_CASE("a free block that fits is used before a larger one") {
    test_source source;
    tlsf4k a{source, any_node};
    const object_handle small = must_allocate(a, 320), wall = must_allocate(a, 64), large = must_allocate(a, 960);
    const object_handle end = must_allocate(a, 64);
    const std::byte* const small_place = place(a, small);
    const std::byte* const large_place = place(a, large);
    a.deallocate(large);
    a.deallocate(small);
    CHECK(place(a, must_allocate(a, 900)) == large_place);
    CHECK(place(a, must_allocate(a, 320)) == small_place);
    CHECK(a.bytes_held() == 3 * 4096);
    CHECK(a.capacity(wall) == 64);
    CHECK(a.capacity(end) == 64);
    CHECK(a.check());
}

TEST_CASE("freed neighbours become one block, in whatever order they are freed") {
    for (const auto& order : {std::vector<std::size_t>{0, 1, 2}, {2, 1, 0}, {0, 2, 1}, {1, 0, 2}}) {
        test_source source;
        tlsf4k a{source, any_node};
        const object_handle first = must_allocate(a, 3200);
        const object_handle three[] = {must_allocate(a, 1280), must_allocate(a, 1280), must_allocate(a, 1280)};
        const object_handle rest = must_allocate(a, 3200), last = must_allocate(a, 2048);
        REQUIRE(a.bytes_held() == 3 * 4096);
        const std::byte* const from = place(a, three[0]);
        for (const std::size_t i : order) {
            a.deallocate(three[i]);
            CHECK(a.check());
        }
        CHECK(place(a, must_allocate(a, 3 * 1280)) == from);
        CHECK(a.bytes_held() == 3 * 4096);
        CHECK(a.capacity(first) + a.capacity(rest) + a.capacity(last) + 3 * 1280 == a.allocated_bytes());
    }
}

TEST_CASE("it grows by spans of three units, and gives a span back with its last object") {
    test_source source;
    tlsf4k a{source, any_node};
    std::vector<object_handle> handles;
    for (unsigned i = 0; i < 300; ++i) {
        handles.push_back(must_allocate(a, 2048));
        CHECK(a.bytes_held() == (i / 6 + 1) * 3 * 4096);
    }
    for (unsigned i = 0; i < 300; ++i) {
        CHECK((a.fullness(handles[i]) == 0) == (i % 6 == 5));
        a.deallocate(handles[i]);
        CHECK(a.bytes_held() == (300 - i - 1 + 5) / 6 * 3 * 4096);
        CHECK(a.check());
    }
    CHECK(a.bytes_held() == 0);
}

TEST_CASE("a source that has no three units left gives two or one") {
    test_source source;
    tlsf4k a{source, any_node};
    static_cast<void>(must_allocate(a, 64)); // and the table
    for (const std::size_t units : {2u, 1u}) {
        while (a.allocate_snug(3000) && a.bytes_held() % (3 * 4096) != 0) {
        }
        source.set_limit(source.bytes_held() + units * 4096);
        const std::size_t held = a.bytes_held();
        while (a.bytes_held() == held) {
            static_cast<void>(must_allocate(a, 4000));
        }
        CHECK(a.bytes_held() == held + units * 4096);
        CHECK(a.check());
    }
    while (a.allocate(64)) {
    }
    CHECK(a.allocate(64).error() == status::limit);
    CHECK(a.allocate(4096).error() == status::limit);
    CHECK(a.allocate_snug(64).error() == status::limit);
    CHECK(a.check());
}

TEST_CASE("fullness is the share of the span that is used") {
    test_source source;
    tlsf4k a{source, any_node};
    const object_handle half = must_allocate(a, 3072), other = must_allocate(a, 3072), tiny = must_allocate(a, 1);
    CHECK(a.fullness(half) == (2 * 96 + 2) * 256 / 384);
    a.deallocate(half);
    a.deallocate(other);
    CHECK(a.fullness(tiny) == 0);
    const object_handle next = must_allocate(a, 1);
    CHECK(a.fullness(tiny) == 2);
    CHECK(a.fullness(next) == 2);
    CHECK(a.fullness(must_allocate(a, 4096)) == 0);
}

/// The most steps of an allocate or a deallocate in all runs of one instance.
template <std::size_t Unit, unsigned SecondLevels>
class metered {
public:
    using allocator = tlsf<test_source, Unit, SecondLevels, counting_meter>;
    static constexpr std::size_t granule = Unit / 128;

    /// So many free blocks in every span that one that comes to have a record is searched for among them.
    void run_comb() {
        for (unsigned i = 0; i < 192 * 4; ++i) {
            add(2 * granule);
        }
        for (const std::size_t first : {1u, 0u}) {
            for (std::size_t i = first; i < handles_.size(); i += 2) {
                remove(i);
            }
            CHECK(allocator_.check());
            for (unsigned i = 0; first == 1 && i < 6; ++i) { // a whole block, and its record, and its place again
                const object_handle h = allocate(2 * granule);
                deallocate(h);
            }
        }
        handles_.clear();
        CHECK(allocator_.bytes_held() == 0);
    }
    /// The same with a plan under way, where freeing an object frees the place kept for it, too.
    void run_planned_comb() {
        for (unsigned i = 0; i < 48 * 8; ++i) {
            add(8 * granule);
        }
        for (std::size_t i = 0; i < handles_.size(); i += 2) {
            remove(i);
        }
        CHECK(allocator_.plan_compaction(~std::size_t{0}) != 0);
        CHECK(allocator_.check());
        for (std::size_t i = 1; i < handles_.size(); i += 2) {
            remove(i);
            CHECK(allocator_.check());
        }
        handles_.clear();
        CHECK(allocator_.bytes_held() == 0);
        allocator_.finish_compaction();
    }
    void run_random(unsigned operations) {
        rng random{SecondLevels};
        for (unsigned i = 0; i < operations; ++i) {
            const std::size_t most = i / 3000 % 3 == 0 ? 5 * granule : Unit;
            if (handles_.empty() || random.below(100) < (i / 1000 % 2 == 0 ? 70u : 35u)) {
                add(1 + random.below(most));
            } else {
                const std::size_t at = random.below(handles_.size());
                remove(at);
                handles_[at] = handles_.back();
                handles_.pop_back();
            }
            if (random.one_in(400)) {
                static_cast<void>(allocator_.plan_compaction(~std::size_t{0}));
            }
            if (random.one_in(1500)) {
                allocator_.finish_compaction();
            }
            if (random.one_in(256)) {
                REQUIRE(allocator_.check());
            }
        }
        CHECK(allocator_.check());
    }
    [[nodiscard]] unsigned most() const { return most_; }

private:
    object_handle allocate(std::size_t n) {
        counting_meter::steps = 0;
        const object_handle h = must_allocate(allocator_, n);
        most_ = std::max(most_, counting_meter::steps);
        return h;
    }
    void deallocate(object_handle h) {
        counting_meter::steps = 0;
        allocator_.deallocate(h);
        most_ = std::max(most_, counting_meter::steps);
    }
    void add(std::size_t n) { handles_.push_back(allocate(n)); }
    void remove(std::size_t at) { deallocate(handles_[at]); }

    test_source source_;
    allocator allocator_{source_, any_node};
    std::vector<object_handle> handles_;
    unsigned most_ = 0;
};

TEST_CASE_TEMPLATE("no operation takes more steps than the bound, and some come near it", T, metered<4096, 16>,
                   metered<4096, 32>, metered<65536, 16>, metered<65536, 32>) {
    T run;
    run.run_comb();
    run.run_planned_comb();
    run.run_random(30000);
    MESSAGE("steps at most: " << run.most() << " of " << T::allocator::max_steps);
    CHECK(run.most() <= T::allocator::max_steps);
    CHECK(run.most() >= T::allocator::max_steps / 3);
}

TEST_CASE("sizes that can't be served are invalid") {
    test_source source;
    tlsf4k a{source, any_node};
    for (const std::size_t n : {std::size_t{0}, std::size_t{4097}, ~std::size_t{0}}) {
        CHECK(a.allocate(n).error() == status::invalid);
        CHECK(a.allocate_snug(n).error() == status::invalid);
    }
    CHECK(source.acquisitions() == 0);
    CHECK(a.rounded(1) == 64);
    CHECK(a.rounded(65) == 96);
    CHECK(a.rounded(4064) == 4064);
    CHECK(a.rounded(4065) == 4096);
}

TEST_CASE("units that the source's pages don't divide are invalid") {
    test_source source{8192};
    tlsf4k a{source, any_node};
    CHECK(a.allocate(100).error() == status::invalid);
    CHECK(a.allocate(4096).error() == status::invalid);
    CHECK(source.bytes_held() == 0);
    CHECK(a.check());
}

/// Fills, thins out, compacts and fills again while one acquisition is refused.
template <class Allocator>
void run_with_failure(std::uint64_t refused, bool& met) {
    test_source source;
    {
        struct object {
            object_handle handle;
            std::size_t size;
            std::uint64_t seed;
        };
        Allocator a{source, any_node};
        rng random{3};
        std::vector<object> objects;
        std::vector<std::byte> bytes;
        source.refuse_nth(refused, status::limit);
        const auto fill = [&](unsigned count) {
            for (unsigned i = 0; i < count; ++i) {
                const std::size_t n = random.one_in(6) ? Allocator::max_size : 1 + random.below(Allocator::max_size);
                const std::size_t allocated = a.allocated_bytes(), held = a.bytes_held();
                const std::uint64_t refusals = source.refusals();
                if (const result<object_handle> h = a.allocate(n)) {
                    bytes.resize(n);
                    objects.push_back({*h, n, random()});
                    fill_pattern(bytes, objects.back().seed);
                    a.write(*h, bytes);
                } else {
                    REQUIRE(h.error() == status::limit);
                    REQUIRE(source.refusals() != refusals);
                    REQUIRE(a.allocated_bytes() == allocated);
                    REQUIRE(a.bytes_held() == held);
                }
                REQUIRE(a.check());
                REQUIRE(a.bytes_held() + a.table_bytes() == source.bytes_held());
            }
        };
        fill(100);
        for (unsigned i = 0; i < 60 && !objects.empty(); ++i) {
            const std::size_t at = random.below(objects.size());
            a.deallocate(objects[at].handle);
            objects[at] = objects.back();
            objects.pop_back();
        }
        static_cast<void>(a.plan_compaction(~std::size_t{0}));
        fill(20);
        for (object& o : objects) {
            if (a.misplaced(o.handle)) {
                const result<object_handle> h = a.relocate(o.handle);
                REQUIRE(h.has_value());
                o.handle = *h;
            }
        }
        a.finish_compaction();
        fill(40);
        for (const object& o : objects) {
            REQUIRE(has_pattern(a.read(o.handle, o.size, {}), o.seed));
        }
        met = source.refusals() != 0;
    }
    REQUIRE(source.bytes_held() == 0);
}

TEST_CASE_TEMPLATE("whichever acquisition fails, nothing is lost and all memory goes back", Allocator,
                   tlsf<test_source, 4096, 16>, tlsf<test_source, 16384, 32>) {
    std::uint64_t refused = 0;
    for (bool met = true; met;) {
        ++refused;
        CAPTURE(refused);
        run_with_failure<Allocator>(refused, met);
    }
    CHECK(refused > 30);
}

TEST_CASE("when the source refuses, the places kept for objects to be moved serve again") {
    test_source source;
    tlsf4k a{source, any_node};
    std::vector<object_handle> live;
    for (unsigned i = 0; i < 24; ++i) {
        live.push_back(must_allocate(a, 1024));
    }
    for (unsigned i = 0; i < 24; i += 2) {
        a.deallocate(live[i]);
    }
    REQUIRE(a.plan_compaction(~std::size_t{0}) != 0);
    source.refuse_all(true);
    for (unsigned i = 0; i < 12; ++i) {
        static_cast<void>(must_allocate(a, 1024));
        CHECK(a.check());
    }
    CHECK(a.allocate(1024).error() == status::no_memory);
    for (unsigned i = 1; i < 24; i += 2) {
        CHECK_FALSE(a.misplaced(live[i]));
    }
    source.refuse_all(false);
}

TEST_CASE("checked builds assert that a handle is live and bytes fit") {
    test_source source;
    tlsf4k a{source, any_node};
    const object_handle block = must_allocate(a, 100), stale = must_allocate(a, 100), whole = must_allocate(a, 4096);
    a.deallocate(stale);
    for (const object_handle dead :
         {stale, plus(block, 1), plus(block, 0xffff), plus(block, 1u << 16), plus(block, 999u << 16), plus(whole, 1),
          plus(whole, 1u << 16), object_handle{~std::uint64_t{0}}}) {
        check_dies_of(a, dead);
    }
    const std::byte bytes[4097]{};
    CHECK(dies([&] { a.write(block, {bytes, a.capacity(block) + 1}); }));
    CHECK(dies([&] { static_cast<void>(a.read(whole, 4097, {})); }));
    CHECK(dies([&] { static_cast<void>(a.relocate(block)); })); // it is not misplaced
    CHECK(dies([&] { static_cast<void>(a.rounded(0)); }));
    CHECK_FALSE(dies([&] { a.deallocate(block); }));
    CHECK(a.check());
}

TEST_CASE("the same operations give the same handles") {
    CHECK(handles_of_a_run<tlsf4k>(5) == handles_of_a_run<tlsf4k>(5));
    CHECK(handles_of_a_run<tlsf4k>(5) != handles_of_a_run<tlsf4k>(6));
}

} // namespace
} // namespace pagefold::testing::unit_alloc_tlsf
