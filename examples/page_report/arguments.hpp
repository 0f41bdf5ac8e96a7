// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace page_report {

/// What the command line asks for.
struct arguments {
    std::vector<pid_t> processes;
    std::vector<std::string> files;
    std::uint64_t limit_bytes = 0; ///< 0: none
    std::uint64_t sample_bytes = std::uint64_t{256} << 20;
    std::string codec = "page";
    unsigned threads = 1;
    bool wants_json = false;
    bool wants_zram = false;
    bool wants_help = false;
    std::string svg_path;
    bool wants_follow = false;
    std::uint64_t sweep_ms = 2000; ///< from the beginning of a sweep to that of the next
    std::uint64_t sweeps = 0;      ///< 0: until the process ends
};

/// Throws `failure`. Whether the codec exists is for who knows the codecs.
[[nodiscard]] arguments parse_arguments(int count, char** values);

[[nodiscard]] std::string help_text();

} // namespace page_report
