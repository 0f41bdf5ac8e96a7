// SPDX-License-Identifier: MIT
//
// What a store makes at its first pool: all of it, or nothing that is in the way of the next try.

#include "support/node_test_source.hpp"
#include "support/store_configs.hpp"
#include "support/test_source.hpp"

#include <pagefold/place/by_node.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>

namespace pagefold::testing::unit_store_store_set_up {
namespace {

using machine = node_test_source<3>;

TEST_CASE("store_set_up: whichever acquisition is refused, the first pool is, and the next try makes the rest") {
    std::uint64_t refusals = 0;
    for (std::uint64_t refused = 1;; ++refused) {
        machine source{1u << 16};
        partitioned_store<by_node_config> store{source, {.partitions = 8, .seed = 1}, {}, {}, by_node{source}};
        source.refuse_nth(refused);
        const auto first = store.create_pool();
        CHECK(store.stats().total_bytes == source.bytes_held());
        if (first) {
            break; // there are no more
        }
        ++refusals;
        CHECK(first.error() == status::no_memory);
        source.refuse_nth(0);
        CHECK(store.create_pool());
        CHECK(store.stats(node_id{0}));
        CHECK(store.check());
    }
    CHECK(refusals > 8); // records, scratch, gauges, budgets, partitions by node, and each partition's records of pools
}

TEST_CASE("store_set_up: a node has one budget, however many partitions it has, strict or not") {
    for (const std::size_t partitions : {1u, 2u, 3u, 4u, 6u, 13u}) {
        machine source{1u << 16};
        partitioned_store<by_node_config> store{source, {.partitions = partitions, .seed = 1}, {}, {}, by_node{source}};
        REQUIRE(store.create_pool());
        std::uint64_t bytes = store.stats(any_node).value().total_bytes;
        for (std::size_t node = 0; node < 3; ++node) {
            const auto there = store.stats(static_cast<node_id>(node));
            CHECK(static_cast<bool>(there) == (node < partitions));
            bytes += there ? there.value().total_bytes : 0;
        }
        CHECK(bytes == store.stats().total_bytes);
    }
}

TEST_CASE("store_set_up: without nodes all is on none, and no budget is made") {
    test_source source;
    page_store<default_config> store{source};
    REQUIRE(store.create_pool());
    CHECK(store.stats(any_node).value().total_bytes == store.stats().total_bytes);
    CHECK(store.stats(node_id{0}).error() == status::invalid);
    CHECK(store.resize(1 << 20, node_id{0}) == status::invalid);
}

TEST_CASE("store_set_up: pages of a source more than 64 times as large can't be divided") {
    for (const std::size_t times : {1u, 2u, 64u, 128u}) {
        test_source source{times * 4096};
        page_store<default_config> store{source};
        const auto pool = store.create_pool();
        CHECK(static_cast<bool>(pool) == (times <= 64));
        CHECK((pool || pool.error() == status::invalid));
    }
}

} // namespace
} // namespace pagefold::testing::unit_store_store_set_up
