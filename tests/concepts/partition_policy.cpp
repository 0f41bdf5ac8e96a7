// SPDX-License-Identifier: MIT
//
// The smallest partition policy, and one wrong one for each clause: those that break the signatures must be no policy,
// those that break the behaviour must be convicted by the conformance suite of just that.

#include <conformance/partition_policy.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::concepts_partition_policy {
namespace {

struct smallest {
    partition_id home(const page_key&, std::uint64_t, node_id, std::size_t) const noexcept { return 0; }
    partition_id spill(partition_id home, std::size_t attempt, std::size_t count) const noexcept {
        return (home + attempt + 1) % count;
    }
    node_id node(partition_id) const noexcept { return any_node; }
};
static_assert(partition_policy<smallest>);

struct without_home : smallest {
    partition_id home(const page_key&, std::uint64_t, node_id, std::size_t) const noexcept = delete;
};
struct home_of_int : smallest {
    int home(const page_key&, std::uint64_t, node_id, std::size_t) const noexcept { return 0; }
};
struct home_may_throw : smallest {
    partition_id home(const page_key&, std::uint64_t, node_id, std::size_t) const { return 0; }
};
struct home_without_hash : smallest {
    partition_id home(const page_key&, node_id, std::size_t) const noexcept { return 0; }
};
struct home_changes_policy : smallest {
    partition_id home(const page_key&, std::uint64_t, node_id, std::size_t) noexcept { return 0; }
};
static_assert(!partition_policy<without_home>);
static_assert(!partition_policy<home_of_int>);
static_assert(!partition_policy<home_may_throw>);
static_assert(!partition_policy<home_without_hash>);
static_assert(!partition_policy<home_changes_policy>);

struct without_spill : smallest {
    partition_id spill(partition_id, std::size_t, std::size_t) const noexcept = delete;
};
struct spill_of_int : smallest {
    int spill(partition_id, std::size_t, std::size_t) const noexcept { return 0; }
};
struct spill_may_throw : smallest {
    partition_id spill(partition_id, std::size_t, std::size_t) const { return 0; }
};
struct spill_changes_policy : smallest {
    partition_id spill(partition_id, std::size_t, std::size_t) noexcept { return 0; }
};
static_assert(!partition_policy<without_spill>);
static_assert(!partition_policy<spill_of_int>);
static_assert(!partition_policy<spill_may_throw>);
static_assert(!partition_policy<spill_changes_policy>);

struct without_node : smallest {
    node_id node(partition_id) const noexcept = delete;
};
struct node_of_int : smallest {
    int node(partition_id) const noexcept { return 0; }
};
struct node_may_throw : smallest {
    node_id node(partition_id) const { return any_node; }
};
struct node_changes_policy : smallest {
    node_id node(partition_id) noexcept { return any_node; }
};
static_assert(!partition_policy<without_node>);
static_assert(!partition_policy<node_of_int>);
static_assert(!partition_policy<node_may_throw>);
static_assert(!partition_policy<node_changes_policy>);

struct home_beyond_the_last : smallest {
    partition_id home(const page_key&, std::uint64_t, node_id, std::size_t count) const noexcept { return count; }
};
struct home_by_turns : smallest {
    static inline std::size_t turn = 0;
    partition_id home(const page_key&, std::uint64_t, node_id, std::size_t count) const noexcept {
        return ++turn % 2 % count;
    }
};
struct home_by_page : smallest {
    partition_id home(const page_key& key, std::uint64_t, node_id, std::size_t count) const noexcept {
        return key.index % count;
    }
};
struct spill_beyond_the_last : smallest {
    partition_id spill(partition_id home, std::size_t attempt, std::size_t count) const noexcept {
        const partition_id other = smallest::spill(home, attempt, count);
        return other == 0 ? count : other;
    }
};
struct spills_to_home : smallest {
    partition_id spill(partition_id home, std::size_t attempt, std::size_t count) const noexcept {
        return (home + attempt) % count;
    }
};
struct spills_to_the_next_only : smallest {
    partition_id spill(partition_id home, std::size_t, std::size_t count) const noexcept { return (home + 1) % count; }
};
struct node_by_turns : smallest {
    static inline unsigned turn = 0;
    node_id node(partition_id) const noexcept { return static_cast<node_id>(++turn % 2); }
};

TEST_CASE("the suite finds nothing in a partition policy that keeps its contract") {
    CHECK(describe(placement_violations(smallest{})) == "");
}

TEST_CASE("the suite convicts a partition policy of the clause that it breaks") {
    CHECK(describe(placement_violations(home_beyond_the_last{})) == "home_in_range");
    CHECK(describe(placement_violations(home_by_turns{})) == "home_is_stable");
    CHECK(describe(placement_violations(home_by_page{})) == "extent_together");
    CHECK(describe(placement_violations(spill_beyond_the_last{})) == "spill_in_range");
    CHECK(describe(placement_violations(spills_to_home{})) == "spills_elsewhere");
    CHECK(describe(placement_violations(spills_to_the_next_only{})) == "spills_elsewhere");
    CHECK(describe(placement_violations(node_by_turns{})) == "node_is_stable");
}

} // namespace
} // namespace pagefold::testing::concepts_partition_policy
