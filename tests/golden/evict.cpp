// SPDX-License-Identifier: MIT
//
// Misses of each eviction policy on fixed traces. The counts are what the code gave when it agreed with the models of
// tests/model/evict.cpp; a change of one means that the policy decides otherwise than before. The traces are made with
// integers only, so that they are the same with every compiler.

#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/clock2q_plus.hpp>
#include <pagefold/evict/fifo.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/evict/probation_clock.hpp>
#include <pagefold/evict/s3_fifo.hpp>
#include <pagefold/evict/sieve.hpp>

#include <support/rng.hpp>
#include <support/slot_table.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace pagefold::testing::golden_evict {
namespace {

using trace = std::vector<std::uint32_t>; // page numbers

constexpr std::uint32_t page_count = 2000;

/// Page r is asked for in proportion to 1/(r + 1), in no order.
trace zipf(std::size_t length) {
    std::vector<std::uint64_t> up_to(page_count);
    std::uint64_t sum = 0;
    for (std::uint32_t r = 0; r < page_count; ++r) {
        up_to[r] = sum += (std::uint64_t{1} << 32) / (r + 1);
    }
    rng random{2023};
    trace pages;
    while (pages.size() < length) {
        const auto found = std::upper_bound(up_to.begin(), up_to.end(), random.below(sum));
        pages.push_back(static_cast<std::uint32_t>(found - up_to.begin()));
    }
    return pages;
}

/// The same, with a scan over 600 other pages after each 2000 of them.
trace zipf_with_scans(std::size_t length) {
    trace pages;
    std::size_t asked = 0;
    for (const std::uint32_t page : zipf(length)) {
        pages.push_back(page);
        if (++asked % 2000 == 0) {
            for (std::uint32_t i = 0; i < 600; ++i) {
                pages.push_back(page_count + i);
            }
        }
    }
    return pages;
}

/// Twice as many pages as the smaller cache has room for, round and round.
trace loop(std::size_t length) {
    trace pages(length);
    for (std::size_t i = 0; i < length; ++i) {
        pages[i] = static_cast<std::uint32_t>(i % 200);
    }
    return pages;
}

template <eviction_policy Policy>
std::size_t misses(const trace& pages, std::size_t cache_size) {
    slot_table<typename Policy::hook> slots{cache_size};
    Policy policy;
    if constexpr (remembering_policy<Policy>) {
        slots.set_ghost(cache_size * policy.ghost_percent() / 100);
    }
    std::vector<slot_id> slot_of(*std::max_element(pages.begin(), pages.end()) + 1, no_slot);
    std::vector<std::uint32_t> page_in(cache_size);
    slot_id unused = 0;
    std::size_t count = 0;
    for (const std::uint32_t page : pages) {
        if (slot_of[page] != no_slot) {
            policy.on_hit(slots, slot_of[page]);
            continue;
        }
        ++count;
        slot_id slot = unused;
        if (unused < cache_size) {
            ++unused;
        } else {
            std::size_t steps = ~std::size_t{0};
            slot = policy.evict(
                slots, [](slot_id) noexcept { return true; }, steps);
            slots.remove(slot);
            slot_of[page_in[slot]] = no_slot;
        }
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

TEST_CASE("golden misses on pages of skewed popularity") {
    const trace pages = zipf(50000);
    CHECK(misses<fifo>(pages, 100) == 27409);
    CHECK(misses<lru>(pages, 100) == 24739);
    CHECK(misses<clock>(pages, 100) == 24002);
    CHECK(misses<sieve>(pages, 100) == 19888);
    CHECK(misses<s3_fifo>(pages, 100) == 20140);
    CHECK(misses<clock2q_plus>(pages, 100) == 20226);
    CHECK(misses<probation_clock>(pages, 100) == 20020);
    CHECK(misses<fifo>(pages, 500) == 14419);
    CHECK(misses<lru>(pages, 500) == 12182);
    CHECK(misses<clock>(pages, 500) == 11770);
    CHECK(misses<sieve>(pages, 500) == 10075);
    CHECK(misses<s3_fifo>(pages, 500) == 10466);
    CHECK(misses<clock2q_plus>(pages, 500) == 10492);
    CHECK(misses<probation_clock>(pages, 500) == 10309);
}

TEST_CASE("golden misses on skewed popularity with scans") {
    const trace pages = zipf_with_scans(50000);
    CHECK(misses<fifo>(pages, 100) == 42694);
    CHECK(misses<lru>(pages, 100) == 40192);
    CHECK(misses<clock>(pages, 100) == 39548);
    CHECK(misses<sieve>(pages, 100) == 34906);
    CHECK(misses<s3_fifo>(pages, 100) == 35050);
    CHECK(misses<clock2q_plus>(pages, 100) == 35241);
    CHECK(misses<probation_clock>(pages, 100) == 34958);
    CHECK(misses<fifo>(pages, 500) == 32083);
    CHECK(misses<lru>(pages, 500) == 31128);
    CHECK(misses<clock>(pages, 500) == 30655);
    CHECK(misses<sieve>(pages, 500) == 25153);
    CHECK(misses<s3_fifo>(pages, 500) == 25359);
    CHECK(misses<clock2q_plus>(pages, 500) == 25225);
    CHECK(misses<probation_clock>(pages, 500) == 24939);
}

TEST_CASE("golden misses on a loop: none of them keeps any of it in a cache of half its size") {
    const trace pages = loop(10000);
    CHECK(misses<fifo>(pages, 100) == 10000);
    CHECK(misses<lru>(pages, 100) == 10000);
    CHECK(misses<clock>(pages, 100) == 10000);
    CHECK(misses<sieve>(pages, 100) == 10000);
    CHECK(misses<s3_fifo>(pages, 100) == 10000);
    CHECK(misses<clock2q_plus>(pages, 100) == 10000);
    CHECK(misses<probation_clock>(pages, 100) == 10000);
    CHECK(misses<fifo>(pages, 500) == 200);
    CHECK(misses<lru>(pages, 500) == 200);
    CHECK(misses<clock>(pages, 500) == 200);
    CHECK(misses<sieve>(pages, 500) == 200);
    CHECK(misses<s3_fifo>(pages, 500) == 200);
    CHECK(misses<clock2q_plus>(pages, 500) == 200);
    CHECK(misses<probation_clock>(pages, 500) == 200);
}

} // namespace
} // namespace pagefold::testing::golden_evict
