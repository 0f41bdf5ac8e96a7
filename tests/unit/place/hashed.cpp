// SPDX-License-Identifier: MIT
#include <pagefold/place/hashed.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

namespace pagefold::testing {
namespace {

static_assert(partition_policy<hashed>);

/// How often each partition was the home.
template <class KeyAt>
std::vector<std::size_t> spread(std::size_t count, std::size_t keys, KeyAt key_at) {
    std::vector<std::size_t> homes(count);
    for (std::size_t i = 0; i < keys; ++i) {
        ++homes.at(hashed{}.home(key_at(i), any_node, count));
    }
    return homes;
}

TEST_CASE("hashed: each part of a key alone spreads evenly over any number of partitions") {
    for (const std::size_t count : {1u, 2u, 3u, 8u, 10u, 64u}) {
        constexpr std::size_t mean = 1000;
        const auto is_even = [&](auto key_at) {
            bool even = true;
            for (const std::size_t keys : spread(count, count * mean, key_at)) {
                even = even && keys > mean * 85 / 100 && keys < mean * 115 / 100; // nearly five standard deviations
            }
            return even;
        };
        CAPTURE(count);
        CHECK(is_even([](std::uint64_t i) { return page_key{pool_id{1}, 1, i * extent_pages}; }));
        CHECK(is_even([](std::uint64_t i) { return page_key{pool_id{1}, i, 0}; }));
        CHECK(is_even([](std::uint64_t i) { return page_key{pool_id{1}, i << 40, 0}; }));
        CHECK(is_even([](std::uint64_t i) { return page_key{static_cast<pool_id>(i), 0, 0}; }));
        CHECK(is_even([](std::uint64_t i) { return page_key{static_cast<pool_id>(i << 12), 0, 0}; }));
    }
}

TEST_CASE("hashed: the pages of an extent have one home") {
    const page_key first{pool_id{7}, 42, 5 * extent_pages};
    for (std::uint64_t i = 0; i < extent_pages; ++i) {
        CHECK(hashed{}.home({first.pool, first.object, first.index + i}, node_id{0}, 1000) ==
              hashed{}.home(first, any_node, 1000));
    }
    CHECK(hashed{}.home({first.pool, first.object, first.index + extent_pages}, any_node, 1000) !=
          hashed{}.home(first, any_node, 1000));
}

TEST_CASE("hashed: spills to the partitions that follow, round the end") {
    CHECK(hashed{}.spill(2, 0, 4) == 3);
    CHECK(hashed{}.spill(2, 1, 4) == 0);
    CHECK(hashed{}.spill(2, 2, 4) == 1);
    CHECK(hashed{}.node(3) == any_node);
}

} // namespace
} // namespace pagefold::testing
