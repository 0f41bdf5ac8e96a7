// SPDX-License-Identifier: MIT
#pragma once

#include "support/stats_samples.hpp"

#include <pagefold/hosted/published_stats.hpp>
#include <pagefold/hosted/stats_publisher.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace pagefold::testing {

/// A path for published statistics, and what is there goes at the end.
struct published_place {
    published_place() {
        REQUIRE(::mkdtemp(folder.data()) != nullptr);
        path = folder + "/stats";
    }
    ~published_place() {
        ::unlink(path.c_str());
        ::rmdir(folder.c_str());
    }
    published_place(const published_place&) = delete;
    published_place& operator=(const published_place&) = delete;

    void write_word(std::size_t at, std::uint32_t value) const {
        const int file = ::open(path.c_str(), O_WRONLY);
        REQUIRE(::pwrite(file, &value, 4, static_cast<off_t>(at * 4)) == 4);
        ::close(file);
    }
    [[nodiscard]] std::uint32_t word(std::size_t at) const {
        std::uint32_t value = 0;
        const int file = ::open(path.c_str(), O_RDONLY);
        REQUIRE(::pread(file, &value, 4, static_cast<off_t>(at * 4)) == 4);
        ::close(file);
        return value;
    }
    [[nodiscard]] std::uint64_t bytes() const {
        struct ::stat about {};
        REQUIRE(::stat(path.c_str(), &about) == 0);
        return static_cast<std::uint64_t>(about.st_size);
    }
    std::string folder = "/tmp/pagefold_published_XXXXXX";
    std::string path;
};
/// A writer there that has published the first of the samples.
struct published_samples {
    explicit published_samples(std::uint32_t most_pools = 64, std::uint32_t most_nodes = 8) {
        REQUIRE(writer.open(at.path.c_str(), most_pools, most_nodes) == status::ok);
        writer.publish(s.stores[0], 1);
    }
    published_place at;
    stats_samples s;
    stats_publisher writer;
};
/// A reader's room.
struct room_for_stats {
    explicit room_for_stats(std::size_t most_pools = 8, std::size_t most_nodes = 8)
        : pools(most_pools), nodes(most_nodes) {
        stats.pool_room = pools;
        stats.node_room = nodes;
    }
    std::vector<published_pool> pools;
    std::vector<node_snapshot> nodes;
    published_stats stats;
};
/// Whether the numbers are those that follow `first`.
template <class Stats>
[[nodiscard]] bool is_numbered(const Stats& stats, std::uint64_t first) {
    bool good = true;
    visit(stats, [&](const stat_info&, std::uint64_t value) { good = good && value == first++; });
    return good;
}

} // namespace pagefold::testing
