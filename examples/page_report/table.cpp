// SPDX-License-Identifier: MIT
#include "table.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

namespace page_report {
namespace {

constexpr std::size_t figures = 12;
using cells = std::array<std::string, figures>;

/// The two lines above the figures, and how the figures are written.
struct layout {
    cells upper;
    cells lower;
    std::size_t gap;
    int digits;
};

layout wide_layout(bool has_utf8) {
    const std::string us = has_utf8 ? "µs" : "us";
    return {
        {"", "", "", "", "", "SAME-", "INCOM-", "PUT " + us, "PUT " + us, "GET " + us, "GET " + us, ""},
        {"PAGES", "DATA", "COMPRESSED", "TOTAL", "RATIO", "FILLED", "PRESSIBLE", "p50", "p99", "p50", "p99", "EVICTED"},
        2,
        3};
}

layout narrow_layout(bool has_utf8) {
    const std::string us = has_utf8 ? "µs" : "us";
    return {{"", "", "", "", "", "SAME-", "INCOM-", "PUT", us, "GET", us, "EVIC-"},
            {"PAGES", "DATA", "COMPR", "TOTAL", "RATIO", "FILLED", "PRESS.", "p50", "p99", "p50", "p99", "TED"},
            1,
            2};
}

cells cells_of(const report_row& row, int digits) {
    return {std::to_string(row.pages),
            human_bytes(row.data_bytes),
            human_bytes(row.compressed_bytes),
            human_bytes(row.total_bytes),
            fixed(row.ratio(), 2),
            std::to_string(row.same_filled),
            std::to_string(row.incompressible),
            human_microseconds(row.put.p50, digits),
            human_microseconds(row.put.p99, digits),
            human_microseconds(row.get.p50, digits),
            human_microseconds(row.get.p99, digits),
            std::to_string(row.evicted)};
}

struct line {
    std::string name;
    cells values;
};

std::vector<line> lines_of(const measurement& made, const std::optional<peer_measurement>& peer, const layout& how,
                           bool has_utf8) {
    std::vector<line> lines{{"", how.upper}, {"SOURCE", how.lower}};
    for (const report_row& row : made.rows) {
        lines.push_back({printable(row.name, has_utf8), cells_of(row, how.digits)});
    }
    lines.push_back({made.total.name, cells_of(made.total, how.digits)});
    if (peer && peer->left_out.empty()) {
        line last{peer->row.name, cells_of(peer->row, how.digits)};
        last.values.back() = "-";
        lines.push_back(last);
    }
    return lines;
}

/// Columns that the figures take, and the width of each.
std::size_t widths_of(const std::vector<line>& lines, std::size_t gap, std::array<std::size_t, figures>& widths) {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < figures; ++i) {
        widths[i] = 0;
        for (const line& one : lines) {
            widths[i] = std::max(widths[i], width(one.values[i]));
        }
        sum += widths[i] + gap;
    }
    return sum;
}

} // namespace

std::string table_text(const measurement& made, const std::optional<peer_measurement>& peer, const display& shown) {
    constexpr std::size_t least_name = 12;
    constexpr std::size_t comfortable_name = 20;
    std::array<std::size_t, figures> widths{};
    layout how = wide_layout(shown.has_utf8);
    std::vector<line> lines = lines_of(made, peer, how, shown.has_utf8);
    std::size_t taken = widths_of(lines, how.gap, widths);
    if (taken + comfortable_name > shown.columns) {
        how = narrow_layout(shown.has_utf8);
        lines = lines_of(made, peer, how, shown.has_utf8);
        taken = widths_of(lines, how.gap, widths);
    }
    const std::size_t room = std::max(shown.columns - std::min(shown.columns, taken), least_name);
    std::size_t name_columns = 0;
    for (line& one : lines) {
        one.name = shorten(one.name, room, shown.has_utf8);
        name_columns = std::max(name_columns, width(one.name));
    }

    std::string text;
    for (const line& one : lines) {
        text += one.name + std::string(name_columns - width(one.name), ' ');
        for (std::size_t i = 0; i < figures; ++i) {
            text += std::string(how.gap + widths[i] - width(one.values[i]), ' ') + one.values[i];
        }
        text.erase(text.find_last_not_of(' ') + 1);
        text += '\n';
    }
    return text;
}

} // namespace page_report
