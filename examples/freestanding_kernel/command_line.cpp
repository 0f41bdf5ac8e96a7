// SPDX-License-Identifier: MIT
#include "command_line.hpp"

namespace kernel {
namespace {

[[nodiscard]] bool are_equal(const char* a, const char* b) noexcept {
    while (*a != '\0' && *a == *b) {
        ++a;
        ++b;
    }
    return *a == *b;
}

} // namespace

plant parse_command_line(const char* line) noexcept {
    if (line == nullptr || *line == '\0') {
        return plant::none;
    }
    return are_equal(line, "plant=stream")      ? plant::stream
           : are_equal(line, "plant=page")      ? plant::page
           : are_equal(line, "plant=assertion") ? plant::assertion
           : are_equal(line, "plant=wild")      ? plant::wild
                                                : plant::unknown;
}

} // namespace kernel
