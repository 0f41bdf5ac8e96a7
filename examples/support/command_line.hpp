// SPDX-License-Identifier: MIT
#pragma once

#include "failure.hpp"

#include <charconv>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace examples {

/// A program's arguments, one option after the other. Mistakes throw failure.
class command_line {
public:
    command_line(int count, char** values) noexcept : count_{count}, values_{values} {}

    /// Goes to the next option; false where there is none.
    [[nodiscard]] bool next() noexcept {
        if (at_ + 1 < count_) {
            option_ = values_[++at_];
            return true;
        }
        return false;
    }
    [[nodiscard]] std::string_view option() const noexcept { return option_; }
    /// The argument behind the option, which it takes as its value.
    [[nodiscard]] std::string_view value() {
        if (at_ + 1 >= count_) {
            throw failure(std::string(option_) + ": it takes a value (see --help)");
        }
        return values_[++at_];
    }
    /// The value as a whole number from `least` to `most`.
    [[nodiscard]] std::size_t number(std::size_t least, std::size_t most) {
        const std::string_view text = value();
        std::size_t number = 0;
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
        if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || number < least || number > most) {
            throw failure(std::string(option_) + " " + std::string(text) + ": not a number from " +
                          std::to_string(least) + " to " + std::to_string(most));
        }
        return number;
    }
    /// What the value names.
    template <class Choice>
    [[nodiscard]] Choice choice(std::initializer_list<std::pair<std::string_view, Choice>> choices) {
        const std::string_view text = value();
        std::string names;
        for (const auto& [name, choice] : choices) {
            if (text == name) {
                return choice;
            }
            names += (names.empty() ? "" : " or ") + std::string(name);
        }
        throw failure(std::string(option_) + " " + std::string(text) + ": not " + names);
    }
    /// The option is none of the program's.
    [[noreturn]] void refuse() const { throw failure(std::string(option_) + ": no such option (see --help)"); }

private:
    int count_;
    char** values_;
    int at_ = 0;
    std::string_view option_;
};

} // namespace examples
