// SPDX-License-Identifier: MIT
#pragma once

#include "machine.hpp"
#include "verdict.hpp"

#include <pagefold/hosted/node_placement.hpp>
#include <pagefold/hosted/uffd_pager.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

// Regions whose resident pages are on one node, and what doesn't fit strictly on that one or on another.

namespace pagefold::testing::numa {

inline void prove_pager(machine& m, node_id memory, node_id cold) {
    constexpr std::size_t pages = 512;
    uffd_pager<store_type> pager{m.store};
    uffd_pager_options options;
    options.bytes = pages * page_size;
    options.budget_bytes = options.bytes / 4;
    options.delivery = fault_delivery::signal;
    options.memory_node = memory;
    options.pool = {.node = cold, .strict_node = true};
    expect(pager.open(options) == status::ok, "no region: " + std::string{pager.reason()});
    const auto bytes_on = [&](node_id node) { return m.store.stats(node).value().total_bytes; };
    const std::uint64_t before = bytes_on(cold);
    std::byte* const region = pager.memory().data();
    for (std::uint64_t round = 1; round <= 2; ++round) {
        for (std::size_t i = 0; i < pages; ++i) {
            m.sample();
            const page content = page_of(round * pages + i);
            std::memcpy(region + i * page_size, content.data(), page_size);
        }
        for (std::size_t i = 0; i < pages; ++i) {
            const page content = page_of(round * pages + i);
            expect(std::memcmp(region + i * page_size, content.data(), page_size) == 0, "a region has a wrong page");
        }
    }
    const uffd_pager_stats s = pager.statistics();
    expect(s.stored_pages >= pages / 2 && s.resident_bytes >= pages / 8 * page_size, "a region that is not paged");
    expect(bytes_on(cold) >= before + pages / 2 * page_size / 2, "the pages of a region are not on its pool's node");
    const node_placement asking{memory, node_exhausted::refuse, false};
    const std::size_t wrong = m.topology().is_numa() ? asking.pages_elsewhere(region, options.bytes, page_size) : 0;
    expect(wrong == 0, std::to_string(wrong) + " resident pages on a wrong node");
    const std::string at = std::to_string(static_cast<unsigned>(memory)),
                      far = std::to_string(static_cast<unsigned>(cold));
    const std::string when = "paging on node " + at + (memory != cold ? ", cold on " + far : "");
    m.check(when.c_str());
    expect(pager.check(), "a pager's tables are wrong");
}

/// Each node with a pool of its own, and one whose cold pages are on the furthest.
inline void prove_pagers(machine& m) {
    uffd probe;
    if (probe.open(0) != status::ok) {
        std::printf("numa: no pagers: %s\n", probe.reason());
        return;
    }
    for (const node_id node : m.topology()) {
        prove_pager(m, node, node);
    }
    prove_pager(m, m.topology().node(0), m.topology().node(m.topology().count() - 1));
}

} // namespace pagefold::testing::numa
