// SPDX-License-Identifier: MIT
#include <pagefold/store/partition_counters.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::unit_store_partition_counters {
namespace {

TEST_CASE("partition_counters: counts of pages that leave never fall below 0") {
    partition_counters counts, one;
    one.stored_pages = 1;
    one.compr_data_size = 500;
    one.payload_bytes = 512;
    counts.add_pages(one, true);
    CHECK(counts.same_pages_as(one));
    counts.add_pages(one, false);
    CHECK(counts.same_pages_as({}));
    counts.add_pages(one, false);
    CHECK(counts.same_pages_as({}));
}

TEST_CASE("partition_counters: a sum of two stays their sum, whatever leaves one of them") {
    partition_counters a, b, totals, one;
    one.stored_pages = one.away_pages = 1;
    one.compr_data_size = 500;
    a.add_pages(one, true, totals);
    b.add_pages(one, true, totals);
    CHECK(totals.stored_pages == 2);
    CHECK(totals.compr_data_size == 1000);
    for (unsigned i = 0; i < 2; ++i) { // the second time there is nothing of it
        a.add_pages(one, false, totals);
        CHECK(a.same_pages_as({}));
        CHECK(totals.same_pages_as(b));
    }
    one.compr_data_size = 501;
    b.add_pages(one, false, totals);
    CHECK(totals.same_pages_as({}));
}

TEST_CASE("partition_counters: each count of pages makes a difference, and what was done makes none") {
    std::uint64_t partition_counters::*const pages[] = {
        &partition_counters::stored_pages,    &partition_counters::same_pages,    &partition_counters::huge_pages,
        &partition_counters::compr_data_size, &partition_counters::payload_bytes, &partition_counters::short_bytes};
    for (const auto count : pages) {
        partition_counters one, sum;
        one.*count = 3;
        CHECK(!one.same_pages_as({}));
        sum.add_pages(one, true);
        sum.add_pages(one, true);
        CHECK(sum.*count == 6);
    }
    partition_counters busy;
    busy.puts = busy.hits = busy.misses = busy.evicted_pages = busy.rejected_puts = 1;
    CHECK(busy.same_pages_as({}));
}

} // namespace
} // namespace pagefold::testing::unit_store_partition_counters
