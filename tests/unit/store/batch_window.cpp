// SPDX-License-Identifier: MIT
#include <pagefold/store/batch_window.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>

namespace unit_store_batch_window {
namespace {

using namespace pagefold;

TEST_CASE("batch_window: pages are in the group of their partition, and groups in the order in which they come") {
    batch_groups groups;
    CHECK(groups.begin() == groups.end());
    const std::size_t homes[] = {7, 1023, 7, 0, 1023, 7};
    for (unsigned i = 0; i < 6; ++i) {
        groups.add(homes[i], i);
    }
    REQUIRE(groups.end() - groups.begin() == 3);
    CHECK(groups.begin()[0].home == 7);
    CHECK(groups.begin()[0].pages == 0b100101u);
    CHECK(groups.begin()[1].home == 1023);
    CHECK(groups.begin()[1].pages == 0b010010u);
    CHECK(groups.begin()[2].home == 0);
    CHECK(groups.begin()[2].pages == 0b001000u);
}

TEST_CASE("batch_window: as many groups as pages") {
    batch_groups groups;
    for (unsigned i = 0; i < batch_window::max_pages; ++i) {
        groups.add(batch_window::max_pages - i, i);
    }
    unsigned i = 0;
    for (const auto& group : groups) {
        CHECK(group.home == batch_window::max_pages - i);
        CHECK(group.pages == std::uint64_t{1} << i);
        ++i;
    }
    CHECK(i == batch_window::max_pages);
}

} // namespace
} // namespace unit_store_batch_window
