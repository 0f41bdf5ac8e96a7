// SPDX-License-Identifier: MIT

// Walks over a pool beside threads that put and erase in it, one that compacts, and one that sends it from node to node. What is there
// all the time is listed by every walk, and nothing that never was.

#include "support/node_test_source.hpp"
#include "support/pages.hpp"
#include "support/rng.hpp"
#include "support/store_configs.hpp"

#include <pagefold/place/by_node.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace pagefold::testing::stress_store_walk {
namespace {

using store_type = partitioned_store<by_node_config>;
constexpr std::uint64_t kept = 1, changing = 2, pages = 500, apart = 40;

struct findings {
    std::uint64_t refused = 0, missed = 0, unknown = 0, walks = 0;
};

void walk(store_type& store, pool_id pool, unsigned times, findings& bad) {
    for (unsigned i = 0; i < times; ++i) {
        pool_cursor at{pool};
        std::set<std::uint64_t> seen;
        std::array<walked_page, 50> out;
        while (!at.has_ended()) {
            const result<std::size_t> count = store.walk(at, out.data(), out.size());
            if (!count) {
                ++bad.refused;
                break;
            }
            for (std::size_t n = 0; n < *count; ++n) {
                const bool is_known = out[n].index % apart == 0 && out[n].index / apart < pages &&
                                      (out[n].object == kept || out[n].object == changing);
                bad.unknown += is_known ? 0u : 1u;
                if (out[n].object == kept) {
                    seen.insert(out[n].index);
                }
            }
        }
        bad.missed += pages - seen.size();
        ++bad.walks;
    }
}

} // namespace

TEST_CASE("store_walk: two walk, two change pages, one compacts, one sends the pool around") {
    node_test_source<3> source{1u << 20};
    store_type store{source, {.partitions = 6, .seed = 5}, {}, {}, by_node{source}};
    const pool_id pool = store.create_pool({.node = node_id{0}, .strict_node = true}).value();
    const std::vector<std::byte> page = page_of(4096, page_kind::word, 7);
    for (std::uint64_t i = 0; i < pages; ++i) {
        REQUIRE(store.put({pool, kept, i * apart}, page) == status::ok);
    }
    std::array<findings, 2> bad{};
    std::array<std::uint64_t, 2> failed{};
    std::atomic<unsigned> walking{2};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 2; ++t) {
        threads.emplace_back([&, t] {
            walk(store, pool, 20, bad[t]);
            walking.fetch_sub(1);
        });
        threads.emplace_back([&, t] {
            rng random{t};
            while (walking.load() != 0) {
                const page_key key{pool, changing, random.below(pages) * apart};
                if (random.one_in(2)) {
                    failed[t] += store.put(key, page) == status::ok ? 0u : 1u;
                } else {
                    static_cast<void>(store.erase(key));
                }
            }
        });
    }
    threads.emplace_back([&] {
        while (walking.load() != 0) {
            static_cast<void>(store.erase_object(pool, changing));
            static_cast<void>(store.compact(1u << 20));
            std::this_thread::yield();
        }
    });
    threads.emplace_back([&] {
        rng random{10};
        for (unsigned i = 0; walking.load() != 0; ++i) {
            if (i < 1000) { // a walk of a pool that is sent around for ever has no end
                static_cast<void>(
                    store.set_node(pool, static_cast<node_id>(random.below(3)), true, random.below(200'000)));
            }
            std::this_thread::yield();
        }
    });
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (unsigned t = 0; t < 2; ++t) {
        CHECK(bad[t].refused == 0);
        CHECK(bad[t].missed == 0);
        CHECK(bad[t].unknown == 0);
        CHECK(bad[t].walks == 20);
        CHECK(failed[t] == 0);
    }
    CHECK(store.check());
}

} // namespace pagefold::testing::stress_store_walk
