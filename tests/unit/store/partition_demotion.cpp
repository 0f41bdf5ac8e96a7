// SPDX-License-Identifier: MIT
#include <pagefold/store/partition_demotion.hpp>

#include "support/partition_fixture.hpp"
#include "support/rng.hpp"
#include "support/test_tier.hpp"

#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/index_sweep.hpp>
#include <pagefold/store/room.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>

namespace pagefold::testing::unit_store_partition_demotion {
namespace {

template <class Eviction>
struct tiered : default_config {
    using eviction_type = Eviction;
    using tier_type = test_tier;
};

/// A state whose pool demotes, with what the tier has played by numbers.
template <class Eviction>
struct fixture : lone_state<tiered<Eviction>> {
    using config = tiered<Eviction>;
    using base = lone_state<config>;
    using base::pool;
    using base::put;
    using base::slot;
    using base::state;

    fixture() : base{pool_kind::persistent} { pool().is_demoting = true; }

    /// As dispose does it.
    void move_away(std::uint64_t index) {
        const slot_id s = slot(index);
        const auto old = state.index.get(s), now = old.moved_away(static_cast<tier_place>(next_place++));
        state.leave_order(pool(), s);
        state.account(pool(), old, false);
        state.account(pool(), now, true);
        state.index.set(s, now);
        state.free_object(old);
        state.settle(pool());
    }
    /// Each page is in order where it has an object, the policy has the care of those, and a round brings them all.
    bool is_right() {
        std::size_t in_order = 0, away = 0, pages = 0;
        bool right = true;
        for (std::uint32_t x = state.index.next_extent(0); x != extent::none; x = state.index.next_extent(x + 1)) {
            state.index.for_each_slot(x, ~std::uint64_t{0}, [&](slot_id s) {
                const auto e = state.index.get(s);
                ++pages;
                away += e.is_away() ? 1u : 0u;
                right = right && state.order.has(s) == (!e.is_inline() && !e.is_away());
                in_order += state.order.has(s) ? 1u : 0u;
            });
        }
        auto view = state.slots(pool());
        return right && pool().eviction.size() == in_order && pool().eviction.check(view) &&
               state.ephemeral_pages == in_order && state.index.check() && state.allocator.check() &&
               pool().counts.away_pages == away && pool().counts.stored_pages == pages - away &&
               state.totals.same_pages_as(pool().counts);
    }

    std::uint32_t next_place = 0;
};

TEST_CASE_TEMPLATE("partition_demotion: pages with an object are in order, whatever comes and goes", Eviction,
                   pagefold::clock, lru, default_config::eviction_type) {
    fixture<Eviction> f;
    rng random{17};
    index_sweep<typename fixture<Eviction>::state_type> sweep;
    placement<typename fixture<Eviction>::config> places{f.state};
    for (unsigned step = 0; step < 6000; ++step) {
        const std::uint64_t index = random.below(2) * 100'000 + random.below(400) * (random.one_in(3) ? 64 : 1);
        const slot_id s = f.slot(index);
        switch (random.below(8)) {
        case 0:
        case 1:
        case 2: {
            const std::size_t size = random.one_in(6) ? 8 : random.one_in(6) ? 4096 : 16 + random.below(500) * 8;
            REQUIRE(f.put(index, size, random()).result == status::ok);
            break;
        }
        case 3:
        case 4:
            if (s != no_slot && f.state.order.has(s)) {
                f.move_away(index);
            }
            break;
        case 5:
            if (s != no_slot) {
                f.state.remove(f.pool(), s);
                f.state.settle(f.pool());
            }
            break;
        case 6:
            if (s != no_slot && f.state.index.get(s).is_away()) {
                const std::size_t size = f.state.index.get(s).away_size();
                const std::vector<std::byte> stream(size, std::byte{7});
                REQUIRE(places.bring_back(f.pool(), f.at(1, index), s, stream).result == status::ok);
                f.state.settle(f.pool());
            }
            break;
        default: {
            compaction_work done;
            while (random.one_in(2) && sweep.step(f.state, done)) {
            }
        }
        }
        static_cast<void>(f.state.copies.take_leaving());
        if (step % 50 == 0) {
            REQUIRE(f.is_right());
        }
    }
    CHECK(f.is_right());
    CHECK(f.state.copies.lost() == 0);
    CHECK(f.state.damage == 0);
    // All goes, and with it the memory of the order.
    for (std::uint32_t x = f.state.index.next_extent(0); x != extent::none; x = f.state.index.next_extent(0)) {
        f.state.remove(f.pool(), f.state.index.slot(x, trailing_zeros(f.state.index.pages_of(x))));
        static_cast<void>(f.state.copies.take_leaving());
    }
    while (!f.state.trim_order()) {
    }
    CHECK(f.state.order_bytes() == 0);
    CHECK(f.is_right());
}

TEST_CASE("partition_demotion: what leaves the tier is noted with its key and place, once") {
    fixture<pagefold::clock> f;
    REQUIRE(f.put(70, 1000) == status::ok);
    REQUIRE(f.put(71, 1000) == status::ok);
    f.move_away(70);
    f.move_away(71);
    CHECK(!f.state.copies.has_leaving());
    REQUIRE(f.put(70, 1000, 5).result == status::ok);
    f.state.remove(f.pool(), f.slot(71));
    const leaving_copies gone = f.state.copies.take_leaving();
    REQUIRE(gone.count == 2);
    CHECK(gone.of[0].key == f.at(1, 70).key);
    CHECK(gone.of[0].place == tier_place{0});
    CHECK(gone.of[1].key == f.at(1, 71).key);
    CHECK(gone.of[1].place == tier_place{1});
    CHECK(f.is_right());
}

TEST_CASE("partition_demotion: an order that is lost to damage is made anew before a page goes") {
    fixture<lru> f;
    for (std::uint64_t i = 0; i < 200; ++i) {
        REQUIRE(f.put(i * 7, 500) == status::ok);
    }
    for (std::uint64_t i = 0; i < 50; ++i) {
        f.move_away(i * 7);
    }
    f.state.lose_order(f.pool());
    CHECK(f.pool().eviction.size() == 0);
    room<tiered<lru>> room_here{f.state};
    std::size_t steps = 64;
    const slot_id victim = room_here.choose(f.pool(), 0, steps);
    REQUIRE(victim != no_slot);
    CHECK(f.pool().eviction.size() == 149);
    CHECK(!f.pool().has_lost_order);
    f.state.leave_order_of(f.pool(), victim);
    f.state.enter_order(f.pool(), victim);
    CHECK(f.is_right());
}

TEST_CASE("partition_demotion: a page that only damage put in order is not asked for its place") {
    fixture<lru> f;
    for (std::uint64_t i = 0; i < 40; ++i) {
        REQUIRE(f.put(i, 500) == status::ok);
    }
    for (std::uint64_t i = 0; i < 40; i += 2) {
        f.move_away(i);
        f.state.enter_order(f.pool(), f.slot(i));
    }
    room<tiered<lru>> here{f.state};
    unsigned away = 0, chosen = 0;
    for (std::size_t steps = 64; chosen < 40; ++chosen, steps = 64) {
        const slot_id victim =
            chosen % 2 == 0 ? here.choose(f.pool(), 400, steps) : here.choose_short(f.pool(), 4096, steps);
        REQUIRE(victim != no_slot);
        away += f.state.index.get(victim).is_away() ? 1u : 0u;
        f.state.leave_order_of(f.pool(), victim);
    }
    CHECK(away == 20);
    CHECK(f.pool().eviction.size() == 0);
}

TEST_CASE("partition_demotion: an extent that damage takes leaves the order with its pages") {
    fixture<pagefold::clock> f;
    for (std::uint64_t i = 0; i < 300; ++i) {
        REQUIRE(f.put(i, 500) == status::ok);
    }
    for (std::uint64_t i = 0; i < 300; i += 3) {
        f.move_away(i);
    }
    const std::uint32_t id = f.slot(100) / extent_pages;
    const std::uint64_t before = f.state.ephemeral_pages;
    const unsigned in_order = count_ones(f.state.order.pages_of(id));
    f.state.discard(f.pool(), id);
    CHECK(f.state.order.pages_of(id) == 0);
    CHECK(f.state.ephemeral_pages == before - in_order);
    CHECK(f.lacks(100));
    CHECK(f.pool().counts.stored_pages == before - in_order);
    CHECK(f.pool().counts.away_pages == 100 - (64 - in_order));
    f.state.renew_policy(f.pool());
    CHECK(f.pool().eviction.size() == before - in_order);
    auto view = f.state.slots(f.pool());
    CHECK(f.pool().eviction.check(view));
}

} // namespace
} // namespace pagefold::testing::unit_store_partition_demotion
