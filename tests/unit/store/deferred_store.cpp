// SPDX-License-Identifier: MIT
//
// What a queue is to who uses it: sizes, numbers, memory. How pages pass it: deferred_pages.cpp and deferred_work.cpp; all together,
// against a reference: tests/model/deferred.cpp, and with threads tests/stress/deferred.cpp.
#include <pagefold/store/deferred_store.hpp>

#include "support/deferred_fixture.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pagefold::testing::unit_store_deferred_store {
namespace {

using fixture = deferred_fixture<>;

TEST_CASE("deferred_store: nothing is taken before the first put, and all is counted and given back") {
    fixture f{8};
    CHECK(f.source.bytes_held() == 0);
    CHECK(f.queue.capacity() == 8);
    CHECK(f.queue.work(10) == 0);
    CHECK(f.queue.flush() == status::ok);
    CHECK(f.queue.put({pool_id{}, 0, 0}, std::vector<std::byte>(4096)) == status::invalid);
    const pool_id pool = f.make_pool();
    const std::size_t before = f.source.bytes_held();
    CHECK(f.queue.stats().queue_bytes == 0);
    CHECK(f.put({pool, 0, 0}, 1) == status::ok);
    // The records, a page in reserve, a page.
    CHECK(f.queue.stats().queue_bytes == 3 * 4096);
    CHECK(f.source.bytes_held() == before + 3 * 4096);
    CHECK(f.store.stats().total_bytes == f.source.bytes_held());
    CHECK(f.store.stats().fixed_bytes == f.store.stats().total_bytes);
    CHECK(f.store.statistics_of(pool).value().used_bytes == 0);
    CHECK(f.queue.check());
    CHECK(f.queue.trim() == 4096); // the reserve; the page is in use
    CHECK(f.queue.stats().queue_bytes == 2 * 4096);
    CHECK(f.queue.work(1) == 1);
    CHECK(f.is_stored({pool, 0, 0}, 1));
    CHECK(f.queue.check());
    CHECK(f.queue.trim() == 4096);
    CHECK(f.queue.trim() == 0);
    CHECK(f.queue.stats().queue_bytes == 4096);
    CHECK(f.queue.check());
}

TEST_CASE("deferred_store: a queue has exactly as many pages as fit, and the next put does its work itself") {
    for (const std::size_t pages : {std::size_t{1}, std::size_t{2}, std::size_t{64}, std::size_t{100}}) {
        CAPTURE(pages);
        fixture f{pages};
        const pool_id pool = f.make_pool();
        for (std::uint64_t i = 0; i < pages; ++i) {
            REQUIRE(f.put({pool, 0, i}, i) == status::ok);
            REQUIRE(f.is_not_stored({pool, 0, i}));
        }
        CHECK(f.queue.waiting_pages() == pages);
        CHECK(f.queue.stats().direct_puts == 0);
        CHECK(f.put({pool, 0, pages}, 500) == status::ok);
        CHECK(f.is_stored({pool, 0, pages}, 500));
        CHECK(f.put({pool, 0, 0}, 501) == status::ok); // one that is there needs no room
        CHECK(f.is_not_stored({pool, 0, 0}));
        CHECK(f.has({pool, 0, 0}, 501));
        const deferred_stats s = f.queue.stats();
        CHECK(s.queued_pages == pages);
        CHECK(s.queued_bytes == pages * 4096);
        CHECK(s.deferred_puts == pages + 1);
        CHECK(s.direct_puts == 1);
        CHECK(s.superseded_pages == 1);
        CHECK(s.queue_hits == 1);
        CHECK(f.queue.check());
        CHECK(f.queue.flush() == status::ok);
        CHECK(f.queue.stats().queued_pages == 0);
        CHECK(f.queue.stats().worker_puts == pages);
        CHECK(f.is_stored({pool, 0, 0}, 501));
        for (std::uint64_t i = 1; i < pages; ++i) {
            REQUIRE(f.is_stored({pool, 0, i}, i));
        }
        CHECK(f.queue.check());
    }
}

TEST_CASE("deferred_store: no queue at all is a store") {
    fixture f{0};
    const pool_id pool = f.make_pool();
    CHECK(f.queue.capacity() == 0);
    CHECK(f.put({pool, 0, 0}, 1) == status::ok);
    CHECK(f.is_stored({pool, 0, 0}, 1));
    CHECK(f.queue.contains({pool, 0, 0}) == status::ok);
    CHECK(f.take({pool, 0, 0}) == status::ok);
    CHECK(f.got(1));
    CHECK(f.lacks({pool, 0, 0}));
    CHECK(f.put({pool, 0, 1}, 2) == status::ok);
    CHECK(f.queue.erase({pool, 0, 1}) == status::ok);
    CHECK(f.queue.erase({pool, 0, 1}) == status::not_found);
    CHECK(f.queue.erase_object(pool, 0).value() == 0);
    CHECK(f.queue.stats().direct_puts == 2);
    CHECK(f.queue.stats().queue_bytes == 0);
    CHECK(f.queue.work(5) == 0);
    CHECK(f.queue.check());
}

TEST_CASE("deferred_store: shards divide the slots, each with its own part") {
    fixture f{40, {}, 100}; // no more than 16
    const pool_id pool = f.make_pool();
    std::uint64_t deferred = 0;
    for (std::uint64_t i = 0; i < 200; ++i) {
        REQUIRE(f.put({pool, i, i}, i) == status::ok);
        deferred += f.is_not_stored({pool, i, i}) ? 1u : 0u;
    }
    CHECK(deferred == 40); // by then all parts are full
    CHECK(f.queue.waiting_pages() == 40);
    for (std::uint64_t i = 0; i < 200; ++i) {
        REQUIRE(f.has({pool, i, i}, i));
    }
    CHECK(f.queue.check());
    // Little by little, in turns.
    std::size_t calls = 0;
    while (f.queue.work(3) != 0) {
        ++calls;
    }
    CHECK(calls == 14);
    CHECK(f.queue.waiting_pages() == 0);
}

TEST_CASE("deferred_store: pages of memory are parts of the source's where those are larger") {
    test_source source{16384};
    fixture::store_type store{source, {.seed = 1}};
    fixture::queue_type queue{store, {.queue_bytes = 10 * 4096, .seed = 1}};
    const pool_id pool = queue.create_pool().value();
    std::vector<std::byte> page(4096), out(4096);
    for (std::uint64_t i = 0; i < 12; ++i) {
        make_page(page, page_kind::text, i);
        CHECK(queue.put({pool, 0, i}, page) == status::ok);
        CHECK(queue.get({pool, 0, i}, out) == status::ok);
        CHECK(out == page);
        CHECK(queue.check());
    }
    CHECK(queue.stats().queued_pages == 10);
    CHECK(queue.stats().queue_bytes == 12 * 4096);
    CHECK(store.stats().total_bytes == source.bytes_held());
    CHECK(queue.flush() == status::ok);
    CHECK(queue.trim() == 11 * 4096);
    CHECK(queue.check());
}

TEST_CASE("deferred_store: who is away till there is work is rung for once") {
    fixture f{16};
    const pool_id pool = f.make_pool();
    const std::uint32_t first = f.queue.arm(2);
    CHECK(f.put({pool, 0, 0}, 1) == status::ok);
    CHECK(f.queue.bell().load(memory_order::relaxed) == first);
    CHECK(f.put({pool, 0, 1}, 1) == status::ok);
    const std::uint32_t second = f.queue.bell().load(memory_order::relaxed);
    CHECK(second != first);
    CHECK(f.put({pool, 0, 2}, 1) == status::ok);
    CHECK(f.queue.bell().load(memory_order::relaxed) == second);
    // The least number of several.
    CHECK(f.queue.arm(5) == second);
    CHECK(f.queue.arm(4) == second);
    CHECK(f.queue.arm(9) == second);
    CHECK(f.put({pool, 0, 3}, 1) == status::ok);
    CHECK(f.queue.bell().load(memory_order::relaxed) != second);
    f.queue.ring();
    CHECK(f.queue.bell().load(memory_order::relaxed) == second + 2);
}

TEST_CASE("deferred_store: its numbers are in the list") {
    deferred_stats s{};
    std::string names;
    std::uint64_t sum = 0;
    s.queued_pages = 3;
    s.queue_hits = 4;
    visit(s, [&](const stat_info& info, std::uint64_t value) {
        names += std::string{info.name} + ' ';
        sum += value;
    });
    CHECK(sum == 7);
    CHECK(names == "queued_pages queued_bytes held_pages queue_bytes deferred_puts worker_puts direct_puts "
                   "superseded_pages refused_tries dropped_pages queue_hits ");
}

TEST_CASE("deferred_store: what is in the queue when it ends is stored") {
    test_source source;
    fixture::store_type store{source, {.seed = 1}};
    const pool_id pool = store.create_pool().value();
    std::vector<std::byte> page(4096), out(4096);
    make_page(page, page_kind::text, 7);
    {
        fixture::queue_type queue{store, {.queue_bytes = 1 << 16}};
        CHECK(queue.put({pool, 0, 5}, page) == status::ok);
        CHECK(store.contains({pool, 0, 5}) == status::not_found);
    }
    CHECK(store.get({pool, 0, 5}, out) == status::ok);
    CHECK(out == page);
    CHECK(store.check());
}

} // namespace
} // namespace pagefold::testing::unit_store_deferred_store
