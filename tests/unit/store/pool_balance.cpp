// SPDX-License-Identifier: MIT
//
// Where a page goes: the choice by itself, over partitions that only tell and count. What it comes to for tenants is
// tests/model/flood.cpp.
#include <pagefold/store/pool_balance.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing::unit_store_pool_balance {
namespace {

struct told {
    bool has_pages = true;
    std::uint32_t turns = 0;
    unsigned holds = 0;

    pool_pace pace_of(std::uint32_t, bool is_ahead, std::uint32_t least) noexcept {
        ++holds;
        if (is_ahead && pool_balance<told>::is_behind(turns, least)) {
            turns = least;
        }
        return {has_pages, turns};
    }
};
using balance = pool_balance<told>;

struct scene {
    explicit scene(std::size_t count) : parts(count) {}
    [[nodiscard]] std::size_t size() const noexcept { return parts.size(); }
    told& operator[](std::size_t i) const noexcept { return parts[i]; }
    balance::answer ask(partition_id home, partition_id no_help = balance::nowhere) {
        const unsigned before = holds();
        const balance::answer found =
            balance::find(*this, record, 3, home, [&](partition_id i) noexcept { return i != no_help; });
        most = holds() - before > most ? holds() - before : most;
        return found;
    }
    /// As many questions as come to each other partition at least once.
    balance::answer ask_round(partition_id home, partition_id no_help = balance::nowhere) {
        balance::answer last;
        for (std::size_t i = 0; i < balance::questions_a_look * (size() + 1); ++i) {
            last = ask(home, no_help);
        }
        return last;
    }
    [[nodiscard]] unsigned holds() const {
        unsigned sum = 0;
        for (const told& one : parts) {
            sum += one.holds;
        }
        return sum;
    }

    mutable std::vector<told> parts;
    pool_record record{};
    unsigned most = 0;
};

} // namespace

TEST_CASE("pool_balance: one partition is asked once, and has nowhere else") {
    scene s{1};
    for (int i = 0; i < 100; ++i) {
        const balance::answer found = s.ask(0);
        CHECK(found.has_pages);
        CHECK(found.behind == balance::nowhere);
    }
    CHECK(s.holds() == 100);
    s[0].has_pages = false;
    CHECK_FALSE(s.ask(0).has_pages);
}

TEST_CASE("pool_balance: a pool at its cap asks each eighth time, and where the hint says that home is too far ahead") {
    scene s{8};
    const auto asks = [&](partition_id home, std::uint32_t turns) {
        const bool is_due = balance::is_due(s.record, home, turns);
        if (is_due) { // as find does
            s.record.questions.store(static_cast<std::uint16_t>(s.record.questions.load(memory_order::relaxed) + 1),
                                     memory_order::relaxed);
        }
        return is_due;
    };
    s.record.behind.store(3, memory_order::relaxed);
    s.record.behind_turns.store(5000, memory_order::relaxed);
    unsigned due = 0;
    for (unsigned i = 0; i < 800; ++i) {
        due += asks(1, 5000 + balance::tolerance) ? 1u : 0u;
    }
    CHECK(due == 800 / balance::questions_a_look);
    for (unsigned i = 0; i < balance::questions_a_look; ++i) {
        CHECK(asks(1, 5001 + balance::tolerance));
    }
    due = 0;
    for (unsigned i = 0; i < 2 * balance::questions_a_look; ++i) { // it is itself the one that was behind
        due += asks(3, 9000 + balance::tolerance) ? 1u : 0u;
    }
    CHECK(due == 2);
    s.record.behind_turns.store(0u - 10u, memory_order::relaxed); // numbers wrap
    CHECK(asks(1, balance::tolerance));
    CHECK(s.holds() == 0);
}

TEST_CASE("pool_balance: in balance a page goes at home, and few holds are taken to know") {
    scene s{8};
    for (std::size_t i = 0; i < 8; ++i) {
        s[i].turns = 1000 + static_cast<std::uint32_t>(i);
    }
    for (int i = 0; i < 8000; ++i) {
        const balance::answer found = s.ask(static_cast<partition_id>(i) % 8);
        CHECK_UNARY(found.has_pages);
        CHECK_UNARY(found.behind == balance::nowhere);
    }
    CHECK(s.holds() <= 8000 + 8000 / balance::questions_a_look);
}

TEST_CASE("pool_balance: the partition that is furthest behind is found, wherever it is, and no sooner than by the "
          "tolerance") {
    for (partition_id home = 0; home < 5; ++home) {
        for (partition_id behind = 0; behind < 5; ++behind) {
            CAPTURE(home);
            CAPTURE(behind);
            if (home == behind) {
                continue;
            }
            scene s{5};
            for (std::size_t i = 0; i < 5; ++i) {
                s[i].turns = 5000;
            }
            s[behind].turns = 5000 - balance::tolerance;
            CHECK(s.ask_round(home).behind == balance::nowhere);
            --s[behind].turns;
            CHECK(s.ask_round(home).behind == behind);
            CHECK(s.ask_round(home, behind).behind == balance::nowhere); // where its memory is no help
            s[behind].has_pages = false;
            CHECK(s.ask_round(home).behind == balance::nowhere);
            CHECK(s.most <= 4);
        }
    }
}

TEST_CASE("pool_balance: who catches up is not asked for more, and the next one is") {
    scene s{3};
    s[0].turns = 10000;
    s[1].turns = s[2].turns = 10000 - 3 * balance::round;
    s[2].turns += 1;
    CHECK(s.ask_round(0).behind == 1);
    s[1].turns = 10000;
    CHECK(s.ask(0).behind == balance::nowhere); // it is looked at first
    CHECK(s.ask_round(0).behind == 2);
}

TEST_CASE("pool_balance: a home without pages takes from who is behind, by however little") {
    scene s{3};
    s[0].has_pages = false;
    s[1].turns = 7;
    s[2].turns = 6;
    const balance::answer found = s.ask_round(0);
    CHECK_FALSE(found.has_pages);
    CHECK(found.behind == 2);
    CHECK(s[1].turns == 7); // and sets nobody forward
}

TEST_CASE("pool_balance: nobody stays behind by more than he would lose in a while") {
    scene s{2};
    s[0].turns = 100 * balance::round;
    CHECK(s.ask_round(0).behind == 1);
    CHECK(s[1].turns == s[0].turns - balance::most_behind);
}

TEST_CASE("pool_balance: turns wrap") {
    scene s{2};
    s[0].turns = 5;
    s[1].turns = 5 - balance::tolerance - 1; // near 2^32
    CHECK(s.ask_round(0).behind == 1);
    s[1].turns = 6;
    s[0].turns = 0xfffffff0u;
    CHECK(s.ask_round(0).behind == balance::nowhere);
    CHECK(balance::is_behind(0xffffffffu, 0));
    CHECK_FALSE(balance::is_behind(0, 0));
    CHECK_FALSE(balance::is_behind(0, 0xffffffffu));
}

TEST_CASE("pool_balance: hints that lead nowhere are mended") {
    scene s{4};
    for (std::size_t i = 0; i < 4; ++i) {
        s[i].turns = 100000;
    }
    s[3].turns -= 3 * balance::round;
    s.record.behind.store(77, memory_order::relaxed); // of a slot's earlier pool, say
    s.record.behind_turns.store(3, memory_order::relaxed);
    CHECK(s.ask_round(0).behind == 3);
    s.record.behind.store(1, memory_order::relaxed);
    s.record.behind_turns.store(99, memory_order::relaxed);
    CHECK(s.ask_round(0).behind == 3);
}

} // namespace pagefold::testing::unit_store_pool_balance
