// SPDX-License-Identifier: MIT

// pagefold_make_corpus OUT_DIR [--mib N] [--set usual|held_out]
//
// Makes a corpus of 4096-byte pages from this machine: one file a class, `anon_*` from the memory of programs that it
// starts itself, `file_*` as the page cache would hold files of the system. A class whose program or files are not here
// is left out, and standard error says so.

#include "class_sampling.hpp"
#include "classes.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace fs = std::filesystem;
using namespace pagefold::corpus;

namespace {

constexpr char usage[] = "usage: pagefold_make_corpus OUT_DIR [--mib N] [--set usual|held_out]\n"
                         "  --mib N         so large in all (112)\n"
                         "  --set usual     the classes that figures are stated for\n"
                         "  --set held_out  other programs and kinds of files, to check them on\n";

/// A folder for the programs to work in; gone with this object.
class scratch_folder {
public:
    scratch_folder() {
        std::string name = (fs::temp_directory_path() / "pagefold_corpus_XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) {
            throw std::runtime_error("no temporary folder can be made");
        }
        path_ = name;
    }
    ~scratch_folder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;

    [[nodiscard]] const fs::path& path() const noexcept { return path_; }

private:
    fs::path path_;
};

struct options {
    fs::path folder;
    std::size_t mib = 112;
    bool held_out = false;
    bool help = false;
};

bool read_options(int count, char** arguments, options& out) {
    for (int i = 1; i < count; ++i) {
        const std::string argument = arguments[i];
        if (argument == "--help") {
            out.help = true;
        } else if (argument == "--mib" && i + 1 < count) {
            const std::string number = arguments[++i];
            const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), out.mib);
            if (error != std::errc{} || end != number.data() + number.size() || out.mib == 0) {
                return false;
            }
        } else if (argument == "--set" && i + 1 < count) {
            const std::string name = arguments[++i];
            if (name != "usual" && name != "held_out") {
                return false;
            }
            out.held_out = name == "held_out";
        } else if (out.folder.empty() && !argument.starts_with('-')) {
            out.folder = argument;
        } else {
            return false;
        }
    }
    return out.help || !out.folder.empty();
}

int make_corpus(const options& chosen) {
    fs::create_directories(chosen.folder);
    std::size_t total = 0;
    for (const page_class& one : chosen.held_out ? held_out_classes() : usual_classes()) {
        const fs::path file = chosen.folder / (std::string(one.name) + ".pages");
        fs::remove(file);
        const std::size_t wanted = chosen.mib * one.permille * 256 / 1000;
        try {
            const scratch_folder scratch;
            const page_sample sample = one.make(scratch.path(), wanted);
            if (sample.pages() == 0) {
                throw skipped("no such pages here");
            }
            std::ofstream out(file, std::ios::binary);
            out.write(sample.bytes.data(), static_cast<std::streamsize>(sample.bytes.size()));
            if (!out.flush()) {
                std::fprintf(stderr, "cannot write %s\n", file.c_str());
                return 1;
            }
            std::printf("%-16s %6zu pages\n", one.name, sample.pages());
            if (sample.pages() < wanted) {
                std::fprintf(stderr, "%s: only %zu of %zu pages\n", one.name, sample.pages(), wanted);
            }
            total += sample.pages();
        } catch (const std::exception& reason) {
            std::fprintf(stderr, "%s left out: %s\n", one.name, reason.what());
        }
    }
    std::printf("%-16s %6zu pages\n", "total", total);
    return total == 0 ? 1 : 0;
}

} // namespace

int main(int count, char** arguments) {
    options chosen;
    const bool understood = read_options(count, arguments, chosen);
    if (!understood || chosen.help) {
        std::fputs(usage, understood ? stdout : stderr);
        return understood ? 0 : 2;
    }
    try {
        return make_corpus(chosen);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
