// SPDX-License-Identifier: MIT
#include <pagefold/store/deferred_pages.hpp>

#include "support/deferred_fixture.hpp"
#include "support/rng.hpp"
#include "support/store_configs.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace pagefold::testing::unit_store_deferred_pages {
namespace {

using fixture = deferred_fixture<>;

/// Each page in the queue over an older one in the store.
struct overlaid : fixture {
    explicit overlaid(std::size_t pages, std::uint64_t count = 4) : fixture{pages}, pool{make_pool()} {
        for (std::uint64_t i = 0; i < count; ++i) {
            CHECK(put({pool, 0, i}, 100 + i) == status::ok);
        }
        CHECK(queue.flush() == status::ok);
        for (std::uint64_t i = 0; i < count; ++i) {
            CHECK(put({pool, 0, i}, 200 + i) == status::ok);
        }
    }
    pool_id pool;
};

TEST_CASE("deferred pages: a page in the queue hides the one in the store from every operation") {
    overlaid f{8};
    CHECK(f.is_stored({f.pool, 0, 0}, 100));
    CHECK(f.has({f.pool, 0, 0}, 200));
    std::vector<std::byte> out(4096), wanted(4096);
    CHECK(f.queue.peek({f.pool, 0, 0}, out) == status::ok);
    make_page(wanted, kind_of(200), 200);
    CHECK(out == wanted);
    CHECK(f.queue.contains({f.pool, 0, 0}) == status::ok);
    CHECK(f.queue.length_of({f.pool, 0, 0}).value() == 4096);
    CHECK(f.take({f.pool, 0, 0}) == status::ok);
    CHECK(f.got(200));
    CHECK(f.is_not_stored({f.pool, 0, 0})); // the older one went as well
    CHECK(f.lacks({f.pool, 0, 0}));
    CHECK(f.take({f.pool, 0, 0}) == status::not_found);
    CHECK(f.queue.erase({f.pool, 0, 1}) == status::ok);
    CHECK(f.is_not_stored({f.pool, 0, 1}));
    CHECK(f.queue.contains({f.pool, 0, 1}) == status::not_found);
    CHECK(f.queue.erase({f.pool, 0, 1}) == status::not_found);
    // The rest: two pages, each once, though each is in both places.
    CHECK(f.queue.erase_object(f.pool, 0).value() == 2);
    CHECK(f.store.stats().stored_pages == 0);
    CHECK(f.queue.stats().queued_pages == 0);
    CHECK(f.queue.check());
}

TEST_CASE("deferred pages: a range counts what is in the queue, in the store, and in both once") {
    fixture f{100};
    const pool_id pool = f.make_pool(), other = f.make_pool();
    for (std::uint64_t i = 0; i < 90; ++i) {
        CHECK(f.put({pool, 1, i}, i) == status::ok);
    }
    CHECK(f.queue.flush() == status::ok);
    for (std::uint64_t i = 60; i < 120; ++i) {
        CHECK(f.put({pool, 1, i}, 1000 + i) == status::ok);
    }
    CHECK(f.put({pool, 2, 70}, 1) == status::ok);
    CHECK(f.put({other, 1, 70}, 2) == status::ok);
    CHECK(f.queue.erase_range(pool, 1, 0, 0).value() == 0);
    CHECK(f.queue.erase_range(pool, 1, max_page_index, 5).value() == 0);
    CHECK(f.queue.erase_range(pool, 1, 50, 60).value() == 60); // 50 to 109
    for (std::uint64_t i = 0; i < 120; ++i) {
        CAPTURE(i);
        if (i >= 50 && i < 110) {
            CHECK(f.lacks({pool, 1, i}));
            CHECK(f.is_not_stored({pool, 1, i}));
        } else {
            CHECK(f.has({pool, 1, i}, i < 60 ? i : 1000 + i));
        }
    }
    CHECK(f.has({pool, 2, 70}, 1));
    CHECK(f.has({other, 1, 70}, 2));
    CHECK(f.put({pool, 1, 60}, 9) == status::ok); // deferred again
    CHECK(f.is_not_stored({pool, 1, 60}));
    CHECK(f.queue.erase_range(pool, 1, 1, ~std::uint64_t{0}).value() == 60);
    CHECK(f.has({pool, 1, 0}, 0));
    CHECK(f.queue.erase_range(pool_id{}, 1, 0, 1).error() == status::invalid);
    CHECK(f.queue.check());
}

TEST_CASE("deferred pages: what is put while a range is erased is behind it") {
    deferred_fixture<interrupted_config, calling_test_source> f{100};
    const pool_id pool = f.make_pool();
    constexpr std::uint64_t pages = 70; // more than a hold lets go
    for (const page_kind kind : {page_kind::random, page_kind::text}) {
        for (std::uint64_t i = 0; i < pages; ++i) {
            CHECK(f.put({pool, 1, i}, kind, i) == status::ok);
        }
        CHECK((kind == page_kind::text || f.queue.flush() == status::ok)); // the older ones are in the store
    }
    bool has_come = false;
    std::set<std::uint64_t> latest;
    f.source.on_release = [&] { // of a page in the store
        if (has_come) {
            return;
        }
        std::thread{[&] { // as this one is in a call
            std::set<std::uint64_t> gone;
            for (std::uint64_t i = 0; i < pages; ++i) {
                if (f.queue.contains({pool, 1, i}) == status::not_found) {
                    gone.insert(i);
                }
            }
            if (gone.size() > 1) {
                has_come = true;
                for (const std::uint64_t i : gone) {
                    CHECK(f.put({pool, 1, i}, page_kind::text, 1000 + i) == status::ok);
                    CHECK(f.has({pool, 1, i}, page_kind::text, 1000 + i));
                }
                latest = gone;
            }
        }}
            .join();
    };
    CHECK(f.queue.erase_object(pool, 1).value() == pages);
    f.source.on_release = nullptr;
    CHECK(has_come);
    CHECK(latest.size() > 1);
    CHECK(f.queue.waiting_pages() == latest.size());
    for (int round = 0; round < 2; ++round) {
        for (std::uint64_t i = 0; i < pages; ++i) {
            CHECK((latest.contains(i) ? f.has({pool, 1, i}, page_kind::text, 1000 + i) : f.lacks({pool, 1, i})));
        }
        CHECK(f.queue.check());
        CHECK(f.queue.flush() == status::ok);
    }
}

TEST_CASE("deferred pages: a range within a range of the same thread is busy where it would wait for itself") {
    deferred_fixture<interrupted_config, calling_test_source> f{100};
    const pool_id pool = f.make_pool();
    constexpr std::uint64_t pages = 70; // more than one call notes of others'
    for (const page_kind kind : {page_kind::random, page_kind::text}) {
        for (std::uint64_t i = 0; i < pages; ++i) {
            CHECK(f.put({pool, 1, i}, kind, i) == status::ok);
        }
        CHECK((kind == page_kind::text || f.queue.flush() == status::ok));
    }
    status within = status::ok;
    f.source.on_release = [&] {
        std::uint64_t gone = 0;
        for (std::uint64_t i = 0; i < pages; ++i) { // all have their slots
            gone += f.queue.contains({pool, 1, i}) == status::not_found ? 1u : 0u;
        }
        if (within == status::ok && gone > 40) {
            within = f.queue.erase_object(pool, 1).error();
        }
    };
    CHECK(f.queue.erase_object(pool, 1).value() == pages);
    f.source.on_release = nullptr;
    CHECK(within == status::busy);
    for (std::uint64_t i = 0; i < pages; ++i) {
        CHECK(f.lacks({pool, 1, i}));
    }
    CHECK(f.queue.stats().queued_pages == 0);
    CHECK(f.queue.check());
}

TEST_CASE("deferred pages: what is no page, or of no pool, is invalid, and leaves nothing") {
    fixture f{8};
    const pool_id pool = f.make_pool();
    std::vector<std::byte> shorter(4095), page(4096);
    CHECK(f.queue.put({pool, 0, 0}, shorter) == status::invalid);
    CHECK(f.queue.put({pool, 0, max_page_index}, page) == status::invalid);
    CHECK(f.queue.put({pool_id{12345}, 0, 0}, page) == status::invalid);
    CHECK(f.put({pool, 0, 0}, 1) == status::ok);
    CHECK(f.queue.get({pool, 0, 0}, shorter) == status::invalid);
    CHECK(f.queue.take({pool, 0, 0}, shorter) == status::invalid);
    CHECK(f.queue.get({pool, 0, max_page_index}, page) == status::invalid);
    CHECK(f.queue.erase({pool, 0, max_page_index}) == status::invalid);
    CHECK(f.queue.contains({pool_id{12345}, 0, 0}) == status::invalid);
    CHECK(f.has({pool, 0, 0}, 1));
    CHECK(f.queue.check());
}

TEST_CASE("deferred pages: a queue that gets no memory lets puts do their work themselves") {
    fixture f{8};
    const pool_id pool = f.make_pool();
    CHECK(f.store.put({pool, 9, 9}, std::vector<std::byte>(4096)) == status::ok); // the tables are there
    for (std::uint64_t refused = 1; refused < 5;
         ++refused) { // the records, the reserve, the page, what the store takes
        CAPTURE(refused);
        f.source.refuse_nth(refused);
        CHECK(f.put({pool, 0, refused}, refused) == status::ok);
        CHECK(f.has({pool, 0, refused}, refused));
        CHECK(f.queue.check());
    }
    f.source.refuse_nth(0);
    // Records that could not be had are asked for again after a while.
    for (std::uint64_t i = 0; i < 1100; ++i) {
        REQUIRE(f.put({pool, 1, i % 4}, page_kind::zeros, i) == status::ok);
    }
    CHECK(f.queue.stats().deferred_puts != 0);
    f.source.refuse_all(true);
    CHECK(f.queue.flush() == status::ok); // pages of zeros need no more
    CHECK(f.queue.trim() != 0);
    CHECK(f.put({pool, 1, 0}, page_kind::zeros, 1) == status::ok); // past the queue, as it has no page
    CHECK(f.queue.waiting_pages() == 0);
    CHECK(f.put({pool, 2, 0}, page_kind::random, 1) == status::no_memory);
    CHECK(f.lacks({pool, 2, 0}));
    f.source.refuse_all(false);
    CHECK(f.put({pool, 2, 0}, page_kind::random, 1) == status::ok);
    CHECK(f.is_not_stored({pool, 2, 0}));
    CHECK(f.queue.check());
}

TEST_CASE("deferred pages: a walk lists the queue and the store, and nothing that is gone") {
    fixture f{40, {}, 3};
    const pool_id pool = f.make_pool(), other = f.make_pool();
    for (std::uint64_t i = 0; i < 30; ++i) {
        CHECK(f.put({pool, 1, i}, i) == status::ok);
    }
    CHECK(f.queue.flush() == status::ok);
    for (std::uint64_t i = 20; i < 45; ++i) {
        CHECK(f.put({pool, 1, i}, i) == status::ok);
    }
    CHECK(f.put({other, 1, 99}, 1) == status::ok);
    CHECK(f.queue.erase({pool, 1, 21}) == status::ok);
    CHECK(f.queue.erase({pool, 1, 3}) == status::ok);
    for (const std::size_t room : {std::size_t{1}, std::size_t{7}, std::size_t{100}}) {
        CAPTURE(room);
        std::set<std::uint64_t> seen;
        deferred_cursor cursor;
        cursor.pages.pool = pool;
        std::vector<walked_page> pages(room);
        bool works = true;
        while (!cursor.has_ended()) {
            const std::size_t listed = f.queue.walk(cursor, pages.data(), room).value();
            REQUIRE(listed <= room);
            for (std::size_t i = 0; i < listed; ++i) {
                CHECK(pages[i].object == 1);
                CHECK(pages[i].length == 4096);
                seen.insert(pages[i].index);
            }
            if (works && room == 7) { // from where the walk is going to be to where it was
                f.queue.work(3);
                works = f.queue.waiting_pages() > 20;
            }
        }
        CHECK(seen.size() == 43);
        CHECK_FALSE(seen.contains(3));
        CHECK_FALSE(seen.contains(21));
        CHECK_FALSE(seen.contains(99));
        CHECK(f.queue.walk(cursor, pages.data(), room).value() == 0);
    }
    CHECK(f.queue.destroy_pool(pool) == status::ok);
    deferred_cursor cursor;
    cursor.pages.pool = pool;
    walked_page one;
    CHECK(f.queue.walk(cursor, &one, 1).error() == status::invalid);
}

struct values_config : default_config {
    static constexpr bool variable_length = true;
};

TEST_CASE("deferred pages: values keep their lengths") {
    deferred_fixture<values_config> f{8};
    const pool_id pool = f.make_pool();
    std::vector<std::byte> value(4096), out(4096);
    make_page(value, page_kind::text, 3);
    for (const std::size_t length :
         {std::size_t{0}, std::size_t{1}, std::size_t{8}, std::size_t{9}, std::size_t{4096}}) {
        CAPTURE(length);
        const page_key key{pool, 0, length};
        const byte_view bytes{value.data(), length};
        CHECK(f.queue.put(key, bytes) == status::ok);
        for (const bool is_flushed : {false, true}) {
            if (is_flushed) {
                CHECK(f.queue.flush() == status::ok);
            }
            CHECK(f.queue.length_of(key).value() == length);
            CHECK(f.queue.get_value(key, out).value() == length);
            CHECK(std::equal(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(length), value.begin()));
            if (length != 0) {
                CHECK(f.queue.get_value(key, byte_span{out.data(), length - 1}).error() == status::too_short);
                CHECK(f.queue.take_value(key, byte_span{out.data(), length - 1}).error() == status::too_short);
            }
        }
    }
    // Another length in place of one that waits, and of one that is stored.
    CHECK(f.queue.put({pool, 0, 9}, byte_view{value.data(), 100}) == status::ok);
    CHECK(f.queue.put({pool, 0, 9}, byte_view{value.data(), 7}) == status::ok);
    CHECK(f.queue.length_of({pool, 0, 9}).value() == 7);
    CHECK(f.queue.stats().queued_bytes == 7);
    CHECK(f.queue.take_value({pool, 0, 9}, out).value() == 7);
    CHECK(f.queue.take_value({pool, 0, 4096}, out).value() == 4096);
    CHECK(f.queue.contains({pool, 0, 9}) == status::not_found);
    CHECK(f.queue.put({pool, 0, 0}, byte_view{value.data(), 4096 - 1}) == status::ok);
    CHECK(f.queue.put({pool, 0, 0}, std::vector<std::byte>(4097)) == status::invalid);
    CHECK(f.queue.check());
}

} // namespace
} // namespace pagefold::testing::unit_store_deferred_pages
