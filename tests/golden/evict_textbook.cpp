// SPDX-License-Identifier: MIT
//
// Each eviction policy against the cache that its paper describes, on pages of skewed popularity, loops, scans and a mixture,
// each as it is and as a cache of a quarter of the size before ours lets it through: no more than two misses in a thousand
// requests lie between them; with a ghost of 16 bits a key more.

#include <pagefold/ds/ghost_table.hpp>
#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/clock2q_plus.hpp>
#include <pagefold/evict/fifo.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/evict/probation_clock.hpp>
#include <pagefold/evict/s3_fifo.hpp>
#include <pagefold/evict/sieve.hpp>

#include <support/cache_traces.hpp>
#include <support/rng.hpp>
#include <support/slot_table.hpp>
#include <support/test_source.hpp>
#include <support/textbook_caches.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace pagefold::testing::golden_evict_textbook {
namespace {

/// A slot_table whose ghost is a ghost_table.
template <class Hook>
class hashed_slots : public slot_table<Hook> {
public:
    explicit hashed_slots(std::size_t slots) : slot_table<Hook>{slots} {}
    void set_ghost(std::size_t keys) {
        while (table_.capacity() < keys) {
            REQUIRE(table_.grow() == status::ok);
        }
        table_.shorten(keys);
    }
    void remember(slot_id slot) noexcept { table_.remember(hash_of(slot)); }
    [[nodiscard]] bool recall(slot_id slot) noexcept { return table_.recall(hash_of(slot)); }

private:
    [[nodiscard]] std::uint64_t hash_of(slot_id slot) const {
        return mix(slot_table<Hook>::key_of(slot), 0x9e3779b97f4a7c15u);
    }
    test_source source_{};
    ghost_table<test_source> table_{source_, any_node};
};

/// `scattered`: pages come into the ring anywhere, as they do in a store, and not where the last victim was.
template <class Slots, eviction_policy Policy>
std::size_t misses(Policy policy, const cache_trace& pages, std::size_t cache_size, bool scattered = false) {
    const std::size_t slot_count = scattered ? cache_size + cache_size / 2 : cache_size;
    Slots slots{slot_count};
    if constexpr (remembering_policy<Policy>) {
        slots.set_ghost(cache_size * policy.ghost_percent() / 100);
    }
    std::vector<slot_id> slot_of(*std::max_element(pages.begin(), pages.end()) + std::size_t{1}, no_slot);
    std::vector<std::uint32_t> page_in(slot_count);
    std::vector<slot_id> unused(slot_count);
    for (std::size_t i = 0; i < slot_count; ++i) {
        unused[i] = static_cast<slot_id>(slot_count - 1 - i);
    }
    rng random{1};
    std::size_t count = 0;
    for (const std::uint32_t page : pages) {
        if (slot_of[page] != no_slot) {
            policy.on_hit(slots, slot_of[page]);
            continue;
        }
        ++count;
        if (policy.size() == cache_size) {
            std::size_t steps = ~std::size_t{0};
            const slot_id victim = policy.evict(
                slots, [](slot_id) noexcept { return true; }, steps);
            REQUIRE(slots.has(victim));
            slots.remove(victim);
            slot_of[page_in[victim]] = no_slot;
            unused.push_back(victim);
        }
        if (scattered) {
            std::swap(unused[random.below(unused.size())], unused.back());
        }
        const slot_id slot = unused.back();
        unused.pop_back();
        slots.add(slot);
        slots.name(slot, page);
        policy.on_insert(slots, slot);
        slot_of[page] = slot;
        page_in[slot] = page;
    }
    REQUIRE(policy.check(slots));
    REQUIRE_FALSE(slots.was_misused());
    return count;
}
template <class Cache>
std::size_t misses_of(Cache cache, const cache_trace& pages) {
    std::size_t count = 0;
    for (const std::uint32_t page : pages) {
        count += cache.request(page) ? 0u : 1u;
    }
    return count;
}

struct named_trace {
    std::string name;
    cache_trace pages;
};
constexpr std::uint32_t page_count = 20'000;
constexpr std::size_t length = 200'000;
constexpr std::size_t cache_sizes[] = {500, 4000};

std::vector<named_trace> traces_for(std::size_t cache_size) {
    const page_popularity popularity = zipf_08(page_count);
    std::vector<named_trace> made;
    made.push_back({"zipf 0.8", popular_pages(popularity, length)});
    made.push_back({"zipf 1.0", popular_pages(zipf_10(page_count), length)});
    made.push_back({"loop", looped_pages(static_cast<std::uint32_t>(cache_size + cache_size / 4), length / 2)});
    made.push_back({"scans", scanned_pages(popularity, page_count, 5000, 2500, length)});
    made.push_back({"mixed", mixed_pages(popularity, page_count, 3000, length)});
    for (std::size_t i = 0; i < 5; ++i) {
        made.push_back({made[i].name + ", filtered", filtered_pages(made[i].pages, cache_size / 4)});
    }
    return made;
}

/// Calls compare(trace, size) for each trace and size.
template <class Compare>
void for_each_trace(Compare compare) {
    for (const std::size_t size : cache_sizes) {
        for (const named_trace& t : traces_for(size)) {
            INFO(t.name, ", ", size);
            compare(t.pages, size);
        }
    }
}
/// Whether two counts are so many thousandths of the requests apart at most.
bool near(std::size_t a, std::size_t b, const cache_trace& pages, std::size_t thousandths) {
    return (a > b ? a - b : b - a) * 1000 <= thousandths * pages.size();
}
constexpr std::size_t small_share = 2;
// A ghost of buckets has no sharp end, which shows where a loop is just as long as cache and ghost.
constexpr std::size_t hashed_share = 25;

TEST_CASE("policies without a ghost miss what their textbook models miss") {
    for_each_trace([](const cache_trace& pages, std::size_t size) {
        CHECK(misses<slot_table<fifo::hook>>(fifo{}, pages, size) == misses_of(textbook_fifo{size}, pages));
        CHECK(misses<slot_table<lru::hook>>(lru{}, pages, size) == misses_of(textbook_lru{size}, pages));
        CHECK(misses<slot_table<clock::hook>>(clock{}, pages, size) == misses_of(textbook_clock{size}, pages));
        CHECK(misses<slot_table<sieve::hook>>(sieve{}, pages, size) == misses_of(textbook_sieve{size}, pages));
    });
}

template <eviction_policy Policy>
void compare_with_textbook(const Policy& policy, const cache_trace& pages, std::size_t size,
                           const textbook_queues::numbers& numbers) {
    const std::size_t expected = misses_of(textbook_queues{size, numbers}, pages);
    const std::size_t whole = misses<slot_table<typename Policy::hook>>(policy, pages, size);
    const std::size_t hashed = misses<hashed_slots<typename Policy::hook>>(policy, pages, size);
    CAPTURE(expected);
    CAPTURE(whole);
    CAPTURE(hashed);
    CAPTURE(pages.size());
    CHECK(near(whole, expected, pages, small_share));
    CHECK(near(hashed, expected, pages, hashed_share));
}

TEST_CASE("s3_fifo misses what its textbook model misses") {
    for_each_trace([](const cache_trace& pages, std::size_t size) {
        compare_with_textbook(s3_fifo{}, pages, size, {size / 10, size * 9 / 10, 2, 3});
        compare_with_textbook(s3_fifo{{10, 1, 90}}, pages, size, {size / 10, size * 9 / 10, 1, 1});
    });
}

TEST_CASE("clock2q_plus misses what its textbook model misses") {
    for_each_trace([](const cache_trace& pages, std::size_t size) {
        compare_with_textbook(clock2q_plus{}, pages, size, {size / 10, size / 2, 1, 1, size / 20});
    });
}

TEST_CASE("probation_clock misses less than clock, by whichever ghost and wherever pages come into the ring") {
    std::size_t all_by_clock = 0, all = 0;
    for_each_trace([&](const cache_trace& pages, std::size_t size) {
        const std::size_t by_clock = misses<slot_table<std::uint8_t>>(clock{}, pages, size, true);
        const std::size_t whole = misses<slot_table<std::uint8_t>>(probation_clock{}, pages, size, true);
        const std::size_t hashed = misses<hashed_slots<std::uint8_t>>(probation_clock{}, pages, size, true);
        CAPTURE(by_clock);
        CAPTURE(whole);
        CAPTURE(hashed);
        CAPTURE(pages.size());
        CHECK(hashed * 100 <= by_clock * 99);
        CHECK(near(whole, hashed, pages, hashed_share));
        all_by_clock += by_clock;
        all += hashed;
    });
    CHECK(all * 100 <= all_by_clock * 93);
}

} // namespace
} // namespace pagefold::testing::golden_evict_textbook
