// SPDX-License-Identifier: MIT

#include "support/environment.hpp"
#include "support/stepped.hpp"
#include "support/test_source.hpp"

#include <pagefold/store/limited_source.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

namespace unit_store_limited_source {

using namespace pagefold;
using namespace pagefold::testing;

namespace {
constexpr std::size_t most = ~std::size_t{0};
}

TEST_CASE("byte_budget: a part is limited by the whole as well") {
    byte_budget whole{1000}, part{2000, whole};
    CHECK(whole.lowest_limit() == 1000);
    CHECK(part.lowest_limit() == 1000);
    part.set_limit(500);
    CHECK(part.lowest_limit() == 500);
    CHECK(whole.lowest_limit() == 1000);
    test_source source;
    CHECK(limited_source{source, part}.limit() == 500);
    part.set_limit(5000);
    CHECK(limited_source{source, part}.limit() == 1000);
}

TEST_CASE("a part of a budget is charged to the whole as well, and either can refuse") {
    byte_budget whole{100};
    byte_budget a{60, whole}, b{~std::size_t{0}, whole};
    CHECK(a.charge(60, 0));
    CHECK(!a.charge(1, 0));
    CHECK(a.is_short_part(1));
    CHECK(!a.is_short_part(0));
    CHECK(!b.charge(41, 0));
    CHECK(!b.is_short_part(41)); // the whole is
    CHECK(b.used() == 0);
    CHECK(b.peak() == 0);    // nothing was had
    CHECK(!b.charge(40, 1)); // what others have reserved is the whole's
    CHECK(b.charge(40, 0));
    CHECK(whole.used() == 100);
    CHECK(!whole.is_short_part(1));
    a.give_back(50);
    CHECK(a.used() == 10);
    CHECK(whole.used() == 50);
    b.add(70);
    CHECK(b.used() == 110);
    CHECK(whole.used() == 120);
    b.give_back(70);
    a.set_limit(5);
    CHECK(!a.charge(1, 0));
    CHECK(whole.used() == 50);
    CHECK(a.peak() == 60);
    CHECK(b.peak() == 40);
    CHECK(whole.peak() == 100);
}

TEST_CASE("a budget gives what is under its limit and not a byte more") {
    byte_budget budget{10};
    CHECK(budget.charge(4, 0));
    CHECK(!budget.charge(7, 0));
    CHECK(budget.charge(6, 0));
    CHECK(!budget.charge(1, 0));
    CHECK(budget.charge(0, 0));
    CHECK(budget.used() == 10);
    budget.give_back(5);
    CHECK(budget.used() == 5);
    CHECK(budget.peak() == 10);
    CHECK(!budget.charge(6, 0));
    CHECK(budget.charge(5, 0));
}

TEST_CASE("a budget leaves what is held back") {
    byte_budget budget{10};
    CHECK(!budget.charge(4, 7));
    CHECK(budget.charge(4, 6));
    CHECK(!budget.charge(1, 6));
    CHECK(!budget.charge(1, most));
    CHECK(budget.charge(6, 0));
    CHECK(budget.used() == 10);
}

TEST_CASE("no size or limit makes a budget's arithmetic wrap") {
    byte_budget budget{most};
    CHECK(budget.charge(most - 1, 0));
    CHECK(!budget.charge(2, 0));
    CHECK(!budget.charge(most, 0));
    CHECK(!budget.charge(1, 1));
    CHECK(!budget.charge(1, most));
    CHECK(budget.charge(1, 0));
    CHECK(budget.used() == most);
    CHECK(budget.peak() == most);
    CHECK(!budget.charge(1, 0));

    byte_budget nothing{0};
    CHECK(!nothing.charge(1, 0));
    CHECK(!nothing.charge(most, most));
    CHECK(nothing.charge(0, 0));
}

TEST_CASE("the peak of a budget is the most that was charged at a time, and stays") {
    byte_budget budget{10};
    CHECK(budget.peak() == 0);
    CHECK(budget.charge(8, 0));
    CHECK(!budget.charge(3, 0)); // what is refused never was
    CHECK(budget.peak() == 8);
    budget.give_back(5);
    CHECK(budget.charge(1, 0));
    CHECK(budget.used() == 4);
    CHECK(budget.peak() == 8);
    CHECK(budget.charge(5, 0));
    CHECK(budget.peak() == 9);
}

TEST_CASE("a limit below what is used refuses until enough came back") {
    byte_budget budget{10};
    CHECK(budget.charge(8, 0));
    budget.set_limit(5);
    CHECK(budget.limit() == 5);
    CHECK(budget.used() == 8);
    CHECK(!budget.charge(1, 0));
    CHECK(!budget.charge(0, 0));
    budget.give_back(4);
    CHECK(budget.charge(1, 0));
    CHECK(!budget.charge(1, 0));
}

TEST_CASE("no charge is granted under a limit that was lowered and met before") {
    // Each round one thread charges while the other lowers the limit to what is used: refused, or not met.
    const unsigned rounds = in_part(100'000u);
    byte_budget budget{2};
    CHECK(budget.charge(1, 0));
    std::atomic<unsigned> begun{0}, ended{0};
    bool is_granted = false;
    std::thread other{[&] {
        for (unsigned round = 1; round <= rounds; ++round) {
            while (begun.load() != round) {
                std::this_thread::yield();
            }
            is_granted = budget.charge(1, 0);
            ended.store(round);
        }
    }};
    unsigned wrong = 0;
    for (unsigned round = 1; round <= rounds; ++round) {
        begun.store(round);
        for (unsigned i = 0; i < round % 61; ++i) {
            static_cast<void>(begun.load()); // a pause of a length of its own
        }
        budget.set_limit(1);
        const bool is_met = budget.used() <= 1;
        while (ended.load() != round) {
            std::this_thread::yield();
        }
        wrong += is_met && is_granted ? 1 : 0;
        budget.give_back(is_granted ? 1 : 0);
        budget.set_limit(2);
    }
    other.join();
    CHECK(wrong == 0);
    CHECK(budget.used() == 1);
}

TEST_CASE("a limit that is lowered at any instruction of a charge is kept, and who is refused has taken nothing") {
    if (!stepped::is_possible) {
        MESSAGE("no steps on this machine");
        return;
    }
    unsigned refused = 0, taken_back = 0;
    std::uint64_t n = 0, steps = 0;
    do {
        ++n;
        byte_budget budget{2};
        REQUIRE(budget.charge(1, 0));
        bool is_granted = false, is_met = false;
        std::uint64_t step = 0;
        steps = stepped::run(
            n, [&] { is_granted = budget.charge(1, 0); },
            [&] {
                if (++step == n) {
                    budget.set_limit(1);
                    is_met = budget.used() <= 1;
                }
            });
        refused += is_granted ? 0 : 1;
        taken_back += !is_granted && !is_met ? 1 : 0;
        REQUIRE(!(is_met && is_granted));
        REQUIRE(budget.used() == (is_granted ? 2 : 1));
    } while (steps == n); // it had as many instructions
    CHECK(refused > 0);
    CHECK(taken_back > 0);
}

TEST_CASE("threads together never charge more than the limit") {
    byte_budget budget{1000};
    std::vector<std::thread> threads;
    std::vector<unsigned> granted(4);
    for (unsigned t = 0; t < 4; ++t) {
        threads.emplace_back([&budget, &mine = granted[t]] {
            for (unsigned i = 0; i < 5000; ++i) {
                if (budget.charge(3, 0)) {
                    ++mine;
                    if (i % 8 != 0) {
                        budget.give_back(3);
                        --mine;
                    }
                }
            }
        });
    }
    std::size_t sum = 0;
    for (unsigned t = 0; t < 4; ++t) {
        threads[t].join();
        sum += granted[t];
    }
    CHECK(budget.used() == 3 * sum);
    CHECK(budget.used() == 999);
    CHECK(budget.peak() == 999);
}

TEST_CASE("a source that defers numbers its changes, for who has the lock") {
    test_source memory;
    byte_budget budget{4096};
    limited_source source{memory, budget, limited_source::releases::deferred};
    std::uint64_t last = source.changes();
    const auto has_changed = [&] { return std::exchange(last, source.changes()) != last; };
    CHECK_FALSE(has_changed());
    void* const one = source.acquire(1, any_node).value();
    CHECK(has_changed());
    CHECK_FALSE(has_changed());
    source.release(one, 1);
    CHECK(has_changed());
    source.release_all(source.take_deferred());
    CHECK_FALSE(has_changed());
}

TEST_CASE("threads share a source that releases at once") {
    test_source memory;
    byte_budget budget{40 * 4096};
    limited_source source{memory, budget};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 4; ++t) {
        threads.emplace_back([&source] {
            for (unsigned i = 0; i < 500; ++i) {
                const result<void*> run = source.acquire(1 + i % 20, any_node);
                if (run) {
                    source.release(*run, 1 + i % 20);
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(budget.used() == 0);
    CHECK(budget.peak() <= 40 * 4096);
}

TEST_CASE("deferred releases happen when they are asked for, and before a refusal") {
    test_source memory;
    byte_budget budget{5 * 4096};
    {
        limited_source source{memory, budget, limited_source::releases::deferred};
        CHECK(source.take_deferred().empty());
        void* const three = source.acquire(3, any_node).value();
        void* const one = source.acquire(1, any_node).value();
        source.release(three, 3);
        CHECK(memory.bytes_held() == 4 * 4096); // it waits
        CHECK(budget.used() == 4 * 4096);
        source.release(one, 1);
        const auto runs = source.take_deferred();
        CHECK_FALSE(runs.empty());
        CHECK(source.take_deferred().empty());
        CHECK(memory.bytes_held() == 4 * 4096);
        source.release_all(runs);
        CHECK(memory.bytes_held() == 0);
        CHECK(budget.used() == 0);

        void* const four = source.acquire(4, any_node).value();
        source.release(four, 4);
        void* const five = source.acquire(5, any_node).value(); // the budget allows it only without the four
        CHECK(memory.bytes_held() == 5 * 4096);
        source.release(five, 5);
        budget.set_limit(6 * 4096);
        memory.refuse_nth(1);
        void* const again = source.acquire(1, any_node).value(); // nor did the source, at first
        CHECK(memory.bytes_held() == 4096);
        memory.refuse_nth(1);
        CHECK(source.acquire(1, any_node).error() == status::no_memory);
        CHECK(budget.used() == 4096);
        source.release(again, 1);
    }
    CHECK(memory.bytes_held() == 0); // the last one on destruction
    CHECK(budget.used() == 0);
}

TEST_CASE("a limited source charges by the page and says why not") {
    test_source memory;
    byte_budget budget{5 * 4096};
    limited_source source{memory, budget};
    CHECK(source.page_size() == 4096);
    void* const three = source.acquire(3, any_node).value();
    CHECK(budget.used() == 3 * 4096);
    CHECK(memory.bytes_held() == 3 * 4096);
    CHECK(source.acquire(3, any_node).error() == status::limit);
    CHECK(source.acquire(most / 4096 + 1, any_node).error() == status::no_memory);
    CHECK(source.acquire(most / 4096, any_node).error() == status::limit);
    void* one = nullptr;
    {
        const limited_source::holding_back scope{source, 4096};
        CHECK(source.acquire(2, any_node).error() == status::limit);
        one = source.acquire(1, any_node).value();
        CHECK(source.acquire(1, any_node).error() == status::limit);
    }
    memory.refuse_nth(1);
    CHECK(source.acquire(1, any_node).error() == status::no_memory);
    CHECK(budget.used() == 4 * 4096);
    source.release(three, 3);
    CHECK(budget.used() == 4096);
    source.release(one, 1);
    CHECK(budget.used() == 0);
    CHECK(budget.peak() == 5 * 4096); // the refused page was charged for a moment
}

} // namespace unit_store_limited_source
