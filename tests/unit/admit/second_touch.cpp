// SPDX-License-Identifier: MIT
//
// In a store, with a ghost: tests/unit/store/admission_ghost.cpp and tests/model/second_touch.cpp.
#include <pagefold/admit/second_touch.hpp>

#include <doctest/doctest.h>

#include <initializer_list>

namespace pagefold::testing::unit_admit_second_touch {
namespace {

static_assert(screening_policy<second_touch>);
static_assert(remembering_admission<second_touch>);

constexpr admission_query query(pool_kind kind, key_past past, std::size_t packed = 100) {
    return {4096, packed, kind, 1, {}, past};
}

TEST_CASE("second_touch: refuses what is not known, and nothing else") {
    const second_touch policy;
    for (const key_past past : {key_past::untold, key_past::left, key_past::stored}) {
        CHECK(policy.screen(query(pool_kind::ephemeral, past)));
        CHECK(policy.admit(query(pool_kind::ephemeral, past)) == admission::packed);
        CHECK(policy.admit(query(pool_kind::ephemeral, past, 4096)) == admission::raw);
    }
    CHECK_FALSE(policy.screen(query(pool_kind::ephemeral, key_past::unseen)));
    CHECK(policy.admit(query(pool_kind::ephemeral, key_past::unseen)) == admission::reject);
    CHECK(policy.screen(query(pool_kind::persistent, key_past::unseen)));
    CHECK(policy.admit(query(pool_kind::persistent, key_past::unseen)) == admission::packed);
}

TEST_CASE("second_touch: the ghost is as long as it is told, and none refuses nothing") {
    CHECK(second_touch{}.ghost_percent() == 100);
    CHECK(second_touch{250}.ghost_percent() == 250);
    CHECK(second_touch{0}.ghost_percent() == 0);
    CHECK(second_touch{0}.screen(query(pool_kind::ephemeral, key_past::unseen)));
    CHECK(second_touch{0}.admit(query(pool_kind::ephemeral, key_past::unseen)) == admission::packed);
}

} // namespace
} // namespace pagefold::testing::unit_admit_second_touch
