// SPDX-License-Identifier: MIT
#include "process_pages.hpp"

#include "failure.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <dirent.h>
#include <fstream>
#include <memory>
#include <string_view>

namespace page_report {
namespace {

// From the kernel's Documentation/admin-guide/mm/pagemap.rst.
constexpr std::uint64_t present = std::uint64_t{1} << 63;
constexpr std::uint64_t of_file_or_shared = std::uint64_t{1} << 61;

// Sanitizers reserve terabytes of address space, where looking up every page would take minutes: left out.
constexpr std::uint64_t largest_mapping = std::uint64_t{256} << 30;

std::string directory_of(pid_t id) { return "/proc/" + std::to_string(id) + "/"; }

[[noreturn]] void fail(const std::string& name, const char* why) { throw failure("process " + name + ": " + why); }

/// RssAnon of /proc/PID/status, in bytes.
std::uint64_t anonymous_bytes(pid_t id) {
    std::ifstream status(directory_of(id) + "status");
    for (std::string line; std::getline(status, line);) {
        unsigned long kilobytes = 0;
        if (std::sscanf(line.c_str(), "RssAnon: %lu kB", &kilobytes) == 1) {
            return std::uint64_t{kilobytes} * 1024;
        }
    }
    return 0;
}

} // namespace

std::string name_of_process(const std::string& directory, pid_t id) {
    std::ifstream file(directory + "comm");
    std::string name;
    std::getline(file, name);
    return (name.empty() ? "?" : name) + "[" + std::to_string(id) + "]";
}

void for_each_private_mapping(const std::string& directory,
                              const std::function<void(std::uint64_t, std::uint64_t)>& visit) {
    std::ifstream maps(directory + "maps");
    for (std::string line; std::getline(maps, line);) {
        std::uint64_t begin = 0;
        std::uint64_t end = 0;
        char permissions[5] = {};
        if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, permissions) == 3 && permissions[0] == 'r' &&
            permissions[3] == 'p' && end - begin <= largest_mapping && line.find("[v") == std::string::npos) {
            visit(begin, end); // [vdso], [vvar] and [vsyscall] are the kernel's
        }
    }
}

process_pages::process_pages(pid_t id) {
    const std::string directory = directory_of(id);
    if (access(directory.c_str(), F_OK) != 0) {
        throw failure("no process has the id " + std::to_string(id));
    }
    name_ = name_of_process(directory, id);
    memory_ = unique_file(directory + "mem");
    if (!memory_) {
        fail(name_,
             errno == EACCES || errno == EPERM ? "its memory may not be read by this user" : std::strerror(errno));
    }
    find_pages(directory);
    if (addresses_.empty()) {
        fail(name_, "no private anonymous page of it is in memory");
    }
}

void process_pages::find_pages(const std::string& directory) {
    const unique_file pagemap(directory + "pagemap");
    if (!pagemap) {
        fail(name_, std::strerror(errno));
    }
    std::vector<std::uint64_t> flags(std::size_t{1} << 16);
    for_each_private_mapping(directory, [&](std::uint64_t begin, std::uint64_t end) {
        while (begin < end) {
            const std::size_t wanted = std::min<std::size_t>(flags.size(), (end - begin) / page_bytes);
            const ssize_t got = pread(pagemap.id(), flags.data(), wanted * sizeof flags[0],
                                      static_cast<off_t>(begin / page_bytes * sizeof flags[0]));
            if (got <= 0) {
                break;
            }
            const std::size_t count = static_cast<std::size_t>(got) / sizeof flags[0];
            for (std::size_t i = 0; i < count; ++i) {
                if ((flags[i] & (present | of_file_or_shared)) == present) {
                    addresses_.push_back(begin + i * page_bytes);
                }
            }
            begin += count * page_bytes;
        }
    });
}

page_input::outcome process_pages::copy(std::uint64_t which, std::byte* to) {
    const ssize_t got = pread(memory_.id(), to, page_bytes, static_cast<off_t>(addresses_[which]));
    if (got == static_cast<ssize_t>(page_bytes)) {
        return outcome::copied;
    }
    return got == 0 ? outcome::input_gone : outcome::page_gone; // nothing is mapped any more, or not this page
}

std::string process_pages::describe(std::uint64_t which) const {
    char buffer[40];
    std::snprintf(buffer, sizeof buffer, "the page at 0x%lx", static_cast<unsigned long>(addresses_[which]));
    return buffer;
}

std::string process_pages::why_gone() const { return "process " + name_ + ": it ended while it was read"; }

std::vector<running_process> readable_processes() {
    std::vector<running_process> found;
    const std::unique_ptr<DIR, int (*)(DIR*)> proc(opendir("/proc"), [](DIR* d) { return closedir(d); });
    for (const dirent* entry = proc ? readdir(proc.get()) : nullptr; entry != nullptr; entry = readdir(proc.get())) {
        const std::string_view text = entry->d_name;
        pid_t id = 0;
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), id);
        if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || id == getpid()) {
            continue;
        }
        if (const std::uint64_t bytes = anonymous_bytes(id); bytes > 0 && unique_file(directory_of(id) + "mem")) {
            found.push_back({id, bytes});
        }
    }
    std::sort(found.begin(), found.end(), [](const running_process& a, const running_process& b) {
        return a.anonymous_bytes != b.anonymous_bytes ? a.anonymous_bytes > b.anonymous_bytes : a.id < b.id;
    });
    return found;
}

} // namespace page_report
