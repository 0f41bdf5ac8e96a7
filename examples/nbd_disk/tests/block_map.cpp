// SPDX-License-Identifier: MIT
#include "block_map.hpp"

#include <doctest/doctest.h>
#include <support/rng.hpp>

#include <atomic>
#include <thread>
#include <vector>

namespace {

using nbd_disk::block_map;

TEST_CASE("block_map: a new map is empty") {
    block_map map;
    REQUIRE(map.open(1000));
    CHECK_FALSE(map.has(0));
    CHECK_FALSE(map.has(999));
    CHECK(map.find(0, 1000, true) == 1000);
    CHECK(map.find(0, 1000, false) == 0);
    CHECK(map.find(7, 7, false) == 7);
}

TEST_CASE("block_map: finds what a plain array finds, from everywhere to everywhere") {
    pagefold::testing::rng random{3};
    for (const std::size_t size :
         {std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{65}, std::size_t{300}}) {
        block_map map;
        REQUIRE(map.open(size));
        std::vector<bool> model(size);
        for (int round = 0; round < 60; ++round) {
            // Runs, so that whole words are full or empty.
            const std::size_t from = random.below(size);
            const std::size_t end = from + 1 + random.below(size - from);
            const bool adds = random.one_in(2);
            for (std::size_t i = from; i < end; ++i) {
                adds ? map.add(i) : map.remove(i);
                model[i] = adds;
            }
            for (std::size_t begin = 0; begin <= size; begin += 1 + random.below(5)) {
                const std::size_t stop = begin + random.below(size - begin + 1);
                for (const bool wanted : {true, false}) {
                    std::size_t found = begin;
                    while (found < stop && model[found] != wanted) {
                        ++found;
                    }
                    REQUIRE(map.find(begin, stop, wanted) == found);
                }
            }
            for (std::size_t i = 0; i < size; ++i) {
                REQUIRE(map.has(i) == model[i]);
            }
        }
    }
}

TEST_CASE("block_map: threads that change blocks of one word lose no change") {
    block_map map;
    REQUIRE(map.open(64));
    std::vector<std::thread> threads;
    std::atomic<unsigned> waiting{4};
    std::atomic<unsigned> lost{0};
    for (unsigned t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            --waiting;
            while (waiting != 0) { // or the first is through before the last begins
                std::this_thread::yield();
            }
            for (unsigned round = 0; round < 100'000; ++round) {
                const unsigned mine = round % 16 * 4 + t;
                map.add(mine);
                lost += map.has(mine) ? 0 : 1;
                map.remove(mine);
                lost += map.has(mine) ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(lost == 0);
    CHECK(map.find(0, 64, true) == 64);
}

} // namespace
