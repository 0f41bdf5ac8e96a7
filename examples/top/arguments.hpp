// SPDX-License-Identifier: MIT
#pragma once

#include "view.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace top {

enum class output : std::uint8_t { display, json, prometheus, host };

struct arguments {
    std::string path;
    bool is_demo = false;
    output as = output::display;
    std::size_t count = 0; ///< frames; 0: until it is told to end, or nobody publishes any more
    std::size_t interval_ms = 1000;
    sort_key sort = sort_key::memory;
    bool is_help = false;
};

/// Throws failure for what makes no sense.
[[nodiscard]] arguments parse(int count, char** values);
[[nodiscard]] const char* help_text() noexcept;

} // namespace top
