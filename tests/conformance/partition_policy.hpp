// SPDX-License-Identifier: MIT
#pragma once

// The contract of a partition policy (the table in place/concept.hpp) as a function that names the clauses it breaks.

#include <pagefold/place/concept.hpp>

#include <support/rng.hpp>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

namespace pagefold::testing {

enum class placement_clause {
    home_in_range,    ///< home is below count
    home_is_stable,   ///< the same arguments give the same home
    extent_together,  ///< all pages of an extent have one home
    spill_in_range,   ///< a spill is below count
    spills_elsewhere, ///< attempts 0 .. count − 2 give every other partition once
    node_is_stable,   ///< a partition's node is always the same
};

[[nodiscard]] inline const char* to_string(placement_clause clause) noexcept {
    switch (clause) {
    case placement_clause::home_in_range: return "home_in_range";
    case placement_clause::home_is_stable: return "home_is_stable";
    case placement_clause::extent_together: return "extent_together";
    case placement_clause::spill_in_range: return "spill_in_range";
    case placement_clause::spills_elsewhere: return "spills_elsewhere";
    case placement_clause::node_is_stable: return "node_is_stable";
    }
    return "unknown";
}

template <partition_policy Policy>
[[nodiscard]] std::set<placement_clause> placement_violations(const Policy& policy) {
    using clause = placement_clause;
    std::set<clause> broken;
    const auto expect = [&](bool holds, clause which) {
        if (!holds) {
            broken.insert(which);
        }
    };
    rng random{5};
    for (const std::size_t count : {1u, 2u, 3u, 7u, 8u, 100u, 1024u}) {
        for (int round = 0; round < 200; ++round) {
            const std::uint64_t extent = random() % (max_page_index / extent_pages);
            page_key key{static_cast<pool_id>(random()), random.one_in(2) ? random() : random.below(10),
                         extent * extent_pages};
            const std::uint64_t hash = random.one_in(4) ? (random.one_in(2) ? ~std::uint64_t{0} : 0) : random();
            const node_id wish = random.one_in(2) ? any_node : static_cast<node_id>(random.below(4));
            const partition_id home = policy.home(key, hash, wish, count);
            expect(home < count, clause::home_in_range);
            const bool is_stable = policy.home(key, hash, wish, count) == home;
            expect(is_stable, clause::home_is_stable);
            for (const unsigned page : {1u, 2u, extent_pages / 2, extent_pages - 1}) {
                key.index = extent * extent_pages + page;
                expect(!is_stable || policy.home(key, hash, wish, count) == home, clause::extent_together);
            }
        }
        for (partition_id home = 0; home < count; home += 1 + count / 20) {
            std::set<partition_id> reached{home};
            for (std::size_t attempt = 0; attempt + 1 < count; ++attempt) {
                const partition_id other = policy.spill(home, attempt, count);
                expect(other < count, clause::spill_in_range);
                expect(other >= count || reached.insert(other).second, clause::spills_elsewhere);
            }
            const node_id node = policy.node(home);
            expect(policy.node(home) == node, clause::node_is_stable);
        }
    }
    return broken;
}

/// The same as one line, for messages; empty for none.
[[nodiscard]] inline std::string describe(const std::set<placement_clause>& broken) {
    std::string line;
    for (const placement_clause clause : broken) {
        line += (line.empty() ? "" : ", ") + std::string{to_string(clause)};
    }
    return line;
}

} // namespace pagefold::testing
