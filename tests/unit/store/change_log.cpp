// SPDX-License-Identifier: MIT
#include <pagefold/store/change_log.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace unit_store_change_log {

using namespace pagefold;

TEST_CASE("change_log: what was marked is taken once, whatever the number of words") {
    for (const std::size_t words : {std::size_t{1}, std::size_t{2}, std::size_t{1024}}) {
        std::vector<atomic<std::uint32_t>> now(words);
        std::vector<std::uint32_t> taken(words, 7);
        change_log log{now.data(), words};
        CHECK(log.count() == words);
        CHECK(log.take(taken.data()) == 0);
        const change_marks marks{taken.data(), static_cast<std::uint32_t>(words)};
        CHECK(!marks.has(0, 5, 6));
        log.mark(0, 5, 6);
        log.mark(0, 5, 6);
        CHECK(log.marked() == 1);
        log.mark(1, 5, 6);
        log.mark(0, 5, 7);
        CHECK(!marks.has(0, 5, 6));
        const std::size_t bits = log.take(taken.data());
        CHECK(bits <= 3);
        CHECK(bits >= (words == 1024 ? 3u : 1u));
        CHECK(marks.has(0, 5, 6));
        CHECK(marks.has(1, 5, 6));
        CHECK(marks.has(0, 5, 7));
        CHECK((words != 1024 || !marks.has(2, 5, 6)));
        CHECK(log.marked() == 0);
        log.mark_all();
        CHECK(log.marked() == words * 32);
        CHECK(log.take(taken.data()) == words * 32);
        CHECK(marks.has(9, 9, 9));
        CHECK(log.take(taken.data()) == 0);
        log.mark(0, 1, 1);
        log.mark_all();
        log.clear();
        CHECK(log.take(taken.data()) == 0);
    }
}

TEST_CASE("change_marks: bits are the format's, and counts are powers of two") {
    CHECK(change_marks::bit(1024, 3, 5, 7) == change_marks::bit(2048, 3, 5, 7) % 32768);
    CHECK(change_marks{}.is_empty());
    CHECK(!change_marks::is_count(0));
    CHECK(change_marks::is_count(1));
    CHECK(!change_marks::is_count(3));
    CHECK(change_marks::is_count(change_marks::most_words));
    CHECK(!change_marks::is_count(2 * change_marks::most_words));
}

} // namespace unit_store_change_log
