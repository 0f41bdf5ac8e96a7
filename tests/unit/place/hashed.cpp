// SPDX-License-Identifier: MIT
#include <pagefold/place/hashed.hpp>

#include <pagefold/store/located_key.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

namespace pagefold::testing::unit_place_hashed {
namespace {

static_assert(partition_policy<hashed>);

/// Where the store would put a page: by its own hash of the page's extent.
partition_id home_of(const key_hasher& hasher, const page_key& key, std::size_t count, node_id wish = any_node) {
    return hashed{}.home(key, hasher.locate(key).extent_hash, wish, count);
}

/// How often each partition was the home.
template <class KeyAt>
std::vector<std::size_t> spread(std::uint64_t seed, std::size_t count, std::size_t keys, KeyAt key_at) {
    std::vector<std::size_t> homes(count);
    const key_hasher hasher{seed};
    for (std::size_t i = 0; i < keys; ++i) {
        ++homes.at(home_of(hasher, key_at(i), count));
    }
    return homes;
}

TEST_CASE("hashed: each part of a key alone spreads evenly over any number of partitions") {
    for (const std::size_t count : {1u, 2u, 3u, 8u, 10u, 64u}) {
        constexpr std::size_t mean = 1000;
        const auto is_even = [&](auto key_at) {
            bool even = true;
            for (const std::uint64_t seed : {1u, 77u}) {
                for (const std::size_t keys : spread(seed, count, count * mean, key_at)) {
                    even = even && keys > mean * 85 / 100 && keys < mean * 115 / 100; // nearly five standard deviations
                }
            }
            return even;
        };
        CAPTURE(count);
        CHECK(is_even([](std::uint64_t i) { return page_key{pool_id{1}, 1, i * extent_pages}; }));
        CHECK(is_even([](std::uint64_t i) { return page_key{pool_id{1}, i, 0}; }));
        CHECK(is_even([](std::uint64_t i) { return page_key{pool_id{1}, i << 40, 0}; }));
        CHECK(is_even([](std::uint64_t i) { return page_key{pool_id{1}, i, i * extent_pages}; }));
    }
}

TEST_CASE("hashed: the pages of an extent have one home, and their extents many") {
    const key_hasher hasher{5};
    const page_key first{pool_id{7}, 42, 5 * extent_pages};
    for (std::uint64_t i = 0; i < extent_pages; ++i) {
        CHECK(home_of(hasher, {first.pool, first.object, first.index + i}, 1000, node_id{0}) ==
              home_of(hasher, first, 1000));
    }
    CHECK(home_of(hasher, {first.pool, first.object, first.index + extent_pages}, 1000) !=
          home_of(hasher, first, 1000));
}

TEST_CASE("hashed: what a tenant knows of one store says nothing of another with another secret") {
    const key_hasher one{1}, other{2};
    unsigned alike = 0;
    for (std::uint64_t i = 0; i < 1000; ++i) {
        const page_key key{pool_id{1}, i, 0};
        alike += home_of(one, key, 8) == home_of(other, key, 8) ? 1 : 0;
    }
    CHECK(alike > 60); // an eighth by chance
    CHECK(alike < 190);
}

TEST_CASE("hashed: the home goes by the hash's high half, so that partitions leave the low bits to their tables") {
    for (const std::size_t count : {1u, 2u, 7u, 256u, 1024u}) {
        CHECK(hashed{}.home({}, 0, any_node, count) == 0);
        CHECK(hashed{}.home({}, 0xffffffffu, any_node, count) == 0);
        CHECK(hashed{}.home({}, ~std::uint64_t{0}, any_node, count) == count - 1);
        CHECK(hashed{}.home({}, ~std::uint64_t{0} << 32, any_node, count) == count - 1);
    }
}

TEST_CASE("hashed: spills to the partitions that follow, round the end") {
    CHECK(hashed{}.spill(2, 0, 4) == 3);
    CHECK(hashed{}.spill(2, 1, 4) == 0);
    CHECK(hashed{}.spill(2, 2, 4) == 1);
    CHECK(hashed{}.node(3) == any_node);
}

} // namespace
} // namespace pagefold::testing::unit_place_hashed
