// SPDX-License-Identifier: MIT
#include "histogram.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <vector>

namespace page_report {
namespace {

struct bar {
    std::string label; // for a line of text
    std::string tick;  // below a column of the picture
    std::uint64_t pages;
    const char* colour;
};

/// Same-filled, the buckets in order, incompressible.
std::vector<bar> bars_of(const size_histogram& sizes, bool has_utf8) {
    const std::string dash = has_utf8 ? "\u2013" : "-";
    std::vector<bar> bars{{"same-filled", "same-filled", sizes.same_filled, "#2a9d55"}};
    for (std::size_t i = 0; i < size_histogram::buckets; ++i) {
        const std::size_t last = std::min((i + 1) * size_histogram::width, page_bytes - 1);
        bars.push_back({std::to_string(i * size_histogram::width + 1) + dash + std::to_string(last) + " B",
                        std::to_string(last), sizes.shorter[i], "#3b75b5"});
    }
    bars.push_back({"incompressible", "incompressible", sizes.incompressible, "#c8553d"});
    return bars;
}

std::uint64_t greatest(const std::vector<bar>& bars) {
    std::uint64_t most = 1;
    for (const bar& one : bars) {
        most = std::max(most, one.pages);
    }
    return most;
}

double percent_of(std::uint64_t part, std::uint64_t all) {
    return all == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(all);
}

/// `eighths` eighths of a column; what is not nothing shows.
std::string block_bar(std::size_t eighths, bool has_utf8) {
    constexpr std::array<std::string_view, 8> parts{"",       "\u258f", "\u258e", "\u258d",
                                                    "\u258c", "\u258b", "\u258a", "\u2589"};
    std::string text;
    for (std::size_t i = 0; i < eighths / 8; ++i) {
        text += has_utf8 ? "\u2588" : "#";
    }
    if (!has_utf8) {
        return text + (eighths % 8 >= 4 || eighths == 1 ? "#" : "");
    }
    return text.append(parts[eighths % 8]);
}

std::string padded_left(const std::string& text, std::size_t columns) {
    return std::string(columns - std::min(columns, width(text)), ' ') + text;
}

template <class... Values>
void append(std::string& to, const char* format, Values... values) {
    std::array<char, 512> buffer{};
    std::snprintf(buffer.data(), buffer.size(), format, values...);
    to += buffer.data();
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
        case '&': out += "&amp;"; break;
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        default: out += c;
        }
    }
    return out;
}

/// A round step that gives about five lines up to `most` percent.
double grid_step(double most) {
    for (const double step : {0.5, 1.0, 2.0, 5.0, 10.0}) {
        if (most / step <= 6) {
            return step;
        }
    }
    return 20.0;
}

} // namespace

std::string histogram_text(const size_histogram& sizes, const display& shown) {
    const std::vector<bar> bars = bars_of(sizes, shown.has_utf8);
    const std::uint64_t most = greatest(bars);
    const std::size_t label_columns = 14;
    const std::size_t count_columns = grouped(most).size();
    const std::size_t room = std::min<std::size_t>(shown.columns, 120) - label_columns - count_columns - 11;
    std::string text = "Pages by compressed size, " + grouped(sizes.pages()) + " in all\n";
    for (const bar& one : bars) {
        const double length =
            static_cast<double>(one.pages) / static_cast<double>(most) * static_cast<double>(room * 8);
        const std::size_t eighths =
            one.pages == 0 ? 0 : std::max<std::size_t>(static_cast<std::size_t>(length + 0.5), 1);
        const std::string drawn = block_bar(eighths, shown.has_utf8);
        text += padded_left(one.label, label_columns) + "  " + drawn +
                std::string(room - std::min(room, width(drawn)) + 1, ' ') +
                padded_left(grouped(one.pages), count_columns) +
                padded_left(fixed(percent_of(one.pages, sizes.pages()), 1), 6) + " %\n";
    }
    return text;
}

std::string histogram_svg(const size_histogram& sizes, const std::string& subtitle) {
    constexpr double left = 64, right = 940, top = 76, bottom = 396, gap = 8;
    const std::vector<bar> bars = bars_of(sizes, true);
    const double most = std::max(percent_of(greatest(bars), sizes.pages()), 0.5) * 1.08;
    const auto y_of = [&](double percent) { return bottom - percent / most * (bottom - top); };
    // The outer two columns stand a little apart from the buckets.
    const double pitch = (right - left - 4 * gap) / static_cast<double>(bars.size());
    const auto x_of = [&](std::size_t i) {
        const double apart = i == 0 ? 0.0 : i + 1 == bars.size() ? 3 * gap : 1.5 * gap;
        return left + gap / 2 + pitch * static_cast<double>(i) + apart;
    };

    std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"960\" height=\"480\" viewBox=\"0 0 960 480\" "
                      "font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\" fill=\"#333\">\n"
                      "<rect width=\"960\" height=\"480\" fill=\"#fff\"/>\n";
    append(svg, "<text x=\"%g\" y=\"30\" font-size=\"20\">Pages by compressed size</text>\n", left);
    append(svg, "<text x=\"%g\" y=\"52\" font-size=\"13\" fill=\"#666\">", left);
    svg += escaped(subtitle) + "</text>\n";

    const double step = grid_step(most);
    for (double percent = 0; percent <= most; percent += step) {
        const double y = y_of(percent);
        append(svg, "<line x1=\"%g\" y1=\"%.1f\" x2=\"%g\" y2=\"%.1f\" stroke=\"%s\"/>\n", left, y, right, y,
               percent == 0 ? "#333" : "#e2e2e2");
        append(svg, "<text x=\"%g\" y=\"%.1f\" text-anchor=\"end\">%g %%</text>\n", left - 8, y + 4, percent);
    }
    for (std::size_t i = 0; i < bars.size(); ++i) {
        const double percent = percent_of(bars[i].pages, sizes.pages());
        const double y = y_of(percent);
        const double middle = x_of(i) + (pitch - 4) / 2;
        append(svg, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"><title>", x_of(i), y,
               pitch - 4, bottom - y, bars[i].colour);
        svg += bars[i].label + ": " + grouped(bars[i].pages) + " pages</title></rect>\n";
        append(svg, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" font-size=\"11\">%s</text>\n", middle, y - 5,
               bars[i].pages == 0 ? "0" : fixed(percent, percent < 0.05 ? 2 : 1).c_str());
        append(svg, "<text x=\"%.1f\" y=\"%g\" text-anchor=\"%s\">%s</text>\n",
               i == 0                 ? left - 4
               : i + 1 == bars.size() ? right
                                      : middle,
               i == 0 || i + 1 == bars.size() ? 434.0 : 414.0,
               i == 0                 ? "start"
               : i + 1 == bars.size() ? "end"
                                      : "middle",
               bars[i].tick.c_str());
    }
    append(svg, "<text x=\"%g\" y=\"434\" text-anchor=\"middle\">bytes, up to</text>\n", (left + right) / 2);
    append(
        svg,
        "<text x=\"%g\" y=\"462\" fill=\"#666\">%s pages of 4096 bytes; figures above the columns are percent of them"
        "</text>\n</svg>\n",
        left, grouped(sizes.pages()).c_str());
    return svg;
}

} // namespace page_report
