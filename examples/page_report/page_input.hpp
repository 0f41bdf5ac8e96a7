// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace page_report {

inline constexpr std::size_t page_bytes = 4096;

/// Where the pages of one row of the table come from.
class page_input {
public:
    enum class outcome {
        copied,
        page_gone,  ///< this page is no longer there: take another
        input_gone, ///< and neither is the rest
    };

    page_input() = default;
    page_input(const page_input&) = delete;
    page_input& operator=(const page_input&) = delete;
    virtual ~page_input() = default;

    [[nodiscard]] virtual std::string name() const = 0;
    [[nodiscard]] virtual bool is_process() const = 0;
    /// How many pages it had when it was looked at.
    [[nodiscard]] virtual std::uint64_t pages() const = 0;
    /// Copies page `which` of them.
    [[nodiscard]] virtual outcome copy(std::uint64_t which, std::byte* to) = 0;
    /// Where that page lies, for a message.
    [[nodiscard]] virtual std::string describe(std::uint64_t which) const = 0;
    /// Why copy() found the input gone.
    [[nodiscard]] virtual std::string why_gone() const = 0;
    /// A sample takes so many neighbouring pages at a time.
    [[nodiscard]] virtual std::uint64_t run_length() const { return 1; }
};

} // namespace page_report
