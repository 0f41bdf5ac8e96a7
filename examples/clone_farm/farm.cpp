// SPDX-License-Identifier: MIT
#include "farm.hpp"

#include "machine.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <list>
#include <optional>
#include <sstream>
#include <unistd.h>

namespace clone_farm {
namespace {

constexpr unsigned page_bytes = 4096;
constexpr double mib = 1048576;
constexpr double kib = 1024;

/// A folder for sockets, the snapshot and the state of the devices; gone afterwards.
class scratch_folder {
public:
    scratch_folder() {
        const char* const where = std::getenv("TMPDIR");
        std::string name = std::string(where == nullptr ? "/tmp" : where) + "/clone_farm.XXXXXX";
        if (mkdtemp(name.data()) == nullptr) {
            throw failure("no folder can be made: " + name);
        }
        path_ = name;
    }
    ~scratch_folder() { static_cast<void>(std::system(("rm -rf " + path_).c_str())); }
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

/// How guests come to the snapshot's memory.
struct way {
    const char* name;
    enum class base { mapped, copied, snapshot, clones } is;
};
constexpr std::array<way, 4> ways{{{"copy on write", way::base::mapped},
                                   {"compressed alone", way::base::copied},
                                   {"shared, compressed", way::base::snapshot},
                                   {"clones", way::base::clones}}};

/// Bytes of what guests that go on from one snapshot have.
struct footprint {
    double shared = 0; ///< by all
    double guests = 0; ///< by them together, all that can be put away put away
};
struct outcome {
    bool is_right = true;
    double first_answer = 0; ///< seconds, mean
    double work_seconds = 0; ///< of all at once
    footprint idle{};
    footprint worked{};
    double peak = 0;                            ///< bytes of resident pages and store, under the budget
    double own = 0, references = 0, deltas = 0; ///< pages of a clone after work, mean
};

std::string size_of(const arguments& given) { return std::to_string(given.mib) + "M"; }
std::string memory_object(const arguments& given, const std::string& file, bool is_shared) {
    return "memory-backend-file,id=ram,size=" + size_of(given) + ",mem-path=" + file +
           (is_shared ? ",share=on" : ",share=off");
}
constexpr const char* leave_memory_out =
    R"({"capabilities":[{"capability":"x-ignore-shared","state":true}]})"; // it is in the file

/// A guest that has filled its memory, stopped; its memory in one file, its devices in another. Bytes of pages that are not zeros.
double make_snapshot(const arguments& given, const scratch_folder& folder) {
    const steady::time_point start = steady::now();
    machine guest{given, folder.path(), "template", memory_object(given, folder.file("memory"), true)};
    const std::string ready = guest.hear("clone: ready");
    const double booted = seconds_since(start);
    guest.command("stop");
    guest.command("migrate-set-capabilities", leave_memory_out);
    guest.command("migrate", R"({"uri":"exec:cat > )" + folder.file("devices") + "\"}");
    static_cast<void>(guest.command_until("query-migrate", R"("completed")"));
    guest.quit();
    std::ifstream memory{folder.file("memory"), std::ios::binary};
    double bytes = 0;
    for (std::array<char, page_bytes> page{}; memory.read(page.data(), page.size());) {
        bytes += std::any_of(page.begin(), page.end(), [](char c) { return c != 0; }) ? double{page_bytes} : 0;
    }
    std::printf("A guest of %zu MiB that fills %zu MiB booted in %.1f s; %.1f MiB of its memory are not zeros.\n",
                given.mib, given.fill_mib, booted, bytes / mib);
    return bytes;
}

/// Pages of a file that a process has copies of.
double copied_bytes(pid_t process, const std::string& file) {
    std::ifstream maps{"/proc/" + std::to_string(process) + "/smaps"};
    double bytes = 0;
    bool is_it = false;
    for (std::string line; std::getline(maps, line);) {
        if (line.find('-') < line.find(' ')) { // a mapping's first line
            is_it = line.find(file) != std::string::npos;
        } else if (is_it && line.rfind("Anonymous:", 0) == 0) {
            bytes += std::atof(line.c_str() + 10) * kib;
        }
    }
    return bytes;
}

/// Guests in one of the ways, with what serves them.
class farm {
public:
    farm(const arguments& given, const scratch_folder& folder, const way& how, double snapshot_bytes)
        : given_{given}, folder_{folder}, how_{how}, snapshot_bytes_{snapshot_bytes} {
        if (how_.is != way::base::mapped) {
            start_pager();
        }
    }

    outcome run() {
        outcome out;
        for (std::size_t i = 0; i < given_.guests; ++i) {
            out.first_answer += start_guest(i) / static_cast<double>(given_.guests);
        }
        out.idle = stopped(nullptr);
        const steady::time_point start = steady::now();
        std::size_t number = 0;
        for (machine& guest : guests_) {
            guest.say("work " + std::to_string(++number) + " " + std::to_string(given_.steps));
        }
        for (machine& guest : guests_) {
            note(out, guest.hear("clone: worked"));
        }
        out.work_seconds = seconds_since(start);
        out.worked = stopped(&out);
        out.peak = out.worked.shared + out.worked.guests;
        for (machine& guest : guests_) {
            note(out, guest.ask("check", "clone: checked"));
        }
        for (machine& guest : guests_) {
            guest.quit();
        }
        guests_.clear();
        if (pager_) {
            pager_->send(SIGTERM);
            for (std::size_t i = 0; i < given_.guests; ++i) {
                const std::string line = await_line(*pager_, heard_, "so far: ", given_.seconds);
                out.peak = std::max(out.peak, figure(line, "peak_memory"));
                out.is_right = out.is_right && figure(line, "whole") == 1;
            }
        }
        return out;
    }

private:
    void start_pager() {
        std::vector<std::string> command{given_.folder + "/vm_pager", "--socket", folder_.file("pager"), "--resident",
                                         std::to_string(given_.resident_mib) + "M"};
        if (how_.is == way::base::snapshot || how_.is == way::base::clones) {
            command.emplace_back(how_.is == way::base::clones ? "--template" : "--snapshot");
            command.push_back(folder_.file("memory"));
        }
        if (how_.is == way::base::clones) { // the others may not fit, and would do nothing but try
            command.insert(command.end(), {"--memory", std::to_string(given_.budget_mib) + "M"});
        }
        pager_.emplace(command);
        static_cast<void>(await_line(*pager_, heard_, "listening on ", given_.seconds));
        shared_ = figure(put_away(), "store");
    }
    /// Seconds until it has answered.
    double start_guest(std::size_t number) {
        std::vector<std::string> settings;
        std::string memory = memory_object(given_, folder_.file("memory"), false);
        if (pager_) {
            memory = "memory-backend-memfd,id=ram,share=on,size=" + size_of(given_);
            settings = {"VM_PAGER_SOCKET=" + folder_.file("pager"),
                        "LD_PRELOAD=" + given_.folder + "/libqemu_guest_preload.so"};
            if (how_.is == way::base::copied) {
                settings.push_back("VM_PAGER_CONTENT=" + folder_.file("memory"));
            }
        }
        const steady::time_point start = steady::now();
        machine& guest = guests_.emplace_back(given_, folder_.path(), "guest" + std::to_string(number), memory,
                                              std::vector<std::string>{"-incoming", "defer", "-S"}, settings);
        guest.command("migrate-set-capabilities", leave_memory_out);
        guest.command("migrate-incoming", R"({"uri":"exec:cat )" + folder_.file("devices") + "\"}");
        static_cast<void>(guest.command_until("query-status", R"("status": "paused")"));
        guest.command("cont");
        const std::string word = "hello " + std::to_string(number);
        static_cast<void>(guest.ask(word, "clone: " + word));
        return seconds_since(start);
    }
    /// Stops all, and lets them go on when it is known what they take.
    footprint stopped(outcome* detail) {
        for (machine& guest : guests_) {
            guest.command("stop");
        }
        footprint found{snapshot_bytes_, 0};
        if (pager_) {
            const std::string all = put_away();
            const double store = figure(all, "store");
            found.shared = how_.is == way::base::snapshot ? store - streams_of_guests()
                           : how_.is == way::base::clones ? shared_
                                                          : 0;
            found.guests = store - found.shared + figure(all, "resident");
            if (detail != nullptr) {
                note_forms(*detail);
            }
        } else {
            for (const machine& guest : guests_) {
                found.guests += copied_bytes(guest.pid(), folder_.file("memory"));
            }
        }
        for (machine& guest : guests_) {
            guest.command("cont");
        }
        return found;
    }
    std::string put_away() {
        pager_->send(SIGUSR1);
        const std::size_t before = heard_;
        std::string all = await_line(*pager_, heard_, "now: guests=", given_.seconds);
        last_figures_ = pager_->text().substr(before, heard_ - before);
        return all;
    }
    /// Of a snapshot the store keeps what guests touched; the rest of it is theirs. Their part of the index goes uncounted.
    [[nodiscard]] double streams_of_guests() const {
        double bytes = 0;
        std::istringstream lines{last_figures_};
        for (std::string line; std::getline(lines, line);) {
            bytes += line.find(" now: resident=") != std::string::npos ? figure(line, "own_bytes") : 0;
        }
        return bytes;
    }
    void note_forms(outcome& out) const {
        std::istringstream lines{last_figures_};
        for (std::string line; std::getline(lines, line);) {
            if (line.find(" now: resident=") != std::string::npos) {
                out.own += figure(line, "own") / static_cast<double>(given_.guests);
                out.references += figure(line, "reference") / static_cast<double>(given_.guests);
                out.deltas += figure(line, "delta") / static_cast<double>(given_.guests);
            }
        }
    }
    static void note(outcome& out, const std::string& answer) {
        if (figure(answer, "wrong") != 0) {
            std::printf("A GUEST FOUND WRONG PAGES: %s\n", answer.c_str());
            out.is_right = false;
        }
    }

    const arguments& given_;
    const scratch_folder& folder_;
    const way& how_;
    double snapshot_bytes_;
    double shared_ = 0; ///< bytes of the store before the first guest
    std::optional<child> pager_;
    std::size_t heard_ = 0;
    std::string last_figures_;
    std::list<machine> guests_;
};

/// How many such guests a budget holds, with what is for pages in use taken off where a store has the rest.
double fitting(const arguments& given, const way& how, const outcome& run) {
    const double budget = static_cast<double>(given.budget_mib) * mib;
    const double in_use = how.is == way::base::mapped ? 0 : static_cast<double>(given.resident_mib) * mib;
    const double room = budget - in_use - run.worked.shared;
    return std::max(0.0, room / (run.worked.guests / static_cast<double>(given.guests)));
}

} // namespace

bool run_farm(const arguments& given) {
    const scratch_folder folder;
    const double snapshot_bytes = make_snapshot(given, folder);
    std::printf("%zu guests go on from there at a time and look at %zu pages each, of which they change one in four.\n"
                "%zu MiB for all, %zu of them for pages in use.\n\n",
                given.guests, given.steps, given.budget_mib, given.resident_mib);
    std::printf("%-19s %10s %10s %11s %9s %9s %9s %8s %7s\n", "", "SHARED MiB", "IDLE KiB", "WORKED KiB", "FIT",
                "PEAK MiB", "FIRST s", "WORK s", "SLOWER");
    const auto guests = static_cast<double>(given.guests);
    double plain_seconds = 0;
    outcome last;
    for (const way& how : ways) {
        if (given.clones_only && how.is != way::base::clones) {
            continue;
        }
        last = farm{given, folder, how, snapshot_bytes}.run();
        if (!last.is_right) {
            return false;
        }
        plain_seconds = how.is == way::base::mapped ? last.work_seconds : plain_seconds;
        std::printf("%-19s %10.1f %10.1f %11.1f %9.1f %9.1f %9.2f %8.2f", how.name, last.worked.shared / mib,
                    last.idle.guests / guests / kib, last.worked.guests / guests / kib, fitting(given, how, last),
                    last.peak / mib, last.first_answer, last.work_seconds);
        if (plain_seconds > 0) {
            std::printf(" %7.2f", last.work_seconds / plain_seconds);
        }
        std::printf("\n");
    }
    std::printf(
        "\nIDLE and WORKED are what one guest takes besides what is shared, with all put away that can be: after its\n"
        "first answer, and after its work. FIT is reckoned from the latter; PEAK is the most that all of them took.\n");
    std::printf("A clone's pages after its work: %.0f of its own, %.0f references, %.0f deltas.\n"
                "Every guest found every page right.\n",
                last.own, last.references, last.deltas);
    const double idle = last.idle.guests / guests;
    if (last.peak > static_cast<double>(given.budget_mib) * mib) {
        std::printf("THE CLONES TOOK %.1f MiB, more than the budget.\n", last.peak / mib);
        return false;
    }
    if (idle > 64 * kib) {
        std::printf("AN IDLE CLONE TAKES %.1f KiB, more than 64.\n", idle / kib);
        return false;
    }
    return true;
}

} // namespace clone_farm
