// SPDX-License-Identifier: MIT
#pragma once

#include "watch.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace top {

/// What the tenants are sorted by: a column of theirs.
enum class sort_key : std::uint8_t { name, memory, pages, ratio, hits, puts, gets, evicted, refused };
inline constexpr unsigned sort_keys = 9;
inline constexpr std::string_view sort_names[sort_keys] = {"name", "memory", "pages",   "ratio",  "hits",
                                                           "puts", "gets",   "evicted", "refused"};

struct view_options {
    std::size_t columns = 0; ///< of the display; 0: as many as it takes
    std::size_t lines = 0;   ///< the same
    sort_key sort = sort_key::memory;
    bool is_inverted = false;
    std::uint64_t now_ns = 0; ///< by the writer's clock
    writer_state writer = writer_state::alive;
    std::string notice; ///< a line at the top
};

/// The lines of the display: of the store, its tenants and its nodes. `before` gives the rates; where it is of no earlier time
/// there are none. Every line is printable ASCII, whatever names the file has: they are another's.
[[nodiscard]] std::vector<std::string> lines_of(const frame& before, const frame& now, const view_options& options);

/// 1234567 as 1.18M; powers of 1024.
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
/// 1234567 as 1.23m; powers of 1000.
[[nodiscard]] std::string count_text(double count);
[[nodiscard]] std::string printable(std::string_view text);

} // namespace top
