// SPDX-License-Identifier: MIT
//
// Statistics while everything happens: each put ends in one count, none falls, and none is negative.
#include <pagefold/store/store_statistics.hpp>

#include "support/environment.hpp"
#include "support/failing_compressor.hpp"
#include "support/pages.hpp"
#include "support/rng.hpp"
#include "support/test_source.hpp"

#include <pagefold/admit/ratio.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace pagefold::testing::stress_store_statistics {
namespace {

struct config : default_config {
    using compressor_type = failing_compressor<default_config::compressor_type>;
    using admission_type = ratio;
};
using store_type = partitioned_store<config>;

/// How puts were answered.
struct outcomes {
    std::uint64_t ok = 0, limit = 0, no_memory = 0, incompressible = 0, others = 0;

    void count(status s) noexcept {
        ++(s == status::ok               ? ok
           : s == status::limit          ? limit
           : s == status::no_memory      ? no_memory
           : s == status::incompressible ? incompressible
                                         : others);
    }
    void add(const outcomes& other) noexcept {
        ok += other.ok;
        limit += other.limit;
        no_memory += other.no_memory;
        incompressible += other.incompressible;
        others += other.others;
    }
};
template <class Stats>
[[nodiscard]] bool are_counted(const Stats& s, const outcomes& o) {
    return s.puts == o.ok && s.reject_reclaim_fail + s.reject_threshold == o.limit &&
           s.reject_alloc_fail + s.reject_kmemcache_fail == o.no_memory && s.reject_compress_poor == o.incompressible &&
           s.rejected_puts == o.limit + o.no_memory + o.incompressible && o.others == 0;
}

/// Puts, reads and erasures of pages of all kinds.
outcomes churn(store_type& store, test_source& source, const std::array<pool_id, 3>& pools, std::uint64_t seed,
               unsigned steps, std::array<outcomes, 3>& by_pool) {
    rng random{seed};
    std::vector<std::byte> page(4096);
    outcomes all;
    for (unsigned step = 0; step < steps; ++step) {
        const std::size_t whose = random.below(3);
        const page_key key{pools[whose], random.below(50), random.below(60)};
        switch (random.below(16)) {
        case 0: static_cast<void>(store.get(key, page)); break;
        case 1: static_cast<void>(store.take(key, page)); break;
        case 2: static_cast<void>(store.erase(key)); break;
        case 3: static_cast<void>(store.erase_object(key.pool, key.object)); break;
        case 4: source.refuse_all(random.below(3) == 0); break;
        default:
            make_page(page, random.below(1000));
            const status s = store.put(key, page);
            all.count(s);
            by_pool[whose].count(s);
        }
    }
    source.refuse_all(false);
    return all;
}

/// Whether each is what it may be after the one before.
template <class Stats>
[[nodiscard]] bool follows(const Stats& before, const Stats& now) {
    bool good = true;
    for (const stat_row<Stats>& row : stat_rows<Stats>) {
        const std::uint64_t a = before.*row.value, b = now.*row.value;
        good = good && b < std::uint64_t{1} << 62 && (row.info.kind == stat_kind::gauge || b >= a);
    }
    return good;
}

TEST_CASE("store_statistics: every put ends in one count, whoever refused it, and whichever codec failed") {
    for (const unsigned accept : {100u, 80u}) {
        test_source source;
        compress_faults faults;
        faults.every = 7;
        faults.answer = status::corrupt;
        store_type store{source,
                         {.limit_bytes = 2u << 20, .partitions = 3, .seed = 1, .accept_percent = accept},
                         config::compressor_type{faults},
                         ratio{800, admission::reject}};
        const std::array<pool_id, 3> pools{store.create_pool().value(),
                                           store.create_pool({.kind = pool_kind::ephemeral}).value(),
                                           store.create_pool({.cap_bytes = 100'000}).value()};
        std::array<outcomes, 3> by_pool;
        const outcomes all = churn(store, source, pools, 5, 20'000, by_pool);
        CHECK(all.ok > 1000);
        CHECK(all.limit > 100);
        CHECK(all.no_memory > 0);
        CHECK(all.incompressible > 100);
        const store_stats s = store.stats();
        CHECK(are_counted(s, all));
        CHECK(s.reject_compress_fail == faults.failures);
        for (std::size_t i = 0; i < pools.size(); ++i) {
            CHECK(are_counted(store.statistics_of(pools[i]).value(), by_pool[i]));
        }
        CHECK(store.check());
    }
}

TEST_CASE("store_statistics: while others work no counter falls, no gauge is negative, and in the end all is counted") {
    test_source source;
    compress_faults faults;
    faults.every = 5;
    faults.answer = status::invalid;
    store_type store{source,
                     {.limit_bytes = 2u << 20, .partitions = 3, .seed = 1},
                     config::compressor_type{faults},
                     ratio{800, admission::reject}};
    const std::array<pool_id, 3> pools{store.create_pool().value(),
                                       store.create_pool({.kind = pool_kind::ephemeral}).value(),
                                       store.create_pool({.cap_bytes = 100'000}).value()};
    constexpr unsigned workers = 3;
    std::atomic<unsigned> at_work{workers};
    std::array<outcomes, workers> done;
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < workers; ++i) {
        threads.emplace_back([&, i] {
            std::array<outcomes, 3> by_pool;
            done[i] = churn(store, source, pools, 10 + i, in_part(8'000u), by_pool);
            --at_work;
        });
    }
    threads.emplace_back([&] {
        rng random{99};
        while (at_work != 0) { // what makes gauges differ most between two partitions' turns
            static_cast<void>(store.shrink(random.below(1u << 19)));
            static_cast<void>(store.compact(1u << 16));
            static_cast<void>(store.resize(random.below(2) == 0 ? 1u << 20 : 2u << 20));
        }
    });
    store_stats before{};
    pool_stats pool_before{};
    std::uint64_t reads = 0, wrong = 0;
    do {
        const store_stats now = store.stats();
        const pool_stats pool_now = store.statistics_of(pools[1]).value();
        wrong += follows(before, now) && follows(pool_before, pool_now) ? 0u : 1u;
        wrong += now.metadata_bytes <= now.total_bytes && now.fixed_bytes <= now.total_bytes ? 0u : 1u;
        before = now;
        pool_before = pool_now;
        ++reads;
    } while (at_work != 0);
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(reads > 1);
    CHECK(wrong == 0);
    outcomes all;
    for (const outcomes& one : done) {
        all.add(one);
    }
    const store_stats s = store.stats();
    CHECK(are_counted(s, all));
    CHECK(s.reject_compress_fail == faults.failures);
    CHECK(store.check());
}

} // namespace
} // namespace pagefold::testing::stress_store_statistics
