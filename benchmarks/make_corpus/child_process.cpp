// SPDX-License-Identifier: MIT
#include "child_process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace pagefold::corpus {
namespace {

using steady = std::chrono::steady_clock;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

// Between fork and exec: only calls that are safe there.
[[noreturn]] void become(char* const* arguments, const char* directory, int input, int output) {
    static char python_seed[] = "PYTHONHASHSEED=0";
    static char perl_seed[] = "PERL_HASH_SEED=0";
    static char* environment[] = {python_seed, perl_seed, nullptr};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    personality(ADDR_NO_RANDOMIZE);
    if (dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 && chdir(directory) == 0) {
        execve(arguments[0], arguments, environment);
    }
    _exit(127);
}

} // namespace

child_process::child_process(const std::vector<std::string>& arguments, const std::filesystem::path& directory) {
    std::vector<char*> pointers;
    for (const std::string& argument : arguments) {
        pointers.push_back(const_cast<char*>(argument.c_str()));
    }
    pointers.push_back(nullptr);

    std::array<int, 2> to_child{};
    std::array<int, 2> from_child{};
    if (pipe2(to_child.data(), O_CLOEXEC) != 0 || pipe2(from_child.data(), O_CLOEXEC) != 0) {
        fail("pipe2");
    }
    signal(SIGPIPE, SIG_IGN);
    id_ = fork();
    if (id_ < 0) {
        fail("fork");
    }
    if (id_ == 0) {
        become(pointers.data(), directory.c_str(), to_child[0], from_child[1]);
    }
    close(to_child[0]);
    close(from_child[1]);
    input_ = to_child[1];
    output_ = from_child[0];
}

child_process::~child_process() {
    close_input();
    close(output_);
    if (!ended_) {
        kill(id_, SIGKILL);
        waitpid(id_, nullptr, 0);
    }
}

bool child_process::has_ended() {
    if (!ended_) {
        ended_ = waitpid(id_, &exit_status_, WNOHANG) == id_;
    }
    return ended_;
}

bool child_process::send(std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = write(input_, text.data(), text.size());
        if (written < 0) {
            return false;
        }
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

void child_process::close_input() noexcept {
    if (input_ >= 0) {
        close(input_);
        input_ = -1;
    }
}

bool child_process::wait_for_line(std::string_view line, std::chrono::seconds timeout) {
    const auto end = steady::now() + timeout;
    std::string seen = "\n";
    const std::string wanted = "\n" + std::string(line) + "\n";
    while (steady::now() < end) {
        pollfd waiting{output_, POLLIN, 0};
        if (poll(&waiting, 1, 100) <= 0) {
            continue;
        }
        std::array<char, 4096> buffer;
        const ssize_t count = read(output_, buffer.data(), buffer.size());
        if (count <= 0) {
            return false;
        }
        seen.append(buffer.data(), static_cast<std::size_t>(count));
        if (seen.find(wanted) != std::string::npos) {
            return true;
        }
    }
    return false;
}

bool child_process::wait_for_memory(std::size_t bytes, std::chrono::seconds timeout) {
    const auto end = steady::now() + timeout;
    while (steady::now() < end && !has_ended()) {
        std::ifstream statm("/proc/" + std::to_string(id_) + "/statm");
        std::size_t size = 0;
        std::size_t resident = 0;
        std::size_t shared = 0;
        statm >> size >> resident >> shared;
        if ((resident - shared) * 4096 >= bytes) {
            return true;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
}

bool child_process::wait_for_exit(std::chrono::seconds timeout) {
    const auto end = steady::now() + timeout;
    while (steady::now() < end && !has_ended()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return ended_ && WIFEXITED(exit_status_) && WEXITSTATUS(exit_status_) == 0;
}

bool child_process::stop() {
    int status = 0;
    if (has_ended() || kill(id_, SIGSTOP) != 0 || waitpid(id_, &status, WUNTRACED) != id_) {
        return false;
    }
    ended_ = !WIFSTOPPED(status);
    return !ended_;
}

} // namespace pagefold::corpus
