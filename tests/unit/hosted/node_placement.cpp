// SPDX-License-Identifier: MIT
//
// An mmap_source whose memory must be somewhere, over a placement of the test's own: nodes run out, and the books must hold.
// Real nodes are in tests/numa.

#include <pagefold/hosted/node_placement.hpp>

#include <pagefold/hosted/mmap_source.hpp>

#include "conformance/page_source.hpp"
#include "support/rng.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <set>
#include <vector>

namespace pagefold::testing::unit_hosted_node_placement {
namespace {

/// What the test has to say of a machine, and what was asked of it.
struct machine {
    std::size_t adopted = 0;
    std::size_t brought_in = 0; // bytes
    std::size_t most_at_once = 0;
    std::size_t calls = 0;
    std::size_t refuse_above = ~std::size_t{0}; // calls for more bytes than that
    std::uint64_t refuse_one_in = 0;
    rng random{3};
};
struct told_placement {
    static constexpr bool places = true;
    machine* m;

    void adopt(void*, std::size_t bytes) noexcept { m->adopted += bytes; }
    [[nodiscard]] bool bring_in(void* start, std::size_t bytes, std::size_t page_size) noexcept {
        ++m->calls;
        CHECK(bytes % page_size == 0);
        m->most_at_once = bytes > m->most_at_once ? bytes : m->most_at_once;
        std::memset(start, 0x5a, bytes); // what is brought in and not given back would be seen in the next one's
        if (bytes > m->refuse_above || (m->refuse_one_in != 0 && m->random.one_in(m->refuse_one_in))) {
            return false;
        }
        m->brought_in += bytes;
        return true;
    }
};
using source_type = mmap_source<std_mutex, told_placement>;

TEST_CASE("node_placement: a source brings memory in before it hands it out, a chunk at a time, and once") {
    machine m;
    source_type source{{.capacity_bytes = 64 << 20}, told_placement{&m}};
    CHECK(m.adopted == 64u << 20);
    const std::size_t chunk = source_type::chunk_bytes;
    const auto one = source.acquire(3, any_node);
    REQUIRE(one);
    if (m.most_at_once == chunk) { // with huge pages
        CHECK(m.calls == 1);
        CHECK(source.acquire(100, any_node));
        CHECK(m.calls == 1); // there already
    } else {
        CHECK(m.brought_in == 3 * source.page_size());
    }
    source.release(*one, 3);
    CHECK(source.acquire(3, any_node));
    CHECK(source.check());
}

TEST_CASE("node_placement: where a whole chunk can't be had, the pages that are asked for can") {
    machine m;
    m.refuse_above = 64 << 10;
    source_type source{{.capacity_bytes = 64 << 20}, told_placement{&m}};
    for (int i = 0; i < 500; ++i) {
        const auto run = source.acquire(5, any_node);
        REQUIRE(run);
        CHECK(source.check());
    }
    CHECK(m.brought_in == 500 * 5 * source.page_size());
    CHECK(source.resident_bytes() == source.acquired_bytes());
    m.refuse_above = 0;
    CHECK(source.acquire(5, any_node).error() == status::no_memory);
    CHECK(source.acquire(1000, any_node).error() == status::no_memory);
    CHECK(source.check());
    m.refuse_above = ~std::size_t{0};
    CHECK(source.acquire(1000, any_node));
    CHECK(source.check());
}

TEST_CASE("node_placement: refusals at any time leave the books whole, and no memory that nobody asked for") {
    for (const bool huge : {false, true}) {
        machine m;
        source_type source{{.capacity_bytes = 128 << 20, .retain_bytes = 1 << 20, .huge_pages = huge},
                           told_placement{&m}};
        struct run {
            void* memory;
            std::size_t pages;
        };
        std::vector<run> held;
        rng random{huge ? 8u : 9u};
        for (int i = 0; i < 6000; ++i) {
            m.refuse_one_in = i / 1000 % 2 == 0 ? 3 : 0;
            if (held.empty() || random.below(10) < 6) {
                const std::size_t pages = random.one_in(40) ? 500 + random.below(700) : 1 + random.below(12);
                const std::size_t before = source.acquired_bytes();
                if (const auto memory = source.acquire(pages, any_node)) {
                    held.push_back({*memory, pages});
                    std::memset(*memory, 1, pages * source.page_size());
                } else {
                    CHECK(memory.error() == status::no_memory);
                    CHECK(source.acquired_bytes() == before);
                }
            } else {
                const std::size_t at = random.below(held.size());
                source.release(held[at].memory, held[at].pages);
                held[at] = held.back();
                held.pop_back();
            }
            if (random.one_in(300)) {
                source.trim();
                CHECK(source.resident_bytes() == source.acquired_bytes());
            }
            REQUIRE(source.check());
        }
        std::size_t pages = 0;
        source.for_each_acquired([&](void*, std::size_t bytes) { pages += bytes / source.page_size(); });
        CHECK(pages * source.page_size() == source.acquired_bytes());
        for (const run& r : held) {
            CHECK(source.owns(r.memory));
            source.release(r.memory, r.pages);
        }
        CHECK_FALSE(source.owns(&source));
        CHECK(source.check());
    }
}

TEST_CASE("node_placement: the contract of a page source") {
    machine m;
    // A source that can keep to its node doesn't ask for which: numa_source does.
    struct of_one_node {
        source_type& inner;
        std::size_t page_size() const noexcept { return inner.page_size(); }
        result<void*> acquire(std::size_t pages, node_id node) noexcept {
            return is_strict(node) ? result<void*>{status::invalid} : inner.acquire(pages, node);
        }
        void release(void* p, std::size_t pages) noexcept { inner.release(p, pages); }
        std::size_t trim() noexcept { return inner.trim(); }
    };
    source_type source{{.capacity_bytes = 8 << 20}, told_placement{&m}};
    of_one_node one{source};
    CHECK(page_source_violation(one, 3000) == "");
}

TEST_CASE("node_placement: a node that the kernel doesn't have is not bound, and gives nothing") {
    node_placement nowhere{node_id{1000}, node_exhausted::refuse, false};
    alignas(4096) static std::byte page[4096];
    nowhere.adopt(page, sizeof page);
    CHECK_FALSE(nowhere.is_bound());
    CHECK_FALSE(nowhere.bring_in(page, sizeof page, sizeof page));
}

} // namespace
} // namespace pagefold::testing::unit_hosted_node_placement
