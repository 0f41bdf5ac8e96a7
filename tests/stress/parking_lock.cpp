// SPDX-License-Identifier: MIT
//
// Many more threads than processors at one lock, and at one word that they wait on: nobody is let in beside another, no
// wake is lost (the case would not end), and whoever gets the lock may destroy it.

#include <pagefold/platform/parking_lock.hpp>

#include <pagefold/platform/concept.hpp>
#include <pagefold/platform/host_parking.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <thread>
#include <vector>

namespace pagefold::testing::stress_parking_lock {
namespace {

template <class Function>
void run_threads(unsigned count, Function function) {
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < count; ++i) {
        threads.emplace_back(function, i);
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

/// Sleeps in the kernel, but every third wait returns at once, and every fourth wake is two.
struct restless_parking : host_parking {
    static inline atomic<unsigned> calls{0};

    static void wait(atomic<std::uint32_t>& word, std::uint32_t value) noexcept {
        if (calls.fetch_add(1, memory_order::relaxed) % 3 != 0) {
            host_parking::wait(word, value);
        }
    }
    static void wake_one(atomic<std::uint32_t>& word) noexcept {
        host_parking::wake_one(word);
        if (calls.fetch_add(1, memory_order::relaxed) % 4 == 0) {
            host_parking::wake_one(word);
        }
    }
};

/// Threads that count together under the lock, in two words that must always be equal.
template <parking Parking>
void count_together(unsigned thread_count) {
    CAPTURE(thread_count);
    const std::uint64_t turns = 40000 / thread_count;
    parking_lock<Parking> lock;
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    std::vector<unsigned char> were_equal(thread_count);
    run_threads(thread_count, [&](unsigned me) {
        bool equal = true;
        for (std::uint64_t i = 0; i < turns; ++i) {
            const lock_guard guard{lock};
            equal = equal && first == second;
            ++first;
            if (i % 64 == 0) {
                std::this_thread::yield(); // a holder that is descheduled: the others have to sleep
            }
            ++second;
        }
        were_equal[me] = equal ? 1 : 0;
    });
    for (const unsigned char equal : were_equal) {
        CHECK(equal == 1);
    }
    CHECK(first == thread_count * turns);
    CHECK(second == thread_count * turns);
}

TEST_CASE_TEMPLATE("parking_lock keeps many threads apart", Parking, host_parking, restless_parking) {
    for (const unsigned thread_count : {2u, 8u, 32u}) {
        count_together<Parking>(thread_count);
    }
}

TEST_CASE("parking_lock keeps threads apart that can't sleep") { count_together<spin_parking>(4); }

TEST_CASE("parking_lock may be destroyed by whoever gets it last") {
    for (int round = 0; round < 300; ++round) {
        struct shared {
            parking_lock<host_parking> lock;
            unsigned users = 4;
        };
        auto* const object = new shared;
        run_threads(4, [object](unsigned) {
            object->lock.lock();
            const bool last = --object->users == 0;
            if (!last) {
                object->lock.unlock();
                return;
            }
            delete object; // held, but nobody else comes any more
        });
    }
    CHECK(true);
}

TEST_CASE("host_parking hands a word back and forth without losing a wake") {
    constexpr std::uint32_t players = 6;
    constexpr std::uint32_t rounds = 3000;
    atomic<std::uint32_t> turn{0};
    run_threads(players, [&](std::uint32_t me) {
        for (std::uint32_t i = 0; i < rounds; ++i) {
            const std::uint32_t mine = i * players + me;
            for (std::uint32_t seen = turn.load(memory_order::acquire); seen != mine;
                 seen = turn.load(memory_order::acquire)) {
                host_parking::wait(turn, seen);
            }
            turn.store(mine + 1, memory_order::release);
            host_parking::wake_all(turn);
        }
    });
    CHECK(turn.load(memory_order::relaxed) == players * rounds);
}

} // namespace
} // namespace pagefold::testing::stress_parking_lock
