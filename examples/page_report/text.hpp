// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace page_report {

/// How wide stdout is and whether it takes more than ASCII.
struct display {
    std::size_t columns = 80;
    bool has_utf8 = false;
};

/// Of the terminal on stdout; else COLUMNS, else 80. The character set is the locale's.
[[nodiscard]] display find_display();

/// Characters, for the width on a terminal (every character is taken to be one column wide).
[[nodiscard]] std::size_t width(std::string_view text) noexcept;

/// Without control characters, which a process may put into its name; without UTF-8 where the display has none.
[[nodiscard]] std::string printable(std::string_view text, bool has_utf8);

/// At most `columns` wide. Of a path the middle goes, of `name[pid]` the end of the name.
[[nodiscard]] std::string shorten(std::string_view text, std::size_t columns, bool has_utf8);

/// As zramctl writes sizes, with three digits: 512B, 4K, 1.5M, 256M.
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);

/// Microseconds with `digits` significant digits: 0.43, 2.1, 12.
[[nodiscard]] std::string human_microseconds(double microseconds, int digits);

/// With `decimals` behind the point.
[[nodiscard]] std::string fixed(double number, int decimals);

/// 1234567 as 1,234,567.
[[nodiscard]] std::string grouped(std::uint64_t number);

} // namespace page_report
