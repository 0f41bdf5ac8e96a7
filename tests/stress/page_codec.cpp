// SPDX-License-Identifier: MIT
//
// The page codec's paths against each other, on many pages and many more spoiled streams. How many is said by
// PAGEFOLD_RANDOM_PAGES (for each level) and PAGEFOLD_SPOILED_STREAMS; CI asks the build with sanitizers for a million
// streams. PAGEFOLD_CORPUS, a folder of *.pages files, adds each of its pages.

#include "support/codec_pages.hpp"
#include "support/environment.hpp"
#include "support/mutations.hpp"
#include "support/page_paths.hpp"
#include "support/page_stream_writer.hpp"
#include "support/pages.hpp"
#include "support/rng.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

namespace pagefold::testing::stress_page_codec {
namespace {

constexpr std::size_t unit = page_coding::unit_size;

/// A page of several kinds of memory, in pieces of any length, with copies of what came before at any distance, changed
/// here and there.
std::vector<std::byte> patchwork(std::size_t size, std::uint64_t seed) {
    rng random{seed};
    std::vector<std::byte> page = seed % 2 == 0 ? page_of(size, seed / 2) : codec_page(size, seed / 2);
    for (std::uint64_t piece = random.below(12); piece > 0; --piece) {
        const std::size_t length = 1 + random.below(std::size_t{1} << (3 + random.below(8)));
        const std::size_t at = random.below(size - length);
        switch (random.below(4)) {
        case 0: { // another kind
            const std::vector<std::byte> other = page_of(size, random());
            std::memcpy(page.data() + at, other.data() + at, length);
            break;
        }
        case 1: // zeros
            std::memset(page.data() + at, 0, length);
            break;
        case 2: // a period
            for (std::size_t i = at, period = 1 + random.below(100); i < at + length; ++i) {
                page[i] = i >= period ? page[i - period] : page[i];
            }
            break;
        default: // a copy from before, with some bytes changed
            std::memmove(page.data() + at, page.data() + random.below(at + 1), length);
            for (std::uint64_t i = random.below(1 + length / 16); i > 0; --i) {
                page[at + random.below(length)] = static_cast<std::byte>(random());
            }
        }
    }
    return page;
}

template <page_level Level>
void check_pages(std::size_t size, std::uint64_t count) {
    path_comparison paths;
    std::vector<std::byte> stream;
    std::uint64_t compressed = 0;
    for (std::uint64_t seed = 0; seed < count; ++seed) {
        const std::vector<std::byte> page = patchwork(size, seed);
        const std::string complaint = paths.round_trip<Level>(page, stream);
        compressed += stream.empty() ? 0 : 1;
        if (!complaint.empty()) {
            CAPTURE(size);
            CAPTURE(seed);
            REQUIRE(complaint == "");
        }
    }
    CHECK(compressed > count / 2);
}

/// Streams of pages of all kinds, to be spoiled.
template <page_level Level>
void add_streams(path_comparison& paths, std::size_t size, std::vector<std::vector<std::byte>>& streams) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        std::vector<std::byte> stream;
        REQUIRE(paths.round_trip<Level>(patchwork(size, seed), stream) == "");
        if (!stream.empty()) {
            streams.push_back(std::move(stream));
        }
    }
}

void check_spoiled_streams(std::size_t page_size, std::uint64_t count) {
    path_comparison paths;
    std::vector<std::vector<std::byte>> streams;
    add_streams<page_level::fast>(paths, page_size, streams);
    add_streams<page_level::high>(paths, page_size, streams);
    mutator spoil{page_size};
    std::vector<std::byte> stream;
    std::uint64_t accepted = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        stream = streams[spoil.random().below(streams.size())];
        if (i % 8 == 0) {
            spoil.make_up(stream, page_size);
        } else {
            spoil(stream, streams[spoil.random().below(streams.size())]);
        }
        bool is_accepted = false;
        const std::string complaint = paths.decode(stream, page_size, is_accepted);
        accepted += is_accepted ? 1 : 0;
        if (!complaint.empty()) {
            CAPTURE(i);
            CAPTURE(page_size);
            REQUIRE(complaint == "");
        }
    }
    // Changed literals make another page, not a corrupt one; nearly all else is noticed.
    CHECK(accepted > count / 50);
    CHECK(accepted < count);
}

TEST_CASE("the paths of this machine") {
    MESSAGE("compared: " << paths_here().size() << " paths; not on this machine: " << paths_missing());
    CHECK(paths_here().front() == page_path::scalar);
}

template <page_level Level>
void check_random_pages() {
    const std::uint64_t count = number_from("PAGEFOLD_RANDOM_PAGES", in_part(std::uint64_t{600}));
    check_pages<Level>(unit, count);
    check_pages<Level>(4 * unit, count / 10);
    check_pages<Level>(16 * unit, count / 40);
}

TEST_CASE("every path gives the same stream and reads it back, at the level fast") {
    check_random_pages<page_level::fast>();
}
TEST_CASE("every path gives the same stream and reads it back, at the level balanced") {
    check_random_pages<page_level::balanced>();
}
TEST_CASE("every path gives the same stream and reads it back, at the level high") {
    check_random_pages<page_level::high>();
}

TEST_CASE("every path gives the same stream of the pages of a corpus, where there is one") {
    const char* const folder = std::getenv("PAGEFOLD_CORPUS");
    if (folder == nullptr) {
        MESSAGE("skipped: PAGEFOLD_CORPUS names no corpus");
        return;
    }
    path_comparison paths;
    std::vector<std::byte> stream;
    std::vector<std::byte> page(unit);
    std::uint64_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator{folder}) {
        std::ifstream file{entry.path(), std::ios::binary};
        for (; file.read(reinterpret_cast<char*>(page.data()), unit); ++count) {
            CAPTURE(entry.path().string());
            CAPTURE(count);
            REQUIRE(paths.round_trip<page_level::fast>(page, stream) == "");
            REQUIRE(paths.round_trip<page_level::balanced>(page, stream) == "");
            REQUIRE(paths.round_trip<page_level::high>(page, stream) == "");
        }
    }
    MESSAGE("compared: " << count << " pages");
    CHECK(count != 0);
}

/// A page of `units` units, written from random parts. Empty `expected`: a decoder has to refuse the stream.
struct written_page {
    std::vector<std::uint8_t> stream;
    std::optional<std::vector<std::uint8_t>> expected;
};

written_page write_page(std::size_t units, std::uint64_t seed) {
    rng random{seed};
    page_stream_writer writer{seed};
    written_page page;
    std::vector<std::uint8_t> expected(units * unit);
    std::vector<std::uint8_t> lengths;
    bool is_good = true;
    for (std::size_t i = 0; i < units; ++i) {
        const unit_parts parts = random_parts(random, i * unit);
        bool is_wrong = false;
        const std::vector<std::uint8_t> stream = writer.write(parts, random_style(random), units > 1, is_wrong);
        is_good = is_good && !is_wrong && page_stream_writer::read(parts, expected.data(), i * unit);
        page.stream.insert(page.stream.end(), stream.begin(), stream.end());
        lengths.push_back(static_cast<std::uint8_t>(stream.size()));
        lengths.push_back(static_cast<std::uint8_t>(stream.size() >> 8));
        // A length of 4096 means another thing, and a longer one nothing.
        is_good = is_good && (units == 1 || stream.size() < unit);
    }
    if (units > 1) {
        page.stream.insert(page.stream.end(), lengths.begin(), lengths.end());
    }
    if (is_good) {
        page.expected = std::move(expected);
    }
    return page;
}

void check_written_streams(std::size_t units, std::uint64_t count) {
    path_comparison paths;
    std::uint64_t good = 0;
    std::uint64_t checked = 0;
    for (std::uint64_t seed = 0; seed < count; ++seed) {
        const written_page page = write_page(units, seed);
        if (page.stream.size() >= units * unit) {
            continue; // a store would keep the page itself
        }
        const byte_view stream{reinterpret_cast<const std::byte*>(page.stream.data()), page.stream.size()};
        bool is_accepted = false;
        CAPTURE(units);
        CAPTURE(seed);
        REQUIRE(paths.decode(stream, units * unit, is_accepted) == "");
        REQUIRE(is_accepted == page.expected.has_value());
        REQUIRE((!is_accepted || equal_bytes(paths.page().data(), page.expected->data(), units * unit)));
        good += is_accepted ? 1 : 0;
        ++checked;
    }
    CHECK(good > checked / 5);
    CHECK(good < checked);
}

TEST_CASE("every path reads streams that no encoder writes, and refuses what is wrong in one place") {
    const std::uint64_t count = number_from("PAGEFOLD_RANDOM_PAGES", in_part(std::uint64_t{6'000}));
    check_written_streams(1, count);
    check_written_streams(2, count / 4);
}

TEST_CASE("every path gives the same answer to a spoiled stream") {
    const std::uint64_t count = number_from("PAGEFOLD_SPOILED_STREAMS", 20'000);
    check_spoiled_streams(unit, count * 9 / 10);
    check_spoiled_streams(4 * unit, count / 10);
}

} // namespace
} // namespace pagefold::testing::stress_page_codec
