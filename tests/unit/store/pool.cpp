// SPDX-License-Identifier: MIT

// Pool ids, and what a pool may use: caps, reservations and weights.

#include "support/store_fixture.hpp"

#include <pagefold/store/default_config.hpp>
#include <pagefold/store/located_key.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing::unit_store_pool {
namespace {

using fixture = store_fixture<page_store<default_config>>;
using parted = store_fixture<partitioned_store<default_config>>;

status put_raw(auto& s, pool_id pool, std::uint64_t index) {
    return s.put({pool, index / 100, index}, page_kind::random, index);
}
std::uint64_t stored(const auto& s, pool_id pool) { return s.store.statistics_of(pool).value().stored_pages; }
std::uint64_t used(const auto& s, pool_id pool) { return s.store.statistics_of(pool).value().used_bytes; }
std::uint64_t evicted(const auto& s, pool_id pool) { return s.store.statistics_of(pool).value().evicted_pages; }

/// What a raw page is charged in the middle of an extent, at least and at most (idle places are spread over all pages).
constexpr std::uint64_t raw_least = 4096 + 12, raw_most = (4096 + 2 * 12 + 44) * 18 / 16;

constexpr pool_id last_id(std::uint32_t slot) {
    return static_cast<pool_id>(~std::uint64_t{0} << (pool_ids::slot_bits + 1) | slot);
}

} // namespace

TEST_CASE("pool: an id tells slot, kind and generation") {
    static_assert(sizeof(pool_id) == 8);
    pool_id id{};
    for (const std::uint32_t slot : {0u, 1u, 63u, 4095u}) {
        for (const pool_kind kind : {pool_kind::persistent, pool_kind::ephemeral}) {
            const pool_id next = pool_ids::next(id, slot, kind);
            CHECK(pool_ids::slot(next) == slot);
            CHECK(pool_ids::kind(next) == kind);
            CHECK(pool_ids::generation(next) == pool_ids::generation(id) + 1);
            CHECK(next != pool_id{});
            id = next;
        }
    }
}

TEST_CASE("pool: after the last generation of a slot there is none") {
    constexpr std::uint64_t last = (std::uint64_t{1} << 51) - 1;
    CHECK(pool_ids::generation(last_id(5)) == last);
    CHECK(pool_ids::next(last_id(5), 5, pool_kind::persistent) == pool_id{});
    CHECK(pool_ids::next(last_id(5), 5, pool_kind::ephemeral) == pool_id{});
    const auto before = static_cast<pool_id>((last - 1) << (pool_ids::slot_bits + 1) | 5);
    CHECK(pool_ids::next(before, 5, pool_kind::persistent) == last_id(5));
    CHECK(pool_ids::generation(pool_ids::next(before, 5, pool_kind::ephemeral)) == last);
}

TEST_CASE("pool: options that contradict themselves are invalid") {
    fixture s;
    CHECK(s.store.create_pool({.weight = 0}).error() == status::invalid);
    CHECK(s.store.create_pool({.cap_bytes = 4095, .reserved_bytes = 4096}).error() == status::invalid);
    CHECK(s.store.create_pool({.node = node_id{0}, .strict_node = true}).error() == status::invalid);
    CHECK(s.source.bytes_held() == 0);
    CHECK(s.store.create_pool({.node = node_id{0}}));
    CHECK(s.store.create_pool({.strict_node = true}));
    CHECK(s.store.create_pool({.cap_bytes = 4096, .reserved_bytes = 4096}));
}

TEST_CASE("pool: there are max_pools of them, and a slot that came free serves again") {
    fixture s;
    pool_id pools[default_config::max_pools];
    for (pool_id& pool : pools) {
        pool = s.make_pool();
        CHECK(s.put({pool, 1, 1}, 2) == status::ok);
    }
    CHECK(s.store.create_pool().error() == status::limit);
    CHECK(s.store.destroy_pool(pools[40]) == status::ok);
    const pool_id again = s.make_pool({.kind = pool_kind::ephemeral});
    CHECK(s.lacks({again, 1, 1}));
    CHECK(s.store.create_pool().error() == status::limit);
    CHECK(s.store.check());
}

TEST_CASE("pool: where two pools have the same slot one after another, each page is checked against its own") {
    // The checksum of a page is bound to its whole key. The same stream under the same object and index has another in the
    // next pool of the slot, so that an entry which damage or a stale cache brings back is not taken for its page.
    const key_hasher hasher{1};
    const pool_id one = pool_ids::next({}, 3, pool_kind::persistent),
                  two = pool_ids::next(one, 3, pool_kind::persistent);
    const located_key a = hasher.locate({one, 7, 9}), b = hasher.locate({two, 7, 9});
    CHECK(a.pool == b.pool);
    CHECK(a.extent_hash == b.extent_hash);
    CHECK(a.sum_seed != b.sum_seed);
    CHECK(a.sum_seed != hasher.locate({one, 7, 10}).sum_seed);
    CHECK(a.sum_seed != hasher.locate({one, 8, 9}).sum_seed);
    CHECK(a.sum_seed != hasher.locate({pool_ids::next({}, 4, pool_kind::persistent), 7, 9}).sum_seed);
}

// Caps.

TEST_CASE(
    "pool: a persistent one refuses puts beyond its cap, and smaller content in place of larger is always taken") {
    fixture s;
    const pool_id pool = s.make_pool({.cap_bytes = 40 * raw_least});
    const pool_id free = s.make_pool();
    std::uint64_t count = 0;
    while (put_raw(s, pool, count) == status::ok) {
        ++count;
        CHECK(used(s, pool) <= 40 * raw_least);
    }
    CHECK(count >= 36);
    CHECK(count <= 39); // extents are charged too
    CHECK(stored(s, pool) == count);
    CHECK(put_raw(s, free, 10) == status::ok);
    for (std::uint64_t i = 0; i < count; ++i) {
        CHECK(put_raw(s, pool, i) == status::ok); // in place of itself
        CHECK(s.put({pool, 0, i}, page_kind::pointers, i) == status::ok);
        CHECK(s.has({pool, 0, i}, page_kind::pointers, i));
        CHECK(s.put({pool, 0, i}, page_kind::sparse, i) == status::ok);
        CHECK(s.put({pool, 0, i}, page_kind::zeros, i) == status::ok);
        CHECK(s.has({pool, 0, i}, page_kind::zeros, i));
        CHECK(used(s, pool) <= 40 * raw_least);
    }
    CHECK(used(s, pool) < 40 * 2 * 12 + 100);
    for (std::uint64_t i = 0; i < count; ++i) {
        CHECK(put_raw(s, pool, i) == status::ok);
    }
    CHECK(put_raw(s, pool, count) == status::limit);
    CHECK(s.store.erase({pool, 0, 6}) == status::ok);
    CHECK(put_raw(s, pool, count) == status::ok);
    CHECK(put_raw(s, pool, count + 1) == status::limit);
    CHECK(s.store.statistics_of(pool).value().rejected_puts == 3);
    CHECK(evicted(s, pool) == 0);
    CHECK(s.store.check());
}

TEST_CASE("pool: a put that the cap refuses leaves no version of its page") {
    fixture s;
    const pool_id pool = s.make_pool({.cap_bytes = 20'000});
    REQUIRE(s.put({pool, 0, 0}, page_kind::zeros, 0) == status::ok);
    std::uint64_t i = 100;
    while (put_raw(s, pool, i) == status::ok) {
        ++i;
    }
    CHECK(put_raw(s, pool, 0) == status::limit); // in place of the zeros
    CHECK(s.lacks({pool, 0, 0}));
    CHECK(s.store.check());
}

TEST_CASE("pool: a cap below a single page refuses all, and one without any room is no trouble") {
    for (const pool_kind kind : {pool_kind::persistent, pool_kind::ephemeral}) {
        fixture s;
        const pool_id tight = s.make_pool({.kind = kind, .cap_bytes = raw_least - 1});
        CHECK(put_raw(s, tight, 1) == status::limit);
        CHECK(s.put({tight, 1, 1}, page_kind::zeros, 1) == status::ok);
        CHECK(put_raw(s, tight, 1) == status::limit);
        const pool_id none = s.make_pool({.kind = kind, .cap_bytes = 0});
        CHECK(s.put({none, 1, 1}, page_kind::zeros, 1) == status::limit);
        CHECK(put_raw(s, none, 1) == status::limit);
        CHECK(stored(s, none) == 0);
        CHECK(used(s, none) == 0);
        CHECK(s.store.check());
    }
}

TEST_CASE("pool: an ephemeral one at its cap drops its own pages and no others'") {
    for (const std::size_t partitions : {1u, 8u}) {
        CAPTURE(partitions);
        parted s{store_options{.partitions = partitions}};
        constexpr std::uint64_t cap = 60 * raw_most;
        const pool_id capped = s.make_pool({.kind = pool_kind::ephemeral, .cap_bytes = cap});
        const pool_id other = s.make_pool({.kind = pool_kind::ephemeral});
        for (std::uint64_t i = 0; i < 300; ++i) {
            CHECK(put_raw(s, other, i) == status::ok);
            CHECK(s.put({capped, i % 50, i}, page_kind::random, i) == status::ok);
            CHECK(s.has({capped, i % 50, i}, page_kind::random, i));
            CHECK(used(s, capped) <= cap);
        }
        CHECK(stored(s, capped) >= 58);
        CHECK(stored(s, other) == 300);
        CHECK(evicted(s, capped) == 300 - stored(s, capped));
        CHECK(evicted(s, other) == 0);
        CHECK(s.store.check());
    }
}

namespace {

/// How much a hold of a partition's lock may drop, seen at its end.
struct counting_lock {
    static inline std::uint64_t holds = 0;
    void lock() noexcept { ++holds; }
    void unlock() noexcept {}
};
struct counted_holds : default_config {
    using lock_type = counting_lock;
};

} // namespace

TEST_CASE("pool: an ephemeral one at its cap takes a page as long as it has any to drop, some pages a hold") {
    for (const std::size_t partitions : {1u, 8u}) {
        CAPTURE(partitions);
        store_fixture<partitioned_store<counted_holds>> s{store_options{.partitions = partitions}};
        const pool_id pool = s.make_pool({.kind = pool_kind::ephemeral, .cap_bytes = 256 << 10});
        for (std::uint64_t i = 0; i < 25'000; ++i) {
            REQUIRE(s.put({pool, i >> 10, i & 1023}, page_kind::zeros, 0) == status::ok);
        }
        CHECK(stored(s, pool) > 15'000);
        std::uint64_t most_a_hold = 0;
        for (std::uint64_t i = 0; i < 60; ++i) {
            const std::uint64_t evicted_before = evicted(s, pool), holds_before = counting_lock::holds;
            CHECK(s.put({pool, 77, i}, page_kind::random, i) == status::ok);
            const std::uint64_t holds = counting_lock::holds - holds_before - 1; // one is the statistics'
            const std::uint64_t dropped = evicted(s, pool) - evicted_before;
            CHECK(dropped <= 16 * holds);
            most_a_hold = dropped / holds > most_a_hold ? dropped / holds : most_a_hold;
            CHECK(s.has({pool, 77, i}, page_kind::random, i));
            CHECK(used(s, pool) <= (256 << 10) * 17 / 16); // what dropping left idle was spread after it
        }
        CHECK(most_a_hold > 0);
        CHECK(s.store.check());
    }
}

// Reservations. (What they are worth against a flood: pool_charge.cpp.)

TEST_CASE("pool: reservations beyond the limit are refused, one that just fits is not") {
    constexpr std::size_t limit = 8u << 20;
    constexpr std::size_t huge = ~(~std::size_t{0} >> 1);
    fixture s{store_options{.limit_bytes = limit}};
    CHECK(s.store.create_pool({.reserved_bytes = huge}).error() == status::limit);
    CHECK(s.store.create_pool({.reserved_bytes = huge}).error() == status::limit);
    CHECK(s.store.create_pool({.reserved_bytes = ~std::size_t{0}}).error() == status::limit);
    CHECK(s.store.create_pool({.reserved_bytes = limit}).error() == status::limit); // the records are in the limit too
    std::vector<pool_id> pools;
    while (const auto one = s.store.create_pool({.reserved_bytes = limit / 16})) {
        pools.push_back(*one);
        REQUIRE(pools.size() < 17);
    }
    CHECK(pools.size() == 15); // what the store itself has taken is missing for the sixteenth
    std::size_t low = 0, high = limit / 16;
    while (high - low > 1) { // the rest, to the byte
        const std::size_t middle = (low + high) / 2;
        const auto one = s.store.create_pool({.reserved_bytes = middle});
        (one ? low : high) = middle;
        CHECK(one.error() == (one ? status::ok : status::limit));
        CHECK((!one || s.store.destroy_pool(*one) == status::ok));
    }
    const auto last = s.store.create_pool({.reserved_bytes = low});
    REQUIRE(last);
    CHECK(s.store.create_pool({.reserved_bytes = 1}).error() == status::limit);
    CHECK(s.store.create_pool());
    CHECK(s.store.destroy_pool(pools[3]) == status::ok);
    CHECK(s.store.create_pool({.reserved_bytes = limit / 16 + 1}).error() == status::limit);
    CHECK(s.store.create_pool({.reserved_bytes = limit / 16}));
    CHECK(s.store.check());
}

TEST_CASE("pool: without a limit there is room for one reservation of half of all addresses, not for two") {
    fixture s;
    CHECK(s.store.create_pool({.reserved_bytes = ~(~std::size_t{0} >> 1)}));
    CHECK(s.store.create_pool({.reserved_bytes = ~(~std::size_t{0} >> 1)}).error() == status::limit);
    CHECK(s.store.check());
}

TEST_CASE("pool: a reservation can't be taken, neither by dropping nor by filling, and ends with its pool") {
    fixture s{store_options{.limit_bytes = 1 << 20}};
    constexpr std::uint64_t reserved_pages = 80;
    const pool_id reserved = s.make_pool({.kind = pool_kind::ephemeral, .reserved_bytes = reserved_pages * raw_most});
    const pool_id cache = s.make_pool({.kind = pool_kind::ephemeral, .weight = 10'000});
    const pool_id kept = s.make_pool();
    for (std::uint64_t i = 0; i < 40; ++i) {
        CHECK(put_raw(s, reserved, i) == status::ok);
    }
    for (std::uint64_t i = 0; i < 400; ++i) {
        CHECK(put_raw(s, cache, i) == status::ok);
    }
    std::uint64_t accepted = 0;
    while (put_raw(s, kept, accepted) == status::ok) {
        ++accepted;
    }
    CHECK(accepted > 80);
    CHECK(stored(s, cache) == 0);
    CHECK(stored(s, reserved) == 40);
    static_cast<void>(s.store.shrink(1 << 20));
    CHECK(stored(s, reserved) == 40);
    // The others' room was held back all the while.
    for (std::uint64_t i = 40; i < reserved_pages; ++i) {
        CHECK(put_raw(s, reserved, i) == status::ok);
    }
    CHECK(stored(s, reserved) == reserved_pages);
    for (std::uint64_t i = 0; i < reserved_pages; ++i) {
        CHECK(s.has({reserved, 0, i}, page_kind::random, i));
    }
    // (What was held back for 40 pages covers such as cost the most; what they did not cost is free for others now.)
    std::uint64_t more = 0;
    while (put_raw(s, kept, accepted) == status::ok) {
        ++accepted;
        ++more;
    }
    CHECK(more <= 40 * (raw_most * 17 / 16 - raw_least) / raw_least);
    CHECK(stored(s, reserved) == reserved_pages);
    CHECK(s.store.destroy_pool(reserved) == status::ok);
    CHECK(put_raw(s, kept, accepted) == status::ok);
    CHECK(s.store.stats().total_bytes <= 1 << 20);
    CHECK(s.store.check());
}

TEST_CASE("pool: what one has above its reservation can be dropped, down to it and never below") {
    for (const page_kind kind : {page_kind::random, page_kind::pointers, page_kind::text, page_kind::zeros}) {
        CAPTURE(static_cast<unsigned>(kind));
        fixture s;
        constexpr std::uint64_t reserve = 120'000;
        const pool_id reserved = s.make_pool({.kind = pool_kind::ephemeral, .reserved_bytes = reserve});
        for (std::uint64_t i = 0; used(s, reserved) < 2 * reserve; ++i) {
            REQUIRE(s.put({reserved, i / 1000, i % 1000}, kind, i) == status::ok);
        }
        CHECK(s.store.resize(0) == status::limit);
        CHECK(used(s, reserved) >= reserve * 99 / 100); // the rates of what is idle have changed since
        CHECK(used(s, reserved) <= reserve + 2 * raw_most + reserve / 8);
        CHECK(evicted(s, reserved) > 0);
        CHECK(s.store.check());
    }
}

TEST_CASE("pool: a cache that has reserved all that it may use goes on taking pages in place of its own") {
    for (const std::size_t partitions : {1u, 8u}) {
        for (const bool is_store_full : {false, true}) {
            CAPTURE(partitions);
            CAPTURE(is_store_full);
            parted s{store_options{.limit_bytes = is_store_full ? 8u << 20 : 64u << 20, .partitions = partitions}};
            const pool_id cache = s.make_pool({.kind = pool_kind::ephemeral,
                                               .cap_bytes = is_store_full ? ~std::size_t{0} : 1u << 20,
                                               .reserved_bytes = 1u << 20});
            const pool_id kept = s.make_pool();
            for (std::uint64_t i = 0; i < 3000; ++i) {
                static_cast<void>(put_raw(s, kept, i)); // fills what the cache has not reserved
            }
            std::uint64_t least = 1 << 20;
            for (std::uint64_t i = 0; i < 1500; ++i) {
                const page_kind kind = i % 3 == 0 ? page_kind::pointers : page_kind::random;
                CHECK(s.put({cache, i / 64, i % 64}, kind, i) == status::ok);
                CHECK(s.has({cache, i / 64, i % 64}, kind, i));
                least = i > 400 && used(s, cache) < least ? used(s, cache) : least;
            }
            CHECK(least >= (1u << 20) * 85 / 100); // one page's place does not always fit the next
            CHECK(stored(s, kept) > (is_store_full ? 1000 : 2999));
            CHECK(s.store.check());
        }
    }
}

TEST_CASE("pool: whoever pushes, a pool loses no page that it needs for its reservation, whatever the pages' sizes") {
    for (const std::size_t partitions : {1u, 4u}) {
        CAPTURE(partitions);
        parted s{store_options{.limit_bytes = 4u << 20, .partitions = partitions}};
        constexpr std::uint64_t reserve = 600'000;
        const pool_id pools[] = {s.make_pool({.kind = pool_kind::ephemeral, .reserved_bytes = reserve, .weight = 1}),
                                 s.make_pool({.kind = pool_kind::ephemeral, .reserved_bytes = reserve, .weight = 1000}),
                                 s.make_pool({.kind = pool_kind::ephemeral, .weight = 100'000}), s.make_pool()};
        rng random{4};
        std::uint64_t lost = 0, persistent = 0;
        for (int step = 0; step < 12'000; ++step) {
            std::uint64_t before[2];
            for (unsigned i = 0; i < 2; ++i) {
                before[i] = evicted(s, pools[i]);
            }
            const unsigned who = static_cast<unsigned>(random.below(4));
            const page_key key{pools[who], random.below(5), random.below(who == 3 ? 100 : 2000)};
            const page_kind kind = static_cast<page_kind>(random.below(page_kinds));
            persistent += s.put(key, kind, random.below(1000)) == status::ok && who == 3 ? 1 : 0;
            if (step % 1500 == 1499) {
                static_cast<void>(s.store.shrink(200'000));
            }
            for (unsigned i = 0; i < 2; ++i) {
                if (evicted(s, pools[i]) != before[i]) {
                    lost += evicted(s, pools[i]) - before[i];
                    // (a pool's own put may take what stands in its way)
                    CHECK_UNARY(used(s, pools[i]) >= reserve * (who == i ? 90 : 99) / 100);
                }
            }
        }
        CHECK(lost > 500);
        CHECK(persistent > 1000);
        CHECK(s.store.check());
    }
}

// Weights. (pool_shares.cpp goes into them.)

TEST_CASE("pool: under pressure one of twice the weight keeps about twice the pages") {
    fixture s{store_options{.limit_bytes = 4'000'000}};
    const pool_id heavy = s.make_pool({.kind = pool_kind::ephemeral, .weight = 200});
    const pool_id light = s.make_pool({.kind = pool_kind::ephemeral, .weight = 100});
    const auto is_fair = [&] {
        const std::uint64_t heavy_pages = stored(s, heavy), light_pages = stored(s, light);
        CHECK(heavy_pages + light_pages > 800);
        CHECK(heavy_pages * 10 > light_pages * 19);
        CHECK(heavy_pages * 10 < light_pages * 21);
    };
    for (std::uint64_t i = 0; i < 2400; ++i) {
        CHECK(put_raw(s, heavy, i) == status::ok);
        CHECK(put_raw(s, light, i) == status::ok);
    }
    is_fair();
    // Whoever pushes harder takes no more than the share.
    for (std::uint64_t i = 2400; i < 6000; ++i) {
        CHECK(put_raw(s, light, i) == status::ok);
    }
    is_fair();
    CHECK(s.store.check());
}

} // namespace pagefold::testing::unit_store_pool
