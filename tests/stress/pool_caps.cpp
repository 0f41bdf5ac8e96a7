// SPDX-License-Identifier: MIT

// A pool's cap under puts in many partitions at once: each of them sees what the others are about to take.

#include "support/pages.hpp"
#include "support/rng.hpp"
#include "support/test_source.hpp"

#include <pagefold/place/concept.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <semaphore>
#include <thread>
#include <vector>

namespace pagefold::testing::stress_pool_caps {
namespace {

/// An object's pages are all in one partition, whose number the test knows.
struct by_object {
    [[nodiscard]] partition_id home(const page_key& key, std::uint64_t, node_id, std::size_t count) const noexcept {
        return static_cast<std::size_t>(key.object) % count;
    }
    [[nodiscard]] partition_id spill(partition_id home, std::size_t attempt, std::size_t count) const noexcept {
        return (home + 1 + attempt) % count;
    }
    [[nodiscard]] node_id node(partition_id) const noexcept { return any_node; }
};
/// Says whether the thread is in a partition.
struct noting_lock : default_config::lock_type {
    void lock() noexcept {
        default_config::lock_type::lock();
        ++held;
    }
    void unlock() noexcept {
        --held;
        default_config::lock_type::unlock();
    }
    static inline thread_local unsigned held = 0;
};
struct object_config : default_config {
    using place_type = by_object;
    using lock_type = noting_lock;
};

/// A source that a thread may wait in: a put has been let in then, and its page is not there yet.
struct waiting_source {
    [[nodiscard]] std::size_t page_size() const noexcept { return behind.page_size(); }
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        if (waits && noting_lock::held != 0) {
            waits();
        }
        return behind.acquire(pages, node);
    }
    void release(void* p, std::size_t pages) noexcept { behind.release(p, pages); }

    test_source behind{};
    static inline thread_local std::function<void()> waits;
};

constexpr unsigned writers = 12;

TEST_CASE("pool_caps: of puts that are all under way, only as many are let in as the cap has room for") {
    waiting_source source;
    partitioned_store<object_config> store{source, {.partitions = writers, .seed = 1}};
    const pool_id measure = store.create_pool().value();
    const auto page = page_of(4096, page_kind::random, 7);
    REQUIRE(store.put({measure, 0, 0}, page) == status::ok);
    const std::size_t charge = store.statistics_of(measure).value().used_bytes;
    REQUIRE(store.destroy_pool(measure) == status::ok);
    const std::size_t cap = 5 * charge + charge / 2;
    const pool_id pool = store.create_pool({.cap_bytes = cap}).value();

    std::counting_semaphore<> may_go_on{0};
    std::array<status, writers> answers{};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < writers; ++t) {
        // One after the other, each until it waits for memory, or was refused.
        std::binary_semaphore has_stopped{0};
        threads.emplace_back([&, t, stopped = &has_stopped] {
            bool waits = false;
            waiting_source::waits = [&] {
                if (!waits) {
                    waits = true;
                    stopped->release();
                    may_go_on.acquire();
                }
            };
            answers[t] = store.put({pool, t, 0}, page);
            waiting_source::waits = nullptr;
            if (!waits) {
                stopped->release();
            } else {
                answers[t] = answers[t] == status::ok ? status::busy : answers[t]; // ok, and it had waited
            }
        });
        has_stopped.acquire();
    }
    may_go_on.release(writers);
    for (std::thread& thread : threads) {
        thread.join();
    }
    const auto waited = static_cast<unsigned>(std::count(answers.begin(), answers.end(), status::busy));
    CHECK(waited == 5);
    CHECK(static_cast<unsigned>(std::count(answers.begin(), answers.end(), status::limit)) == writers - 5);
    CHECK(store.statistics_of(pool).value().stored_pages == 5);
    CHECK(store.statistics_of(pool).value().used_bytes <= cap);
    CHECK(store.check());
    // What the refused ones wanted is nobody's.
    REQUIRE(store.erase({pool, 0, 0}) == status::ok);
    CHECK(store.put({pool, writers - 1, 0}, page) == status::ok);
    CHECK(store.check());
}

TEST_CASE("pool_caps: a put that the source refuses claims nothing afterwards") {
    waiting_source source;
    partitioned_store<object_config> store{source, {.partitions = 2, .seed = 1}};
    const pool_id pool = store.create_pool({.cap_bytes = 1u << 20}).value();
    const auto page = page_of(4096, page_kind::random, 7);
    REQUIRE(store.put({pool, 0, 0}, page) == status::ok);
    const std::size_t before = store.statistics_of(pool).value().used_bytes;
    for (std::uint64_t nth = 1; nth < 4; ++nth) {
        source.behind.refuse_nth(nth);
        const status s = store.put({pool, 1, 0}, page);
        source.behind.refuse_nth(0);
        CHECK((s == status::no_memory || s == status::ok));
        CHECK(store.check());
        CHECK((s == status::ok) == (store.statistics_of(pool).value().stored_pages == 2));
        if (s != status::ok) {
            CHECK(store.statistics_of(pool).value().used_bytes == before);
        }
        static_cast<void>(store.erase({pool, 1, 0}));
    }
}

TEST_CASE("pool_caps: writers of all kinds of pages in all partitions pass a cap by less than a hundredth") {
    for (const pool_kind kind : {pool_kind::persistent, pool_kind::ephemeral}) {
        constexpr std::size_t cap = 512 << 10;
        waiting_source source;
        partitioned_store<object_config> store{source, {.partitions = writers, .seed = 1}};
        const pool_id pool = store.create_pool({.kind = kind, .cap_bytes = cap}).value();
        std::atomic<unsigned> working{writers};
        std::array<std::uint64_t, writers> stored{};
        std::vector<std::thread> threads;
        for (unsigned t = 0; t < writers; ++t) {
            threads.emplace_back([&, t] {
                rng random{t + 1};
                for (unsigned i = 0; i < 1500; ++i) {
                    const page_key key{pool, random.below(writers), random.below(100)};
                    if (random.below(4) == 0) {
                        static_cast<void>(store.erase(key));
                    } else {
                        const auto page =
                            page_of(4096, static_cast<page_kind>(random.below(page_kinds)), random.below(64));
                        stored[t] += store.put(key, page) == status::ok ? 1u : 0u;
                    }
                }
                working.fetch_sub(1);
            });
        }
        std::size_t most = 0;
        while (working.load() != 0) {
            most = std::max(most, static_cast<std::size_t>(store.statistics_of(pool).value().used_bytes));
            std::this_thread::yield();
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        CHECK(most <= cap + cap / 100);
        CHECK(*std::min_element(stored.begin(), stored.end()) > 0);
        CHECK(store.check());
    }
}

} // namespace
} // namespace pagefold::testing::stress_pool_caps
