// SPDX-License-Identifier: MIT
#include "process_memory.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <string>
#include <unistd.h>

namespace pagefold::corpus {
namespace {

// From the kernel's Documentation/admin-guide/mm/pagemap.rst.
constexpr std::uint64_t page_present = std::uint64_t{1} << 63;
constexpr std::uint64_t page_of_file_or_shared = std::uint64_t{1} << 61;

struct address_range {
    std::uint64_t first;
    std::uint64_t last;
};

std::vector<address_range> private_ranges(const std::string& directory) {
    std::vector<address_range> ranges;
    std::ifstream maps(directory + "maps");
    for (std::string line; std::getline(maps, line);) {
        address_range range{};
        char permissions[5] = {};
        if (std::sscanf(line.c_str(), "%lx-%lx %4s", &range.first, &range.last, permissions) == 3 &&
            permissions[0] == 'r' && permissions[3] == 'p' && line.find("[v") == std::string::npos) {
            ranges.push_back(range);
        }
    }
    return ranges;
}

} // namespace

page_sample sample_process(pid_t id, std::size_t wanted) {
    const std::string directory = "/proc/" + std::to_string(id) + "/";
    const int pagemap = open((directory + "pagemap").c_str(), O_RDONLY | O_CLOEXEC);
    std::vector<std::uint64_t> resident;
    for (const address_range& range : private_ranges(directory)) {
        std::vector<std::uint64_t> flags((range.last - range.first) / page_bytes);
        const ssize_t got = pread(pagemap, flags.data(), flags.size() * sizeof(std::uint64_t),
                                  static_cast<off_t>(range.first / page_bytes * sizeof(std::uint64_t)));
        flags.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)) / sizeof(std::uint64_t));
        for (std::size_t i = 0; i < flags.size(); ++i) {
            if ((flags[i] & (page_present | page_of_file_or_shared)) == page_present) {
                resident.push_back(range.first + i * page_bytes);
            }
        }
    }
    close(pagemap);

    page_sample sample;
    const int memory = open((directory + "mem").c_str(), O_RDONLY | O_CLOEXEC);
    for (std::size_t i = 0; i < std::min(wanted, resident.size()); ++i) {
        const auto address = static_cast<off_t>(resident[spread(i, wanted, resident.size())]);
        if (pread(memory, sample.add_page(), page_bytes, address) != static_cast<ssize_t>(page_bytes)) {
            sample.drop_last_page();
        }
    }
    close(memory);
    return sample;
}

} // namespace pagefold::corpus
