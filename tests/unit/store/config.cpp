// SPDX-License-Identifier: MIT

// What the lines of a configuration and the options come to in a store. What is none: concepts/store_config.cpp.

#include "support/pages.hpp"
#include "support/test_source.hpp"

#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/config.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <limits>
#include <vector>

namespace pagefold::testing {
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

} // namespace
} // namespace pagefold::testing
