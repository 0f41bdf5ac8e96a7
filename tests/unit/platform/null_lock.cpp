// SPDX-License-Identifier: MIT
#include <pagefold/platform/null_lock.hpp>

#include <pagefold/platform/concept.hpp>

#include <doctest/doctest.h>

#include <type_traits>

namespace pagefold::testing::unit_platform_null_lock {
namespace {

static_assert(lockable<null_lock>);
static_assert(std::is_empty_v<null_lock>);

TEST_CASE("null_lock: lets everybody in") {
    null_lock lock;
    const lock_guard first{lock};
    const lock_guard second{lock};
    CHECK(true);
}

} // namespace
} // namespace pagefold::testing::unit_platform_null_lock
