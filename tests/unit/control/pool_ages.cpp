// SPDX-License-Identifier: MIT
#include <pagefold/control/pool_ages.hpp>

#include <support/rng.hpp>
#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace pagefold::testing::unit_control_pool_ages {
namespace {

TEST_CASE("pool_ages: of no pages there is nothing, and no memory is taken") {
    test_source source;
    pool_ages<test_source> ages{source};
    CHECK(ages.bytes() == 0);
    CHECK(ages.open(0) == status::ok);
    CHECK(source.acquisitions() == 0);
    CHECK(ages.scan(100) == 0);
    CHECK(ages.ages().now().total() == 0);
    CHECK(ages.check());
}

TEST_CASE("pool_ages: two bytes a page, and all of it goes back") {
    test_source source;
    {
        pool_ages<test_source> ages{source};
        CHECK(ages.open(2048) == status::ok);
        CHECK(ages.bytes() == 4096);
        CHECK(source.bytes_held() == 4096);
        CHECK(ages.check());
        pool_ages<test_source> more{source};
        CHECK(more.open(2049) == status::ok);
        CHECK(more.bytes() == 8192);
    }
    CHECK(source.bytes_held() == 0);
}

TEST_CASE("pool_ages: a source that refuses, and more pages than there are addresses") {
    test_source source;
    pool_ages<test_source> ages{source};
    CHECK(ages.open(~std::size_t{0}) == status::limit);
    CHECK(ages.open(~std::size_t{0} / 4 + 1) == status::limit);
    CHECK(source.acquisitions() == 0);
    for (const status answer : {status::no_memory, status::limit}) {
        source.refuse_nth(1, answer);
        CHECK(ages.open(10) == answer);
        CHECK(ages.ages().pages() == 0);
        CHECK(ages.bytes() == 0);
        CHECK(ages.check());
    }
    CHECK(ages.open(10) == status::ok); // none of it was a try too many
    CHECK(ages.ages().pages() == 10);
}

TEST_CASE("pool_ages: a scan looks at no more pages than it was told, and asks only of those that nobody noted") {
    test_source source;
    pool_ages<test_source> ages{source};
    REQUIRE(ages.open(10) == status::ok);
    std::vector<std::size_t> asked;
    const auto is_there = [&](std::size_t page) noexcept {
        asked.push_back(page);
        return page != 7;
    };
    for (const std::size_t page : {1u, 3u, 7u}) {
        ages.note_access(page);
    }
    CHECK(ages.scan(4, is_there) == 4);
    CHECK(ages.ages().now().total() == 2);
    CHECK(ages.scan(100, is_there) == 6);
    CHECK(ages.ages().now().at(0) == 3);
    CHECK(asked.empty());
    ages.note_access(3);
    ages.note_gone(1);
    CHECK(ages.scan(100, is_there) == 10);
    CHECK(asked == std::vector<std::size_t>{7});
    CHECK(ages.ages().age(1) == no_age);
    CHECK(ages.ages().age(3) == 0);
    CHECK(ages.ages().age(7) == no_age); // the store had dropped it
    CHECK(ages.ages().accesses().at(0) == 1);
    ages.forget_accesses();
    CHECK(ages.ages().accesses().total() == 0);
    CHECK(ages.scan(100) == 10);
    CHECK(ages.ages().age(3) == 1);
    CHECK(ages.check());
}

TEST_CASE("pool_ages: random notes against ages kept by hand") {
    constexpr std::size_t pages = 50;
    test_source source;
    pool_ages<test_source> ages{source};
    REQUIRE(ages.open(pages) == status::ok);
    rng random{7};
    std::vector<unsigned> age(pages, no_age), note(pages, 0);
    std::size_t hand = 0;
    for (unsigned step = 0; step < 20'000; ++step) {
        const std::size_t page = random.below(pages);
        if (random.below(400) == 0) {
            const std::size_t most = random.below(2 * pages);
            const std::size_t seen = most < pages - hand ? most : pages - hand;
            CHECK(ages.scan(most) == seen);
            for (std::size_t i = hand; i < hand + seen; ++i) {
                age[i] = note[i] == 1                       ? 0u
                         : note[i] == 2 || age[i] == no_age ? unsigned{no_age}
                         : age[i] < unsigned{oldest_age}    ? age[i] + 1
                                                            : unsigned{oldest_age};
                note[i] = 0;
            }
            hand = (hand + seen) % pages;
            CHECK(ages.check());
        } else if (random.below(4) == 0) {
            ages.note_gone(page);
            note[page] = 2;
        } else if (page % 3 != 0) { // the others grow old
            ages.note_access(page);
            note[page] = 1;
        }
    }
    for (std::size_t page = 0; page < pages; ++page) {
        CHECK(ages.ages().age(page) == age[page]);
    }
}

TEST_CASE("pool_ages: others note while one scans, and the ages stay sound") {
    constexpr std::size_t pages = 512;
    test_source source;
    pool_ages<test_source> ages{source};
    REQUIRE(ages.open(pages) == status::ok);
    {
        std::vector<std::jthread> threads;
        for (unsigned thread = 0; thread < 3; ++thread) {
            threads.emplace_back([&ages, thread] {
                rng random{thread + 1};
                for (unsigned i = 0; i < 30'000; ++i) {
                    const std::size_t page = random.below(pages);
                    random.below(8) == 0 ? ages.note_gone(page) : ages.note_access(page);
                }
            });
        }
        for (unsigned i = 0; i < 200; ++i) {
            ages.scan(100);
        }
    }
    for (std::size_t page = 0; page < pages; ++page) {
        ages.note_access(page);
    }
    while (ages.scan(pages) != pages) { // the rest of a sweep, and a whole one
    }
    CHECK(ages.ages().now().total() == pages);
    CHECK(ages.check());
}

} // namespace
} // namespace pagefold::testing::unit_control_pool_ages
