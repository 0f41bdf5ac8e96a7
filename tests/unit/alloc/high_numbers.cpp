// SPDX-License-Identifier: MIT
#include <pagefold/alloc/high_numbers.hpp>

#include <pagefold/ds/slot_pool.hpp>

#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

namespace pagefold::testing::unit_alloc_high_numbers {
namespace {

struct element {
    std::uint32_t link;
    std::uint32_t used;
    std::uint64_t more[3];
    [[nodiscard]] bool live() const noexcept { return used != 0; }
    [[nodiscard]] std::uint32_t& free_link() noexcept { return link; }
};
using pool = slot_pool<element, test_source>;

/// Of `count` elements just those whose numbers are listed.
void keep_only(pool& elements, std::uint32_t count, const std::vector<std::uint32_t>& kept) {
    for (std::uint32_t i = 0; i < count; ++i) {
        const result<std::uint32_t> id = elements.insert();
        REQUIRE(id.has_value());
        elements[*id].used = 1;
    }
    std::size_t next = 0;
    for (std::uint32_t id = 0; id < count; ++id) {
        if (next < kept.size() && kept[next] == id) {
            ++next;
        } else {
            elements.erase(id);
        }
    }
}

TEST_CASE("the walk goes down the live numbers that are too high, and no further") {
    test_source source;
    pool elements{source, any_node};
    high_numbers walk;
    unsigned looks = 10;
    CHECK(walk.next(elements, looks) == high_numbers::none);
    CHECK(looks == 10);
    const std::uint32_t least = 4 + 4 / 4 + elements.chunk_elements();
    keep_only(elements, 1000, {3, least - 1, least, 990});
    REQUIRE(elements.size() == 4);
    CHECK(high_numbers::least(elements) == least);
    looks = 5000;
    CHECK(walk.next(elements, looks) == 990);
    CHECK(walk.next(elements, looks) == least);
    CHECK(walk.next(elements, looks) == high_numbers::none);
    CHECK(walk.next(elements, looks) == high_numbers::none);
    CHECK(looks == 5000 - (991 - least));
    walk.restart();
    elements.erase(990);
    // One element less, which makes one number more too high: 3 and none of its quarters.
    CHECK(walk.next(elements, looks) == least);
    CHECK(walk.next(elements, looks) == least - 1);
    CHECK(walk.next(elements, looks) == high_numbers::none);
}

TEST_CASE("a walk ends with its looks, and the next goes on there") {
    test_source source;
    pool elements{source, any_node};
    keep_only(elements, 2000, {1000, 1999});
    high_numbers walk;
    unsigned looks = 500;
    CHECK(walk.next(elements, looks) == 1999);
    CHECK(walk.next(elements, looks) == high_numbers::none);
    CHECK(looks == 0);
    CHECK(walk.next(elements, looks) == high_numbers::none);
    looks = 499;
    CHECK(walk.next(elements, looks) == high_numbers::none);
    looks = 1;
    CHECK(walk.next(elements, looks) == 1000);
}

} // namespace
} // namespace pagefold::testing::unit_alloc_high_numbers
