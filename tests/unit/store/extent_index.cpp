// SPDX-License-Identifier: MIT

#include "support/rng.hpp"
#include "support/test_source.hpp"

#include <pagefold/store/extent_index.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <tuple>
#include <vector>

namespace {

using namespace pagefold;
using namespace pagefold::testing;

struct wide {
    std::uint32_t before, after;
    friend bool operator==(const wide&, const wide&) = default;
};
using narrow_index = extent_index<std::uint8_t, 3, test_source>;
using wide_index = extent_index<wide, 64, test_source>;

template <class Hook>
Hook hook_from(std::uint64_t n) {
    if constexpr (sizeof(Hook) == 1) {
        return static_cast<Hook>(n % 8);
    } else {
        return Hook{static_cast<std::uint32_t>(n), static_cast<std::uint32_t>(n >> 32)};
    }
}

using key = std::tuple<std::uint32_t, std::uint64_t, std::uint64_t>; // pool, object, index

template <class Hook, unsigned HookBits>
struct against_map {
    struct value {
        std::uint64_t word;
        std::uint32_t meta;
        Hook hook;
    };

    test_source source;
    extent_index<Hook, HookBits, test_source> index{source, any_node};
    std::map<key, value> model;
    rng random{9};

    void run(unsigned steps, std::uint64_t pages, unsigned erasing) {
        static constexpr std::uint64_t bases[] = {0, 0, std::uint64_t{1} << 40, max_page_index - 20000};
        for (unsigned i = 0; i < steps; ++i) {
            const key k{static_cast<std::uint32_t>(random.below(3)) * 2047, random.below(12),
                        bases[random.below(std::size(bases))] + random.below(pages)};
            const auto& [pool, object, page] = k;
            const slot_id slot = index.find(pool, object, page);
            const auto it = model.find(k);
            REQUIRE((slot != no_slot) == (it != model.end()));
            if (slot == no_slot) {
                insert(k);
            } else {
                REQUIRE(index.get(slot).word() == it->second.word);
                REQUIRE(index.hook(slot) == it->second.hook);
                if (random.below(100) < erasing) {
                    source.refuse_nth(random.below(3)); // an erase never fails
                    index.erase(slot);
                    source.refuse_nth(0);
                    model.erase(it);
                    REQUIRE(index.find(pool, object, page) == no_slot);
                } else {
                    change(slot, it->second);
                }
            }
        }
        verify();
    }
    void insert(const key& k) {
        const auto& [pool, object, page] = k;
        source.refuse_nth(random.below(3));
        const std::uint64_t refusals = source.refusals();
        const entry e{random(), static_cast<std::uint32_t>(random()) & ~0xeu};
        const result<slot_id> slot = index.insert(pool, object, page, e);
        source.refuse_nth(0);
        if (!slot) {
            REQUIRE(slot.error() == status::no_memory);
            REQUIRE(source.refusals() != refusals);
            REQUIRE(index.find(pool, object, page) == no_slot);
            return;
        }
        REQUIRE(index.find(pool, object, page) == *slot);
        REQUIRE(index.hook(*slot) == Hook{});
        model[k] = {e.word(), e.meta(), Hook{}};
    }
    void change(slot_id slot, value& v) {
        if (random.one_in(2)) {
            v.hook = hook_from<Hook>(random());
            index.set_hook(slot, v.hook);
        } else {
            entry e{random(), static_cast<std::uint32_t>(random())};
            e.set_hook(index.get(slot).hook());
            v.word = e.word();
            v.meta = e.meta() & ~0xeu;
            index.set(slot, e);
        }
    }
    void verify() {
        REQUIRE(index.size() == model.size());
        REQUIRE(index.bytes() == source.bytes_held());
        REQUIRE(index.check());
        for (const auto& [k, v] : model) {
            const auto& [pool, object, page] = k;
            const slot_id slot = index.find(pool, object, page);
            REQUIRE(slot != no_slot);
            REQUIRE(index.get(slot).word() == v.word);
            REQUIRE((index.get(slot).meta() & ~0xeu) == v.meta);
            REQUIRE(index.hook(slot) == v.hook);
        }
    }
    void empty() {
        for (const auto& [k, v] : model) {
            const auto& [pool, object, page] = k;
            index.erase(index.find(pool, object, page));
        }
        model.clear();
        REQUIRE(index.check());
        REQUIRE(index.size() == 0);
        REQUIRE(index.next_extent(0) == index.none);
        REQUIRE(index.next_in_pool(0, no_slot) == no_slot);
        REQUIRE(index.bytes() < 16 * 4096);
    }
};

template <class Hook, unsigned HookBits>
void run_against_map() {
    against_map<Hook, HookBits> test;
    for (int round = 0; round < 2; ++round) {
        test.run(4000, 70, 20);    // dense: arrays of all sizes
        test.run(6000, 3000, 10);  // grows
        test.run(6000, 3000, 80);  // shrinks
        test.run(3000, 20000, 60); // single pages
        test.empty();
    }
}

} // namespace

TEST_CASE("an index with narrow hooks agrees with a map, whatever memory is refused") {
    run_against_map<std::uint8_t, 3>();
}
TEST_CASE("an index with wide hooks agrees with a map, whatever memory is refused") { run_against_map<wide, 64>(); }

TEST_CASE("the ring of an object meets each of its extents once, and no others") {
    test_source source;
    narrow_index index{source, any_node};
    for (std::uint64_t i = 0; i < 300; ++i) {
        REQUIRE(index.insert(i % 2 == 0 ? 4 : 5, i % 3, i * extent_pages / 2, entry{i, 0}));
    }
    for (std::uint32_t pool = 4; pool < 6; ++pool) {
        for (std::uint64_t object = 0; object < 3; ++object) {
            std::vector<std::uint64_t> numbers;
            const std::uint32_t start = index.find_object(pool, object);
            REQUIRE(start != narrow_index::none);
            std::uint32_t x = start;
            do {
                CHECK(index.pool_of(x) == pool);
                CHECK(index.object_of(x) == object);
                numbers.push_back(index.number_of(x));
                x = index.next_of_object(x);
            } while (x != start);
            std::sort(numbers.begin(), numbers.end());
            CHECK(std::adjacent_find(numbers.begin(), numbers.end()) == numbers.end());
            CHECK(numbers.size() == 50);
        }
    }
    CHECK(index.find_object(4, 3) == narrow_index::none);
    CHECK(index.find_object(6, 0) == narrow_index::none);
}

TEST_CASE("when the extent goes under which an object is found, another takes its place") {
    test_source source;
    narrow_index index{source, any_node};
    constexpr std::uint64_t extents = 20;
    for (std::uint64_t i = 0; i < extents; ++i) {
        REQUIRE(index.insert(1, 9, i * extent_pages, entry{i, 0}));
    }
    for (std::uint64_t left = extents; left > 0; --left) {
        const std::uint32_t first = index.find_object(1, 9);
        REQUIRE(first != narrow_index::none);
        std::uint64_t met = 0;
        std::uint32_t x = first;
        do {
            ++met;
            x = index.next_of_object(x);
        } while (x != first && met <= extents);
        CHECK(met == left);
        index.erase(index.find(1, 9, index.number_of(first) * extent_pages));
        CHECK(index.check());
    }
    CHECK(index.find_object(1, 9) == narrow_index::none);
}

TEST_CASE("next_in_pool goes round all pages of the pool, from gone slots too") {
    test_source source;
    narrow_index index{source, any_node};
    rng random{3};
    std::vector<slot_id> slots;
    for (std::uint64_t i = 0; i < 500; ++i) {
        const std::uint32_t pool = static_cast<std::uint32_t>(i % 2);
        const slot_id slot = index.insert(pool, random.below(4), i * 3, entry{i, 0}).value();
        if (pool == 1) {
            slots.push_back(slot);
        }
    }
    std::sort(slots.begin(), slots.end());
    slot_id at = no_slot;
    for (int round = 0; round < 2; ++round) {
        for (const slot_id slot : slots) {
            at = index.next_in_pool(1, at);
            REQUIRE(at == slot);
        }
    }
    for (std::size_t i = 0; i + 1 < slots.size(); i += 2) {
        index.erase(slots[i]);
        REQUIRE(index.next_in_pool(1, slots[i]) == slots[i + 1]);
    }
    CHECK(index.next_in_pool(2, no_slot) == no_slot);
}

TEST_CASE("a dense page costs less than 14 bytes of index, a page alone less than 48") {
    test_source source;
    constexpr std::uint64_t pages = 100'000;
    {
        narrow_index index{source, any_node};
        for (std::uint64_t i = 0; i < pages; ++i) {
            REQUIRE(index.insert(0, 1, i, entry{i, 0}));
        }
        CHECK(index.bytes() < 14 * pages);
        CHECK(index.bytes() == source.bytes_held());
    }
    narrow_index index{source, any_node};
    for (std::uint64_t i = 0; i < pages; ++i) {
        REQUIRE(index.insert(0, i * 7, i, entry{i, 0}));
    }
    CHECK(index.bytes() < 46 * pages);
}

TEST_CASE("an index that never had a page takes no memory") {
    test_source source;
    const wide_index index{source, any_node};
    CHECK(index.find(0, 0, 0) == no_slot);
    CHECK(index.next_extent(0) == wide_index::none);
    CHECK(index.next_in_pool(0, no_slot) == no_slot);
    CHECK(index.check());
    CHECK(source.acquisitions() == 0);
}
