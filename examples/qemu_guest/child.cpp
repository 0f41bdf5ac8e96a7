// SPDX-License-Identifier: MIT
#include "child.hpp"

#include "arguments.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace qemu_guest {

child::child(const std::vector<std::string>& command, const std::vector<std::string>& settings) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        throw failure(std::string("no pipe: ") + std::strerror(errno));
    }
    std::vector<char*> values;
    for (const std::string& word : command) {
        values.push_back(const_cast<char*>(word.c_str()));
    }
    values.push_back(nullptr);
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setpgid(0, 0); // Ctrl-C is for the parent, which ends the others in their order
        dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        for (const std::string& setting : settings) {
            putenv(const_cast<char*>(setting.c_str()));
        }
        if (getppid() == parent) {
            execvp(values[0], values.data());
        }
        _exit(127);
    }
    close(ends[1]);
    output_ = ends[0];
    fcntl(output_, F_SETFL, O_NONBLOCK);
    if (pid_ < 0) {
        close(output_);
        throw failure(std::string("no process: ") + std::strerror(errno));
    }
}
child::child(child&& other) noexcept
    : pid_{std::exchange(other.pid_, -1)}, output_{std::exchange(other.output_, -1)}, text_{std::move(other.text_)} {}
child::~child() {
    if (pid_ > 0) {
        kill(pid_, SIGKILL);
        while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    if (output_ >= 0) {
        close(output_);
    }
}

void child::read_output() {
    char bytes[4096];
    while (output_ >= 0) {
        const ssize_t got = read(output_, bytes, sizeof bytes);
        if (got > 0) {
            text_.append(bytes, static_cast<std::size_t>(got));
        } else if (got == 0) {
            close(std::exchange(output_, -1));
        } else if (errno != EINTR) {
            return;
        }
    }
}
void child::send(int signal) const noexcept { kill(pid_, signal); }

std::string line_with(const std::string& text, const std::string& part) {
    const auto at = text.rfind(part);
    if (at == std::string::npos) {
        return {};
    }
    const auto before = text.rfind('\n', at);
    const auto start = before == std::string::npos ? 0 : before + 1;
    return text.substr(start, text.find_first_of("\r\n", at) - start);
}
double figure(const std::string& line, const std::string& name) {
    const auto at = line.find(name + "=");
    return at == std::string::npos ? -1 : std::atof(line.c_str() + at + name.size() + 1);
}

} // namespace qemu_guest
