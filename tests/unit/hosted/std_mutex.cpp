// SPDX-License-Identifier: MIT
#include <pagefold/hosted/std_mutex.hpp>

#include <pagefold/platform/concept.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

namespace pagefold::testing::unit_hosted_std_mutex {
namespace {

static_assert(lockable<std_mutex>);

TEST_CASE("std_mutex: who comes second waits for the first") {
    std_mutex lock;
    std::atomic<bool> has_come{false};
    int order = 0;
    lock.lock();
    std::thread second{[&] {
        has_come = true;
        const lock_guard guard{lock};
        CHECK(order == 1);
        order = 2;
    }};
    while (!has_come) {
        std::this_thread::yield();
    }
    order = 1;
    lock.unlock();
    second.join();
    CHECK(order == 2);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_std_mutex
