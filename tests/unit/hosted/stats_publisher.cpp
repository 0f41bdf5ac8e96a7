// SPDX-License-Identifier: MIT
//
// One writer, and whatever may lie at the path instead.
#include <pagefold/hosted/stats_publisher.hpp>

#include "support/published_place.hpp"
#include "support/stats_samples.hpp"

#include <pagefold/hosted/published_stats.hpp>
#include <pagefold/hosted/stats_reader.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace pagefold::testing::unit_hosted_stats_publisher {
namespace {

using layout = pagefold::detail::published_layout;

TEST_CASE("stats_publisher: what there is no room for is counted") {
    const published_samples file{1, 0};
    stats_reader reader;
    REQUIRE(reader.open(file.at.path.c_str()) == status::ok);
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{5}}) {
        room_for_stats room{size, size};
        REQUIRE(reader.read(room.stats) == status::ok);
        CHECK(room.stats.pools == (size == 0 ? 0 : 1));
        CHECK(room.stats.all_pools == 2);
        CHECK(room.stats.nodes == 0);
        CHECK(room.stats.all_nodes == 2);
    }
    CHECK(file.at.bytes() == layout::words(1, 0) * 4);
}

TEST_CASE("stats_publisher: there is one writer, and it is known whether it lives") {
    const published_place at;
    const stats_samples s;
    stats_reader reader;
    CHECK(reader.open(at.path.c_str()) == status::invalid);
    CHECK(reader.error() == ENOENT);
    {
        stats_publisher writer, another;
        REQUIRE(writer.open(at.path.c_str()) == status::ok);
        CHECK(another.open(at.path.c_str()) == status::busy);
        CHECK(!another.is_open());
        CHECK(std::string{another.reason()} == "another writer has the file");
        writer.publish(s.stores[0], 1);
        REQUIRE(reader.open(at.path.c_str()) == status::ok);
        CHECK(reader.has_writer());
    }
    CHECK(!reader.has_writer());
    room_for_stats room;
    CHECK(reader.read(room.stats) == status::ok); // the last publication stays
    CHECK(is_numbered(room.stats.whole, 100));

    // The next one takes the file over; in a smaller form it stays as long, so that nobody loses what he has mapped.
    const std::uint64_t before = at.bytes();
    stats_publisher next;
    REQUIRE(next.open(at.path.c_str(), 3, 1) == status::ok);
    CHECK(at.bytes() == before);
    CHECK(reader.has_writer());
    CHECK(reader.read(room.stats) == status::ok);
    CHECK(room.stats.time_ns == 0);
    next.publish(s.stores[0], 2);
    REQUIRE(reader.read(room.stats) == status::ok);
    CHECK(is_numbered(room.stats.pool_room[1].stats, s.greatest));
    next.close();
    // In a larger one a reader has to map it anew.
    REQUIRE(next.open(at.path.c_str(), 500, 1) == status::ok);
    CHECK(reader.read(room.stats) == status::invalid);
    CHECK(reader.open(at.path.c_str()) == status::ok);
    CHECK(reader.read(room.stats) == status::ok);
}

TEST_CASE("stats_publisher: whatever else is at the path is refused, and stays as it is") {
    room_for_stats room;
    {
        const published_place at;
        REQUIRE(::mkdir(at.path.c_str(), 0700) == 0);
        stats_publisher writer;
        stats_reader reader;
        CHECK(writer.open(at.path.c_str()) == status::invalid);
        CHECK(reader.open(at.path.c_str()) == status::invalid);
        ::rmdir(at.path.c_str());
        REQUIRE(::mkfifo(at.path.c_str(), 0600) == 0);
        CHECK(writer.open(at.path.c_str()) == status::invalid); // and it does not wait
        CHECK(reader.open(at.path.c_str()) == status::invalid);
        ::unlink(at.path.c_str());
        REQUIRE(::symlink("/dev/null", at.path.c_str()) == 0);
        CHECK(writer.open(at.path.c_str()) == status::invalid);
        CHECK(reader.open(at.path.c_str()) == status::invalid);
    }
    for (const std::size_t size : {std::size_t{1}, std::size_t{4}, std::size_t{10'000}}) {
        const published_place at;
        const int file = ::open(at.path.c_str(), O_WRONLY | O_CREAT, 0600);
        const std::vector<char> letter(size, 'x');
        REQUIRE(::write(file, letter.data(), size) == static_cast<ssize_t>(size));
        ::close(file);
        stats_publisher writer;
        CHECK(writer.open(at.path.c_str()) == status::invalid);
        CHECK(std::string{writer.reason()} == "there is another file of that name");
        CHECK(at.bytes() == size);
        stats_reader reader;
        CHECK(reader.open(at.path.c_str()) == status::invalid);
    }
    CHECK(stats_publisher{}.open("/nowhere/at/all") == status::invalid);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_stats_publisher
