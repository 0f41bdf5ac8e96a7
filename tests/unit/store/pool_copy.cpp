// SPDX-License-Identifier: MIT

// Walks that copy: bounded holds, room that ends, ranges.

#include <pagefold/store/pool_copy.hpp>

#include "support/store_configs.hpp"
#include "support/store_fixture.hpp"

#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <set>
#include <vector>

namespace unit_store_pool_copy {

using namespace pagefold;
using namespace pagefold::testing;

TEST_CASE("pool_copy: each page once, whatever the room, in holds that are bounded") {
    store_fixture<partitioned_store<cloning_config>> f{{.partitions = 2}};
    const pool_id pool = f.make_pool();
    constexpr std::uint64_t pages = 200;
    for (std::uint64_t i = 0; i < pages; ++i) {
        REQUIRE(f.put({pool, 1, i}, i) == status::ok);
    }
    std::vector<std::byte> bytes(100 * 4096);
    std::vector<kept_page> out(100);
    for (const std::size_t room :
         {std::size_t{1}, std::size_t{15}, std::size_t{16}, std::size_t{17}, std::size_t{100}}) {
        for (const std::size_t size : {std::size_t{4096}, std::size_t{8191}, bytes.size()}) {
            pool_cursor cursor{pool};
            std::set<std::uint64_t> seen;
            for (unsigned calls = 0; !cursor.has_ended(); ++calls) {
                REQUIRE(calls < 1000);
                const std::size_t count = f.store.walk_kept(cursor, {}, out.data(), room, {bytes.data(), size}).value();
                REQUIRE(count <= room);
                std::size_t end = 0;
                for (std::size_t i = 0; i < count; ++i) {
                    REQUIRE(out[i].at == end);
                    end += out[i].stream;
                    REQUIRE(seen.insert(out[i].index).second);
                }
                REQUIRE(end <= size);
            }
            CHECK(seen.size() == pages);
        }
    }
    pool_cursor cursor{pool};
    std::size_t count = f.store.walk_kept(cursor, {}, out.data(), 100, bytes, 1).value();
    CHECK(count <= copied_pages<int>::most); // of one hold
    CHECK(f.store.walk_kept(cursor, {}, out.data(), 100, bytes, 0).value() == 0);
    kept_filter few;
    few.first_index = 50;
    few.last_index = 53;
    cursor = pool_cursor{pool};
    CHECK(f.store.walk_kept(cursor, few, out.data(), 100, bytes).value() == 4);
    CHECK(cursor.has_ended());
    CHECK(f.store.walk_kept(cursor, few, out.data(), 100, bytes).value() == 0);
}

} // namespace unit_store_pool_copy
