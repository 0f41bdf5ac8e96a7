// SPDX-License-Identifier: MIT

// What a pool is charged: the arithmetic by itself, and whether in a store it is the currency of the limit after every kind of
// history: for caps, for reservations, and as a sum.

#include "support/environment.hpp"
#include "support/store_configs.hpp"
#include "support/store_fixture.hpp"

#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>
#include <pagefold/store/pool_charge.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace pagefold::testing::unit_store_pool_charge {
#ifdef __SIZEOF_INT128__ // what the arithmetic is compared with; not where registers have 32 bits
namespace {

__extension__ using wide = unsigned __int128;

} // namespace

TEST_CASE("is_greater_ratio: exact for random and for extreme numbers") {
    rng random{2};
    const auto any64 = [&]() -> std::uint64_t {
        switch (random.below(4)) {
        case 0: return random.below(4);
        case 1: return ~std::uint64_t{0} - random.below(4);
        case 2: return (std::uint64_t{1} << random.below(64)) - random.below(2);
        default: return random() >> random.below(64);
        }
    };
    const auto any32 = [&] {
        const std::uint32_t some = static_cast<std::uint32_t>(any64() >> (random.one_in(2) ? 0 : 32));
        return some != 0 ? some : 1;
    };
    bool all_right = true;
    for (int round = 0; round < in_part(300'000); ++round) {
        const std::uint64_t a = any64(), c = random.one_in(4) ? a : any64();
        const std::uint32_t b = any32(), d = random.one_in(4) ? b : any32();
        all_right = all_right && is_greater_ratio(a, b, c, d) == (wide{a} * d > wide{c} * b);
        // And numbers that are as near as they can be: c such that c/d is a/b or just beside it.
        const std::uint64_t near = static_cast<std::uint64_t>(wide{a} * d / b);
        for (const std::uint64_t beside : {near - 1, near, near + 1}) {
            all_right = all_right && is_greater_ratio(a, b, beside, d) == (wide{a} * d > wide{beside} * b);
        }
    }
    CHECK(all_right);
    CHECK(!is_greater_ratio(0, 1, 0, 1));
    CHECK(is_greater_ratio(~std::uint64_t{0}, 1, ~std::uint64_t{0} - 1, 1));
    CHECK(is_greater_ratio(~std::uint64_t{0}, 0xfffffffeu, ~std::uint64_t{0}, 0xffffffffu));
}

TEST_CASE("pool_charge: bytes times a rate, rounded down") {
    rng random{3};
    bool all_right = true;
    for (int round = 0; round < in_part(100'000); ++round) {
        const std::size_t bytes = random() >> (2 + random.below(62));
        const std::uint32_t rate = 0x10000u + static_cast<std::uint32_t>(random.below(0x4000));
        all_right = all_right && pool_charge::scaled(bytes, rate) == static_cast<std::size_t>(wide{bytes} * rate >> 16);
    }
    CHECK(all_right);
    CHECK(pool_charge::scaled(12345, 0x10000) == 12345);
}

TEST_CASE("pool_charge: the rate spreads what is idle and no more than a part") {
    using pool_charge::rate;
    CHECK(rate(0, 0, 16) == 0x10000);
    CHECK(rate(0, 1 << 20, 16) == 0x10000);
    CHECK(rate(1, 1 << 20, 16) == 0x10000);
    CHECK(rate(100'000, 0, 16) == 0x10000);
    CHECK(rate(std::size_t{1} << 40, std::size_t{1} << 36, 16) == 0x11000);
    CHECK(rate(std::size_t{1} << 40, std::size_t{1} << 39, 16) == 0x11000);
    CHECK(rate(std::size_t{1} << 40, std::size_t{1} << 39, 8) == 0x12000);
    rng random{4};
    for (int round = 0; round < 10'000; ++round) {
        const std::size_t used = 1 + (random() >> (8 + random.below(56)));
        const std::size_t idle = static_cast<std::size_t>(wide{used} * random.below(100) / 1000);
        const std::size_t charged = pool_charge::scaled(used, rate(used, idle, 8)),
                          spread = idle < used / 8 ? idle : used / 8;
        CHECK_UNARY(charged <= used + spread + 1 + used / 65536);
        CHECK_UNARY(charged + used / 32768 + 1 >= used + spread);
    }
}
#endif

TEST_CASE("pool_charge: the rates come from all partitions, each with some idle memory free") {
    constexpr std::size_t free = pool_charge::free_idle;
    partition_gauge gauges[3];
    const auto set = [&](std::size_t i, std::size_t payload, std::size_t payload_idle, std::size_t tables,
                         std::size_t tables_idle) {
        gauges[i].payload_charged.store(payload, memory_order::relaxed);
        gauges[i].payload_used.store(payload, memory_order::relaxed);
        gauges[i].payload_held.store(payload + payload_idle, memory_order::relaxed);
        gauges[i].tables_used.store(tables, memory_order::relaxed);
        gauges[i].tables_held.store(tables + tables_idle, memory_order::relaxed);
    };
    pool_table table;
    const auto rates_are = [&](std::uint32_t payload, std::uint32_t tables) {
        pool_charge::renew_rates(table, gauges, 3);
        return table.payload_rate.load(memory_order::relaxed) == 0x10000 + payload &&
               table.tables_rate.load(memory_order::relaxed) == 0x10000 + tables;
    };
    CHECK(rates_are(0, 0));
    for (std::size_t i = 0; i < 3; ++i) {
        set(i, 1 << 24, free, 1 << 20, free);
    }
    CHECK(rates_are(0, 0));
    set(1, 1 << 25, free + (1 << 18), 1 << 20, free);
    CHECK(rates_are(0x10000 / 256, 0)); // 2^18 over 2^26
    set(1, 1 << 25, free + (1 << 18), 1 << 21, free + (1 << 18));
    CHECK(rates_are(0x10000 / 256, 0x10000 / 16));
    set(2, 1 << 24, 1 << 30, 1 << 20, 1 << 30);
    CHECK(rates_are(0x1000, 0x2000));
    set(2, 1 << 24, free, 1 << 20, free);
    gauges[0].payload_charged.store((1 << 24) - (1 << 22),
                                    memory_order::relaxed); // a quarter of it lies in larger slots
    constexpr std::uint64_t all = (1 << 26) - (1 << 22);
    CHECK(rates_are(
        static_cast<std::uint32_t>((std::uint64_t{1 << 18} << 16) / all + (std::uint64_t{1 << 22} << 16) / all),
        0x10000 / 16));
    gauges[0].payload_charged.store(1 << 24, memory_order::relaxed);
    gauges[2].payload_held.store(5, memory_order::relaxed); // a mixture of two moments: less held than used
    gauges[2].tables_held.store(5, memory_order::relaxed);
    CHECK(rates_are(0x10000 / 256, 0x10000 / 16));
}

TEST_CASE("pool_charge: unmet reservations add up, whatever the pools use and however the rates change") {
    pool_table table;
    pool_record records[5];
    rng random{7};
    const auto relaxed = memory_order::relaxed;
    for (int step = 0; step < in_part(20'000); ++step) {
        pool_record& one = records[random.below(5)];
        switch (random.below(4)) {
        case 0: one.reserved.store(random.one_in(3) ? 0 : random.below(1'000'000), relaxed); break;
        case 1: one.payload.store(random.below(1'000'000), relaxed); break;
        case 2: one.tables.store(random.below(100'000), relaxed); break;
        default: table.payload_rate.store(0x10000u + static_cast<std::uint32_t>(random.below(0x1000)), relaxed);
        }
        pool_charge::renew_unmet(table, one);
        const std::size_t used = pool_charge::of(table, one), reserved = one.reserved.load(relaxed);
        CHECK_UNARY(one.unmet.load(relaxed) == (reserved > used ? reserved - used : 0));
        std::size_t sum = 0;
        for (const pool_record& record : records) {
            sum += record.unmet.load(relaxed);
        }
        CHECK_UNARY(table.unmet.load(relaxed) == sum);
        const std::size_t others = sum - one.unmet.load(relaxed);
        CHECK_UNARY(pool_charge::held_back_from(table, one) == others + others / 16);
    }
}

// In a store.

namespace {

using fixture = store_fixture<partitioned_store<unlocked_config>>;

std::uint64_t used(const fixture& s, pool_id pool) { return s.store.statistics_of(pool).value().used_bytes; }
std::uint64_t stored(const fixture& s, pool_id pool) { return s.store.statistics_of(pool).value().stored_pages; }

/// Where the pages of a history are.
enum class layout { dense, one_an_object, two_an_object };

page_key key_of(pool_id pool, layout where, std::uint64_t i) {
    switch (where) {
    case layout::dense: return {pool, i / 5000, i % 5000};
    case layout::one_an_object: return {pool, i * 0x9e3779b97f4a7c15u, 0};
    case layout::two_an_object: break;
    }
    return {pool, i / 2 * 0x9e3779b97f4a7c15u, i % 2};
}

/// What the index takes at least for so many pages in each extent: the extent and an array that is just large enough.
std::uint64_t least_tables(const std::map<std::array<std::uint64_t, 3>, unsigned>& extents) {
    std::uint64_t bytes = 0;
    for (const auto& [key, pages] : extents) {
        unsigned array = 0;
        for (const unsigned capacity : {64u, 48u, 32u, 24u, 16u, 12u, 8u, 6u, 4u, 2u}) {
            array = pages > 1 && capacity >= pages ? capacity : array;
        }
        bytes += 44 + array * 12;
    }
    return bytes;
}

/// A store whose pages are counted by extents: so it is known what is in use and what is idle.
struct ledger {
    fixture& s;
    std::vector<pool_id> pools;
    std::size_t partitions;
    std::uint64_t empty; ///< what the store took before the first page
    std::map<std::array<std::uint64_t, 3>, unsigned> extents{};

    static std::array<std::uint64_t, 3> extent_of(const page_key& key) {
        return {static_cast<std::uint64_t>(key.pool), key.object, key.index / extent_pages};
    }
    void put(const page_key& key, page_kind kind, std::uint64_t seed) {
        const std::uint64_t before = s.store.stats().stored_pages;
        REQUIRE(s.put(key, kind, seed) == status::ok);
        if (s.store.stats().stored_pages > before) {
            ++extents[extent_of(key)];
        }
    }
    void erase(const page_key& key) {
        REQUIRE(s.store.erase(key) == status::ok);
        if (--extents[extent_of(key)] == 0) {
            extents.erase(extent_of(key));
        }
    }
    [[nodiscard]] std::uint64_t charged() const {
        std::uint64_t bytes = 0;
        for (const pool_id pool : pools) {
            bytes += used(s, pool);
        }
        return bytes;
    }
    /// The sum of what the pools are charged is what was taken since the store was empty, within a fiftieth, but for 24 pages
    /// a partition and what is idle beyond a sixteenth of payload and an eighth of the index. Erasing alone spreads nothing
    /// anew: `rates_are_old` when it was the last that happened.
    void check(bool rates_are_old = false) const {
        const store_stats all = s.store.stats();
        std::uint64_t allocator_tables = 0;
        s.store.look_at_allocators([&](const auto& allocator) { allocator_tables += allocator.table_bytes(); });
        const std::uint64_t tables = least_tables(extents);
        const std::uint64_t index = all.total_bytes - empty - all.mem_used_total - allocator_tables;
        CHECK_UNARY(index >= tables);
        const auto beyond = [](std::uint64_t idle, std::uint64_t part) { return idle > part ? idle - part : 0; };
        const std::uint64_t nobodys = beyond(all.mem_used_total + allocator_tables - all.allocated_bytes,
                                             rates_are_old ? 0 : all.allocated_bytes / 16) +
                                      beyond(index - tables, rates_are_old ? 0 : tables / 8);
        CHECK(charged() <= (all.total_bytes - empty) * 102 / 100);
        // Of a partition's first pages nothing is spread: what their slots are too large by.
        CHECK(charged() * 102 / 100 + 8192 + partitions * 512 >= all.allocated_bytes + tables);
        CHECK(all.fixed_bytes == beyond(all.total_bytes, charged()));
        CHECK(all.fixed_bytes <= empty + partitions * 24 * 4096 + all.total_bytes / 50 + nobodys);
    }
};

struct history {
    page_kind kind;
    layout where;
    std::uint64_t pages;
};
constexpr history histories[] = {
    {page_kind::pointers, layout::dense, 4000},
    {page_kind::pointers, layout::one_an_object, 4000},
    {page_kind::text, layout::dense, 3000},
    {page_kind::text, layout::two_an_object, 3000},
    {page_kind::zeros, layout::dense, 60'000},
    {page_kind::zeros, layout::one_an_object, 60'000},
    {page_kind::zeros, layout::two_an_object, 60'000},
    {page_kind::random, layout::dense, 3000},
    {page_kind::random, layout::one_an_object, 3000},
    {page_kind::sparse, layout::dense, 20'000},
    {page_kind::sparse, layout::one_an_object, 20'000},
};

} // namespace

TEST_CASE("pool_charge: the pools together are charged what the store takes, after every kind of history") {
    for (const std::size_t partitions : {1u, 8u}) {
        CAPTURE(partitions);
        for (const history& h : histories) {
            CAPTURE(static_cast<unsigned>(h.kind));
            CAPTURE(static_cast<unsigned>(h.where));
            fixture s{store_options{.partitions = partitions, .seed = 6}};
            ledger l{s,
                     {s.make_pool(), s.make_pool({.kind = pool_kind::ephemeral}), s.make_pool()},
                     partitions,
                     s.store.stats().total_bytes};
            CHECK(s.store.stats().fixed_bytes == l.empty);
            const auto key = [&](std::uint64_t i) { return key_of(l.pools[i / 16 % 3], h.where, i); };
            for (std::uint64_t i = 0; i < h.pages; ++i) {
                l.put(key(i), h.kind, i);
                if (i % (h.pages / 4) == 50) {
                    l.check();
                }
            }
            CHECK(s.store.check());
            l.check();

            // Half of it goes, by no pattern, and what that leaves idle is charged to nobody, beyond a part.
            rng random{h.pages};
            const std::uint64_t before = l.charged();
            for (std::uint64_t i = 0; i < h.pages; ++i) {
                if (random.one_in(2)) {
                    l.erase(key(i));
                }
            }
            l.check(true);
            CHECK(l.charged() > before * 40 / 100);
            CHECK(l.charged() < before * 75 / 100); // an array may be half full
            // Puts go on, which spread the idle memory; then it is taken away.
            for (std::uint64_t i = 0; i < h.pages / 8; ++i) {
                l.put(key(i), h.kind, i);
            }
            l.check();
            while (s.store.compact(1 << 20) != 0) {
            }
            CHECK(s.store.check());
            l.check();

            for (std::uint64_t i = 0; i < h.pages; ++i) {
                if (s.get(key(i)) == status::ok) {
                    l.erase(key(i));
                }
            }
            CHECK(l.charged() == 0);
            CHECK(s.store.stats().fixed_bytes == s.store.stats().total_bytes);
            CHECK(s.store.check());
        }
    }
}

TEST_CASE("pool_charge: a pool capped at a mebibyte takes hardly more of the source than that") {
    for (const pool_kind kind : {pool_kind::persistent, pool_kind::ephemeral}) {
        for (const history& h : histories) {
            CAPTURE(static_cast<unsigned>(kind));
            CAPTURE(static_cast<unsigned>(h.kind));
            CAPTURE(static_cast<unsigned>(h.where));
            fixture s{store_options{.partitions = 1, .seed = 6}};
            const pool_id pool = s.make_pool({.kind = kind, .cap_bytes = 1 << 20});
            REQUIRE(s.put({pool, ~std::uint64_t{0}, 0}, h.kind, ~std::uint64_t{0}) == status::ok);
            const std::uint64_t before = s.source.bytes_held();
            std::uint64_t most = 0, refused = 0;
            for (std::uint64_t i = 0;
                 i < 100'000 && refused < 20 && s.store.statistics_of(pool).value().evicted_pages < 5000; ++i) {
                refused += s.put(key_of(pool, h.where, i), h.kind, i) == status::ok ? 0 : 1;
                most = s.source.bytes_held() - before > most ? s.source.bytes_held() - before : most;
            }
            CHECK(used(s, pool) > (1 << 20) * 90 / 100); // and it can use what it may
            // Same-filled pages and noise leave no gaps between streams, which the pages that a partition has free may be.
            const bool is_tight = h.kind == page_kind::zeros || h.kind == page_kind::random;
            CHECK(most <= (is_tight ? (1 << 20) * 105 / 100 : (1 << 20) + 24 * 4096));
            CHECK(s.store.check());
        }
    }
}

TEST_CASE("pool_charge: a flood at its cap leaves quiet tenants' pages alone") {
    for (const std::size_t partitions : {1u, 8u}) {
        for (const history& h : histories) {
            CAPTURE(partitions);
            CAPTURE(static_cast<unsigned>(h.kind));
            CAPTURE(static_cast<unsigned>(h.where));
            constexpr std::size_t limit = 8u << 20;
            fixture s{store_options{.limit_bytes = limit, .partitions = partitions, .seed = 6}};
            const std::vector<pool_id> quiet{s.make_pool({.kind = pool_kind::ephemeral}),
                                             s.make_pool({.kind = pool_kind::ephemeral}),
                                             s.make_pool({.kind = pool_kind::ephemeral})};
            // All together have nine tenths of what is left of the limit beside what is free.
            const std::uint64_t room = (limit - s.store.stats().total_bytes - partitions * 24 * 4096) * 9 / 10;
            const pool_id flood = s.make_pool({.kind = pool_kind::ephemeral, .cap_bytes = room / 4});
            std::uint64_t pages = 0;
            for (; used(s, quiet[0]) < room / 4 - 8192; ++pages) {
                for (const pool_id pool : quiet) {
                    REQUIRE(s.put({pool, pages / 64, pages % 64}, page_kind::pointers, pages) == status::ok);
                }
            }
            for (std::uint64_t i = 0; i < h.pages; ++i) {
                static_cast<void>(s.put(key_of(flood, h.where, i), h.kind, i));
                if (i % 16 == 0) { // the tenants read meanwhile
                    static_cast<void>(s.get({quiet[i / 16 % 3], i / 48 % pages / 64, i / 48 % pages % 64}));
                }
            }
            for (const pool_id pool : quiet) {
                CHECK(s.store.statistics_of(pool).value().evicted_pages == 0);
                CHECK(s.store.statistics_of(pool).value().misses == 0);
                CHECK(stored(s, pool) == pages);
            }
            CHECK(used(s, flood) <= room / 4 * 17 / 16);
            CHECK(s.store.check());
        }
    }
}

namespace {

/// One persistent pool has reserved half of the limit, another takes all that it gets; then the first one comes.
void reservation_is_kept(std::size_t partitions, std::size_t limit, page_kind kind, layout where,
                         pool_kind flood_kind) {
    CAPTURE(partitions);
    CAPTURE(limit);
    CAPTURE(static_cast<unsigned>(kind));
    CAPTURE(static_cast<unsigned>(where));
    CAPTURE(static_cast<unsigned>(flood_kind));
    fixture s{store_options{.limit_bytes = limit, .partitions = partitions, .seed = 6}};
    const std::size_t reserve = limit / 2;
    const pool_id reserving = s.make_pool({.reserved_bytes = reserve});
    const pool_id flooding = s.make_pool({.kind = flood_kind});
    REQUIRE(s.put({reserving, 1, 1}, page_kind::pointers, 0) == status::ok);
    unsigned refused = 0;
    std::uint64_t flooded = 0;
    for (std::uint64_t i = 0; refused < 50 && i < limit / 1024; ++i) {
        const bool done = s.put({flooding, i % 7, i}, page_kind::pointers, i) == status::ok;
        flooded += done ? 1 : 0;
        refused += done ? 0 : 1;
    }
    CHECK(flooded > limit / 4 / 4096); // the reservation does not cost the others all
    refused = 0;
    for (std::uint64_t i = 0; refused == 0 && used(s, reserving) + 4200 < reserve; ++i) {
        refused += s.put(key_of(reserving, where, i), kind, i) == status::ok ? 0 : 1;
    }
    CHECK(used(s, reserving) >= reserve * 95 / 100); // at the first refusal, if there was one
    CHECK(s.source.bytes_held() <= limit);
    CHECK(s.store.check());
}

} // namespace

TEST_CASE("pool_charge: who has reserved memory can use it, whatever the others have done") {
    for (const std::size_t partitions : {1u, 8u}) {
        for (const layout where : {layout::dense, layout::one_an_object}) {
            reservation_is_kept(partitions, 16u << 20, page_kind::pointers, where, pool_kind::persistent);
            reservation_is_kept(partitions, 16u << 20, page_kind::pointers, where, pool_kind::ephemeral);
        }
        reservation_is_kept(partitions, 16u << 20, page_kind::random, layout::dense, pool_kind::persistent);
        reservation_is_kept(partitions, 16u << 20, page_kind::zeros, layout::one_an_object, pool_kind::persistent);
    }
    reservation_is_kept(1, 64u << 20, page_kind::pointers, layout::dense, pool_kind::persistent);
    reservation_is_kept(8, 64u << 20, page_kind::pointers, layout::one_an_object, pool_kind::persistent);
}

TEST_CASE("pool_charge: several reservations at a time are all kept") {
    for (const std::size_t partitions : {1u, 8u}) {
        CAPTURE(partitions);
        constexpr std::size_t limit = 16u << 20, reserve = 3u << 20;
        fixture s{store_options{.limit_bytes = limit, .partitions = partitions, .seed = 6}};
        const pool_id pools[] = {s.make_pool({.reserved_bytes = reserve}),
                                 s.make_pool({.kind = pool_kind::ephemeral, .reserved_bytes = reserve}),
                                 s.make_pool({.reserved_bytes = reserve}), s.make_pool()};
        std::uint64_t most[3] = {}; // before the first refusal
        bool is_full[3] = {};
        for (std::uint64_t i = 0; !is_full[0] || !is_full[1] || !is_full[2]; ++i) {
            REQUIRE(i < 50'000);
            static_cast<void>(s.put({pools[3], i / 64, i % 64}, page_kind::random, i));
            for (unsigned p = 0; p < 3; ++p) {
                if (i % (p + 2) == 0 && !is_full[p]) {
                    const page_kind kind = p == 0 ? page_kind::random : page_kind::pointers;
                    most[p] = used(s, pools[p]);
                    is_full[p] = s.put({pools[p], i / 64, i % 64}, kind, i) != status::ok ||
                                 s.store.statistics_of(pools[p]).value().evicted_pages != 0;
                    CHECK(s.source.bytes_held() <= limit);
                }
            }
        }
        for (const std::uint64_t bytes : most) {
            CHECK(bytes >= reserve * 95 / 100);
        }
        CHECK(s.store.check());
    }
}

} // namespace pagefold::testing::unit_store_pool_charge
