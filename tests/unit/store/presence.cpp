// SPDX-License-Identifier: MIT

#include "support/rng.hpp"

#include <pagefold/store/presence.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <thread>
#include <vector>

namespace pagefold::testing::unit_store_presence {

TEST_CASE("presence: a thread is there for a scope, and once") {
    presence all;
    CHECK_FALSE(all.has(8));
    {
        const presence::stay outer{all, 8};
        CHECK(static_cast<bool>(outer));
        CHECK(all.has(8));
        CHECK_FALSE(all.has(16));
        for (int i = 0; i < 2; ++i) {
            const presence::stay inner{all, 8};
            CHECK_FALSE(static_cast<bool>(inner));
        }
        CHECK(all.has(8)); // the inner ones did not end it
        const presence::stay other{all, 16};
        CHECK(static_cast<bool>(other));
    }
    CHECK_FALSE(all.has(8));
    CHECK_FALSE(all.has(16));
    CHECK(static_cast<bool>(presence::stay{all, 8}));
}

TEST_CASE("presence: calls of threads without a name are all the first") {
    presence all;
    const presence::stay one{all, 0}, two{all, 0};
    CHECK(static_cast<bool>(one));
    CHECK(static_cast<bool>(two));
    CHECK_FALSE(all.has(0));
}

TEST_CASE("presence: without a scope, also where the own bucket is full, and all forgotten") {
    presence all;
    CHECK(all.arrive(0));
    all.depart(0);
    std::vector<std::uintptr_t> tokens;
    rng random{6};
    for (std::size_t i = 0; i < 32 * 7; ++i) { // all there is room for
        tokens.push_back(random() | 1);
        REQUIRE(all.arrive(tokens.back()));
        CHECK_FALSE(all.arrive(tokens.back()));
        CHECK_FALSE(static_cast<bool>(presence::stay{all, tokens.back()}));
    }
    for (std::size_t i = 0; i < tokens.size() / 2; ++i) {
        all.depart(tokens[i]);
        CHECK_FALSE(all.has(tokens[i]));
        CHECK(all.arrive(tokens[i]));
    }
    all.depart(4); // not there
    all.forget_all();
    for (const std::uintptr_t token : tokens) {
        REQUIRE_FALSE(all.has(token));
        REQUIRE(all.arrive(token));
    }
}

TEST_CASE("presence: threads beyond what a bucket has room for are found too, and leave nothing behind") {
    presence all;
    rng random{5};
    for (unsigned round = 0; round < 3; ++round) {
        constexpr std::size_t threads = 32 * 7; // all there is room for: many buckets overflow
        std::deque<std::optional<presence::stay>> stays(threads);
        std::vector<std::uintptr_t> tokens(threads);
        for (std::size_t i = 0; i < threads; ++i) {
            tokens[i] = random() | 1;
            CHECK_FALSE(all.has(tokens[i]));
            stays[i].emplace(all, tokens[i]);
            REQUIRE(static_cast<bool>(*stays[i]));
        }
        for (std::size_t left = threads; left > 0; --left) {
            const std::size_t gone = random.below(left);
            stays[gone].reset();
            CHECK_FALSE(all.has(tokens[gone]));
            std::swap(tokens[gone], tokens[left - 1]);
            stays[gone].reset();
            // A stay can't move: who is last takes over by leaving and coming again.
            if (gone != left - 1) {
                stays[left - 1].reset();
                stays[gone].emplace(all, tokens[gone]);
            }
            for (std::size_t i = 0; i + 1 < left; ++i) {
                const presence::stay again{all, tokens[i]};
                REQUIRE(all.has(tokens[i]));
                REQUIRE_FALSE(static_cast<bool>(again));
            }
        }
    }
}

TEST_CASE("presence: threads come and go, up to all that there is room for") {
    presence all;
    std::atomic<unsigned> errors{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            for (unsigned i = 0; i < 200; ++i) {
                std::deque<std::optional<presence::stay>> stays;
                for (unsigned n = 1; n <= 27; ++n) { // 8 times 27 are just below what there is room for
                    const std::uintptr_t token = t * 64 + n;
                    stays.emplace_back(std::in_place, all, token);
                    const presence::stay again{all, token};
                    errors += static_cast<bool>(*stays.back()) && !static_cast<bool>(again) && all.has(token) ? 0 : 1;
                }
                stays.clear();
                for (unsigned n = 1; n <= 27; ++n) {
                    errors += all.has(t * 64 + n) ? 1 : 0;
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(errors == 0);
}

} // namespace pagefold::testing::unit_store_presence
