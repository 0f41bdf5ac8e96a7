// SPDX-License-Identifier: MIT
//
// On whatever machine this is: most have one node. Machines with several are in tests/numa.

#include <pagefold/hosted/numa_source.hpp>

#include "conformance/page_source.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstring>
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

} // namespace
} // namespace pagefold::testing::unit_hosted_numa_source
