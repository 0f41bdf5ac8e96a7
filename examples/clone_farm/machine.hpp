// SPDX-License-Identifier: MIT
#pragma once

#include "../qemu_guest/child.hpp"
#include "../vm_pager/unique_fd.hpp"
#include "arguments.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace clone_farm {

using qemu_guest::child;
using qemu_guest::figure;
using qemu_guest::line_with;
using vm_pager::unique_fd;
using steady = std::chrono::steady_clock;

[[nodiscard]] inline double seconds_since(steady::time_point start) {
    return std::chrono::duration<double>(steady::now() - start).count();
}

/// Reads what a program says until a line from `from` on has `part` in it; that line, and `from` is behind it then. Throws failure
/// where the program ends before, or `most` seconds pass, and interrupted.
[[nodiscard]] std::string await_line(child& program, std::size_t& from, const std::string& part, unsigned most);

/// A QEMU with a serial line and a monitor (QMP) to talk to.
class machine {
public:
    /// `memory` is the -object that is the guest's memory, with the id `ram`; `more` are further arguments. Throws failure, and
    /// unavailable where there is no QEMU.
    machine(const arguments& given, const std::string& folder, const std::string& name, const std::string& memory,
            const std::vector<std::string>& more = {}, const std::vector<std::string>& settings = {});

    [[nodiscard]] pid_t pid() const noexcept { return qemu_.pid(); }
    /// Says a line to the guest.
    void say(const std::string& line) const;
    /// The guest's next line with `part` in it.
    [[nodiscard]] std::string hear(const std::string& part);
    [[nodiscard]] std::string ask(const std::string& line, const std::string& part) {
        say(line);
        return hear(part);
    }
    /// Gives the monitor a command with arguments as JSON; its answer.
    std::string command(const std::string& name, const std::string& values = "");
    /// Gives a command until the answer has `part` in it.
    std::string command_until(const std::string& name, const std::string& part);
    /// Waits until the process is gone.
    void quit();

private:
    [[nodiscard]] unique_fd connect(const std::string& path);
    [[nodiscard]] std::string next_line(int fd, std::string& text, const std::string& part);
    void look_after();

    unsigned seconds_;
    std::string name_;
    child qemu_;
    unique_fd monitor_;
    unique_fd serial_;
    std::string from_monitor_;
    std::string from_guest_;
};

} // namespace clone_farm
