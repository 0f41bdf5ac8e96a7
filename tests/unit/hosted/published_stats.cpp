// SPDX-License-Identifier: MIT
//
// What is published is what is read.
#include <pagefold/hosted/published_stats.hpp>

#include "support/published_place.hpp"
#include "support/stats_samples.hpp"
#include "support/stepped.hpp"

#include <pagefold/hosted/stats_publisher.hpp>
#include <pagefold/hosted/stats_reader.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <sched.h>
#include <string>
#include <thread>
#include <unistd.h>

namespace pagefold::testing::unit_hosted_published_stats {
namespace {

TEST_CASE("published_stats: what is published is read, to the last number and name") {
    const published_place at;
    stats_publisher writer;
    REQUIRE(writer.open(at.path.c_str(), 2, 2) == status::ok);
    stats_reader reader;
    REQUIRE(reader.open(at.path.c_str()) == status::ok);
    room_for_stats room;
    REQUIRE(reader.read(room.stats) == status::ok);
    CHECK(room.stats.time_ns == 0); // nothing yet
    CHECK(room.stats.pools + room.stats.nodes == 0);

    stats_samples s;
    age_histogram ages;
    for (unsigned age = 0; age < age_histogram::ages; ++age) {
        ages.add(static_cast<std::uint8_t>(age), age + 1);
    }
    s.pools[0].ages = &ages;
    s.pools[0].age_seconds = 120;
    s.pools[1].age_seconds = 7; // without ages
    const std::string long_name(published_name_bytes + 5, 'n');
    s.pools[1].name = long_name;
    for (const std::uint64_t now : {std::uint64_t{5}, ~std::uint64_t{0}}) {
        writer.publish(s.stores[0], now);
        REQUIRE(reader.read(room.stats) == status::ok);
        CHECK(room.stats.time_ns == now);
    }
    const published_stats& read = room.stats;
    CHECK(read.writer == static_cast<std::uint32_t>(::getpid()));
    CHECK(read.name == std::string{"first"});
    CHECK(is_numbered(read.whole, 100));
    REQUIRE(read.pools == 2);
    REQUIRE(read.nodes == 2);
    CHECK(read.all_pools == 2);
    CHECK(read.all_nodes == 2);
    CHECK(read.pool_room[0].name == s.odd_name);
    CHECK(read.pool_room[0].id == s.pools[0].id);
    CHECK(read.pool_room[0].kind == pool_kind::persistent);
    CHECK(read.pool_room[0].age_seconds == 120);
    CHECK(is_numbered(read.pool_room[0].stats, 1000));
    std::uint64_t pages = 0;
    for (const std::uint64_t count : read.pool_room[0].ages) {
        pages += count;
    }
    CHECK(pages == ages.total());
    CHECK(read.pool_room[0].ages[0] == 1);
    CHECK(read.pool_room[0].ages[1] == 2);
    CHECK(read.pool_room[0].ages[2] == 3 + 4);
    CHECK(read.pool_room[0].ages[3] == 5 + 6 + 7 + 8);
    CHECK(read.pool_room[0].ages[8] == ages.at_least(128));
    CHECK(read.pool_room[1].name == std::string(published_name_bytes, 'n'));
    CHECK(read.pool_room[1].id == s.pools[1].id);
    CHECK(read.pool_room[1].kind == pool_kind::ephemeral);
    CHECK(read.pool_room[1].age_seconds == 0);
    CHECK(is_numbered(read.pool_room[1].stats, s.greatest));
    CHECK(read.node_room[0].node == node_id{3});
    CHECK(is_numbered(read.node_room[0].stats, 2000));
    CHECK(read.node_room[1].node == any_node);
    CHECK(is_numbered(read.node_room[1].stats, 3000));

    // A name that has become shorter leaves nothing of the longer one.
    writer.publish(s.stores[1], 9);
    writer.publish({"x", {}, {}, {}}, 10);
    REQUIRE(reader.read(room.stats) == status::ok);
    CHECK(read.name == std::string{"x"});
    CHECK(read.pools + read.all_pools + read.nodes + read.all_nodes == 0);
}

TEST_CASE("published_stats: no reader sees the half of a publication") {
    const published_place at;
    stats_samples s;
    stats_publisher writer;
    REQUIRE(writer.open(at.path.c_str(), 2, 2) == status::ok);
    std::atomic<bool> done{false};
    std::thread publishing{[&] {
        for (std::uint64_t round = 1; !done; ++round) {
            s.stores[0].whole = numbered<store_stats>(round);
            s.pools[1].stats = numbered<pool_stats>(round << 32); // the last record
            writer.publish(s.stores[0], round);
            if (round % 4 == 0) {
                ::sched_yield();
            }
        }
    }};
    stats_reader reader;
    REQUIRE(reader.open(at.path.c_str()) == status::ok);
    room_for_stats room;
    std::uint64_t wrong = 0, good = 0, last = 0;
    for (unsigned i = 0; good < 2000 && i < 200'000; ++i) {
        const status one = reader.read(room.stats);
        wrong += one == status::ok || one == status::busy ? 0u : 1u;
        if (one != status::ok || room.stats.time_ns == 0) {
            continue;
        }
        const std::uint64_t round = room.stats.time_ns;
        wrong += is_numbered(room.stats.whole, round) && room.stats.pools == 2 &&
                         is_numbered(room.stats.pool_room[1].stats, round << 32) && round >= last
                     ? 0u
                     : 1u;
        last = round;
        ++good;
    }
    done = true;
    publishing.join();
    CHECK(wrong == 0);
    CHECK(good == 2000);
}

/// Whether it is one publication of those below.
[[nodiscard]] bool is_whole(const published_stats& stats) {
    return is_numbered(stats.whole, stats.time_ns) && stats.pools == 1 &&
           is_numbered(stats.pool_room[0].stats, stats.time_ns << 32);
}
/// A writer of them, at the first, and a reader with room for them.
struct numbered_file {
    numbered_file() {
        REQUIRE(writer.open(at.path.c_str(), 1, 0) == status::ok);
        publish(1);
        REQUIRE(reader.open(at.path.c_str()) == status::ok);
    }
    void publish(std::uint64_t round) {
        pool.stats = numbered<pool_stats>(round << 32);
        writer.publish({"s", numbered<store_stats>(round), {&pool, 1}, {}}, round);
    }
    published_place at;
    pool_snapshot pool{};
    stats_publisher writer;
    stats_reader reader;
    room_for_stats room{1, 0};
};

TEST_CASE(
    "published_stats: a reader that comes between any two instructions of a publication sees none of it, or all") {
    if (!stepped::is_possible) {
        MESSAGE("skipped: this machine does not step, or not under ThreadSanitizer");
        return;
    }
    numbered_file file;
    published_stats& stats = file.room.stats;
    std::uint64_t step = 0, old = 0, busy = 0, wrong = 0;
    const std::uint64_t steps = stepped::run(
        1'000'000, [&] { file.publish(2); },
        [&] {
            if (++step % 7 != 0) { // each takes 256 tries while the writer is at it
                return;
            }
            const status one = file.reader.read(stats);
            old += one == status::ok && stats.time_ns == 1 ? 1u : 0u;
            busy += one == status::busy ? 1u : 0u;
            wrong += one == status::busy || (one == status::ok && is_whole(stats)) ? 0u : 1u;
        });
    CHECK(steps > 500);
    CHECK(old > 0);
    CHECK(busy > 50);
    CHECK(wrong == 0);
    REQUIRE(file.reader.read(stats) == status::ok);
    CHECK(stats.time_ns == 2);
    CHECK(is_whole(stats));
}

TEST_CASE("published_stats: a publication between any two instructions of a reading is seen whole, or not at all") {
    if (!stepped::is_possible) {
        MESSAGE("skipped: this machine does not step, or not under ThreadSanitizer");
        return;
    }
    numbered_file file;
    published_stats& stats = file.room.stats;
    std::uint64_t round = 1;
    for (const std::uint64_t every : {31u, 101u, 331u, 997u, 3001u, 9001u}) {
        file.publish(round);
        std::uint64_t step = 0;
        status one = status::busy;
        const std::uint64_t before = round;
        stepped::run(
            40'000, [&] { one = file.reader.read(stats); },
            [&] {
                if (++step % every == 0) {
                    file.publish(++round);
                }
            });
        CAPTURE(every);
        if (one == status::ok) {
            CHECK(is_whole(stats));
        } else {
            CHECK(one == status::busy); // 256 times there was another one
        }
        CHECK((round > before || every > 1000));
        ++round;
    }
}

} // namespace
} // namespace pagefold::testing::unit_hosted_published_stats
