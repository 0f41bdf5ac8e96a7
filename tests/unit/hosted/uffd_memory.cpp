// SPDX-License-Identifier: MIT
#include "support/uffd_skip.hpp"

#include <pagefold/hosted/uffd_memory.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace pagefold::testing::unit_hosted_uffd_memory {
namespace {

constexpr std::size_t page = 4096;

uffd_memory_options options_of(uffd_backing backing, eviction_method eviction, clean_tracking tracking) {
    uffd_memory_options o;
    o.pages = 16;
    o.frames = 16;
    o.backing = backing;
    o.eviction = eviction;
    o.tracking = tracking;
    return o;
}
std::vector<std::byte> filled(std::size_t pages, int value) {
    return std::vector<std::byte>(pages * page, static_cast<std::byte>(value));
}

TEST_CASE("uffd_memory: what does not go together is refused with a reason") {
    if (lacks_uffd(uffd_abi::feature_move | uffd_abi::feature_wp_async | uffd_abi::feature_wp_shmem)) {
        return;
    }
    uffd_memory memory;
    CHECK(memory.open(options_of(uffd_backing::shared, eviction_method::move, clean_tracking::none)) ==
          status::invalid);
    CHECK(std::string(memory.reason()).find("MOVE") != std::string::npos);
    CHECK(memory.open(options_of(uffd_backing::anonymous, eviction_method::protect, clean_tracking::scan)) ==
          status::invalid);
    CHECK(std::string(memory.reason()).find("WP_ASYNC") != std::string::npos);
    CHECK_FALSE(memory.descriptor().is_open());
}

TEST_CASE("uffd_memory: automatic takes the best that there is") {
    if (lacks_uffd(uffd_abi::feature_wp)) {
        return;
    }
    uffd_memory memory;
    REQUIRE(memory.open(options_of(uffd_backing::anonymous, eviction_method::automatic, clean_tracking::automatic)) ==
            status::ok);
    const bool has_move = (uffd::supported_features() & uffd_abi::feature_move) != 0;
    CHECK(memory.eviction() == (has_move ? eviction_method::move : eviction_method::protect));
    CHECK(memory.tracking() != clean_tracking::automatic);
    CHECK(memory.frames() == (has_move ? 16 : 0));
    CHECK(memory.file() == -1);
}

TEST_CASE("uffd_memory: pages move to frames in their distances") {
    if (lacks_uffd(uffd_abi::feature_move)) {
        return;
    }
    uffd_memory memory;
    REQUIRE(memory.open(options_of(uffd_backing::anonymous, eviction_method::move, clean_tracking::none)) ==
            status::ok);
    REQUIRE(memory.bring(2, filled(1, 2).data(), 1, false).ok());
    REQUIRE(memory.bring(4, filled(2, 4).data(), 2, false).ok());
    CHECK(memory.bring(3, filled(3, 9).data(), 3, false).error == EEXIST);
    const uffd_outcome moved = memory.move_out(2, 4, 8);
    CHECK(moved.ok());
    CHECK(moved.done == 4);
    CHECK(memory.frame(8)[0] == std::byte{2});
    CHECK(memory.frame(9)[0] == std::byte{9});
    CHECK(memory.frame(11)[page - 1] == std::byte{4});
    memory.drop_frames(8, 4);
    CHECK(memory.bring(2, filled(4, 1).data(), 4, false).ok());
}

TEST_CASE("uffd_memory: a page that move_out did not count is in one place afterwards, with its bytes") {
    if (lacks_uffd(uffd_abi::feature_move)) {
        return;
    }
    uffd_memory memory;
    REQUIRE(memory.open(options_of(uffd_backing::anonymous, eviction_method::move, clean_tracking::none)) ==
            status::ok);
    const auto holds = [](const std::byte* at, int value) {
        return std::memcmp(at, filled(1, value).data(), page) == 0;
    };
    SUBCASE("it had moved") {
        REQUIRE(memory.bring(2, filled(1, 2).data(), 1, false).ok());
        REQUIRE(memory.move_out(2, 1, 8).ok());
        CHECK(memory.look_after(2, 8) == refused_move::brought_back);
        CHECK(memory.bring(2, filled(1, 9).data(), 1, false).error == EEXIST);
        CHECK(holds(memory.page(2), 2));
    }
    SUBCASE("it is where it was, and the frame has something else") {
        REQUIRE(memory.bring(2, filled(2, 2).data(), 2, false).ok());
        REQUIRE(memory.move_out(3, 1, 8).ok());
        CHECK(memory.look_after(2, 8) == refused_move::stays);
        CHECK(holds(memory.page(2), 2));
    }
    SUBCASE("it can move now") {
        REQUIRE(memory.bring(2, filled(1, 2).data(), 1, false).ok());
        CHECK(memory.look_after(2, 9) == refused_move::in_frame);
        CHECK(holds(memory.frame(9), 2));
    }
    SUBCASE("there is none") { CHECK(memory.look_after(2, 8) == refused_move::stays); }
    REQUIRE(memory.bring(12, filled(1, 12).data(), 1, false).ok());
    CHECK(memory.move_out(12, 1, 8).ok()); // the frame is empty again
    CHECK(holds(memory.frame(8), 12));
}

TEST_CASE("uffd_memory: written pages are told from those that were not") {
    if (lacks_uffd(uffd_abi::feature_move | uffd_abi::feature_wp_async)) {
        return;
    }
    uffd_memory memory;
    REQUIRE(memory.open(options_of(uffd_backing::anonymous, eviction_method::move, clean_tracking::scan)) ==
            status::ok);
    REQUIRE(memory.bring(0, filled(8, 1).data(), 8, true).ok());
    memory.page(1)[7] = std::byte{2};
    memory.page(6)[7] = std::byte{2};
    std::vector<std::size_t> found;
    CHECK(memory.for_each_written(0, 8, [&](std::size_t i) { found.push_back(i); }));
    CHECK(found == std::vector<std::size_t>{1, 6});
}

TEST_CASE("uffd_memory: dropped pages give their memory back, a shared file's as well") {
    if (lacks_uffd(uffd_abi::feature_missing_shmem | uffd_abi::feature_wp_shmem)) {
        return;
    }
    for (const uffd_backing backing : {uffd_backing::anonymous, uffd_backing::shared}) {
        uffd_memory memory;
        REQUIRE(memory.open(options_of(backing, eviction_method::protect, clean_tracking::protect)) == status::ok);
        REQUIRE(memory.bring(0, filled(4, 1).data(), 4, true).ok());
        CHECK(memory.protect(0, 4));
        CHECK(memory.drop(1, 2));
        CHECK(memory.bring(1, filled(2, 5).data(), 2, false).ok());
        CHECK(memory.page(2)[0] == std::byte{5});
        CHECK(memory.bring(0, filled(1, 5).data(), 1, false).error == EEXIST);
        CHECK(memory.unprotect(0, 4));
        CHECK((memory.file() >= 0) == (backing == uffd_backing::shared));
        memory.page(0)[0] = std::byte{8};
        CHECK(memory.page(0)[0] == std::byte{8});
    }
}

TEST_CASE("uffd_memory: who touches a lost page is told by a signal") {
    if (lacks_uffd()) {
        return;
    }
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        std::signal(SIGSEGV, SIG_DFL); // the test's own handler
        std::signal(SIGBUS, SIG_DFL);
        uffd_memory memory;
        if (memory.open(options_of(uffd_backing::anonymous, eviction_method::automatic, clean_tracking::none)) !=
            status::ok) {
            _exit(1);
        }
        memory.lose(3);
        memory.lose(3); // by another thread that waited for it
        _exit(*static_cast<volatile std::byte*>(memory.page(3)) == std::byte{0} ? 2 : 3);
    }
    int how = 0;
    REQUIRE(waitpid(child, &how, 0) == child);
    REQUIRE(WIFSIGNALED(how));
    CHECK(WTERMSIG(how) == ((uffd::supported_features() & uffd_abi::feature_poison) != 0 ? SIGBUS : SIGSEGV));
}

} // namespace
} // namespace pagefold::testing::unit_hosted_uffd_memory
