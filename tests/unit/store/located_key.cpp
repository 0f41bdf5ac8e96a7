// SPDX-License-Identifier: MIT

#include <pagefold/store/located_key.hpp>

#include "support/rng.hpp"
#include "support/test_source.hpp"

#include <pagefold/store/entry.hpp>
#include <pagefold/store/index/extent_index.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <set>
#include <vector>

namespace unit_store_located_key {

using namespace pagefold;
using namespace pagefold::testing;

namespace {

constexpr std::uint64_t mixing_constant = 0x9e3779b97f4a7c15; // where a multiplication by zero made one chain of all
constexpr pool_id pool_at(std::uint32_t slot, std::uint64_t generation = 1) {
    return static_cast<pool_id>(generation << (pool_ids::slot_bits + 1) | slot);
}

/// The longest chain of keys in a table with a bucket for each.
unsigned longest_chain(const key_hasher& hasher, const std::vector<page_key>& keys) {
    test_source source;
    linear_buckets<test_source> buckets{source, any_node};
    for (std::size_t i = 0; i < keys.size(); ++i) {
        REQUIRE(buckets.add() == status::ok);
    }
    std::vector<unsigned> lengths(keys.size());
    for (const page_key& key : keys) {
        ++lengths[buckets.of(hasher.locate(key).extent_hash)];
    }
    return *std::max_element(lengths.begin(), lengths.end());
}
/// As long as chance makes a chain: two keys in a bucket on average at most, and thousands of buckets.
constexpr unsigned longest_by_chance = 16;

/// Numbers of pages whose extents share the low 12 bits of their hash under a seed.
std::vector<page_key> colliding(const key_hasher& hasher, pool_id pool, std::uint64_t object, std::size_t wanted) {
    const std::uint64_t of_object = hasher.object(pool_ids::slot(pool), object);
    std::vector<page_key> keys;
    for (std::uint64_t number = 1; keys.size() < wanted; ++number) {
        if ((hasher.extent(of_object, number) & 0xfff) == 0x234) {
            keys.push_back({pool, object, number * extent_pages});
        }
    }
    return keys;
}

} // namespace

TEST_CASE("a key is located in its pool's slot, extent and page") {
    const key_hasher hasher{1};
    const located_key k = hasher.locate({pool_at(17, 5), 9, 200});
    CHECK(k.pool == 17);
    CHECK(k.extent() == 3);
    CHECK(k.page() == 8);
    CHECK(k.object_hash == hasher.object(17, 9));
    CHECK(k.extent_hash == hasher.extent(17, 9, 3));
    const located_key last = hasher.locate({pool_at(max_pool_slots - 1), ~std::uint64_t{0}, max_page_index - 1});
    CHECK(last.pool == max_pool_slots - 1);
    CHECK(last.extent() == (max_page_index - 1) / extent_pages);
    CHECK(last.page() == 63);
}

TEST_CASE("pages of an extent are found together, and told apart by what their checksums are bound to") {
    const key_hasher hasher{1};
    std::set<std::uint64_t> seeds, extents;
    for (std::uint64_t index = 0; index < 64; ++index) {
        const located_key k = hasher.locate({pool_at(1), 1, index});
        seeds.insert(k.sum_seed);
        extents.insert(k.extent_hash);
    }
    CHECK(extents.size() == 1);
    CHECK(seeds.size() == 64);
}

TEST_CASE("what a checksum is bound to differs for pools, their ids, objects and neighbouring pages") {
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
        const key_hasher hasher{seed};
        std::set<std::uint64_t> seeds;
        std::size_t keys = 0;
        for (std::uint32_t slot = 0; slot < 4; ++slot) {
            for (std::uint64_t generation = 1; generation < 4; ++generation) {
                for (const std::uint64_t base : {std::uint64_t{0}, mixing_constant, ~std::uint64_t{3}}) {
                    for (std::uint64_t object = base; object != base + 4; ++object) {
                        for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{60}, max_page_index - 8}) {
                            for (std::uint64_t index = first; index < first + 8; ++index, ++keys) {
                                seeds.insert(hasher.locate({pool_at(slot, generation), object, index}).sum_seed);
                            }
                        }
                    }
                }
            }
        }
        CHECK(seeds.size() == keys);
    }
}

TEST_CASE("what a checksum is bound to depends on every bit of the key") {
    const key_hasher hasher{3};
    const page_key key{pool_at(5), 77, 1000};
    const std::uint64_t bound_to = hasher.locate(key).sum_seed;
    for (unsigned bit = 0; bit < 64; ++bit) {
        const std::uint64_t one = std::uint64_t{1} << bit;
        const auto pool = static_cast<pool_id>(static_cast<std::uint64_t>(key.pool) ^ one);
        // A good half of the bits changes, on average; never only a few.
        CHECK(std::popcount(bound_to ^ hasher.locate({pool, key.object, key.index}).sum_seed) > 8);
        CHECK(std::popcount(bound_to ^ hasher.locate({key.pool, key.object ^ one, key.index}).sum_seed) > 8);
        if (one < max_page_index) {
            CHECK(std::popcount(bound_to ^ hasher.locate({key.pool, key.object, key.index ^ one}).sum_seed) > 8);
        }
    }
}

TEST_CASE("objects of one number in two pools have hashes of their own, and so have their extents") {
    const key_hasher hasher{7};
    std::set<std::uint64_t> objects, extents;
    for (std::uint32_t pool = 0; pool < 100; ++pool) {
        objects.insert(hasher.object(pool, 5));
        extents.insert(hasher.extent(pool, 5, 9));
    }
    CHECK(objects.size() == 100);
    CHECK(extents.size() == 100);
}

TEST_CASE("no object is a special case: its extents make no chain") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const key_hasher hasher{seed};
        for (const std::uint64_t object : {mixing_constant, std::uint64_t{0xd1b54a32d192ed03}, std::uint64_t{0},
                                           ~std::uint64_t{0}, std::uint64_t{1}}) {
            for (const std::uint64_t step : {std::uint64_t{1}, std::uint64_t{64}, std::uint64_t{1} << 30}) {
                std::vector<page_key> keys;
                for (std::uint64_t i = 0; i < 2000; ++i) {
                    keys.push_back({pool_at(1), object, i * step * extent_pages % max_page_index});
                }
                CHECK(longest_chain(hasher, keys) <= longest_by_chance);
            }
        }
    }
}

TEST_CASE("page numbers that are evenly spaced make no chain, whatever the seed") {
    // A single multiplication leaves them evenly spaced, and for some seeds in few buckets.
    for (std::uint64_t seed = 0; seed < 150; ++seed) {
        const key_hasher hasher{seed * 77 + 5};
        for (const unsigned spacing : {0u, 8u, 16u, 20u, 24u}) {
            std::vector<page_key> keys;
            for (std::uint64_t i = 0; i < 4096; ++i) {
                keys.push_back({pool_at(1), 9, (i << spacing) * extent_pages});
            }
            REQUIRE(longest_chain(hasher, keys) <= longest_by_chance);
        }
    }
}

TEST_CASE("objects with numbers that follow each other make no chain, in any pool") {
    const key_hasher hasher{11};
    for (const std::uint64_t step : {std::uint64_t{1}, std::uint64_t{4096}, std::uint64_t{1} << 50}) {
        std::vector<page_key> keys;
        for (std::uint64_t i = 0; i < 4000; ++i) {
            keys.push_back({pool_at(static_cast<std::uint32_t>(i % 4)), mixing_constant + i / 4 * step, 0});
        }
        CHECK(longest_chain(hasher, keys) <= longest_by_chance);
    }
}

TEST_CASE("a seed gives the same hash every time, and two seeds give two hashes") {
    std::set<std::uint64_t> hashes, bound_to;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        const page_key key{pool_at(1), 2, 3};
        const located_key a = key_hasher{seed}.locate(key), b = key_hasher{seed}.locate(key);
        CHECK(a.extent_hash == b.extent_hash);
        CHECK(a.sum_seed == b.sum_seed);
        hashes.insert(a.extent_hash);
        bound_to.insert(a.sum_seed);
    }
    CHECK(hashes.size() == 100);
    CHECK(bound_to.size() == 100);
}

TEST_CASE("page numbers chosen to collide under one seed make no chains under another") {
    const key_hasher known{1}, secret{0x1234567890abcdef};
    const std::vector<page_key> keys = colliding(known, pool_at(3), 1, 20'000);
    CHECK(longest_chain(known, keys) > 1000);
    CHECK(longest_chain(secret, keys) <= longest_by_chance);

    // An index counts a chain that is longer than chance makes one as damage, and every page is found in it.
    test_source source;
    extent_index<entry, std::uint8_t, 1, test_source> index{source, any_node, secret};
    pool_ring ring;
    for (const page_key& key : keys) {
        REQUIRE(index.insert(ring, secret.locate(key), entry{key.index, 0}));
    }
    for (const page_key& key : keys) {
        const slot_id slot = index.find(secret.locate(key));
        REQUIRE(slot != no_slot);
        REQUIRE(index.get(slot).word() == key.index);
    }
    CHECK(index.damage() == 0);
}

} // namespace unit_store_located_key
