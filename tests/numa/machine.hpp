// SPDX-License-Identifier: MIT
#pragma once

#include "support/rng.hpp"
#include "verdict.hpp"
#include "witness.hpp"

#include <pagefold/hosted/numa_source.hpp>
#include <pagefold/place/by_node.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace pagefold::testing::numa {

constexpr std::size_t page_size = 4096;
using page = std::array<std::byte, page_size>;

/// Half of it noise, so that it takes some two kilobytes; another one for each seed.
inline page page_of(std::uint64_t seed) {
    page p{};
    rng random{seed + 1};
    for (std::size_t i = 0; i < page_size / 2; i += 8) {
        const std::uint64_t word = random();
        std::memcpy(p.data() + i, &word, 8);
    }
    return p;
}

struct config : default_config {
    using place_type = by_node;
};
using store_type = partitioned_store<config>;

struct tenant {
    pool_id pool;
    std::string name;
    bool may_drop = false;
    std::map<std::uint64_t, std::uint64_t> pages; // number and seed
};

class machine {
public:
    explicit machine(std::size_t limit)
        : store{memory, {.limit_bytes = limit, .partitions = 4 * topology().count()}, {}, {}, by_node{topology()}} {
        for (const node_id node : topology()) {
            const std::string name = "node " + std::to_string(static_cast<unsigned>(node));
            add(name + " strict", {.node = node, .strict_node = true});
            add(name + " strict cache", {.kind = pool_kind::ephemeral, .node = node, .strict_node = true});
            add(name + " preferred", {.node = node});
        }
        add("anywhere", {});
    }
    [[nodiscard]] const numa_topology& topology() const { return memory.source.topology(); }

    void add(const std::string& name, const pool_options& options) {
        const auto pool = store.create_pool(options);
        expect(static_cast<bool>(pool), "no pool: " + name);
        tenants.push_back({*pool, name, options.kind == pool_kind::ephemeral, {}});
    }

    status put(tenant& t, std::uint64_t i, std::uint64_t seed) {
        const status done = store.put({t.pool, i / 500, i}, page_of(seed));
        if (done == status::ok) {
            t.pages[i] = seed;
        } else {
            expect(done == status::no_memory || done == status::limit, t.name + ": put " + to_string(done));
            t.pages.erase(i);
        }
        return done;
    }
    void get(tenant& t, std::uint64_t i) {
        page back;
        const status done = store.get({t.pool, i / 500, i}, back);
        const auto known = t.pages.find(i);
        if (done == status::ok) {
            expect(known != t.pages.end() && back == page_of(known->second), t.name + ": a wrong page");
        } else {
            expect(done == status::not_found && (known == t.pages.end() || t.may_drop), t.name + ": a page is lost");
        }
    }
    void erase(tenant& t, std::uint64_t i) {
        const status done = store.erase({t.pool, i / 500, i});
        expect(done == (t.pages.contains(i) ? status::ok : status::not_found) ||
                   (t.may_drop && done == status::not_found),
               t.name + ": erase");
        t.pages.erase(i);
    }
    void work(tenant& t, rng& random, int operations, std::uint64_t numbers) {
        for (int n = 0; n < operations; ++n) {
            sample();
            const std::uint64_t i = random.below(numbers);
            switch (random.below(8)) {
            case 0:
            case 1: erase(t, i); break;
            case 2:
            case 3: get(t, i); break;
            default: static_cast<void>(put(t, i, random())); break;
            }
        }
    }
    void get_all() {
        for (tenant& t : tenants) {
            for (const auto& [i, seed] : std::map{t.pages}) {
                get(t, i);
            }
        }
    }

    /// A line for benchmarks/plots/numa.gp, a hundred a second at most: the time, bytes on each node, and on none.
    void sample() {
        const long now = milliseconds();
        long last = last_sample_.load(std::memory_order_relaxed);
        if (now < last + 10 || !last_sample_.compare_exchange_strong(last, now, std::memory_order_relaxed)) {
            return;
        }
        std::string line = "sample: " + std::to_string(now);
        for (const node_id node : topology()) {
            line += " " + std::to_string(store.stats(node).value().total_bytes);
        }
        std::printf("%s %llu\n", line.c_str(),
                    static_cast<unsigned long long>(store.stats(any_node).value().total_bytes));
    }

    /// Everything is where it must be.
    void check(const char* when) {
        sample();
        std::printf("phase: %ld %s\n", milliseconds(), when);
        expect(store.check() && memory.source.check(), std::string{when} + ": the books are wrong");
        std::size_t right = 0;
        std::uint64_t bytes = store.stats(any_node).value().total_bytes;
        for (const node_id node : topology()) {
            bytes += store.stats(node).value().total_bytes;
            const auto strict = memory.ask(strictly(node));
            const auto preferred = memory.ask(node);
            wrong += strict.wrong;
            right += strict.right;
            expect(strict.wrong == 0 && memory.source.pages_elsewhere(strictly(node)) == 0,
                   std::string{when} + ": " + std::to_string(strict.wrong) + " strict pages on a wrong node");
            expect(preferred.wrong == memory.source.pages_elsewhere(node) &&
                       preferred.wrong <= memory.source.fallbacks(node),
                   std::string{when} + ": fallbacks that were not counted");
        }
        expect(bytes == store.stats().total_bytes, std::string{when} + ": the nodes' bytes are not the store's");
        std::printf("numa: %s: %zu pages on their nodes, 0 elsewhere\n", when, right);
    }

    witness memory;
    store_type store;
    std::vector<tenant> tenants;
    std::size_t wrong = 0;

private:
    /// Since the machine was made.
    [[nodiscard]] long milliseconds() const {
        const auto passed = std::chrono::steady_clock::now() - start_;
        return static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(passed).count());
    }

    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    std::atomic<long> last_sample_{-10};
};

} // namespace pagefold::testing::numa
