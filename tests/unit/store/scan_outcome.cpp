// SPDX-License-Identifier: MIT
#include <pagefold/store/scan_outcome.hpp>

#include <doctest/doctest.h>

#include <type_traits>

// What scans come to is in store_shrinker.cpp.
namespace unit_store_scan_outcome {

using namespace pagefold;

static_assert(std::is_trivially_copyable_v<scan_outcome>);

TEST_CASE("a scan that has said nothing freed nothing, and may go on") {
    const scan_outcome none{};
    CHECK(none.scanned == 0);
    CHECK(none.freed == 0);
    CHECK(none.freed_bytes == 0);
    CHECK_FALSE(none.is_stopped);
}

} // namespace unit_store_scan_outcome
