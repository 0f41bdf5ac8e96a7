// SPDX-License-Identifier: MIT
#pragma once

#include "machine.hpp"
#include "verdict.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

namespace pagefold::testing::numa {

/// A pool goes from node to node while four threads read and write its pages, each its own; where it is then, all of it is,
/// and nothing of it is left elsewhere: asked page by page, as everything else.
inline void prove_migration(machine& m) {
    constexpr std::uint64_t an_object = 200;
    const node_id home = m.topology().node(0);
    const auto made = m.store.create_pool({.node = home, .strict_node = true});
    expect(static_cast<bool>(made), "a pool that is to move");
    const pool_id pool = *made;
    for (std::uint64_t i = 0; i < 4 * an_object; ++i) {
        expect(m.store.put({pool, i / an_object, i}, page_of(i)) == status::ok, "a put before the move");
    }
    std::atomic<bool> is_over{false};
    std::atomic<std::size_t> operations{0};
    std::vector<std::thread> threads;
    for (std::uint64_t mine = 0; mine < 4; ++mine) {
        threads.emplace_back([&, mine] {
            rng random{mine};
            std::vector<std::uint64_t> seeds;
            for (std::uint64_t i = 0; i < an_object; ++i) {
                seeds.push_back(mine * an_object + i);
            }
            page back;
            while (!is_over.load()) {
                const std::uint64_t i = random.below(an_object);
                const page_key key{pool, mine, mine * an_object + i};
                if (random.below(3) == 0) {
                    seeds[i] = random();
                    expect(m.store.put(key, page_of(seeds[i])) == status::ok, "a put beside the move");
                } else {
                    expect(m.store.get(key, back) == status::ok, "a page was missed while its pool moved");
                    expect(back == page_of(seeds[i]), "a wrong page while its pool moved");
                }
                operations.fetch_add(1);
            }
        });
    }
    std::size_t rounds = 0;
    const auto pages_on = [&](node_id node) { return m.store.stats(node).value().stored_pages; };
    for (; rounds < 3 || operations.load() < 2000; ++rounds) {
        for (std::size_t i = 0; i < m.topology().count(); ++i) {
            const node_id to = m.topology().node((i + 1) % m.topology().count());
            status s = status::busy;
            while (s == status::busy) { // some pages at a time, as a host does
                s = m.store.set_node(pool, to, true, 100 * page_size);
                m.sample();
            }
            expect(s == status::ok, std::string{"set_node: "} + to_string(s));
        }
    }
    is_over.store(true);
    for (std::thread& t : threads) {
        t.join();
    }
    m.check("a pool that moved");
    const std::uint64_t there = pages_on(home);
    const std::size_t moved = static_cast<std::size_t>(m.store.stats().pages_migrated);
    expect(m.topology().count() == 1 || moved >= rounds * 4 * an_object, "the pool did not move");
    expect(m.store.destroy_pool(pool) == status::ok, "destroy");
    expect(there - pages_on(home) == 4 * an_object, "the pool was not all on its node");
    std::printf("numa: %zu pages moved between nodes, beside %zu reads and writes\n", moved, operations.load());
}

} // namespace pagefold::testing::numa
