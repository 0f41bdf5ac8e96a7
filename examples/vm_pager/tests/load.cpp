// SPDX-License-Identifier: MIT

// How many faults a second one vm_pager serves: more and more guests, each a process with threads that read and write
// random pages of a memory of which a share is resident. Every page that is read is compared. Faults and the pager's processor
// time are the kernel's counts while the guests work. Ends with 0, 1 for a mistake, 2 for a wrong argument, 77 where the
// kernel has no userfaultfd.

#include "guest_model.hpp"

#include <support/command_line.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sys/resource.h>
#include <utility>

namespace vm_pager::testing {
namespace {

struct load {
    unsigned guests = 8;
    unsigned least_guests = 1;
    unsigned threads = 2;
    std::size_t pagers = 1; ///< threads of the pager
    std::size_t mib = 32;
    unsigned share = 2; ///< one page in so many is resident
    std::size_t steps = 20'000;
    bool wants_help = false;
};

load parse(int count, char** values) {
    load given;
    examples::command_line line{count, values};
    while (line.next()) {
        const std::string_view option = line.option();
        if (option == "--guests") {
            given.guests = static_cast<unsigned>(line.number(1, 64));
        } else if (option == "--threads") {
            given.threads = static_cast<unsigned>(line.number(1, 64));
        } else if (option == "--from") {
            given.least_guests = static_cast<unsigned>(line.number(1, 64));
        } else if (option == "--pagers") {
            given.pagers = line.number(1, 256);
        } else if (option == "--mib") {
            given.mib = line.number(1, 65536);
        } else if (option == "--share") {
            given.share = static_cast<unsigned>(line.number(1, 64));
        } else if (option == "--steps") {
            given.steps = line.number(1, 1'000'000'000);
        } else if (option == "--help") {
            given.wants_help = true;
        } else {
            line.refuse();
        }
    }
    return given;
}

constexpr const char* help = R"(Usage: vm_pager_load [VM_PAGER] [OPTION]...

How many faults a second one vm_pager (the one beside this program) serves.

  --guests N    most guests; a line for each doubling up to it (default 8)
  --from N      fewest guests (default 1)
  --threads N   of each guest (default 2)
  --pagers N    threads of vm_pager (default 1)
  --mib N       memory of each guest (default 32)
  --share N     one page in N of all memory is resident (default 2)
  --steps N     reads of each thread, one in three with a write (default 20000)
)";

/// What a guest tells of its work.
struct account {
    std::uint64_t faults;
    double seconds;
};

/// Two pipes between a guest and who watches it: one says go, the other brings an account.
struct channel {
    channel() { expect(pipe(go) == 0 && pipe(told) == 0, "no pipe"); }
    ~channel() {
        for (const int end : {go[0], go[1], told[0], told[1]}) {
            close(end);
        }
    }
    channel(const channel&) = delete;
    channel& operator=(const channel&) = delete;

    static void tell(int to, const account& what) {
        expect(write(to, &what, sizeof what) == static_cast<ssize_t>(sizeof what), "a pipe is closed");
    }
    /// Others may hold the pipe's ends, so that only the time tells of a guest that ended early.
    static account hear(int from) {
        pollfd wanted{from, POLLIN, 0};
        account what{};
        expect(poll(&wanted, 1, 100'000) == 1 && read(from, &what, sizeof what) == static_cast<ssize_t>(sizeof what),
               "nothing was heard for 100 s");
        return what;
    }

    int go[2];
    int told[2];
};

/// Of this process: those that the pager serves, first writes among them, count as minor ones.
std::uint64_t faults_so_far() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    return static_cast<std::uint64_t>(used.ru_minflt);
}

/// In a process of its own.
void live(const load& given, const std::string& socket, channel& watcher) {
    monitor vm{{{given.mib << 20}}};
    vm.introduce(socket);
    guest_model model{vm};
    for (std::size_t i = 0; i < vm.pages(); ++i) {
        model.write(i);
    }
    channel::tell(watcher.told[1], {});
    static_cast<void>(channel::hear(watcher.go[0]));
    const std::uint64_t before = faults_so_far();
    const auto start = std::chrono::steady_clock::now();
    model.work(given.threads, given.steps, vm.pages());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    channel::tell(watcher.told[1], {faults_so_far() - before, took.count()});
    static_cast<void>(channel::hear(watcher.go[0])); // so that no guest leaves while others are measured
    model.check_all();
}
pid_t start_guest(const load& given, const std::string& socket, channel& watcher) {
    const pid_t child = fork();
    if (child != 0) {
        return child;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
        live(given, socket, watcher);
    } catch (const mistake& what) {
        std::fprintf(stderr, "MISTAKE: %s\n", what.what());
        _exit(1);
    }
    _exit(0);
}

/// Seconds that the threads of a process had a processor for.
double processor_seconds(pid_t process) {
    double seconds = 0;
    for (const auto& thread : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
        std::uint64_t nanoseconds = 0;
        std::ifstream(thread.path() / "schedstat") >> nanoseconds;
        seconds += static_cast<double>(nanoseconds) * 1e-9;
    }
    return seconds;
}

void measure(const char* program, const load& given, unsigned guests) {
    const scratch_folder folder;
    const std::string resident = std::to_string((guests * given.mib << 10) / given.share) + "K";
    pager_process pager{
        program,
        folder.file("socket"),
        {"--resident", resident, "--guests", std::to_string(guests), "--threads", std::to_string(given.pagers)},
        false};
    std::vector<channel> watched(guests);
    std::vector<pid_t> processes;
    for (channel& c : watched) {
        processes.push_back(start_guest(given, pager.socket(), c));
        static_cast<void>(channel::hear(c.told[0]));
    }
    const double before = processor_seconds(pager.process());
    for (channel& c : watched) {
        channel::tell(c.go[1], {});
    }
    double faults = 0, seconds = 0;
    for (channel& c : watched) {
        const account of_guest = channel::hear(c.told[0]);
        faults += static_cast<double>(of_guest.faults);
        seconds = std::max(seconds, of_guest.seconds);
    }
    const double busy = processor_seconds(pager.process()) - before;
    for (channel& c : watched) {
        channel::tell(c.go[1], {});
    }
    for (const pid_t process : processes) {
        int status = 0;
        expect(waitpid(process, &status, 0) == process && status == 0, "a guest did not end well");
    }
    for (unsigned i = 0; i < guests; ++i) {
        expect(figure(pager.wait_for("left: "), "lost") == 0, "pages were lost");
    }
    expect(figure(pager.wait_for("so far: "), "whole") == 1, "the pager's books are wrong");
    expect(pager.wait_for_end() == 0, "vm_pager's status");
    std::printf("%6u  %7u  %9.0f  %10.0f  %14.0f%%  %9.1f\n", guests, guests * given.threads, faults, faults / seconds,
                100 * busy / seconds, busy / faults * 1e6);
}

int run(int count, char** values) {
    const int named = count > 1 && values[1][0] != '-' ? 1 : 0;
    const std::string program =
        named != 0 ? values[1] : std::filesystem::read_symlink("/proc/self/exe").replace_filename("vm_pager").string();
    const load given = parse(count - named, values + named);
    if (given.wants_help) {
        std::fputs(help, stdout);
        return 0;
    }
    if (lacks_uffd()) {
        return 77;
    }
    std::signal(SIGPIPE, SIG_IGN);
    std::printf("%zu MiB a guest, one page in %u resident\n\n", given.mib, given.share);
    std::printf("GUESTS  THREADS     FAULTS    FAULTS/s  PAGER'S PROCESSOR  us/FAULT\n");
    for (unsigned guests = given.least_guests; guests <= given.guests; guests *= 2) {
        measure(program.c_str(), given, guests);
        std::fflush(stdout);
    }
    return 0;
}

} // namespace
} // namespace vm_pager::testing

int main(int count, char** values) {
    try {
        return vm_pager::testing::run(count, values);
    } catch (const vm_pager::testing::mistake& what) {
        std::printf("MISTAKE: %s\n", what.what());
        return 1;
    } catch (const examples::failure& what) {
        std::fprintf(stderr, "vm_pager_load: %s\n", what.what());
        return 2;
    }
}
