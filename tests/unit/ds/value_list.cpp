// SPDX-License-Identifier: MIT
#include <pagefold/ds/value_list.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <type_traits>

namespace pagefold::testing::unit_ds_value_list {
namespace {

static_assert(value_list<>::size == 0);
static_assert(value_list<int, int, char>::size == 3);

TEST_CASE("value_list: each has its place, also twice of a type, and a list may be empty") {
    value_list<int, std::string, int> list{3, "x", 5};
    std::string seen;
    list.for_each([&](auto& value, std::size_t position) {
        seen += std::to_string(position);
        if constexpr (std::is_same_v<decltype(value), int&>) {
            seen += std::to_string(value);
            value *= 2;
        } else {
            seen += value;
        }
    });
    CHECK(seen == "031x25");
    const auto& fixed = list;
    int sum = 0;
    fixed.for_each([&](const auto& value, std::size_t position) {
        if constexpr (std::is_same_v<decltype(value), const int&>) {
            sum = 100 * sum + value;
        } else {
            CHECK(position == 1);
        }
    });
    CHECK(sum == 610);
    value_list<>{}.for_each([&](auto&, std::size_t) { ++sum; });
    CHECK(sum == 610);
}

TEST_CASE("value_list: a walk ends where it is told to, and a list of nothing given has what its types have") {
    const value_list<int, char, long> list{};
    std::size_t calls = 0;
    for (std::size_t last = 0; last < 4; ++last) {
        list.for_each_while([&](const auto& value, std::size_t position) {
            CHECK(value == 0);
            ++calls;
            return position != last;
        });
    }
    CHECK(calls == 1 + 2 + 3 + 3);
}

} // namespace
} // namespace pagefold::testing::unit_ds_value_list
