// SPDX-License-Identifier: MIT
//
// How a partition looks for a pool's pages that are not at home. How pools come and go there: partition.cpp.
#include <pagefold/store/partition_pools.hpp>

#include "support/partition_fixture.hpp"
#include "support/rng.hpp"

#include <pagefold/store/default_config.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

namespace pagefold::testing::unit_store_partition_pools {
namespace {

using fixture = lone_partition<default_config>;

/// Pages of object 1 whose number is a multiple of three are at home in partition 0, the others in partition 2.
std::size_t home_of(const page_key& key) noexcept { return key.index % 3 == 0 ? 0u : 2u; }

status look(fixture& f, stray& found, std::uint32_t route = 0) {
    return f.part.next_stray(
        f.id, route, 0, [](const page_key& key) noexcept { return home_of(key); }, found);
}

TEST_CASE("partition_pools: every stray is found once it is looked for, and then none") {
    fixture f{pool_kind::persistent};
    std::set<std::uint64_t> strays;
    rng random{3};
    for (unsigned i = 0; i < 400; ++i) {
        const std::uint64_t index = random.below(20'000);
        REQUIRE(f.put(index, 200) == status::ok);
        if (index % 3 != 0) {
            strays.insert(index);
        }
    }
    stray found;
    for (unsigned calls = 0;; ++calls) {
        REQUIRE(calls < 2000);
        const status s = look(f, found);
        if (s == status::not_found) {
            break;
        }
        REQUIRE((s == status::ok || s == status::busy));
        if (s == status::ok) {
            CHECK(found.home == 2);
            REQUIRE(strays.erase(found.key.index) == 1);
            REQUIRE(f.part.erase(f.at(1, found.key.index)) == status::ok);
        }
    }
    CHECK(strays.empty());
    CHECK(f.part.check());
}

TEST_CASE("partition_pools: a call looks at 64 pages, or one extent's more") {
    fixture f{pool_kind::persistent};
    for (std::uint64_t i = 0; i < 3000; ++i) {
        REQUIRE(f.put(i * 3, 128) == status::ok); // all at home
    }
    stray found;
    unsigned calls = 1, looks = 0, most = 0;
    for (;; ++calls) {
        unsigned here = 0;
        const status s = f.part.next_stray(
            f.id, 0, 0,
            [&](const page_key& key) noexcept {
                ++here;
                return home_of(key);
            },
            found);
        looks += here;
        most = here > most ? here : most;
        if (s != status::busy) {
            CHECK(s == status::not_found);
            break;
        }
    }
    CHECK(looks == 3000);
    CHECK(most <= 64 + 22);
    CHECK(calls >= 3000 / 86);
    CHECK(calls <= 3000 / 64 + 1);
}

TEST_CASE(
    "partition_pools: whatever comes, goes and is moved between two looks, no stray is missed and none is seen twice") {
    rng random{8};
    for (unsigned round = 0; round < 60; ++round) {
        CAPTURE(round);
        fixture f{pool_kind::persistent};
        const auto object_of = [](std::uint64_t name) { return 1 + name % 5; };
        const auto key = [&](std::uint64_t name) { return f.at(object_of(name), name * 3); }; // at home here
        const auto put = [&](const located_key& at) {
            const std::vector<std::byte> stream = page_of(128, page_kind::random, at.key.index);
            return f.part.put(at, stream, checksum(stream, at.sum_seed), 0, {}).result;
        };
        std::set<std::pair<std::uint64_t, std::uint64_t>> strays;
        for (unsigned i = 0; i < 200; ++i) {
            const std::uint64_t name = random.below(1000);
            located_key at = key(name);
            if (random.below(8) == 0) {
                at = f.at(object_of(name), name * 3 + 1);
                strays.insert({at.key.object, at.key.index});
            }
            REQUIRE(put(at) == status::ok);
        }
        unsigned calls = 0;
        for (stray found;;) {
            REQUIRE(++calls < 1000);
            const status s = look(f, found);
            if (s == status::not_found) {
                break;
            }
            if (s == status::ok) {
                REQUIRE(strays.erase({found.key.object, found.key.index}) == 1);
                REQUIRE(f.part.erase(f.at(found.key.object, found.key.index)) == status::ok);
            }
            // Pages at home come and go, the extent that was seen last among them; and it comes back at another place.
            for (unsigned i = 0; i < 40; ++i) {
                const located_key at = key(random.below(1000));
                if (random.below(3) == 0) {
                    REQUIRE(put(at) == status::ok);
                } else {
                    static_cast<void>(f.part.erase(at));
                }
            }
            compaction_work done;
            for (unsigned i = 0; i < 20 && f.part.compact_index(done); ++i) {
            }
            REQUIRE(f.part.check());
        }
        CHECK(strays.empty());
    }
}

/// Pages of an object that is found in memory, all strays, in two extents, one with a page alone and one with two; between
/// those of others.
struct marked_fixture : fixture {
    static constexpr std::uint64_t marked = 0xfedcba9876543210u;
    static constexpr std::uint64_t alone = 7 * extent_pages, pair = 9 * extent_pages;

    marked_fixture() : fixture{pool_kind::persistent} {
        for (const std::uint64_t object : {std::uint64_t{1}, marked, std::uint64_t{2}}) {
            for (const std::uint64_t index : {alone, pair, pair + 1}) {
                const std::vector<std::byte> stream = page_of(256, page_kind::random, index);
                const located_key k = at(object, index);
                REQUIRE(part.put(k, stream, checksum(stream, k.sum_seed), 0, {}).result == status::ok);
            }
        }
    }
    [[nodiscard]] extent& find(std::uint64_t first_page) {
        extent* found = nullptr;
        source.for_each_run([&](std::byte* memory, std::size_t bytes) {
            for (std::size_t offset = 0; offset + sizeof(extent) <= bytes; offset += sizeof(extent)) {
                extent* const x = reinterpret_cast<extent*>(memory + offset);
                const bool is_it = x->object == marked && x->number() == first_page / extent_pages && x->is_whole();
                found = is_it ? x : found;
            }
        });
        REQUIRE(found != nullptr);
        return *found;
    }
    /// Erases strays until there are none; how many there were of whole extents, or none where that has no end.
    [[nodiscard]] std::size_t erase_strays() {
        std::size_t erased = 0;
        for (unsigned calls = 0; calls < 100; ++calls) {
            stray found;
            const status s = part.next_stray(
                id, 0, 0, [](const page_key&) noexcept { return std::size_t{2}; }, found);
            if (s == status::not_found) {
                return erased;
            }
            erased += s == status::ok && part.erase(hasher.locate(found.key)) == status::ok ? 1u : 0u;
        }
        return 0;
    }
};

TEST_CASE("partition_pools: a damaged extent is lost, and keeps no pass from its end") {
    for (const std::uint64_t first : {marked_fixture::alone, marked_fixture::pair}) {
        for (unsigned bit = 0; bit < 128; ++bit) {
            CAPTURE(first);
            CAPTURE(bit);
            marked_fixture f;
            extent& x = f.find(first);
            (bit < 64 ? x.object : x.tag) ^= std::uint64_t{1} << bit % 64;
            const std::size_t lost = first == marked_fixture::alone ? 1 : 2;
            const std::size_t erased = f.erase_strays();
            CHECK(erased >= 9 - lost);
            CHECK(erased <= 9); // an erasure that meets the damage says ok
        }
    }
}

TEST_CASE("partition_pools: two bits that no seal shows keep no pass from its end either") {
    for (unsigned bit = 0; bit < 128; ++bit) {
        CAPTURE(bit);
        marked_fixture f;
        extent& x = f.find(marked_fixture::pair);
        for (const unsigned flipped : {bit, (bit + 5) % 128}) {
            (flipped < 64 ? x.object : x.tag) ^= std::uint64_t{1} << flipped % 64;
        }
        CHECK(f.erase_strays() >= 7);
    }
}

TEST_CASE("partition_pools: an empty pool has no strays, a closed one is invalid, and an older route is sent back") {
    fixture f{pool_kind::persistent};
    stray found;
    CHECK(look(f, found, 9) == status::not_found);
    CHECK(look(f, found, 8) == has_moved);
    CHECK(f.put(3, 128) == has_moved); // it came by route 0
    CHECK(f.part.erase(f.at(1, 3)) == has_moved);
    located_key k = f.at(1, 3);
    k.route = 9;
    CHECK(f.part.erase(k) == status::not_found);
    CHECK(f.part.refuse(f.at(1, 3), status::incompressible) == has_moved);
    f.part.close_pool(f.id);
    CHECK(look(f, found, 9) == status::invalid);
}

TEST_CASE("partition_pools: a pool begins with the number of its route, however high") {
    fixture f{pool_kind::persistent};
    f.part.close_pool(f.id);
    f.record.route.store({0x90000000u, any_node, any_node});
    REQUIRE(f.part.open_pool(f.id) == status::ok);
    located_key k = f.at(1, 3);
    k.route = 0x90000000u;
    CHECK(f.part.erase(k) == status::not_found);
}

} // namespace
} // namespace pagefold::testing::unit_store_partition_pools
