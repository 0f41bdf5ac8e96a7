// SPDX-License-Identifier: MIT
//
// On whatever machine this is: most have one node. Machines with several are in tests/numa.

#include <pagefold/hosted/numa_source.hpp>

#include "conformance/page_source.hpp"
#include "support/sanitized.hpp"
#include "support/soft_limit.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstring>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace pagefold::testing::unit_hosted_numa_source {
namespace {

static_assert(node_page_source<numa_source<>> && trimmable_page_source<numa_source<>>);

TEST_CASE("numa_source: the contract of a page source") {
    numa_source<> source{{.capacity_bytes = 8 << 20}};
    CHECK(page_source_violation(source, 3000) == "");
    CHECK(source.check());
}

TEST_CASE("numa_source: memory of each node, strictly or not, with a range of its own") {
    numa_source<> source;
    const numa_topology& t = source.topology();
    std::vector<void*> held;
    for (const node_id node : t) {
        for (const node_id wish : {node, strictly(node)}) {
            CHECK(source.node_status(node) == status::ok);
            const auto run = source.acquire(7, wish);
            REQUIRE(run);
            std::memset(*run, 1, 7 * source.page_size());
            CHECK(source.acquired_bytes(wish) == 7 * source.page_size());
            held.push_back(*run);
        }
        CHECK(source.pages_elsewhere(strictly(node)) == 0);
    }
    const auto anywhere = source.acquire(2, any_node);
    REQUIRE(anywhere);
    CHECK(source.acquired_bytes(any_node) == 2 * source.page_size());
    source.release(*anywhere, 2);
    for (void* const p : held) {
        source.release(p, 7);
    }
    for (const node_id node : t) {
        CHECK(source.acquired_bytes(node) + source.acquired_bytes(strictly(node)) == 0);
    }
    CHECK(source.check());
}

TEST_CASE("numa_source: a node that there isn't") {
    numa_source<> source;
    for (const node_id stranger : {node_id{1023}, node_id{0x7ffe}}) {
        CHECK(source.node_status(stranger) == status::invalid);
        CHECK(source.acquire(1, stranger).error() == status::invalid);
        CHECK(source.acquire(1, strictly(stranger)).error() == status::invalid);
        CHECK(source.acquired_bytes(stranger) == 0);
        CHECK(source.fallbacks(stranger) == 0);
        CHECK(source.pages_elsewhere(stranger) == 0);
    }
    CHECK(source.node_status(any_node) == status::ok);
}

TEST_CASE("numa_source: where the process may have few addresses, each node has memory all the same") {
    if (is_sanitized) {
        MESSAGE("skipped: this machine runs a sanitizer, which has terabytes of addresses of its own");
        return;
    }
    // All ranges of the usual size don't fit under the first, none does under the last.
    for (const std::size_t gibibytes : {std::size_t{40}, std::size_t{3}}) {
        const pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            bool is_right = set_limit(RLIMIT_AS, static_cast<rlim_t>(gibibytes) << 30);
            {
                numa_source<> asking{{.capacity_bytes = std::size_t{64} << 30}}; // what the host says is not cut
                is_right = is_right && asking.acquire(1, any_node).error() == status::no_memory;
            }
            numa_source<> source;
            is_right = is_right && source.acquire(1, any_node);
            for (const node_id node : source.topology()) {
                is_right = is_right && source.acquire(1, node) && source.acquire(1, strictly(node));
            }
            _exit(is_right && source.check() ? 0 : 1);
        }
        int ended = 0;
        CHECK(waitpid(child, &ended, 0) == child);
        CHECK(ended == 0);
    }
}

TEST_CASE("numa_source: stands still, and goes on") {
    numa_source<> source;
    CHECK(source.quiesce() == status::ok);
    source.resume();
    const auto one = source.acquire(1, source.topology().node(0));
    REQUIRE(one);
    CHECK(source.quiesce() == status::ok);
    source.resume_alone();
    source.release(*one, 1);
    CHECK(source.trim() % source.page_size() == 0);
    CHECK(source.check());
}

TEST_CASE("numa_source: what is at home stays there, what is idle is given up, and contents are kept") {
    numa_source<> source;
    for (const node_id node : source.topology()) {
        for (const node_id wish : {node, strictly(node)}) {
            static_cast<void>(source.trim());
            void* const kept = source.acquire(300, wish).value();
            void* const idle = source.acquire(1000, wish).value();
            std::memset(kept, 0x3c, 300 * source.page_size());
            source.release(idle, 1000);
            CHECK(source.bring_home(wish) == 0);
            CHECK((source.trim() == 0 || !source.topology().is_numa()));
            CHECK(source.pages_elsewhere(wish) == 0);
            for (std::size_t i = 0; i < 300 * source.page_size(); i += 64) {
                REQUIRE(static_cast<const unsigned char*>(kept)[i] == 0x3c);
            }
            CHECK(source.check());
            source.release(kept, 300);
        }
    }
    CHECK(source.bring_home(any_node) == 0);
    CHECK(source.bring_home(node_id{1023}) == 0);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_numa_source
