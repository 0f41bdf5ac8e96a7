// SPDX-License-Identifier: MIT
#include "sample.hpp"

#include "failure.hpp"
#include "file_pages.hpp"
#include "process_pages.hpp"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace page_report {
namespace {

using inputs = std::vector<std::unique_ptr<page_input>>;

constexpr std::size_t processes_in_sample = 16;

std::uint64_t pages_of(const inputs& from) {
    std::uint64_t pages = 0;
    for (const auto& input : from) {
        pages += input->pages();
    }
    return pages;
}

/// Copies about `wanted` pages of `input`, spread evenly in runs of its choice.
page_input::outcome copy_evenly(page_input& input, std::uint64_t wanted, page_set& to, progress& shown) {
    const std::uint64_t length = input.run_length();
    const std::uint64_t all_runs = (input.pages() + length - 1) / length;
    const std::uint64_t runs = std::min((wanted + length - 1) / length, all_runs);
    std::uint64_t taken = 0;
    for (std::uint64_t run = 0; run < runs; ++run) {
        const std::uint64_t begin = run * all_runs / runs * length;
        const std::uint64_t end = std::min(begin + std::min(length, wanted - taken), input.pages());
        for (std::uint64_t which = begin; which < end && to.has_room(); ++which) {
            const page_input::outcome outcome = input.copy(which, to.next());
            if (outcome == page_input::outcome::input_gone) {
                return outcome;
            }
            if (outcome == page_input::outcome::copied) {
                to.add(which);
                ++taken;
                shown.report("reading", to.size(), to.capacity());
            }
        }
    }
    return taken > 0 ? page_input::outcome::copied : page_input::outcome::input_gone;
}

/// Copies at most `most` pages in all (but at least one of each input) into `to`. What has gone meanwhile is left out of
/// a sample, and an error where it was asked for.
void copy_shares(inputs from, std::uint64_t most, bool is_asked_for, page_set& to, progress& shown) {
    const std::uint64_t all = pages_of(from);
    for (auto& input : from) {
        const std::uint64_t pages = input->pages();
        const auto share = static_cast<std::uint64_t>(static_cast<double>(most) * static_cast<double>(pages) /
                                                      static_cast<double>(std::max<std::uint64_t>(all, 1)));
        const std::uint64_t wanted = all <= most ? pages : std::clamp<std::uint64_t>(share, 1, pages);
        const std::size_t first = to.size();
        if (copy_evenly(*input, wanted, to, shown) == page_input::outcome::copied) {
            to.end_source(std::move(input), first);
        } else if (is_asked_for) {
            throw failure(input->why_gone());
        } else {
            to.drop_from(first);
        }
    }
}

page_set allocate(std::uint64_t pages, std::size_t sources) {
    page_set set(static_cast<std::size_t>(pages) + sources);
    if (!set.has_room()) {
        throw failure("no memory for copies of " + std::to_string(pages) + " pages");
    }
    return set;
}

page_set take_named(const arguments& given, std::uint64_t most, progress& shown) {
    inputs named;
    for (const pid_t id : given.processes) {
        named.push_back(std::make_unique<process_pages>(id));
    }
    for (const std::string& path : given.files) {
        named.push_back(std::make_unique<file_pages>(path));
    }
    page_set set = allocate(std::min(most, pages_of(named)), named.size());
    copy_shares(std::move(named), most, true, set, shown);
    return set;
}

/// The processes with the most memory, and for a quarter of the sample the files that every system has.
page_set take_default(std::uint64_t most, progress& shown) {
    inputs processes;
    for (const running_process& process : readable_processes()) {
        if (processes.size() == processes_in_sample) {
            break;
        }
        try {
            processes.push_back(std::make_unique<process_pages>(process.id));
        } catch (const failure&) { // it ended, or its memory is closed to us after all
            continue;
        }
    }
    inputs folders;
    for (const char* path : {"/usr/bin", "/usr/lib", "/usr/share"}) {
        if (auto folder = std::make_unique<folder_pages>(path); folder->pages() > 0) {
            folders.push_back(std::move(folder));
        }
    }
    if (processes.empty() && folders.empty()) {
        throw failure("no process and no file under /usr could be read: name some with --pid or --file");
    }
    const std::uint64_t of_folders = std::min(most / 4, pages_of(folders));
    const std::uint64_t of_processes = std::min(most - most / 4, pages_of(processes));
    page_set set = allocate(of_processes + of_folders, processes.size() + folders.size());
    copy_shares(std::move(processes), of_processes, false, set, shown);
    copy_shares(std::move(folders), of_folders, false, set, shown);
    return set;
}

} // namespace

page_set take_pages(const arguments& given, progress& shown) {
    const std::uint64_t most = given.sample_bytes / page_bytes;
    return given.processes.empty() && given.files.empty() ? take_default(most, shown) : take_named(given, most, shown);
}

} // namespace page_report
