// SPDX-License-Identifier: MIT
#include <pagefold/admit/concept.hpp>

#include <doctest/doctest.h>

#include <initializer_list>

namespace pagefold::testing::unit_admit_concept {
namespace {

TEST_CASE("admission_query: a first touch is one of an ephemeral pool's keys that is not known") {
    for (const pool_kind kind : {pool_kind::persistent, pool_kind::ephemeral}) {
        for (const key_past past : {key_past::untold, key_past::unseen, key_past::left, key_past::stored}) {
            const admission_query query{4096, 100, kind, 1, {}, past};
            CHECK(query.is_first_touch() == (kind == pool_kind::ephemeral && past == key_past::unseen));
        }
    }
    CHECK(admission_query{4096, 100, pool_kind::ephemeral, 1}.past == key_past::untold);
}

TEST_CASE("admission_query: the mildest answer is packed, for what is shorter than the page") {
    CHECK(admission_query{4096, 4095, pool_kind::ephemeral, 1}.mildest() == admission::packed);
    CHECK(admission_query{4096, 4096, pool_kind::ephemeral, 1}.mildest() == admission::raw);
    CHECK(admission::packed < admission::raw);
    CHECK(admission::raw < admission::reject);
}

} // namespace
} // namespace pagefold::testing::unit_admit_concept
