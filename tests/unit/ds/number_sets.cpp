// SPDX-License-Identifier: MIT
#include <pagefold/ds/number_sets.hpp>

#include <support/rng.hpp>
#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <set>

namespace pagefold::testing::unit_ds_number_sets {
namespace {

struct meter {
    static inline unsigned steps = 0;
    static void step() noexcept { ++steps; }
};
using sets = number_sets<2, test_source, meter>;
constexpr std::uint32_t none = sets::none;

TEST_CASE("number_sets: nothing is in a new set, and it takes no memory") {
    test_source source;
    sets s{source, any_node};
    CHECK(s.lowest(0) == none);
    CHECK(s.erase_run_below(1, 0) == 0);
    CHECK(s.bytes() == 0);
    CHECK(s.check());
    CHECK(source.acquisitions() == 0);
}

TEST_CASE("number_sets: each set has its own numbers, at the edges of words, summaries and tables") {
    test_source source;
    sets s{source, any_node};
    constexpr std::uint32_t edges[] = {0, 1, 63, 64, 447, 448, 4095, 4096, 8191, 8192, 65535, 65536, 99999};
    REQUIRE(s.reserve(100000) == status::ok);
    for (const std::uint32_t number : edges) {
        CAPTURE(number);
        s.insert(1, number);
        CHECK(s.lowest(1) == number);
        CHECK(s.lowest(0) == none);
        CHECK(s.contains(1, number));
        CHECK_FALSE(s.contains(0, number));
        CHECK(s.check());
        s.insert(0, 5);
        s.erase(1, number);
        CHECK(s.lowest(1) == none);
        CHECK(s.lowest(0) == 5);
        s.erase(0, 5);
    }
    for (std::size_t i = std::size(edges); i-- > 0;) {
        s.insert(0, edges[i]);
        CHECK(s.lowest(0) == edges[i]);
    }
    for (const std::uint32_t number : edges) {
        CHECK(s.lowest(0) == number);
        s.erase(0, number);
    }
    CHECK(s.lowest(0) == none);
}

TEST_CASE("number_sets: some hundred numbers take no page, and trim gives back those of more") {
    test_source source;
    sets s{source, any_node};
    REQUIRE(s.reserve(7 * 64) == status::ok);
    CHECK(s.bytes() == 0);
    REQUIRE(s.reserve(7 * 64 + 1) == status::ok);
    CHECK(s.bytes() == 4096);
    s.insert(0, 448);
    s.erase(0, 448);
    s.trim(448, 449);
    CHECK(s.bytes() == 4096);
    REQUIRE(s.reserve(449) == status::ok);
    CHECK_FALSE(s.contains(0, 448));
    s.trim(448, 448);
    CHECK(s.bytes() == 0);
    REQUIRE(s.reserve(60000) == status::ok);
    CHECK(s.bytes() == source.bytes_held());
    s.trim(0, 0);
    CHECK(s.bytes() == 0);
    CHECK(s.check());
}

TEST_CASE("number_sets: a refused reserve leaves the bound, and the next goes on") {
    for (std::uint64_t refused = 1; refused <= 7; ++refused) {
        test_source source;
        sets s{source, any_node};
        REQUIRE(s.reserve(10) == status::ok);
        s.insert(0, 9);
        source.refuse_nth(refused);
        const status answer = s.reserve(60000);
        CHECK(answer == (source.refusals() != 0 ? status::no_memory : status::ok));
        CHECK(s.lowest(0) == 9);
        CHECK(s.check());
        source.refuse_nth(0);
        REQUIRE(s.reserve(60000) == status::ok);
        s.insert(0, 59999);
        s.erase(0, 9);
        CHECK(s.lowest(0) == 59999);
    }
}

TEST_CASE("number_sets: a run below an end is taken out as far as it goes") {
    test_source source;
    sets s{source, any_node};
    REQUIRE(s.reserve(20000) == status::ok);
    for (std::uint32_t start : {0u, 1u, 63u, 64u, 65u, 4096u, 5000u}) {
        for (const std::uint32_t end : {5001u, 5056u, 5120u, 20000u}) {
            CAPTURE(start);
            CAPTURE(end);
            for (std::uint32_t number = start; number < end; ++number) {
                s.insert(1, number);
            }
            if (start >= 2) {
                s.insert(1, start - 2);
            }
            meter::steps = 0;
            CHECK(s.erase_run_below(1, end) == start);
            CHECK(meter::steps <= 2 * ((end - start) / 64 + 2));
            CHECK(s.check());
            CHECK(s.lowest(1) == (start >= 2 ? start - 2 : none));
            CHECK(s.erase_run_below(1, start) == start);
            if (start >= 2) {
                s.erase(1, start - 2);
            }
        }
    }
}

TEST_CASE("number_sets: agrees with sets of the standard library") {
    test_source source;
    sets s{source, any_node};
    std::set<std::uint32_t> model[2];
    std::uint32_t bound = 0;
    rng random{3};
    for (int round = 0; round < 300; ++round) {
        const std::uint32_t wanted = static_cast<std::uint32_t>(random.below(random.one_in(3) ? 20000 : 600));
        if (wanted > bound) {
            REQUIRE(s.reserve(wanted) == status::ok);
        } else {
            for (unsigned set = 0; set < 2; ++set) {
                for (auto at = model[set].lower_bound(wanted); at != model[set].end(); at = model[set].erase(at)) {
                    s.erase(set, *at);
                }
            }
            s.trim(wanted, wanted + static_cast<std::uint32_t>(random.below(100)));
        }
        bound = wanted;
        for (int i = 0; bound != 0 && i < 60; ++i) {
            const unsigned set = static_cast<unsigned>(random.below(2));
            const std::uint32_t number = static_cast<std::uint32_t>(random.below(bound));
            REQUIRE(s.contains(set, number) == (model[set].count(number) != 0));
            if (random.one_in(3)) {
                s.erase(set, number);
                model[set].erase(number);
            } else {
                s.insert(set, number);
                model[set].insert(number);
            }
            meter::steps = 0;
            REQUIRE(s.lowest(set) == (model[set].empty() ? none : *model[set].begin()));
            REQUIRE(meter::steps <= bound / 4096 + 2);
        }
        REQUIRE(s.check());
        REQUIRE(s.bytes() == source.bytes_held());
    }
}

} // namespace
} // namespace pagefold::testing::unit_ds_number_sets
