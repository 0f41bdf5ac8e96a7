// SPDX-License-Identifier: MIT
#include "support/pages.hpp"
#include "support/test_source.hpp"

#include <doctest/doctest.h>

#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partition.hpp>

#include <vector>

using namespace pagefold;
using namespace pagefold::testing;

namespace {

struct counting_lock {
    void lock() noexcept { ++holds; }
    void unlock() noexcept {}
    static inline std::uint64_t holds = 0;
};
struct counted_config : default_config {
    using lock_type = counting_lock;
};

/// A partition of its own with one pool in slot 0, into which streams go as they are.
template <class Config = default_config>
struct lone_partition {
    explicit lone_partition(pool_kind kind) {
        record.options.kind = kind;
        record.id = id = pool_ids::next(pool_id{}, 0, kind);
        table.records = &record;
        table.count = 1;
        REQUIRE(part.open_pool(id) == status::ok);
    }
    status put(std::uint64_t index, std::size_t size) {
        const std::vector<std::byte> stream = page_of(size, page_kind::random, index);
        return part.put({id, 1, index}, stream, checksum(stream, index), {}).result;
    }
    bool holds(std::uint64_t index, std::size_t size) {
        std::vector<std::byte> out(4096), buffer(4096);
        typename partition<Config>::fetched found;
        if (part.fetch({id, 1, index}, out, buffer, index, false, found) != status::ok) {
            return false;
        }
        return found.stream.size() == size && found.e.matches(checksum(found.stream, index));
    }

    test_source source;
    byte_budget budget{~std::size_t{0}};
    pool_record record;
    pool_table table;
    partition<Config> part{source, budget, table, any_node};
    pool_id id{};
};

} // namespace

TEST_CASE("evict says how many bytes of streams went, and stops when nothing is left") {
    lone_partition<> p{pool_kind::ephemeral};
    for (std::uint64_t i = 0; i < 100; ++i) {
        REQUIRE(p.put(i, 1000) == status::ok);
    }
    std::size_t evicted = 0;
    CHECK(p.part.evict(30, p.part.any_pool, evicted) == 30 * p.part.rounded(1000));
    CHECK(evicted == 30);
    CHECK(p.part.evict(1000, 0, evicted) == 70 * p.part.rounded(1000));
    CHECK(evicted == 100);
    CHECK(p.part.evict(1, p.part.any_pool, evicted) == 0);
    CHECK(p.part.check());
}

TEST_CASE("evict leaves a persistent pool alone") {
    lone_partition<> p{pool_kind::persistent};
    REQUIRE(p.put(0, 1000) == status::ok);
    std::size_t evicted = 0;
    CHECK(p.part.evict(10, p.part.any_pool, evicted) == 0);
    CHECK(evicted == 0);
    CHECK(p.holds(0, 1000));
}

TEST_CASE("compaction gives pages back in bounded steps, ends, and moves nothing wrongly") {
    lone_partition<> p{pool_kind::persistent};
    for (std::uint64_t i = 0; i < 2000; ++i) {
        REQUIRE(p.put(i, 904 + i % 3 * 504) == status::ok);
    }
    for (std::uint64_t i = 0; i < 2000; ++i) {
        if (i % 4 != 0) {
            REQUIRE(p.part.erase({p.id, 1, i}) == status::ok);
        }
    }
    const std::size_t slack = p.part.slack();
    compaction_work done;
    std::size_t steps = 0;
    while (p.part.compact(1 << 20, done) || p.part.compaction_was_worthwhile()) {
        REQUIRE(++steps < 1000);
        REQUIRE(p.part.check());
    }
    CHECK(done.moved_bytes > 0);
    CHECK(done.objects_moved > 0);
    CHECK(done.freed_bytes > slack / 2);
    CHECK(p.part.slack() == slack - done.freed_bytes);
    for (std::uint64_t i = 0; i < 2000; i += 4) {
        CHECK(p.holds(i, 904 + i % 3 * 504));
    }
}

TEST_CASE("a reader never waits for more than one object's move") {
    counting_lock::holds = 0;
    lone_partition<counted_config> p{pool_kind::persistent};
    for (std::uint64_t i = 0; i < 2000; ++i) {
        REQUIRE(p.put(i, 904 + i % 3 * 504) == status::ok);
    }
    for (std::uint64_t i = 0; i < 2000; ++i) {
        if (i % 4 != 0) {
            REQUIRE(p.part.erase({p.id, 1, i}) == status::ok);
        }
    }
    compaction_work done;
    std::uint64_t before = counting_lock::holds, calls = 0;
    for (bool goes_on = true; goes_on; ++calls) {
        const compaction_work so_far = done;
        goes_on = p.part.compact(1 << 20, done);
        REQUIRE(counting_lock::holds - before >= done.objects_moved - so_far.objects_moved);
        REQUIRE(counting_lock::holds - before <= 257);
        before = counting_lock::holds;
    }
    CHECK(done.objects_moved > 100);
    CHECK(calls > 1);
}

TEST_CASE("a closed pool answers nothing, and its pages go in bounded sweeps") {
    lone_partition<> p{pool_kind::ephemeral};
    for (std::uint64_t i = 0; i < 500; ++i) {
        REQUIRE(p.put(i * extent_pages, 504) == status::ok); // one extent a page
    }
    p.part.close_pool(p.id);
    CHECK(p.put(0, 504) == status::invalid);
    CHECK_FALSE(p.holds(0, 504));
    std::uint32_t cursor = 0;
    std::size_t sweeps = 1;
    while (!p.part.sweep_pool(0, cursor)) {
        ++sweeps;
    }
    CHECK(sweeps > 1);
    store_stats s{};
    p.part.add_to(s);
    CHECK(s.stored_pages == 0);
    CHECK(s.allocated_bytes == 0);
    CHECK(p.part.check());
}
