// SPDX-License-Identifier: MIT

// pagefold_make_corpus OUT_DIR [--mib N]
//
// Makes a corpus of 4096-byte pages from this machine: one file a class, `anon_*` from the memory of programs that it
// starts itself, `file_*` as the page cache would hold files of the system. A class whose program or files are not here
// is left out, and standard error says so.

#include "child_process.hpp"
#include "file_pages.hpp"
#include "process_memory.hpp"
#include "workloads.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace fs = std::filesystem;
using namespace pagefold::corpus;

namespace {

constexpr std::chrono::seconds patience{120};
constexpr unsigned customers = 60'000;

/// Why a class cannot be made here.
struct skipped : std::runtime_error {
    using std::runtime_error::runtime_error;
};

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

/// The system's own program of that name; what a user put into PATH is not asked.
std::string program(const std::string& name) {
    for (const char* folder : {"/usr/bin/", "/bin/", "/usr/local/bin/"}) {
        if (fs::exists(folder + name)) {
            return folder + name;
        }
    }
    throw skipped(name + " is not installed");
}

page_sample sample_when_ready(child_process& child, const std::string& name, std::size_t wanted) {
    if (!child.wait_for_line(ready_line, patience)) {
        throw skipped(name + " did not finish its work");
    }
    if (!child.stop()) {
        throw skipped(name + " ended");
    }
    return sample_process(child.id(), wanted);
}

page_sample interpreter(const char* name, const char* option, const std::string& text, const fs::path& scratch,
                        std::size_t wanted) {
    child_process child({program(name), option, text}, scratch);
    return sample_when_ready(child, name, wanted);
}

// The compiler proper is started on preprocessed text, so that it needs no environment, and stopped once its heap is
// large: in the middle of instantiating and optimising.
page_sample compiler(const fs::path& scratch, std::size_t wanted) {
    const std::string driver = program("g++");
    { std::ofstream(scratch / "unit.cpp") << cpp_source(); }
    child_process preprocess({driver, "-std=c++20", "-E", "unit.cpp", "-o", "unit.ii"}, scratch);
    if (!preprocess.wait_for_exit(patience)) {
        throw skipped("g++ cannot preprocess");
    }
    child_process ask({"/bin/sh", "-c", driver + " -print-prog-name=cc1plus >name && echo ready"}, scratch);
    std::string cc1plus;
    if (!ask.wait_for_line(ready_line, patience) || !(std::ifstream(scratch / "name") >> cc1plus)) {
        throw skipped("g++ does not name its compiler proper");
    }
    child_process compile({cc1plus, "-quiet", "-fpreprocessed", "-std=c++20", "-O2", "unit.ii", "-o", "/dev/null"},
                          scratch);
    if (!compile.wait_for_memory(std::max(wanted * page_bytes, std::size_t{256} << 20), patience) || !compile.stop()) {
        throw skipped("the compiler ended before its memory was large enough");
    }
    return sample_process(compile.id(), wanted);
}

page_sample memory_database(const fs::path& scratch, std::size_t wanted) {
    child_process child({program("sqlite3"), "-batch", "-init", "/dev/null", ":memory:"}, scratch);
    if (!child.send(sql_script(20'240'229, customers))) {
        throw skipped("sqlite3 does not read its input");
    }
    return sample_when_ready(child, "sqlite3", wanted);
}

page_sample database_file(const fs::path& scratch, std::size_t wanted) {
    child_process child({program("sqlite3"), "-batch", "-init", "/dev/null", "rows.db"}, scratch);
    if (!child.send(sql_script(7'654'321, customers))) {
        throw skipped("sqlite3 does not read its input");
    }
    child.close_input();
    if (!child.wait_for_line(ready_line, patience) || !child.wait_for_exit(patience)) {
        throw skipped("sqlite3 did not finish its work");
    }
    return sample_files({scratch / "rows.db"}, wanted);
}

page_sample binaries(std::size_t wanted) {
    const auto is_elf = [](const fs::path&, const std::vector<char>& head) {
        return std::string_view(head.data(), head.size()).starts_with("\177ELF");
    };
    return sample_files(find_files({"/usr/bin", "/usr/lib"}, 32'768, is_elf), wanted);
}

page_sample texts(std::size_t wanted) {
    const auto is_text = [](const fs::path&, const std::vector<char>& head) {
        return std::none_of(head.begin(), head.end(), [](char c) { return c >= 0 && c < 9; });
    };
    const auto is_source_or_text = [&](const fs::path& path, const std::vector<char>& head) {
        static const std::set<std::string> packed{".gz", ".xz", ".png", ".zst", ".bz2"};
        return packed.count(path.extension().string()) == 0 && is_text(path, head);
    };
    return sample_files(find_files({"/usr/share/doc", "/usr/include", "/usr/share/perl"}, 8'192, is_source_or_text),
                        wanted);
}

page_sample packed_files(const fs::path& scratch, std::size_t wanted) {
    const auto is_packed = [](const fs::path& path, const std::vector<char>&) {
        static const std::set<std::string> packed{".gz",  ".xz",  ".zst", ".bz2", ".png",
                                                  ".jpg", ".jar", ".whl", ".zip", ".woff2"};
        return packed.count(path.extension().string()) != 0;
    };
    std::vector<fs::path> files = find_files({"/usr/share", "/usr/lib", "/usr/include"}, 16'384, is_packed);
    page_sample sample = sample_files(files, wanted);
    if (sample.pages() < wanted) {
        child_process pack({program("tar"), "-czf", "made.tar.gz", "/usr/include"}, scratch);
        if (pack.wait_for_exit(patience)) {
            files.push_back(scratch / "made.tar.gz");
            sample = sample_files(files, wanted);
        }
    }
    return sample;
}

struct page_class {
    const char* name;
    std::size_t permille; ///< of the corpus
    std::function<page_sample(const fs::path& scratch, std::size_t wanted)> make;
};

std::vector<page_class> classes() {
    using size = std::size_t;
    return {
        {"anon_python", 150,
         [](const fs::path& p, size n) { return interpreter("python3", "-c", python_program(), p, n); }},
        {"anon_perl", 80, [](const fs::path& p, size n) { return interpreter("perl", "-e", perl_program(), p, n); }},
        {"anon_javascript", 80,
         [](const fs::path& p, size n) { return interpreter("node", "-e", javascript_program(), p, n); }},
        {"anon_compiler", 150, compiler},
        {"anon_database", 110, memory_database},
        {"file_binary", 160, [](const fs::path&, size n) { return binaries(n); }},
        {"file_text", 110, [](const fs::path&, size n) { return texts(n); }},
        {"file_packed", 60, packed_files},
        {"file_database", 100, database_file},
    };
}

struct options {
    fs::path folder;
    std::size_t mib = 112;
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
    for (const page_class& one : classes()) {
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
        std::fprintf(understood ? stdout : stderr, "usage: pagefold_make_corpus OUT_DIR [--mib N]\n");
        return understood ? 0 : 2;
    }
    try {
        return make_corpus(chosen);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
