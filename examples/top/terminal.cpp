// SPDX-License-Identifier: MIT
#include "terminal.hpp"

#include <support/interruption.hpp>

#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace top {
namespace {

void write_all(const std::string& text) {
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t written = ::write(STDOUT_FILENO, text.data() + done, text.size() - done);
        if (written < 0 && errno != EINTR) {
            return; // it is gone, which the next key tells
        }
        done += written > 0 ? static_cast<std::size_t>(written) : 0;
    }
}

} // namespace

bool terminal::is_there() noexcept { return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1; }

terminal::terminal() {
    ::tcgetattr(STDIN_FILENO, &before_);
    ::termios raw = before_;
    raw.c_lflag &= ~static_cast<::tcflag_t>(ICANON | ECHO); // ISIG stays: ^C ends the program, and ^Z stops it
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    // A change of size has to end a wait for a key.
    struct ::sigaction note {};
    note.sa_handler = [](int) {};
    ::sigemptyset(&note.sa_mask);
    ::sigaction(SIGWINCH, &note, nullptr);
    write_all("\x1b[?1049h\x1b[?25l");
}

terminal::~terminal() {
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    write_all("\x1b[?25h\x1b[?1049l");
}

terminal::extent terminal::size() const noexcept {
    ::winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
        return {};
    }
    return {size.ws_col, size.ws_row};
}

void terminal::show(const std::vector<std::string>& lines) {
    std::string text = "\x1b[H"; // over what is there, which doesn't flicker
    for (std::size_t i = 0; i < lines.size(); ++i) {
        text += lines[i] + "\x1b[K" + (i + 1 < lines.size() ? "\r\n" : "");
    }
    write_all(text + "\x1b[J");
}

char terminal::key(unsigned milliseconds) {
    ::pollfd input{STDIN_FILENO, POLLIN, 0};
    // In slices: a signal that comes just before a wait does not end it.
    constexpr unsigned slice = 100;
    int ready = 0;
    for (unsigned left = milliseconds; ready == 0 && examples::was_interrupted == 0;) {
        const unsigned now = left < slice ? left : slice;
        ready = ::poll(&input, 1, static_cast<int>(now));
        left -= now;
        if (left == 0) {
            break;
        }
    }
    if (ready <= 0) {
        return 0;
    }
    char keys[16];
    const ssize_t got = ::read(STDIN_FILENO, keys, sizeof keys);
    if (got <= 0) {
        return got < 0 && errno == EINTR ? '\0' : 'q';
    }
    if (keys[0] == '\x1b') {
        return got >= 3 && keys[1] == '[' && keys[2] == 'D'   ? '<'
               : got >= 3 && keys[1] == '[' && keys[2] == 'C' ? '>'
                                                              : '\0';
    }
    return keys[0];
}

} // namespace top
