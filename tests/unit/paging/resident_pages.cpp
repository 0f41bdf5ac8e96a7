// SPDX-License-Identifier: MIT
#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/fifo.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/evict/probation_clock.hpp>
#include <pagefold/evict/s3_fifo.hpp>
#include <pagefold/paging/resident_pages.hpp>

#include <support/rng.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

namespace pagefold::testing::unit_paging_resident_pages {
namespace {

template <class Policy>
struct fixture {
    explicit fixture(std::size_t pages) : memory(resident_pages<Policy>::bytes_for(pages) / 8 + 1) {
        set.open(static_cast<std::byte*>(static_cast<void*>(memory.data())), pages);
    }
    std::vector<std::uint64_t> memory;
    resident_pages<Policy> set{};
};

bool any(slot_id) noexcept { return true; }

TEST_CASE("before it is opened, and after it is closed, nothing is resident") {
    resident_pages<clock> set;
    std::size_t steps = 10;
    CHECK(set.size() == 0);
    CHECK(set.next(no_slot) == no_slot);
    CHECK(set.evict(any, steps) == no_slot);
    fixture<clock> f{10};
    f.set.insert(3, false);
    f.set.close();
    CHECK(f.set.size() == 0);
    CHECK(f.set.next(no_slot) == no_slot);
}

TEST_CASE("the next resident page is found over any gap, and round the end") {
    for (const std::size_t pages : {std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{65},
                                    std::size_t{4095}, std::size_t{4096}, std::size_t{4097}, std::size_t{300'000}}) {
        CAPTURE(pages);
        fixture<clock> f{pages};
        rng random{pages};
        std::set<slot_id> model;
        CHECK(f.set.next(no_slot) == no_slot);
        for (unsigned i = 0; i < 200; ++i) {
            const auto page = static_cast<slot_id>(i % 8 == 0 ? pages - 1 : i % 8 == 1 ? 0 : random.below(pages));
            if (model.erase(page) != 0) {
                f.set.remove(page);
            } else {
                model.insert(page);
                f.set.insert(page, false);
            }
            CHECK(f.set.has(page) == (model.count(page) != 0));
            CHECK(f.set.size() == model.size());
            const auto from = static_cast<slot_id>(random.below(pages));
            const auto behind = model.upper_bound(from);
            CHECK(f.set.next(from) == (model.empty() ? no_slot : behind != model.end() ? *behind : *model.begin()));
            CHECK(f.set.next(no_slot) == (model.empty() ? no_slot : *model.begin()));
            CHECK(f.set.check());
        }
    }
}

template <class Policy>
void empties() {
    fixture<Policy> f{1000};
    std::set<slot_id> model;
    rng random{5};
    for (unsigned i = 0; i < 3000; ++i) {
        const auto page = static_cast<slot_id>(random.below(1000));
        if (model.insert(page).second) {
            f.set.insert(page, random.one_in(3));
        } else {
            f.set.hit(page);
        }
        if (model.size() > 100) {
            std::size_t steps = ~std::size_t{0};
            const slot_id victim = f.set.evict([](slot_id p) noexcept { return p % 2 == 1 || p < 500; }, steps);
            CHECK((victim == no_slot || (model.erase(victim) == 1 && !f.set.has(victim))));
            CHECK(steps != ~std::size_t{0});
        }
    }
    CHECK(f.set.check());
    while (!model.empty()) {
        std::size_t steps = ~std::size_t{0};
        const slot_id victim = f.set.evict(any, steps);
        REQUIRE(model.erase(victim) == 1);
    }
    CHECK(f.set.size() == 0);
    CHECK(f.set.check());
}

TEST_CASE("the memory of any number of pages ends where words of 64 bits may begin") {
    for (std::size_t pages = 0; pages < 200; ++pages) {
        CHECK(resident_pages<clock>::bytes_for(pages) % alignof(std::uint64_t) == 0);
        CHECK(resident_pages<lru>::bytes_for(pages) % alignof(std::uint64_t) == 0);
        CHECK(resident_pages<clock>::bytes_for(pages) >= pages + pages / 8);
    }
}

TEST_CASE("each policy's victims are resident, and all go in the end") {
    empties<clock>();
    empties<fifo>();
    empties<lru>();
    empties<probation_clock>();
    empties<s3_fifo>();
}

TEST_CASE("a wanted page is kept longer") {
    fixture<clock> f{8};
    for (slot_id page = 0; page < 4; ++page) {
        f.set.insert(page, page == 0);
    }
    std::size_t steps = 100;
    CHECK(f.set.evict(any, steps) == 1);
    // A policy that remembers is told so instead.
    fixture<probation_clock> g{64};
    for (slot_id page = 0; page < 32; ++page) {
        g.set.insert(page, page < 16);
    }
    for (unsigned i = 0; i < 12; ++i) {
        steps = 1000;
        CHECK(g.set.evict(any, steps) >= 16);
    }
}

TEST_CASE("an eviction stops when its steps are used up") {
    fixture<clock> f{100};
    for (slot_id page = 0; page < 100; ++page) {
        f.set.insert(page, true);
    }
    std::size_t steps = 30, looks = 0;
    while (f.set.evict(any, steps) == no_slot) {
        CHECK(steps == 0);
        looks += 30;
        steps = 30;
    }
    CHECK(looks >= 90);
    CHECK(looks <= 120);
}

} // namespace
} // namespace pagefold::testing::unit_paging_resident_pages
