// SPDX-License-Identifier: MIT
#include "class_sampling.hpp"
#include "classes.hpp"
#include "file_pages.hpp"
#include "process_memory.hpp"
#include "workloads.hpp"

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <string_view>

namespace pagefold::corpus {

namespace fs = std::filesystem;

namespace {

constexpr unsigned customers = 60'000;

page_sample interpreter(const char* name, const char* option, const std::string& text, const fs::path& scratch,
                        std::size_t wanted) {
    child_process child({program(name), option, text}, scratch);
    return sample_when_ready(child, name, wanted);
}

// The compiler proper is started on preprocessed text, so that it needs no environment, and stopped once its heap is
// large: in the middle of instantiating and optimising.
page_sample compiler(const fs::path& scratch, std::size_t wanted) {
    const std::string driver = program("g++");
    write_text(scratch / "unit.cpp", cpp_source());
    run({driver, "-std=c++20", "-E", "unit.cpp", "-o", "unit.ii"}, scratch, "g++ cannot preprocess");
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

} // namespace

std::vector<page_class> usual_classes() {
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

} // namespace pagefold::corpus
