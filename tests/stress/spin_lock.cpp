// SPDX-License-Identifier: MIT
#include <pagefold/hosted/std_mutex.hpp>
#include <pagefold/platform/concept.hpp>
#include <pagefold/platform/spin_lock.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <thread>
#include <vector>

namespace pagefold::testing::stress_spin_lock {
namespace {

/// Threads that count together under the lock, in two words that must always be equal.
template <lockable Lock>
void count_together() {
    constexpr int thread_count = 4;
    constexpr std::uint64_t turns = 20000;
    Lock lock;
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    bool were_equal[thread_count] = {};
    std::vector<std::thread> threads;
    for (bool& mine : were_equal) {
        threads.emplace_back([&] {
            bool equal = true;
            for (std::uint64_t i = 0; i < turns; ++i) {
                const lock_guard guard{lock};
                equal = equal && first == second;
                ++first;
                ++second;
            }
            mine = equal;
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (const bool equal : were_equal) {
        CHECK(equal);
    }
    CHECK(first == thread_count * turns);
    CHECK(second == thread_count * turns);
}

TEST_CASE("spin_lock keeps threads apart") { count_together<spin_lock>(); }

TEST_CASE("std_mutex keeps threads apart") { count_together<std_mutex>(); }

} // namespace
} // namespace pagefold::testing::stress_spin_lock
