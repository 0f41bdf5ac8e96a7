// SPDX-License-Identifier: MIT
#include <pagefold/paging/stride_read_ahead.hpp>

#include <support/rng.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <set>

namespace pagefold::testing::unit_paging_stride_read_ahead {
namespace {

using advice = read_ahead_advice;

/// A program that touches pages one after the other; what it finds brought is no fault. Memory never runs short.
struct reader {
    explicit reader(unsigned most) : ahead{most} {}

    void touch(std::uint64_t page) {
        if (present.count(page) != 0) {
            return;
        }
        ++faults;
        present.insert(page);
        const advice a = ahead.on_fault(page);
        largest = a.count > largest ? a.count : largest;
        for (unsigned i = 1; i <= a.count; ++i) {
            brought += present.insert(page + static_cast<std::uint64_t>(a.stride * i)).second ? 1u : 0u;
        }
        ahead.brought(a.count);
    }

    stride_read_ahead ahead;
    std::set<std::uint64_t> present{};
    std::size_t faults = 0, brought = 0;
    unsigned largest = 0;
};

TEST_CASE("read-ahead that is off says nothing") {
    for (const unsigned most : {0u, 1u}) {
        stride_read_ahead ahead{most};
        for (std::uint64_t page = 0; page < 100; ++page) {
            CHECK(ahead.on_fault(page) == advice{});
            ahead.brought(0);
        }
        CHECK(ahead.limit() == 0);
    }
}

TEST_CASE("a stream of neighbours doubles its window in both directions") {
    for (const std::int64_t step : {std::int64_t{1}, std::int64_t{-1}}) {
        CAPTURE(step);
        stride_read_ahead ahead{16};
        std::int64_t page = 1000;
        CHECK(ahead.on_fault(1000) == advice{});
        ahead.brought(0);
        for (const unsigned expected : {1u, 2u, 4u, 8u, 15u, 15u}) {
            page += step;
            CHECK(ahead.on_fault(static_cast<std::uint64_t>(page)) == advice{step, expected});
            ahead.brought(expected);
            page += step * expected;
        }
    }
}

TEST_CASE("another step takes a third fault to believe") {
    for (const std::int64_t step : {std::int64_t{7}, std::int64_t{-13}, std::int64_t{256}, std::int64_t{-256}}) {
        CAPTURE(step);
        stride_read_ahead ahead{8};
        std::int64_t page = 100000;
        CHECK(ahead.on_fault(static_cast<std::uint64_t>(page)) == advice{});
        page += step;
        CHECK(ahead.on_fault(static_cast<std::uint64_t>(page)) == advice{});
        page += step;
        CHECK(ahead.on_fault(static_cast<std::uint64_t>(page)) == advice{step, 1});
        ahead.brought(1);
        page += 2 * step;
        CHECK(ahead.on_fault(static_cast<std::uint64_t>(page)) == advice{step, 2});
    }
    stride_read_ahead ahead{8};
    for (std::uint64_t page = 0; page < 10000; page += 257) { // too far
        CHECK(ahead.on_fault(page) == advice{});
    }
}

TEST_CASE("nothing lies below page 0") {
    stride_read_ahead ahead{64};
    for (const std::uint64_t page : {20u, 19u}) {
        static_cast<void>(ahead.on_fault(page));
        ahead.brought(0);
    }
    std::uint64_t page = 18;
    for (;;) {
        const advice a = ahead.on_fault(page);
        REQUIRE(a.count <= page);
        ahead.brought(a.count);
        if (page < a.count + 1) {
            break;
        }
        page -= a.count + 1;
    }
    CHECK(ahead.on_fault(0) == advice{-1, 0});
    stride_read_ahead wide{64};
    for (const std::uint64_t at : {300u, 200u}) {
        CHECK(wide.on_fault(at) == advice{});
    }
    CHECK(wide.on_fault(100) == advice{-100, 1});
    wide.brought(0);
    CHECK(wide.on_fault(0) == advice{-100, 0});
}

TEST_CASE("several streams at a time are told apart, and few faults are left of them") {
    reader program{16};
    constexpr std::uint64_t pages = 2000;
    for (std::uint64_t i = 0; i < pages; ++i) {
        program.touch(i);
        program.touch(1'000'000 - i);
        program.touch(2'000'000 + 3 * i);
        program.touch(3'000'000 - 8 * i);
    }
    CHECK(program.faults < 4 * pages / 10);
    CHECK(program.largest == 15);
}

TEST_CASE("random faults bring next to nothing") {
    rng random{1};
    reader program{16};
    for (unsigned i = 0; i < 20000; ++i) {
        program.touch(random.below(std::uint64_t{1} << 40));
    }
    CHECK(program.brought == 0);
    reader crowded{16};
    for (unsigned i = 0; i < 20000; ++i) {
        crowded.touch(random.below(100000));
    }
    CHECK(crowded.brought < crowded.faults / 20);
}

TEST_CASE("who reads three pages at a time and jumps gets small windows, and larger ones once it turns sequential") {
    stride_read_ahead ahead{64};
    rng random{2};
    const auto visit = [&](std::uint64_t first, std::uint64_t count) {
        unsigned vain = 0;
        for (std::uint64_t page = first; page < first + count;) {
            const advice a = ahead.on_fault(page);
            ahead.brought(a.count);
            const std::uint64_t next = page + 1 + a.count;
            vain = next > first + count ? static_cast<unsigned>(next - first - count) : 0;
            page = next;
        }
        return vain;
    };
    CHECK(ahead.limit() == 63);
    unsigned vain = 0;
    for (unsigned i = 0; i < 500; ++i) {
        vain += visit(random.below(1u << 30) * 1024, 9);
    }
    CHECK(vain < 500 * 8);
    CHECK(ahead.hit_rate() < 60000);
    for (unsigned i = 0; i < 200; ++i) { // whoever can tell
        ahead.wasted(8);
    }
    CHECK(ahead.limit() == 0);
    static_cast<void>(visit(std::uint64_t{1} << 45, 4096));
    CHECK(ahead.limit() > 32);
}

TEST_CASE("the hit rate stays within its bounds") {
    stride_read_ahead ahead{64};
    ahead.used(~0u);
    CHECK(ahead.hit_rate() == 65536);
    ahead.wasted(16);
    CHECK(ahead.hit_rate() == 32768);
    CHECK(ahead.limit() == 32);
    ahead.used(16);
    CHECK(ahead.hit_rate() == 49152);
    ahead.wasted(~0u);
    CHECK(ahead.hit_rate() == 0);
    ahead.used(0);
    ahead.wasted(0);
    CHECK(ahead.hit_rate() == 0);
    CHECK(stride_read_ahead{1000}.limit() == 63);
}

TEST_CASE("a window that went again before it was read halves") {
    stride_read_ahead ahead{16};
    std::uint64_t page = 0;
    for (const unsigned count : {0u, 1u, 2u, 4u, 8u}) {
        CHECK(ahead.on_fault(page).count == count);
        ahead.brought(count);
        page += 1 + count;
    }
    const std::uint64_t again = page - 4; // among the last eight
    const advice a = ahead.on_fault(again);
    CHECK(a.stride == 1);
    CHECK(a.count == 4);
    CHECK(ahead.hit_rate() < 65536);
}

TEST_CASE("the same fault twice does not disturb a stream") {
    stride_read_ahead ahead{16};
    CHECK(ahead.on_fault(5) == advice{});
    CHECK(ahead.on_fault(5) == advice{});
    CHECK(ahead.on_fault(6) == advice{1, 1});
    ahead.brought(0); // nothing came of it
    CHECK(ahead.on_fault(6) == advice{1, 1});
    ahead.brought(1);
    CHECK(ahead.on_fault(8) == advice{1, 2});
}

} // namespace
} // namespace pagefold::testing::unit_paging_stride_read_ahead
