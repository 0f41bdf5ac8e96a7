// SPDX-License-Identifier: MIT

// Moving pools while they are in use: rounds, freezing, what is refused, and giving up at every step.

#include <pagefold/store/migration_stream.hpp>

#include "support/image_streams.hpp"
#include "support/store_configs.hpp"
#include "support/store_fixture.hpp"

#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace unit_store_migration_stream {

namespace {

using namespace pagefold;
using namespace pagefold::testing;
using bytes = std::vector<std::byte>;
using store_type = partitioned_store<migrating_config>;
using fixture = store_fixture<store_type>;

constexpr std::size_t words = 64;

/// A pool with pages, a log for it, and the other side.
struct moving : fixture {
    explicit moving(std::uint64_t pages = 200) {
        pool = make_pool();
        for (std::uint64_t i = 0; i < pages; ++i) {
            REQUIRE(put({pool, 1, i}, i) == status::ok);
        }
        pools = {{pool, 5}};
    }
    [[nodiscard]] migration_origin<store_type, kept_image> origin() {
        return {store, sink,         buffer,    pools.data(), static_cast<std::uint32_t>(pools.size()),
                log,   taken.data(), {.id = 77}};
    }
    template <class Origin>
    static void round(Origin& origin) {
        status s;
        do {
            s = origin.step();
        } while (s == status::busy);
        REQUIRE(s == status::ok);
    }

    pool_id pool{};
    std::vector<image_pool> pools;
    kept_image sink;
    bytes buffer = bytes(good_image_buffer(4096));
    std::vector<atomic<std::uint32_t>> now = std::vector<atomic<std::uint32_t>>(words);
    change_log log{now.data(), words};
    std::vector<std::uint32_t> taken = std::vector<std::uint32_t>(words);
};
struct arriving {
    explicit arriving(moving& from) : source{from.sink.bytes}, marks(words) {}
    fixture target{{.partitions = 2, .seed = 4}};
    image_bytes source;
    std::vector<std::uint32_t> marks;
    bytes buffer = bytes(good_image_buffer(4096));
    std::vector<pool_id> ids = std::vector<pool_id>(4);
    restored_pools<store_type> pools{target.store, ids.data(), 4};
    image_reader<store_type, image_bytes, restored_pools<store_type>> reader{
        target.store, source, pools, buffer, {.marks = marks.data(), .mark_words = words}};
};

} // namespace

TEST_CASE("migration: what is put, put again, taken, erased and erased by range meanwhile is so there") {
    moving f;
    auto origin = f.origin();
    REQUIRE(origin.start() == status::ok);
    CHECK(origin.start() == status::invalid);
    CHECK(origin.next_round() == status::invalid);
    CHECK(origin.freeze() == status::invalid);
    f.round(origin);
    CHECK(origin.pages_sent() == 200);
    CHECK(origin.step() == status::ok); // nothing more
    CHECK(origin.marked() == 0);
    REQUIRE(f.put({f.pool, 1, 3}, 1003) == status::ok);
    REQUIRE(f.put({f.pool, 2, 3}, 2003) == status::ok);
    REQUIRE(f.take({f.pool, 1, 4}) == status::ok);
    REQUIRE(f.store.erase({f.pool, 1, 5}) == status::ok);
    REQUIRE(f.store.erase_range(f.pool, 1, 100, 20).value() == 20);
    CHECK(origin.marked() > 15);
    CHECK(origin.marked() <= 24);
    REQUIRE(origin.next_round() == status::ok);
    REQUIRE(f.put({f.pool, 1, 6}, 1006) == status::ok); // while the round is under way
    f.round(origin);
    CHECK(origin.pages_sent() < 300);
    REQUIRE(origin.freeze() == status::ok);
    CHECK(f.put({f.pool, 1, 7}, 1007) == status::busy);
    CHECK(f.take({f.pool, 1, 7}) == status::busy);
    CHECK(f.store.erase({f.pool, 1, 7}) == status::busy);
    CHECK(f.store.erase_range(f.pool, 1, 0, 10).error() == status::busy);
    CHECK(f.has({f.pool, 1, 7}, 7));
    CHECK(origin.finish() == status::invalid); // the last round is to come
    REQUIRE(origin.next_round() == status::ok);
    f.round(origin);
    REQUIRE(origin.finish() == status::ok);
    CHECK(origin.rounds() == 2);
    arriving a{f};
    REQUIRE(a.reader.run() == status::ok);
    CHECK(a.target.store.statistics_of(a.ids[0]).value().stored_pages ==
          f.store.statistics_of(f.pool).value().stored_pages);
    for (std::uint64_t i = 0; i < 200; ++i) {
        const bool is_gone = i == 4 || i == 5 || (i >= 100 && i < 120);
        CHECK(a.target.get({a.ids[0], 1, i}) == (is_gone ? status::not_found : status::ok));
        CHECK((is_gone || a.target.got(i == 3 || i == 6 ? 1000 + i : i)));
    }
    CHECK(a.target.has({a.ids[0], 2, 3}, 2003));
    CHECK(a.target.store.check());
    REQUIRE(origin.cancel() == status::ok);
    CHECK(f.put({f.pool, 1, 7}, 1007) == status::ok);
    CHECK(f.store.check());
}

TEST_CASE("migration: broken off at every step, the origin is whole and goes on") {
    for (unsigned steps = 0; steps < 40; ++steps) {
        moving f{60};
        {
            auto origin = f.origin();
            f.buffer.resize(least_image_buffer(4096));
            auto small = migration_origin<store_type, kept_image>{f.store, f.sink, f.buffer,       f.pools.data(),
                                                                  1,       f.log,  f.taken.data(), {.id = 77}};
            REQUIRE(small.start() == status::ok);
            for (unsigned i = 0; i < steps; ++i) {
                if (small.step() == status::ok) {
                    REQUIRE(f.put({f.pool, 1, i}, i + 500) == status::ok);
                    if (i % 3 == 2) {
                        REQUIRE(small.freeze() == status::ok);
                    }
                    REQUIRE(small.next_round() == status::ok);
                    if (i % 3 == 2) {
                        break;
                    }
                }
            }
        } // cancels
        REQUIRE(f.put({f.pool, 1, 0}, 9) == status::ok);
        CHECK(f.has({f.pool, 1, 0}, 9));
        CHECK(f.has({f.pool, 1, 59}, f.has({f.pool, 1, 59}, 59) ? 59 : 559));
        CHECK(f.store.statistics_of(f.pool).value().stored_pages >= 60);
        CHECK(f.store.check());
        arriving a{f}; // and what came there so far can be dropped
        const status s = a.reader.run();
        CHECK(s == status::corrupt);
        CHECK(a.reader.is_cut());
        a.pools.drop_all();
        CHECK(a.target.store.stats().stored_pages == 0);
        CHECK(a.target.store.check());
    }
}

TEST_CASE("migration: a clone and its parent; the parent is sent once, and a sink may refuse at any frame") {
    moving f{0};
    for (std::uint64_t i = 0; i < 80; ++i) {
        REQUIRE(f.put({f.pool, 1, i}, page_kind::pointers, i) == status::ok);
    }
    REQUIRE(f.store.seal(f.pool) == status::ok);
    const pool_id child = f.make_pool({.parent = f.pool});
    for (std::uint64_t i = 0; i < 80; ++i) {
        REQUIRE(f.put({child, 1, i}, page_kind::pointers, i) == status::ok);
    }
    f.pools.push_back({child, 6});
    auto origin = f.origin();
    REQUIRE(origin.start() == status::ok);
    f.round(origin);
    for (std::uint64_t turn = 1; turn < 4; ++turn) {
        for (std::uint64_t i = 0; i < 80; i += turn) {
            REQUIRE(f.put({child, 1, i}, page_kind::text, i + turn) == status::ok);
        }
        REQUIRE((turn < 3 || origin.freeze() == status::ok));
        REQUIRE(origin.next_round() == status::ok);
        const std::size_t before = f.sink.bytes.size();
        f.sink.refuse_beyond(before + 10, status::busy);
        status s;
        while ((s = origin.step()) == status::busy) {
        }
        REQUIRE(s == status::unavailable);
        f.sink.bytes.resize(before);
        f.round(origin);
    }
    REQUIRE(origin.finish() == status::ok);
    arriving a{f};
    REQUIRE(a.reader.run() == status::ok);
    CHECK(a.target.store.statistics_of(a.ids[0]).value().stored_pages == 80);
    for (std::uint64_t i = 0; i < 80; ++i) {
        CHECK(a.target.has({a.ids[0], 1, i}, page_kind::pointers, i));
        const std::uint64_t turn = i % 3 == 0 ? 3 : i % 2 == 0 ? 2 : 1;
        CHECK(a.target.has({a.ids[1], 1, i}, page_kind::text, i + turn));
    }
}

TEST_CASE("migration: no log of a wrong size at the target, and none without a pool") {
    moving f{10};
    auto origin = f.origin();
    REQUIRE(origin.start() == status::ok);
    f.round(origin);
    REQUIRE(f.put({f.pool, 1, 0}, 5) == status::ok);
    REQUIRE(origin.next_round() == status::ok);
    f.round(origin);
    arriving a{f};
    image_bytes source{f.sink.bytes};
    image_reader reader{a.target.store, source, a.pools, a.buffer, {.marks = a.marks.data(), .mark_words = words - 1}};
    CHECK(reader.run() == status::too_short);
    REQUIRE(origin.cancel() == status::ok);
    REQUIRE(f.store.destroy_pool(f.pool) == status::ok);
    auto other = f.origin();
    CHECK(other.start() == status::invalid);
}

TEST_CASE("migration: a pool that is there twice is invalid, and so is one that another migration notes") {
    moving f{10};
    f.pools.push_back(f.pools[0]);
    {
        auto twice = f.origin();
        CHECK(twice.start() == status::invalid);
    }
    f.pools.pop_back();
    auto origin = f.origin();
    REQUIRE(origin.start() == status::ok);
    f.round(origin);
    const pool_id other = f.make_pool();
    const std::vector<image_pool> both{{other, 1}, {f.pool, 2}};
    std::vector<atomic<std::uint32_t>> bits(words);
    change_log log{bits.data(), words};
    std::vector<std::uint32_t> room(words);
    bytes buffer(good_image_buffer(4096));
    {
        migration_origin second{f.store, f.sink, buffer, both.data(), 2, log, room.data()};
        CHECK(second.start() == status::invalid);
    }
    REQUIRE(f.put({other, 1, 3}, 3) == status::ok);
    CHECK(log.marked() == 0); // nobody is at it
    REQUIRE(f.put({f.pool, 1, 3}, 1003) == status::ok);
    CHECK(origin.marked() == 1);
}

TEST_CASE("migration: where a pool is gone none is frozen, and the others go on after it is given up") {
    moving f{10};
    const pool_id other = f.make_pool();
    f.pools.push_back({other, 6});
    auto origin = f.origin();
    REQUIRE(origin.start() == status::ok);
    f.round(origin);
    REQUIRE(f.store.destroy_pool(other) == status::ok);
    CHECK(origin.freeze() == status::invalid);
    CHECK(f.put({f.pool, 1, 1}, 9) == status::ok);
    CHECK(origin.marked() == 1);
    CHECK(origin.cancel() == status::ok);
    CHECK(f.put({f.pool, 1, 2}, 9) == status::ok);
    CHECK(f.log.marked() == 1);
}

TEST_CASE("migration: marks that are damaged can't be passed over, or what went would stay") {
    moving f{20};
    auto origin = f.origin();
    REQUIRE(origin.start() == status::ok);
    f.round(origin);
    REQUIRE(f.store.erase({f.pool, 1, 4}) == status::ok);
    REQUIRE(origin.freeze() == status::ok);
    REQUIRE(origin.next_round() == status::ok);
    f.round(origin);
    REQUIRE(origin.finish() == status::ok);
    for (const image_frame kind : {image_frame::round, image_frame::marks}) {
        bytes& sent = f.sink.bytes;
        std::size_t at = image_format::header_bytes;
        while (sent[at + 3] != static_cast<std::byte>(kind)) {
            at += image_format::head_bytes + little_endian::load<std::uint32_t>(sent.data() + at + 16);
        }
        sent[at + image_format::head_bytes] ^= std::byte{1};
        arriving a{f};
        image_reader reader{a.target.store,
                            a.source,
                            a.pools,
                            a.buffer,
                            {.on_damage = image_damage::skip, .marks = a.marks.data(), .mark_words = words}};
        CHECK(reader.run() == status::corrupt);
        CHECK(!reader.is_cut());
        sent[at + image_format::head_bytes] ^= std::byte{1};
    }
}

TEST_CASE("migration: a bitmap of the most words is one, which wants as much room") {
    moving f{1};
    auto origin = f.origin();
    REQUIRE(origin.start() == status::ok);
    REQUIRE(origin.step() == status::busy); // the header
    bytes& sent = f.sink.bytes;
    REQUIRE(sent.size() == image_format::header_bytes);
    sent.resize(image_format::header_bytes + image_format::head_bytes + 8);
    std::byte* const frame = sent.data() + image_format::header_bytes;
    for (const std::uint64_t count :
         {std::uint64_t{change_marks::most_words}, 2 * std::uint64_t{change_marks::most_words}, std::uint64_t{1} << 32,
          (std::uint64_t{1} << 32) + 1, ~std::uint64_t{0}}) {
        little_endian::store(frame + image_format::head_bytes, count);
        image_format::store_head(frame, {image_frame::round, 8, 0, 0, 0}, 77);
        arriving a{f};
        CHECK(a.reader.run() == (count == change_marks::most_words ? status::too_short : status::corrupt));
    }
}

} // namespace unit_store_migration_stream
