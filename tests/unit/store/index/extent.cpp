// SPDX-License-Identifier: MIT

#include <pagefold/store/index/extent.hpp>

#include <pagefold/store/pool.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <initializer_list>

namespace unit_store_index_extent {

using namespace pagefold;

namespace {

constexpr std::uint64_t last_number = (max_page_index - 1) / extent_pages;

extent made(std::uint64_t object, std::uint32_t pool, std::uint64_t number) {
    extent x{};
    x.object = object;
    x.tag = extent::identity(pool, number);
    return x;
}

} // namespace

TEST_CASE("an extent of all zero bytes is not live, and a free link keeps it so") {
    extent x{};
    CHECK(!x.live());
    CHECK(x.present() == 0);
    x.free_link() = ~std::uint32_t{0};
    CHECK(!x.live());
}

TEST_CASE("pool, number and the index of a single page stand apart in the tag") {
    for (const std::uint32_t pool : {0u, 1u, max_pool_slots - 1}) {
        for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{1}, last_number}) {
            for (unsigned at = 0; at < extent_pages; ++at) {
                extent x = made(~std::uint64_t{0}, pool, number);
                x.tag |= (at & 1) != 0 ? extent::primary_bit : 0;
                x.make_single(at, 0, 0);
                REQUIRE(x.live());
                REQUIRE(x.is_single());
                REQUIRE(x.pool() == pool);
                REQUIRE(x.number() == number);
                REQUIRE(x.single_index() == at);
                REQUIRE(x.present() == std::uint64_t{1} << at);
                REQUIRE(x.is_primary() == ((at & 1) != 0));
                REQUIRE(x.has_identity(extent::identity(pool, number)));
                REQUIRE(!x.has_identity(extent::identity(pool ^ 1, number)));
                REQUIRE(!x.has_identity(extent::identity(pool, number ^ 1)));
                for (unsigned other = 0; other < extent_pages; ++other) {
                    REQUIRE(x.has_page(other) == (other == at));
                }
            }
        }
    }
}

TEST_CASE("a single page becomes an array and comes back, as another page too") {
    extent x = made(5, 7, 9);
    x.tag |= extent::primary_bit;
    x.make_single(63, 0x0123456789abcdef, 0xfedcba98);
    CHECK(x.bitmap == 0x0123456789abcdef);
    CHECK(x.cell == 0xfedcba98);
    x.make_array(std::uint64_t{1} << 63 | 1, cell_ref{17});
    CHECK(!x.is_single());
    CHECK(x.present() == (std::uint64_t{1} << 63 | 1));
    CHECK(x.array() == cell_ref{17});
    CHECK(x.live());
    x.make_single(2, 0, 0);
    CHECK(x.single_index() == 2);
    CHECK(x.present() == 4);
    CHECK(x.is_primary());
    CHECK(x.has_identity(extent::identity(7, 9)));
    x.make_array(0, cell_ref{0});
    CHECK(!x.live());
}

TEST_CASE("extents are of one object where object and pool are the same") {
    const extent x = made(5, 7, 9);
    CHECK(x.same_object(made(5, 7, 10)));
    CHECK(!x.same_object(made(6, 7, 9)));
    CHECK(!x.same_object(made(5, 8, 9)));
}

} // namespace unit_store_index_extent
