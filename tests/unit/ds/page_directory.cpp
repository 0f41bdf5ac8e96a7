// SPDX-License-Identifier: MIT
#include <pagefold/ds/page_directory.hpp>

#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <cstdint>

namespace pagefold::testing {
namespace {

struct entry {
    std::uint64_t a;
    std::uint64_t b;
};
using directory = page_directory<entry, test_source>;

constexpr std::uint32_t leaf = 4096 / sizeof(entry);
constexpr std::uint32_t tables = 4096 / sizeof(void*);
constexpr std::uint32_t inside = 8; // entries that stand in the directory itself

TEST_CASE("a directory takes nothing before it is used") {
    test_source source;
    const directory d{source, any_node};
    CHECK(d.bytes() == 0);
    CHECK(source.acquisitions() == 0);
}

TEST_CASE("the first entries take no page") {
    test_source source;
    directory d{source, any_node};
    for (std::uint32_t i = 0; i < inside; ++i) {
        REQUIRE(d.reserve(i) == status::ok);
        CHECK(d[i].a == 0);
        d[i].a = i;
    }
    CHECK(d.bytes() == 0);
    REQUIRE(d.reserve(inside) == status::ok);
    CHECK(d.bytes() == 4096);
    for (std::uint32_t i = 0; i < inside; ++i) {
        CHECK(d[i].a == i);
    }
    CHECK(d[inside].a == 0);
}

TEST_CASE("entries start as zeros and keep their values while the directory grows") {
    test_source source;
    directory d{source, any_node};
    const std::uint32_t bounds[] = {1, leaf, leaf + 1, 3 * leaf, 20 * leaf + 7};
    std::uint32_t written = 0;
    for (const std::uint32_t bound : bounds) {
        CAPTURE(bound);
        for (; written < bound; ++written) {
            REQUIRE(d.reserve(written) == status::ok);
            REQUIRE(d[written].a == 0);
            REQUIRE(d[written].b == 0);
            d[written] = {written, ~std::uint64_t{written}};
        }
        for (std::uint32_t i = 0; i < bound; ++i) {
            REQUIRE(d[i].a == i);
            REQUIRE(d[i].b == ~std::uint64_t{i});
        }
        CHECK(d.bytes() == source.bytes_held());
    }
    CHECK(d.bytes() == 4096 * (1 + 21));
}

TEST_CASE("one table serves while the entries fit in it") {
    test_source source;
    directory d{source, any_node};
    REQUIRE(d.reserve(leaf - 1) == status::ok);
    CHECK(d.bytes() == 4096);
    REQUIRE(d.reserve(leaf) == status::ok);
    CHECK(d.bytes() == 3 * 4096);
    REQUIRE(d.reserve(leaf + 1) == status::ok);
    CHECK(d.bytes() == 3 * 4096);
}

TEST_CASE("tables between are not made") {
    test_source source;
    directory d{source, any_node};
    REQUIRE(d.reserve(0) == status::ok);
    d[0].a = 1;
    REQUIRE(d.reserve(100 * leaf) == status::ok);
    CHECK(d.bytes() == 3 * 4096);
    CHECK(d[0].a == 1);
    CHECK(d[100 * leaf].a == 0);
    REQUIRE(d.reserve(50 * leaf) == status::ok);
    CHECK(d.bytes() == 4 * 4096);
}

TEST_CASE("three levels hold their product, and more answers limit") {
    test_source source;
    directory d{source, any_node};
    REQUIRE(d.reserve(3) == status::ok);
    d[3].a = 9;
    REQUIRE(d.reserve(leaf * tables) == status::ok);
    CHECK(d.bytes() == (3 + 2) * 4096); // a path of three, and that of the first entries
    d[leaf * tables].b = 4;
    REQUIRE(d.reserve(leaf * tables * tables - 1) == status::ok);
    d[leaf * tables * tables - 1].b = 5;
    const std::size_t bytes = d.bytes();
    CHECK(d.reserve(leaf * tables * tables) == status::limit);
    CHECK(d.reserve(0xffffffffu) == status::limit);
    CHECK(d.bytes() == bytes);
    CHECK(d[3].a == 9);
    CHECK(d[leaf * tables].b == 4);
    CHECK(d[leaf * tables * tables - 1].b == 5);
}

TEST_CASE("a refused reservation can be tried again, and nothing is lost by it") {
    for (const std::uint32_t index : {std::uint32_t{0}, inside, leaf, 5 * leaf, 3 * leaf * tables}) {
        for (std::uint64_t refused = 1; refused <= 6; ++refused) {
            CAPTURE(index);
            CAPTURE(refused);
            test_source source;
            directory d{source, any_node};
            REQUIRE(d.reserve(0) == status::ok);
            d[0].a = 42;
            source.refuse_nth(refused, status::limit);
            const status s = d.reserve(index);
            CHECK(s == (source.refusals() != 0 ? status::limit : status::ok));
            CHECK(d.bytes() == source.bytes_held());
            CHECK(d[0].a == 42);
            source.refuse_nth(0);
            REQUIRE(d.reserve(index) == status::ok);
            CHECK(d[index].b == 0);
            CHECK(d[0].a == 42);
            CHECK(d.bytes() == source.bytes_held());
        }
    }
}

TEST_CASE("greater pages hold more entries a table") {
    test_source source{65536};
    page_directory<std::uint32_t, test_source> d{source, any_node};
    REQUIRE(d.reserve(16383) == status::ok);
    CHECK(d.bytes() == 65536);
    d[16383] = 7;
    REQUIRE(d.reserve(16384) == status::ok);
    CHECK(d.bytes() == 3 * 65536);
    CHECK(d[16383] == 7);
    CHECK(d[16384] == 0);
}

} // namespace
} // namespace pagefold::testing
