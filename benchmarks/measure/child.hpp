// SPDX-License-Identifier: MIT
#pragma once

#include "figures.hpp"
#include "interruption.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace pagefold::measure {

namespace detail {

inline void write_figures(std::FILE* to, const figures& from) {
    from.for_each([to](figures::kind kind, const std::string& key, double value) {
        std::fprintf(to, "%d %s %.17g\n", static_cast<int>(kind), key.c_str(), value);
    });
}

/// What the child wrote; an error that ended it is thrown again.
inline void read_figures(std::FILE* from, figures& into) {
    char line[512];
    while (std::fgets(line, sizeof line, from) != nullptr) {
        const std::string_view text = line;
        if (text.starts_with('!')) {
            throw std::runtime_error(std::string(text.substr(1, text.size() - 2)));
        }
        int kind = 0;
        char key[256];
        double value = 0;
        if (std::sscanf(line, "%d %255s %lf", &kind, key, &value) != 3) {
            throw std::runtime_error("a child process wrote what is no figure");
        }
        into.add(static_cast<figures::kind>(kind), key, value);
    }
}

} // namespace detail

/// Runs `work(figures&)` in a process of its own and takes over the figures that it adds: for what leaves the heap of a
/// process in disorder, and for whatever is told by how much a process grows. False when the process was killed, as the
/// system does where memory is short. To be called while there is one thread.
template <class Work>
[[nodiscard]] bool run_in_child(figures& out, Work work) {
    int ends[2];
    if (pipe(ends) != 0) {
        throw std::runtime_error("no pipe");
    }
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child < 0) {
        throw std::runtime_error("no process");
    }
    if (child == 0) {
        close(ends[0]);
        std::FILE* const to = fdopen(ends[1], "w");
        try {
            figures found;
            work(found);
            detail::write_figures(to, found);
        } catch (const std::exception& error) {
            std::fprintf(to, "!%s\n", error.what());
        }
        std::fclose(to);
        _exit(0);
    }
    close(ends[1]);
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> from{fdopen(ends[0], "r"), std::fclose};
    figures found;
    std::exception_ptr failed;
    try {
        detail::read_figures(from.get(), found);
    } catch (...) {
        failed = std::current_exception();
    }
    int how = 0;
    while (waitpid(child, &how, 0) < 0 && errno == EINTR) {
    }
    end_if_interrupted();
    if (failed) {
        std::rethrow_exception(failed);
    }
    if (!WIFEXITED(how)) {
        return false;
    }
    found.for_each([&](figures::kind kind, const std::string& key, double value) { out.add(kind, key, value); });
    return true;
}

} // namespace pagefold::measure
