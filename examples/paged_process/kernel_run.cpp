// SPDX-License-Identifier: MIT
#include "kernel_run.hpp"

#include <support/kernel_swap.hpp>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace paged_process {
namespace {

/// Two ends of a pipe.
struct channel {
    channel() {
        if (pipe(ends) != 0) {
            throw failure(std::string("no pipe: ") + std::strerror(errno));
        }
    }
    ~channel() {
        close_end(0);
        close_end(1);
    }
    channel(const channel&) = delete;
    channel& operator=(const channel&) = delete;
    void close_end(int which) {
        if (ends[which] >= 0) {
            close(ends[which]);
        }
        ends[which] = -1;
    }

    int ends[2] = {-1, -1};
};

/// In the child: the exit status says what went wrong. Its memory stays until the parent has looked at it and lets it go.
int work_in_group(const arguments& given, const pagefold::support::memory_cgroup& group, channel& results,
                  channel& leave) {
    results.close_end(0);
    leave.close_end(1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!group.enter() || !group.set_limit(group.usage() + given.bytes / 2)) {
        return 2;
    }
    void* const memory =
        mmap(nullptr, given.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return 2;
    }
    madvise(memory, given.bytes, MADV_NOHUGEPAGE);
    run_result result;
    // What the checks need is charged to the group as well: the row's counters, 4 bytes for every 136 of the table.
    order_table table{static_cast<std::byte*>(memory), given.bytes};
    static_cast<void>(group.set_limit(group.usage() + given.bytes / 2));
    work_on(table, given.seconds, result, [](double) {});
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    result.faults = static_cast<std::uint64_t>(used.ru_majflt);
    result.resident_bytes = group.usage();
    char nothing = 0;
    const bool is_told = write(results.ends[1], &result, sizeof result) == static_cast<ssize_t>(sizeof result);
    while (is_told && read(leave.ends[0], &nothing, 1) < 0 && errno == EINTR) {
    }
    return is_told ? 0 : 2;
}

/// Waits for the child's result. An interruption is passed on, so that it comes soon. False where there is none.
bool receive(pid_t child, int from, run_result& out) {
    bool was_told = false;
    for (;;) {
        pollfd wanted{from, POLLIN, 0};
        const int ready = poll(&wanted, 1, 100);
        if (was_interrupted != 0 && !was_told) {
            kill(child, SIGTERM);
            was_told = true;
        }
        if (ready > 0) {
            return read(from, &out, sizeof out) == static_cast<ssize_t>(sizeof out);
        }
    }
}

/// What a child came to.
struct ending {
    std::optional<run_result> result; ///< none: see how
    int how = 0;                      ///< as waitpid tells it

    [[nodiscard]] bool was_killed() const { return !result && WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL; }
    [[nodiscard]] std::string description() const {
        return WIFSIGNALED(how) ? "signal " + std::to_string(WTERMSIG(how))
                                : "status " + std::to_string(WEXITSTATUS(how));
    }
};

ending run_in_group(const arguments& given, const pagefold::support::kernel_swap& swap,
                    const pagefold::support::memory_cgroup& group) {
    channel results, leave;
    const pid_t child = fork();
    if (child < 0) {
        throw failure(std::string("no process: ") + std::strerror(errno));
    }
    if (child == 0) {
        _exit(work_in_group(given, group, results, leave));
    }
    results.close_end(1);
    leave.close_end(0);
    ending out;
    run_result result;
    if (receive(child, results.ends[0], result)) {
        if (swap.device()) {
            result.stored_bytes = swap.device()->statistics().mem_used_total;
        }
        out.result = result;
    }
    leave.close_end(1);
    while (waitpid(child, &out.how, 0) < 0 && errno == EINTR) {
    }
    return out;
}

} // namespace

run_result run_swapped(const arguments& given, const std::string& swapfile) {
    using namespace pagefold::support;
    // On a busy machine the kernel (6.18, cgroup version 1) now and then finds nothing to swap out and ends the process, with
    // half of the swap free: that is no answer to how fast it swaps.
    constexpr unsigned most_attempts = 5;
    const std::size_t pages = given.bytes / 4096 + 1024;
    const kernel_swap swap = swapfile.empty() ? kernel_swap::on_zram(pages) : kernel_swap::on_file(swapfile, pages);
    if (!swap) {
        throw unavailable(swap.error());
    }
    const memory_cgroup group = memory_cgroup::create("paged_process." + std::to_string(getpid()));
    if (!group) {
        throw unavailable(group.error());
    }
    ending last = run_in_group(given, swap, group);
    for (unsigned attempt = 1; last.was_killed() && was_interrupted == 0 && attempt < most_attempts; ++attempt) {
        last = run_in_group(given, swap, group);
    }
    if (!last.result) {
        throw unavailable("the swapped process did not end well: " + last.description());
    }
    return *last.result;
}

} // namespace paged_process
