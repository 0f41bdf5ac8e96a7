// SPDX-License-Identifier: MIT
//
// What a reader makes of a writer that stands still, dies, or is another version.
#include <pagefold/hosted/stats_reader.hpp>

#include "support/published_place.hpp"
#include "support/stats_samples.hpp"

#include <pagefold/hosted/published_stats.hpp>
#include <pagefold/hosted/stats_publisher.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <string>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pagefold::testing::unit_hosted_stats_reader {
namespace {

using layout = pagefold::detail::published_layout;

TEST_CASE("stats_reader: a writer that stands still in the middle is told from one that died there") {
    published_samples file;
    auto& [at, s, writer] = file;
    room_for_stats room;
    stats_reader reader;
    REQUIRE(reader.open(at.path.c_str()) == status::ok);
    at.write_word(layout::at_sequence, at.word(layout::at_sequence) + 1);
    CHECK(reader.read(room.stats) == status::busy);
    writer.close();
    CHECK(reader.read(room.stats) == status::unavailable);
    CHECK(std::string{reader.reason()} == "the writer died in the middle of a publication");
    REQUIRE(writer.open(at.path.c_str()) == status::ok);
    CHECK(reader.read(room.stats) == status::ok);
    writer.publish(s.stores[0], 2);
    REQUIRE(reader.read(room.stats) == status::ok);
    CHECK(room.stats.time_ns == 2);
}

TEST_CASE("stats_reader: another version, list or form is refused, when it is opened and later") {
    published_samples file{2, 2};
    auto& [at, s, writer] = file;
    room_for_stats room;
    stats_reader early;
    REQUIRE(early.open(at.path.c_str()) == status::ok);
    struct change {
        std::size_t at;
        std::uint32_t value;
        bool shows_at_opening;
    };
    for (const change one :
         {change{layout::at_magic, 1, true}, change{layout::at_version, layout::version + 1, true},
          change{layout::at_fingerprint, layout::fingerprint() + 1, true}, change{layout::at_pools, 3, true},
          change{layout::at_pools, ~0u, true}, change{layout::at_nodes, 3, true}, change{layout::at_nodes, ~0u, true},
          change{layout::at_counts, 3, false}, change{layout::at_counts + 1, 3, false},
          change{layout::at_counts, ~0u, false}}) {
        const std::uint32_t before = at.word(one.at);
        at.write_word(one.at, one.value);
        CAPTURE(one.at);
        CHECK(early.read(room.stats) == status::invalid);
        CHECK(std::string{early.reason()} != "");
        stats_reader late;
        const status opened = late.open(at.path.c_str());
        CHECK((opened == status::invalid) == one.shows_at_opening);
        if (opened == status::ok) {
            CHECK(late.read(room.stats) == status::invalid);
        }
        at.write_word(one.at, before);
        CHECK(early.read(room.stats) == status::ok);
    }
}

TEST_CASE("stats_reader: of a writer that is killed, what is whole is read, and what is not is told") {
    const published_place at;
    stats_samples s;
    room_for_stats room;
    for (unsigned round = 0; round < 12; ++round) {
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            stats_publisher writer;
            if (writer.open(at.path.c_str(), 2, 2) != status::ok) {
                ::_exit(1);
            }
            for (std::uint64_t i = 1;; ++i) {
                s.stores[0].whole = numbered<store_stats>(i);
                writer.publish(s.stores[0], i);
            }
        }
        stats_reader reader;
        for (unsigned i = 0; i < 100'000 && !(reader.is_open() && reader.has_writer()); ++i) {
            static_cast<void>(reader.open(at.path.c_str()));
            ::usleep(100);
        }
        ::usleep(1000 + 137 * round);
        ::kill(child, SIGKILL);
        int how = 0;
        REQUIRE(::waitpid(child, &how, 0) == child);
        CHECK(WIFSIGNALED(how));
        REQUIRE(reader.is_open());
        CHECK(!reader.has_writer());
        const status last = reader.read(room.stats);
        CHECK((last == status::ok || last == status::unavailable));
        if (last == status::ok) {
            CHECK((room.stats.time_ns == 0 || is_numbered(room.stats.whole, room.stats.time_ns)));
        }
    }
}

} // namespace
} // namespace pagefold::testing::unit_hosted_stats_reader
