// SPDX-License-Identifier: MIT

// Saving pools: what comes into an image, a sink that refuses, and going on after it.

#include <pagefold/store/image_writer.hpp>

#include "support/image_streams.hpp"
#include "support/store_configs.hpp"
#include "support/store_fixture.hpp"

#include <pagefold/store/image_reader.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace unit_store_image_writer {

namespace {

using namespace pagefold;
using namespace pagefold::testing;
using bytes = std::vector<std::byte>;
using store_type = partitioned_store<cloning_config>;
using fixture = store_fixture<store_type>;

page_kind kind_at(std::uint64_t i) {
    return i % 5 == 0   ? page_kind::zeros
           : i % 5 == 1 ? page_kind::random
           : i % 5 == 2 ? page_kind::word
                        : page_kind::pointers;
}
/// A sealed pool with pages of all kinds, and a clone with all forms.
struct family : fixture {
    static constexpr std::uint64_t pages = 60;
    family() {
        parent = make_pool();
        for (std::uint64_t i = 0; i < pages; ++i) {
            REQUIRE(put({parent, i % 3, i}, kind_at(i), i) == status::ok);
        }
        REQUIRE(store.seal(parent) == status::ok);
        child = make_pool({.parent = parent});
        for (std::uint64_t i = 0; i < pages; ++i) {
            bytes page = page_of(4096, kind_at(i), i);
            if (i % 2 == 1) {
                page[2000] ^= std::byte{0x55};
            }
            REQUIRE(store.put({child, i % 3, i}, page) == status::ok);
        }
    }
    [[nodiscard]] std::vector<image_pool> all() const { return {{parent, 11}, {child, 22}}; }
    pool_id parent{}, child{};
};
void check_equal(family& from, store_type& to, const std::vector<pool_id>& ids) {
    bytes was(4096), is(4096);
    for (const auto& [a, b] : {std::pair{from.parent, ids[0]}, std::pair{from.child, ids[1]}}) {
        for (std::uint64_t i = 0; i < family::pages; ++i) {
            REQUIRE(from.store.peek({a, i % 3, i}, was) == status::ok);
            REQUIRE(to.peek({b, i % 3, i}, is) == status::ok);
            CHECK(was == is);
        }
    }
}

} // namespace

TEST_CASE("image: a family is restored equal, in the same forms, with a buffer of any length and a source of any") {
    family f;
    const pool_stats before = f.store.statistics_of(f.child).value();
    REQUIRE(before.reference_pages > 5);
    REQUIRE(before.delta_pages > 5);
    for (const std::size_t buffer :
         {least_image_buffer(4096), least_image_buffer(4096) + 1, std::size_t{20000}, std::size_t{262144}}) {
        const bytes image = image_of(f.store, f.all(), {.id = buffer}, buffer);
        REQUIRE(!image.empty());
        for (const std::size_t most : {std::size_t{1}, std::size_t{1000}, ~std::size_t{0}}) {
            fixture g{{.partitions = 3, .seed = 99}};
            restore r{g.store, image, {.verifies = most == 1}, most};
            r.buffer.resize(buffer + 4096);
            image_reader reader{g.store, r.source, r.pools, r.buffer, {.verifies = most == 1}};
            REQUIRE(reader.run() == status::ok);
            CHECK(reader.restored_pages() == 2 * family::pages);
            check_equal(f, g.store, r.ids);
            const pool_stats after = g.store.statistics_of(r.ids[1]).value();
            CHECK(after.reference_pages == before.reference_pages);
            CHECK(after.delta_pages == before.delta_pages);
            CHECK(after.same_pages == before.same_pages);
            CHECK(after.huge_pages == before.huge_pages);
            CHECK(after.compr_data_size == before.compr_data_size);
            CHECK(g.store.put({r.ids[0], 0, 0}, page_of(4096, page_kind::text, 1)) == status::invalid); // sealed
            CHECK(g.store.check());
        }
    }
    CHECK(f.store.check());
}

TEST_CASE("image: no writer goes on at a pool that it doesn't have") {
    family f;
    const std::vector<image_pool> pools = f.all();
    kept_image sink;
    bytes buffer(good_image_buffer(4096));
    for (const auto next : {image_position::stage::pool, image_position::stage::pages}) {
        for (const std::uint32_t pool : {2u, 3u, ~0u}) {
            image_position from;
            from.next = next;
            from.pool = pool;
            image_writer writer{f.store, sink, buffer, pools.data(), 2, image_options{}, from};
            CHECK(writer.step() == status::invalid);
        }
    }
    CHECK(sink.bytes.empty());
}

} // namespace unit_store_image_writer
