// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace pagefold::support {

/// Length of the UTF-8 sequence that `text` begins with, 0 when it is none.
[[nodiscard]] inline std::size_t utf8_length(std::string_view text) noexcept {
    const auto byte_at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    if (text.empty()) {
        return 0;
    }
    const unsigned char first = byte_at(0);
    if (first < 0x80) {
        return 1;
    }
    const std::size_t length = first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : 4;
    if (first < 0xc2 || first > 0xf4 || text.size() < length) {
        return 0;
    }
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte_at(i) & 0xc0) != 0x80) {
            return 0;
        }
    }
    // Overlong forms, surrogates, and what is beyond U+10FFFF.
    const unsigned char second = byte_at(1);
    const bool is_bad = (first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0) ||
                        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90);
    return is_bad ? 0 : length;
}

/// Builds one JSON text, commas and indentation included; nesting is the caller's to balance. Bytes that are no UTF-8
/// (a process may be called anything) become U+FFFD.
class json_writer {
public:
    json_writer& begin_object() { return open('{'); }
    json_writer& end_object() { return close('}'); }
    json_writer& begin_array() { return open('['); }
    json_writer& end_array() { return close(']'); }

    json_writer& key(std::string_view name) {
        separate();
        append_string(name);
        text_ += ": ";
        after_key_ = true;
        return *this;
    }

    json_writer& value(std::string_view text) {
        separate();
        append_string(text);
        return *this;
    }
    json_writer& value(const char* text) { return value(std::string_view{text}); }
    json_writer& value(bool is) { return append(is ? "true" : "false"); }
    json_writer& null() { return append("null"); }
    json_writer& value(std::integral auto number) { return append(std::to_string(number)); }
    /// With `digits` behind the point; what is not finite becomes null.
    json_writer& value(double number, int digits = 3) {
        if (!(number - number == 0)) {
            return append("null");
        }
        char buffer[64];
        std::snprintf(buffer, sizeof buffer, "%.*f", digits, number);
        return append(buffer);
    }

    template <class T>
    json_writer& member(std::string_view name, const T& what) {
        return key(name).value(what);
    }
    json_writer& member(std::string_view name, double number, int digits) { return key(name).value(number, digits); }

    /// The text so far.
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    json_writer& open(char bracket) {
        separate();
        text_ += bracket;
        ++depth_;
        is_first_ = true;
        return *this;
    }

    json_writer& close(char bracket) {
        --depth_;
        if (!is_first_) {
            new_line();
        }
        text_ += bracket;
        is_first_ = false;
        return *this;
    }

    json_writer& append(std::string_view token) {
        separate();
        text_ += token;
        return *this;
    }

    /// What stands between the last token and the next.
    void separate() {
        if (after_key_) {
            after_key_ = false;
            return;
        }
        if (!is_first_) {
            text_ += ',';
        }
        if (depth_ > 0) {
            new_line();
        }
        is_first_ = false;
    }

    void new_line() {
        text_ += '\n';
        text_.append(2 * depth_, ' ');
    }

    void append_string(std::string_view from) {
        text_ += '"';
        while (!from.empty()) {
            const std::size_t length = utf8_length(from);
            const auto first = static_cast<unsigned char>(from.front());
            if (length == 0) {
                text_ += "\xef\xbf\xbd";
            } else if (first == '"' || first == '\\') {
                text_ += '\\';
                text_ += from.front();
            } else if (first < 0x20) {
                char buffer[8];
                std::snprintf(buffer, sizeof buffer, "\\u%04x", first);
                text_ += buffer;
            } else {
                text_ += from.substr(0, length);
            }
            from.remove_prefix(length == 0 ? 1 : length);
        }
        text_ += '"';
    }

    std::string text_;
    std::size_t depth_ = 0;
    bool is_first_ = true;
    bool after_key_ = false;
};

} // namespace pagefold::support
