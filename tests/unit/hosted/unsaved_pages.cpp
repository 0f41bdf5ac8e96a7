// SPDX-License-Identifier: MIT
#include "support/rng.hpp"

#include <pagefold/hosted/unsaved_pages.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <set>

namespace pagefold::testing::unit_hosted_unsaved_pages {
namespace {

TEST_CASE("unsaved_pages: closed, it has nothing and may be asked") {
    unsaved_pages set;
    CHECK(set.count() == 0);
    CHECK(!set.has(0));
    CHECK(set.next(0) == no_slot);
    set.remove(7);
    set.close();
    CHECK(set.count() == 0);
}

TEST_CASE("unsaved_pages: what is in it, against a set") {
    for (const std::size_t pages : {1u, 63u, 64u, 65u, 300u}) {
        unsaved_pages set;
        REQUIRE(set.open(pages));
        std::set<slot_id> model;
        rng random{pages};
        for (int step = 0; step < 2000; ++step) {
            const auto page = static_cast<slot_id>(random.below(pages));
            if (random.one_in(2)) {
                set.add(page);
                model.insert(page);
            } else {
                set.remove(page);
                model.erase(page);
            }
            const auto from = static_cast<slot_id>(random.below(pages + 2));
            const auto next = model.lower_bound(from);
            REQUIRE(set.next(from) == (next == model.end() ? no_slot : *next));
            REQUIRE(set.has(from) == model.contains(from));
            REQUIRE(set.count() == model.size());
        }
        REQUIRE(set.open(pages));
        CHECK(set.count() == 0);
        CHECK(set.next(0) == no_slot);
    }
}

} // namespace
} // namespace pagefold::testing::unit_hosted_unsaved_pages
