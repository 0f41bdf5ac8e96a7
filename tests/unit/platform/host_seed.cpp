// SPDX-License-Identifier: MIT
#include <pagefold/platform/host_seed.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <set>
#include <thread>
#include <vector>

namespace pagefold::testing::unit_platform_host_seed {
namespace {

TEST_CASE("host_seed: another number on every call, never 0") {
    for (const auto seed : {&host_seed, &guessable_seed}) {
        std::set<std::uint64_t> seeds;
        for (int i = 0; i < 1000; ++i) {
            seeds.insert(seed());
        }
        CHECK(seeds.size() == 1000);
        CHECK(seeds.count(0) == 0);
    }
}

TEST_CASE("host_seed: every bit is 0 or 1 about equally often") {
    for (const auto seed : {&host_seed, &guessable_seed}) {
        unsigned ones[64] = {};
        for (int i = 0; i < 1024; ++i) {
            for (std::uint64_t bit = 0, found = seed(); bit < 64; ++bit) {
                ones[bit] += static_cast<unsigned>(found >> bit & 1u);
            }
        }
        for (const unsigned count : ones) {
            CHECK(count > 512 - 10 * 16); // ten standard deviations
            CHECK(count < 512 + 10 * 16);
        }
    }
}

TEST_CASE("host_seed: threads get different numbers, and errno stays") {
    constexpr unsigned count = 8;
    std::uint64_t found[2 * count] = {};
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < count; ++i) {
        threads.emplace_back([&, i] {
            errno = 77;
            found[2 * i] = guessable_seed();
            found[2 * i + 1] = host_seed();
            CHECK(errno == 77);
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    const std::set<std::uint64_t> different{found, found + 2 * count};
    CHECK(different.size() == 2 * count);
}

} // namespace
} // namespace pagefold::testing::unit_platform_host_seed
