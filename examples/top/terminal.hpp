// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <termios.h>
#include <vector>

namespace top {

/// The terminal on standard input and output, for as long as this lives: without echo and line by line, on its other screen, as a
/// pager has it. Plain ANSI sequences.
class terminal {
public:
    /// Whether there is one on both.
    [[nodiscard]] static bool is_there() noexcept;

    terminal();
    ~terminal();
    terminal(const terminal&) = delete;
    terminal& operator=(const terminal&) = delete;

    struct extent {
        std::size_t columns = 80, lines = 24;
    };
    /// As it is now: it may have been resized.
    [[nodiscard]] extent size() const noexcept;
    void show(const std::vector<std::string>& lines);
    /// A key, or 0 where none was struck for so long, the terminal was resized or a signal came. The arrows left and right
    /// are '<' and '>'; 'q' where nothing can come any more.
    [[nodiscard]] char key(unsigned milliseconds);

private:
    ::termios before_{};
};

} // namespace top
