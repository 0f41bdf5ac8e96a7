// SPDX-License-Identifier: MIT

// Pages as they are kept, out of a store and into one: values, pages in a tier, damage, other bases, and what is refused.

#include <pagefold/store/store_images.hpp>

#include "support/image_streams.hpp"
#include "support/store_configs.hpp"
#include "support/store_fixture.hpp"

#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <thread>
#include <vector>

namespace unit_store_store_images {

namespace {

using namespace pagefold;
using namespace pagefold::testing;
using bytes = std::vector<std::byte>;
using clones = store_fixture<partitioned_store<cloning_config>>;

struct value_config : default_config {
    static constexpr bool variable_length = true;
};

} // namespace

TEST_CASE("images: values of any length are restored with their lengths") {
    using store_type = page_store<value_config>;
    test_source source;
    store_type store{source, {.seed = 1}}, other{source, {.seed = 2}};
    const pool_id pool = store.create_pool().value();
    const std::size_t lengths[]{0, 1, 7, 8, 9, 16, 63, 100, 1000, 4000, 4090, 4095, 4096};
    std::uint64_t i = 0;
    for (const std::size_t length : lengths) {
        for (const page_kind kind : {page_kind::text, page_kind::random, page_kind::zeros}) {
            const bytes page = page_of(4096, kind, i);
            REQUIRE(store.put({pool, 1, i++}, {page.data(), length}) == status::ok);
        }
    }
    const bytes image = image_of(store, {{pool, 1}});
    REQUIRE(!image.empty());
    restore r{other, image, {.verifies = true}};
    REQUIRE(r.reader.run() == status::ok);
    CHECK(r.reader.restored_pages() == i);
    bytes was(4096), is(4096);
    for (std::uint64_t k = 0; k < i; ++k) {
        const std::size_t length = store.get_value({pool, 1, k}, was).value();
        REQUIRE(other.get_value({r.ids[0], 1, k}, is).value() == length);
        CHECK(equal_bytes(was.data(), is.data(), length));
    }
    CHECK(other.check());
    kept_page longer;
    longer.length = 4097;
    longer.stream = 9;
    CHECK(other.put_kept(r.ids[0], longer, bytes(9)) == status::invalid);
}

TEST_CASE("images: pages in a backing tier are saved as they are there, and one that can't be read now is waited for") {
    using store_type = partitioned_store<tiered_config>;
    test_tier_memory memory;
    test_source source;
    store_type store{source, {.partitions = 2, .seed = 1}, {}, {}, {}, {}, test_tier{memory}};
    const pool_id pool = store.create_pool({.on_pressure = pressure_action::demote}).value();
    for (std::uint64_t i = 0; i < 50; ++i) {
        REQUIRE(store.put({pool, 1, i}, page_of(4096, page_kind::pointers, i)) == status::ok);
    }
    REQUIRE(store.scan(20).freed != 0);
    const pool_stats before = store.statistics_of(pool).value();
    const bytes image = image_of(store, {{pool, 1}});
    REQUIRE(!image.empty());
    CHECK(store.statistics_of(pool).value().stored_pages == before.stored_pages); // none came back
    store_fixture<partitioned_store<default_config>> g;
    restore r{g.store, image, {.verifies = true}};
    REQUIRE(r.reader.run() == status::ok);
    CHECK(r.reader.restored_pages() == 50);
    for (std::uint64_t i = 0; i < 50; ++i) {
        CHECK(g.has({r.ids[0], 1, i}, page_kind::pointers, i));
    }
}

TEST_CASE("images: a page that is erased while the tier reads it is not damage, and what was copied before a refusal "
          "counts") {
    using store_type = partitioned_store<tiered_config>;
    test_tier_memory memory;
    test_source source;
    store_type store{source, {.partitions = 2, .seed = 1}, {}, {}, {}, {}, test_tier{memory}};
    const pool_id pool = store.create_pool({.on_pressure = pressure_action::demote}).value();
    for (std::uint64_t i = 0; i < 50; ++i) {
        REQUIRE(store.put({pool, 1, i}, page_of(4096, page_kind::pointers, i)) == status::ok);
    }
    REQUIRE(store.scan(20).freed != 0);
    unsigned fetches = 0;
    std::uint64_t gone = ~std::uint64_t{0};
    memory.on_call = [&](test_tier_memory::call c, const page_key& key) {
        ++fetches;
        if (c == test_tier_memory::call::fetch && fetches == 3) {
            gone = key.index;
            std::thread{[&] { CHECK(store.erase(key) == status::ok); }}.join();
        }
    };
    bytes room(16 * 4096);
    const auto walk = [&](std::vector<unsigned>& seen) {
        pool_cursor cursor{pool};
        while (!cursor.has_ended()) {
            kept_page few[40];
            const result<std::size_t> found = store.walk_kept(cursor, {}, few, 40, room);
            REQUIRE((found || found.error() == status::unavailable));
            for (std::size_t i = 0; i < found.value_or(0); ++i) {
                CHECK(few[i].content != page_content::damaged);
                CHECK(few[i].content != page_content::away);
                ++seen[static_cast<std::size_t>(few[i].index)];
            }
        }
    };
    std::vector<unsigned> seen(50);
    walk(seen);
    memory.on_call = nullptr;
    REQUIRE(gone < 50);
    for (std::uint64_t i = 0; i < 50; ++i) {
        CHECK(seen[static_cast<std::size_t>(i)] == (i == gone ? 0u : 1u));
    }
    memory.set_faults({.unreadable = 10});
    std::vector<unsigned> again(50);
    walk(again);
    CHECK(again == seen);
    CHECK(store.check());
}

TEST_CASE("images: forms that can't be, and a base of another key, which is put by its content") {
    clones f;
    const pool_id parent = f.make_pool();
    REQUIRE(f.put({parent, 1, 0}, page_kind::pointers, 0) == status::ok);
    REQUIRE(f.put({parent, 1, 1}, page_kind::pointers, 1) == status::ok);
    REQUIRE(f.store.seal(parent) == status::ok);
    const pool_id child = f.make_pool({.parent = parent}), plain = f.make_pool();
    REQUIRE(f.put({child, 1, 0}, page_kind::pointers, 0) == status::ok);
    bytes near = page_of(4096, page_kind::pointers, 1), room(65536);
    near[77] ^= std::byte{1};
    REQUIRE(f.store.put({child, 1, 1}, near) == status::ok);
    pool_cursor cursor{child};
    kept_page pages[4];
    REQUIRE(f.store.walk_kept(cursor, {}, pages, 4, room).value() == 2);
    REQUIRE(cursor.has_ended());
    REQUIRE(pages[0].content == page_content::reference);
    REQUIRE(pages[1].content == page_content::delta);
    CHECK(pages[0].base_index == 0);
    CHECK(pages[0].base_print != pages[1].base_print);
    const byte_view delta{room.data() + pages[1].at, pages[1].stream};
    kept_page one = pages[1];
    one.index = 9; // whose base is page 1 still
    REQUIRE(f.store.put_kept(child, one, delta) == status::ok);
    bytes page(4096);
    REQUIRE(f.store.get({child, 1, 9}, page) == status::ok);
    CHECK(page == near);
    one = pages[0];
    one.object = 4;
    REQUIRE(f.store.put_kept(child, one, {}) == status::ok);
    CHECK(f.has({child, 4, 0}, page_kind::pointers, 0));
    one.base_print ^= 1;
    CHECK(f.store.put_kept(child, one, {}) == status::corrupt);
    one = pages[0];
    one.base_index = 70; // there is no such page
    CHECK(f.store.put_kept(child, one, {}) == status::corrupt);
    CHECK(f.store.put_kept(plain, pages[0], {}) == status::invalid); // no clone
    one = pages[1];
    --one.stream;
    CHECK(f.store.put_kept(child, one, delta) == status::invalid);
    one = pages[0];
    one.length = 4095;
    CHECK(f.store.put_kept(child, one, {}) == status::invalid);
    one = pages[0];
    one.index = max_page_index;
    CHECK(f.store.put_kept(child, one, {}) == status::invalid);
    for (const page_content content :
         {page_content::away, page_content::damaged, page_content::raw, page_content::in_entry, page_content::own}) {
        one = pages[0];
        one.content = content;
        CHECK(f.store.put_kept(child, one, {}) == status::invalid);
    }
    CHECK(f.store.walk_kept(cursor, {}, pages, 4, byte_span{room.data(), 4095}).error() == status::invalid);
    CHECK(f.store.family_of(child).value().parent == parent);
    CHECK(f.store.family_of(parent).value().is_sealed);
    CHECK(f.store.family_of(pool_id{}).error() == status::invalid);
    REQUIRE(f.store.destroy_pool(child) == status::ok);
    CHECK(f.store.family_of(child).error() == status::invalid);
    CHECK(f.store.walk_kept(cursor, {}, pages, 4, room).error() == status::invalid);
    CHECK(f.store.check());
}

TEST_CASE("images: a reference by content travels with the key that it names, and comes back with the parent") {
    clones f, other;
    const pool_id parent = f.make_pool();
    for (std::uint64_t i = 0; i < 70; ++i) {
        REQUIRE(f.put({parent, 1, i}, page_kind::pointers, i) == status::ok);
    }
    REQUIRE(f.store.seal(parent, {.by_content = true}) == status::ok);
    const pool_id child = f.make_pool({.parent = parent});
    for (std::uint64_t i = 0; i < 70; ++i) {
        REQUIRE(f.put({child, 5, 3 * i}, page_kind::pointers, 69 - i) == status::ok);
    }
    REQUIRE(f.store.statistics_of(child).value().reference_pages == 70);
    pool_cursor cursor{child};
    std::vector<kept_page> pages(70);
    bytes room(65536);
    REQUIRE(f.store.walk_kept(cursor, {}, pages.data(), pages.size(), room).value() == 70);
    for (const kept_page& one : pages) {
        CHECK(one.content == page_content::reference);
        CHECK(one.base_object == 1);
        CHECK(one.base_index == 69 - one.index / 3);
    }
    const bytes image = image_of(f.store, {{parent, 1}, {child, 2}});
    REQUIRE(!image.empty());
    restore r{other.store, image};
    REQUIRE(r.reader.run() == status::ok);
    CHECK(r.reader.restored_pages() == 140);
    for (std::uint64_t i = 0; i < 70; ++i) {
        CHECK(other.has({r.ids[1], 5, 3 * i}, page_kind::pointers, 69 - i));
    }
    CHECK(other.store.check());
}

} // namespace unit_store_store_images
