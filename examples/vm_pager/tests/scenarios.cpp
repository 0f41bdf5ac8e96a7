// SPDX-License-Identifier: MIT

// vm_pager_scenarios VM_PAGER NAME: a monitor that talks to a vm_pager, and checks what its guest's memory has. Ends with 0,
// 1 for a mistake, 77 where the kernel has no userfaultfd.

#include "guest_model.hpp"

#include <algorithm>
#include <atomic>
#include <fcntl.h>
#include <functional>
#include <map>
#include <optional>
#include <sys/resource.h>
#include <thread>

namespace vm_pager::testing {
namespace {

/// Ends the one guest of a pager that was told --guests 1, and expects that all went well.
std::string end_of(pager_process& pager, std::optional<monitor>& vm, std::string* guest_line = nullptr) {
    vm.reset(); // closes the socket first; its memory is unmapped, but the process is there
    pager.send(SIGTERM);
    const std::string line = pager.wait_for("left: ");
    expect(figure(line, "lost") == 0, "pages were lost");
    if (guest_line != nullptr) {
        *guest_line = line;
    }
    const std::string sum = pager.wait_for("so far: ");
    expect(figure(sum, "whole") == 1, "the pager's books are wrong");
    return sum;
}

// --- Scenarios ------------------------------------------------------------------------------------------------------------

/// Two regions, four threads, a quarter of the memory.
void regions(const char* program) {
    const scratch_folder folder;
    pager_process pager{program, folder.file("socket"), {"--resident", "4M"}};
    std::optional<monitor> vm{std::in_place, monitor_options{{std::size_t{10} << 20, std::size_t{6} << 20}}};
    vm->introduce(pager);
    guest_model model{*vm};
    model.work(4, 5'000, vm->pages());
    model.check_all();
    std::string guest;
    const std::string sum = end_of(pager, vm, &guest);
    expect(figure(guest, "evicted") > 1000 && figure(guest, "stored") > 1000, "nothing was evicted and came back");
    expect(figure(guest, "clean") > 0 && figure(guest, "writes") > 0, "no page was known to be clean");
    expect(figure(sum, "peak_over") == 0, "the budget was exceeded");
    expect(figure(sum, "peak_resident") <= 4 << 20, "the budget was exceeded");
    expect(pager.wait_for_end() == 0, "vm_pager's status");
}

/// Threads that do nothing but write, to pages that they share, while those are evicted: no write may fall between the
/// reading of a page and its going.
void writers(const char* program) {
    const scratch_folder folder;
    pager_process pager{program, folder.file("socket"), {"--resident", "2M"}};
    std::optional<monitor> vm{std::in_place, monitor_options{{std::size_t{3} << 20}}};
    vm->introduce(pager);
    constexpr unsigned threads = 3;
    std::vector<std::vector<std::uint64_t>> counts(threads, std::vector<std::uint64_t>(vm->pages()));
    const auto counter = [&](std::size_t i, unsigned t) {
        return reinterpret_cast<volatile std::uint64_t*>(vm->at(i)) + 64 * t;
    };
    in_threads(threads, [&](unsigned t) {
        random_numbers random{t + 1u};
        for (unsigned step = 0; step < 1'500'000; ++step) {
            // Mostly a page that is there, so that the threads do not wait most of the time.
            const std::size_t i = random.below(random.below(256) != 0 ? vm->pages() / 4 : vm->pages());
            *counter(i, t) = *counter(i, t) + 1;
            ++counts[t][i];
        }
    });
    for (std::size_t i = 0; i < vm->pages(); ++i) {
        for (unsigned t = 0; t < threads; ++t) {
            expect(*counter(i, t) == counts[t][i], "a write to page " + std::to_string(i) + " was lost");
        }
    }
    std::string guest;
    end_of(pager, vm, &guest);
    expect(figure(guest, "evicted") > 500, "nothing was evicted meanwhile");
}

/// Without a memfd: served, never evicted; a balloon's pages are zeros.
void no_file(const char* program) {
    const scratch_folder folder;
    pager_process pager{program, folder.file("socket"), {"--resident", "4M"}};
    std::optional<monitor> vm{std::in_place, monitor_options{{std::size_t{4} << 20, std::size_t{4} << 20}, false}};
    vm->introduce(pager);
    guest_model model{*vm};
    model.work(4, 2'000, vm->pages());
    for (std::size_t i = 0; i < vm->pages(); i += 3) {
        model.remove(i, MADV_DONTNEED);
    }
    model.check_all();
    std::string guest;
    end_of(pager, vm, &guest);
    expect(figure(guest, "evicted") == 0, "something was evicted");
    expect(figure(guest, "removed") >= 600, "the balloon was not noticed");
}

void write_snapshot(const std::string& path, std::size_t pages) {
    const unique_fd file{open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)};
    std::byte bytes[page];
    for (std::size_t i = 0; i < pages; ++i) {
        write_page(bytes, i, 1'000'000);
        expect(write(file.get(), bytes, page) == static_cast<ssize_t>(page), "the snapshot was not written");
    }
}
bool is_snapshot(const std::byte* bytes, std::size_t i) { return is_page(bytes, i, 1'000'000); }

/// Two guests from one snapshot, one of which can't be evicted: what neither wrote is as the file has it, and was read once.
void snapshot(const char* program) {
    const scratch_folder folder;
    write_snapshot(folder.file("snapshot"), 2048);
    pager_process pager{
        program, folder.file("socket"), {"--resident", "5M", "--snapshot", folder.file("snapshot"), "--guests", "2"}};
    std::optional<monitor> one{std::in_place, monitor_options{{std::size_t{6} << 20, std::size_t{2} << 20}}};
    std::optional<monitor> other{std::in_place, monitor_options{{std::size_t{4} << 20}, false}};
    one->introduce(pager);
    other->introduce(pager);
    guest_model model{*one, is_snapshot}, other_model{*other, is_snapshot};
    model.work(3, 3'000, one->pages());
    other_model.work(2, 1'000, other->pages() / 2);
    model.check_all();
    expect(madvise(one->at(100), 50 * page, MADV_REMOVE) == 0, "madvise failed");
    for (std::size_t i = 100; i < 150; ++i) {
        expect(is_zeros(one->at(i)), "a removed page came back from the snapshot");
    }
    // What the pager gives back includes what was never touched.
    pager.send(SIGTERM);
    expect(pager.wait_for_end() == 0, "vm_pager's status");
    other_model.check_all();
    for (std::size_t i = 150; i < one->pages(); ++i) {
        model.check(i);
    }
    std::string guest = pager.wait_for("left: ");
    expect(figure(guest, "snapshot") > 500 && figure(guest, "clean") > 500, "snapshot pages were not dropped clean");
    const std::string sum = (pager.wait_for("left: "), pager.wait_for("so far: "));
    expect(figure(sum, "from_file") <= 2048 + 64, "pages of the snapshot were read again and again");
    expect(figure(sum, "whole") == 1, "the pager's books are wrong");
}

/// Threads read and write, others give pages back, all the time, with and without evictions.
void removals(const char* program) {
    for (const bool has_file : {true, false}) {
        const scratch_folder folder;
        pager_process pager{program, folder.file("socket"), {"--resident", "3M"}};
        std::optional<monitor> vm{std::in_place,
                                  monitor_options{{std::size_t{4} << 20, std::size_t{4} << 20}, has_file}};
        vm->introduce(pager);
        guest_model model{*vm};
        constexpr unsigned threads = 6;
        in_threads(threads, [&](unsigned t) {
            random_numbers random{t + 1u};
            for (unsigned step = 0; step < 3'000; ++step) {
                const std::size_t i = random.below(vm->pages() / threads) * threads + t;
                model.check(i);
                if (t < threads / 2 && random.below(2) == 0) {
                    model.remove(i, has_file ? MADV_REMOVE : MADV_DONTNEED);
                    model.check(i);
                } else {
                    model.write(i);
                }
            }
        });
        model.check_all();
        std::string guest;
        end_of(pager, vm, &guest);
        expect(figure(guest, "removed") > 2000, "the removals were not noticed");
        expect((figure(guest, "evicted") > 0) == has_file, "evictions");
    }
}

/// What no event tells: pages that were there before, a hole that the monitor made itself.
void silent_changes(const char* program) {
    const scratch_folder folder;
    pager_process pager{program, folder.file("socket"), {"--resident", "2M"}};
    std::optional<monitor> vm{std::in_place, monitor_options{{std::size_t{8} << 20}, true, false}};
    std::byte bytes[page];
    for (std::size_t i = 0; i < 300; ++i) {
        write_page(bytes, i, 77);
        expect(pwrite(vm->file(), bytes, page, static_cast<off_t>(i * page)) == static_cast<ssize_t>(page), "pwrite");
    }
    vm->introduce(pager);
    for (std::size_t i = 300; i < vm->pages(); ++i) {
        write_page(vm->at(i), i, 78);
    }
    for (std::size_t i = 0; i < vm->pages(); ++i) {
        expect(is_page(vm->at(i), i, i < 300 ? 77 : 78), "page " + std::to_string(i));
    }
    expect(vm->resident() <= std::size_t{2} << 20, "what was there before is not within the budget");
    const std::size_t last = vm->pages() - 1; // read just now, and so resident
    expect(fallocate(vm->file(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(last * page), page) ==
               0,
           "no hole");
    expect(is_zeros(vm->at(last)), "a hole is not zeros");
    write_page(vm->at(last), last, 79);
    expect(is_page(vm->at(last), last, 79), "a page written after a hole");
    end_of(pager, vm);
}

/// Incompressible pages, and a store that has room for a fraction of them.
void full_store(const char* program) {
    const scratch_folder folder;
    for (const char* const bound : {"--store", "--memory"}) {
        pager_process pager{program, folder.file("socket"), {"--resident", "2M", bound, "5M"}};
        std::optional<monitor> vm{std::in_place, monitor_options{{std::size_t{16} << 20}}};
        vm->introduce(pager);
        guest_model model{*vm, {}, true};
        for (std::size_t i = 0; i < vm->pages(); ++i) {
            model.write(i);
        }
        model.work(2, 1'000, vm->pages());
        model.check_all();
        pager.wait_for("over the budget: ");
        std::string guest;
        const std::string sum = end_of(pager, vm, &guest);
        expect(figure(guest, "refused") > 0, "the store refused nothing");
        expect(figure(sum, "peak_over") > 1 << 20, "nobody was told");
    }
}

/// The pager is told to end: the guest goes on with all of its pages.
void farewell(const char* program) {
    const scratch_folder folder;
    pager_process pager{program, folder.file("socket"), {"--resident", "2M"}};
    monitor vm{{{std::size_t{4} << 20, std::size_t{4} << 20}}};
    vm.introduce(pager);
    guest_model model{vm};
    model.work(2, 4'000, vm.pages());
    std::jthread ender{[&] {
        usleep(50'000);
        pager.send(SIGTERM);
    }};
    model.work(3, 4'000, vm.pages()); // and it goes on while that happens
    ender.join();
    expect(pager.wait_for_end() == 0, "vm_pager's status");
    model.work(3, 2'000, vm.pages());
    model.check_all();
    expect(vm.resident() > std::size_t{2} << 20, "not all pages came back");
}

/// Clients that are killed while their threads fault; the memory of each comes free, and others are served.
void killed(const char* program) {
    const scratch_folder folder;
    pager_process pager{program, folder.file("socket"), {"--resident", "4M"}};
    std::string sum;
    for (unsigned round = 0; round < 4; ++round) {
        const pid_t child = fork();
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            monitor vm{{{std::size_t{16} << 20}, round % 2 == 0}};
            const unique_fd socket = send_message(pager.socket(), vm.message(), vm.descriptors());
            guest_model model{vm};
            model.work(4, 100'000'000, vm.pages());
            _exit(0);
        }
        pager.wait_for("guest ");
        usleep(150'000);
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        expect(figure(pager.wait_for("left: "), "faults") > 100, "the client did not fault");
        sum = pager.wait_for("so far: ");
        expect(figure(sum, "whole") == 1, "the pager's books are wrong");
    }
    std::optional<monitor> vm{std::in_place};
    vm->introduce(pager);
    guest_model model{*vm};
    model.work(2, 2'000, vm->pages());
    model.check_all();
    end_of(pager, vm);
}

/// A page of the snapshot that cannot be read any more kills whoever touches it, rather than being wrong.
void lose_page(const char* program, std::size_t pages, const std::vector<std::string>& budget) {
    const scratch_folder folder;
    write_snapshot(folder.file("snapshot"), pages);
    std::vector<std::string> arguments{"--snapshot", folder.file("snapshot"), "--guests", "1"};
    arguments.insert(arguments.end(), budget.begin(), budget.end());
    pager_process pager{program, folder.file("socket"), arguments};
    const pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        std::signal(SIGBUS, SIG_DFL); // a sanitizer's handler would exit
        alarm(60);
        monitor vm{{{pages * page}}};
        const unique_fd socket = send_message(pager.socket(), vm.message(), vm.descriptors());
        for (std::size_t i = budget.empty() ? 256 : pages; i-- > 0;) {
            if (!is_snapshot(vm.at(i), i)) {
                _exit(1);
            }
        }
        if (truncate(folder.file("snapshot").c_str(), 256 * page) != 0 || !is_snapshot(vm.at(255), 255)) {
            _exit(2);
        }
        for (std::size_t i = 256; i < pages; ++i) {
            static_cast<void>(*const_cast<volatile std::byte*>(vm.at(i)));
        }
        _exit(3);
    }
    int status = 0;
    pager.wait_for("guest ");
    waitpid(child, &status, 0);
    expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS, "no SIGBUS: " + std::to_string(status));
    expect(figure(pager.wait_for("left: "), "lost") == 1, "not one page was lost");
    expect(pager.wait_for_end() == 0, "vm_pager's status");
}
/// One that was never touched, and one that was evicted, of which the store had
/// no room to keep a copy.
void lost_page(const char* program) {
    lose_page(program, 512, {});
    lose_page(program, 4096, {"--resident", "1M", "--store", "1M"});
}

/// Of two guests that filled their memory, the one that goes on working gets most of the budget.
void idle_guest(const char* program) {
    const scratch_folder folder;
    pager_process pager{program, folder.file("socket"), {"--resident", "12M"}};
    std::optional<monitor> idle{std::in_place}, busy{std::in_place};
    idle->introduce(pager);
    busy->introduce(pager);
    guest_model of_idle{*idle}, of_busy{*busy};
    of_idle.work(2, 6'000, idle->pages());
    of_busy.work(2, 20'000, busy->pages());
    expect(busy->resident() > idle->resident(), "the idle guest kept " + std::to_string(idle->resident()) +
                                                    ", the busy one " + std::to_string(busy->resident()));
    of_idle.check_all();
    of_busy.check_all();
    idle.reset();
    end_of(pager, busy);
}

/// A guest that uses an eighth of its memory keeps little more than that, and gets all of it back when it wants it.
void steered(const char* program) {
    const scratch_folder folder;
    pager_process pager{program, folder.file("socket"), {"--auto"}};
    std::optional<monitor> vm{std::in_place, monitor_options{{std::size_t{16} << 20}}};
    vm->introduce(pager);
    guest_model model{*vm};
    for (std::size_t i = 0; i < vm->pages(); ++i) {
        model.write(i);
    }
    random_numbers random{1};
    const auto work_until = [&](std::size_t pages, const std::function<bool()>& is_reached, const char* otherwise) {
        for (int round = 0; !is_reached(); ++round) {
            expect(round < 6'000, otherwise);
            for (int step = 0; step < 500; ++step) {
                const std::size_t i = random.below(pages);
                model.check(i);
                if (random.below(3) == 0) {
                    model.write(i);
                }
            }
            usleep(5'000);
        }
    };
    work_until(
        vm->pages() / 8, [&] { return vm->resident() < std::size_t{6} << 20; }, "an idle guest keeps its memory");
    work_until(
        vm->pages(), [&] { return vm->resident() > std::size_t{13} << 20; }, "a busy guest gets no memory");
    work_until(
        vm->pages() / 8, [&] { return vm->resident() < std::size_t{6} << 20; }, "it was followed once only");
    model.check_all();
    std::string guest;
    end_of(pager, vm, &guest);
    expect(figure(guest, "evicted") > 1000, "nothing was evicted");
    expect(pager.wait_for_end() == 0, "vm_pager's status");
}

struct bad_message {
    std::string text;
    const char* reason;
};

std::string region(const std::string& address, const std::string& size, const std::string& offset,
                   const std::string& more = "") {
    return "{\"base_host_virt_addr\":" + address + ",\"size\":" + size + ",\"offset\":" + offset + more + "}";
}

std::vector<bad_message> bad_messages(const monitor& vm) {
    const std::string good = vm.message();
    const std::string here = std::to_string(reinterpret_cast<std::uintptr_t>(vm.at(0)));
    const auto list = [](const std::string& one) { return "[" + one + "]"; };
    return {
        {"x", "no JSON"},
        {"[}", "no JSON"},
        {good + "x", "no JSON"},
        {good + good, "no JSON"},
        {std::string("[\0]", 3), "no JSON"},
        {"[\xff\xfe]", "no JSON"},
        {"{}", "not an array"},
        {"[]", "not an array"},
        {"null", "not an array"},
        {"\"text\"", "not an array"},
        {"[1]", "region 0: not an object"},
        {"[[]]", "region 0: not an object"},
        {"[{}]", "base_host_virt_addr is missing"},
        {list("{\"base_host_virt_addr\":" + here + ",\"size\":4096}"), "offset is missing"},
        {list(region(here, "\"4096\"", "0")), "size is not a whole number"},
        {list(region(here, "4096.5", "0")), "size is not a whole number"},
        {list(region(here, "-4096", "0")), "size is not a whole number"},
        {list(region(here, "null", "0")), "size is not a whole number"},
        {list(region(here, "99999999999999999999999", "0")), "size is not a whole number"},
        {list(region(here, "1e999", "0")), "no JSON"},
        {list(region(here, "0", "0")), "a size of 0"},
        {list(region(here, "4095", "0")), "multiples of 4096"},
        {list(region(here, "4096", "1")), "multiples of 4096"},
        {list(region("12345", "4096", "0")), "multiples of 4096"},
        {list(region("0", "4096", "0")), "no such address"},
        {list(region("18446744073709547520", "4096", "0")), "no such address"},
        {list(region(here, "18446744073709547520", "0")), "a size of"},
        {list(region(here, "4096", "18446744073709547520")), "no such address or offset"},
        {list(region(here, "17591917608960", "0") + "," + region("4096", "4096", "17592186044416")), "too large"},
        {list(region(here, "8192", "0") + "," + region(here, "4096", "8192")), "overlap in their addresses"},
        {list(region(here, "8192", "0") + "," + region("4096", "4096", "4096")), "overlap in their offsets"},
        {list(region(here, "4096", "0", ",\"page_size\":2097152")), "pages of 2097152 bytes"},
        {list(region(here, "4096", "0", ",\"page_size_kib\":2097152")), "pages of 2097152 bytes"},
        {list(region(here, "4096", "0", ",\"page_size\":\"4K\"")), "page_size is not a whole number"},
        {list(region("4096", "4096", "0")), "not memory that its userfaultfd can serve"},
        {list(region(here, std::to_string(std::size_t{64} << 20), "0")), "the memfd ends before"},
        {std::string(70'000, ' '), "longer than 64 KiB"},
        {std::string(65'536, '['), "no JSON"},
        {std::string(30'000, '[') + std::string(30'000, ']'), "not an object"},
    };
}

/// No bad message is served, each is told why, and a good client beside them is.
void malformed(const char* program) {
    const scratch_folder folder;
    pager_process pager{program, folder.file("socket"), {"--resident", "2M"}};
    std::optional<monitor> vm{std::in_place};
    vm->introduce(pager);
    guest_model model{*vm};
    const monitor bad;
    for (const bad_message& message : bad_messages(bad)) {
        const unique_fd socket = send_message(pager.socket(), message.text, bad.descriptors());
        const std::string line = pager.wait_for("refused: ");
        expect(line.find(message.reason) != std::string::npos,
               "not '" + std::string(message.reason) + "' for " + message.text.substr(0, 200));
        model.work(1, 50, vm->pages());
    }
    std::string crowd;
    for (int i = 0; i < 65; ++i) {
        crowd += std::string(i == 0 ? "[" : ",") + "{}";
    }
    const unique_fd socket = send_message(pager.socket(), crowd + "]", bad.descriptors());
    pager.wait_for("not an array of 1 to 64 regions");
    model.check_all();
    end_of(pager, vm);
}

/// Too few, too many, and the wrong descriptors.
void descriptors(const char* program) {
    const scratch_folder folder;
    pager_process pager{program, folder.file("socket"), {"--resident", "2M"}};
    const monitor bad;
    write_snapshot(folder.file("file"), 2048);
    const unique_fd null{open("/dev/null", O_RDWR | O_CLOEXEC)};
    const unique_fd plain{open(folder.file("file").c_str(), O_RDWR | O_CLOEXEC)};
    const unique_fd small{memfd_create("small", MFD_CLOEXEC)};
    const unique_fd unreadable{open(("/proc/self/fd/" + std::to_string(bad.file())).c_str(), O_RDONLY | O_CLOEXEC)};
    const struct {
        std::vector<int> descriptors;
        const char* reason;
    } cases[] = {
        {{}, "no descriptor came"},
        {{null.get()}, "no userfaultfd"},
        {{bad.file(), bad.faults()}, "no memfd"},
        {{bad.faults(), null.get()}, "no memfd"},
        {{bad.faults(), small.get()}, "the memfd ends"},
        {{bad.faults(), unreadable.get()}, "not open for reading and writing"},
        {{bad.faults(), bad.file(), bad.file()}, "more than two"},
        {{bad.faults(), bad.file(), bad.file(), null.get(), null.get(), null.get(), null.get(), null.get()},
         "more than two"},
    };
    for (const auto& one : cases) {
        const unique_fd socket = send_message(pager.socket(), bad.message(), one.descriptors);
        const std::string line = pager.wait_for("refused: ");
        expect(line.find(one.reason) != std::string::npos, "not '" + std::string(one.reason) + "'");
    }
    if (struct stat status{}; fstat(plain.get(), &status) == 0 && status.st_dev != 0) {
        const unique_fd socket = send_message(pager.socket(), bad.message(), {bad.faults(), plain.get()});
        // Where /tmp is a tmpfs the file is as good as a memfd.
        pager.wait_for(": ");
    }
    for (std::size_t i = 0; i < 2048; ++i) {
        std::byte bytes[page];
        expect(pread(plain.get(), bytes, page, static_cast<off_t>(i * page)) == static_cast<ssize_t>(page) &&
                   is_snapshot(bytes, i),
               "a foreign file was changed");
    }
    std::optional<monitor> vm{std::in_place};
    vm->introduce(pager);
    guest_model model{*vm};
    model.work(2, 2'000, vm->pages());
    end_of(pager, vm);
}

/// A message in many parts; one that never ends; a client that leaves in the middle.
void slow_clients(const char* program) {
    const scratch_folder folder;
    pager_process pager{program, folder.file("socket"), {"--resident", "2M"}};
    std::optional<monitor> vm{std::in_place};
    const std::string text = vm->message();
    const unique_fd silent = send_message(pager.socket(), text.substr(0, 20), {});
    const unique_fd parts = send_message(pager.socket(), text.substr(0, 1), vm->descriptors());
    for (std::size_t i = 1; i < text.size(); ++i) {
        expect(send(parts.get(), text.data() + i, 1, MSG_NOSIGNAL) == 1, "send");
        usleep(500);
    }
    pager.wait_for("guest 1: ");
    { const unique_fd gone = send_message(pager.socket(), text.substr(0, 20), {}); }
    expect(pager.wait_for("refused: ").find("left before") != std::string::npos, "a client that left");
    guest_model model{*vm};
    model.work(2, 2'000, vm->pages());
    expect(pager.wait_for("refused: ").find("did not come") != std::string::npos, "a client that never ends");
    model.check_all();
    end_of(pager, vm);
}

/// Descriptors run out: clients wait until there are some. And the limit goes below what it has: the guests get their pages back.
void exhausted(const char* program) {
    const scratch_folder folder;
    pager_process pager{program, folder.file("socket"), {"--resident", "2M"}};
    const auto allow = [&](rlim_t descriptors) {
        rlimit limit{};
        expect(prlimit(pager.process(), RLIMIT_NOFILE, nullptr, &limit) == 0, "no limit to be read");
        limit.rlim_cur = std::min(descriptors, limit.rlim_max);
        expect(prlimit(pager.process(), RLIMIT_NOFILE, &limit, nullptr) == 0, "no limit to be set");
    };
    std::optional<monitor> first{std::in_place}, second{std::in_place};
    first->introduce(pager);
    guest_model of_first{*first};
    of_first.work(2, 1'000, first->pages());
    const auto has = [&](rlim_t number) {
        return access(("/proc/" + std::to_string(pager.process()) + "/fd/" + std::to_string(number)).c_str(), F_OK) ==
               0;
    };
    rlim_t next = 0;
    while (has(next)) {
        ++next;
    }
    allow(next);
    const unique_fd socket = send_message(pager.socket(), second->message(), second->descriptors());
    expect(pager.wait_for("no client is taken").find("Too many open files") != std::string::npos, "the cause");
    of_first.work(2, 1'000, first->pages());
    of_first.check_all();
    allow(RLIM_INFINITY);
    pager.wait_for("guest 2: ");
    guest_model of_second{*second};
    of_second.work(2, 1'000, second->pages());
    allow(3); // ppoll takes no more than that
    pager.wait_for("guest 1 has all");
    pager.wait_for("guest 2 has all");
    expect(pager.wait_for_end() == 2, "vm_pager's status");
    of_first.check_all();
    of_second.check_all();
}

const std::map<std::string, void (*)(const char*)> scenarios = {
    {"regions", regions},           {"no_file", no_file},       {"snapshot", snapshot},   {"removals", removals},
    {"silent", silent_changes},     {"full_store", full_store}, {"farewell", farewell},   {"killed", killed},
    {"lost_page", lost_page},       {"idle_guest", idle_guest}, {"malformed", malformed}, {"descriptors", descriptors},
    {"slow_clients", slow_clients}, {"writers", writers},       {"exhausted", exhausted}, {"steered", steered},
};

int run(int count, char** values) {
    const auto found = count == 3 ? scenarios.find(values[2]) : scenarios.end();
    if (found == scenarios.end()) {
        std::fprintf(stderr, "usage: vm_pager_scenarios VM_PAGER NAME\n");
        return 2;
    }
    setvbuf(stdout, nullptr, _IOLBF, 0);
    std::signal(SIGPIPE, SIG_IGN);
    if (lacks_uffd()) {
        return 77;
    }
    found->second(values[1]);
    return 0;
}

} // namespace
} // namespace vm_pager::testing

int main(int count, char** values) {
    try {
        return vm_pager::testing::run(count, values);
    } catch (const vm_pager::testing::mistake& what) {
        std::printf("MISTAKE: %s\n", what.what());
        std::fflush(stdout);
        _exit(1); // threads may wait for pages that nobody brings
    }
}
