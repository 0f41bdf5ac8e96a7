// SPDX-License-Identifier: MIT
#include <pagefold/admit/ratio.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::unit_admit_ratio {
namespace {

static_assert(admission_policy<ratio>);

admission answer(const ratio& policy, std::size_t page_bytes, std::size_t packed_bytes) {
    return policy.admit({page_bytes, packed_bytes, pool_kind::persistent, 0});
}

TEST_CASE("ratio: seven eighths of a page are packed, a byte more is raw") {
    const ratio policy;
    CHECK(answer(policy, 4096, 8) == admission::packed);
    CHECK(answer(policy, 4096, 3584) == admission::packed);
    CHECK(answer(policy, 4096, 3585) == admission::raw);
    CHECK(answer(policy, 4096, 4096) == admission::raw);
    CHECK(answer(policy, 65536, 57344) == admission::packed);
    CHECK(answer(policy, 65536, 57345) == admission::raw);
}

TEST_CASE("ratio: refuses on request") {
    const ratio policy{500, admission::reject};
    CHECK(answer(policy, 4096, 2048) == admission::packed);
    CHECK(answer(policy, 4096, 2049) == admission::reject);
    CHECK(answer(policy, 4096, 4096) == admission::reject);
}

TEST_CASE("ratio: an incompressible page is never packed") {
    CHECK(answer(ratio{1000}, 4096, 4095) == admission::packed);
    CHECK(answer(ratio{1000}, 4096, 4096) == admission::raw);
    CHECK(answer(ratio{0}, 4096, 8) == admission::raw);
}

} // namespace
} // namespace pagefold::testing::unit_admit_ratio
