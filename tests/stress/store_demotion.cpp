// SPDX-License-Identifier: MIT

// Threads on shared pages of a store with a tier, which is slow, full, busy and forgets to forget, over a source that refuses,
// while another thread turns every knob; the oracle of support/store_oracle.hpp knows what each read may have brought. Then a
// tier that lies as well: pages may be lost then, and never mixed up.
//
// PAGEFOLD_ORACLE_OPERATIONS, PAGEFOLD_ORACLE_SEED: as for store_oracle.cpp.

#include "support/tsan_ordered.hpp"

#include "support/environment.hpp"
#include "support/four_nodes.hpp"
#include "support/oracle_source.hpp"
#include "support/store_contest.hpp"
#include "support/test_tier.hpp"

#include <pagefold/evict/lru.hpp>
#include <pagefold/hosted/std_mutex.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace stress_store_demotion {
namespace {

using namespace pagefold;
using namespace pagefold::testing;

constexpr std::uint64_t default_operations = PAGEFOLD_TEST_TSAN ? 100'000 : 1'500'000;
constexpr std::uint64_t enough_for_all = 300'000;

struct tiered_config : default_config {
    using lock_type = std_mutex;
    using tier_type = test_tier;
    static constexpr unsigned max_pools = 9; // so that a slot has a new pool soon
};
struct lru_config : tiered_config {
    using eviction_type = lru;
    static constexpr unsigned max_scratch = 3; // fewer than threads
};
struct wandering_config : tiered_config {
    using place_type = four_nodes;
};

template <class Config>
struct made_of {
    using config = Config;
};
template <class Config>
class one_partition : public page_store<Config> {
public:
    one_partition(oracle_source& source, const store_options& options, test_tier_memory& memory)
        : page_store<Config>{source, options, {}, {}, {}, test_tier{memory}} {}
};
template <class Config>
class partitions : public partitioned_store<Config> {
public:
    partitions(oracle_source& source, const store_options& options, test_tier_memory& memory)
        : partitioned_store<Config>{source, options, {}, {}, {}, {}, test_tier{memory}} {}
};

template <template <class> class Store, class Config>
void contend(unsigned threads, std::size_t limit, std::uint64_t percent) {
    contest_plan plan;
    plan.seed = number_from("PAGEFOLD_ORACLE_SEED", 1);
    plan.threads = threads;
    plan.operations = number_from("PAGEFOLD_ORACLE_OPERATIONS", in_part(default_operations)) / 100 * percent;
    plan.limit = limit + std::min(threads, Config::max_scratch) * 46'000; // scratch
    plan.moves_pools = std::same_as<typename Config::place_type, four_nodes>;
    plan.demotes = true;
    test_tier_memory memory{2000, plan.seed};
    plan.on_rest = [&memory](bool rests) {
        const tier_faults faults{
            .full = 20, .busy = 20, .unreadable = 20, .odd_place = 100, .unforgotten = 50, .slow = 10};
        memory.set_faults(rests ? tier_faults{} : faults);
    };
    oracle_source source{plan.seed};
    contest_tally tally;
    {
        const store_options options{.limit_bytes = plan.limit, .partitions = 8};
        contested<Store<Config>> store{source, options, memory};
        store_contest contest{plan, store, source};
        contest.run();
        tally = contest.tally();
        CHECK_MESSAGE(contest.report().count() == 0, "\n", contest.report().text());
        CHECK(store.stats().away_pages + memory.unforgotten() == memory.copies());
        CHECK(store.stats().tier_forget_fail == memory.unforgotten());
    }
    CHECK(source.bytes_held() == 0);
    MESSAGE(threads, " threads: ", tally.text());
    if (plan.operations < enough_for_all) {
        return;
    }
    using call = contest_tally::call;
    CHECK(tally.of(call::get, status::unavailable) != 0);
    CHECK(tally.of(call::take, status::unavailable) != 0);
    CHECK(tally.pages_demoted != 0);
    CHECK(tally.pages_promoted != 0);
    CHECK(tally.pages_migrated + (plan.moves_pools ? 0 : 1) != 0);
}

} // namespace

TEST_CASE("demotion oracle: one partition") {
    contend<one_partition, tiered_config>(2, 500'000, 25);
    contend<one_partition, tiered_config>(8, 500'000, 20);
}
TEST_CASE("demotion oracle: eight partitions") { contend<partitions, tiered_config>(8, 1'000'000, 20); }
TEST_CASE("demotion oracle: lru, and few scratches") { contend<one_partition, lru_config>(8, 400'000, 15); }
TEST_CASE("demotion oracle: pools that are sent from node to node") {
    contend<partitions, wandering_config>(8, 1'000'000, 20);
}

TEST_CASE("demotion: a tier that lies loses pages, and never mixes them up") {
    constexpr unsigned threads = 4;
    constexpr std::uint32_t keys = 500;
    const std::uint64_t operations = number_from("PAGEFOLD_ORACLE_OPERATIONS", in_part(default_operations)) / 20;
    test_tier_memory memory{400, 7};
    oracle_source source{7};
    partitions<tiered_config> store{source, {.limit_bytes = 700'000, .partitions = 4}, memory};
    const pool_id pool = store.create_pool({.on_pressure = pressure_action::demote}).value();
    memory.set_faults({.full = 50,
                       .busy = 50,
                       .no_copy = 30,
                       .odd_place = 50,
                       .lost = 50,
                       .damage = 10,
                       .other = 10,
                       .older = 10,
                       .nothing = 20,
                       .unforgotten = 50,
                       .slow = 20});
    // Each key is one thread's, which knows what it last put there.
    std::atomic<std::uint64_t> wrong{0}, corrupt{0}, right{0};
    std::vector<std::thread> workers;
    for (unsigned t = 0; t < threads; ++t) {
        workers.emplace_back([&, t] {
            rng random{t + 1};
            oracle_page page;
            std::vector<std::uint64_t> version(keys, 0); // 0: nothing is there
            for (std::uint64_t i = 1; i <= operations; ++i) {
                const std::uint32_t local = static_cast<std::uint32_t>(random.below(keys));
                const page_key key{pool, t, local};
                const std::uint32_t name = t * keys + local;
                if (random.one_in(3)) {
                    write_oracle_page(page, {name, i});
                    const status s = store.put(key, page);
                    version[local] = s == status::ok ? i : s == status::busy ? version[local] : 0;
                    wrong += s != status::ok && s != status::limit && s != status::no_memory ? 1 : 0;
                } else if (random.one_in(8)) {
                    const status s = store.erase(key);
                    wrong += (s == status::ok) != (version[local] != 0) ? 1 : 0;
                    version[local] = 0;
                } else {
                    const bool takes = random.one_in(8);
                    const status s = takes ? store.take(key, page) : store.get(key, page);
                    const page_tag tag = read_oracle_page(page);
                    const bool is_there = version[local] != 0;
                    wrong += s == status::ok          ? (tag == page_tag{name, version[local]} ? 0 : 1)
                             : s == status::not_found ? (is_there ? 1 : 0)
                             : s == status::corrupt   ? (is_there ? 0 : 1)
                                                      : 1;
                    right += s == status::ok ? 1 : 0;
                    corrupt += s == status::corrupt ? 1 : 0;
                    version[local] = takes && s == status::ok ? 0 : version[local];
                }
            }
        });
    }
    for (std::thread& worker : workers) {
        worker.join();
    }
    CHECK(wrong == 0);
    CHECK(right != 0);
    CHECK(corrupt != 0);
    CHECK(store.check());
    CHECK(store.stats().decompress_fail == corrupt);
    CHECK(store.destroy_pool(pool) == status::ok);
    CHECK(store.stats().away_pages == 0);
    CHECK(memory.copies() == memory.unforgotten());
}

} // namespace stress_store_demotion
