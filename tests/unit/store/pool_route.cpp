// SPDX-License-Identifier: MIT
#include <pagefold/store/pool_route.hpp>

#include "support/stepped.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <thread>

namespace pagefold::testing::unit_store_pool_route {
namespace {

constexpr node_id one{1}, two{2};

TEST_CASE("pool_route: a pool moves while it has two wishes, strictness included") {
    CHECK(!pool_route{}.is_moving());
    CHECK(!pool_route{7, one, one}.is_moving());
    CHECK(pool_route{7, one, two}.is_moving());
    CHECK(pool_route{7, strictly(one), one}.is_moving());
}

TEST_CASE("pool_route: of two numbers the later one is newer, around the end of numbers too") {
    CHECK(!pool_route::is_newer(5, 5));
    CHECK(pool_route::is_newer(6, 5));
    CHECK(!pool_route::is_newer(5, 6));
    CHECK(pool_route::is_newer(0, 0xffffffffu));
    CHECK(!pool_route::is_newer(0xffffffffu, 0));
    CHECK(pool_route::is_newer(0x7fffffffu, 0));
}

TEST_CASE("shared_route: what was stored last is read, and nothing at first") {
    shared_route route;
    CHECK(route.load().number == 0);
    CHECK(route.load().now == any_node);
    CHECK(!route.load().is_moving());
    for (std::uint32_t n = 1; n < 6; ++n) {
        route.store({n, static_cast<node_id>(n), static_cast<node_id>(n + 100)});
        const pool_route read = route.load();
        CHECK(read.number == n);
        CHECK(read.now == static_cast<node_id>(n));
        CHECK(read.before == static_cast<node_id>(n + 100));
    }
}

TEST_CASE("shared_route: it is held until all who hold it let go, or are gone") {
    shared_route route;
    CHECK(!route.is_held());
    route.hold();
    route.hold();
    route.let_go();
    CHECK(route.is_held());
    route.let_go();
    CHECK(!route.is_held());
    route.hold();
    route.forget_holds();
    CHECK(!route.is_held());
}

TEST_CASE("route_tries: who was sent back twice holds the route, once, until it is through") {
    shared_route route;
    {
        route_tries tries{route};
        CHECK(!tries.has_next(false));
        CHECK(tries.has_next(true));
        CHECK(!route.is_held());
    }
    {
        route_tries tries{route};
        CHECK(tries.has_next(true));
        for (unsigned i = 0; i < 5; ++i) {
            CHECK(tries.has_next(true));
            CHECK(route.is_held());
        }
        route_tries another{route};
        CHECK(another.has_next(true));
        CHECK(another.has_next(true));
        CHECK(!tries.has_next(false));
    }
    CHECK(!route.is_held());
}

TEST_CASE("shared_route: two changes at any instruction of a look are seen whole, or not at all") {
    if (!stepped::is_possible) {
        MESSAGE("no steps on this machine");
        return;
    }
    const auto route_of = [](std::uint32_t n) {
        return pool_route{n, static_cast<node_id>(n), static_cast<node_id>(n + 100)};
    };
    std::uint64_t n = 0, steps = 0;
    unsigned before = 0, after = 0;
    do {
        ++n;
        shared_route route;
        route.store(route_of(1));
        std::uint64_t step = 0;
        pool_route read;
        steps = stepped::run(
            n, [&] { read = route.load(); },
            [&] {
                if (++step == n) {
                    route.store(route_of(2));
                    route.store(route_of(3)); // where the wishes of 1 stood
                }
            });
        REQUIRE((read.number == 1 || read.number == 3));
        REQUIRE(read.now == static_cast<node_id>(read.number));
        REQUIRE(read.before == static_cast<node_id>(read.number + 100));
        ++(read.number == 1 ? before : after);
    } while (steps == n);
    CHECK(before > 0);
    CHECK(after > 0);
}

TEST_CASE("shared_route: readers beside a writer never mix two routes, and never go back") {
    shared_route route;
    std::atomic<bool> is_over{false};
    constexpr std::uint32_t most = 200'000;
    std::uint64_t mixed = 0, back = 0;
    std::thread reader{[&] {
        std::uint32_t last = 0;
        while (!is_over.load()) {
            const pool_route read = route.load();
            const auto low = static_cast<std::uint16_t>(read.number & 0x7fff);
            mixed += read.number != 0 && (read.now != static_cast<node_id>(low) ||
                                          read.before != static_cast<node_id>(low ^ 0x7fff))
                         ? 1u
                         : 0u;
            back += read.number < last ? 1u : 0u;
            last = read.number;
        }
    }};
    for (std::uint32_t n = 1; n <= most; ++n) {
        const auto low = static_cast<std::uint16_t>(n & 0x7fff);
        route.store({n, static_cast<node_id>(low), static_cast<node_id>(low ^ 0x7fff)});
    }
    is_over.store(true);
    reader.join();
    CHECK(mixed == 0);
    CHECK(back == 0);
    CHECK(route.load().number == most);
}

} // namespace
} // namespace pagefold::testing::unit_store_pool_route
