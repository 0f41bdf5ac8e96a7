// SPDX-License-Identifier: MIT
#include <pagefold/hosted/psi_monitor.hpp>

#include <pagefold/control/budget.hpp>

#include <support/rng.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace pagefold::testing::unit_hosted_psi_monitor {
namespace {

/// A folder with what a test puts into it; it goes with the test.
class folder {
public:
    folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "psi_monitor.XXXXXX").string();
        path_ = mkdtemp(pattern.data());
    }
    ~folder() { std::filesystem::remove_all(path_); }
    folder(const folder&) = delete;
    folder& operator=(const folder&) = delete;

    [[nodiscard]] const char* path() const { return path_.c_str(); }
    [[nodiscard]] std::string at(const char* name) const { return path_ + "/" + name; }
    void write(const char* name, const std::string& text) const { std::ofstream(at(name), std::ios::binary) << text; }
    void remove(const char* name) const { std::filesystem::remove(at(name)); }

private:
    std::string path_;
};

std::string pressure(std::uint64_t some, std::uint64_t full) {
    return "some avg10=0.12 avg60=0.00 avg300=0.00 total=" + std::to_string(some) +
           "\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=" + std::to_string(full) + "\n";
}

TEST_CASE("psi_monitor: totals of the machine") {
    const folder f;
    f.write("memory", pressure(55'871'449, 40'439'792));
    psi_monitor psi;
    CHECK_FALSE(psi.is_open());
    CHECK(psi.sample().some_us == no_sample);
    REQUIRE(psi.open_system(f.path()) == status::ok);
    CHECK(psi.is_open());
    const psi_sample now = psi.sample();
    CHECK(now.some_us == 55'871'449);
    CHECK(now.full_us == 40'439'792);
    CHECK(now.current_bytes == no_sample);
    CHECK(now.high_events == no_sample);
    CHECK(psi.reason() == std::string());
    f.write("memory", pressure(0, 0));
    CHECK(psi.sample().some_us == 0);
    f.write("memory", pressure(no_sample - 1, no_sample - 1));
    CHECK(psi.sample().full_us == no_sample - 1);
    psi.close();
    CHECK_FALSE(psi.is_open());
    CHECK(psi.sample().some_us == no_sample);
}

TEST_CASE("psi_monitor: a cgroup's pressure, events and memory") {
    const folder f;
    f.write("memory.pressure", pressure(7, 3));
    f.write("memory.events", "low 1\nhigh 22\nmax 333\noom 4\noom_kill 5\noom_group_kill 6\n");
    f.write("memory.current", "123456789\n");
    psi_monitor psi;
    REQUIRE(psi.open_cgroup(f.path()) == status::ok);
    budget_sample sample;
    const psi_sample now = psi.tell(sample);
    CHECK(now.some_us == 7);
    CHECK(now.high_events == 22);
    CHECK(now.max_events == 333);
    CHECK(now.oom_kills == 5);
    CHECK(now.current_bytes == 123'456'789);
    CHECK(sample.stalled_us == 7);
    CHECK(sample.fully_stalled_us == 3);
    CHECK(sample.used_bytes == no_sample);
}

TEST_CASE("psi_monitor: where a cgroup tells events alone they stand for stalls, and go on to") {
    const folder f;
    f.write("memory.events", "low 0\nhigh 2\nmax 1\noom 0\noom_kill 0\n");
    psi_monitor psi;
    REQUIRE(psi.open_cgroup(f.path()) == status::ok);
    budget_sample sample;
    static_cast<void>(psi.tell(sample));
    CHECK(sample.stalled_us == 3 * psi_monitor::us_an_event);
    CHECK(sample.fully_stalled_us == no_sample);
    f.write("memory.pressure", pressure(900'000'000, 1)); // another total: it would look like a rise
    static_cast<void>(psi.tell(sample));
    CHECK(sample.stalled_us == 3 * psi_monitor::us_an_event);
    f.remove("memory.events");
    static_cast<void>(psi.tell(sample));
    CHECK(sample.stalled_us == no_sample);
    f.write("memory.events", "high " + std::to_string(no_sample - 1) + "\nmax 9\n");
    static_cast<void>(psi.tell(sample));
    CHECK(sample.stalled_us == no_sample); // more than can be said
}

TEST_CASE("psi_monitor: a file that vanishes tells nothing until it is there again") {
    const folder f;
    f.write("memory.pressure", pressure(10, 5));
    psi_monitor psi;
    REQUIRE(psi.open_cgroup(f.path()) == status::ok);
    f.remove("memory.pressure");
    for (int i = 0; i < 3; ++i) {
        budget_sample sample;
        sample.stalled_us = 1;
        static_cast<void>(psi.tell(sample));
        CHECK(sample.stalled_us == no_sample);
        CHECK(std::string(psi.reason()).find("gone") != std::string::npos);
        CHECK(psi.error() == ENOENT);
    }
    f.write("memory.pressure", pressure(11, 5));
    CHECK(psi.sample().some_us == 11);
    CHECK(psi.reason() == std::string());
    std::filesystem::remove_all(f.path()); // the cgroup
    CHECK(psi.sample().some_us == no_sample);
    CHECK(psi.is_open());
    std::filesystem::create_directory(f.path());
    f.write("memory.pressure", pressure(1, 0));
    CHECK(psi.sample().some_us == 1);
}

TEST_CASE("psi_monitor: what is cut short tells nothing: a part of a number is another number") {
    const folder f;
    const std::string whole = pressure(55'871'449, 40'439'792);
    f.write("memory", whole);
    psi_monitor psi;
    REQUIRE(psi.open_system(f.path()) == status::ok);
    const std::size_t first_line = whole.find('\n') + 1;
    for (std::size_t length = 0; length <= whole.size(); ++length) {
        f.write("memory", whole.substr(0, length));
        const psi_sample now = psi.sample();
        CHECK(now.some_us == (length < first_line ? no_sample : 55'871'449));
        CHECK(now.full_us == (length < whole.size() ? no_sample : 40'439'792));
    }
}

TEST_CASE("psi_monitor: rubbish tells nothing") {
    const folder f;
    f.write("memory", pressure(1, 1));
    psi_monitor psi;
    REQUIRE(psi.open_system(f.path()) == status::ok);
    for (const char* const text :
         {"some total=\n", "some total=-1\n", "some total=1x\n", "some total= 1\n", "some\n", "sometotal=1\n",
          "total=1\n", "full total=1\n", "some avg10=1.0 subtotal=5\n", "some total=18446744073709551616\n",
          "some total=99999999999999999999999\n", "x some total=1\n", "some TOTAL=1\n"}) {
        INFO(text);
        f.write("memory", text);
        const psi_sample now = psi.sample();
        CHECK(now.some_us == no_sample);
        CHECK(now.full_us == no_sample);
        CHECK(psi.reason() == std::string("the pressure file has no total that makes sense"));
    }
    f.write("memory", "full total=2\nsome total=1\n"); // another order makes sense
    CHECK(psi.sample().some_us == 1);
    CHECK(psi.sample().full_us == 2);
    f.write("memory", std::string("some total=3\n\0\0", 15) + std::string(100'000, 'x'));
    CHECK(psi.sample().some_us == 3);
    rng random{5};
    for (int round = 0; round < 500; ++round) {
        std::string text = pressure(random.below(1'000), random());
        for (std::uint64_t i = random.below(4); i > 0; --i) {
            text[random.below(text.size())] = static_cast<char>(random.below(256));
        }
        f.write("memory", text);
        const psi_sample now = psi.sample();
        REQUIRE((now.some_us == no_sample ||
                 text.find("total=" + std::to_string(now.some_us) + "\n") != std::string::npos ||
                 text.find("total=0") != std::string::npos));
    }
}

TEST_CASE("psi_monitor: opening says what is missing") {
    psi_monitor psi;
    const folder f;
    CHECK(psi.open_system("/nowhere/at/all") == status::invalid);
    CHECK(std::string(psi.reason()).find("CONFIG_PSI") != std::string::npos);
    CHECK_FALSE(psi.is_open());
    CHECK(psi.open_cgroup(f.path()) == status::invalid);
    CHECK(std::string(psi.reason()).find("version 1") != std::string::npos);
    CHECK(psi.open_system(nullptr) == status::invalid);
    CHECK(psi.open_system("") == status::invalid);
    CHECK(psi.open_system(std::string(5'000, 'x').c_str()) == status::invalid);
    CHECK(std::string(psi.reason()).find("too long") != std::string::npos);
    CHECK(psi.open_system(("/" + std::string(psi_monitor::most_path - 3, 'x')).c_str()) == status::invalid);
    std::filesystem::create_directory(f.at("memory"));
    CHECK(psi.open_system(f.path()) == status::invalid);
    CHECK(psi.error() == EISDIR);
    f.remove("memory");
    REQUIRE(mkfifo(f.at("memory").c_str(), 0600) == 0); // nobody writes to it, and nobody waits for that
    CHECK(psi.open_system(f.path()) == status::invalid);
    f.remove("memory");
    if (geteuid() != 0) {
        f.write("memory", pressure(1, 1));
        std::filesystem::permissions(f.at("memory"), std::filesystem::perms::none);
        CHECK(psi.open_system(f.path()) == status::invalid);
        CHECK(std::string(psi.reason()).find("may not be read") != std::string::npos);
    }
}

TEST_CASE("psi_monitor: a process's own cgroup") {
    const folder f;
    psi_monitor psi;
    const std::string list = f.at("list");
    CHECK(psi.open_own_cgroup(list.c_str(), f.path()) == status::invalid); // no list
    f.write("list", "12:memory:/a\n1:name=systemd:/b\n");
    CHECK(psi.open_own_cgroup(list.c_str(), f.path()) == status::invalid);
    CHECK(std::string(psi.reason()).find("in no cgroup of version 2") != std::string::npos);
    f.write("list", "12:memory:/a\n0::/team/job 1\n");
    CHECK(psi.open_own_cgroup(list.c_str(), f.path()) == status::invalid);
    CHECK(std::string(psi.reason()).find("mounted") != std::string::npos);
    for (const char* const below : {"unified", "."}) {
        std::filesystem::create_directories(f.at(below) + "/team/job 1");
        f.write((std::string(below) + "/cgroup.controllers").c_str(), "memory\n");
        f.write((std::string(below) + "/team/job 1/memory.pressure").c_str(), pressure(below[0] == '.' ? 2 : 1, 0));
        REQUIRE(psi.open_own_cgroup(list.c_str(), f.path()) == status::ok);
        CHECK(psi.sample().some_us == (below[0] == '.' ? 2 : 1));
    }
    f.write("list", "0::/" + std::string(psi_monitor::most_path - 10, 'x') + "\n");
    CHECK(psi.open_own_cgroup(list.c_str(), f.path()) == status::invalid);
}

TEST_CASE("psi_monitor: files that come and go move a budget by no more than the time allows") {
    const folder f;
    f.write("memory", pressure(1'000'000'000, 0));
    psi_monitor psi;
    REQUIRE(psi.open_system(f.path()) == status::ok);
    struct {
        std::uint64_t time = 1;
        [[nodiscard]] std::uint64_t now() noexcept { return time; }
    } clock;
    budget_options o;
    o.least_bytes = 1 << 20;
    o.most_bytes = 1 << 30;
    o.start_bytes = 1 << 25;
    budget<decltype(clock)> b{o, clock};
    const auto step = [&] {
        clock.time += 1'000'000'000;
        budget_sample sample;
        static_cast<void>(psi.tell(sample));
        return b.step(sample);
    };
    step();
    for (int round = 0; round < 20; ++round) {
        const std::uint64_t before = b.bytes();
        f.remove("memory");
        CHECK(step() == before);
        f.write("memory",
                pressure(1'000'000'000 + static_cast<std::uint64_t>(round) * 900'000'000, 0)); // a long time's
        CHECK(step() == before);
        f.write("memory", "some total=17\n");
        CHECK(step() == before);
        f.write("memory", "");
        CHECK(step() == before);
    }
}

TEST_CASE("psi_monitor: of this machine") {
    psi_monitor psi;
    if (psi.open_system() != status::ok) {
        MESSAGE("skipped: this machine has no /proc/pressure/memory: ", psi.reason());
        return;
    }
    const psi_sample first = psi.sample();
    REQUIRE(first.some_us != no_sample);
    CHECK(first.full_us <= first.some_us);
    CHECK(psi.sample().some_us >= first.some_us);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_psi_monitor
