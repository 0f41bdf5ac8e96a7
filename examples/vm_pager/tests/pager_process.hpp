// SPDX-License-Identifier: MIT
#pragma once

#include "../unique_fd.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace vm_pager::testing {

/// Ends a scenario: something was not as it must be.
struct mistake : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline void expect(bool holds, const std::string& what) {
    if (!holds) {
        throw mistake(what);
    }
}

/// A folder for a socket and files, gone with everything in it afterwards.
class scratch_folder {
public:
    scratch_folder() {
        char name[] = "/tmp/vm_pager.XXXXXX";
        expect(mkdtemp(name) != nullptr, "no scratch folder");
        path_ = name;
    }
    ~scratch_folder() { std::system(("rm -rf " + path_).c_str()); }
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;

    [[nodiscard]] std::string file(const char* name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

/// What every vm_pager is told besides.
inline std::vector<std::string> more_arguments;

/// A vm_pager whose output is read line by line, and shown if asked. Killed where a scenario does not end it.
class pager_process {
public:
    static constexpr const char* served = "listening on ";

    /// Waits for the line that it begins with. Another one than its usual one is for what it says before or instead; errors
    /// are among its lines then.
    pager_process(const char* program, const std::string& socket, std::vector<std::string> arguments = {},
                  bool is_shown = true, const std::string& first_line = served)
        : socket_{socket}, is_shown_{is_shown} {
        int ends[2];
        expect(pipe(ends) == 0, "no pipe");
        arguments.insert(arguments.begin(), {program, "--socket", socket});
        arguments.insert(arguments.end(), more_arguments.begin(), more_arguments.end());
        std::vector<char*> values;
        for (std::string& argument : arguments) {
            values.push_back(argument.data());
        }
        values.push_back(nullptr);
        pid_ = fork();
        if (pid_ == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            dup2(ends[1], STDOUT_FILENO);
            if (first_line != served) {
                dup2(ends[1], STDERR_FILENO);
            }
            close(ends[0]);
            close(ends[1]);
            execv(program, values.data());
            _exit(127);
        }
        close(ends[1]);
        output_ = unique_fd{ends[0]};
        wait_for(first_line);
    }
    ~pager_process() {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
    }
    pager_process(const pager_process&) = delete;
    pager_process& operator=(const pager_process&) = delete;

    [[nodiscard]] const std::string& socket() const noexcept { return socket_; }
    [[nodiscard]] pid_t process() const noexcept { return pid_; }

    /// The next line that has `text` in it; others are passed over.
    std::string wait_for(const std::string& text, int seconds = 20) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{seconds};
        for (std::string line; read_line(line, until);) {
            if (is_shown_) {
                std::printf("    %s\n", line.c_str());
            }
            if (line.find(text) != std::string::npos) {
                return line;
            }
        }
        throw mistake("vm_pager did not say '" + text + "'");
    }
    void send(int signal) const { kill(pid_, signal); }
    /// Waits for its end; the exit status, or −1 for another end.
    int wait_for_end() {
        int status = 0;
        waitpid(pid_, &status, 0);
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

private:
    bool read_line(std::string& line, std::chrono::steady_clock::time_point until) {
        for (;;) {
            if (const auto end = text_.find('\n'); end != std::string::npos) {
                line = text_.substr(0, end);
                text_.erase(0, end + 1);
                return true;
            }
            const auto left = until - std::chrono::steady_clock::now();
            pollfd wanted{output_.get(), POLLIN, 0};
            const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
            char bytes[512];
            if (ms <= 0 || poll(&wanted, 1, static_cast<int>(ms)) <= 0) {
                return false;
            }
            const ssize_t got = read(output_.get(), bytes, sizeof bytes);
            if (got <= 0) {
                return false;
            }
            text_.append(bytes, static_cast<std::size_t>(got));
        }
    }

    std::string socket_;
    bool is_shown_;
    pid_t pid_ = -1;
    unique_fd output_;
    std::string text_;
};

/// The number behind `name=` in a line.
[[nodiscard]] inline long long figure(const std::string& line, const std::string& name) {
    const auto at = line.find(name + "=");
    expect(at != std::string::npos, "no " + name + " in: " + line);
    return std::atoll(line.c_str() + at + name.size() + 1);
}

} // namespace vm_pager::testing
