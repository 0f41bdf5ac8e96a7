// SPDX-License-Identifier: MIT
#include <pagefold/platform/parking_lock.hpp>

#include <pagefold/platform/concept.hpp>
#include <pagefold/platform/host_parking.hpp>

#include <support/dies.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <thread>
#include <vector>

namespace pagefold::testing::unit_platform_parking_lock {
namespace {

static_assert(lockable<parking_lock<spin_parking>>);
static_assert(lockable<parking_lock<host_parking>>);
static_assert(sizeof(parking_lock<host_parking>) == 4);

/// Counts its calls; a wait does what the test says the other threads do meanwhile. So one thread plays all of them, and
/// every interleaving is chosen.
struct scripted_parking {
    static inline std::function<void()> meanwhile;
    static inline unsigned waits = 0;
    static inline unsigned wakes = 0;
    static inline unsigned wakes_of_all = 0;
    static inline std::vector<bool> slept; // for every wait, whether the word said what it had to

    static void reset() {
        meanwhile = [] { FAIL("nobody should wait"); };
        waits = wakes = wakes_of_all = 0;
        slept.clear();
    }
    static void wait(atomic<std::uint32_t>& word, std::uint32_t value) noexcept {
        ++waits;
        slept.push_back(word.load(memory_order::relaxed) == value);
        const std::function<void()> now = meanwhile; // which may set another one
        now();
    }
    static void wake_one(atomic<std::uint32_t>&) noexcept { ++wakes; }
    static void wake_all(atomic<std::uint32_t>&) noexcept { ++wakes_of_all; }
    static std::uintptr_t self() noexcept { return 1; }
};
static_assert(parking<scripted_parking>);
using scripted_lock = parking_lock<scripted_parking>;
constexpr unsigned patience = scripted_lock::patience;

TEST_CASE("parking_lock: uncontended, it calls nothing") {
    scripted_parking::reset();
    scripted_lock lock;
    for (int i = 0; i < 100; ++i) {
        lock.lock();
        lock.unlock();
    }
    CHECK(scripted_parking::waits == 0);
    CHECK(scripted_parking::wakes == 0);
    CHECK(scripted_parking::wakes_of_all == 0);
}

TEST_CASE("parking_lock: who finds it held sleeps, and one wake is called for it") {
    scripted_parking::reset();
    scripted_lock lock;
    scripted_parking::meanwhile = [&] { lock.unlock(); };
    lock.lock();
    lock.lock(); // the other's unlock comes while this one sleeps
    CHECK(scripted_parking::waits == 1);
    CHECK(scripted_parking::slept == std::vector<bool>{true});
    CHECK(scripted_parking::wakes == 1);
    lock.unlock(); // others may sleep: who slept can't tell
    CHECK(scripted_parking::wakes == 2);
    lock.lock();
    lock.unlock(); // now it is known that nobody does
    CHECK(scripted_parking::wakes == 2);
    CHECK(scripted_parking::wakes_of_all == 0);
}

TEST_CASE("parking_lock: a wait that returns for no reason is begun again") {
    scripted_parking::reset();
    scripted_lock lock;
    scripted_parking::meanwhile = [&] {
        if (scripted_parking::waits == 10 * patience) {
            lock.unlock();
        }
    };
    lock.lock();
    lock.lock();
    CHECK(scripted_parking::waits == 10 * patience);
    CHECK(scripted_parking::wakes == 1);
    lock.unlock();
    CHECK(scripted_parking::wakes == 2);
}

TEST_CASE("parking_lock: every unlock wakes one while sleepers are left") {
    scripted_parking::reset();
    scripted_lock lock;
    constexpr unsigned sleepers = 5;
    // Each wait lets one more thread come and sleep; the last one's lets the holder go.
    std::function<void()> come = [&] {
        if (scripted_parking::waits < sleepers) {
            lock.lock();
            lock.unlock();
        } else {
            lock.unlock();
        }
    };
    scripted_parking::meanwhile = come;
    lock.lock();
    lock.lock();
    lock.unlock();
    CHECK(scripted_parking::waits == sleepers);
    CHECK(scripted_parking::wakes == sleepers + 1); // the holder's and each sleeper's own
}

TEST_CASE("parking_lock: a passer-by may come first, but not for ever") {
    scripted_parking::reset();
    scripted_lock lock;
    unsigned passed = 0;
    // While the sleeper sleeps the holder goes and a passer-by takes the lock at once, as often as it can.
    scripted_parking::meanwhile = [&] {
        lock.unlock();
        if (passed < patience) {
            ++passed;
            lock.lock();
        } // from then on the lock is owed: this lock() would have to sleep
    };
    lock.lock();
    lock.lock();
    CHECK(passed == patience);
    CHECK(scripted_parking::waits == patience + 1);
    CHECK(scripted_parking::wakes == patience + 1);
    lock.unlock();
    CHECK(scripted_parking::wakes == patience + 2);
}

TEST_CASE("parking_lock: what is owed to sleepers no newcomer takes before it has slept") {
    scripted_parking::reset();
    scripted_lock lock;
    unsigned newcomer_waits = 0;
    scripted_parking::meanwhile = [&] {
        if (scripted_parking::waits <= patience) {
            return; // loses, for whatever reason
        }
        // The sleeper is owed the lock now.
        lock.unlock();
        scripted_parking::meanwhile = [&] { ++newcomer_waits; };
        lock.lock(); // a newcomer: the word is free to those who have slept alone
        CHECK(newcomer_waits == 1);
        lock.unlock();
        CHECK(scripted_parking::wakes == 2); // the sleeper may still sleep
    };
    lock.lock();
    lock.lock();
    CHECK(newcomer_waits == 1);
    lock.unlock();
    CHECK(scripted_parking::wakes == 3);
}

TEST_CASE("parking_lock: to unlock what nobody holds is a bug") {
    CHECK(dies([] {
        parking_lock<spin_parking> lock;
        lock.unlock();
    }));
}

TEST_CASE("parking_lock: who comes second waits for the first") {
    parking_lock<host_parking> lock;
    atomic<bool> has_come{false};
    int order = 0;
    lock.lock();
    std::thread second{[&] {
        has_come.store(true, memory_order::relaxed);
        const lock_guard guard{lock};
        CHECK(order == 1);
        order = 2;
    }};
    while (!has_come.load(memory_order::relaxed)) {
        std::this_thread::yield();
    }
    order = 1;
    lock.unlock();
    second.join();
    CHECK(order == 2);
}

} // namespace
} // namespace pagefold::testing::unit_platform_parking_lock
