// SPDX-License-Identifier: MIT
#include <pagefold/platform/parking.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::unit_platform_parking {
namespace {

static_assert(parking<spin_parking>);

TEST_CASE("spin_parking: a wait ends, whatever the word says") {
    atomic<std::uint32_t> word{7};
    spin_parking::wait(word, 7);
    spin_parking::wait(word, 8);
    spin_parking::wake_one(word);
    spin_parking::wake_all(word);
    CHECK(word.load(memory_order::relaxed) == 7);
}

TEST_CASE("spin_parking: can't tell threads apart") { CHECK(spin_parking::self() == 0); }

} // namespace
} // namespace pagefold::testing::unit_platform_parking
