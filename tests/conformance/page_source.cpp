// SPDX-License-Identifier: MIT
#include <conformance/page_source.hpp>

#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/platform/page_source_ref.hpp>
#include <pagefold/platform/spin_lock.hpp>
#include <pagefold/platform/static_source.hpp>
#include <pagefold/platform/wiping_source.hpp>

#include <doctest/doctest.h>

#include <vector>

namespace pagefold::testing::conformance_page_source {
namespace {

TEST_CASE("static_source keeps the contract of a page source") {
    std::vector<std::byte> memory(1 << 20);
    for (const std::size_t page_size : {std::size_t{4096}, std::size_t{16384}}) {
        for (const std::size_t offset : {std::size_t{0}, std::size_t{1}, std::size_t{4095}}) {
            CAPTURE(page_size);
            CAPTURE(offset);
            static_source<> source{byte_span{memory}.subview(offset), page_size};
            CHECK(page_source_violation(source, 1000) == "");
            CHECK(source.check());
            CHECK(source.acquired_bytes() == 0);
        }
    }
    static_source<spin_lock> locked{memory};
    CHECK(page_source_violation(locked, 1000) == "");
}

TEST_CASE("mmap_source keeps the contract of a page source") {
    for (const unsigned way : {0u, 1u, 2u, 3u}) {
        for (const std::size_t retain_bytes : {mmap_options::automatic, std::size_t{0}, std::size_t{1} << 30}) {
            CAPTURE(way);
            CAPTURE(retain_bytes);
            mmap_options options;
            options.capacity_bytes = 7 << 20; // four chunks
            options.huge_pages = (way & 1u) != 0;
            options.batches = (way & 2u) != 0;
            options.retain_bytes = retain_bytes;
            mmap_source<> source{options};
            CHECK(page_source_violation(source, 5000) == "");
            CHECK(source.check());
            CHECK(source.acquired_bytes() == 0);
        }
    }
}

TEST_CASE("mmap_source with its default range keeps the contract of a page source") {
    mmap_source<null_lock> source;
    CHECK(page_source_violation(source, 3000) == "");
    CHECK(source.check());
}

TEST_CASE("page_source_ref keeps the contract of a page source") {
    std::vector<std::byte> memory(1 << 20);
    static_source<> source{memory};
    page_source_ref any{source};
    CHECK(page_source_violation(any, 1000) == "");
}

TEST_CASE("wiping_source keeps the contract of a page source") {
    std::vector<std::byte> memory(1 << 20);
    static_source<> source{memory};
    wiping_source wiping{source};
    CHECK(page_source_violation(wiping, 1000) == "");

    mmap_source<> trimmable;
    wiping_source wiping_and_trimming{trimmable};
    CHECK(page_source_violation(wiping_and_trimming, 1000) == "");
    CHECK(wiping_and_trimming.trim() != 0);
    CHECK(trimmable.resident_bytes() == 0);
}

} // namespace
} // namespace pagefold::testing::conformance_page_source
