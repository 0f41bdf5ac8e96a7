// SPDX-License-Identifier: MIT
#include <support/returning_hook.hpp>

#include <pagefold/platform/host_seed.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::hook_platform_host_seed {
namespace {

TEST_CASE("host_seed: the host's hook decides alone") {
    seed_of_host = 0x123456789abcdef0u;
    CHECK(host_seed() == 0x123456789abcdef0u);
    CHECK(host_seed() == 0x123456789abcdef0u);
    seed_of_host = 1;
    CHECK(host_seed() == 1);
}

TEST_CASE("host_seed: a hook that says 0 makes no seed of 0") {
    seed_of_host = 0;
    CHECK(host_seed() != 0);
}

} // namespace
} // namespace pagefold::testing::hook_platform_host_seed
