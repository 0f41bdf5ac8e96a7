// SPDX-License-Identifier: MIT
#include "support/store_fixture.hpp"

#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>
#include <pagefold/store/stats.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <set>
#include <string>

namespace pagefold::testing::unit_store_stats {
namespace {

TEST_CASE("the ratio is data over all memory taken, in thousandths") {
    store_stats s{};
    CHECK(s.ratio_permille() == 0);
    s.orig_data_size = 3 * 4096;
    CHECK(s.ratio_permille() == 0); // nothing taken: no ratio
    s.total_bytes = 4096;
    s.mem_used_total = 1024; // what leaves overhead out plays no part
    CHECK(s.ratio_permille() == 3000);
    s.total_bytes = 4096 * 7;
    CHECK(s.ratio_permille() == 428);
}

TEST_CASE("a store that has taken nothing counts nothing") {
    store_fixture<partitioned_store<default_config>> s{store_options{.limit_bytes = 12345, .partitions = 3}};
    const store_stats all = s.store.stats();
    CHECK(all.mem_limit == 12345);
    CHECK(all.total_bytes == 0);
    CHECK(all.fixed_bytes == 0);
    CHECK(all.metadata_bytes == 0);
    CHECK(all.stored_pages == 0);
    CHECK(all.ratio_permille() == 0);
    CHECK(s.store.statistics_of(pool_id{}).error() == status::invalid);
}

TEST_CASE("what the pools count is what the store counts, and with what is fixed all that it took") {
    store_fixture<partitioned_store<default_config>> s{store_options{.limit_bytes = 3u << 20, .partitions = 3}};
    const pool_id pools[] = {s.make_pool(), s.make_pool({.kind = pool_kind::ephemeral}),
                             s.make_pool({.kind = pool_kind::ephemeral, .cap_bytes = 200'000})};
    rng random{9};
    for (int step = 0; step < 4000; ++step) {
        const std::uint64_t of_pool = random.below(3);
        const page_key key{pools[of_pool], random.below(3), random.below(of_pool == 0 ? 100 : 700)};
        switch (random.below(8)) {
        case 0: static_cast<void>(s.get(key)); break;
        case 1: static_cast<void>(s.take(key)); break;
        case 2: static_cast<void>(s.store.erase(key)); break;
        default: static_cast<void>(s.put(key, random.below(1000)));
        }
    }
    const store_stats all = s.store.stats();
    pool_stats sum{};
    for (const pool_id pool : pools) {
        const pool_stats one = s.store.statistics_of(pool).value();
        sum.stored_pages += one.stored_pages;
        sum.same_pages += one.same_pages;
        sum.huge_pages += one.huge_pages;
        sum.compr_data_size += one.compr_data_size;
        sum.used_bytes += one.used_bytes;
        sum.puts += one.puts;
        sum.hits += one.hits;
        sum.misses += one.misses;
        sum.evicted_pages += one.evicted_pages;
        sum.rejected_puts += one.rejected_puts;
    }
    CHECK(all.stored_pages == sum.stored_pages);
    CHECK(all.same_pages == sum.same_pages);
    CHECK(all.huge_pages == sum.huge_pages);
    CHECK(all.compr_data_size == sum.compr_data_size);
    CHECK(all.puts == sum.puts);
    CHECK(all.hits == sum.hits);
    CHECK(all.misses == sum.misses);
    CHECK(all.evicted_pages == sum.evicted_pages);
    CHECK(all.reject_reclaim_fail == sum.rejected_puts);
    CHECK(all.rejected_puts == sum.rejected_puts);
    CHECK(all.puts == all.stored_pages + all.erased_pages + all.evicted_pages);
    CHECK(all.orig_data_size == all.stored_pages * 4096);
    CHECK(all.fixed_bytes + sum.used_bytes == all.total_bytes);
    CHECK(all.total_bytes == s.source.bytes_held());
    CHECK(all.mem_used_max == s.source.peak_bytes());
    CHECK(all.metadata_bytes + all.mem_used_total == all.total_bytes);
    CHECK(all.evicted_pages > 100);
    CHECK(all.hits > 50);
    CHECK(s.store.check());
}

/// That the list has each member of the struct once, under a name of its own.
template <class Stats>
void check_list() {
    std::set<std::string> names;
    Stats numbers{}, sum{};
    std::uint64_t next = 1;
    for (const stat_row<Stats>& row : stat_rows<Stats>) {
        CHECK(names.insert(row.info.name).second);
        const std::string help = row.info.help;
        CHECK(!help.empty());
        CHECK(help.find_first_of("\\\n.") == std::string::npos);
        CHECK(std::string{row.info.name}.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos);
        CHECK(numbers.*row.value == 0); // no member twice
        numbers.*row.value = next++;
    }
    CHECK(sizeof(Stats) == 8 * names.size());
    add(sum, numbers);
    add(sum, numbers);
    next = 1;
    visit(sum, [&](const stat_info& info, std::uint64_t value) {
        CHECK(names.contains(info.name));
        CHECK(value == 2 * next++);
    });
    CHECK(next == names.size() + 1);
}

TEST_CASE("stats: the list has every number once, with a name and a line of help, and sums go by it") {
    check_list<common_stats>();
    check_list<partition_stats>();
    check_list<store_stats>();
    check_list<pool_stats>();
    check_list<deferred_stats>();
}

TEST_CASE("stats: what is there now is a gauge, and what has happened a counter") {
    static_assert(stat_rows<store_stats>[0].info.kind == stat_kind::gauge); // known to the compiler
    for (const auto& row : stat_rows<store_stats>) {
        const std::string name = row.info.name;
        const bool is_now = name.ends_with("_bytes") || name.starts_with("mem_") || name.ends_with("_size") ||
                            name == "stored_pages" || name == "same_pages" || name == "huge_pages" ||
                            name == "away_pages" || name == "reference_pages" || name == "delta_pages";
        CAPTURE(name);
        CHECK((row.info.kind == stat_kind::gauge) == is_now);
        CHECK((row.info.unit == stat_unit::bytes) ==
              (name.ends_with("_bytes") || name.starts_with("mem_") || name.ends_with("_size")));
    }
}

/// What docs/statistics.md says of each name: unit and kind.
[[nodiscard]] std::map<std::string, std::string> documented() {
    const std::string here = __FILE__;
    std::ifstream file{here.substr(0, here.rfind("tests/unit/store")) + "docs/statistics.md"};
    REQUIRE(file);
    std::map<std::string, std::string> rows;
    for (std::string line; std::getline(file, line);) {
        const std::size_t name = line.find('`') + 1, unit = line.find("` | ") + 4;
        if (line.rfind("| `", 0) == 0) {
            const std::size_t kind_end = line.find(" | ", line.find(" | ", unit) + 3);
            CHECK(rows.emplace(line.substr(name, unit - 4 - name), line.substr(unit, kind_end - unit)).second);
        }
    }
    return rows;
}
[[nodiscard]] std::string words(const stat_info& info) {
    const char* const units[] = {"bytes", "pages", "calls", "objects", "events"};
    return std::string{units[static_cast<unsigned>(info.unit)]} + " | " +
           (info.kind == stat_kind::counter ? "counter" : "gauge");
}

TEST_CASE("stats: docs/statistics.md has each name, with its unit and kind, and no other") {
    std::map<std::string, std::string> listed;
    visit(store_stats{}, [&](const stat_info& info, std::uint64_t) { listed[info.name] = words(info); });
    visit(pool_stats{}, [&](const stat_info& info, std::uint64_t) { listed[info.name] = words(info); });
    visit(deferred_stats{}, [&](const stat_info& info, std::uint64_t) { listed[info.name] = words(info); });
    CHECK(documented() == listed);
}

TEST_CASE("stats: whose memory was wanting, the stream's or its entry's") {
    store_fixture<partitioned_store<default_config>> s{store_options{.partitions = 3}};
    const pool_id pool = s.make_pool();
    REQUIRE(s.put({pool, 1, 1}, page_kind::zeros, 1) == status::ok);
    s.source.refuse_all(true);
    // Objects of one page each: the index soon wants another page of memory, and the page itself needs none.
    std::uint64_t object = 2;
    while (s.put({pool, object, 1}, page_kind::zeros, 1) == status::ok) {
        REQUIRE(++object < 100'000);
    }
    store_stats all = s.store.stats();
    CHECK(all.reject_kmemcache_fail == 1);
    CHECK(all.reject_alloc_fail == 0);
    CHECK(s.put({pool, 1, 1}, page_kind::random, 1) == status::no_memory); // it has an entry, and no place
    all = s.store.stats();
    CHECK(all.reject_kmemcache_fail == 1);
    CHECK(all.reject_alloc_fail == 1);
    CHECK(all.rejected_puts == 2);
    const pool_stats one = s.store.statistics_of(pool).value();
    CHECK(one.reject_kmemcache_fail == 1);
    CHECK(one.reject_alloc_fail == 1);
    CHECK(one.rejected_puts == 2);
    s.source.refuse_all(false);
    CHECK(s.store.check());
}

} // namespace
} // namespace pagefold::testing::unit_store_stats
