// SPDX-License-Identifier: MIT
#include <pagefold/hosted/file_places.hpp>

#include "support/rng.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <map>
#include <vector>

namespace pagefold::testing::unit_hosted_file_places {
namespace {

struct fixture {
    explicit fixture(std::uint32_t units) : memory(file_places::memory_for(units) / 8) {
        REQUIRE(places.open(units, {reinterpret_cast<std::byte*>(memory.data()), memory.size() * 8}) == status::ok);
    }
    std::vector<std::uint64_t> memory;
    file_places places;
};

TEST_CASE("file_places: memory is two bits a unit, in words, and has to be there") {
    CHECK(file_places::memory_for(0) == 0);
    CHECK(file_places::memory_for(1) == 16);
    CHECK(file_places::memory_for(64) == 16);
    CHECK(file_places::memory_for(65) == 32);
    CHECK(file_places::memory_for(0x80000000) == (std::size_t{1} << 29));
    alignas(8) std::byte memory[40];
    file_places places;
    CHECK(places.open(65, {memory, 31}) == status::invalid);
    CHECK(places.open(65, {memory + 4, 32}) == status::invalid);
    CHECK(places.open(65, {memory, 32}) == status::ok);
    CHECK(places.units() == 65);
    CHECK(places.free_units() == 65);
}

TEST_CASE("file_places: nothing, one unit, and exactly all of them") {
    fixture none{0};
    CHECK(none.places.take(1).error() == status::limit);
    CHECK(none.places.give_back(0) == status::not_found);
    for (const std::uint32_t units : {1u, 63u, 64u, 65u, 128u, 1000u}) {
        fixture f{units};
        CHECK(f.places.take(units + 1).error() == status::limit);
        CHECK(f.places.take(units).value() == 0);
        CHECK(f.places.free_units() == 0);
        CHECK(f.places.take(1).error() == status::limit);
        CHECK(f.places.length(0) == units);
        CHECK(f.places.give_back(units - 1) == (units == 1 ? status::ok : status::not_found));
        if (units != 1) {
            CHECK(f.places.give_back(units) == status::not_found);
            CHECK(f.places.give_back(~0u) == status::not_found);
            CHECK(f.places.give_back(0) == status::ok);
        }
        CHECK(f.places.give_back(0) == status::not_found);
        CHECK(f.places.free_units() == units);
    }
}

TEST_CASE("file_places: a run that is split is two, each given back by its own first unit") {
    fixture f{100};
    REQUIRE(f.places.take(10).value() == 0);
    f.places.split(0, 3);
    f.places.split(3, 6);
    CHECK(f.places.length(0) == 3);
    CHECK(f.places.length(3) == 6);
    CHECK(f.places.length(9) == 1);
    CHECK(f.places.give_back(3) == status::ok);
    CHECK(f.places.free_units() == 96);
    CHECK(f.places.begins(0));
    CHECK_FALSE(f.places.begins(3));
    CHECK(f.places.begins(9));
}

TEST_CASE("file_places: random runs come and go as in a map, none is refused where one is free, none overlaps") {
    for (const std::uint32_t units : {7u, 64u, 130u, 1000u}) {
        fixture f{units};
        std::map<std::uint32_t, std::uint32_t> taken; // first unit and count
        rng random{units};
        const auto has_run = [&](std::uint32_t count) {
            std::uint32_t end = 0;
            for (const auto& [first, length] : taken) {
                if (first - end >= count) {
                    return true;
                }
                end = first + length;
            }
            return units - end >= count;
        };
        std::uint64_t refused = 0, fit = 0;
        for (unsigned step = 0; step < 20'000; ++step) {
            if (random.below(9) < 5) {
                const std::uint32_t count = static_cast<std::uint32_t>(1 + random.below(random.one_in(4) ? 70 : 9));
                const bool is_there = has_run(count);
                const result<std::uint32_t> first = f.places.take(count);
                REQUIRE(static_cast<bool>(first) == is_there);
                if (first) {
                    const auto behind = taken.lower_bound(*first);
                    REQUIRE((behind == taken.end() || *first + count <= behind->first));
                    REQUIRE(
                        (behind == taken.begin() || std::prev(behind)->first + std::prev(behind)->second <= *first));
                    REQUIRE(*first + count <= units);
                    taken[*first] = count;
                    ++fit;
                } else {
                    ++refused;
                }
            } else {
                const std::uint32_t wanted = static_cast<std::uint32_t>(random.below(units + 2));
                const auto one = random.one_in(2) ? taken.lower_bound(wanted) : taken.find(wanted);
                const std::uint32_t first = one != taken.end() ? one->first : wanted;
                const bool is_there = taken.count(first) != 0;
                REQUIRE(f.places.begins(first) == is_there);
                REQUIRE((!is_there || f.places.length(first) == taken[first]));
                REQUIRE(f.places.give_back(first) == (is_there ? status::ok : status::not_found));
                taken.erase(first);
            }
            std::uint32_t used = 0;
            for (const auto& [first, length] : taken) {
                used += length;
            }
            REQUIRE(f.places.free_units() == units - used);
        }
        CHECK(refused != 0);
        CHECK(fit != 0);
    }
}

} // namespace
} // namespace pagefold::testing::unit_hosted_file_places
