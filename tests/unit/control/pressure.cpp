// SPDX-License-Identifier: MIT
#include <pagefold/control/pressure.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <initializer_list>

namespace pagefold::testing::unit_control_pressure {
namespace {

constexpr std::uint64_t second = 1'000'000;
constexpr std::uint64_t mib = std::uint64_t{1} << 20;

/// No averages, and a probe that is always the same.
constexpr pressure_options plain{.target_ppm = 10'000,
                                 .full_weight = 1,
                                 .window_us = 1,
                                 .least_probe_ppm = 20'000,
                                 .most_probe_ppm = 20'000,
                                 .ramp_us = second,
                                 .hold_us = 0,
                                 .most_growth_ppm = 500'000};

TEST_CASE("pressure: without stalls all of the probe goes, at the target nothing, and in between in proportion") {
    for (const std::uint64_t stalled : {0u, 2'500u, 5'000u, 7'500u, 9'999u, 10'000u}) {
        pressure p{plain};
        const pressure_advice advice = p.step(1'000 * mib, stalled, 0, second);
        CHECK(advice.grow_bytes == 0);
        CHECK(advice.shrink_bytes == 20 * mib * (10'000 - stalled) / 10'000);
    }
}

TEST_CASE("pressure: above the target memory comes back in proportion to how far above") {
    pressure barely{plain};
    CHECK(barely.step(1'000 * mib, 10'001, 0, second).grow_bytes < mib);
    pressure twice{plain};
    CHECK(twice.step(1'000 * mib, 20'000, 0, second).grow_bytes == 250 * mib);
    pressure nothing_else{plain};
    const pressure_advice most = nothing_else.step(1'000 * mib, second, 0, second);
    CHECK(most.grow_bytes == 495 * mib);
    CHECK(most.shrink_bytes == 0);
    pressure more_than_all{plain};
    CHECK(more_than_all.step(1'000 * mib, greatest_number, greatest_number, second).grow_bytes == 495 * mib);
}

TEST_CASE("pressure: advice is for the time that passed") {
    pressure p{plain};
    CHECK(p.step(1'000 * mib, 0, 0, second / 10).shrink_bytes == 2 * mib);
    CHECK(p.step(1'000 * mib, 0, 0, 10 * second).shrink_bytes == 200 * mib);
    const pressure_advice none = p.step(1'000 * mib, 5, 5, 0);
    CHECK(none.grow_bytes + none.shrink_bytes == 0);
}

TEST_CASE("pressure: a full stall weighs more, whatever the weight") {
    pressure_options options = plain;
    options.full_weight = 4;
    pressure p{options};
    static_cast<void>(p.step(mib, 10'000, 5'000, second));
    CHECK(p.average_ppm() == 25'000);
    options.full_weight = 0;
    pressure light{options};
    static_cast<void>(light.step(mib, 10'000, 5'000, second));
    CHECK(light.average_ppm() == 10'000);
}

TEST_CASE("pressure: a single stall in a long calm neither grows nor is forgotten at once") {
    pressure_options options = plain;
    options.window_us = 10 * second;
    pressure p{options};
    for (int i = 0; i < 20; ++i) {
        CHECK(p.step(1'000 * mib, 0, 0, second).shrink_bytes == 20 * mib);
    }
    const pressure_advice spike = p.step(1'000 * mib, 50'000, 0, second);
    CHECK(spike.grow_bytes == 0);
    CHECK(spike.shrink_bytes == 0);
    CHECK(p.average_ppm() == 5'000);
    const pressure_advice after = p.step(1'000 * mib, 0, 0, second);
    CHECK(after.shrink_bytes > 10 * mib);
    CHECK(after.shrink_bytes < 20 * mib);
    for (int i = 0; i < 200; ++i) {
        static_cast<void>(p.step(mib, 0, 0, second));
    }
    CHECK(p.average_ppm() == 0); // no rest stays
}

TEST_CASE("pressure: after a stall the probe is small, and doubles while all is calm") {
    pressure_options options = plain;
    options.least_probe_ppm = 1'000;
    options.most_probe_ppm = 6'000;
    pressure p{options};
    std::uint64_t expected[] = {2'000, 4'000, 6'000, 6'000};
    for (const std::uint64_t probe : expected) {
        static_cast<void>(p.step(mib, 0, 0, second));
        CHECK(p.probe_ppm() == probe);
    }
    static_cast<void>(p.step(mib, 7'000, 0, second)); // near the target: neither
    CHECK(p.probe_ppm() == 6'000);
    static_cast<void>(p.step(mib, 30'000, 0, second));
    CHECK(p.probe_ppm() == 1'000);
    static_cast<void>(p.step(mib, 0, 0, 100 * second)); // a long step is as many short ones
    CHECK(p.probe_ppm() == 6'000);
    p.reset();
    CHECK(p.probe_ppm() == 1'000);
    CHECK(p.average_ppm() == 0);
}

TEST_CASE("pressure: after memory came back none is taken for a while") {
    pressure_options options = plain;
    options.hold_us = 3 * second;
    pressure p{options};
    CHECK(p.step(mib, 0, 0, second).shrink_bytes != 0);
    CHECK(p.step(mib, 20'000, 0, second).grow_bytes != 0);
    CHECK(p.step(mib, 20'000, 0, second).grow_bytes != 0); // each time anew
    CHECK(p.step(mib, 0, 0, second).shrink_bytes == 0);
    CHECK(p.step(mib, 0, 0, 2 * second - 1).shrink_bytes == 0);
    CHECK(p.step(mib, 0, 0, 1).shrink_bytes == 0); // nothing of a byte
    CHECK(p.step(mib, 0, 0, second).shrink_bytes != 0);
}

TEST_CASE("pressure: extremes") {
    pressure none{{.target_ppm = 0, .window_us = 0, .least_probe_ppm = 0, .most_probe_ppm = 1'000, .ramp_us = 0}};
    for (const std::uint64_t elapsed : {std::uint64_t{1}, greatest_number}) {
        const pressure_advice advice = none.step(greatest_number, 0, 0, elapsed);
        CHECK(advice.shrink_bytes == 0); // a target of nothing is met by nothing: neither more nor less
        CHECK(advice.grow_bytes == 0);
    }
    CHECK(none.step(0, 1, 1, 1).grow_bytes == 0);
    pressure all{{.target_ppm = greatest_number,
                  .full_weight = greatest_number,
                  .window_us = greatest_number,
                  .least_probe_ppm = greatest_number,
                  .most_probe_ppm = greatest_number,
                  .ramp_us = greatest_number,
                  .most_growth_ppm = greatest_number}};
    CHECK(all.step(greatest_number, greatest_number, greatest_number, greatest_number).shrink_bytes == greatest_number);
}

} // namespace
} // namespace pagefold::testing::unit_control_pressure
