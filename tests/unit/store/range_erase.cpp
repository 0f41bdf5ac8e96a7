// SPDX-License-Identifier: MIT

// Ranges of pages, as partitions erase them: all of them, nothing else, and a bounded piece in each hold.

#include "support/partition_fixture.hpp"
#include "support/rng.hpp"

#include <doctest/doctest.h>

#include <pagefold/store/default_config.hpp>
#include <pagefold/store/range_erase.hpp>

#include <algorithm>
#include <set>
#include <vector>

namespace unit_store_range_erase {

using namespace pagefold;
using namespace pagefold::testing;

namespace {

constexpr std::size_t steps_a_hold = range_erase<default_config>::steps_a_hold;

struct erasure {
    std::size_t erased = 0, holds = 0, most_in_a_hold = 0;
};

template <class Config>
erasure erase(lone_partition<Config>& p, std::uint64_t object, std::uint64_t first, std::uint64_t last) {
    range_cursor cursor{first / extent_pages};
    erasure done;
    status s = status::busy;
    while (s == status::busy) {
        const std::size_t before = done.erased;
        s = p.part.erase_range(p.id, 0, object, first, last, cursor, done.erased);
        done.most_in_a_hold = std::max(done.most_in_a_hold, done.erased - before);
        REQUIRE(++done.holds < 1'000'000);
    }
    CHECK(s == status::ok);
    return done;
}

/// A same-filled page: what its stream is does not matter here.
template <class Config>
void put(lone_partition<Config>& p, std::uint64_t object, std::uint64_t index) {
    const std::vector<std::byte> stream(min_stream_size);
    REQUIRE(p.part.put(p.at(object, index), stream, 0, 0, {}).result == status::ok);
}

constexpr std::uint64_t last_page = max_page_index - 1;

} // namespace

TEST_CASE("random ranges of random objects, against a set") {
    lone_partition<> p{pool_kind::ephemeral};
    std::set<std::pair<std::uint64_t, std::uint64_t>> pages;
    rng random{7};
    for (unsigned round = 0; round < 300; ++round) {
        for (unsigned i = 0; i < 60; ++i) {
            const std::uint64_t object = random.below(3), index = random.below(3) * 5000 + random.below(200);
            put(p, object, index);
            pages.insert({object, index});
        }
        const std::uint64_t object = random.below(3), first = random.below(3) * 5000 + random.below(200);
        const std::uint64_t last = random.one_in(4) ? last_page : first + random.below(6000);
        const auto from = pages.lower_bound({object, first}), to = pages.upper_bound({object, last});
        const auto expected = static_cast<std::size_t>(std::distance(from, to));
        const erasure done = erase(p, object, first, last);
        CHECK(done.erased == expected);
        CHECK(done.most_in_a_hold <= steps_a_hold);
        pages.erase(from, to);
        REQUIRE(p.part.check());
    }
    for (std::uint64_t object = 0; object < 3; ++object) {
        for (std::uint64_t index = 0; index < 16'000; ++index) {
            const bool expected = pages.count({object, index}) != 0;
            REQUIRE(p.part.erase(p.at(object, index)) == (expected ? status::ok : status::not_found));
        }
    }
}

TEST_CASE("holds are in proportion to the object, whatever the order in which it was written") {
    constexpr std::uint64_t extents = 4000, a_hold = steps_a_hold / 2; // by number, and by object
    for (const unsigned order : {0u, 1u, 2u}) {
        lone_partition<> p{pool_kind::persistent};
        std::vector<std::uint64_t> numbers(2 * extents);
        for (std::uint64_t i = 0; i < numbers.size(); ++i) {
            numbers[i] = order == 1 ? numbers.size() - 1 - i : i;
        }
        if (order == 2) {
            rng random{4};
            for (std::size_t i = numbers.size() - 1; i > 0; --i) {
                std::swap(numbers[i], numbers[random.below(i + 1)]);
            }
        }
        for (const std::uint64_t n : numbers) {
            put(p, 1, n * extent_pages);
        }
        const erasure upper = erase(p, 1, extents * extent_pages, last_page); // half stays, and is passed over once
        CHECK(upper.erased == extents);
        CHECK(upper.holds <= 2 * extents / a_hold + 4);
        const erasure none = erase(p, 1, std::uint64_t{1} << 45, last_page);
        CHECK(none.erased == 0);
        CHECK(none.holds <= extents / a_hold + 4);
        const erasure rest = erase(p, 1, 0, last_page);
        CHECK(rest.erased == extents);
        CHECK(rest.holds <= extents / a_hold + 4);
        CHECK(p.part.check());
    }
}

TEST_CASE("a wide range of a small object is walked by the object, a narrow one of a large by its numbers") {
    lone_partition<> p{pool_kind::persistent};
    put(p, 1, 7);
    put(p, 1, 700'000'000);
    const erasure wide = erase(p, 1, 8, 600'000'000);
    CHECK(wide.erased == 0);
    CHECK(wide.holds == 1);
    for (std::uint64_t i = 0; i < 3000; ++i) {
        put(p, 2, i * extent_pages);
    }
    const erasure narrow = erase(p, 2, 1000 * extent_pages, 1010 * extent_pages - 1);
    CHECK(narrow.erased == 10);
    CHECK(narrow.holds <= ceil_div(11, steps_a_hold / 2));
}

TEST_CASE("who gives back whole extents takes nothing from the source, and few pages of one leave it a shorter array") {
    for (const pool_kind kind : {pool_kind::persistent, pool_kind::ephemeral}) {
        for (const bool drains : {false, true}) {
            lone_partition<> p{kind};
            for (std::uint64_t i = 0; i < 4 * extent_pages; ++i) {
                put(p, 1, i);
            }
            const std::size_t taken = p.source.bytes_held();
            const std::size_t acquired = p.source.acquisitions();
            if (drains) {
                p.part.close_pool(p.id);
                while (!p.part.drain_pool(0)) {
                }
            } else {
                CHECK(erase(p, 1, 0, last_page).erased == 4 * extent_pages);
            }
            CHECK(p.source.acquisitions() == acquired);
            CHECK(p.source.bytes_held() < taken);
            CHECK(p.part.check());
        }
        lone_partition<> p{kind};
        for (std::uint64_t i = 0; i < extent_pages; ++i) {
            put(p, 1, i);
        }
        const std::size_t acquired = p.source.acquisitions();
        CHECK(erase(p, 1, 4, last_page).erased == extent_pages - 4);
        CHECK(p.source.acquisitions() > acquired);
        CHECK(p.part.check());
    }
}

TEST_CASE("pages that others erase and store between the holds do no harm") {
    lone_partition<> p{pool_kind::ephemeral};
    for (std::uint64_t i = 0; i < 2000; ++i) {
        put(p, 1, i * extent_pages);
        put(p, 1, i * extent_pages + 1);
    }
    range_cursor cursor{0};
    std::size_t erased = 0;
    rng random{9};
    status s = status::busy;
    for (unsigned holds = 0; s == status::busy; ++holds) { // the odd pages stay, but for those that somebody erases
        REQUIRE(holds < 10'000);
        s = p.part.erase_range(p.id, 0, 1, 1000 * extent_pages, last_page, cursor, erased);
        if (holds % 3 == 0) {
            static_cast<void>(p.part.erase(p.at(1, random.below(1000) * extent_pages)));
            static_cast<void>(p.part.erase(p.at(1, random.below(1000) * extent_pages + 1)));
        }
        REQUIRE(p.part.check());
    }
    CHECK(s == status::ok);
    CHECK(erased == 2000);
}

} // namespace unit_store_range_erase
