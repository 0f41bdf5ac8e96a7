// SPDX-License-Identifier: MIT
#include "support/uffd_skip.hpp"

#include <pagefold/hosted/pagemap_scan.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <sys/mman.h>
#include <vector>

namespace pagefold::testing::unit_hosted_pagemap_scan {
namespace {

TEST_CASE("pagemap_scan: finds the pages that were written since they were protected") {
    constexpr std::uint64_t features = uffd_abi::feature_wp | uffd_abi::feature_wp_async;
    if (lacks_uffd(features)) {
        return;
    }
    constexpr std::size_t page = 4096, pages = 16;
    auto* const memory = static_cast<std::byte*>(
        mmap(nullptr, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(memory != MAP_FAILED);
    const auto start = reinterpret_cast<std::uintptr_t>(memory);
    uffd one;
    REQUIRE(one.open(features) == status::ok);
    REQUIRE(one.register_range(start, pages * page, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP).ok());
    const std::vector<std::byte> bytes(pages * page, std::byte{1});
    REQUIRE(one.copy(start, bytes.data(), pages * page, UFFDIO_COPY_MODE_WP).ok());

    pagemap_scan scan;
    REQUIRE(scan.open());
    pagemap_scan::region found[8];
    std::uint64_t at = start;
    CHECK(scan.written(at, start + pages * page, found, 8) == 0);
    CHECK(at == start + pages * page);
    for (const std::size_t i : {3u, 4u, 9u}) {
        memory[i * page] = std::byte{2};
    }
    at = start;
    CHECK(scan.written(at, start + pages * page, found, 8) == 2);
    CHECK(found[0].start == start + 3 * page);
    CHECK(found[0].end == start + 5 * page);
    CHECK(found[1].start == start + 9 * page);
    CHECK(found[1].end == start + 10 * page);
    // No room for all: the next call goes on.
    at = start;
    CHECK(scan.written(at, start + pages * page, found, 1) == 1);
    CHECK(at < start + 10 * page);
    CHECK(scan.written(at, start + pages * page, found, 1) == 1);
    CHECK(found[0].start == start + 9 * page);
    munmap(memory, pages * page);
}

TEST_CASE("pagemap_scan: a closed one, and memory without protection, answer an error") {
    pagemap_scan scan;
    pagemap_scan::region found[1];
    std::uint64_t at = 0x10000;
    CHECK(scan.written(at, 0x20000, found, 1) == -1);
    CHECK(at == 0x10000);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_pagemap_scan
