// SPDX-License-Identifier: MIT
#include <pagefold/platform/page_bitmap.hpp>

#include <support/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

namespace pagefold::testing::unit_platform_page_bitmap {
namespace {

/// A bitmap and the plainest thing that says the same.
struct compared {
    explicit compared(std::size_t pages) : words(page_bitmap::words_for(pages), 0xabcdu), taken(pages, false) {
        map().reset();
    }
    page_bitmap map() { return {words.data(), taken.size()}; }
    void assign(std::size_t first, std::size_t count, bool value) {
        value ? map().set(first, count) : map().clear(first, count);
        std::fill_n(taken.begin() + static_cast<std::ptrdiff_t>(first), count, value);
    }
    [[nodiscard]] std::size_t clear_from(std::size_t first) const {
        std::size_t count = 0;
        while (first + count < taken.size() && !taken[first + count]) {
            ++count;
        }
        return count;
    }
    [[nodiscard]] std::size_t find_clear(std::size_t count, std::size_t from) const {
        for (std::size_t first = from; first < taken.size(); ++first) {
            if (clear_from(first) >= count) {
                return first;
            }
        }
        return page_bitmap::npos;
    }
    std::vector<std::uint64_t> words;
    std::vector<bool> taken;
};

void check_agreement(compared& both, rng& random) {
    const std::size_t pages = both.taken.size();
    const std::size_t from = random.below(pages);
    const std::size_t span = random.below(pages - from + 1);
    const auto begin = both.taken.begin() + static_cast<std::ptrdiff_t>(from);
    const auto set = static_cast<std::size_t>(std::count(begin, begin + static_cast<std::ptrdiff_t>(span), true));
    REQUIRE(both.map().count(from, span) == set);
    REQUIRE(both.map().all_set(from, span) == (set == span));

    for (const std::size_t count :
         {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{1} + static_cast<std::size_t>(random.below(64)),
          std::size_t{64}, std::size_t{65}, std::size_t{1} + static_cast<std::size_t>(random.below(pages))}) {
        REQUIRE(both.map().find_clear(count) == both.find_clear(count, 0));
        REQUIRE(both.map().find_clear(count, from) == both.find_clear(count, from));
    }

    const std::size_t next = std::min(both.find_clear(1, from), pages);
    const page_bitmap::run run = both.map().next_clear_run(from);
    REQUIRE(run.first == next);
    REQUIRE(run.count == both.clear_from(next));
    if (run.count != 0) {
        std::size_t first = next;
        while (first > 0 && !both.taken[first - 1]) {
            --first;
        }
        const page_bitmap::run around = both.map().clear_run_around(next + random.below(run.count));
        REQUIRE(around.first == first);
        REQUIRE(around.count == both.clear_from(first));
    }

    std::size_t longest = 0;
    for (std::size_t page = 0; page < pages; ++page) {
        longest = std::max(longest, both.clear_from(page));
    }
    REQUIRE(both.map().longest_clear_run() == longest);
}

TEST_CASE("page_bitmap: agrees with an array of bools, whatever its size") {
    rng random{7};
    for (const std::size_t pages : {1u, 2u, 32u, 63u, 64u, 65u, 128u, 200u, 512u}) {
        CAPTURE(pages);
        compared both{pages};
        check_agreement(both, random);
        for (int round = 0; round < 120; ++round) {
            // Long assignments now and then, so that there are long runs to find.
            const std::size_t longest = random.one_in(8) ? pages : std::min<std::size_t>(pages, 5);
            const std::size_t count = random.below(longest + 1);
            both.assign(random.below(pages - count + 1), count, random.one_in(2));
            check_agreement(both, random);
        }
        both.assign(0, pages, true);
        check_agreement(both, random);
    }
}

TEST_CASE("page_bitmap: a run that ends with the last page is found, one past it is not") {
    compared both{100};
    both.assign(0, 90, true);
    CHECK(both.map().find_clear(10) == 90);
    CHECK(both.map().find_clear(11) == page_bitmap::npos);
    CHECK(both.map().find_clear(1, 99) == 99);
}

TEST_CASE("page_bitmap: of no pages is full") {
    page_bitmap none{nullptr, 0};
    none.reset();
    CHECK(none.find_clear(1) == page_bitmap::npos);
    CHECK(none.next_clear_run(0).count == 0);
    CHECK(none.longest_clear_run() == 0);
}

} // namespace
} // namespace pagefold::testing::unit_platform_page_bitmap
