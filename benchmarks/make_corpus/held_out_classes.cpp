// SPDX-License-Identifier: MIT
#include "class_sampling.hpp"
#include "classes.hpp"
#include "file_pages.hpp"
#include "process_memory.hpp"
#include "workloads.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

namespace pagefold::corpus {

namespace fs = std::filesystem;

namespace {

page_sample java(const fs::path& scratch, std::size_t wanted) {
    const std::string machine = program("java");
    write_text(scratch / "Ledger.java", java_program());
    child_process child({machine, "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xms96m", "-Xmx96m", "Ledger.java"},
                        scratch);
    return sample_when_ready(child, "java", wanted);
}

page_sample tcl(const fs::path& scratch, std::size_t wanted) {
    const std::string shell = program("tclsh");
    write_text(scratch / "stock.tcl", tcl_program());
    child_process child({shell, "stock.tcl"}, scratch);
    return sample_when_ready(child, "tclsh", wanted);
}

page_sample numbers(const fs::path& scratch, std::size_t wanted) {
    child_process child({program("python3"), "-c", numbers_program()}, scratch);
    return sample_when_ready(child, "python3", wanted);
}

// The server listens on a socket in the folder alone, and keeps nothing on a disk.
page_sample redis(const fs::path& scratch, std::size_t wanted) {
    const std::string client = program("redis-cli") + " -s socket ";
    child_process server({program("redis-server"), "--port", "0", "--unixsocket", "socket", "--save", "",
                          "--appendonly", "no", "--lua-time-limit", "0"},
                         scratch);
    write_text(scratch / "fill.lua", redis_script());
    child_process fill(
        {"/bin/sh", "-c",
         "until " + client + "ping >pong 2>&1 && grep -q PONG pong; do sleep 0.1; done; " + client + "--eval fill.lua"},
        scratch);
    if (!fill.wait_for_line(ready_line, patience) || !server.stop()) {
        throw skipped("redis-server could not be filled");
    }
    return sample_process(server.id(), wanted);
}

// Stopped in the middle, as g++ is in the usual classes; another compiler with structures of its own.
page_sample clang(const fs::path& scratch, std::size_t wanted) {
    const std::string driver = program("clang++");
    write_text(scratch / "graph.cpp", graph_source());
    child_process compile({driver, "-std=c++17", "-O2", "-g", "-fintegrated-cc1", "-c", "graph.cpp", "-o", "graph.o"},
                          scratch);
    if (!compile.wait_for_memory(std::max(wanted * page_bytes, std::size_t{192} << 20), patience) || !compile.stop()) {
        throw skipped("clang++ ended before its memory was large enough");
    }
    return sample_process(compile.id(), wanted);
}

// sort keeps the lines that it has read until there are no more: its input stays open.
page_sample lines_in_memory(const fs::path& scratch, std::size_t wanted) {
    const std::string lines = log_lines(wanted * page_bytes * 5 / 4);
    child_process child({program("sort"), "--buffer-size=256M", "--parallel=1"}, scratch);
    if (!child.send(lines) || !child.wait_for_memory(lines.size() * 9 / 10, patience) || !child.stop()) {
        throw skipped("sort does not read its input");
    }
    return sample_process(child.id(), wanted);
}

/// Files under these folders with one of these extensions.
page_sample by_extension(const std::vector<fs::path>& folders, const std::set<std::string>& extensions,
                         std::size_t wanted) {
    const auto is_one = [&](const fs::path& path, const std::vector<char>&) {
        return extensions.count(path.extension().string()) != 0;
    };
    return sample_files(find_files(folders, 8'192, is_one), wanted);
}

page_sample objects(std::size_t wanted) {
    const auto is_archive = [](const fs::path&, const std::vector<char>& head) {
        return std::string_view(head.data(), head.size()).starts_with("!<arch>\n");
    };
    return sample_files(find_files({"/usr/lib"}, 32'768, is_archive), wanted);
}

page_sample packed_tree(const fs::path& scratch, std::size_t wanted) {
    run({"/bin/sh", "-c",
         program("tar") + " -cf - /usr/bin /usr/share/doc 2>/dev/null | " + program("head") + " -c " +
             std::to_string(wanted * page_bytes * 8) + " | " + program("gzip") + " -1 >made.gz"},
        scratch, "no archive can be packed");
    return sample_files({scratch / "made.gz"}, wanted);
}

} // namespace

std::vector<page_class> held_out_classes() {
    using size = std::size_t;
    return {
        {"anon_java", 140, java},
        {"anon_clang", 120, clang},
        {"anon_redis", 100, redis},
        {"anon_tcl", 70, tcl},
        {"anon_numbers", 70, numbers},
        {"anon_lines", 50, lines_in_memory},
        {"file_object", 110, [](const fs::path&, size n) { return objects(n); }},
        {"file_bytecode", 80,
         [](const fs::path&, size n) {
             return by_extension({"/usr/lib", "/usr/share"}, {".pyc", ".elc", ".beam", ".class"}, n);
         }},
        {"file_markup", 90,
         [](const fs::path&, size n) {
             return by_extension({"/usr/lib", "/usr/share"}, {".xml", ".html", ".json", ".svg", ".css", ".js"}, n);
         }},
        {"file_script", 60,
         [](const fs::path&, size n) {
             return by_extension({"/usr/lib"}, {".py", ".tcl", ".rb", ".sh", ".pm"}, n);
         }},
        {"file_tables", 70,
         [](const fs::path&, size n) {
             return by_extension({"/usr/lib", "/usr/share"},
                                 {".mo", ".ttf", ".otf", ".pfb", ".dat", ".bin", ".mgc", ".db"}, n);
         }},
        {"file_packed", 40, packed_tree},
    };
}

} // namespace pagefold::corpus
