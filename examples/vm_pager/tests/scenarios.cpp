// SPDX-License-Identifier: MIT

// vm_pager_scenarios VM_PAGER NAME [THREADS]: a monitor that talks to a vm_pager, and checks what its guest's memory has. Ends with 0,
// 1 for a mistake, 77 where the kernel has no userfaultfd.

#include "guest_model.hpp"

#include <pagefold/core/checksum.hpp>

#include <algorithm>
#include <atomic>
#include <fcntl.h>
#include <functional>
#include <map>
#include <memory>
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

/// Eight guests that fight for a tenth of their memory. Four of them are killed meanwhile, and others take their places.
void crowd(const char* program) {
    constexpr std::size_t bytes = std::size_t{6} << 20, bound = std::size_t{5} << 20;
    constexpr unsigned of_each = 4;
    const scratch_folder folder;
    pager_process pager{program, folder.file("socket"), {"--resident", std::to_string(bound >> 10) + "K"}};
    std::vector<pid_t> mortal;
    for (unsigned i = 0; i < 2 * of_each; ++i) { // forked before there are threads; half of them come later
        mortal.push_back(fork());
        if (mortal.back() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            usleep(i < of_each ? 0 : 300'000);
            monitor vm{{{bytes}}};
            vm.introduce(pager.socket());
            guest_model{vm}.work(2, 100'000'000, vm.pages());
            _exit(1);
        }
    }
    std::vector<std::unique_ptr<monitor>> vms;
    std::vector<std::unique_ptr<guest_model>> models;
    for (unsigned i = 0; i < of_each; ++i) {
        vms.push_back(std::make_unique<monitor>(monitor_options{{bytes}}));
        models.push_back(std::make_unique<guest_model>(*vms.back()));
        vms.back()->introduce(pager.socket());
    }
    in_threads(of_each + 1, [&](unsigned t) {
        if (t < of_each) {
            models[t]->work(2, 2'500, vms[t]->pages() / 2);
            for (std::size_t i = t; i < vms[t]->pages(); i += 7) {
                models[t]->remove(i, MADV_REMOVE);
            }
            models[t]->work(2, 2'500, vms[t]->pages());
            return;
        }
        for (const pid_t child : mortal) {
            usleep(120'000);
            kill(child, SIGKILL);
            waitpid(child, nullptr, 0);
        }
    });
    for (unsigned i = 0; i < 2 * of_each; ++i) {
        expect(figure(pager.wait_for(" left: "), "lost") == 0, "pages were lost");
        expect(figure(pager.wait_for("so far: "), "whole") == 1, "the pager's books are wrong");
    }
    for (const auto& model : models) {
        model->check_all();
    }
    vms.clear();
    pager.send(SIGTERM);
    for (unsigned i = 0; i < of_each; ++i) {
        const std::string line = pager.wait_for(" left: ");
        expect(figure(line, "lost") == 0 && figure(line, "evicted") > 500, "not one that was pressed");
        expect(figure(line, "removed") > 100, "the removals were not noticed");
        const std::string sum = pager.wait_for("so far: ");
        expect(figure(sum, "whole") == 1, "the pager's books are wrong");
        expect(figure(sum, "peak_over") == 0 && figure(sum, "peak_resident") <= static_cast<long long>(bound),
               "the budget was exceeded");
    }
    expect(pager.wait_for_end() == 0, "vm_pager's status");
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

// --- Templates ------------------------------------------------------------------------------------------------------------

constexpr unsigned template_version = 1'000'000;

/// Page i of the template: one in 16 is zeros, one noise.
void make_template_page(std::byte* to, std::size_t i) {
    if (i % 16 == 5) {
        std::memset(to, 0, page);
    } else {
        write_page(to, i, template_version, i % 16 == 6);
    }
}
std::vector<std::byte> make_template(std::size_t pages) {
    std::vector<std::byte> bytes(pages * page);
    for (std::size_t i = 0; i < pages; ++i) {
        make_template_page(bytes.data() + i * page, i);
    }
    return bytes;
}
void write_file(const std::string& path, const std::vector<std::byte>& bytes) {
    const unique_fd file{open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)};
    expect(write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()), "no file was written");
}

/// A clone with a copy of what its memory must have.
class clone {
public:
    clone(monitor& vm, const std::vector<std::byte>& begin, unsigned seed)
        : vm_{vm}, begin_{begin}, bytes_(begin.begin(), begin.begin() + static_cast<std::ptrdiff_t>(vm.pages() * page)),
          is_written_(vm.pages()), seed_{seed}, random_{seed} {}

    /// A few words of it.
    void edit(std::size_t i) {
        for (int word = 0; word < 3; ++word) {
            const std::uint64_t value = seed_ + 1000 * ++version_;
            std::memcpy(bytes_.data() + i * page + 8 * random_.below(page / 8), &value, sizeof value);
        }
        write(i);
    }
    void rewrite(std::size_t i) {
        write_page(bytes_.data() + i * page, i, seed_ + 1000 * ++version_);
        write(i);
    }
    /// As the template has it.
    void restore(std::size_t i) {
        std::memcpy(bytes_.data() + i * page, begin_.data() + i * page, page);
        write(i);
    }
    /// Gives it back.
    void remove(std::size_t i) {
        std::memset(bytes_.data() + i * page, 0, page);
        is_written_[i] = true;
        expect(madvise(vm_.at(i), page, MADV_REMOVE) == 0, "madvise failed");
    }
    void work(std::size_t steps) {
        for (std::size_t step = 0; step < steps; ++step) {
            const std::size_t i = random_.below(vm_.pages());
            check(i);
            switch (random_.below(12)) {
            case 0:
            case 1: edit(i); break;
            case 2: rewrite(i); break;
            case 3: restore(i); break;
            case 4: remove(i); break;
            default: break;
            }
        }
    }
    void check(std::size_t i) const {
        expect(std::memcmp(vm_.at(i), bytes_.data() + i * page, page) == 0,
               "clone " + std::to_string(seed_) + ": page " + std::to_string(i));
    }
    void check_all() const {
        for (std::size_t i = 0; i < vm_.pages(); ++i) {
            check(i);
        }
    }
    /// Pages that were written, have something in them, and are as the template's, or not.
    [[nodiscard]] long long written(bool equal) const {
        long long count = 0;
        for (std::size_t i = 0; i < vm_.pages(); ++i) {
            const std::byte* const at = bytes_.data() + i * page;
            const bool is_equal = std::memcmp(at, begin_.data() + i * page, page) == 0;
            count += is_written_[i] && !is_zeros(at) && is_equal == equal ? 1 : 0;
        }
        return count;
    }

private:
    void write(std::size_t i) {
        std::memcpy(vm_.at(i), bytes_.data() + i * page, page);
        is_written_[i] = true;
    }

    monitor& vm_;
    const std::vector<std::byte>& begin_;
    std::vector<std::byte> bytes_;
    std::vector<bool> is_written_;
    unsigned seed_;
    unsigned version_ = 0;
    random_numbers random_;
};

/// A clone in a process of its own, which leaves when that ends. It does what it is told, and tells what it has written.
class clone_process {
public:
    enum command : char { work = 'w', check = 'c', change_some = 's' };
    struct answer {
        long long equal;     ///< pages that it wrote, as the template has them
        long long different; ///< others, but zeros
    };

    clone_process(pager_process& pager, const monitor_options& options, const std::vector<std::byte>& begin,
                  unsigned seed) {
        expect(pipe(commands_) == 0 && pipe(answers_) == 0, "no pipe");
        pid_ = fork();
        if (pid_ == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(commands_[1]);
            try {
                live(pager.socket(), options, begin, seed);
            } catch (const mistake& what) {
                std::printf("MISTAKE: %s\n", what.what());
            }
            std::fflush(stdout);
            _exit(1);
        }
        pager.wait_for("guest ");
    }
    ~clone_process() {
        leave();
        for (const int end : {commands_[0], commands_[1], answers_[0], answers_[1]}) {
            close(end);
        }
    }
    clone_process(const clone_process&) = delete;
    clone_process& operator=(const clone_process&) = delete;

    answer tell(command what) {
        answer got{};
        pollfd wanted{answers_[0], POLLIN, 0};
        expect(write(commands_[1], &what, 1) == 1 && poll(&wanted, 1, 60'000) == 1 &&
                   read(answers_[0], &got, sizeof got) == static_cast<ssize_t>(sizeof got),
               "a clone found a mistake");
        return got;
    }
    void leave() {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
            pid_ = -1;
        }
    }

private:
    void live(const std::string& socket, const monitor_options& options, const std::vector<std::byte>& begin,
              unsigned seed) const {
        monitor vm{options};
        vm.introduce(socket);
        clone guest{vm, begin, seed};
        for (char what = 0; read(commands_[0], &what, 1) == 1;) {
            if (what == work) {
                guest.work(600);
            } else if (what == change_some) {
                for (std::size_t i = 200; i < 240; ++i) {
                    seed % 2 != 0 ? guest.remove(i) : guest.rewrite(i);
                    if (i < 220) {
                        guest.restore(i);
                    }
                }
            }
            if (what != work) {
                guest.check_all();
            }
            const answer now{guest.written(true), guest.written(false)};
            expect(write(answers_[1], &now, sizeof now) == static_cast<ssize_t>(sizeof now), "a pipe is closed");
        }
    }

    int commands_[2]{-1, -1};
    int answers_[2]{-1, -1};
    pid_t pid_ = -1;
};

/// All is put away: the guest has nothing in memory, and in the store what it wrote, as it should be kept.
void expect_kept(pager_process& pager, const std::string& guest, const clone_process::answer& wrote) {
    const std::string line = pager.wait_for(guest + " now: ");
    expect(figure(line, "resident") == 0, "not all was put away");
    expect(figure(line, "reference") == wrote.equal, "references");
    expect(figure(line, "own") + figure(line, "delta") == wrote.different, "pages that differ");
    expect(figure(line, "own") > 50 && figure(line, "delta") > 50, "no page was near the template's, or all");
}

/// Clones of one template that change different pages, with the bounds that a pager can have.
void templates(const char* program) {
    const std::vector<std::byte> begin = make_template(2048);
    for (const std::vector<std::string>& bound :
         {std::vector<std::string>{"--resident", "2M"}, {"--memory", "9M"}, {"--auto"}}) {
        const scratch_folder folder;
        write_file(folder.file("template"), begin);
        std::vector<std::string> arguments{"--template", folder.file("template")};
        arguments.insert(arguments.end(), bound.begin(), bound.end());
        pager_process pager{program, folder.file("socket"), arguments};
        expect(unlink(folder.file("template").c_str()) == 0, "unlink"); // it is not read again
        using told = clone_process;
        clone_process one{pager, {{std::size_t{6} << 20, std::size_t{2} << 20}}, begin, 1}, two{pager, {}, begin, 2};
        clone_process fixed{pager, {{std::size_t{2} << 20}, false}, begin, 3};
        for (int round = 0; round < 8; ++round) {
            one.tell(told::work);
            two.tell(told::work);
        }
        fixed.tell(told::check); // all of it comes, and stays
        const told::answer of_one = one.tell(told::change_some), of_two = two.tell(told::change_some);
        if (bound[0] == "--resident") {
            pager.send(SIGUSR1);
            expect_kept(pager, "guest 1", of_one);
            expect_kept(pager, "guest 2", of_two);
            pager.wait_for("now: guests=3");
        }
        one.tell(told::check);
        two.tell(told::check);
        // They leave in another order than they came, and one comes in between, which begins as all did.
        two.leave();
        const std::string left = pager.wait_for("guest 2 left: ");
        expect(figure(left, "lost") == 0, "pages were lost");
        expect(bound[0] == "--auto" || figure(left, "reference") > 0, "no reference");
        clone_process late{pager, {}, begin, 4};
        late.tell(told::check);
        one.tell(told::work);
        late.tell(told::work);
        one.tell(told::check);
        one.leave();
        pager.wait_for("guest 1 left: ");
        late.tell(told::check);
        fixed.leave();
        pager.wait_for("guest 3 left: ");
        const std::string sum = pager.wait_for("so far: ");
        expect(figure(sum, "whole") == 1, "the pager's books are wrong");
        expect(figure(sum, "from_file") == 2048, "the file was not read once");
        expect(bound[0] != "--memory" || figure(sum, "peak_over") == 0, "the budget was exceeded");
        pager.send(SIGTERM);
        expect(pager.wait_for_end() == 0, "vm_pager's status");
        late.tell(told::check); // without a handler now
    }
}

/// What a clone takes: nothing while it changes nothing; and what it had is free when it has left.
void template_space(const char* program) {
    const scratch_folder folder;
    const std::vector<std::byte> begin = make_template(2048);
    write_file(folder.file("template"), begin);
    pager_process pager{program, folder.file("socket"), {"--resident", "1M", "--template", folder.file("template")}};
    const auto store_now = [&] {
        pager.send(SIGUSR1);
        return figure(pager.wait_for("now: guests="), "store");
    };
    const long long empty = store_now();
    for (unsigned round = 1; round <= 3; ++round) {
        clone_process guest{pager, {}, begin, round};
        guest.tell(clone_process::check);
        const long long idle = store_now();
        expect(idle - empty <= 64 << 10, "an idle clone takes " + std::to_string(idle - empty));
        for (int i = 0; i < 6; ++i) {
            guest.tell(clone_process::work);
        }
        expect(store_now() > idle + (100 << 10), "a clone's own pages take nothing");
        guest.leave();
        pager.wait_for("so far: ");
        expect(store_now() <= empty + (64 << 10), "what was a clone's is not free");
    }
    pager.send(SIGTERM);
    expect(pager.wait_for_end() == 0, "vm_pager's status");
}

/// Templates that are not to be had, and guests that are larger than theirs.
void template_refusals(const char* program) {
    const scratch_folder folder;
    const std::string file = folder.file("template");
    write_file(file, make_template(2048));
    const auto ends = [&](std::vector<std::string> bound, const char* first_line, int status, const auto& act) {
        bound.insert(bound.begin(), {"--template", file});
        pager_process pager{program, folder.file("socket"), bound, true, first_line};
        act(pager);
        expect(pager.wait_for_end() == status, "vm_pager's status");
    };
    ends({"--store", "1M"}, "of 2048 pages fit into the store: limit", 2, [](auto&) {});
    ends({"--memory", "1M"}, "of 2048 pages fit into the store: limit", 2, [](auto&) {});
    {
        pager_process pager{program, folder.file("socket"), {"--template", file}};
        const monitor large{{{std::size_t{12} << 20}}};
        const unique_fd socket = send_message(pager.socket(), large.message(), large.descriptors());
        expect(pager.wait_for("refused: ").find("ends before") != std::string::npos, "a guest beyond its template");
        std::optional<monitor> vm{std::in_place};
        vm->introduce(pager);
        clone{*vm, make_template(2048), 1}.work(500);
        end_of(pager, vm);
    }
    // So long that there is time to do something meanwhile.
    expect(truncate(file.c_str(), off_t{8} << 30) == 0, "no large file");
    ends({}, "reading the template", 2, [&](pager_process& pager) {
        expect(truncate(file.c_str(), 2048 * page) == 0, "truncate");
        pager.wait_for("the file has become shorter");
    });
    expect(truncate(file.c_str(), off_t{8} << 30) == 0, "no large file");
    ends({}, "reading the template", 0, [](pager_process& pager) { pager.send(SIGTERM); });
    expect(access(folder.file("socket").c_str(), F_OK) != 0, "a socket was left behind");
}

// --- Over a restart -------------------------------------------------------------------------------------------------------

/// Has it save so many guests, and end.
std::string save_and_end(pager_process& pager, int guests) {
    pager.send(SIGTERM);
    for (int i = 0; i < guests; ++i) {
        expect(figure(pager.wait_for("left: "), "lost") == 0, "pages were lost");
        expect(figure(pager.wait_for("so far: "), "whole") == 1, "the pager's books are wrong");
    }
    const std::string line = pager.wait_for("saved: ");
    expect(figure(line, "guests") == guests, "not so many guests were saved");
    expect(pager.wait_for_end() == 0, "vm_pager's status");
    return line;
}
/// The line about what it had.
std::string come_back(monitor& vm, pager_process& pager) {
    vm.introduce(pager);
    return pager.wait_for("goes on: ");
}
/// Nothing is to be had from the file; the reason is among what is said.
void expect_unrestored(const char* program, const scratch_folder& folder, const char* reason,
                       std::vector<std::string> arguments) {
    pager_process pager{program, folder.file("socket"), std::move(arguments), true, reason};
    expect(pager.wait_for_end() == 2, "vm_pager's status");
}
bool is_there(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

/// Two guests that work on while vm_pager is exchanged twice, and one that can't be evicted. What happens to a guest's memory
/// meanwhile counts: a page given back, a hole, a page written into the file.
void restart(const char* program) {
    const scratch_folder folder;
    const std::string image = folder.file("image");
    std::optional<pager_process> pager{std::in_place, program, folder.file("socket"),
                                       std::vector<std::string>{"--resident", "2M", "--save", image}};
    monitor one{{{std::size_t{6} << 20, std::size_t{2} << 20}}}, two, fixed{{{std::size_t{1} << 20}, false}};
    guest_model of_one{one}, of_two{two}, of_fixed{fixed};
    one.introduce(*pager);
    two.introduce(*pager);
    fixed.introduce(*pager);
    of_one.work(2, 3'000, one.pages());
    of_fixed.work(2, 1'000, fixed.pages());
    for (std::size_t i = 0; i < two.pages() - 100; ++i) {
        of_two.write(i);
    }
    for (std::size_t i = 100; i < 200; ++i) {
        of_two.remove(i, MADV_REMOVE);
    }
    for (int round = 0; round < 2; ++round) {
        std::jthread worker;
        const auto work = [&] { of_one.work(3, 3'000, one.pages()); }; // waits while nobody serves it
        if (round == 1) {
            worker = std::jthread{work};
        }
        of_two.check(300);
        save_and_end(*pager, 2);
        expect(is_there(image) && !is_there(image + ".new"), "no image");
        of_fixed.check_all();                                          // without a handler from now on
        std::jthread remover{[&] { of_two.remove(20, MADV_REMOVE); }}; // comes back when that was heard
        std::byte bytes[page];
        write_page(bytes, 7, 500);
        expect(pwrite(two.file(), bytes, page, 7 * page) == static_cast<ssize_t>(page), "pwrite");
        std::size_t emptied = 3; // or a page that is in memory
        if (round == 0) {
            const off_t hole = lseek(two.file(), 300 * page, SEEK_DATA);
            expect(hole >= 0 && fallocate(two.file(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, hole, page) == 0,
                   "no hole");
            emptied = static_cast<std::size_t>(hole) / page;
            worker = std::jthread{work};
        }
        usleep(100'000);
        pager.emplace(program, folder.file("socket"),
                      std::vector<std::string>{"--resident", "2M", "--restore", image, "--save", image}, true,
                      "restored: guests=2");
        pager->wait_for("listening on ");
        expect(is_there(image), "the image was used before a guest came");
        // In another order than they came first.
        const std::string of_second = come_back(two, *pager);
        expect(figure(of_second, "stored") > 1'000 << 12, "nothing of it was stored");
        expect(!is_there(image) && is_there(image + ".used"), "an old image can be restored again");
        come_back(one, *pager);
        remover.join();
        worker.join();
        expect(is_page(two.at(7), 7, 500), "what was written into the file");
        expect(round == 1 || is_zeros(two.at(emptied)), "a hole made meanwhile");
        for (const std::size_t i : {emptied, std::size_t{7}}) {
            of_two.remove(i, MADV_REMOVE);
        }
        of_one.check_all();
        of_two.check_all();
        of_two.write(emptied);
        of_two.work(2, 2'000, two.pages());
        pager->send(SIGUSR1); // all that can be
        pager->wait_for("now: guests=2");
    }
    of_one.check_all();
    of_two.check_all();
    save_and_end(*pager, 2);
    pager.emplace(program, folder.file("socket"), std::vector<std::string>{"--restore", image});
    come_back(one, *pager);
    come_back(two, *pager);
    of_one.work(2, 1'000, one.pages());
    pager->send(SIGTERM); // not saved: all comes back
    pager->wait_for("guest 1 has all");
    pager->wait_for("guest 2 has all");
    expect(pager->wait_for_end() == 0, "vm_pager's status");
    of_one.check_all();
    of_two.check_all();
}

/// Clones, and their template, which comes from the image: the file is gone.
void restart_templates(const char* program) {
    const scratch_folder folder;
    const std::string image = folder.file("image");
    const std::vector<std::byte> begin = make_template(2048);
    write_file(folder.file("template"), begin);
    std::optional<pager_process> pager{
        std::in_place, program, folder.file("socket"),
        std::vector<std::string>{"--template", folder.file("template"), "--save", image, "--resident", "3M"}};
    expect(unlink(folder.file("template").c_str()) == 0, "unlink");
    monitor first{{{std::size_t{6} << 20, std::size_t{2} << 20}}}, second, idle;
    clone one{first, begin, 1}, two{second, begin, 2}, untouched{idle, begin, 3};
    first.introduce(*pager);
    second.introduce(*pager);
    idle.introduce(*pager);
    one.work(4'000);
    two.work(4'000);
    const auto expect_as_written = [&] {
        pager->send(SIGUSR1);
        expect_kept(*pager, "guest 1", {one.written(true), one.written(false)});
        expect_kept(*pager, "guest 2", {two.written(true), two.written(false)});
        expect(figure(pager->wait_for("guest 3 now: "), "own") == 0, "an idle clone has pages");
        pager->wait_for("now: guests=");
    };
    expect_as_written();
    for (int round = 0; round < 2; ++round) {
        if (round == 1) { // some of it in memory
            one.work(500);
        }
        save_and_end(*pager, 3);
        std::vector<std::string> arguments{"--restore", image, "--save", image, "--resident", "3M"};
        if (round == 1) { // as it was started first
            arguments.insert(arguments.end(), {"--template", folder.file("template")});
        }
        pager.emplace(program, folder.file("socket"), arguments);
        come_back(first, *pager);
        come_back(second, *pager);
        expect(figure(come_back(idle, *pager), "stored") == 0, "an idle clone has pages");
        if (round == 0) { // what is in memory over a restart counts as written after it
            expect_as_written();
        }
        one.check_all();
        two.check_all();
        untouched.check_all();
    }
    one.work(2'000);
    two.work(2'000);
    monitor late;
    clone another{late, begin, 4};
    late.introduce(*pager);
    another.work(1'000);
    for (const clone* const c : {&one, &two, &untouched, &another}) {
        c->check_all();
    }
    save_and_end(*pager, 4);
    const std::string other = folder.file("other");
    write_snapshot(other, 2048);
    expect_unrestored(program, folder, "its guests began as a template", {"--restore", image, "--snapshot", other});
}

/// Guests from a file, which has to be the same file again.
void restart_snapshot(const char* program) {
    const scratch_folder folder;
    const std::string image = folder.file("image"), file = folder.file("snapshot"), other = folder.file("other");
    write_snapshot(file, 2048);
    write_snapshot(other, 2048);
    monitor vm;
    guest_model model{vm, is_snapshot};
    {
        pager_process pager{program, folder.file("socket"), {"--snapshot", file, "--save", image, "--resident", "2M"}};
        vm.introduce(pager);
        model.work(2, 2'000, vm.pages());
        expect(madvise(vm.at(100), 50 * page, MADV_REMOVE) == 0, "madvise failed");
        save_and_end(pager, 1);
    }
    expect_unrestored(program, folder, "its guests began as a snapshot", {"--restore", image});
    expect_unrestored(program, folder, "its guests began as a snapshot", {"--restore", image, "--template", file});
    expect_unrestored(program, folder, "not the snapshot", {"--restore", image, "--snapshot", other});
    pager_process pager{program, folder.file("socket"), {"--restore", image, "--snapshot", file, "--resident", "2M"}};
    come_back(vm, pager);
    for (std::size_t i = 0; i < vm.pages(); ++i) {
        if (i >= 100 && i < 150) {
            expect(is_zeros(vm.at(i)), "a removed page came back from the snapshot");
        } else {
            model.check(i);
        }
    }
    pager.send(SIGTERM);
    expect(pager.wait_for_end() == 0, "vm_pager's status");
}

std::vector<std::byte> read_file(const std::string& path) {
    const unique_fd file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    struct stat status {};
    expect(fstat(file.get(), &status) == 0, "no file");
    std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size));
    expect(read(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()), "no file was read");
    return bytes;
}

/// Files that are cut, damaged, put together from two, of another start of the machine: none is used, not by half.
void restart_damaged(const char* program) {
    const scratch_folder folder;
    const std::string image = folder.file("image"), bad = folder.file("bad");
    monitor vm;
    guest_model model{vm, {}, true};
    std::vector<std::byte> first;
    for (int round = 0; round < 2; ++round) {
        std::vector<std::string> arguments{"--resident", "2M", "--save", image};
        if (round == 1) {
            arguments.insert(arguments.end(), {"--restore", image});
        }
        pager_process pager{program, folder.file("socket"), arguments};
        vm.introduce(pager);
        model.work(2, 2'000, vm.pages());
        save_and_end(pager, 1);
        first = round == 0 ? read_file(image) : first;
    }
    const std::vector<std::byte> good = read_file(image);
    const auto is_refused = [&](const std::vector<std::byte>& bytes, const char* reason) {
        unlink(bad.c_str());
        write_file(bad, bytes);
        expect_unrestored(program, folder, reason, {"--restore", bad});
        expect(read_file(bad) == bytes, "a file that was refused is not as it was");
    };
    std::uint64_t book = 0;
    std::memcpy(&book, good.data() + 16, sizeof book);
    const auto cut = [&](std::size_t bytes) {
        return std::vector<std::byte>(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(bytes));
    };
    for (const std::size_t bytes : {std::size_t{0}, std::size_t{79}}) {
        is_refused(cut(bytes), "not a file that --save wrote");
    }
    for (const std::size_t bytes : {std::size_t{80}, book - 1}) {
        is_refused(cut(bytes), "damaged or cut");
    }
    for (const std::size_t bytes : {book, book + 64, good.size() / 2, good.size() - 1}) {
        is_refused(cut(bytes), "cut: its end is missing");
    }
    const auto flipped = [&](std::size_t at) {
        std::vector<std::byte> bytes = good;
        bytes[at] ^= std::byte{4};
        return bytes;
    };
    is_refused(flipped(0), "not a file that --save wrote");
    is_refused(flipped(8), "of version");
    is_refused(flipped(23), "damaged or cut");
    for (std::size_t at = 24; at < book; at += book / 7) {
        is_refused(flipped(at), "damaged: the book");
    }
    for (std::size_t at = book; at < good.size(); at += good.size() / 13) {
        is_refused(flipped(at), ": damaged");
    }
    std::vector<std::byte> other = good;
    other.push_back(std::byte{});
    is_refused(other, ": damaged");
    other = cut(book); // and the image of the time before
    std::memcpy(&book, first.data() + 16, sizeof book);
    other.insert(other.end(), first.begin() + static_cast<std::ptrdiff_t>(book), first.end());
    is_refused(other, ": damaged");
    other = good;
    other[40] ^= std::byte{1};
    std::memcpy(&book, good.data() + 16, sizeof book);
    const std::uint64_t check = pagefold::checksum({other.data(), book - 8}, 0x677565737420626f);
    std::memcpy(other.data() + book - 8, &check, sizeof check);
    is_refused(other, "from before this machine was started");
    is_refused(make_template(4), "not a file that --save wrote");
    expect_unrestored(program, folder, "No such file", {"--restore", folder.file("absent")});
    expect_unrestored(program, folder, "no room for all of it: limit", {"--restore", image, "--store", "1M"});
    pager_process pager{program, folder.file("socket"), {"--restore", image}};
    come_back(vm, pager);
    model.check_all();
    pager.send(SIGTERM);
    expect(pager.wait_for_end() == 0, "vm_pager's status");
    model.check_all();
}

/// What can't be written is brought back, and the guest lives on without a handler, as ever.
void restart_disk_full(const char* program) {
    const scratch_folder folder;
    const std::string image = folder.file("image");
    struct {
        std::string path;
        const char* reason;
    } const cases[] = {{image, "No space left"}, {folder.file("no/folder"), "No such file"}};
    for (const auto& [path, reason] : cases) {
        pager_process pager{program, folder.file("socket"), {"--resident", "2M", "--save", path}};
        monitor vm;
        vm.introduce(pager);
        guest_model model{vm};
        model.work(2, 3'000, vm.pages());
        if (path == image) {
            expect(symlink("/dev/full", (image + ".new").c_str()) == 0, "symlink");
        }
        pager.send(SIGTERM);
        const std::string line = pager.wait_for("NOT SAVED: ");
        expect(line.find(reason) != std::string::npos, std::string("not '") + reason + "'");
        pager.wait_for("guest 1 has all");
        expect(pager.wait_for_end() == 0, "vm_pager's status");
        model.check_all();
        model.work(2, 1'000, vm.pages());
        expect(!is_there(path) && unlink((path + ".new").c_str()) != 0, "a file was left behind");
    }
}

/// Guests that don't come back. While none has, all of them are saved again; then those that have not are dropped, and it is said.
void restart_absent(const char* program) {
    const scratch_folder folder;
    const std::string image = folder.file("image");
    const std::vector<std::string> again{"--resident", "2M", "--save", image, "--restore", image};
    monitor one, two;
    guest_model of_one{one}, of_two{two};
    std::optional<pager_process> pager{std::in_place, program, folder.file("socket"),
                                       std::vector<std::string>{"--resident", "2M", "--save", image}};
    one.introduce(*pager);
    two.introduce(*pager);
    of_one.work(2, 2'000, one.pages());
    of_two.work(2, 2'000, two.pages());
    const long long pages = figure(save_and_end(*pager, 2), "pages");
    for (int round = 0; round < 2; ++round) {
        pager.emplace(program, folder.file("socket"), again);
        pager->send(SIGTERM);
        pager->wait_for("none of 2 guests has come back");
        const std::string line = pager->wait_for("saved: guests=2");
        expect(figure(line, "pages") == pages, "not the same pages");
        expect(pager->wait_for_end() == 0, "vm_pager's status");
    }
    pager.emplace(program, folder.file("socket"), again);
    expect(come_back(one, *pager).find("; 1 have not come back") != std::string::npos, "not one is awaited");
    of_one.check_all();
    monitor fresh; // is nobody's successor
    guest_model of_fresh{fresh};
    fresh.introduce(*pager);
    of_fresh.work(2, 1'000, fresh.pages());
    pager->send(SIGTERM);
    pager->wait_for("saved: guests=2");
    pager->wait_for("a guest of 8.0 MiB did not come back");
    expect(pager->wait_for_end() == 0, "vm_pager's status");
    pager.emplace(program, folder.file("socket"), again);
    come_back(fresh, *pager);
    expect(come_back(one, *pager).find("; 0 have not come back") != std::string::npos, "the other was kept");
    of_one.check_all();
    of_fresh.check_all();
    // Without --save what is restored is dropped at once, and the status says so.
    save_and_end(*pager, 2);
    pager.emplace(program, folder.file("socket"), std::vector<std::string>{"--restore", image});
    pager->send(SIGTERM);
    pager->wait_for("did not come back");
    expect(pager->wait_for_end() == 1, "vm_pager's status");
    expect(is_there(image), "the image is gone, and nobody used it");
}

/// The same file with other regions is not served as another guest: it would read zeros.
void restart_regions(const char* program) {
    const scratch_folder folder;
    const std::string image = folder.file("image");
    monitor vm;
    guest_model model{vm};
    {
        pager_process pager{program, folder.file("socket"), {"--resident", "2M", "--save", image}};
        vm.introduce(pager);
        model.work(2, 2'000, vm.pages());
        save_and_end(pager, 1);
    }
    pager_process pager{program, folder.file("socket"), {"--resident", "2M", "--restore", image}};
    const std::string here = std::to_string(reinterpret_cast<std::uintptr_t>(vm.at(0)));
    const unique_fd socket = send_message(
        pager.socket(), "[{\"base_host_virt_addr\":" + here + ",\"size\":4194304,\"offset\":0}]", vm.descriptors());
    pager.wait_for("refused: its regions are not those");
    come_back(vm, pager);
    model.check_all();
    pager.send(SIGTERM);
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
    allow(2); // ppoll takes no more than that
    pager.wait_for("guest 1 has all");
    pager.wait_for("guest 2 has all");
    expect(pager.wait_for_end() == 2, "vm_pager's status");
    of_first.check_all();
    of_second.check_all();
}

const std::map<std::string, void (*)(const char*)> scenarios = {
    {"regions", regions},
    {"no_file", no_file},
    {"snapshot", snapshot},
    {"removals", removals},
    {"silent", silent_changes},
    {"full_store", full_store},
    {"farewell", farewell},
    {"killed", killed},
    {"crowd", crowd},
    {"lost_page", lost_page},
    {"idle_guest", idle_guest},
    {"malformed", malformed},
    {"descriptors", descriptors},
    {"slow_clients", slow_clients},
    {"writers", writers},
    {"exhausted", exhausted},
    {"steered", steered},
    {"templates", templates},
    {"template_space", template_space},
    {"template_refusals", template_refusals},
    {"restart", restart},
    {"restart_templates", restart_templates},
    {"restart_snapshot", restart_snapshot},
    {"restart_damaged", restart_damaged},
    {"restart_disk_full", restart_disk_full},
    {"restart_absent", restart_absent},
    {"restart_regions", restart_regions},
};

int run(int count, char** values) {
    const auto found = count == 3 || count == 4 ? scenarios.find(values[2]) : scenarios.end();
    if (found == scenarios.end()) {
        std::fprintf(stderr, "usage: vm_pager_scenarios VM_PAGER NAME [THREADS]\n");
        return 2;
    }
    if (count == 4) {
        more_arguments = {"--threads", values[3]};
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
