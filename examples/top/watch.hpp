// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/hosted/stats_reader.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace top {

/// A store's statistics at a moment.
struct frame {
    std::string name;
    std::uint64_t time_ns = 0; ///< when they were published; 0: never
    std::uint32_t writer = 0;
    pagefold::store_stats whole{};
    std::vector<pagefold::published_pool> pools;
    std::vector<pagefold::node_snapshot> nodes;
    std::size_t all_pools = 0, all_nodes = 0; ///< what there was no room for in the file is only counted
};

/// What there is to know of who publishes.
enum class writer_state : std::uint8_t {
    alive,
    gone,      ///< with the file whole
    died,      ///< in the middle of a publication
    unreadable ///< no file, or another's: watch::reason() says which
};

/// Follows published statistics, also when another writer takes the file over or makes it anew.
class watch {
public:
    explicit watch(std::string path) : path_{std::move(path)} {}

    /// Reads what is published now. The frames stay as they were where nothing whole is there.
    writer_state update();

    /// The last two frames; the one before is of the same writer, or empty.
    [[nodiscard]] const frame& now() const noexcept { return now_; }
    [[nodiscard]] const frame& before() const noexcept { return before_; }
    [[nodiscard]] const std::string& reason() const noexcept { return reason_; }

private:
    [[nodiscard]] pagefold::status read(frame& out);

    std::string path_, reason_;
    pagefold::stats_reader reader_;
    frame now_, before_;
};

} // namespace top
