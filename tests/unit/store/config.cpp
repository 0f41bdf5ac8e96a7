// SPDX-License-Identifier: MIT

// What the lines of a configuration and the options come to in a store. What is none: concepts/store_config.cpp.

#include "support/pages.hpp"
#include "support/test_source.hpp"

#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/config.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace pagefold::testing::unit_store_config {
namespace {

TEST_CASE("store_options: without a word there is no limit") {
    test_source source;
    const page_store<default_config> store{source};
    CHECK(store.stats().mem_limit == std::numeric_limits<std::size_t>::max());
    CHECK(store_options{}.partitions == 8);
}

TEST_CASE("store_options: the limit is the store's, tables included") {
    test_source source;
    page_store<default_config> store{source, {.limit_bytes = 4096}};
    CHECK(store.stats().mem_limit == 4096);
    CHECK(store.create_pool().error() == status::limit);
    CHECK(store.stats().total_bytes <= 4096);
}

struct few_pools : default_config {
    using lock_type = null_lock;
    static constexpr std::size_t page_size = 16384;
    static constexpr unsigned max_pools = 2;
};
static_assert(store_config<few_pools>);

TEST_CASE("store_config: lines that are overridden hold, the others stay") {
    test_source source;
    page_store<few_pools> store{source};
    CHECK(store.page_size == 16384);
    const auto first = store.create_pool(), second = store.create_pool();
    REQUIRE(first);
    REQUIRE(second);
    CHECK(store.create_pool().error() == status::limit); // two are all
    const std::vector<std::byte> page = page_of(16384, 7);
    std::vector<std::byte> back(page.size());
    CHECK(store.put({*first, 1, 2}, page) == status::ok);
    CHECK(store.get({*first, 1, 2}, back) == status::ok);
    CHECK(back == page);
    CHECK(store.put({*second, 1, 2}, byte_view{page}.first(4096)) == status::invalid);
}

template <unsigned Bits>
struct checked_by : default_config {
    using lock_type = null_lock;
    static constexpr unsigned checksum_bits = Bits;
};

/// What a few same-filled pages are charged: nothing but entries.
template <class Config>
std::uint64_t charge_of_entries() {
    test_source source;
    page_store<Config> store{source};
    const pool_id pool = store.create_pool().value();
    const std::vector<std::byte> page = page_of(4096, page_kind::zeros, 0);
    for (std::uint64_t i = 0; i < 48; ++i) { // an extent of 48 pages has an array of just so many
        CHECK(store.put({pool, 1, i}, page) == status::ok);
    }
    CHECK(store.check());
    return store.statistics_of(pool).value().used_bytes;
}

TEST_CASE("store_config: a longer checksum takes four bytes more a page") {
    const std::uint64_t narrow = charge_of_entries<checked_by<28>>(), wide = charge_of_entries<checked_by<60>>();
    CHECK(narrow == 44 + 48 * 12);
    CHECK(wide == 44 + 48 * 16);
}

/// What a cache in a store of four partitions did, step by step, as one number.
std::uint64_t trace_with(std::uint64_t seed) {
    test_source source;
    partitioned_store<default_config> store{source, {.limit_bytes = 1 << 20, .partitions = 4, .seed = seed}};
    const pool_id pool = store.create_pool({.kind = pool_kind::ephemeral}).value();
    std::uint64_t trace = 0;
    for (std::uint64_t i = 0; i < 1000; ++i) {
        CHECK(store.put({pool, i * i % 97, i}, page_of(4096, i)) == status::ok);
        trace = trace * 31 + store.stats().total_bytes + store.stats().evicted_pages;
    }
    return trace;
}

TEST_CASE("store_options: stores with one seed do the same, those with two differ") {
    CHECK(trace_with(42) == trace_with(42));
    CHECK(trace_with(42) != trace_with(43));
    CHECK(trace_with(0) != trace_with(0)); // a secret of the host's each time
}

} // namespace
} // namespace pagefold::testing::unit_store_config
