// SPDX-License-Identifier: MIT
#include "text.hpp"

#include "support/json_writer.hpp"

#include <algorithm>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace page_report {
namespace {

std::size_t terminal_columns() {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    const char* columns = std::getenv("COLUMNS");
    const long given = columns == nullptr ? 0 : std::strtol(columns, nullptr, 10);
    return given > 0 ? static_cast<std::size_t>(given) : 80;
}

bool begins_character(char c) noexcept { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

/// The bytes of the first `count` characters.
std::size_t bytes_of_first(std::string_view text, std::size_t count) noexcept {
    std::size_t at = 0;
    for (; at < text.size(); ++at) {
        if (begins_character(text[at]) && count-- == 0) {
            break;
        }
    }
    return at;
}

std::string_view first(std::string_view text, std::size_t count) { return text.substr(0, bytes_of_first(text, count)); }
std::string_view last(std::string_view text, std::size_t count) {
    return text.substr(bytes_of_first(text, width(text) - count));
}

} // namespace

display find_display() {
    std::setlocale(LC_CTYPE, "");
    return {std::clamp<std::size_t>(terminal_columns(), 60, 200), std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0};
}

std::size_t width(std::string_view text) noexcept {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::string printable(std::string_view text, bool has_utf8) {
    std::string out;
    while (!text.empty()) {
        const std::size_t length = pagefold::support::utf8_length(text);
        const auto byte = static_cast<unsigned char>(text.front());
        const bool is_control = byte < 0x20 || byte == 0x7f || (byte == 0xc2 && length == 2 && text[1] < '\xa0');
        if (length == 0 || is_control || (length > 1 && !has_utf8)) {
            out += '?';
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

std::string shorten(std::string_view text, std::size_t columns, bool has_utf8) {
    if (width(text) <= columns) {
        return std::string(text);
    }
    const std::string gap = has_utf8 ? "\u2026" : "..";
    const std::size_t room = columns - width(gap);
    const std::size_t bracket = text.find_last_of('[');
    if (text.back() == ']' && bracket != std::string_view::npos && text.size() - bracket < room) {
        const std::string_view id = text.substr(bracket);
        return std::string(first(text, room - width(id))).append(gap).append(id);
    }
    return std::string(first(text, room / 3)).append(gap).append(last(text, room - room / 3));
}

std::string human_bytes(std::uint64_t bytes) {
    constexpr std::string_view units = "BKMGTPE";
    std::size_t unit = 0;
    auto value = static_cast<double>(bytes);
    for (; value >= 1023.5; value /= 1024) {
        ++unit;
    }
    const std::string tenths = fixed(value, 1);
    const bool is_whole = tenths.ends_with(".0") || value >= 99.95;
    return (is_whole ? fixed(value, 0) : tenths) + units[unit];
}

std::string human_microseconds(double microseconds, int digits) {
    int decimals = digits - 1;
    double half_unit = 0.5; // of the last decimal: 9.97 is written 10, not 10.0
    for (int i = 0; i < decimals; ++i) {
        half_unit /= 10;
    }
    for (double limit = 10; decimals > 0 && microseconds >= limit - half_unit; limit *= 10) {
        --decimals;
        half_unit *= 10;
    }
    return fixed(microseconds, decimals);
}

std::string fixed(double number, int decimals) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%.*f", decimals, number);
    return buffer;
}

std::string grouped(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t at = digits.size(); at > 3; at -= 3) {
        digits.insert(at - 3, 1, ',');
    }
    return digits;
}

} // namespace page_report
