// SPDX-License-Identifier: MIT

// Who pays: the choice by itself, against a plain one with wide numbers. What it comes to for tenants of a store is
// tests/model/tenants.cpp.

#include "support/rng.hpp"

#include <pagefold/store/pool_shares.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace pagefold::testing::unit_store_pool_shares {
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

TEST_CASE("pool_shares: a pool may pay itself if it is as far over its share as the furthest, but for a 64th") {
    const shares_of s{4};
    const auto may = [&](std::uint32_t own, std::uint32_t other) {
        return pool_shares{s.table}.may_pay_itself(own, other, 4096);
    };
    s.set(0, 640000, 100);
    s.set(1, 630000, 100);
    s.set(2, 629999, 100);
    s.set(3, 0, 100);
    CHECK(may(0, 0));
    CHECK(may(1, 0));
    CHECK_FALSE(may(2, 0));
    CHECK_FALSE(may(3, 3)); // nothing to lose
    s.set(2, 1260000, 200); // by weight
    CHECK(may(2, 0));
    s.set(2, 1259999, 200);
    CHECK_FALSE(may(2, 0));
    s.set(1, 630000, 100, 630000 - 4095); // reserved
    CHECK_FALSE(may(1, 0));
    s.set(1, 630000, 100, 630000 - 4096);
    CHECK(may(1, 0));
    s.set(1, 630000, 0); // of pages that stay
    CHECK_FALSE(may(1, 0));
    s.set(1, ~std::size_t{0} / 4, 0xffffffffu);
    CHECK(may(1, 1));
}

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

#ifdef __SIZEOF_INT128__ // not where registers have 32 bits
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
#endif

} // namespace pagefold::testing::unit_store_pool_shares
