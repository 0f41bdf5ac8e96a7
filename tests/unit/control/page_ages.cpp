// SPDX-License-Identifier: MIT
#include <pagefold/control/page_ages.hpp>

#include <support/rng.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing::unit_control_page_ages {
namespace {

TEST_CASE("page_ages: of no pages there is nothing to look at") {
    page_ages ages{nullptr, 0};
    CHECK(ages.scan(100, [](std::size_t) noexcept { return page_sight::accessed; }) == 0);
    CHECK(ages.sweeps() == 0);
    CHECK(ages.working_set() == 0);
    CHECK(ages.check());
}

TEST_CASE("page_ages: a page grows older by a sweep, up to the oldest, and young when it is accessed") {
    std::uint8_t bytes[1] = {42};
    page_ages ages{bytes, 1};
    CHECK(ages.age(0) == no_age);
    page_sight seen = page_sight::idle;
    const auto look = [&](std::size_t) noexcept { return seen; };
    for (unsigned sweep = 0; sweep < 300; ++sweep) {
        CHECK(ages.scan(1, look) == 1);
        CHECK(ages.sweeps() == sweep + 1);
        CHECK(ages.age(0) == (sweep < oldest_age ? sweep : oldest_age));
    }
    CHECK(ages.now().at(oldest_age) == 1);
    CHECK(ages.accesses().total() == 0);
    seen = page_sight::accessed;
    ages.scan(1, look);
    CHECK(ages.age(0) == 0);
    CHECK(ages.accesses().at(oldest_age) == 1);
    ages.scan(1, look);
    CHECK(ages.accesses().at(0) == 1);
    ages.forget_accesses();
    CHECK(ages.accesses().total() == 0);
    seen = page_sight::absent;
    ages.scan(1, look);
    CHECK(ages.age(0) == no_age);
    CHECK(ages.now().total() == 0);
    CHECK(ages.accesses().total() == 0);
    CHECK(ages.touch(0)); // new: no access of an old page
    CHECK(ages.accesses().total() == 0);
    CHECK_FALSE(ages.touch(0));
    CHECK(ages.accesses().at(0) == 1);
    ages.drop(0);
    ages.drop(0);
    CHECK(ages.check());
}

TEST_CASE("page_ages: a scan looks at no more than it was told, and at each page once a sweep") {
    std::vector<std::uint8_t> bytes(10);
    page_ages ages{bytes.data(), bytes.size()};
    std::vector<int> looks(10);
    const auto look = [&](std::size_t page) noexcept {
        ++looks[page];
        return page_sight::idle;
    };
    CHECK(ages.scan(0, look) == 0);
    CHECK(ages.scan(4, look) == 4);
    CHECK(ages.scan(4, look) == 4);
    CHECK(ages.sweeps() == 0);
    CHECK(ages.scan(4, look) == 2); // not around the end: one call is of one sweep
    CHECK(ages.sweeps() == 1);
    CHECK(looks == std::vector<int>(10, 1));
    CHECK(ages.scan(100, look) == 10);
    CHECK(ages.sweeps() == 2);
}

TEST_CASE("page_ages: more pages keep the ages of those before, and the hand its place") {
    std::vector<std::uint8_t> few(3);
    std::vector<std::uint8_t> many(6, 7);
    page_ages ages{few.data(), few.size()};
    const auto idle = [](std::size_t) noexcept { return page_sight::idle; };
    ages.scan(3, idle);
    ages.scan(2, idle);
    ages.grow(many.data(), many.size());
    CHECK(ages.check());
    CHECK(ages.pages() == 6);
    CHECK(ages.age(0) == 1);
    CHECK(ages.age(2) == 0);
    CHECK(ages.age(3) == no_age);
    CHECK(ages.now().total() == 3);
    CHECK(ages.scan(10, idle) == 4); // from where it was
    CHECK(ages.age(2) == 1);
    CHECK(ages.age(5) == 0);
    CHECK(ages.sweeps() == 2);
    ages.grow(many.data(), many.size()); // in place, by nothing
    CHECK(ages.check());
}

TEST_CASE("page_ages: random operations against ages kept by hand") {
    constexpr std::size_t pages = 37;
    std::uint8_t bytes[pages];
    page_ages ages{bytes, pages};
    std::vector<int> model(pages, -1);
    std::vector<std::uint64_t> accessed(age_histogram::ages);
    rng random{11};
    std::size_t hand = 0;
    for (int step = 0; step < 20'000; ++step) {
        const std::size_t page = random.below(pages);
        const auto access = [&](std::size_t i) noexcept {
            if (model[i] >= 0) {
                ++accessed[static_cast<std::size_t>(model[i])];
            }
            model[i] = 0;
        };
        switch (random.below(8)) {
        case 0:
            ages.touch(page);
            access(page);
            break;
        case 1:
            ages.drop(page);
            model[page] = -1;
            break;
        default: {
            const std::size_t most = random.below(9);
            std::size_t expected = hand;
            const std::size_t seen = ages.scan(most, [&](std::size_t i) noexcept {
                CHECK(i == expected++);
                const std::uint64_t luck = random.below(64);
                if (luck == 0) {
                    model[i] = -1;
                    return page_sight::absent;
                }
                if (luck < 4) {
                    access(i);
                    return page_sight::accessed;
                }
                model[i] = model[i] < 0 ? 0 : model[i] < oldest_age ? model[i] + 1 : oldest_age;
                return page_sight::idle;
            });
            hand = (hand + seen) % pages;
        }
        }
        REQUIRE(ages.check());
    }
    for (std::size_t page = 0; page < pages; ++page) {
        CHECK(ages.age(page) == (model[page] < 0 ? no_age : model[page]));
    }
    for (unsigned age = 0; age < age_histogram::ages; ++age) {
        CHECK(ages.accesses().at(static_cast<std::uint8_t>(age)) == accessed[age]);
    }
}

} // namespace
} // namespace pagefold::testing::unit_control_page_ages
