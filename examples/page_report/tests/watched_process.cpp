// SPDX-License-Identifier: MIT
#include "watched_process.hpp"
#include "failure.hpp"
#include "page_sights.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>

namespace page_report {
namespace {

constexpr std::uint64_t start = 0x10000;
constexpr pid_t id = 42;

/// Files as the kernel has them of process 42, which a test writes.
class fake_kernel {
public:
    fake_kernel() {
        std::string name = std::filesystem::temp_directory_path() / "page_report_test.XXXXXX";
        REQUIRE(mkdtemp(name.data()) != nullptr);
        folder_ = name;
        std::filesystem::create_directory(folder_ + "/42");
        write("42/comm", "a (b) c\n");
        write("42/mem", "");
        write("42/pagemap", "");
        write("42/clear_refs", "");
        started(1000);
        map(4);
    }
    fake_kernel(const fake_kernel&) = delete;
    fake_kernel& operator=(const fake_kernel&) = delete;
    ~fake_kernel() { std::filesystem::remove_all(folder_); }

    [[nodiscard]] kernel_files files() const { return {folder_, folder_ + "/bitmap", is_soft_dirty_known}; }
    void started(int when) {
        write("42/stat",
              "42 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 " + std::to_string(when) + " 0\n");
    }
    /// So many readable private pages, and others that don't count.
    void map(std::size_t pages) {
        char line[100];
        std::snprintf(line, sizeof line, "%lx-%lx rw-p 0 0:0 0\n", static_cast<unsigned long>(start),
                      static_cast<unsigned long>(start + pages * page_bytes));
        write("42/maps", std::string(line) + "7f0000000000-7f0000001000 ---p 0 0:0 0\n"
                                             "7f0000001000-7f0000002000 rw-s 0 0:0 0\n"
                                             "7f0000002000-7f0000003000 r-xp 0 0:0 0 [vdso]\n");
    }
    void unmap() { write("42/maps", ""); }
    void entry(std::size_t page, std::uint64_t what) { at("42/pagemap", (start / page_bytes + page) * 8, what); }
    void frame(std::size_t number, std::uint64_t word) { at("bitmap", number / 64 * 8, word); }
    void content(std::size_t page, std::uint64_t what) {
        at("42/mem", start + page * page_bytes, what);
        at("42/mem", start + (page + 1) * page_bytes - 8, what);
    }
    void write(const std::string& name, const std::string& text) const { std::ofstream(folder_ + "/" + name) << text; }
    [[nodiscard]] std::string read(const std::string& name) const {
        std::ifstream file(folder_ + "/" + name);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    bool is_soft_dirty_known = true;

private:
    void at(const std::string& name, std::uint64_t where, std::uint64_t what) const {
        const int file = open((folder_ + "/" + name).c_str(), O_WRONLY | O_CREAT, 0600);
        REQUIRE(pwrite(file, &what, sizeof what, static_cast<off_t>(where)) == sizeof what);
        close(file);
    }

    std::string folder_;
};

/// Steps until the sweep is over; how many there were.
std::size_t sweep(watched_process& process, std::size_t most = 100'000) {
    std::size_t steps = 1;
    watched_process::outcome what = process.step(most);
    for (; what == watched_process::outcome::more; ++steps) {
        what = process.step(most);
    }
    REQUIRE(what == watched_process::outcome::swept);
    return steps;
}

TEST_CASE("watched_process: by soft-dirty bits, which are cleared after each sweep") {
    fake_kernel kernel;
    kernel.entry(0, page_map::present | page_map::soft_dirty);
    kernel.entry(1, page_map::present);
    kernel.entry(2, page_map::present | page_map::of_file_or_shared);
    watched_process process(id, kernel.files());
    CHECK(process.name() == "a (b) c[42]");
    CHECK(process.sights().name() == "soft-dirty bits");
    sweep(process);
    CHECK(kernel.read("42/clear_refs") == "4");
    CHECK(process.ages().now().total() == 2);
    CHECK(process.ages().now().at(0) == 1);
    CHECK(process.ages().now().at(1) == 1); // the looks follow the finding at once
    sweep(process);
    CHECK(process.ages().now().at(0) == 1);
    CHECK(process.ages().now().at(2) == 1);
    CHECK(process.ages().check());
}

TEST_CASE("watched_process: by idle bits, of which the kernel's file has one a frame") {
    fake_kernel kernel;
    kernel.write("bitmap", "");
    kernel.frame(256, 0);
    kernel.entry(0, page_map::present | 64);
    kernel.entry(1, page_map::present | 131);
    kernel.entry(3, page_map::present); // the kernel does not tell the frame
    watched_process process(id, kernel.files());
    CHECK(process.sights().name() == "idle page tracking");
    sweep(process);
    CHECK(process.ages().now().at(0) == 3);
    sweep(process); // their bits are still set
    sweep(process);
    CHECK(process.ages().now().at(0) == 1);
    CHECK(process.ages().now().at(2) == 2);
    kernel.frame(131, 0);
    sweep(process);
    CHECK(process.ages().now().at(0) == 2);
    CHECK(process.ages().now().at(3) == 1);
    CHECK(process.ages().accesses().at(2) == 1);
}

TEST_CASE("watched_process: by contents, where the kernel has neither") {
    fake_kernel kernel;
    kernel.is_soft_dirty_known = false;
    kernel.write("42/clear_refs", "");
    for (std::size_t page = 0; page < 3; ++page) {
        kernel.entry(page, page_map::present);
        kernel.content(page, page + 1);
    }
    const auto sights = sights_by_contents(id, kernel.files());
    REQUIRE(sights->begin_sweep());
    CHECK_FALSE(sights->blind_to().empty());
    CHECK(sights->was_accessed(0, start, 0)); // for the first time
    CHECK_FALSE(sights->was_accessed(0, start, 0));
    CHECK(sights->was_accessed(0, start + page_bytes, 0)); // the number is another page's now
    kernel.content(1, 9);
    CHECK(sights->was_accessed(0, start + page_bytes, 0));
    CHECK_FALSE(sights->was_accessed(0, start + page_bytes, 0));
    CHECK(sights->was_accessed(5, start + 1000 * page_bytes, 0)); // can't be read: not called idle
    CHECK(sights->was_accessed(5, start + 1000 * page_bytes, 0));
}

TEST_CASE("watched_process: no step looks at more than it was told") {
    fake_kernel kernel;
    kernel.map(10);
    for (std::size_t page = 0; page < 10; ++page) {
        kernel.entry(page, page_map::present);
    }
    watched_process process(id, kernel.files());
    CHECK(process.step(4) == watched_process::outcome::more);
    CHECK(process.ages().now().total() == 4);
    CHECK(process.step(4) == watched_process::outcome::more);
    CHECK(process.ages().now().total() == 8);
    CHECK(process.step(4) == watched_process::outcome::more);
    CHECK(process.ages().now().total() == 10);
    CHECK(process.ages().now().at(0) == 10);
    CHECK(process.step(4) == watched_process::outcome::more);
    CHECK(process.ages().now().at(1) == 4);
}

TEST_CASE("watched_process: pages come and go, more than there was room for") {
    constexpr std::size_t pages = 10'000;
    fake_kernel kernel;
    kernel.map(pages);
    for (std::size_t page = 0; page < pages; ++page) {
        kernel.entry(page, page_map::present);
    }
    watched_process process(id, kernel.files());
    sweep(process);
    sweep(process, 777);
    CHECK(process.ages().now().at(2) == pages);
    for (std::size_t page = 0; page < pages; page += 2) {
        kernel.entry(page, 0);
    }
    sweep(process);
    CHECK(process.ages().now().at(3) == pages / 2);
    CHECK(process.ages().now().total() == pages / 2);
    const std::size_t room = process.ages().pages();
    for (std::size_t page = 0; page < pages; page += 2) { // theirs are the numbers of those that went
        kernel.entry(page, page_map::present);
    }
    sweep(process);
    CHECK(process.ages().pages() == room);
    CHECK(process.ages().now().at(1) == pages / 2);
    CHECK(process.ages().now().at(4) == pages / 2);
    CHECK(process.ages().check());
    kernel.map(1); // the rest is no longer mapped
    for (std::size_t page = 1; page < pages; ++page) {
        kernel.entry(page, 0);
    }
    sweep(process);
    CHECK(process.ages().now().total() == 1);
}

TEST_CASE("watched_process: a process that ended, or is another one of the same id, is not watched on") {
    fake_kernel kernel;
    kernel.entry(0, page_map::present);
    watched_process process(id, kernel.files());
    sweep(process);
    SUBCASE("a zombie has no mappings") { kernel.unmap(); }
    SUBCASE("another one started later") { kernel.started(1001); }
    SUBCASE("its folder is gone") { std::filesystem::remove_all(kernel.files().processes + "/42"); }
    SUBCASE("all pages left") { kernel.entry(0, 0); }
    SUBCASE("its name says what a start time may look like") { kernel.write("42/stat", "42 (1 1 1 1000)"); }
    watched_process::outcome what = watched_process::outcome::more;
    for (int steps = 0; what == watched_process::outcome::more && steps < 10; ++steps) {
        what = process.step(100'000);
    }
    CHECK(what == watched_process::outcome::ended);
}

TEST_CASE("watched_process: there is none of that id") {
    fake_kernel kernel;
    CHECK_THROWS_AS(watched_process(43, kernel.files()), failure);
}

} // namespace
} // namespace page_report
