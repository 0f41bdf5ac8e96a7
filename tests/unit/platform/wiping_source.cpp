// SPDX-License-Identifier: MIT
#include <pagefold/platform/wiping_source.hpp>

#include <pagefold/platform/static_source.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace unit_platform_wiping_source {

using namespace pagefold;

static_assert(trimmable_page_source<wiping_source>);

namespace {

constexpr std::size_t page = 4096;

/// How many bytes of a released run of two pages still say what was written to it.
std::ptrdiff_t left_after_release(bool wipes, bool wipe_from_now) {
    std::vector<std::byte> memory(8 * page);
    static_source<> below{memory};
    wiping_source source{below, wipes};
    CHECK(source.page_size() == page);
    void* const p = source.acquire(2, any_node).value();
    std::memset(p, 0x5e, 2 * page);
    if (wipe_from_now) {
        source.wipe_from_now();
    }
    source.release(p, 2);
    CHECK(below.acquired_bytes() == 0);
    return std::count(memory.begin(), memory.end(), std::byte{0x5e});
}

struct trimmable_source : static_source<> {
    using static_source::static_source;
    std::size_t trim() noexcept { return 3 * page; }
};

} // namespace

TEST_CASE("a trim goes to the source below") {
    std::vector<std::byte> memory(8 * page);
    trimmable_source can{memory};
    static_source<> can_not{memory};
    CHECK(wiping_source{can}.trim() == 3 * page);
    CHECK(wiping_source{can_not}.trim() == 0);
}

TEST_CASE("what is released holds zeros") {
    CHECK(left_after_release(true, false) == 0);
    CHECK(left_after_release(false, true) == 0);
}

TEST_CASE("a source that doesn't wipe yet passes pages on as they are") {
    // static_source may keep a word of its own in a free run.
    CHECK(left_after_release(false, false) > static_cast<std::ptrdiff_t>(page));
}

} // namespace unit_platform_wiping_source
