// SPDX-License-Identifier: MIT

#include "support/test_source.hpp"

#include <pagefold/ds/stable_array.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace unit_ds_stable_array {

namespace {

using namespace pagefold;
using namespace pagefold::testing;

struct item {
    std::uint64_t number = 7; // no zeros: elements are made, not just zeroed
    std::uint64_t more[3] = {};
};
using array = stable_array<item, test_source>;

} // namespace

TEST_CASE("elements are made as asked for, a page at a time, and never move") {
    test_source source;
    array items{source, any_node};
    CHECK(items.size() == 0);
    CHECK(source.acquisitions() == 0);
    std::vector<item*> places;
    for (std::uint32_t i = 0; i < 5000; ++i) {
        REQUIRE(items.reserve(i) == status::ok);
        REQUIRE(items.size() > i);
        REQUIRE(items.size() < i + 1 + 4096 / sizeof(item));
        REQUIRE(items[i].number == 7);
        items[i].number = i;
        places.push_back(&items[i]);
    }
    for (std::uint32_t i = 0; i < 5000; ++i) {
        REQUIRE(&items[i] == places[i]);
        REQUIRE(items[i].number == i);
    }
    CHECK(items.bytes() == source.bytes_held());
    CHECK(items.bytes() >= 5000 * sizeof(item));
    CHECK(items.bytes() < 5000 * sizeof(item) + 4 * 4096);
}

TEST_CASE("a reserve far ahead makes all between, and one behind does nothing") {
    test_source source;
    array items{source, any_node};
    CHECK(items.reserve(3000) == status::ok);
    CHECK(items.size() > 3000);
    CHECK(items[0].number == 7);
    CHECK(items[3000].number == 7);
    items[10].number = 1;
    const std::uint64_t acquisitions = source.acquisitions();
    CHECK(items.reserve(10) == status::ok);
    CHECK(items[10].number == 1);
    CHECK(source.acquisitions() == acquisitions);
}

TEST_CASE("after any refusal the array is whole, and the next try goes on") {
    for (std::uint64_t failing = 1;; ++failing) {
        test_source source;
        array items{source, any_node};
        source.refuse_nth(failing);
        const status s = items.reserve(2000);
        CHECK(items.bytes() == source.bytes_held());
        if (s == status::ok) {
            CHECK(failing > 10);
            break;
        }
        CHECK(s == status::no_memory);
        for (std::uint32_t i = 0; i < items.size(); ++i) {
            REQUIRE(items[i].number == 7);
            items[i].number = i;
        }
        const std::uint32_t made = items.size();
        CHECK(items.reserve(2000) == status::ok);
        for (std::uint32_t i = 0; i < 2000; ++i) {
            REQUIRE(items[i].number == (i < made ? i : 7));
        }
    }
}

TEST_CASE("trim gives back the pages above, and their elements are made anew") {
    test_source source;
    array items{source, any_node};
    const std::uint32_t per_page = 4096 / sizeof(item);
    items.trim(0);
    for (const std::uint32_t count : {20 * per_page, 20 * per_page - 1, 19 * per_page + 1, 19 * per_page,
                                      8 * per_page + 1, 8 * per_page, per_page + 1, per_page, 1u, 0u}) {
        CAPTURE(count);
        REQUIRE(items.reserve(20 * per_page - 1) == status::ok);
        for (std::uint32_t i = 0; i < 20 * per_page; ++i) {
            items[i].number = i;
        }
        source.refuse_all(true); // it takes nothing
        items.trim(count);
        source.refuse_all(false);
        CHECK(source.refusals() == 0);
        const std::uint32_t pages = (count + per_page - 1) / per_page;
        CHECK(items.size() == pages * per_page);
        CHECK(items.bytes() == (pages + (pages > 8 ? 1 : 0)) * 4096); // and their table
        CHECK(items.bytes() == source.bytes_held());
        REQUIRE(items.reserve(20 * per_page - 1) == status::ok);
        for (std::uint32_t i = 0; i < 20 * per_page; ++i) {
            REQUIRE(items[i].number == (i < pages * per_page ? i : 7));
        }
    }
    items.trim(~0u);
    CHECK(items.size() == 20 * per_page);
}

} // namespace unit_ds_stable_array
