// SPDX-License-Identifier: MIT
#include <pagefold/hosted/steady_clock.hpp>

#include <pagefold/platform/concept.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

namespace pagefold::testing::unit_hosted_steady_clock {
namespace {

static_assert(monotonic_clock<steady_clock>);

TEST_CASE("steady_clock: counts nanoseconds and never goes back") {
    const steady_clock clock;
    std::uint64_t last = clock.now();
    const std::uint64_t start = last;
    for (int i = 0; i < 1000; ++i) {
        const std::uint64_t now = clock.now();
        REQUIRE(now >= last);
        last = now;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
    CHECK(clock.now() - start >= 2'000'000);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_steady_clock
