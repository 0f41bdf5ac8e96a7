// SPDX-License-Identifier: MIT

#include "support/store_fixture.hpp"

#include <pagefold/admit/ratio.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>

namespace unit_store_partitioned_store {

namespace {

using namespace pagefold;
using namespace pagefold::testing;

/// Partition n on node n; without a wish, by the object's number.
struct node_each {
    [[nodiscard]] partition_id home(const page_key& key, std::uint64_t, node_id wish,
                                    std::size_t count) const noexcept {
        const auto node = static_cast<std::size_t>(wish);
        return wish != any_node ? node % count : static_cast<std::size_t>(key.object % count);
    }
    [[nodiscard]] partition_id spill(partition_id home, std::size_t attempt, std::size_t count) const noexcept {
        return (home + 1 + attempt) % count;
    }
    [[nodiscard]] node_id node(partition_id partition) const noexcept { return static_cast<node_id>(partition); }
};
struct node_config : default_config {
    using place_type = node_each;
};
using fixture = store_fixture<partitioned_store<node_config>>;

/// What each node was asked for.
class node_source : public test_source {
public:
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        if (node != any_node) {
            asked_[static_cast<std::size_t>(node) % 4] += pages;
        }
        return test_source::acquire(pages, node);
    }
    [[nodiscard]] std::size_t asked(std::size_t node) const { return asked_[node]; }

private:
    std::size_t asked_[4] = {};
};

} // namespace

TEST_CASE("pages of one object may lie in many partitions, and act as one store") {
    store_fixture<partitioned_store<default_config>> s{store_options{.partitions = 5}};
    const pool_id pool = s.make_pool();
    for (std::uint64_t i = 0; i < 600; ++i) {
        CHECK(s.put({pool, 9, i * 20}, i) == status::ok);
    }
    for (std::uint64_t i = 0; i < 600; ++i) {
        CHECK(s.has({pool, 9, i * 20}, i));
    }
    CHECK(s.store.stats().stored_pages == 600);
    CHECK(s.store.statistics_of(pool).value().hits == 600);
    CHECK(s.store.erase_range(pool, 9, 2000, 4000).value() == 200);
    CHECK(s.lacks({pool, 9, 2000}));
    CHECK(s.has({pool, 9, 1980}, 99));
    CHECK(s.has({pool, 9, 6000}, 300));
    CHECK(s.store.erase_object(pool, 9).value() == 400);
    CHECK(s.store.stats().stored_pages == 0);
    CHECK(s.store.destroy_pool(pool) == status::ok);
    CHECK(s.store.check());
}

namespace {

/// All pages in one partition, whichever it was made for.
struct all_in {
    partition_id chosen = 0;
    [[nodiscard]] partition_id home(const page_key&, std::uint64_t, node_id, std::size_t) const noexcept {
        return chosen;
    }
    [[nodiscard]] partition_id spill(partition_id home, std::size_t attempt, std::size_t count) const noexcept {
        return (home + 1 + attempt) % count;
    }
    [[nodiscard]] node_id node(partition_id partition) const noexcept { return static_cast<node_id>(partition); }
};
struct told_config : default_config {
    using place_type = all_in;
    using admission_type = ratio;
};

} // namespace

TEST_CASE("a store uses the policies that it is given") {
    node_source source;
    partitioned_store<told_config> store{
        source, {.partitions = 3}, told_config::compressor_type{}, ratio{875, admission::reject}, all_in{2}};
    const pool_id pool = store.create_pool().value();
    CHECK(store.put({pool, 1, 1}, page_of(4096, page_kind::random, 1)) == status::incompressible);
    const std::size_t before[] = {source.asked(0), source.asked(1), source.asked(2)};
    for (std::uint64_t i = 0; i < 100; ++i) {
        CHECK(store.put({pool, i, 1}, page_of(4096, page_kind::text, i)) == status::ok);
    }
    CHECK(source.asked(0) == before[0]);
    CHECK(source.asked(1) == before[1]);
    CHECK(source.asked(2) > before[2]);
}

TEST_CASE("a strict node is one that the partitions of the pool are on") {
    fixture s{store_options{.partitions = 3}};
    CHECK(s.store.create_pool({.node = node_id{1}, .strict_node = true}));
    CHECK(s.store.create_pool({.node = node_id{5}, .strict_node = true}).error() == status::invalid);
    CHECK(s.store.create_pool({.node = node_id{5}}));
}

TEST_CASE("a pool's memory comes from the node that it wished for") {
    node_source source;
    partitioned_store<node_config> store{source, {.partitions = 3}};
    const pool_id pool = store.create_pool({.node = node_id{2}, .strict_node = true}).value();
    const std::size_t before[] = {source.asked(0), source.asked(1), source.asked(2)};
    for (std::uint64_t i = 0; i < 50; ++i) {
        CHECK(store.put({pool, i, 0}, page_of(4096, page_kind::random, i)) == status::ok);
    }
    CHECK(source.asked(0) == before[0]);
    CHECK(source.asked(1) == before[1]);
    CHECK(source.asked(2) >= before[2] + 50);
}

TEST_CASE("maintain compacts where any one partition has much that is idle, and nothing where none has") {
    for (const std::uint64_t thinned : {0u, 1u, 2u}) {
        fixture s{store_options{.partitions = 3}};
        const pool_id pool = s.make_pool();
        for (std::uint64_t i = 0; i < 1800; ++i) {
            CHECK(s.put({pool, i % 3, i}, page_kind::text, i) == status::ok);
        }
        CHECK(s.store.maintain(~std::size_t{0}) == 0);
        for (std::uint64_t i = 0; i < 1800; ++i) {
            if (i % 3 == thinned && i % 4 != 0) {
                CHECK(s.store.erase({pool, i % 3, i}) == status::ok);
            }
        }
        CHECK(s.store.maintain(~std::size_t{0}) > 100'000);
        CHECK(s.store.maintain(~std::size_t{0}) == 0);
        CHECK(s.store.check());
    }
}

TEST_CASE("shrink finds the pages that may be dropped in whatever partition they are") {
    for (std::uint64_t home = 0; home < 5; ++home) {
        fixture s{store_options{.partitions = 5}};
        const pool_id cache = s.make_pool({.kind = pool_kind::ephemeral});
        for (std::uint64_t i = 0; i < 200; ++i) {
            CHECK(s.put({cache, home, i}, page_kind::random, i) == status::ok);
        }
        CHECK(s.store.shrink(100'000) >= 100'000);
        CHECK(s.store.stats().evicted_pages >= 20);
        CHECK(s.store.check());
    }
}

TEST_CASE("where nothing can be dropped, a put gathers what is idle, in its own partition and in others") {
    for (const std::uint64_t home : {0u, 1u}) {
        fixture s{store_options{.limit_bytes = 4'000'000, .partitions = 2}};
        const pool_id pool = s.make_pool();
        std::uint64_t stored = 0;
        for (; s.put({pool, 0, stored}, page_kind::text, stored) == status::ok; ++stored) {
        }
        for (std::uint64_t i = 0; s.put({pool, home, max_page_index / 2 + i}, page_kind::random, i) == status::ok;
             ++i) {
        }
        for (std::uint64_t i = 0; i < stored; i += 20) { // less than what makes maintain() begin
            CHECK(s.store.erase({pool, 0, i}) == status::ok);
        }
        CHECK(s.put({pool, home, stored}, page_kind::random, 1) == status::ok);
        CHECK(s.has({pool, home, stored}, page_kind::random, 1));
        CHECK(s.store.stats().objects_moved > 0);
        CHECK(s.store.check());
    }
}

TEST_CASE("a put finds room in the ephemeral pages of other partitions") {
    fixture s{store_options{.limit_bytes = 600'000, .partitions = 3}};
    const pool_id cache = s.make_pool({.kind = pool_kind::ephemeral});
    const pool_id kept = s.make_pool();
    for (std::uint64_t i = 0; i < 300; ++i) {
        CHECK(s.put({cache, i % 2, i}, page_kind::random, i) == status::ok); // partitions 0 and 1
    }
    const std::uint64_t cached = s.store.statistics_of(cache).value().stored_pages;
    CHECK(cached > 60);
    for (std::uint64_t i = 0; i < 40; ++i) {
        CHECK(s.put({kept, 2, i}, page_kind::random, i) == status::ok); // partition 2, where there is nothing to drop
    }
    CHECK(s.store.statistics_of(cache).value().stored_pages <= cached - 35);
    for (std::uint64_t i = 0; i < 40; ++i) {
        CHECK(s.has({kept, 2, i}, page_kind::random, i));
    }
    CHECK(s.store.stats().reject_reclaim_fail == 0);
    CHECK(s.store.check());
}

TEST_CASE("a put that is refused after all partitions were tried counts once") {
    fixture s{store_options{.limit_bytes = 400'000, .partitions = 4}};
    const pool_id kept = s.make_pool();
    const pool_id capped = s.make_pool({.cap_bytes = 3 * 4096 + 128});
    std::uint64_t refused = 0, accepted = 0;
    for (std::uint64_t i = 0; i < 5; ++i) {
        refused += s.put({capped, 1, i}, page_kind::random, i) == status::ok ? 0 : 1;
    }
    CHECK(refused == 2);
    CHECK(s.store.statistics_of(capped).value().rejected_puts == 2);
    CHECK(s.store.stats().pool_limit_hit == 2);
    for (std::uint64_t i = 0; i < 200; ++i) {
        ++(s.put({kept, i, i}, page_kind::random, i) == status::ok ? accepted : refused);
    }
    CHECK(refused > 100);
    const store_stats all = s.store.stats();
    CHECK(all.reject_reclaim_fail == refused);
    CHECK(all.pool_limit_hit == refused);
    CHECK(all.stored_pages == accepted + 3);
    CHECK(s.store.statistics_of(kept).value().rejected_puts == refused - 2);
    CHECK(s.store.check());
}

TEST_CASE("an ephemeral pool at its cap drops its own pages in other partitions") {
    fixture s{store_options{.partitions = 3}};
    const pool_id capped = s.make_pool({.kind = pool_kind::ephemeral, .cap_bytes = 12 * 4108});
    const pool_id other = s.make_pool({.kind = pool_kind::ephemeral});
    for (std::uint64_t i = 0; i < 12; ++i) {
        CHECK(s.put({other, i % 3, i}, page_kind::random, i) == status::ok);
        CHECK(s.put({capped, 0, i}, page_kind::random, i) == status::ok);
    }
    CHECK(s.put({capped, 1, 0}, page_kind::random, 7) == status::ok);
    CHECK(s.has({capped, 1, 0}, page_kind::random, 7));
    CHECK(s.store.statistics_of(capped).value().used_bytes <= 12 * 4108);
    CHECK(s.store.statistics_of(other).value().stored_pages == 12);
    CHECK(s.store.check());
}

TEST_CASE("a reservation counts over all partitions") {
    fixture s{store_options{.limit_bytes = 800'000, .partitions = 3}};
    const pool_id reserved = s.make_pool({.kind = pool_kind::ephemeral, .reserved_bytes = 30 * 4108});
    const pool_id kept = s.make_pool();
    for (std::uint64_t i = 0; i < 30; ++i) {
        CHECK(s.put({reserved, i, i}, page_kind::random, i) == status::ok);
    }
    std::uint64_t accepted = 0;
    while (s.put({kept, accepted, 0}, page_kind::random, accepted) == status::ok) {
        ++accepted;
    }
    CHECK(accepted > 30);
    CHECK(s.store.statistics_of(reserved).value().stored_pages == 30);
}

} // namespace unit_store_partitioned_store
