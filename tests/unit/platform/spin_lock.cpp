// SPDX-License-Identifier: MIT
#include <pagefold/platform/spin_lock.hpp>

#include <pagefold/platform/concept.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

namespace pagefold::testing::unit_platform_spin_lock {
namespace {

static_assert(lockable<spin_lock>);
static_assert(sizeof(spin_lock) == 4);

TEST_CASE("spin_lock: who comes second waits for the first") {
    spin_lock lock;
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

TEST_CASE("spin_lock: can be taken again after it was left") {
    spin_lock lock;
    for (int i = 0; i < 3; ++i) {
        lock.lock();
        lock.unlock();
    }
    CHECK(true);
}

} // namespace
} // namespace pagefold::testing::unit_platform_spin_lock
