// SPDX-License-Identifier: MIT
#include "support/store_fixture.hpp"

#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>
#include <pagefold/store/stats.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>

namespace pagefold::testing::unit_store_stats {
namespace {

TEST_CASE("the ratio is data over all memory taken, in thousandths") {
    store_stats s{};
    CHECK(s.ratio_permille() == 0);
    s.orig_data_size = 3 * 4096;
    CHECK(s.ratio_permille() == 0); // nothing taken: no ratio
    s.total_bytes = 4096;
    s.mem_used_total = 1024; // what leaves overhead out plays no part
    CHECK(s.ratio_permille() == 3000);
    s.total_bytes = 4096 * 7;
    CHECK(s.ratio_permille() == 428);
}

TEST_CASE("a store that has taken nothing counts nothing") {
    store_fixture<partitioned_store<default_config>> s{store_options{.limit_bytes = 12345, .partitions = 3}};
    const store_stats all = s.store.stats();
    CHECK(all.mem_limit == 12345);
    CHECK(all.total_bytes == 0);
    CHECK(all.fixed_bytes == 0);
    CHECK(all.metadata_bytes == 0);
    CHECK(all.stored_pages == 0);
    CHECK(all.ratio_permille() == 0);
    CHECK(s.store.statistics_of(pool_id{}).error() == status::invalid);
}

TEST_CASE("what the pools count is what the store counts, and with what is fixed all that it took") {
    store_fixture<partitioned_store<default_config>> s{store_options{.limit_bytes = 3u << 20, .partitions = 3}};
    const pool_id pools[] = {s.make_pool(), s.make_pool({.kind = pool_kind::ephemeral}),
                             s.make_pool({.kind = pool_kind::ephemeral, .cap_bytes = 200'000})};
    rng random{9};
    for (int step = 0; step < 4000; ++step) {
        const std::uint64_t of_pool = random.below(3);
        const page_key key{pools[of_pool], random.below(3), random.below(of_pool == 0 ? 100 : 700)};
        switch (random.below(8)) {
        case 0: static_cast<void>(s.get(key)); break;
        case 1: static_cast<void>(s.take(key)); break;
        case 2: static_cast<void>(s.store.erase(key)); break;
        default: static_cast<void>(s.put(key, random.below(1000)));
        }
    }
    const store_stats all = s.store.stats();
    pool_stats sum{};
    for (const pool_id pool : pools) {
        const pool_stats one = s.store.statistics_of(pool).value();
        sum.stored_pages += one.stored_pages;
        sum.same_pages += one.same_pages;
        sum.huge_pages += one.huge_pages;
        sum.compr_data_size += one.compr_data_size;
        sum.used_bytes += one.used_bytes;
        sum.puts += one.puts;
        sum.hits += one.hits;
        sum.misses += one.misses;
        sum.evicted_pages += one.evicted_pages;
        sum.rejected_puts += one.rejected_puts;
    }
    CHECK(all.stored_pages == sum.stored_pages);
    CHECK(all.same_pages == sum.same_pages);
    CHECK(all.huge_pages == sum.huge_pages);
    CHECK(all.compr_data_size == sum.compr_data_size);
    CHECK(all.puts == sum.puts);
    CHECK(all.hits == sum.hits);
    CHECK(all.misses == sum.misses);
    CHECK(all.evicted_pages == sum.evicted_pages);
    CHECK(all.reject_reclaim_fail == sum.rejected_puts);
    CHECK(all.puts == all.stored_pages + all.erased_pages + all.evicted_pages);
    CHECK(all.orig_data_size == all.stored_pages * 4096);
    CHECK(all.fixed_bytes + sum.used_bytes == all.total_bytes);
    CHECK(all.total_bytes == s.source.bytes_held());
    CHECK(all.mem_used_max == s.source.peak_bytes());
    CHECK(all.metadata_bytes + all.mem_used_total == all.total_bytes);
    CHECK(all.evicted_pages > 100);
    CHECK(all.hits > 50);
    CHECK(s.store.check());
}

} // namespace
} // namespace pagefold::testing::unit_store_stats
