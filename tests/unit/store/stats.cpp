// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <pagefold/store/stats.hpp>

using namespace pagefold;

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
