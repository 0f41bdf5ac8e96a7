// SPDX-License-Identifier: MIT
//
// A main for a fuzz target without a fuzzer, with any compiler:
//
//     fuzz_<target>_replay [--random COUNT [--from FIRST]] FILE-OR-FOLDER...
//
// runs every file once, then COUNT random streams of up to 4000 bytes, numbered from FIRST. What fails is named, so that it
// can be run again alone.

#include <support/rng.hpp>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

// A sanitizer's finding ends in a signal, too.
extern "C" const char* __asan_default_options() { return "abort_on_error=1"; }
extern "C" const char* __ubsan_default_options() { return "abort_on_error=1"; }

namespace {

std::string running; // what a failure is reported with

void name_it(int signal_number) {
    std::fprintf(stderr, "failed: %s\n", running.c_str());
    std::signal(signal_number, SIG_DFL);
    std::raise(signal_number);
}

void run(const std::string& name, const std::vector<std::uint8_t>& bytes) {
    running = name;
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

void run_file(const std::filesystem::path& path) {
    std::ifstream file{path, std::ios::binary};
    const std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>{file}, {}};
    if (!file) {
        std::fprintf(stderr, "cannot read %s\n", path.c_str());
        std::exit(2);
    }
    run(path.string(), bytes);
}

void run_random(std::uint64_t number) {
    pagefold::testing::rng random{number};
    std::vector<std::uint8_t> bytes(1 + random.below(random.one_in(4) ? 4000 : 600));
    std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::uint8_t>(random()); });
    run("--random 1 --from " + std::to_string(number), bytes);
}

} // namespace

int main(int argc, char** argv) {
    for (const int signal_number : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP}) {
        std::signal(signal_number, name_it);
    }
    std::uint64_t random_streams = 0, first = 0, files = 0;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if ((argument == "--random" || argument == "--from") && i + 1 < argc) {
            (argument == "--random" ? random_streams : first) = std::strtoull(argv[++i], nullptr, 10);
        } else if (std::filesystem::is_directory(argument)) {
            std::vector<std::filesystem::path> paths;
            for (const auto& entry : std::filesystem::directory_iterator{argument}) {
                paths.push_back(entry.path());
            }
            std::sort(paths.begin(), paths.end());
            std::for_each(paths.begin(), paths.end(), run_file);
            files += paths.size();
        } else {
            run_file(argument);
            ++files;
        }
    }
    for (std::uint64_t number = first; number < first + random_streams; ++number) {
        run_random(number);
    }
    std::printf("%llu files and %llu random streams\n", static_cast<unsigned long long>(files),
                static_cast<unsigned long long>(random_streams));
    return files + random_streams != 0 ? 0 : 2;
}
