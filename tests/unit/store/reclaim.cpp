// SPDX-License-Identifier: MIT
//
// Where memory comes from: the choices of a reclaimer over partitions of its own. What they come to in a store:
// pool_charge.cpp, basic_store.cpp.
#include <pagefold/store/reclaim.hpp>

#include "support/partition_fixture.hpp"

#include <pagefold/place/hashed.hpp>
#include <pagefold/store/default_config.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing::unit_store_reclaim {
namespace {

using part_type = partition<default_config>;
using put_terms = part_type::put_terms;
using put_outcome = part_type::put_outcome;
constexpr std::uint32_t no_pool = part_type::no_pool;
constexpr std::size_t partitions = 3;

/// Three partitions with four pools, the first of them persistent; pages go where the test says.
struct fixture {
    static constexpr std::uint32_t pools = 4;

    explicit fixture() {
        const auto nowhere = [](std::size_t) { return any_node; };
        REQUIRE(parts.create(partitions, nowhere, [this](void* at, std::size_t i) {
            ::new (at) part_type{source, budget, table, hasher, gauges[i], any_node};
        }) == status::ok);
        table.records = records;
        table.count = pools;
        table.bound.store(pools, memory_order::relaxed);
        for (std::uint32_t slot = 0; slot < pools; ++slot) {
            const pool_kind kind = slot == 0 ? pool_kind::persistent : pool_kind::ephemeral;
            records[slot].id = ids[slot] = pool_ids::next(pool_id{}, slot, kind);
            records[slot].options.kind = kind;
            records[slot].weight.store(slot == 0 ? 0 : 100, memory_order::relaxed);
            for (std::size_t n = 0; n < partitions; ++n) {
                part_type& one = parts[n];
                REQUIRE(one.open_pool(ids[slot]) == status::ok);
            }
        }
        all.set_partitions(parts, gauges);
    }
    [[nodiscard]] located_key at(std::uint32_t slot, std::uint64_t index) const {
        return hasher.locate({ids[slot], 1, index});
    }
    put_outcome put(std::size_t partition, std::uint32_t slot, std::uint64_t index, std::size_t size) {
        const std::vector<std::byte> stream = page_of(size, page_kind::random, index);
        const located_key k = at(slot, index);
        return parts[partition].put(k, stream, checksum(stream, k.sum_seed), 0, {});
    }
    void fill(std::size_t partition, std::uint32_t slot, std::uint64_t count, std::size_t size,
              std::uint64_t stride = 1) {
        for (std::uint64_t i = 0; i < count; ++i) {
            REQUIRE(put(partition, slot, i * stride, size).result == status::ok);
        }
    }
    /// All but one of so many pages goes.
    void thin(std::size_t partition, std::uint32_t slot, std::uint64_t count, std::uint64_t one_in,
              std::uint64_t stride = 1) {
        for (std::uint64_t i = 0; i < count; ++i) {
            if (i % one_in != 0) {
                REQUIRE(parts[partition].erase(at(slot, i * stride)) == status::ok);
            }
        }
    }
    [[nodiscard]] std::uint64_t pages(std::size_t partition) {
        store_stats s{};
        parts[partition].add_to(s);
        return s.stored_pages;
    }
    [[nodiscard]] std::uint64_t pages_of(std::uint32_t slot) {
        pool_stats s{};
        for (std::size_t n = 0; n < partitions; ++n) {
            part_type& one = parts[n];
            REQUIRE(one.add_to(s, ids[slot]));
        }
        return s.stored_pages;
    }
    /// A step for a put into partition 0 that the limit refused.
    bool make_room(std::uint32_t slot, const put_outcome& outcome = {status::limit}) {
        return all.make_room(0, at(slot, 1000), outcome, terms, effort);
    }
    [[nodiscard]] bool check() {
        for (std::size_t n = 0; n < partitions; ++n) {
            part_type& one = parts[n];
            if (!one.check()) {
                return false;
            }
        }
        return budget.used() == source.bytes_held();
    }

    test_source source;
    byte_budget budget{~std::size_t{0}};
    pool_record records[pools];
    pool_table table;
    key_hasher hasher{99};
    partition_gauge gauges[partitions];
    pool_id ids[pools];
    hashed place;
    limited_source homes{source, budget};
    partition_set<part_type, limited_source> parts{homes};
    reclaimer<default_config, hashed> all{table, budget, place};
    put_terms terms;
    put_effort effort;
};

TEST_CASE("reclaim: who is on the way to a victim goes on with that, and nothing else is done") {
    fixture f;
    f.fill(0, 1, 5, 1000);
    f.fill(0, 3, 10, 1000); // who would be next
    f.terms.victims = 1;
    CHECK(f.make_room(2, {status::limit, false, true, true}));
    CHECK(f.terms.begins_with_drop);
    CHECK(f.terms.victims == 1);
    CHECK(f.effort.rounds == 1);
    CHECK(f.pages(0) == 15);
    CHECK(f.make_room(2, {status::limit, false, true}));
    CHECK_FALSE(f.terms.begins_with_drop);
    CHECK(f.terms.victims == 3);
    f.terms.victims = no_pool; // and not where nobody was named
    CHECK(f.make_room(2, {status::limit, false, true, true}));
    CHECK_FALSE(f.terms.begins_with_drop);
}

TEST_CASE("reclaim: the pool furthest over its share pays, at home first, elsewhere where it has none at home") {
    fixture f;
    f.fill(0, 1, 10, 1000);
    f.fill(0, 2, 20, 1000);
    f.fill(1, 3, 30, 1000);
    CHECK(f.make_room(1)); // pool 3 pays, where its pages are
    CHECK(f.terms.victims == no_pool);
    CHECK(f.pages(1) < 30);
    CHECK(f.pages(0) == 30);
    f.records[3].weight.store(1000, memory_order::relaxed);
    CHECK(f.make_room(1));
    CHECK(f.terms.victims == 2);
    f.records[2].weight.store(1000, memory_order::relaxed);
    CHECK(f.make_room(1, {status::limit, false, true}));
    CHECK(f.terms.victims == 1); // its own too
    CHECK(f.check());
}

TEST_CASE("reclaim: a pool whose policy finds nothing is left out, and when all are there is nothing more") {
    fixture f;
    f.fill(0, 1, 10, 1000);
    f.fill(0, 2, 5, 1000);
    CHECK(f.make_room(0));
    CHECK(f.terms.victims == 1);
    CHECK(f.make_room(0)); // nothing was dropped of it
    CHECK(f.terms.victims == 2);
    CHECK(f.make_room(0, {status::limit, false, true})); // something was
    CHECK(f.terms.victims == 2);
    CHECK_FALSE(f.make_room(0));
    CHECK(f.terms.victims == no_pool);
    CHECK(f.pages(0) == 15); // it only chooses
    CHECK(f.effort.rounds == 4);
}

TEST_CASE("reclaim: of persistent pools and of none there is nothing") {
    fixture f;
    CHECK_FALSE(f.make_room(0));
    f.fill(0, 0, 10, 1000);
    f.fill(1, 0, 10, 1000);
    CHECK_FALSE(f.make_room(1));
    CHECK(f.pages_of(0) == 20);
}

TEST_CASE("reclaim: at a cap only the pool's own pages help, and a persistent one has none to give") {
    fixture f;
    f.fill(0, 2, 10, 1000);
    f.fill(1, 1, 10, 1000);
    f.fill(1, 0, 10, 1000);
    const put_outcome at_cap{status::limit, true}, and_dropped{status::limit, true, true};
    CHECK_FALSE(f.make_room(0, at_cap));
    CHECK_FALSE(f.make_room(0, and_dropped));
    CHECK_FALSE(f.make_room(3, at_cap)); // it has none anywhere
    CHECK(f.make_room(1, and_dropped));  // more of them may go at home
    CHECK(f.pages_of(1) == 10);
    CHECK(f.make_room(1, at_cap)); // elsewhere
    CHECK(f.pages_of(1) < 10);
    CHECK(f.pages_of(2) == 10);
    CHECK(f.terms.victims == no_pool);
    CHECK(f.check());
}

TEST_CASE("reclaim: what is reserved is its own pool's alone") {
    fixture f;
    f.fill(0, 1, 10, 1000);
    f.records[1].reserved.store(std::size_t{1} << 30, memory_order::relaxed);
    CHECK_FALSE(f.make_room(2));
    CHECK(f.make_room(1)); // it loses nothing to others by that
    CHECK(f.terms.victims == 1);
    CHECK_FALSE(f.make_room(1)); // known to have nothing
    fixture g;
    g.fill(2, 1, 10, 1000);
    g.records[1].reserved.store(std::size_t{1} << 30, memory_order::relaxed);
    CHECK_FALSE(g.make_room(2));
    CHECK(g.make_room(1));
    CHECK(g.pages_of(1) == 8);
}

TEST_CASE("reclaim: idle memory at home is compacted before anybody loses a page") {
    fixture f;
    f.fill(0, 0, 4000, 1000);
    f.fill(0, 1, 10, 1000);
    f.thin(0, 0, 4000, 4);
    const std::size_t before = f.budget.used();
    CHECK(f.make_room(1));
    CHECK(f.budget.used() <= before - 4096);
    CHECK(f.terms.victims == no_pool);
    CHECK(f.pages_of(1) == 10);
    CHECK(f.effort.tidied == 1);
    CHECK(f.check());
}

TEST_CASE("reclaim: so often for one put and no more, and then pages go") {
    fixture f;
    f.fill(0, 0, 4000, 1000);
    f.fill(0, 1, 10, 1000);
    f.thin(0, 0, 4000, 4);
    unsigned tidied = 0;
    while (f.make_room(1) && f.terms.victims == no_pool) {
        ++tidied;
        REQUIRE(tidied < 100);
    }
    CHECK(tidied == 8);
    CHECK(f.terms.victims == 1);
}

TEST_CASE("reclaim: a partition that was compacted for nothing is left alone for so many requests") {
    fixture f;
    f.fill(0, 1, 10, 1000);
    partition_gauge& gauge = f.gauges[0];
    gauge.payload_held.store(std::size_t{1} << 30, memory_order::relaxed); // much is idle, it seems
    const auto ask = [&] {
        f.effort.rounds = 0; // in the second round a put that has dropped compacts in any case
        CHECK(f.make_room(0, {status::limit, false, true}));
        return gauge.pause.load(memory_order::relaxed);
    };
    for (unsigned round = 1; round <= 2; ++round) {
        CHECK(ask() == 32);
        CHECK(f.effort.tidied == round);
        for (std::uint32_t left = 32; left != 0; --left) {
            REQUIRE(ask() == left - 1);
        }
        CHECK(f.effort.tidied == round);
    }
    CHECK(f.pages(0) == 10);
}

TEST_CASE("reclaim: where two rounds of victims did not help, what they left is gathered") {
    fixture f;
    f.fill(0, 1, 40, 1000);
    const put_outcome dropped{status::limit, false, true};
    CHECK(f.make_room(0, dropped));
    CHECK(f.effort.tidied == 0);
    CHECK(f.make_room(0, dropped));
    CHECK(f.effort.tidied == 1);
    CHECK(f.make_room(0, dropped));
    CHECK(f.effort.tidied == 1);
    CHECK(f.make_room(0, dropped));
    CHECK(f.effort.tidied == 2);
}

TEST_CASE("reclaim: the last means is what is idle anywhere, of payload and of the index, and it ends") {
    for (const bool is_index : {false, true}) {
        CAPTURE(is_index);
        fixture f;
        const std::uint64_t stride = is_index ? 64 : 1;
        f.fill(1, 0, 4000, is_index ? min_stream_size : 1000, stride);
        f.thin(1, 0, 4000, 8, stride);
        unsigned steps = 0;
        for (std::size_t used = f.budget.used(); f.make_room(0); used = f.budget.used()) {
            REQUIRE(f.budget.used() < used); // each step gives something back
            REQUIRE(++steps < 1000);
        }
        CHECK(steps > 0);
        CHECK(f.pages_of(0) == 500);
        CHECK(f.check());
    }
}

TEST_CASE("reclaim: a target that is met, work that is none, and nothing that can be dropped") {
    fixture f;
    f.fill(0, 0, 20, 1000);
    const std::size_t used = f.budget.used();
    CHECK(f.all.reclaim_to(f.budget, any_node, used, 0) == status::ok);
    CHECK(f.all.reclaim_to(f.budget, any_node, ~std::size_t{0}, ~std::size_t{0}) == status::ok);
    CHECK(f.all.reclaim_to(f.budget, any_node, used - 1, 0) == status::busy);
    CHECK(f.all.reclaim_to(f.budget, any_node, used - 1, ~std::size_t{0}) == status::limit);
    CHECK(f.all.reclaim_to(f.budget, any_node, 0, ~std::size_t{0}) == status::limit);
    CHECK(f.pages_of(0) == 20);
    CHECK(f.check());
}

TEST_CASE("reclaim: a pool that is charged and has no page to drop is asked once, and not for ever") {
    fixture f;
    f.fill(0, 2, 10, 1000);
    f.records[1].payload.store(std::size_t{1} << 30, memory_order::relaxed); // the most by far, says its record
    CHECK(f.make_room(3));
    CHECK(f.terms.victims == 2);
    CHECK_FALSE(f.make_room(3));
    CHECK(f.all.reclaim_to(f.budget, any_node, 0, ~std::size_t{0}) == status::limit);
    CHECK(f.pages_of(2) == 0);
    f.records[1].payload.store(0, memory_order::relaxed);
    CHECK(f.check());
}

TEST_CASE("reclaim: pages go until the target is met, of all partitions, and hardly more") {
    fixture f;
    for (std::size_t p = 0; p < partitions; ++p) {
        f.fill(p, 1, 400, 2000);
    }
    f.fill(0, 0, 50, 2000);
    const std::size_t used = f.budget.used(), target = used - used / 4;
    CHECK(f.all.reclaim_to(f.budget, any_node, target, ~std::size_t{0}) == status::ok);
    CHECK(f.budget.used() <= target);
    CHECK(f.budget.used() > target - used / 8);
    CHECK(f.pages_of(0) == 50);
    for (std::size_t p = 0; p < partitions; ++p) {
        CHECK(f.pages(p) < 400 + (p == 0 ? 50 : 0));
    }
    CHECK(f.check());
    CHECK(f.all.reclaim_to(f.budget, any_node, 0, ~std::size_t{0}) == status::limit); // all that can go goes
    CHECK(f.pages_of(1) == 0);
    CHECK(f.check());
}

TEST_CASE("reclaim: a call does no more than its work, and the next goes on") {
    fixture f;
    f.fill(0, 1, 600, 2000);
    const std::size_t work = 40 * 4096;
    status s = status::busy;
    unsigned calls = 0;
    for (std::uint64_t before = 600; s == status::busy; before = f.pages_of(1)) {
        s = f.all.reclaim_to(f.budget, any_node, f.budget.used() / 1000, work);
        REQUIRE(before - f.pages_of(1) <= 2 * 40 + 8);
        REQUIRE(++calls < 100);
    }
    CHECK(calls > 600 / 88);
    CHECK(f.pages_of(1) == 0);
}

TEST_CASE("reclaim: holes go before pages do") {
    fixture f;
    f.fill(0, 1, 4000, 1000);
    f.thin(0, 1, 4000, 4);
    const std::size_t idle = f.gauges[0].payload_idle();
    REQUIRE(idle > std::size_t{1} << 20);
    CHECK(f.all.has_much_idle());
    CHECK(f.all.reclaim_to(f.budget, any_node, f.budget.used() - idle / 2, ~std::size_t{0}) == status::ok);
    CHECK(f.pages_of(1) == 1000);
    CHECK(f.check());
}

TEST_CASE("reclaim: compaction goes through all partitions, payload and index, as far as its budget") {
    fixture f;
    for (std::size_t p = 0; p < partitions; ++p) {
        f.fill(p, 0, 3000, 1000);
        f.thin(p, 0, 3000, 4);
    }
    compaction_work done;
    f.all.compact(any_node, 10'000, done);
    CHECK(done.moved_bytes > 0);
    CHECK(done.moved_bytes < 10'000 + 2000);
    CHECK(f.all.has_much_idle());
    done = {};
    const std::size_t before = f.budget.used();
    f.all.compact(any_node, ~std::size_t{0}, done);
    CHECK(f.budget.used() == before - done.freed_bytes);
    CHECK_FALSE(f.all.has_much_idle());
    for (const partition_gauge& gauge : f.gauges) {
        CHECK(gauge.payload_idle() < 200'000);
    }
    CHECK(f.check());
    compaction_work again;
    f.all.compact(any_node, ~std::size_t{0}, again);
    CHECK(again.freed_bytes <= 8 * 4096);
    CHECK(f.pages_of(0) == 3 * 750);
}

TEST_CASE("reclaim: much is idle where one partition has much more than a part of what it holds") {
    fixture f;
    CHECK_FALSE(f.all.has_much_idle());
    for (partition_gauge& gauge : f.gauges) {
        gauge.payload_held.store(16'000'000, memory_order::relaxed);
        const std::size_t much = 1'000'000 + pool_charge::free_idle;
        gauge.payload_used.store(16'000'000 - much, memory_order::relaxed);
        CHECK_FALSE(f.all.has_much_idle());
        gauge.payload_used.store(16'000'000 - much - 1, memory_order::relaxed);
        CHECK(f.all.has_much_idle());
        gauge.payload_held.store(0, memory_order::relaxed);
        gauge.tables_held.store(8'000'000, memory_order::relaxed);
        const std::size_t much_tables = 1'000'000 + 160 * 1024;
        gauge.tables_used.store(8'000'000 - much_tables, memory_order::relaxed);
        CHECK_FALSE(f.all.has_much_idle());
        gauge.tables_used.store(8'000'000 - much_tables - 1, memory_order::relaxed);
        CHECK(f.all.has_much_idle());
        gauge.tables_held.store(0, memory_order::relaxed);
    }
}

} // namespace
TEST_CASE("reclaim: a pool at its share loses its own page, and one that is behind elsewhere before one at home") {
    fixture f;
    f.fill(0, 1, 40, 4096);
    f.fill(1, 1, 40, 4096, 7);
    f.fill(0, 2, 81, 4096, 5); // furthest, but by less than a 64th
    CHECK(f.make_room(1));
    CHECK(f.terms.victims == 1);
    CHECK(f.pages(1) == 40);
    f.records[2].weight.store(0, memory_order::relaxed);
    bool is_under_way = false;
    while (f.parts[0].pace_of(1, false, 0).turns <= 3 * pool_balance<part_type>::round) {
        REQUIRE(f.parts[0].evict(1, 1, is_under_way) == 1); // home's hands go round
        REQUIRE(f.put(0, 1, 2000 + f.pages(0) + f.parts[0].pace_of(1, false, 0).turns, 4096).result == status::ok);
    }
    CHECK(f.parts[1].pace_of(1, false, 0).turns == 0);
    unsigned fetched = 0;
    for (unsigned i = 0; i < 64; ++i) {
        f.effort = put_effort{};
        f.terms = put_terms{};
        const std::uint64_t before = f.pages(1);
        REQUIRE(f.make_room(1));
        if (f.pages(1) != before) {
            ++fetched;
            CHECK(f.terms.victims == no_pool);
            CHECK(before - f.pages(1) <= 4);
            REQUIRE(f.make_room(1)); // once a put
            CHECK(f.terms.victims == 1);
        }
    }
    CHECK(fetched != 0);
    CHECK(f.pages(1) + 4 * fetched >= 40);
    part_type& other = f.parts[2];
    CHECK_FALSE(other.pace_of(1, true, 5000).has_pages);
    CHECK(other.pace_of(1, false, 9000).turns == 5000);
    CHECK(other.pace_of(1, true, 4000).turns == 5000); // never back
    CHECK_FALSE(other.pace_of(fixture::pools, true, 5000).has_pages);
    CHECK(other.pace_of(fixture::pools, true, 5000).turns == 0); // no such pool
    CHECK(f.check());
}

} // namespace pagefold::testing::unit_store_reclaim
