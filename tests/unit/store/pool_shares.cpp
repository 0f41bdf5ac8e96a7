// SPDX-License-Identifier: MIT

// Who pays: the choice by itself, against a plain one with wide numbers, and what it comes to for tenants of a store.

#include "support/store_fixture.hpp"

#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>
#include <pagefold/store/pool_shares.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace pagefold::testing {
namespace {

/// Records that a test sets by hand; the rates are 1.
struct shares_of {
    explicit shares_of(std::uint32_t count) : records{new pool_record[count]} {
        table.records = records.get();
        table.count = count;
        table.bound.store(count, memory_order::relaxed);
    }
    void set(std::uint32_t slot, std::size_t used, std::uint32_t weight, std::size_t reserved = 0) const {
        records[slot].payload.store(used / 3 * 2, memory_order::relaxed);
        records[slot].tables.store(used - used / 3 * 2, memory_order::relaxed);
        records[slot].weight.store(weight, memory_order::relaxed);
        records[slot].reserved.store(reserved, memory_order::relaxed);
    }
    [[nodiscard]] std::uint32_t furthest(std::size_t page = 4096) const { return pool_shares{table}.furthest(page); }

    std::unique_ptr<pool_record[]> records;
    pool_table table;
};
constexpr std::uint32_t nobody = pool_shares::no_pool;

} // namespace

TEST_CASE("pool_shares: the pool furthest over its weighted share pays") {
    const shares_of s{4};
    CHECK(s.furthest() == nobody);
    s.set(1, 1000, 100);
    CHECK(s.furthest() == 1);
    s.set(3, 1001, 100);
    CHECK(s.furthest() == 3);
    s.set(0, 3000, 300);
    CHECK(s.furthest() == 3); // 10 for each, and 10.01
    s.set(2, 11, 1);
    CHECK(s.furthest() == 2);
    s.set(2, 11, 0); // persistent, or gone
    CHECK(s.furthest() == 3);
    s.set(3, 0, 1); // nothing to drop
    CHECK(s.furthest() != 3);
}

TEST_CASE("pool_shares: nobody above the bound pays, and none that is left out") {
    shares_of s{4};
    s.set(0, 100, 1);
    s.set(1, 200, 1);
    s.set(3, 300, 1);
    CHECK(s.furthest() == 3);
    s.table.bound.store(3, memory_order::relaxed);
    CHECK(s.furthest() == 1);
    CHECK(pool_shares{s.table}.furthest(1, [](std::uint32_t slot) noexcept { return slot == 1; }) == 0);
    CHECK(pool_shares{s.table}.furthest(1, [](std::uint32_t) noexcept { return true; }) == nobody);
    s.table.bound.store(0, memory_order::relaxed);
    CHECK(s.furthest() == nobody);
}

TEST_CASE("pool_shares: a pool can lose a page if what it has reserved is left, to the byte") {
    const shares_of s{2};
    const auto can_lose = [&](std::size_t used, std::size_t reserved, std::size_t page) {
        s.set(0, used, 1, reserved);
        const bool can = pool_shares{s.table}.can_lose(s.records[0], page);
        CHECK_UNARY((s.furthest(page) == 0) == (can && used != 0));
        return can;
    };
    CHECK(can_lose(100, 0, 4096)); // no reservation: any page may go
    CHECK(can_lose(104, 100, 4));
    CHECK(!can_lose(103, 100, 4));
    CHECK(!can_lose(100, 100, 4));
    CHECK(!can_lose(99, 100, 4));
    CHECK(!can_lose(0, 100, 4));
    CHECK(!can_lose(100, ~std::size_t{0}, 4));
    CHECK(can_lose(~std::size_t{0}, 1, 4096));
}

TEST_CASE("pool_shares: who may not lose a page lets the next one pay") {
    const shares_of s{3};
    s.set(0, 1'000'000, 1, 1'000'000);
    s.set(1, 500'000, 1);
    s.set(2, 400'000, 1);
    CHECK(s.furthest() == 1);
    s.set(1, 500'000, 1, 499'000);
    CHECK(s.furthest() == 2);
    CHECK(s.furthest(1000) == 1);
    s.set(0, 1'000'000 + 4096, 1, 1'000'000);
    CHECK(s.furthest() == 0);
}

TEST_CASE("pool_shares: the rates of what is idle count") {
    shares_of s{2};
    s.records[0].payload.store(1000, memory_order::relaxed);
    s.records[0].weight.store(1, memory_order::relaxed);
    s.records[1].tables.store(990, memory_order::relaxed);
    s.records[1].weight.store(1, memory_order::relaxed);
    CHECK(s.furthest() == 0);
    s.table.tables_rate.store(0x12000, memory_order::relaxed);
    CHECK(s.furthest() == 1);
    s.table.payload_rate.store(0x14000, memory_order::relaxed);
    CHECK(s.furthest() == 0);
}

TEST_CASE("pool_shares: the choice is that of wide arithmetic, for random pools and extreme ones") {
    __extension__ using wide = unsigned __int128;
    rng random{8};
    bool all_right = true;
    for (int round = 0; round < 20'000; ++round) {
        const std::uint32_t count = static_cast<std::uint32_t>(1 + random.below(6));
        const shares_of s{count};
        std::vector<std::uint64_t> used(count);
        std::vector<std::uint32_t> weight(count);
        for (std::uint32_t i = 0; i < count; ++i) {
            // (the charge of a record that is near the largest number of all would wrap, and can't be)
            used[i] = random.one_in(3) ? random.below(4) : random() >> (1 + random.below(62));
            weight[i] = random.one_in(3)   ? static_cast<std::uint32_t>(random.below(3))
                        : random.one_in(3) ? 0xffffffffu
                                           : static_cast<std::uint32_t>(random() >> 32 >> random.below(32));
            s.set(i, used[i], weight[i]);
        }
        const std::uint32_t chosen = s.furthest();
        bool any = false;
        for (std::uint32_t i = 0; i < count; ++i) {
            if (weight[i] == 0 || used[i] == 0) {
                all_right = all_right && chosen != i;
                continue;
            }
            any = true;
            all_right =
                all_right && chosen != nobody && wide{used[i]} * weight[chosen] <= wide{used[chosen]} * weight[i];
        }
        all_right = all_right && (chosen != nobody) == any;
    }
    CHECK(all_right);
}

// Tenants.

namespace {

struct alone : default_config {
    using lock_type = null_lock;
};
using tenants = store_fixture<partitioned_store<alone>>;

std::uint64_t stored(const tenants& s, pool_id pool) { return s.store.statistics_of(pool).value().stored_pages; }

/// A tenant's page cache: it reads pages of a set in random order, and stores what it did not find.
struct reader {
    pool_id pool;
    std::uint64_t pages;
    rng random{1};
    std::uint64_t reads = 0, hits = 0;

    void read(tenants& s) {
        const std::uint64_t at = random.below(pages);
        const page_key key{pool, at / 256, at % 256};
        ++reads;
        if (s.get(key) == status::ok) {
            ++hits;
        } else {
            CHECK_UNARY(s.put(key, page_kind::random, at) == status::ok);
        }
    }
    void forget_counts() { reads = hits = 0; }
    [[nodiscard]] double ratio() const { return static_cast<double>(hits) / static_cast<double>(reads); }
};

constexpr std::size_t limit_for(std::size_t partitions) { return partitions == 256 ? 48u << 20 : 8u << 20; }

/// Where nobody else is: the share is the cap.
double ratio_alone(std::size_t partitions, std::uint64_t share, std::uint64_t pages, std::uint64_t reads) {
    tenants s{store_options{.partitions = partitions, .seed = 3}};
    reader one{s.make_pool({.kind = pool_kind::ephemeral, .cap_bytes = share}), pages};
    for (std::uint64_t i = 0; i < 2 * reads; ++i) {
        one.read(s);
        if (i + 1 == reads) {
            one.forget_counts();
        }
    }
    return one.ratio();
}

struct scene {
    std::size_t partitions;
    std::uint32_t quiet_weight, flood_weight;
    unsigned flood_slot;
};

/// Three quiet tenants, each of which reads a set of so many thousandths of its share, and one that floods.
void let_one_flood(const scene& is, std::uint64_t set_permille) {
    CAPTURE(is.partitions);
    CAPTURE(is.quiet_weight);
    CAPTURE(is.flood_weight);
    CAPTURE(is.flood_slot);
    CAPTURE(set_permille);
    const std::size_t limit = limit_for(is.partitions);
    tenants s{store_options{.limit_bytes = limit, .partitions = is.partitions, .seed = 5}};
    std::vector<reader> quiet;
    pool_id flood{};
    for (unsigned slot = 0; slot < 4; ++slot) {
        const pool_id pool = s.make_pool(
            {.kind = pool_kind::ephemeral, .weight = slot == is.flood_slot ? is.flood_weight : is.quiet_weight});
        if (slot == is.flood_slot) {
            flood = pool;
        } else {
            quiet.push_back({pool, 0, rng{slot + 7}});
        }
    }
    // What is left for pages: the store's fixed part goes, and some idle memory of each partition.
    const std::uint64_t free = limit - s.store.stats().total_bytes - is.partitions * 12 * 4096;
    const std::uint64_t weights = std::uint64_t{3} * is.quiet_weight + is.flood_weight;
    const std::uint64_t share = free * is.quiet_weight / weights;
    const std::uint64_t set = share * set_permille / 1000 / 4200;
    for (reader& one : quiet) {
        one.pages = set;
    }
    std::uint64_t flooded = 0;
    const auto step = [&] {
        for (int i = 0; i < 6; ++i) {
            static_cast<void>(s.put({flood, flooded / 64, flooded % 64}, page_kind::random, flooded));
            ++flooded;
        }
        for (reader& one : quiet) {
            one.read(s);
            one.read(s);
        }
    };
    const std::uint64_t steps = is.partitions == 256  ? 3 * set
                                : set_permille > 1000 ? 20 * set
                                                      : 4 * set; // enough for a percent
    for (std::uint64_t i = 0; i < set; ++i) {
        for (const reader& one : quiet) {
            REQUIRE(s.put({one.pool, i / 256, i % 256}, page_kind::random, i) == status::ok);
        }
    }
    for (std::uint64_t i = 0; i < steps; ++i) {
        step();
    }
    for (reader& one : quiet) {
        one.forget_counts();
    }
    for (std::uint64_t i = 0; i < steps; ++i) {
        step();
    }
    CHECK(s.store.stats().evicted_pages > 0);
    if (set_permille <= 1000) {
        for (const reader& one : quiet) {
            CHECK(one.hits == one.reads); // below its share a tenant loses nothing
            CHECK(s.store.statistics_of(one.pool).value().evicted_pages == 0);
        }
    } else {
        // How much there is to share is known only now.
        std::uint64_t all = s.store.statistics_of(flood).value().used_bytes;
        for (const reader& one : quiet) {
            all += s.store.statistics_of(one.pool).value().used_bytes;
        }
        const double expected = ratio_alone(is.partitions, all * is.quiet_weight / weights, set, 2 * steps);
        for (const reader& one : quiet) {
            CAPTURE(expected);
            CHECK(one.ratio() > expected - 0.02);
            CHECK(one.ratio() < expected + 0.02);
        }
    }
    CHECK(s.store.check());
}

} // namespace

TEST_CASE("pool_shares: a flood leaves quiet tenants what is theirs, in any number of partitions") {
    for (const std::size_t partitions : {1u, 8u, 256u}) {
        let_one_flood({partitions, 100, 100, 3}, 800);
        let_one_flood({partitions, 100, 100, 0}, 1500);
    }
}

TEST_CASE("pool_shares: weights of 2^30 and 1, in every slot") {
    for (const std::size_t partitions : {1u, 8u}) {
        for (unsigned slot = 0; slot < 4; ++slot) {
            let_one_flood({partitions, 1u << 30, 1, slot}, 850);
        }
        let_one_flood({partitions, 1u << 30, 1u << 30, 1}, 800);
        let_one_flood({partitions, 1, 1, 2}, 800);
        let_one_flood({partitions, 0xffffffffu, 0xfffffffeu, 2}, 800);
    }
    let_one_flood({256, 1u << 30, 1, 3}, 700);
}

TEST_CASE("pool_shares: where all want more than there is, each has its weight of it, in every order of slots") {
    for (const std::size_t partitions : {1u, 8u, 256u}) {
        CAPTURE(partitions);
        std::uint32_t weights[] = {1, 2, 5};
        do {
            CAPTURE(weights[0]);
            CAPTURE(weights[1]);
            tenants s{store_options{.limit_bytes = limit_for(partitions), .partitions = partitions, .seed = 9}};
            pool_id pools[3];
            for (unsigned i = 0; i < 3; ++i) {
                pools[i] = s.make_pool({.kind = pool_kind::ephemeral, .weight = weights[i] << 20});
            }
            const std::uint64_t most = limit_for(partitions) / 4096;
            for (std::uint64_t i = 0; i < most; ++i) {
                for (const pool_id pool : pools) {
                    REQUIRE(s.put({pool, i / 64, i % 64}, page_kind::random, i) == status::ok);
                }
            }
            const std::uint64_t all = stored(s, pools[0]) + stored(s, pools[1]) + stored(s, pools[2]);
            CHECK(all > most * 7 / 10);
            for (unsigned i = 0; i < 3; ++i) {
                const std::uint64_t wanted = all * weights[i] / 8;
                CHECK(stored(s, pools[i]) >= wanted * 97 / 100);
                CHECK(stored(s, pools[i]) <= wanted * 103 / 100 + 1);
            }
            CHECK(s.store.check());
        } while (partitions != 256 && std::next_permutation(weights, weights + 3));
    }
}

} // namespace pagefold::testing
