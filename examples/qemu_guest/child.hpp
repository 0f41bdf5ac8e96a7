// SPDX-License-Identifier: MIT
#pragma once

#include <support/interruption.hpp>

#include <csignal>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace qemu_guest {

using examples::note_interruptions;
using examples::was_interrupted;

/// A program that runs beside this one, with its output and errors in one pipe. It does not outlive this object, nor, whatever
/// happens to it, this process: the kernel kills it then.
class child {
public:
    /// `settings`: NAME=VALUE for its environment, besides this process's. Throws failure.
    child(const std::vector<std::string>& command, const std::vector<std::string>& settings = {});
    child(child&& other) noexcept;
    child& operator=(child&&) = delete;
    ~child();

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    /// −1 when all output was read.
    [[nodiscard]] int output() const noexcept { return output_; }
    [[nodiscard]] bool has_ended() const noexcept { return output_ < 0; }
    /// Reads what is there.
    void read_output();
    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    void send(int signal) const noexcept;

private:
    pid_t pid_ = -1;
    int output_ = -1;
    std::string text_;
};

/// The last line of a text that has `part` in it, without its end; empty where none has.
[[nodiscard]] std::string line_with(const std::string& text, const std::string& part);
/// The number behind `name=` in a line; −1 where there is none.
[[nodiscard]] double figure(const std::string& line, const std::string& name);

} // namespace qemu_guest
