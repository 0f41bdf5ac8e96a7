// SPDX-License-Identifier: MIT

// A pool that is sent from node to node while threads use it. Of its own keys each thread knows what they hold: a page that it
// put and nobody erased is never missed. Of keys that others write, a whole version is read, and none older than what was read
// before. Of a range as many pages are erased as there were.

#include "support/environment.hpp"
#include "support/node_test_source.hpp"
#include "support/rng.hpp"
#include "support/store_configs.hpp"
#include "support/versioned_page.hpp"

#include <pagefold/place/by_node.hpp>
#include <pagefold/platform/parking.hpp>
#include <pagefold/platform/spin_lock.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

namespace pagefold::testing::stress_store_migration {
namespace {

using machine = node_test_source<3>;
using store_type = partitioned_store<by_node_config>;
using page = versioned_page;
constexpr std::uint64_t shared_pages = 16;

struct counts {
    std::uint64_t missed = 0, wrong = 0, older = 0, left = 0, moved = 0;
};

/// Puts, reads, takes and erases pages of an object of its own, and compares.
void use(store_type& store, pool_id pool, std::uint64_t object, unsigned operations, counts& bad) {
    rng random{object};
    std::map<std::uint64_t, std::uint64_t> held; // index to version
    page p;
    for (unsigned i = 1; i <= operations; ++i) {
        const std::uint64_t index = random.below(400), name = object << 16 | index;
        const page_key key{pool, object, index};
        const auto known = held.find(index);
        const status expected = known != held.end() ? status::ok : status::not_found;
        switch (random.below(8)) {
        case 0:
        case 1:
        case 2:
            describe(p, name, i);
            bad.missed += store.put(key, p) == status::ok ? 0u : 1u;
            held[index] = i;
            break;
        case 3:
            bad.missed += store.erase(key) == expected ? 0u : 1u;
            held.erase(index);
            break;
        case 4:
            bad.missed += store.take(key, p) == expected ? 0u : 1u;
            bad.wrong += expected == status::ok && version_of(p, name) != known->second ? 1u : 0u;
            held.erase(index);
            break;
        case 5:
            if (random.below(64) == 0) {
                const std::uint64_t count = random.below(200);
                std::size_t pages = 0;
                for (std::uint64_t at = index; at < index + count; ++at) {
                    pages += held.erase(at);
                }
                const result<std::size_t> erased = store.erase_range(pool, object, index, count);
                bad.left += erased && *erased == pages ? 0u : 1u;
                break;
            }
            [[fallthrough]];
        default:
            bad.missed += store.get(key, p) == expected ? 0u : 1u;
            bad.wrong += expected == status::ok && version_of(p, name) != known->second ? 1u : 0u;
        }
    }
    for (const auto& [index, version] : held) {
        const status s = store.get({pool, object, index}, p);
        bad.missed += s == status::ok ? 0u : 1u;
        bad.wrong += s == status::ok && version_of(p, object << 16 | index) != version ? 1u : 0u;
    }
}

/// Two threads write a few pages, each every second one with versions that rise, and read all: what is read never gets older.
void share(store_type& store, pool_id pool, unsigned me, unsigned operations, counts& bad) {
    rng random{me + 100};
    std::array<std::uint64_t, shared_pages> seen{};
    page p;
    for (unsigned i = 2; i <= operations; ++i) {
        const std::uint64_t index = random.below(shared_pages);
        const page_key key{pool, 0, index};
        if (index % 2 == me && random.below(2) == 0) {
            describe(p, index, i);
            bad.missed += store.put(key, p) == status::ok ? 0u : 1u;
            seen[index] = i;
            continue;
        }
        const status s = store.get(key, p);
        bad.missed += s == status::ok ? 0u : 1u; // all are there from the beginning, and never erased
        const std::uint64_t version = s == status::ok ? version_of(p, index) : 0;
        bad.wrong += s == status::ok && version == 0 ? 1u : 0u;
        bad.older += version < seen[index] || (index % 2 == me && seen[index] != 0 && version != seen[index]) ? 1u : 0u;
        seen[index] = version;
    }
}

void run(std::size_t pages_a_node, unsigned movers, unsigned operations) {
    machine source{pages_a_node};
    store_type store{source, {.partitions = 12, .seed = 5}, {}, {}, by_node{source}};
    const pool_id pool = store.create_pool({.node = node_id{0}, .strict_node = true}).value();
    page p;
    for (std::uint64_t index = 0; index < shared_pages; ++index) {
        describe(p, index, 1);
        REQUIRE(store.put({pool, 0, index}, p) == status::ok);
    }
    std::array<counts, 8> bad{};
    std::atomic<unsigned> working{4};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            if (t % 2 == 0) {
                use(store, pool, t + 1, operations, bad[t]);
            } else {
                share(store, pool, t / 2, operations, bad[t]);
            }
            working.fetch_sub(1);
        });
    }
    for (unsigned m = 0; m < movers; ++m) {
        threads.emplace_back([&, m] {
            rng random{m + 77};
            while (working.load() != 0) {
                const auto node = static_cast<node_id>(random.below(3));
                const std::size_t work = random.below(3) == 0 ? random.below(200'000) : ~std::size_t{0};
                const status s = store.set_node(pool, node, random.below(4) != 0, work);
                bad[4 + m].moved += s == status::ok ? 1u : 0u;
                bad[4 + m].wrong += s == status::ok || s == status::busy ? 0u : 1u;
            }
        });
    }
    threads.emplace_back([&] {
        while (working.load() != 0) {
            static_cast<void>(store.compact(1u << 20));
            std::this_thread::yield();
        }
    });
    for (std::thread& thread : threads) {
        thread.join();
    }
    std::uint64_t moved = 0;
    for (const counts& one : bad) {
        CHECK(one.missed == 0);
        CHECK(one.wrong == 0);
        CHECK(one.older == 0);
        CHECK(one.left == 0);
        moved += one.moved;
    }
    CHECK(moved > 0);
    CHECK(store.check());
    while (store.set_node(pool, node_id{1}, true) == status::busy) {
    }
    CHECK(store.stats(node_id{1}).value().stored_pages == store.statistics_of(pool).value().stored_pages);
    CHECK(store.check());
}

TEST_CASE("store_migration: four threads use a pool that one sends around") { run(1u << 20, 1, in_part(20'000u)); }
TEST_CASE("store_migration: four threads use a pool that three send to different nodes at once") {
    run(1u << 20, 3, in_part(20'000u));
}

struct hooked_lock {
    void lock() noexcept {
        if (before_lock) {
            before_lock();
        }
        inner.lock();
    }
    void unlock() noexcept { inner.unlock(); }
    spin_lock inner{};
    static inline thread_local std::function<void()> before_lock;
};
struct hooked_config : by_node_config {
    using lock_type = hooked_lock;
    using parking_type = spin_parking;
};

/// A thread that stops in front of some of the locks that it takes, by their number from 1, until it is told to go on.
class stopping_thread {
public:
    template <class Work>
    stopping_thread(std::vector<unsigned> stops, Work work)
        : thread_{[this, stops, work] {
              unsigned locks = 0;
              hooked_lock::before_lock = [&] {
                  ++locks;
                  for (const unsigned stop : stops) {
                      if (stop == locks) {
                          stopped_.release();
                          go_on_.acquire();
                      }
                  }
              };
              work();
              hooked_lock::before_lock = nullptr;
              has_ended_.store(true);
              stopped_.release();
          }} {
        stopped_.acquire();
    }
    ~stopping_thread() {
        while (!has_ended_.load()) {
            go_on();
        }
        thread_.join();
    }
    stopping_thread(const stopping_thread&) = delete;
    stopping_thread& operator=(const stopping_thread&) = delete;
    /// To its next stop, or its end.
    void go_on() {
        if (!has_ended_.load()) {
            go_on_.release();
            stopped_.acquire();
        }
    }

private:
    std::binary_semaphore stopped_{0}, go_on_{0};
    std::atomic<bool> has_ended_{false};
    std::thread thread_;
};

TEST_CASE("store_migration: whoever moves a page by a route of before, a range is erased with it") {
    // Three send a pool there, back and there again. The first stops with a page in its hand, the others before they look for
    // any; each goes on when a sweep has passed the place that it moves the page to.
    machine source{1u << 20};
    partitioned_store<hooked_config> store{source, {.partitions = 6, .seed = 1}, {}, {}, by_node{source}};
    constexpr node_id here{1}, there{0}; // partitions 4 and 3
    const pool_id pool = store.create_pool({.node = here, .strict_node = true}).value();
    page p;
    describe(p, 1, 1);
    REQUIRE(store.put({pool, 1, 1}, p) == status::ok);
    const auto send = [&](node_id to) {
        return [&store, pool, to] { static_cast<void>(store.set_node(pool, to, true)); };
    };
    {
        // The registry's lock, those of partitions 0 to 4, then two at once; behind them 3 or 4 again, 5, and the registry's.
        stopping_thread first{{7, 9}, send(there)}, second{{2}, send(here)}, third{{2, 11}, send(there)};
        unsigned locks = 0;
        hooked_lock::before_lock = [&] {
            ++locks;
            if (locks == 5) {
                first.go_on();
            } else if (locks == 10) {
                second.go_on();
            } else if (locks == 11) {
                third.go_on();
            }
        };
        const std::size_t erased = store.erase_range(pool, 1, 0, 10).value();
        hooked_lock::before_lock = nullptr;
        CHECK(erased == 1);
        CHECK(store.get({pool, 1, 1}, p) == status::not_found);
    }
    CHECK(store.check());
}

TEST_CASE("store_migration: pools are destroyed while they move, and others take their slots") {
    machine source{1u << 20};
    store_type store{source, {.partitions = 12, .seed = 5}, {}, {}, by_node{source}};
    std::atomic<std::uint64_t> current{0};
    std::atomic<bool> is_over{false};
    std::uint64_t wrong = 0, moved = 0;
    std::thread mover{[&] {
        rng random{9};
        while (!is_over.load()) {
            const auto pool = static_cast<pool_id>(current.load());
            const status s = store.set_node(pool, static_cast<node_id>(random.below(3)), true, 20'000);
            wrong += s == status::ok || s == status::busy || s == status::invalid ? 0u : 1u;
            moved += s == status::ok || s == status::busy ? 1u : 0u;
        }
    }};
    page p;
    for (std::uint64_t round = 0; round < in_part(std::uint64_t{200}); ++round) {
        const pool_id pool = store.create_pool({.node = node_id{0}, .strict_node = true}).value();
        current.store(static_cast<std::uint64_t>(pool));
        for (std::uint64_t i = 0; i < 120; ++i) {
            describe(p, i, round + 1);
            REQUIRE(store.put({pool, 1, i}, p) == status::ok);
        }
        for (std::uint64_t i = 0; i < 120; ++i) {
            REQUIRE(store.get({pool, 1, i}, p) == status::ok);
            REQUIRE(version_of(p, i) == round + 1);
        }
        REQUIRE(store.destroy_pool(pool) == status::ok);
        REQUIRE(store.get({pool, 1, 1}, p) == status::invalid);
    }
    is_over.store(true);
    mover.join();
    CHECK(wrong == 0);
    CHECK(moved > 0);
    CHECK(store.stats().stored_pages == 0);
    CHECK(store.check());
}

} // namespace
} // namespace pagefold::testing::stress_store_migration
