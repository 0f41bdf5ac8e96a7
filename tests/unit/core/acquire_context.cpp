// SPDX-License-Identifier: MIT
#include <pagefold/core/acquire_context.hpp>

#include <doctest/doctest.h>

#include <type_traits>

namespace unit_core_acquire_context {

using namespace pagefold;

static_assert(std::is_trivially_copyable_v<acquire_context>);
static_assert(sizeof(acquire_context) == 2);

TEST_CASE("who says nothing may not be put to sleep, and asks for no reserves") {
    CHECK(acquire_context{} == acquire_context{.may_sleep = false, .how_urgent = urgency::normal});
    CHECK(acquire_context{} != acquire_context{.may_sleep = true});
    CHECK(acquire_context{} != acquire_context{.how_urgent = urgency::reclaim});
    CHECK(urgency::background < urgency::normal);
    CHECK(urgency::normal < urgency::reclaim);
}

} // namespace unit_core_acquire_context
