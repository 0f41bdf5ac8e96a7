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

TEST_CASE("store_set_up: memory that is lent counts until it is back, and leaves what others have reserved") {
    for (const std::size_t size : {std::size_t{4096}, std::size_t{16384}}) {
        CAPTURE(size);
        test_source source{size};
        page_store<default_config> store{source, {.limit_bytes = 1'000'000}};
        CHECK(store.lent_page_size() == 4096);
        CHECK_FALSE(store.is_key({}));
        const pool_id pool = store.create_pool({.reserved_bytes = 300'000}).value();
        CHECK(store.is_key({pool, 1, max_page_index - 1}));
        CHECK_FALSE(store.is_key({pool, 1, max_page_index}));
        const std::size_t before = store.stats().total_bytes;
        CHECK(store.lend(0).error() == status::invalid);
        CHECK(store.lend(~std::size_t{0}).error() == status::invalid);
        CHECK(store.lend(180).error() == status::limit); // no more than 700'000 with what is there
        // What a put leaves free of it, a sixteenth more, and what scratches may need; and nothing is taken to learn that.
        const std::uint64_t most = store.stats().mem_used_max;
        std::size_t room = 0;
        while (store.has_room(room + 1)) {
            ++room;
        }
        CHECK(room > 0);
        CHECK(room * 4096 <= 1'000'000 - 300'000 - 300'000 / 16 - before);
        CHECK_FALSE(store.has_room(~std::size_t{0}));
        CHECK(store.stats().mem_used_max == most);
        CHECK(store.lend(room + 1).error() == status::limit);
        void* const all = store.lend(room).value();
        CHECK_FALSE(store.has_room(1));
        store.take_back(all, room);
        void* const memory = store.lend(3).value();
        CHECK(store.stats().total_bytes >= before + 3 * 4096);
        CHECK(store.stats().total_bytes == source.bytes_held());
        CHECK(store.stats().fixed_bytes == store.stats().total_bytes);
        CHECK(store.check());
        source.refuse_all(true);
        CHECK(store.lend(100).error() == status::no_memory);
        source.refuse_all(false);
        CHECK(store.stats().total_bytes == source.bytes_held());
        store.take_back(memory, 3);
        CHECK(store.stats().total_bytes == before);
        CHECK(store.check());
        CHECK(store.destroy_pool(pool) == status::ok);
        CHECK_FALSE(store.is_key({pool, 1, 1}));
        void* const more = store.lend(180).value(); // nobody has anything reserved
        store.take_back(more, 180);
    }
}

} // namespace
} // namespace pagefold::testing::unit_store_store_set_up
