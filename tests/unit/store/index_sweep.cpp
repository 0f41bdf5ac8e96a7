// SPDX-License-Identifier: MIT
#include "support/partition_fixture.hpp"
#include "support/rng.hpp"
#include "support/store_configs.hpp"

#include <doctest/doctest.h>

#include <pagefold/evict/lru.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/index_sweep.hpp>
#include <pagefold/store/placement.hpp>

#include <set>

namespace unit_store_index_sweep {

using namespace pagefold;
using namespace pagefold::testing;

namespace {

/// The state of a partition with one ephemeral pool of same-filled pages, one in each extent or all side by side.
template <class Config>
struct owner : partition_surroundings {
    owner() : partition_surroundings{pool_kind::ephemeral} {
        REQUIRE(state.pools.reserve(0) == status::ok);
        state.pools[0].id = id;
    }
    void put(std::uint64_t index) {
        const std::vector<std::byte> stream(min_stream_size);
        REQUIRE(placement<Config>{state}.put(state.pools[0], at(1, index), stream, 0).result == status::ok);
        pages.insert(index);
    }
    void erase(std::uint64_t index) {
        state.remove(state.pools[0], state.index.find(at(1, index)));
        pages.erase(index);
    }
    [[nodiscard]] bool intact() {
        auto& pool = state.pools[0];
        auto view = state.slots(pool);
        for (const std::uint64_t index : pages) {
            if (state.index.find(at(1, index)) == no_slot) {
                return false;
            }
        }
        return state.index.size() == pages.size() && state.index.check() && state.index.check_ring(pool.ring, 0) &&
               pool.eviction.check(view);
    }

    partition_state<Config> state{source, budget, table, hasher, gauge, any_node};
    std::set<std::uint64_t> pages;
};

} // namespace

TEST_CASE_TEMPLATE("a sweep moves what keeps memory from coming free, in bounded steps, and nothing else changes",
                   Config, default_config, lru_config) {
    using state_type = partition_state<Config>;
    for (const std::uint64_t stride : {std::uint64_t{1}, std::uint64_t{extent_pages}}) {
        owner<Config> o;
        for (std::uint64_t i = 0; i < 20'000; ++i) {
            o.put(i * stride);
        }
        rng random{4};
        for (std::uint64_t i = 0; i < 20'000; ++i) {
            if (!random.one_in(50)) {
                o.erase(i * stride);
            }
        }
        index_sweep<state_type> sweep;
        CHECK(sweep.is_due(o.state));
        const std::size_t before = o.state.index.bytes();
        compaction_work done;
        std::size_t steps = 0;
        for (unsigned sweeps = 0; sweeps < 3; ++steps) {
            const compaction_work so_far = done;
            sweeps += sweep.step(o.state, done) ? 0 : 1;
            // 64 pages' work and an extent's more: entries that moved, or extents.
            REQUIRE(done.moved_bytes - so_far.moved_bytes <= 128 * (state_type::index_type::entry_bytes + 44));
            REQUIRE(o.intact());
        }
        CHECK(steps > 3);
        CHECK_FALSE(sweep.is_due(o.state));
        CHECK(before - o.state.index.bytes() == done.freed_bytes);
        CHECK((stride == 1 ||
               done.freed_bytes > before / 2)); // side by side, extents hold many pages, and few are left over
        owner<Config> fresh;
        for (const std::uint64_t index : o.pages) {
            fresh.put(index);
        }
        CHECK(o.state.index.bytes() <= fresh.state.index.bytes() + 3 * 3 * 4096); // three blocks of arrays
    }
}

TEST_CASE("a sweep after one that gave much back is for nothing, and says so") {
    owner<default_config> o;
    for (std::uint64_t i = 0; i < 4000; ++i) {
        o.put(i * extent_pages);
    }
    for (std::uint64_t i = 0; i < 4000; ++i) {
        if (i % 10 != 0) {
            o.erase(i * extent_pages);
        }
    }
    index_sweep<partition_state<default_config>> sweep;
    compaction_work done;
    while (sweep.step(o.state, done)) {
    }
    CHECK(sweep.was_worthwhile());
    CHECK(done.freed_bytes > 0);
    CHECK(done.moved_bytes > 0);
    const std::size_t freed = done.freed_bytes;
    while (sweep.step(o.state, done)) {
    }
    CHECK_FALSE(sweep.was_worthwhile());
    CHECK(done.freed_bytes == freed);
    CHECK(o.intact());
}

TEST_CASE("a sweep looks at the very first extent too") {
    owner<default_config> o;
    for (std::uint64_t i = 0; i < 64; ++i) {
        o.put(i);
    }
    o.source.refuse_all(true); // the array stays as long as it is
    for (std::uint64_t i = 6; i < 64; ++i) {
        o.erase(i);
    }
    o.source.refuse_all(false);
    const std::size_t before = o.state.index.used_bytes();
    index_sweep<partition_state<default_config>> sweep;
    compaction_work done;
    while (sweep.step(o.state, done)) {
    }
    CHECK(o.state.index.used_bytes() < before);
    CHECK(o.state.index.used_bytes() == partition_state<default_config>::index_type::extent_bytes + 6 * 12);
    CHECK(o.record.tables.load(memory_order::relaxed) == o.state.index.used_bytes());
    CHECK(o.intact());
}

TEST_CASE("pages come and go between the steps, and an empty index has nothing to do") {
    owner<lru_config> o;
    index_sweep<partition_state<lru_config>> sweep;
    compaction_work done;
    CHECK_FALSE(sweep.step(o.state, done));
    CHECK_FALSE(sweep.was_worthwhile());
    rng random{6};
    for (unsigned i = 0; i < 6000; ++i) {
        const std::uint64_t index = random.below(40) * extent_pages * 7 + random.below(30);
        if (o.pages.count(index) != 0) {
            o.erase(index);
        } else {
            o.put(index);
        }
        static_cast<void>(sweep.step(o.state, done));
        if (i % 50 == 0) {
            REQUIRE(o.intact());
        }
    }
    CHECK(o.intact());
}

} // namespace unit_store_index_sweep
