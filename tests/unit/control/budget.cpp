// SPDX-License-Identifier: MIT
//
// What a step does. Whether many of them come to rest at the right place: tests/model/steering.cpp.

#include <pagefold/control/budget.hpp>

#include <support/played_clock.hpp>
#include <support/rng.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <initializer_list>

namespace pagefold::testing::unit_control_budget {
namespace {

constexpr std::uint64_t mib = std::uint64_t{1} << 20;
constexpr std::uint64_t second = 1'000'000;
constexpr std::uint64_t page = 4096;

static_assert(monotonic_clock<played_clock>);

constexpr budget_options options() {
    budget_options o;
    o.least_bytes = 10 * mib;
    o.most_bytes = 1'000 * mib;
    o.time.ticks_a_second = second;
    o.time.most_us = 600 * second;
    return o;
}

/// A budget whose clock is at 1 s, and which has seen a sample.
struct fixture {
    played_clock clock{second};
    budget<played_clock> b;
    budget_sample sample{};

    explicit fixture(const budget_options& o = options()) : b{o, clock} {
        sample.stalled_us = 0;
        sample.used_bytes = o.most_bytes;
        b.step(sample);
    }
    std::uint64_t step(std::uint64_t elapsed = second) {
        clock.time += elapsed;
        return b.step(sample);
    }
};

TEST_CASE("budget: starts where it was told, in whole pages and within its bounds") {
    played_clock clock;
    budget_options o = options();
    CHECK(budget<played_clock>{o, clock}.bytes() == 1'000 * mib);
    o.start_bytes = 0;
    CHECK(budget<played_clock>{o, clock}.bytes() == 10 * mib);
    o.start_bytes = 20 * mib + 4'095;
    CHECK(budget<played_clock>{o, clock}.bytes() == 20 * mib);
    o.least_bytes = 2'000 * mib; // above the most
    CHECK(budget<played_clock>{o, clock}.bytes() == 1'000 * mib);
    o.least_bytes = o.most_bytes = 10 * mib + 1; // no whole page between
    CHECK(budget<played_clock>{o, clock}.bytes() == 10 * mib + 1);
    o.page_bytes = 0;
    CHECK(budget<played_clock>{o, clock}.bytes() == 10 * mib + 1);
}

TEST_CASE("budget: whole pages also where the bounds are none") {
    played_clock clock;
    budget_options o = options();
    o.least_bytes = 10 * mib + 1;
    o.most_bytes = 20 * mib + 4'095;
    CHECK(budget<played_clock>{o, clock}.bytes() == 20 * mib);
    for (const std::uint64_t start : {std::uint64_t{0}, 10 * mib, 10 * mib + 1, 10 * mib + 4'095}) {
        o.start_bytes = start;
        CHECK(budget<played_clock>{o, clock}.bytes() == 10 * mib + page);
    }
    o.most_bytes = 10 * mib + page; // one between
    CHECK(budget<played_clock>{o, clock}.bytes() == 10 * mib + page);
    o.most_bytes = 10 * mib + page - 1;
    CHECK(budget<played_clock>{o, clock}.bytes() == 10 * mib + 4'095); // none
    o.least_bytes = greatest_number - 5;
    o.most_bytes = greatest_number;
    CHECK(budget<played_clock>{o, clock}.bytes() == greatest_number - 5); // nor at the end of all numbers
    o.least_bytes = 0;
    o.most_bytes = page - 1;
    o.start_bytes = greatest_number;
    CHECK(budget<played_clock>{o, clock}.bytes() == 0);
    o.page_bytes = greatest_number;
    o.least_bytes = 1;
    CHECK(budget<played_clock>{o, clock}.bytes() == page - 1);
}

TEST_CASE("budget: nothing is taken blindly") {
    played_clock clock;
    budget<played_clock> b{options(), clock};
    for (int i = 0; i < 10'000; ++i) {
        clock.time += second;
        REQUIRE(b.step({}) == 1'000 * mib);
    }
    budget_sample half_known; // what left without what came back, ages without what is used
    half_known.left_pages = 5;
    half_known.cold_bytes = 900 * mib;
    half_known.promoted_pages = 3;
    for (int i = 0; i < 100; ++i) {
        clock.time += second;
        half_known.left_pages += 1'000;
        REQUIRE(b.step(half_known) == 1'000 * mib);
    }
}

TEST_CASE("budget: without stalls it shrinks, with them it grows, each no faster than allowed") {
    fixture f;
    std::uint64_t last = f.b.bytes();
    for (int i = 0; i < 1'000; ++i) {
        const std::uint64_t now = f.step();
        REQUIRE(now <= last);
        REQUIRE(now >= last - last / 5 - page);
        f.sample.used_bytes = now;
        last = now;
    }
    CHECK(last == 10 * mib);
    for (int i = 0; i < 100; ++i) {
        f.sample.stalled_us += second;
        const std::uint64_t now = f.step();
        REQUIRE(now >= last);
        REQUIRE(now <= 5 * last);
        f.sample.used_bytes = now;
        last = now;
    }
    CHECK(last == 1'000 * mib);
}

TEST_CASE("budget: a step in which more would go than there is shrinks it as well") {
    budget_options o = options();
    o.stalls.least_probe_ppm = 10'000; // a hundredth in a second
    fixture f{o};
    f.sample.stalled_us = no_sample;
    f.sample.left_pages = f.sample.refaulted_pages = 0;
    f.step();
    const std::uint64_t before = f.b.bytes();
    CHECK(f.step(300 * second) < before);
}

TEST_CASE("budget: however much came back, it grows no faster than allowed") {
    budget_options o = options();
    o.start_bytes = 20 * mib;
    o.growth_ppm = 1'000'000;
    fixture f{o};
    f.sample.left_pages = f.sample.refaulted_pages = 0;
    f.step();
    const std::uint64_t before = f.b.bytes();
    f.sample.left_pages = f.sample.refaulted_pages = 1'000'000;
    CHECK(f.step(second / 2) > before);
    CHECK(f.b.bytes() <= before + before / 2 + page);
}

TEST_CASE("budget: who has room and waits all the same gets no more") {
    budget_options o = options();
    o.start_bytes = 100 * mib;
    fixture f{o};
    f.sample.used_bytes = 50 * mib;
    for (int i = 0; i < 100; ++i) {
        f.sample.stalled_us += second;
        REQUIRE(f.step() == 100 * mib);
    }
    f.sample.used_bytes = 100 * mib;
    f.sample.stalled_us += second;
    CHECK(f.step() > 100 * mib);
}

TEST_CASE("budget: pages that come straight back belong into it, and stop its shrinking") {
    fixture f;
    f.sample.left_pages = f.sample.refaulted_pages = 0;
    f.step();
    for (int i = 0; i < 100; ++i) {
        f.sample.used_bytes = f.step();
    }
    const std::uint64_t before = f.b.bytes();
    REQUIRE(before < 900 * mib);
    f.sample.left_pages += 1'000;
    f.sample.refaulted_pages += 1'100;
    CHECK(f.step() >= before + 1'000 * page - mib / 2);
    CHECK(f.b.is_pausing());
    f.sample.used_bytes = f.b.bytes();
    const std::uint64_t paused = f.b.bytes();
    for (int i = 0; i < 9; ++i) {
        REQUIRE(f.step(second / 10) == paused);
    }
    for (int i = 0; i < 300; ++i) {
        f.step();
    }
    CHECK(f.b.bytes() < paused);
}

TEST_CASE("budget: with ages what is cold goes, what is promoted comes, and stalls stop it") {
    fixture f;
    f.sample.promoted_pages = 0;
    f.sample.cold_bytes = 700 * mib;
    f.step();
    for (int i = 0; i < 20; ++i) {
        f.sample.used_bytes = f.step(); // a host that evicts what is cold
        f.sample.cold_bytes = f.b.bytes() - 300 * mib;
    }
    CHECK(f.b.bytes() == 300 * mib);
    f.sample.promoted_pages += 2'560;
    CHECK(f.step() == 310 * mib);
    f.sample.used_bytes = 330 * mib; // more is hot than the budget allows
    f.sample.cold_bytes = 0;
    CHECK(f.step() == 330 * mib);
    f.sample.cold_bytes = 100 * mib;
    f.sample.stalled_us += 20 * second;
    CHECK(f.step() >= 330 * mib);
    const std::uint64_t grown = f.b.bytes();
    CHECK(f.step() == grown); // and for a while after
}

TEST_CASE("budget: a host that is slow to evict is not asked twice for the same pages") {
    fixture f;
    f.sample.cold_bytes = 400 * mib; // and it stays so, though the budget shrank
    for (int i = 0; i < 100; ++i) {
        f.step();
    }
    CHECK(f.b.bytes() == 600 * mib);
}

TEST_CASE("budget: clocks that stand still or go back move nothing, and one that jumped ahead no more than a second") {
    fixture f;
    f.sample.used_bytes = f.step();
    const std::uint64_t before = f.b.bytes();
    for (int i = 0; i < 1'000; ++i) {
        f.sample.stalled_us += second;
        REQUIRE(f.step(0) == before);
    }
    f.clock.time -= second / 2;
    CHECK(f.b.step(f.sample) == before);
    f.clock.time += 601 * second; // beyond what is believed
    CHECK(f.b.step(f.sample) == before);
    f.clock.time += 600 * second;                                    // just believed
    CHECK(f.b.step(f.sample) >= before - before / 5 - before / 250); // with what waited to add up
    f.clock.time = 0;
    const std::uint64_t then = f.b.bytes();
    f.sample.stalled_us += 1'000 * second;
    CHECK(f.b.step(f.sample) == then);
}

TEST_CASE("budget: counters that began anew or were missing for a while tell nothing of the time before") {
    fixture f;
    f.sample.left_pages = f.sample.refaulted_pages = 1'000'000;
    f.sample.stalled_us = 500 * second;
    f.step();
    f.step();
    const std::uint64_t before = f.b.bytes();
    f.sample.stalled_us = f.sample.left_pages = f.sample.refaulted_pages = 0; // anew
    CHECK(f.step() == before);
    f.sample.stalled_us = no_sample;
    f.sample.left_pages = no_sample;
    CHECK(f.step() == before);
    f.sample.stalled_us = 40 * second; // over an unknown time
    f.sample.left_pages = 40'000;
    f.sample.refaulted_pages = 40'000;
    CHECK(f.step() == before);
    CHECK(f.step() <= before);
    CHECK_FALSE(f.b.is_pausing());
}

TEST_CASE("budget: small changes wait until they add up") {
    budget_options o = options();
    o.least_change_ppm = 50'000;
    o.stalls.most_probe_ppm = 1'000;
    fixture f{o};
    unsigned changes = 0;
    std::uint64_t last = f.b.bytes();
    for (int i = 0; i < 120; ++i) {
        const std::uint64_t now = f.step();
        f.sample.used_bytes = now;
        REQUIRE((now == last || last - now >= last / 20 - page));
        changes += now != last ? 1u : 0u;
        last = now;
    }
    CHECK(changes >= 1);
    CHECK(changes <= 3);
}

TEST_CASE("budget: other bounds hold at once") {
    fixture f;
    f.b.set_bounds(10 * mib, 50 * mib);
    CHECK(f.b.bytes() == 50 * mib);
    f.b.set_bounds(60 * mib, 2'000 * mib);
    CHECK(f.b.bytes() == 60 * mib);
    f.b.set_bounds(0, 0);
    CHECK(f.b.bytes() == 0);
    CHECK(f.step() == 0);
    f.b.set_bounds(0, greatest_number);
    f.sample.used_bytes = no_sample;
    f.sample.stalled_us += 10 * second;
    CHECK(f.step() == 0);
    f.sample.stalled_us += second;
    CHECK(f.step() == page); // from nothing a page at a time
}

TEST_CASE("budget: whatever comes, it stays in its bounds and changes no faster than it may") {
    rng random{29};
    for (int round = 0; round < 60; ++round) {
        budget_options o = options();
        if (random.one_in(4)) {
            o.least_bytes = random();
            o.most_bytes = random();
            o.start_bytes = random();
        }
        o.page_bytes = random.one_in(8) ? random() >> 32 : page;
        played_clock clock{random()};
        budget<played_clock> b{o, clock};
        budget_sample sample;
        std::uint64_t* const fields[] = {&sample.used_bytes, &sample.stalled_us,      &sample.fully_stalled_us,
                                         &sample.left_pages, &sample.refaulted_pages, &sample.promoted_pages,
                                         &sample.cold_bytes};
        for (int step = 0; step < 400; ++step) {
            clock.time = random.one_in(30) ? random() : clock.time + random.below(3 * second);
            for (std::uint64_t* const field : fields) {
                switch (random.below(12)) {
                case 0: *field = random(); break;
                case 1: *field = no_sample; break;
                case 2: *field = 0; break;
                default: *field += random.below(2 * second);
                }
            }
            const std::uint64_t before = b.bytes();
            const std::uint64_t after = b.step(sample);
            REQUIRE(after == b.bytes());
            REQUIRE(after <= b.most_bytes());
            REQUIRE(after >= b.least_bytes());
            const std::uint64_t size = o.page_bytes != 0 ? o.page_bytes : 1, last = b.most_bytes() / size * size;
            REQUIRE((after % size == 0 || last < b.least_bytes()));
            // Changes that waited are let through together.
            const std::uint64_t slack = scaled(before, 4'000, parts_per_million) + 2 * (o.page_bytes + 1);
            REQUIRE(difference_or_zero(after, before) <= saturated_sum(scaled(before, 4'050'000, 1'000'000), slack));
            REQUIRE(difference_or_zero(before, after) <= saturated_sum(before / 5, slack));
        }
    }
}

} // namespace
} // namespace pagefold::testing::unit_control_budget
