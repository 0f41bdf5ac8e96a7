// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace pagefold::inline PAGEFOLD_ABI {

/// What became of a text that was written to a buffer.
struct [[nodiscard]] text_outcome {
    std::size_t bytes = 0; ///< of the whole text, whatever the buffer had room for
    bool is_whole = false; ///< it is in the buffer; else its beginning is, cut anywhere

    [[nodiscard]] explicit operator bool() const noexcept { return is_whole; }
};

/// Writes text to a caller's buffer, and goes on counting where that is full: one call with an empty buffer says how large it
/// must be. Allocates nothing, adds no zero behind. Not thread-safe.
class text_writer {
public:
    explicit text_writer(std::span<char> out) noexcept : out_{out} {}

    void put(char c) noexcept {
        if (bytes_ < out_.size()) {
            out_[bytes_] = c;
        }
        ++bytes_;
    }
    void put(std::string_view text) noexcept {
        for (const char c : text) {
            put(c);
        }
    }
    void put(std::uint64_t number) noexcept {
        char digits[20];
        std::size_t count = 0;
        do {
            digits[count++] = static_cast<char>('0' + number % 10);
            number /= 10;
        } while (number != 0);
        while (count != 0) {
            put(digits[--count]);
        }
    }

    /// A string of JSON (RFC 8259) in its quotation marks. Bytes that are no UTF-8 become U+FFFD each.
    void put_json(std::string_view text) noexcept {
        put('"');
        while (!text.empty()) {
            const char c = text.front();
            if (c == '"' || c == '\\') {
                put('\\');
                put(c);
            } else if (static_cast<unsigned char>(c) < 0x20) {
                constexpr char hex[] = "0123456789abcdef";
                put("\\u00");
                put(hex[static_cast<unsigned char>(c) >> 4]);
                put(hex[c & 15]);
            } else {
                text.remove_prefix(put_character(text));
                continue;
            }
            text.remove_prefix(1);
        }
        put('"');
    }
    /// The value of a label in Prometheus' text format, in its quotation marks. Bytes that are no UTF-8 become U+FFFD each.
    void put_label(std::string_view text) noexcept {
        put('"');
        while (!text.empty()) {
            const char c = text.front();
            if (c == '"' || c == '\\' || c == '\n') {
                put('\\');
                put(c == '\n' ? 'n' : c);
                text.remove_prefix(1);
            } else {
                text.remove_prefix(put_character(text));
            }
        }
        put('"');
    }

    [[nodiscard]] text_outcome outcome() const noexcept { return {bytes_, bytes_ <= out_.size()}; }

private:
    /// Writes the first character; says how many bytes of the text it was.
    std::size_t put_character(std::string_view text) noexcept {
        const std::size_t length = length_of(text);
        put(length != 0 ? text.substr(0, length) : std::string_view{"\xef\xbf\xbd"});
        return length != 0 ? length : 1;
    }
    /// Bytes of the first character, which must be well-formed UTF-8 (Unicode 15, table 3-7); 0 where it is not.
    [[nodiscard]] static std::size_t length_of(std::string_view text) noexcept {
        const auto at = [&](std::size_t i) noexcept {
            return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
        };
        const auto follows = [&](std::size_t i, unsigned least = 0x80, unsigned most = 0xbf) noexcept {
            return at(i) >= least && at(i) <= most;
        };
        const unsigned first = at(0);
        if (first < 0x80) {
            return 1;
        }
        if (first >= 0xc2 && first <= 0xdf) {
            return follows(1) ? 2 : 0;
        }
        if (first >= 0xe0 && first <= 0xef) {
            const unsigned least = first == 0xe0 ? 0xa0 : 0x80, most = first == 0xed ? 0x9f : 0xbf;
            return follows(1, least, most) && follows(2) ? 3 : 0;
        }
        if (first >= 0xf0 && first <= 0xf4) {
            const unsigned least = first == 0xf0 ? 0x90 : 0x80, most = first == 0xf4 ? 0x8f : 0xbf;
            return follows(1, least, most) && follows(2) && follows(3) ? 4 : 0;
        }
        return 0;
    }

    std::span<char> out_;
    std::size_t bytes_ = 0;
};

} // namespace pagefold
