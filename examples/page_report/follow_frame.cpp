// SPDX-License-Identifier: MIT
#include "follow_frame.hpp"

#include "page_input.hpp"

#include "support/json_writer.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace page_report {
namespace {

/// Ages from `first` to `last` in one row: each row has twice as many as the one before.
struct age_row {
    unsigned first;
    unsigned last;
    std::uint64_t pages;
};

std::vector<age_row> rows_of(const pagefold::age_histogram& ages) {
    std::vector<age_row> rows;
    for (unsigned first = 0; first < pagefold::age_histogram::ages; first = first == 0 ? 1 : 2 * first) {
        const unsigned last = first == 0 ? 0 : std::min<unsigned>(2 * first - 1, pagefold::oldest_age);
        const std::uint64_t older =
            last < pagefold::oldest_age ? ages.at_least(static_cast<std::uint8_t>(last + 1)) : 0;
        rows.push_back({first, last, ages.at_least(static_cast<std::uint8_t>(first)) - older});
    }
    while (rows.size() > 1 && rows.back().pages == 0) {
        rows.pop_back();
    }
    return rows;
}

std::string padded(const std::string& text, std::size_t columns) {
    return std::string(columns - std::min(columns, text.size()), ' ') + text;
}

std::string size_of(std::uint64_t pages) { return human_bytes(pages * page_bytes); }

std::string age_line(const age_row& row, const follow_frame& frame, const display& screen) {
    std::string ages = std::to_string(row.first) + (row.last == row.first ? "" : "-" + std::to_string(row.last));
    if (row.last == pagefold::oldest_age) {
        ages += "+";
    }
    std::string line = padded(ages, 9) + padded(fixed(static_cast<double>(row.first * frame.sweep_ms) / 1000, 1), 9) +
                       " s" + padded(size_of(row.pages), 8) + (row.first >= frame.threshold ? " cold " : "      ");
    const std::size_t room = screen.columns - std::min(screen.columns, line.size());
    const auto bar = static_cast<std::size_t>(static_cast<double>(room) * static_cast<double>(row.pages) /
                                              static_cast<double>(std::max<std::uint64_t>(frame.pages, 1)));
    return line + std::string(std::min(bar, room), '#') + "\n";
}

} // namespace

std::uint64_t follow_frame::compressed_bytes() const noexcept {
    return sampled_pages == 0
               ? 0
               : static_cast<std::uint64_t>(static_cast<double>(cold_pages) * static_cast<double>(sampled_bytes) /
                                            static_cast<double>(sampled_pages));
}

std::uint64_t follow_frame::saved_bytes() const noexcept {
    const std::uint64_t cold = cold_pages * page_bytes;
    return sampled_pages == 0 ? 0 : cold - std::min(cold, compressed_bytes());
}

std::string frame_text(const follow_frame& frame, const display& screen) {
    std::string text = printable(frame.process, screen.has_utf8) + ": sweep " + grouped(frame.sweep) + ", " +
                       size_of(frame.pages) + " in memory, hot " + size_of(frame.hot_pages) + "\n";
    text += padded("AGE", 9) + padded("IDLE FOR", 11) + padded("PAGES", 8) + "\n";
    for (const age_row& row : rows_of(frame.ages)) {
        text += age_line(row, frame, screen);
    }
    if (frame.threshold == pagefold::no_age) {
        text += "Cold: too early to tell\n";
    } else {
        text += "Cold: " + size_of(frame.cold_pages) + " from age " + std::to_string(frame.threshold) + " on, " +
                grouped(frame.promoted_pages) + " of these pages were wanted in this sweep\n";
    }
    if (frame.sampled_pages != 0) {
        text += "Compressed they'd take " + human_bytes(frame.compressed_bytes()) + " (" + frame.codec +
                "): " + human_bytes(frame.saved_bytes()) + " saved\n";
    }
    text += "Budget: " + human_bytes(frame.budget_bytes);
    text += frame.no_pressure.empty()
                ? ", " + fixed(static_cast<double>(frame.stalled_ppm) / 10'000, 2) + " % of the time lost to stalls\n"
                : "\n";
    return text;
}

std::string frame_notes(const follow_frame& frame) {
    std::string text = "Seen by " + frame.seen_by + (frame.blind_to.empty() ? "" : "; " + frame.blind_to) + ".\n";
    if (!frame.no_pressure.empty()) {
        text += "Stalls are not known: " + frame.no_pressure + ".\n";
    }
    return text;
}

std::string frame_json(const follow_frame& frame) {
    pagefold::support::json_writer json;
    json.begin_object()
        .member("process", printable(frame.process, true))
        .member("seen_by", frame.seen_by)
        .member("blind_to", frame.blind_to)
        .member("sweep", frame.sweep)
        .member("sweep_ms", frame.sweep_ms)
        .member("bytes", frame.pages * page_bytes)
        .member("hot_bytes", frame.hot_pages * page_bytes)
        .member("promoted_pages", frame.promoted_pages)
        .member("cold_age", std::uint64_t{frame.threshold})
        .member("cold_bytes", frame.cold_pages * page_bytes)
        .member("sampled_pages", frame.sampled_pages)
        .member("compressed_bytes", frame.compressed_bytes())
        .member("saved_bytes", frame.saved_bytes())
        .member("budget_bytes", frame.budget_bytes)
        .member("stalled_ppm", frame.stalled_ppm)
        .member("no_pressure", frame.no_pressure)
        .key("ages")
        .begin_array();
    for (const age_row& row : rows_of(frame.ages)) {
        json.begin_object()
            .member("from", std::uint64_t{row.first})
            .member("to", std::uint64_t{row.last})
            .member("pages", row.pages)
            .end_object();
    }
    std::string line;
    bool is_indented = false;
    for (const char c : json.end_array().end_object().text()) { // within strings there are no newlines
        is_indented = c == '\n' || (is_indented && c == ' ');
        if (!is_indented) {
            line += c;
        }
    }
    return line + "\n";
}

} // namespace page_report
