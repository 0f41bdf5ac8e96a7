// SPDX-License-Identifier: MIT
#include "support/rng.hpp"

#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/fifo.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/hosted/resident_set.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <map>

namespace pagefold::testing::unit_hosted_resident_set {
namespace {

constexpr auto any = [](slot_id) noexcept { return true; };

TEST_CASE_TEMPLATE("resident_set: random operations against a map", Policy, fifo, lru, clock) {
    constexpr std::size_t pages = 200; // no multiple of a word's bits
    resident_set<Policy> set;
    REQUIRE(set.open(pages));
    std::map<slot_id, page_place> model;
    std::size_t resident = 0;
    rng random{5};
    for (int step = 0; step < 20'000; ++step) {
        const auto page = static_cast<slot_id>(random.below(pages));
        const bool is_resident = model[page] == page_place::resident;
        switch (random.below(4)) {
        case 0:
        case 1:
            if (!is_resident) {
                set.insert(page, random.one_in(2));
                model[page] = page_place::resident;
                ++resident;
            } else {
                set.hit(page);
            }
            break;
        case 2:
            if (is_resident) {
                set.remove(page, page_place::nowhere);
                model[page] = page_place::nowhere;
                --resident;
            }
            break;
        default:
            const slot_id victim = set.evict(page_place::stored, any);
            REQUIRE((victim == no_slot) == (resident == 0));
            if (victim != no_slot) {
                REQUIRE(model[victim] == page_place::resident);
                model[victim] = page_place::stored;
                --resident;
            }
        }
        REQUIRE(set.resident() == resident);
        REQUIRE(set.place(page) == model[page]);
        if (step % 100 == 0) {
            REQUIRE(set.check());
        }
    }
}

TEST_CASE("resident_set: a page that comes back within as many evictions as are resident is a refault") {
    resident_set<fifo> set;
    REQUIRE(set.open(64));
    for (slot_id page = 0; page < 10; ++page) {
        set.insert(page, false);
    }
    const slot_id first = set.evict(page_place::stored, any);
    CHECK(first == 0);
    set.note_eviction(first);
    for (int i = 0; i < 4; ++i) {
        set.note_eviction(set.evict(page_place::stored, any));
    }
    // Five resident, five evictions since.
    CHECK(set.is_refault(first));
    set.note_eviction(set.evict(page_place::stored, any));
    CHECK_FALSE(set.is_refault(first));
    CHECK(set.is_refault(5));
}

TEST_CASE("resident_set: a refaulted page outlives the others") {
    resident_set<clock> set;
    REQUIRE(set.open(64));
    for (slot_id page = 0; page < 8; ++page) {
        set.insert(page, page == 3);
    }
    for (int i = 0; i < 7; ++i) {
        CHECK(set.evict(page_place::stored, any) != 3);
    }
    CHECK(set.evict(page_place::stored, any) == 3);
    CHECK(set.evict(page_place::stored, any) == no_slot);
}

TEST_CASE("resident_set: gaps and copies") {
    resident_set<clock> set;
    REQUIRE(set.open(200));
    set.insert(70, false);
    CHECK(set.none_between(0, 70));
    CHECK_FALSE(set.none_between(64, 71));
    CHECK(set.none_between(71, 200));
    CHECK(set.none_between(70, 70));
    set.set_copy(70, true, false);
    CHECK(set.has_copy(70));
    CHECK_FALSE(set.is_stored(70));
    set.set_copy(70, false, true);
    CHECK_FALSE(set.has_copy(70));
    CHECK(set.is_stored(70));
    set.close();
    CHECK(set.pages() == 0);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_resident_set
