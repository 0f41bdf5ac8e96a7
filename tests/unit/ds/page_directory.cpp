// SPDX-License-Identifier: MIT
#include <pagefold/ds/page_directory.hpp>

#include <support/rng.hpp>
#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <map>

namespace pagefold::testing::unit_ds_page_directory {
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

TEST_CASE("trim gives back the tables above, and what is reserved again reads as zeros") {
    test_source source;
    directory d{source, any_node};
    constexpr std::uint32_t entries = 20 * leaf;
    const auto fill = [&] {
        for (std::uint32_t i = 0; i < entries; ++i) {
            REQUIRE(d.reserve(i) == status::ok);
            d[i] = {i + 1, i + 1};
        }
    };
    for (const std::uint32_t count : {entries, entries - 1, 19 * leaf + 1, 19 * leaf, leaf + 1, leaf, leaf - 1,
                                      inside + 1, inside, inside - 1, 1u, 0u}) {
        CAPTURE(count);
        fill();
        source.refuse_all(true); // it takes nothing
        d.trim(count);
        source.refuse_all(false);
        CHECK(source.refusals() == 0);
        const std::uint32_t leaves = (count + leaf - 1) / leaf;
        CHECK(d.bytes() == 4096 * (count <= inside ? 0 : leaves == 1 ? 1 : leaves + 1));
        CHECK(d.bytes() == source.bytes_held());
        for (std::uint32_t i = 0; i < count; ++i) {
            REQUIRE(d[i].a == i + 1);
        }
        for (std::uint32_t i = count; i < entries; ++i) {
            REQUIRE(d.reserve(i) == status::ok);
            REQUIRE(d[i].a == 0);
            REQUIRE(d[i].b == 0);
        }
        for (std::uint32_t i = 0; i < count; ++i) {
            REQUIRE(d[i].b == i + 1);
        }
    }
}

TEST_CASE("trim of a directory that has nothing there changes nothing") {
    test_source source;
    directory d{source, any_node};
    d.trim(0);
    d.trim(5);
    CHECK(d.bytes() == 0);
    REQUIRE(d.reserve(2) == status::ok);
    d[2].a = 3;
    d.trim(3);
    d.trim(0xffffffffu);
    CHECK(d[2].a == 3);
    d.trim(2);
    REQUIRE(d.reserve(2) == status::ok);
    CHECK(d[2].a == 0);
    CHECK(source.acquisitions() == 0);
}

TEST_CASE("trim lowers three levels to two, to one and to none, past tables that were never made") {
    test_source source;
    directory d{source, any_node};
    REQUIRE(d.reserve(3) == status::ok);
    d[3].a = 9;
    const struct {
        std::uint32_t far;
        std::size_t kept; // the root, the way to two leaves, and what of the way to the far one lies below it too
    } cases[] = {{leaf * tables * tables - 1, 6}, {7 * leaf * tables, 4}, {leaf * tables + 3 * leaf, 5}};
    for (const auto& c : cases) {
        const std::uint32_t far = c.far;
        CAPTURE(far);
        REQUIRE(d.reserve(3 * leaf) == status::ok);
        d[3 * leaf].a = 4;
        REQUIRE(d.reserve(far) == status::ok);
        d[far].a = 5;
        d.trim(far);
        CHECK(d.bytes() == c.kept * 4096);
        d.trim(leaf * tables);
        CHECK(d.bytes() == 3 * 4096);
        CHECK(d[3 * leaf].a == 4);
        CHECK(d[3].a == 9);
        d.trim(leaf + 1);
        CHECK(d.bytes() == 2 * 4096);
        d.trim(leaf);
        CHECK(d.bytes() == 4096);
        d.trim(4);
        CHECK(d.bytes() == 0);
        CHECK(d[3].a == 9);
        CHECK(source.bytes_held() == 0);
    }
}

TEST_CASE("trim gives back what a refused reservation left") {
    for (const std::uint32_t index : {inside, leaf, 5 * leaf, 3 * leaf * tables}) {
        for (std::uint64_t refused = 1; refused <= 5; ++refused) {
            CAPTURE(index);
            CAPTURE(refused);
            test_source source;
            directory d{source, any_node};
            REQUIRE(d.reserve(4) == status::ok);
            d[4].a = 42;
            source.refuse_nth(refused);
            static_cast<void>(d.reserve(index));
            source.refuse_nth(0);
            d.trim(5);
            CHECK(d.bytes() == 0);
            CHECK(source.bytes_held() == 0);
            CHECK(d[4].a == 42);
        }
    }
}

TEST_CASE("a directory agrees with a map through random reservations and trims") {
    test_source source;
    directory d{source, any_node};
    std::map<std::uint32_t, std::uint64_t> model; // what is reserved
    rng random{7};
    for (int round = 0; round < 600; ++round) {
        const std::uint32_t range = random.one_in(4) ? 3 * leaf * tables : random.one_in(3) ? 12 : 6 * leaf;
        for (int i = 0; i < 30; ++i) {
            const std::uint32_t index = static_cast<std::uint32_t>(random.below(range));
            if (random.one_in(8)) {
                source.refuse_nth(1 + random.below(3));
            }
            if (d.reserve(index) == status::ok) {
                REQUIRE(d[index].a == (model.count(index) != 0 ? model[index] : 0));
                model[index] = d[index].a = 1 + random.below(1000);
            }
            source.refuse_nth(0);
        }
        if (random.one_in(2)) {
            const std::uint32_t count = static_cast<std::uint32_t>(random.below(range));
            d.trim(count);
            model.erase(model.lower_bound(count), model.end());
        }
        for (const auto& [index, value] : model) {
            REQUIRE(d[index].a == value);
        }
        REQUIRE(d.bytes() == source.bytes_held());
    }
    d.trim(0);
    CHECK(d.bytes() == 0);
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
} // namespace pagefold::testing::unit_ds_page_directory
