// SPDX-License-Identifier: MIT
#include "kernel_run.hpp"

#include <support/kernel_swap.hpp>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace paged_process {
namespace {

/// In the child: the exit status says what went wrong.
int work_in_group(const arguments& given, const pagefold::support::memory_cgroup& group, int out) {
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
    return write(out, &result, sizeof result) == static_cast<ssize_t>(sizeof result) ? 0 : 2;
}

} // namespace

run_result run_swapped(const arguments& given, const std::string& swapfile) {
    using namespace pagefold::support;
    const std::size_t pages = given.bytes / 4096 + 1024;
    const kernel_swap swap = swapfile.empty() ? kernel_swap::on_zram(pages) : kernel_swap::on_file(swapfile, pages);
    if (!swap) {
        throw unavailable(swap.error());
    }
    const memory_cgroup group = memory_cgroup::create("paged_process." + std::to_string(getpid()));
    if (!group) {
        throw unavailable(group.error());
    }
    int ends[2];
    if (pipe(ends) != 0) {
        throw failure(std::string("no pipe: ") + std::strerror(errno));
    }
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        _exit(work_in_group(given, group, ends[1]));
    }
    close(ends[1]);
    run_result result;
    ssize_t got = 0;
    do {
        got = child < 0 ? 0 : read(ends[0], &result, sizeof result);
        if (got < 0 && was_interrupted != 0) {
            kill(child, SIGTERM);
        }
    } while (got < 0 && errno == EINTR);
    close(ends[0]);
    if (swap.device()) {
        result.stored_bytes = swap.device()->statistics().mem_used_total;
    }
    int how = 0;
    while (child > 0 && waitpid(child, &how, 0) < 0 && errno == EINTR) {
    }
    if (got != static_cast<ssize_t>(sizeof result)) {
        throw unavailable("the swapped process did not end well: " +
                          (WIFSIGNALED(how) ? "signal " + std::to_string(WTERMSIG(how))
                                            : "status " + std::to_string(WEXITSTATUS(how))));
    }
    return result;
}

} // namespace paged_process
