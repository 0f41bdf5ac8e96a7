// SPDX-License-Identifier: MIT
#include <pagefold/alloc/no_meter.hpp>

#include <pagefold/alloc/block_map.hpp>

#include <doctest/doctest.h>

#include <type_traits>

namespace pagefold::testing::unit_alloc_no_meter {
namespace {

struct counting_meter {
    static void step() noexcept { ++steps; }
    static inline unsigned steps = 0;
};

TEST_CASE("no_meter: it has nothing, costs nothing at run time, and never throws") {
    static_assert(std::is_empty_v<no_meter>);
    static_assert(noexcept(no_meter::step()));
    static_assert((no_meter::step(), true)); // a constant expression: nothing is left of it
    static_assert(std::is_void_v<decltype(no_meter::step())>);
    CHECK(sizeof(block_map<64>) == sizeof(block_map<64, counting_meter>));
}

TEST_CASE("no_meter: it is the default, and does not touch what another meter counts") {
    static_assert(std::is_same_v<block_map<64>, block_map<64, no_meter>>);
    block_map<64> plain;
    block_map<64, counting_meter> counted;
    plain.reset(64);
    counted.reset(64);
    const auto nothing = [](unsigned, unsigned) {};
    counting_meter::steps = 0;
    plain.for_each_free(nothing);
    CHECK(counting_meter::steps == 0);
    counted.for_each_free(nothing);
    CHECK(counting_meter::steps > 0);
}

} // namespace
} // namespace pagefold::testing::unit_alloc_no_meter
