// SPDX-License-Identifier: MIT
#include "support/pages.hpp"
#include "support/test_source.hpp"

#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

namespace pagefold::testing::unit_store_store_pages {
namespace {

using store_type = partitioned_store<default_config>;
constexpr std::uint64_t last_page = max_page_index - 1;

struct fixture {
    [[nodiscard]] status put(std::uint64_t object, std::uint64_t index) {
        return store.put({pool, object, index}, page_of(4096, page_kind::text, object ^ index));
    }
    [[nodiscard]] bool has(std::uint64_t object, std::uint64_t index) {
        std::array<std::byte, 4096> back{};
        return store.get({pool, object, index}, back) == status::ok;
    }
    test_source source;
    store_type store{source, {.partitions = 3, .seed = 1}};
    pool_id pool = store.create_pool().value();
};

TEST_CASE("store_pages: pages of other sizes, numbers that are none and pools that are gone change nothing") {
    fixture f;
    REQUIRE(f.put(1, 1) == status::ok);
    std::vector<std::byte> room(4097);
    for (const std::size_t size : {0u, 1u, 4095u, 4097u}) {
        CHECK(f.store.put({f.pool, 1, 1}, {room.data(), size}) == status::invalid);
        CHECK(f.store.get({f.pool, 1, 1}, {room.data(), size}) == status::invalid);
        CHECK(f.store.take({f.pool, 1, 1}, {room.data(), size}) == status::invalid);
    }
    const byte_span page{room.data(), 4096};
    for (const std::uint64_t index : {max_page_index, max_page_index + 1, ~std::uint64_t{0}}) {
        CHECK(f.store.put({f.pool, 1, index}, page) == status::invalid);
        CHECK(f.store.get({f.pool, 1, index}, page) == status::invalid);
        CHECK(f.store.erase({f.pool, 1, index}) == status::invalid);
    }
    CHECK(f.put(1, last_page) == status::ok);
    CHECK(f.has(1, last_page));
    const pool_id gone = f.store.create_pool().value();
    CHECK(f.store.destroy_pool(gone) == status::ok);
    CHECK(f.store.erase_range(gone, 1, 0, 10).error() == status::invalid);
    CHECK(f.store.erase_object(gone, 1).error() == status::invalid);
    CHECK(f.has(1, 1));
    CHECK(f.store.stats().stored_pages == 2);
}

TEST_CASE("store_pages: a range is erased from its first page to its last, wherever these lie") {
    struct range {
        std::uint64_t first, count;
    };
    const std::set<std::uint64_t> pages{0, 1, 63, 64, 65, 127, 128, 1000, last_page - 64, last_page - 1, last_page};
    for (const range r : {range{0, 0}, range{0, 1}, range{1, 63}, range{63, 1}, range{63, 2}, range{64, 64},
                          range{65, 63}, range{0, max_page_index}, range{1, ~std::uint64_t{0}}, range{last_page, 1},
                          range{last_page, ~std::uint64_t{0}}, range{max_page_index, 5}, range{~std::uint64_t{0}, 1}}) {
        CAPTURE(r.first);
        CAPTURE(r.count);
        fixture f;
        for (const std::uint64_t page : pages) {
            REQUIRE(f.put(7, page) == status::ok);
            REQUIRE(f.put(8, page) == status::ok); // another object's
        }
        std::size_t within = 0;
        for (const std::uint64_t page : pages) {
            within += page >= r.first && page - r.first < r.count ? 1u : 0u;
        }
        CHECK(f.store.erase_range(f.pool, 7, r.first, r.count).value() == within);
        for (const std::uint64_t page : pages) {
            CHECK(f.has(7, page) == !(page >= r.first && page - r.first < r.count));
            CHECK(f.has(8, page));
        }
        CHECK(f.store.erase_object(f.pool, 7).value() == pages.size() - within);
        CHECK(f.store.check());
    }
}

TEST_CASE("store_pages: of what is taken a second taker finds nothing, and what was read stays") {
    fixture f;
    std::array<std::byte, 4096> back{};
    REQUIRE(f.put(3, 9) == status::ok);
    CHECK(f.has(3, 9));
    CHECK(f.store.take({f.pool, 3, 9}, back) == status::ok);
    CHECK(f.store.take({f.pool, 3, 9}, back) == status::not_found);
    CHECK_FALSE(f.has(3, 9));
    CHECK(f.store.erase({f.pool, 3, 9}) == status::not_found);
}

TEST_CASE("store_pages: whether there is a page is told without a use of it") {
    fixture f;
    REQUIRE(f.put(1, 1) == status::ok);
    CHECK(f.store.contains({f.pool, 1, 1}) == status::ok);
    CHECK(f.store.length_of({f.pool, 1, 1}).value() == 4096);
    CHECK(f.store.contains({f.pool, 1, 2}) == status::not_found);
    CHECK(f.store.contains({f.pool, 9, 1}) == status::not_found);
    CHECK(f.store.contains({f.pool, 1, max_page_index}) == status::invalid);
    CHECK(f.store.length_of({pool_id{77}, 1, 1}).error() == status::invalid);
    CHECK(f.store.stats().hits + f.store.stats().misses == 0);
    CHECK(f.store.erase({f.pool, 1, 1}) == status::ok);
    CHECK(f.store.contains({f.pool, 1, 1}) == status::not_found);
}

TEST_CASE("store_pages: many gets have the outcome that each would have alone") {
    fixture f;
    constexpr std::size_t most = 35; // more than twice what goes by one scratch
    for (std::uint64_t i = 0; i < most; i += 2) {
        REQUIRE(f.put(1, i) == status::ok);
    }
    std::vector<std::vector<std::byte>> outs(most, std::vector<std::byte>(4096));
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{16}, std::size_t{17}, most}) {
        CAPTURE(count);
        std::vector<page_request> requests(most);
        for (std::size_t i = 0; i < most; ++i) {
            requests[i] = {{f.pool, 1, i % 7 == 6 ? max_page_index : i},
                           byte_span{outs[i]}.first(i % 5 == 4 ? 4095 : 4096)};
        }
        const std::uint64_t hits = f.store.stats().hits;
        std::uint64_t found = 0;
        f.store.get_many(requests.data(), count);
        for (std::size_t i = 0; i < most; ++i) {
            CAPTURE(i);
            const bool is_asked = i < count && i % 7 != 6 && i % 5 != 4;
            CHECK(requests[i].outcome == (!is_asked ? status::invalid : i % 2 == 0 ? status::ok : status::not_found));
            if (requests[i].outcome == status::ok) {
                ++found;
                CHECK(requests[i].length == 4096);
                CHECK(outs[i] == page_of(4096, page_kind::text, 1 ^ i));
            }
        }
        CHECK(f.store.stats().hits == hits + found);
    }
}

TEST_CASE("store_pages: what is put raw is kept raw, and replaces") {
    fixture f;
    const std::vector<std::byte> page = page_of(4096, page_kind::text, 5);
    REQUIRE(f.put(1, 5) == status::ok);
    CHECK(f.store.stats().huge_pages == 0);
    REQUIRE(f.store.put_raw({f.pool, 1, 5}, page) == status::ok);
    CHECK(f.store.stats().huge_pages == 1);
    CHECK(f.store.stats().stored_pages == 1);
    std::vector<std::byte> back(4096);
    CHECK(f.store.get({f.pool, 1, 5}, back) == status::ok);
    CHECK(back == page);
    CHECK(f.store.put_raw({f.pool, 1, 5}, byte_view{page}.first(4095)) == status::invalid);
}

} // namespace
} // namespace pagefold::testing::unit_store_store_pages
