// SPDX-License-Identifier: MIT
#include <pagefold/hosted/numa_calls.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <sys/mman.h>
#include <unistd.h>

namespace pagefold::testing::unit_hosted_numa_calls {
namespace {

TEST_CASE("node_mask: every node that a kernel can have, and no more") {
    node_mask mask;
    for (const unsigned node : {0u, 1u, 63u, 64u, 1022u, 1023u}) {
        CHECK_FALSE(mask.contains(node));
        mask.insert(node);
        CHECK(mask.contains(node));
    }
    CHECK_FALSE(mask.contains(2));
    CHECK_FALSE(mask.contains(65));
    const node_mask before = mask;
    for (const unsigned beyond : {1024u, 1025u, ~0u}) {
        mask.insert(beyond);
        CHECK_FALSE(mask.contains(beyond));
    }
    CHECK(std::memcmp(mask.words(), before.words(), node_mask::max_nodes / 8) == 0);
    CHECK(node_mask{node_id{70}}.contains(70));
    CHECK_FALSE(node_mask{node_id{70}}.contains(6));
}

TEST_CASE("numa_calls: pages are brought in, with what was in them, on a node that may be used") {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    constexpr std::size_t count = 8;
    auto* const base = static_cast<unsigned char*>(
        mmap(nullptr, count * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(base != MAP_FAILED);
    madvise(base, count * page, MADV_NOHUGEPAGE);
    base[2 * page + 5] = 77;
    node_mask allowed;
    const bool is_numa = numa_calls::allowed_nodes(allowed);
    if (is_numa) {
        void* pages[count];
        int nodes[count];
        for (std::size_t i = 0; i < count; ++i) {
            pages[i] = base + i * page;
        }
        REQUIRE(numa_calls::nodes_of(pages, count, nodes));
        for (std::size_t i = 0; i < count; ++i) {
            CHECK((nodes[i] >= 0) == (i == 2));
        }
        CHECK(numa_calls::populate(base, count * page, page));
        REQUIRE(numa_calls::nodes_of(pages, count, nodes));
        for (const int node : nodes) {
            CHECK(node >= 0);
            CHECK(allowed.contains(static_cast<unsigned>(node)));
        }
        CHECK(numa_calls::prefer_node(base, count * page, static_cast<node_id>(nodes[0])));
        CHECK_FALSE(numa_calls::prefer_node(base, count * page, node_id{1023}));
        CHECK(errno == EINVAL);
        for (const node_id beyond : {node_id{1024}, strictly(node_id{0}), any_node}) {
            errno = 0;
            CHECK_FALSE(numa_calls::prefer_node(base, count * page, beyond));
            CHECK(errno == EINVAL);
        }
    } else {
        CHECK(numa_calls::populate(base, count * page, page));
    }
    CHECK(base[2 * page + 5] == 77);
    CHECK(base[3 * page] == 0);
    munmap(base, count * page);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_numa_calls
