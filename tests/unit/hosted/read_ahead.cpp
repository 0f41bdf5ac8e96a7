// SPDX-License-Identifier: MIT
#include <pagefold/hosted/read_ahead.hpp>

#include <doctest/doctest.h>

#include <initializer_list>

namespace pagefold::testing::unit_hosted_read_ahead {
namespace {

unsigned fault(read_ahead& ahead, std::uint64_t page) {
    const unsigned window = ahead.window(page);
    ahead.brought(page, window);
    return window;
}

TEST_CASE("read_ahead: a sequence doubles its window up to the most") {
    read_ahead ahead{8};
    std::uint64_t page = 100;
    for (const unsigned expected : {1u, 2u, 4u, 8u, 8u}) {
        CHECK(fault(ahead, page) == expected);
        page += expected;
    }
}
TEST_CASE("read_ahead: random faults get one page") {
    read_ahead ahead{8};
    for (const std::uint64_t page : {5u, 900u, 17u, 4u, 300u, 299u}) {
        CHECK(fault(ahead, page) == 1);
    }
}
TEST_CASE("read_ahead: streams that alternate are each seen") {
    read_ahead ahead{16};
    std::uint64_t next[read_ahead::streams] = {0, 1000, 2000, 3000};
    for (const unsigned expected : {1u, 2u, 4u, 8u, 16u}) {
        for (std::uint64_t& page : next) {
            CHECK(fault(ahead, page) == expected);
            page += expected;
        }
    }
}
TEST_CASE("read_ahead: fewer brought than asked for") {
    read_ahead ahead{8};
    CHECK(ahead.window(10) == 1);
    ahead.brought(10, 1);
    CHECK(ahead.window(11) == 2);
    ahead.brought(11, 1);
    CHECK(ahead.window(12) == 4);
}
TEST_CASE("read_ahead: turned off") {
    read_ahead ahead{1};
    for (std::uint64_t page = 0; page < 5; ++page) {
        CHECK(fault(ahead, page) == 1);
    }
    read_ahead least{0};
    CHECK(fault(least, 0) == 1);
    CHECK(fault(least, 1) == 1);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_read_ahead
