// SPDX-License-Identifier: MIT
#include <pagefold/admit/always.hpp>

#include <doctest/doctest.h>

#include <initializer_list>

namespace pagefold::testing::unit_admit_always {
namespace {

static_assert(admission_policy<always>);

TEST_CASE("always: packed if that is shorter, raw if not, never refused") {
    for (const pool_kind kind : {pool_kind::persistent, pool_kind::ephemeral}) {
        CHECK(always{}.admit({4096, 8, kind, 1}) == admission::packed);
        CHECK(always{}.admit({4096, 4095, kind, 2}) == admission::packed);
        CHECK(always{}.admit({4096, 4096, kind, 3}) == admission::raw);
    }
}

} // namespace
} // namespace pagefold::testing::unit_admit_always
