// SPDX-License-Identifier: MIT
#include <pagefold/hosted/mmap_options.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::unit_hosted_mmap_options {
namespace {

TEST_CASE("mmap_options: where nothing is said, a large range of huge pages that goes back in batches") {
    const mmap_options options;
    CHECK(options.capacity_bytes == mmap_options::automatic);
    CHECK(options.retain_bytes == mmap_options::automatic);
    CHECK(options.huge_pages);
    CHECK(options.batches);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_mmap_options
