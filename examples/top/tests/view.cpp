// SPDX-License-Identifier: MIT
#include "view.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace {

using top::frame;
using top::sort_key;
using top::view_options;

pagefold::published_pool tenant(const std::string& name, std::uint64_t id, std::uint64_t scale) {
    pagefold::published_pool pool;
    std::memcpy(pool.name, name.data(), name.size());
    pool.id = static_cast<pagefold::pool_id>(id);
    pool.stats.stored_pages = 10 * scale;
    pool.stats.used_bytes = 20480 * scale;
    pool.stats.puts = 100 * scale;
    pool.stats.hits = 300 * scale;
    pool.stats.misses = 100 * scale;
    return pool;
}
frame frame_at(std::uint64_t seconds, std::uint64_t scale) {
    frame f;
    f.name = "store";
    f.time_ns = seconds * 1'000'000'000;
    f.whole.stored_pages = 100;
    f.whole.orig_data_size = 100 * 4096;
    f.whole.total_bytes = 204800;
    f.whole.puts = 1000 * scale;
    f.pools = {tenant("alpha", 1, scale), tenant("beta", 2, 3 * scale), tenant("gamma", 3, 2 * scale)};
    f.all_pools = 3;
    return f;
}
/// What begins the tenants' lines.
std::string order(const std::vector<std::string>& lines) {
    std::string names;
    for (const std::string& line : lines) {
        for (const char* const name : {"alpha", "beta", "gamma"}) {
            names += line.rfind(name, 0) == 0 ? name[0] : '\0';
        }
    }
    names.erase(std::remove(names.begin(), names.end(), '\0'), names.end());
    return names;
}
std::string line_of(const std::vector<std::string>& lines, const std::string& start) {
    for (const std::string& line : lines) {
        if (line.rfind(start, 0) == 0) {
            return line;
        }
    }
    return "";
}
std::vector<std::string> words_of(const std::string& line) {
    std::vector<std::string> words;
    for (std::size_t at = line.find_first_not_of(' '); at != std::string::npos;) {
        const std::size_t end = line.find(' ', at);
        words.push_back(line.substr(at, end - at));
        at = line.find_first_not_of(' ', end);
    }
    return words;
}

TEST_CASE("top: numbers have three digits and a letter") {
    CHECK(top::bytes_text(0) == "0");
    CHECK(top::bytes_text(1023) == "1023");
    CHECK(top::bytes_text(1024) == "1.00K");
    CHECK(top::bytes_text(12u << 20) == "12.0M");
    CHECK(top::bytes_text(~std::uint64_t{0}) == "16.0E");
    CHECK(top::count_text(999) == "999");
    CHECK(top::count_text(1234) == "1.23k");
    CHECK(top::count_text(2.5) == "2.5");
    CHECK(top::count_text(1e15) == "1.00p");
}

TEST_CASE("top: rates are of the time between two publications, and there are none without two") {
    const frame before = frame_at(10, 1), now = frame_at(12, 2);
    const auto with = words_of(line_of(top::lines_of(before, now, {}), "beta"));
    REQUIRE(with.size() == 12);
    CHECK(with[2] == "120K"); // memory
    CHECK(with[3] == "60");   // pages
    CHECK(with[4] == "2.00"); // ratio
    CHECK(with[5] == "75.0"); // hits
    CHECK(with[6] == "150");  // puts: 300 in 2 s
    CHECK(with[7] == "600");  // gets: 1200 in 2 s
    CHECK(with[11] == "-");   // no ages
    for (const frame& none :
         {frame{}, frame_at(12, 1), frame_at(13, 1)}) { // also where the clock stands still or jumps
        const auto without = words_of(line_of(top::lines_of(none, now, {}), "beta"));
        REQUIRE(without.size() == 12);
        CHECK(without[6] == "-");
        CHECK(without[5] == "75.0");
    }
    // A counter that fell is another store's: no negative rate.
    const auto fallen = words_of(line_of(top::lines_of(frame_at(10, 9), now, {}), "beta"));
    CHECK(fallen[6] == "0");
    // A tenant that wasn't there has no rate.
    frame fewer = before;
    fewer.pools.erase(fewer.pools.begin() + 1);
    CHECK(words_of(line_of(top::lines_of(fewer, now, {}), "beta"))[6] == "-");
}

TEST_CASE("top: tenants are sorted by any column, either way") {
    const frame before = frame_at(10, 1), now = frame_at(12, 2);
    view_options options;
    for (unsigned key = 0; key < top::sort_keys; ++key) {
        options.sort = static_cast<sort_key>(key);
        options.is_inverted = false;
        const std::string down = order(top::lines_of(before, now, options));
        options.is_inverted = true;
        const std::string up = order(top::lines_of(before, now, options));
        CAPTURE(key);
        switch (options.sort) {
        case sort_key::name:
            CHECK(down == "abg");
            CHECK(up == "gba");
            break;
        case sort_key::memory:
        case sort_key::pages:
        case sort_key::puts:
        case sort_key::gets:
            CHECK(down == "bga");
            CHECK(up == "agb");
            break;
        case sort_key::ratio:
        case sort_key::hits:
        case sort_key::evicted:
        case sort_key::refused: // all alike: as they came
        default: CHECK(down == "abg"); CHECK(up == "abg");
        }
    }
}

TEST_CASE("top: a display of any size is not overrun, and names can't reach the terminal") {
    frame now = frame_at(12, 2);
    now.pools[0] = tenant("\x1b[2J\nx\x7f gr\xc3\xbcn \xff", 1, 2);
    now.name = "\x1b]0;title\a";
    for (std::size_t columns = 1; columns < 120; columns += 7) {
        for (std::size_t lines = 1; lines < 15; ++lines) {
            view_options options;
            options.columns = columns;
            options.lines = lines;
            options.notice = "a\x1b[1mnotice";
            const auto shown = top::lines_of({}, now, options);
            CHECK(shown.size() <= lines);
            for (const std::string& line : shown) {
                CHECK(line.size() <= columns);
                CHECK(std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c < 127; }));
            }
        }
    }
    CHECK(top::printable("gr\xc3\xbcn\x1b") == "gr?n?");
}

TEST_CASE("top: ages, nodes, what is not in the file, and how the writer is") {
    frame now = frame_at(12, 1);
    now.pools[0].age_seconds = 60;
    now.pools[0].ages[0] = 1000;
    now.pools[0].ages[3] = 500;
    now.pools[0].ages[8] = 1;
    now.pools[1].name[0] = '\0';
    now.all_pools = 5;
    now.nodes.resize(2);
    now.all_nodes = 1; // a file may say anything
    now.nodes[0].node = pagefold::node_id{1};
    view_options options;
    options.now_ns = 14'500'000'000;
    for (const auto& [state, words] :
         {std::pair{top::writer_state::alive, "   published 2.5 s ago"}, std::pair{top::writer_state::gone, "(gone)"},
          std::pair{top::writer_state::died, "(died in the middle of a publication)"}}) {
        options.writer = state;
        const auto lines = top::lines_of({}, now, options);
        CHECK(lines[0].find(words) != std::string::npos);
        CHECK(words_of(line_of(lines, "alpha")).back() == "@__=____.");
        CHECK(!line_of(lines, "#2").empty()); // it has no name
        CHECK(!line_of(lines, "1 ").empty());
        CHECK(!line_of(lines, "none").empty());
        CHECK(line_of(lines, "not in the file") == "not in the file: 2 tenants, 0 nodes");
    }
    options.writer = top::writer_state::unreadable;
    options.notice = "it is no file";
    CHECK(top::lines_of({}, {}, options) == std::vector<std::string>{"it is no file"});
}

} // namespace
