// SPDX-License-Identifier: MIT
#include <pagefold/hosted/io_control.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <unistd.h>

namespace pagefold::testing {
namespace {

TEST_CASE("io_control: passes the request and its argument on, and the system's answer back") {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    REQUIRE(write(ends[1], "abc", 3) == 3);
    int readable = 0;
    CHECK(io_control(ends[0], FIONREAD, &readable) == 0);
    CHECK(readable == 3);
    close(ends[0]);
    close(ends[1]);
    errno = 0;
    CHECK(io_control(-1, FIONREAD, &readable) == -1);
    CHECK(errno == EBADF);
}

TEST_CASE("io_control: a request whose highest bit is set arrives whole") {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    errno = 0;
    int argument = 0;
    CHECK(io_control(ends[0], _IOWR('f', 255, int), &argument) ==
          -1); // the kernel's word for a request it does not know
    CHECK(errno == ENOTTY);
    close(ends[0]);
    close(ends[1]);
}

} // namespace
} // namespace pagefold::testing
