// SPDX-License-Identifier: MIT

// Threads on shared pages of one store, over a source that refuses, while another thread turns every knob; and an oracle
// that knows of every read what it may have brought (support/store_oracle.hpp).
//
// PAGEFOLD_ORACLE_OPERATIONS: how many operations on pages, all contests together; 10 million where nothing slows them.
// PAGEFOLD_ORACLE_SEED: where chance begins. PAGEFOLD_ORACLE_COLD: the source may refuse the very first scratch as well.

#include "support/environment.hpp"
#include "support/four_nodes.hpp"
#include "support/oracle_source.hpp"
#include "support/store_configs.hpp"
#include "support/store_contest.hpp"
#include "support/tsan_ordered.hpp"

#include <pagefold/admit/ratio.hpp>
#include <pagefold/alloc/tlsf.hpp>
#include <pagefold/alloc/xv.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/hosted/std_mutex.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace stress_store_oracle {

namespace {

using namespace pagefold;
using namespace pagefold::testing;

#if defined(__SANITIZE_ADDRESS__)
#define PAGEFOLD_TEST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PAGEFOLD_TEST_ASAN 1
#endif
#endif
#ifndef PAGEFOLD_TEST_ASAN
#define PAGEFOLD_TEST_ASAN 0
#endif

constexpr std::uint64_t default_operations = PAGEFOLD_TEST_TSAN ? 400'000 : PAGEFOLD_TEST_ASAN ? 1'500'000 : 10'000'000;
constexpr std::uint64_t enough_for_all_answers = 500'000;

struct picky : ratio {
    constexpr picky() noexcept : ratio{980, admission::reject} {}
};
struct lru_config : default_config {
    using eviction_type = lru;
    using lock_type = std_mutex;
    using admission_type = picky;
    static constexpr unsigned sparse_candidates = 4;
    static constexpr unsigned max_scratch = 3; // fewer than threads
};
struct xv_config : default_config {
    template <class Source, std::size_t PageSize>
    using allocator_type = xv<Source, PageSize>;
    using lock_type = std_mutex;
    static constexpr unsigned max_pools = 9; // so that a slot has a new pool soon
};
struct tlsf_config : default_config {
    template <class Source, std::size_t PageSize>
    using allocator_type = tlsf<Source, PageSize>;
    using lock_type = std_mutex;
};

struct wandering_config : default_config {
    using lock_type = std_mutex;
    using place_type = four_nodes;
    static constexpr unsigned max_pools = 9;
};

/// `percent` of all operations. A spin_lock gets few where threads outnumber processors: they go by in waiting for a thread
/// that doesn't run.
template <template <class> class Store, class Config>
void contend(unsigned threads, std::size_t limit, std::uint64_t percent) {
    contest_plan plan;
    plan.seed = number_from("PAGEFOLD_ORACLE_SEED", 1);
    plan.threads = threads;
    plan.operations = number_from("PAGEFOLD_ORACLE_OPERATIONS", in_part(default_operations)) / 100 * percent;
    plan.limit = limit + std::min(threads, Config::max_scratch) * 46'000; // scratch
    plan.is_warm = std::getenv("PAGEFOLD_ORACLE_COLD") == nullptr;
    plan.moves_pools = std::same_as<typename Config::place_type, four_nodes>;
    oracle_source source{plan.seed};
    contest_tally tally;
    {
        const store_options options{.limit_bytes = plan.limit, .partitions = 8};
        contested<Store<Config>> store{source, options};
        store_contest contest{plan, store, source};
        contest.run();
        tally = contest.tally();
        CHECK_MESSAGE(contest.report().count() == 0, "\n", contest.report().text());
    }
    CHECK(source.bytes_held() == 0);
    MESSAGE(threads, " threads: ", tally.text());

    if (plan.operations < enough_for_all_answers) {
        return;
    }
    // What never happened was not tested.
    using call = contest_tally::call;
    const auto happened = [&tally](call c, status s) {
        CHECK_MESSAGE(tally.of(c, s) != 0, "answer ", std::string{to_string(s)}, " of call ", static_cast<unsigned>(c));
    };
    for (const call c : {call::put, call::get, call::take, call::erase, call::erase_many, call::create_pool,
                         call::destroy_pool, call::resize}) {
        happened(c, status::ok);
        if (c != call::create_pool && c != call::resize) {
            happened(c, status::invalid);
        }
    }
    for (const call c : {call::get, call::take, call::erase}) {
        happened(c, status::not_found);
    }
    happened(call::put, status::limit);
    happened(call::put, status::no_memory);
    if constexpr (std::same_as<typename Config::admission_type, picky>) {
        happened(call::put, status::incompressible);
    }
    if (plan.moves_pools) {
        for (const status s : {status::ok, status::busy, status::invalid}) {
            happened(call::set_node, s);
        }
        CHECK(tally.of(call::set_node, status::limit) + tally.of(call::set_node, status::no_memory) != 0);
        CHECK(tally.pages_migrated != 0);
    }
    CHECK(tally.overlaps != 0);
    CHECK(tally.pages_erased_in_ranges != 0);
    CHECK(tally.pages_evicted != 0);
    CHECK(tally.bytes_shrunk != 0);
    CHECK(tally.bytes_compacted != 0);
    CHECK(tally.source_refusals != 0);
}

} // namespace

TEST_CASE("oracle: default_config, one partition") {
    contend<page_store, default_config>(2, 700'000, 6);
    contend<page_store, default_config>(8, 700'000, 2);
}
TEST_CASE("oracle: default_config, eight partitions") {
    contend<partitioned_store, default_config>(8, 1'500'000, 3);
    contend<partitioned_store, default_config>(32, 1'500'000, 1);
}
TEST_CASE("oracle: std_mutex") {
    contend<page_store, mutex_config>(32, 700'000, 14);
    contend<partitioned_store, mutex_config>(8, 1'500'000, 18);
}
TEST_CASE("oracle: lru, std_mutex, pages refused and few scratches") {
    contend<page_store, lru_config>(2, 450'000, 10);
    contend<partitioned_store, lru_config>(8, 1'000'000, 12);
}
TEST_CASE("oracle: xv, few pools") {
    contend<page_store, xv_config>(2, 700'000, 6);
    contend<partitioned_store, xv_config>(8, 1'500'000, 10);
}
TEST_CASE("oracle: tlsf, std_mutex") {
    contend<page_store, tlsf_config>(8, 700'000, 6);
    contend<partitioned_store, tlsf_config>(32, 1'500'000, 6);
}
TEST_CASE("oracle: pools that are sent from node to node") {
    contend<partitioned_store, wandering_config>(8, 1'500'000, 6);
}

} // namespace stress_store_oracle
