// SPDX-License-Identifier: MIT
#include "guests.hpp"

#include "child.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <dirent.h>
#include <fstream>
#include <optional>
#include <poll.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace qemu_guest {
namespace {

using steady = std::chrono::steady_clock;

double seconds_since(steady::time_point start) { return std::chrono::duration<double>(steady::now() - start).count(); }

/// A folder with a place for a socket; gone afterwards.
class socket_folder {
public:
    socket_folder() {
        char name[] = "/tmp/qemu_guest.XXXXXX";
        if (mkdtemp(name) == nullptr) {
            throw failure("no folder can be made in /tmp");
        }
        path_ = name;
    }
    ~socket_folder() {
        unlink(socket().c_str());
        rmdir(path_.c_str());
    }
    socket_folder(const socket_folder&) = delete;
    socket_folder& operator=(const socket_folder&) = delete;

    [[nodiscard]] std::string socket() const { return path_ + "/socket"; }

private:
    std::string path_;
};

std::vector<std::string> qemu_command(const arguments& given, std::size_t seed) {
    const std::string mib = std::to_string(given.mib) + "M";
    // quiet: else the serial line takes longer than all else. panic=-1 and -no-reboot: a guest that fails ends.
    const std::string words = "console=ttyS0 quiet panic=-1 fill_mib=" + std::to_string(given.fill_mib) +
                              " accesses=" + std::to_string(given.accesses) + " seed=" + std::to_string(seed);
    return {"qemu-system-x86_64",
            "-accel",
            "tcg,tb-size=64",
            "-m",
            mib,
            "-object",
            "memory-backend-memfd,id=ram,size=" + mib + ",share=on",
            "-machine",
            "q35,memory-backend=ram",
            "-nodefaults",
            "-display",
            "none",
            "-monitor",
            "none",
            "-serial",
            "stdio",
            "-no-reboot",
            "-kernel",
            given.kernel,
            "-initrd",
            given.folder + "/qemu_guest_initrd",
            "-append",
            words};
}

/// Memory of the memfds that a process has, in MiB.
double memfd_mib(pid_t pid) {
    const std::string folder = "/proc/" + std::to_string(pid) + "/fd";
    double mib = 0;
    DIR* const open = opendir(folder.c_str());
    for (const dirent* entry = open == nullptr ? nullptr : readdir(open); entry != nullptr; entry = readdir(open)) {
        const std::string link = folder + "/" + entry->d_name;
        char target[64] = {};
        struct stat status {};
        if (readlink(link.c_str(), target, sizeof target - 1) > 0 &&
            std::string(target).find("memory-backend-memfd") != std::string::npos && stat(link.c_str(), &status) == 0) {
            mib += static_cast<double>(status.st_blocks) * 512 / 1048576;
        }
    }
    if (open != nullptr) {
        closedir(open);
    }
    return mib;
}

/// Waits up to 100 ms for output of any of them.
void listen_to(std::vector<child>& guests, child* pager) {
    std::vector<pollfd> wanted;
    for (const child& g : guests) {
        wanted.push_back({g.output(), POLLIN, 0});
    }
    if (pager != nullptr) {
        wanted.push_back({pager->output(), POLLIN, 0});
    }
    poll(wanted.data(), wanted.size(), 100);
    for (child& g : guests) {
        g.read_output();
    }
    if (pager != nullptr) {
        pager->read_output();
    }
    if (was_interrupted != 0) {
        throw interrupted();
    }
}

std::string last_words(const std::string& text) {
    const auto end = text.find_last_not_of("\r\n");
    const std::string whole = text.substr(0, end == std::string::npos ? 0 : end + 1);
    return whole.empty() ? "nothing" : whole.substr(whole.find_last_of('\n') + 1);
}

void start_pager(std::optional<child>& pager, const arguments& given, const std::string& socket,
                 const std::vector<std::string>& limit) {
    std::vector<std::string> command{given.folder + "/vm_pager", "--socket", socket};
    command.insert(command.end(), limit.begin(), limit.end());
    pager.emplace(command);
    std::vector<child> none;
    while (line_with(pager->text(), "listening").empty()) {
        if (pager->has_ended()) {
            const std::string why = last_words(pager->text());
            if (why.find("skipped") != std::string::npos) {
                throw unavailable(why);
            }
            throw failure("vm_pager does not run: " + why);
        }
        listen_to(none, &*pager);
    }
}

void note_guest(outcome& out, const child& guest, std::size_t number) {
    const std::string line = line_with(guest.text(), "guest: pages=");
    if (line_with(guest.text(), "guest: verdict=right").empty()) {
        out.is_right = false;
        out.problem = "guest " + std::to_string(number) +
                      " ended without a good verdict; it said: " + (line.empty() ? last_words(guest.text()) : line);
    }
    out.guest_seconds += (figure(line, "fill_ms") + figure(line, "work_ms") + figure(line, "check_ms")) / 1000;
}

void note_pager(outcome& out, const std::string& text) {
    const auto mib = [](double bytes) { return bytes / 1048576; };
    const std::string sum = line_with(text, "so far: ");
    out.peak_resident = mib(figure(sum, "peak_resident"));
    out.peak_memory = mib(figure(sum, "peak_memory"));
    double weighted_us = 0;
    for (std::size_t at = text.find("left: "); at != std::string::npos; at = text.find("left: ", at + 1)) {
        const std::string line = text.substr(at, text.find('\n', at) - at);
        out.faults += figure(line, "faults");
        out.store_faults += figure(line, "stored");
        weighted_us += figure(line, "mean_us") * figure(line, "faults");
        if (figure(line, "lost") != 0) {
            out.is_right = false;
            out.problem = "vm_pager lost a page";
        }
    }
    out.fault_us = weighted_us / std::max(out.faults, 1.0);
    // The first guest that leaves is counted while its pages, and all others', are still stored.
    const std::size_t first = text.find("so far: ");
    const std::string full = first == std::string::npos ? sum : text.substr(first, text.find('\n', first) - first);
    out.stored = mib(figure(full, "stored"));
    out.ratio = figure(full, "ratio");
}

} // namespace

outcome run_guests(const arguments& given, std::size_t count, const std::vector<std::string>& limit) {
    const socket_folder folder;
    std::optional<child> pager;
    std::vector<std::string> settings;
    if (!limit.empty()) {
        start_pager(pager, given, folder.socket(), limit);
        settings = {"VM_PAGER_SOCKET=" + folder.socket(), "LD_PRELOAD=" + given.folder + "/libqemu_guest_preload.so"};
    }
    outcome out;
    const steady::time_point start = steady::now();
    std::vector<child> guests;
    guests.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        guests.emplace_back(qemu_command(given, i + 1), settings);
    }
    const auto all_ended = [&] {
        return std::all_of(guests.begin(), guests.end(), [](const child& g) { return g.has_ended(); });
    };
    while (!all_ended() && seconds_since(start) < given.seconds) {
        listen_to(guests, pager ? &*pager : nullptr);
        double now = 0;
        for (const child& g : guests) {
            now += limit.empty() && !g.has_ended() ? memfd_mib(g.pid()) : 0;
        }
        out.footprint = std::max(out.footprint, now);
    }
    out.wall_seconds = seconds_since(start);
    if (!all_ended()) {
        out.is_right = false;
        out.problem = "the guests did not end within " + std::to_string(given.seconds) + " seconds";
    }
    for (std::size_t i = 0; out.is_right && i < count; ++i) {
        note_guest(out, guests[i], i + 1);
    }
    out.guest_seconds /= static_cast<double>(count);
    guests.clear();
    if (pager) {
        pager->send(SIGTERM);
        for (const steady::time_point end = steady::now(); !pager->has_ended() && seconds_since(end) < 20;) {
            listen_to(guests, &*pager);
        }
        note_pager(out, pager->text());
    }
    return out;
}

} // namespace qemu_guest
