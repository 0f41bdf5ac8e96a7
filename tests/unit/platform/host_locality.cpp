// SPDX-License-Identifier: MIT
//
// Of whatever machine this is. Machines with several nodes are in tests/numa.

#include <pagefold/platform/host_locality.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <sched.h>
#include <string>
#include <unistd.h>

namespace pagefold::testing::unit_platform_host_locality {
namespace {

TEST_CASE("host_locality: a thread that is kept to a processor is on that processor's node, and errno stays") {
    cpu_set_t before;
    REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
    unsigned seen = 0;
    for (std::size_t processor = 0; processor < CPU_SETSIZE && seen < 4; ++processor) {
        if (!CPU_ISSET(processor, &before)) {
            continue;
        }
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(processor, &one);
        REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
        errno = 4711;
        const node_id here = host_locality::current();
        CHECK(errno == 4711);
        CHECK_FALSE(is_strict(here));
        const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(processor);
        if (access((folder + "/topology").c_str(), F_OK) == 0 && access("/sys/devices/system/node/node0", F_OK) == 0) {
            const std::string node = folder + "/node" + std::to_string(static_cast<unsigned>(here));
            CHECK(access(node.c_str(), F_OK) == 0);
        } else {
            CHECK(here == node_id{0}); // no nodes in this kernel, or none are told
        }
        ++seen;
    }
    CHECK(seen != 0);
    CHECK(sched_setaffinity(0, sizeof before, &before) == 0);
}

} // namespace
} // namespace pagefold::testing::unit_platform_host_locality
