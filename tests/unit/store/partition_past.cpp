// SPDX-License-Identifier: MIT
//
// What a store knows of keys, as an admission policy that remembers is told. Against a model, at random: model/second_touch.cpp.
#include <pagefold/store/partition_past.hpp>

#include "support/node_test_source.hpp"
#include "support/pages.hpp"
#include "support/partition_fixture.hpp"
#include "support/store_fixture.hpp"

#include <pagefold/admit/all_of.hpp>
#include <pagefold/admit/always.hpp>
#include <pagefold/admit/by_pool.hpp>
#include <pagefold/admit/ratio.hpp>
#include <pagefold/admit/second_touch.hpp>
#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/evict/probation_clock.hpp>
#include <pagefold/evict/s3_fifo.hpp>
#include <pagefold/place/by_node.hpp>
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>
#include <pagefold/store/room.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>

namespace pagefold::testing::unit_store_partition_past {
namespace {

constexpr pool_kind ephemeral = pool_kind::ephemeral, persistent = pool_kind::persistent;
constexpr std::size_t mib = 1u << 20;

template <class Eviction, class Admission = second_touch>
struct config_of : default_config {
    using lock_type = null_lock;
    using eviction_type = Eviction;
    using admission_type = Admission;
};
template <class Eviction, class Admission = second_touch>
using store_of = store_fixture<page_store<config_of<Eviction, Admission>>>;
using plain_store = store_of<probation_clock>;
constexpr pool_options cache{.kind = ephemeral};

TEST_CASE("partition_past: the first put of a key is refused and counted, the second is kept") {
    plain_store f{{.limit_bytes = 8 * mib}};
    const pool_id pool = f.make_pool(cache);
    for (std::uint64_t i = 0; i < 500; ++i) {
        REQUIRE(f.put({pool, i % 7, i}, i) == status::incompressible);
        REQUIRE(f.lacks({pool, i % 7, i}));
    }
    CHECK(f.store.stats().stored_pages == 0);
    CHECK(f.store.stats().reject_compress_poor == 500);
    CHECK(f.store.statistics_of(pool).value().rejected_puts == 500);
    CHECK(f.store.check());
    unsigned refused = 0; // of those, few were mistaken for known before
    for (std::uint64_t i = 0; i < 500; ++i) {
        refused += f.put({pool, i % 7, i}, i) == status::incompressible ? 1u : 0u;
    }
    CHECK(refused == 0);
    for (std::uint64_t i = 0; i < 500; ++i) {
        REQUIRE(f.has({pool, i % 7, i}, i));
    }
    CHECK(f.store.check());
}

TEST_CASE("partition_past: a page that is stored may be overwritten, and persistent pages are never strangers") {
    plain_store f{{.limit_bytes = 8 * mib}};
    const pool_id pool = f.make_pool(cache), kept = f.make_pool();
    REQUIRE(f.put({pool, 1, 1}, 1) == status::incompressible);
    for (std::uint64_t version = 2; version < 10; ++version) {
        REQUIRE(f.put({pool, 1, 1}, version) == status::ok);
        REQUIRE(f.has({pool, 1, 1}, version));
    }
    for (std::uint64_t i = 0; i < 100; ++i) {
        REQUIRE(f.put({kept, 1, i}, i) == status::ok);
    }
    CHECK(f.store.stats().reject_compress_poor == 1);
}

TEST_CASE("partition_past: who doesn't ask the ghost doesn't wait for it to grow") {
    plain_store f{{.limit_bytes = 8 * mib}};
    const pool_id first = f.make_pool(cache), kept = f.make_pool();
    REQUIRE(f.put({first, 1, 1}, 1) == status::incompressible);
    REQUIRE(f.store.destroy_pool(first) == status::ok); // and the ghost goes
    const pool_id second = f.make_pool(cache);
    CHECK(f.put({kept, 1, 1}, 1) == status::ok);
    CHECK(f.put({second, 1, 1}, 1) == status::incompressible);
    CHECK(f.store.check());
}

TEST_CASE("partition_past: partitions of a store without a limit share what it counts as") {
    store_fixture<partitioned_store<config_of<probation_clock>>> f{{.partitions = 8}};
    f.source.set_limit(8 * mib);
    const pool_id pool = f.make_pool(cache);
    const std::size_t before = f.source.bytes_held();
    for (std::uint64_t i = 0; i < 1000; ++i) {
        REQUIRE(f.put({pool, i, 0}, i) == status::incompressible);
    }
    CHECK(f.source.bytes_held() - before <= mib / 2); // 65,536 keys in all, tables, a scratch
    CHECK(f.store.check());
}

TEST_CASE("partition_past: what was taken is known, what was erased is not") {
    plain_store f{{.limit_bytes = 8 * mib}};
    const pool_id pool = f.make_pool(cache);
    for (const std::uint64_t i : {1u, 2u, 3u}) {
        REQUIRE(f.put({pool, 1, i}, i) == status::incompressible);
        REQUIRE(f.put({pool, 1, i}, i) == status::ok);
    }
    CHECK(f.take({pool, 1, 1}) == status::ok);
    CHECK(f.put({pool, 1, 1}, 1) == status::ok);
    CHECK(f.store.erase({pool, 1, 2}) == status::ok);
    CHECK(f.put({pool, 1, 2}, 2) == status::incompressible);
    CHECK(f.store.erase_object(pool, 1).value() == 2);
    CHECK(f.put({pool, 1, 3}, 3) == status::incompressible);
}

TEST_CASE("partition_past: a pool's keys are not known to the next one of its slot") {
    plain_store f{{.limit_bytes = 8 * mib}};
    const pool_id stays = f.make_pool(cache), first = f.make_pool(cache);
    REQUIRE(f.put({first, 1, 1}, 1) == status::incompressible);
    REQUIRE(f.put({stays, 1, 1}, 1) == status::incompressible);
    CHECK(f.store.destroy_pool(first) == status::ok);
    const pool_id second = f.make_pool(cache);
    CHECK(f.put({second, 1, 1}, 1) == status::incompressible);
    CHECK(f.put({stays, 1, 1}, 1) == status::ok);
}

/// Every page that eviction took from a full store is kept when it comes again.
template <class Eviction>
void evict_and_come_back() {
    store_of<Eviction> f{{.limit_bytes = 2 * mib}};
    const pool_id pool = f.make_pool(cache);
    for (std::uint64_t i = 0; i < 1000; ++i) {
        REQUIRE(f.put({pool, 1, i}, page_kind::random, i) == status::incompressible);
        REQUIRE(f.put({pool, 1, i}, page_kind::random, i) == status::ok);
        static_cast<void>(f.get({pool, 1, i / 2}));
    }
    CHECK(f.store.stats().evicted_pages > 400);
    unsigned missing = 0, refused = 0;
    for (std::uint64_t i = 1000; i-- > 0;) {
        if (f.lacks({pool, 1, i})) {
            ++missing;
            refused += f.put({pool, 1, i}, page_kind::random, i) != status::ok ? 1u : 0u;
        }
    }
    CHECK(missing > 400);
    CHECK(refused <= missing / 50); // the luck of the buckets
    CHECK(f.store.check());
}

TEST_CASE("partition_past: eviction's victims are known, whatever the policy remembers itself") {
    evict_and_come_back<probation_clock>();
    evict_and_come_back<clock>();
    evict_and_come_back<lru>();
    evict_and_come_back<s3_fifo>();
}

TEST_CASE("partition_past: to an eviction policy that remembers, a refused key is one that left") {
    using config = config_of<probation_clock>;
    lone_state<config> f{ephemeral, 8 * mib};
    f.state.note_opening(f.pool());
    const auto past = [&](std::uint64_t i) { return f.state.past_of(f.pool(), f.at(1, i), f.slot(i)); };
    CHECK(past(1) == key_past::unseen);
    f.state.note_left(f.pool(), f.at(1, 1));
    CHECK(past(1) == key_past::left);
    REQUIRE(f.put(1, 500) == status::ok);
    REQUIRE(f.put(2, 500) == status::ok);
    CHECK(past(1) == key_past::stored);
    CHECK(f.state.index.hook(f.slot(1)) == 2); // it comes back: no probation
    CHECK(f.state.index.hook(f.slot(2)) == 0);
    CHECK_FALSE(f.state.ghost.recall(f.at(1, 1).sum_seed)); // and has gone from the ghost
    CHECK(f.check());
}

TEST_CASE("partition_past: without a policy of eviction that remembers, a page that comes leaves the ghost too") {
    lone_state<config_of<clock>> f{ephemeral, 8 * mib};
    f.state.note_opening(f.pool());
    CHECK(f.state.past_of(f.pool(), f.at(1, 1), no_slot) == key_past::unseen);
    f.state.note_left(f.pool(), f.at(1, 1));
    REQUIRE(f.put(1, 500) == status::ok);
    CHECK_FALSE(f.state.ghost.recall(f.at(1, 1).sum_seed));
}

TEST_CASE("partition_past: a persistent pool has no past") {
    lone_state<config_of<probation_clock>> f{persistent, 8 * mib};
    f.state.note_opening(f.pool());
    f.state.note_left(f.pool(), f.at(1, 1));
    CHECK(f.state.past_of(f.pool(), f.at(1, 1), no_slot) == key_past::untold);
    CHECK(f.state.ghost.bytes() == 0);
    // Beside an ephemeral one, whose ghost there is.
    f.state.ghost.pool_opened();
    REQUIRE(f.state.ghost.ask(f.at(1, 1).sum_seed, 8 * mib, 4096) == key_past::unseen);
    f.state.note_left(f.pool(), f.at(1, 1));
    CHECK(f.state.ghost.ask(f.at(1, 1).sum_seed, 8 * mib, 4096) == key_past::unseen);
    f.state.note_closing(f.pool());
    CHECK_FALSE(f.state.has_long_ghost());
}

TEST_CASE("partition_past: where there is no memory for a ghost, nobody is a stranger") {
    store_of<clock> small{{.limit_bytes = 200'000}}; // less than 64 pages
    const pool_id pool = small.make_pool(cache);
    CHECK(small.put({pool, 1, 1}, page_kind::text, 1) == status::ok);
    CHECK(small.has({pool, 1, 1}, page_kind::text, 1));

    bool growing = true;
    lone_partition<config_of<clock>> refused{ephemeral, 8 * mib};
    refused.source.refuse_all(true);
    CHECK(refused.part.look(refused.at(1, 1), 0, growing) == key_past::untold);
    refused.source.refuse_all(false);
    lone_partition<config_of<clock>> held_back{ephemeral, 8 * mib};
    CHECK(held_back.part.look(held_back.at(1, 1), 8 * mib, growing) == key_past::untold); // others' reservation
    CHECK(held_back.part.bytes_taken() == held_back.source.bytes_held());
    lone_partition<config_of<clock>> fine{ephemeral, 8 * mib};
    CHECK(fine.part.look(fine.at(1, 1), 0, growing) == key_past::unseen);
    CHECK(fine.part.look(located_key{{pool_id{}, 1, 1}, 0, 0, 0, 0, 0}, 0, growing) == key_past::untold);
    CHECK(fine.part.bytes_taken() == fine.source.bytes_held());
    CHECK(fine.part.check());
    CHECK_FALSE(growing);
}

TEST_CASE("partition_past: a large ghost is made at the first put, some pages a hold, and no key is forgotten for it") {
    lone_partition<config_of<clock>> p{ephemeral, 512 * mib};
    bool growing = false;
    CHECK(p.part.look(p.at(1, 1), 0, growing) == key_past::unseen);
    CHECK(growing);
    CHECK(p.part.look(p.at(1, 1), 0, growing) == key_past::unseen);
    CHECK_FALSE(growing);
    plain_store f{{.limit_bytes = std::size_t{1} << 30}};
    const pool_id pool = f.make_pool(cache);
    for (std::uint64_t i = 0; i < 200; ++i) {
        REQUIRE(f.put({pool, 1, i}, i) == status::incompressible);
        REQUIRE(f.put({pool, 1, i}, i) == status::ok);
    }
}

TEST_CASE("partition_past: the ghost goes with the last ephemeral pool, and with a lower limit") {
    plain_store f{{.limit_bytes = 64 * mib}};
    const pool_id kept = f.make_pool(), first = f.make_pool(cache), second = f.make_pool(cache);
    REQUIRE(f.put({kept, 1, 1}, 1) == status::ok);
    const std::size_t before = f.source.bytes_held();
    REQUIRE(f.put({first, 1, 1}, 1) == status::incompressible);
    CHECK(f.source.bytes_held() == before + 8 * 4096); // 2 bytes for each of 16384 pages
    CHECK(f.store.stats().total_bytes == f.source.bytes_held());
    CHECK(f.store.destroy_pool(first) == status::ok);
    CHECK(f.source.bytes_held() == before + 8 * 4096);
    CHECK(f.store.resize(16 * mib) == status::ok);
    CHECK(f.store.compact(~std::size_t{0}) >= 6 * 4096);
    CHECK(f.source.bytes_held() <= before + 3 * 4096);
    CHECK(f.store.check());
    CHECK(f.store.destroy_pool(second) == status::ok);
    CHECK(f.source.bytes_held() <= before);
    CHECK(f.store.check());
}

TEST_CASE("partition_past: a limit that the ghost is above is met without it") {
    plain_store f{{.limit_bytes = 512 * mib}};
    const pool_id pool = f.make_pool(cache);
    for (std::uint64_t i = 0; i < 20; ++i) {
        REQUIRE(f.put({pool, 1, i}, i) == status::incompressible);
    }
    const std::size_t all = f.source.bytes_held();
    CHECK(all > 64 * 4096);
    const std::size_t lower = all - 60 * 4096;
    CHECK(f.store.resize(lower) == status::ok);
    CHECK(f.source.bytes_held() <= lower);
    CHECK(f.store.check());
}

TEST_CASE("partition_past: pools are charged for their pages, not for the first keys") {
    plain_store f{{.limit_bytes = 512 * mib}};
    const pool_id pool = f.make_pool({.kind = ephemeral, .cap_bytes = 64 * 1024});
    for (std::uint64_t i = 0; i < 10; ++i) {
        REQUIRE(f.put({pool, 1, i}, page_kind::random, i) == status::incompressible);
        REQUIRE(f.put({pool, 1, i}, page_kind::random, i) == status::ok);
    }
    CHECK(f.store.statistics_of(pool).value().stored_pages == 10);
    CHECK(f.store.check());
    // As in a store without a ghost; the sixteenth that idle memory may add is not there.
    store_of<clock> with{{.limit_bytes = 512 * mib}};
    store_of<clock, always> without{{.limit_bytes = 512 * mib}};
    const pool_id here = with.make_pool(cache), there = without.make_pool(cache);
    for (std::uint64_t i = 0; i < 1000; ++i) {
        REQUIRE(with.put({here, 1, i}, page_kind::random, i) == status::incompressible);
        REQUIRE(with.put({here, 1, i}, page_kind::random, i) == status::ok);
        REQUIRE(without.put({there, 1, i}, page_kind::random, i) == status::ok);
    }
    CHECK(with.source.bytes_held() > without.source.bytes_held() + 60 * 4096);
    const std::uint64_t charged = without.store.statistics_of(there).value().used_bytes;
    CHECK(with.store.statistics_of(here).value().used_bytes < charged + charged / 64);
}

TEST_CASE("partition_past: several at once, and the strictest answer holds") {
    store_of<probation_clock, all_of<second_touch, ratio>> f{
        {.limit_bytes = 8 * mib},
        chain<page_or_lz>{},
        all_of<second_touch, ratio>{second_touch{}, ratio{800, admission::reject}}};
    const pool_id pool = f.make_pool(cache);
    REQUIRE(f.put({pool, 1, 1}, page_kind::text, 1) == status::incompressible);
    REQUIRE(f.put({pool, 1, 2}, page_kind::random, 2) == status::incompressible);
    CHECK(f.put({pool, 1, 1}, page_kind::text, 1) == status::ok);
    CHECK(f.put({pool, 1, 2}, page_kind::random, 2) == status::incompressible);
    CHECK(f.put({pool, 1, 1}, page_kind::random, 1) == status::incompressible); // and the old version has gone
    CHECK(f.lacks({pool, 1, 1}));
    CHECK(f.put({pool, 1, 1}, page_kind::text, 1) == status::ok); // it left
    CHECK(f.store.stats().reject_compress_poor == 4);
    CHECK(f.store.check());
}

TEST_CASE("partition_past: a policy without a percentage refuses nothing, and the eviction policy has its ghost") {
    store_of<probation_clock> f{{.limit_bytes = 8 * mib}, chain<page_or_lz>{}, second_touch{0}};
    const pool_id pool = f.make_pool(cache);
    for (std::uint64_t i = 0; i < 3000; ++i) {
        REQUIRE(f.put({pool, 1, i}, page_kind::pointers, i) == status::ok);
    }
    CHECK(f.store.stats().reject_compress_poor == 0);
    CHECK(f.store.check());
}

TEST_CASE("partition_past: partitions each have their part of the first keys") {
    using config = config_of<clock>;
    store_fixture<partitioned_store<config>> f{{.limit_bytes = 64 * mib, .partitions = 8}};
    const pool_id pool = f.make_pool(cache);
    REQUIRE(f.put({pool, 1, 0}, 0) == status::incompressible);
    for (std::uint64_t i = 0; i < 200; ++i) {
        static_cast<void>(f.put({pool, i, 0}, i));
    }
    const std::size_t before = f.source.bytes_held();
    CHECK(f.store.destroy_pool(pool) == status::ok);
    CHECK(before - f.source.bytes_held() >= 8 * 4096);
    CHECK(before - f.source.bytes_held() <= 8 * 3 * 4096); // and tables
    CHECK(f.store.check());
}

struct on_nodes : config_of<clock> {
    using place_type = by_node;
};

TEST_CASE(
    "partition_past: while a pool moves, what left on either node is known; behind the move only what left there") {
    node_test_source<2> source{1u << 20};
    partitioned_store<on_nodes> store{
        source, {.limit_bytes = 16 * mib, .partitions = 4, .seed = 1}, {}, second_touch{}, by_node{source}};
    const pool_id pool = store.create_pool({.kind = ephemeral, .node = node_id{0}}).value();
    const auto put = [&](std::uint64_t i) { return store.put({pool, 1, i}, page_of(4096, i)); };
    for (std::uint64_t i = 0; i < 40; ++i) {
        REQUIRE(put(i) == status::incompressible);
        REQUIRE(put(i) == status::ok);
    }
    REQUIRE(put(100) == status::incompressible);
    REQUIRE(put(101) == status::incompressible);
    REQUIRE(store.set_node(pool, node_id{1}, false, 1) == status::busy);
    CHECK(put(100) == status::ok);
    CHECK(put(102) == status::incompressible);
    CHECK(put(102) == status::ok);
    CHECK(put(39) == status::ok); // which is stored, in its old home
    REQUIRE(store.set_node(pool, node_id{1}) == status::ok);
    CHECK(put(101) == status::incompressible); // the ghost stays behind
    CHECK(put(101) == status::ok);
    for (std::uint64_t i = 0; i < 40; ++i) {
        CHECK(put(i) == status::ok);
    }
    CHECK(store.check());
}

struct threaded : config_of<probation_clock> {
    using lock_type = default_config::lock_type;
    static constexpr std::size_t page_size = 65536;
};

TEST_CASE("partition_past: a store for threads, with larger pages") {
    store_fixture<partitioned_store<threaded>> f{{.limit_bytes = 64 * mib, .partitions = 2}};
    const pool_id pool = f.make_pool(cache);
    for (std::uint64_t i = 0; i < 40; ++i) {
        REQUIRE(f.put({pool, i, 1}, i) == status::incompressible);
        REQUIRE(f.put({pool, i, 1}, i) == status::ok);
        REQUIRE(f.has({pool, i, 1}, i));
    }
    CHECK(f.store.check());
}

} // namespace
} // namespace pagefold::testing::unit_store_partition_past
