// SPDX-License-Identifier: MIT
#include <pagefold/alloc/guard_report.hpp>

#include <doctest/doctest.h>

#include <string>
#include <type_traits>

namespace unit_alloc_guard_report {

using namespace pagefold;

static_assert(std::is_trivially_copyable_v<guard_report> && std::is_aggregate_v<guard_report>);
static_assert(guard_report{}.last == guard_breach::none);

TEST_CASE("every breach has a message of its own") {
    for (unsigned i = 0; i < guard_breach_kinds; ++i) {
        for (unsigned j = 0; j < i; ++j) {
            CHECK(std::string{to_string(static_cast<guard_breach>(i))} != to_string(static_cast<guard_breach>(j)));
        }
    }
    CHECK(std::string{to_string(static_cast<guard_breach>(guard_breach_kinds))} == "unknown");
}

} // namespace unit_alloc_guard_report
