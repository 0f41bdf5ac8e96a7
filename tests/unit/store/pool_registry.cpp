// SPDX-License-Identifier: MIT

// Slots and ids by themselves, and then how pools come and go in a store: what a lock that calls back between two holds can
// see of a pool that is being destroyed, and what is left of one that could not be made.

#include "support/store_fixture.hpp"

#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>
#include <pagefold/store/pool_registry.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <vector>

namespace pagefold::testing::unit_store_pool_registry {
namespace {

constexpr std::size_t unlimited = ~std::size_t{0};

/// A registry with memory of its own.
struct slots {
    explicit slots(std::uint32_t count) : records{new pool_record[count]} {
        registry.table().records = records.get();
        registry.table().count = count;
    }
    result<pool_id> open(std::size_t reserved = 0, std::size_t most = unlimited) {
        return registry.open({.reserved_bytes = reserved}, most);
    }
    pool_id make(std::size_t reserved = 0, std::size_t most = unlimited) {
        const pool_id id = open(reserved, most).value();
        registry.publish(id);
        return id;
    }
    std::unique_ptr<pool_record[]> records;
    pool_registry<null_lock> registry;
};

constexpr pool_id last_of(std::uint32_t slot) {
    return static_cast<pool_id>(~std::uint64_t{0} << (pool_ids::slot_bits + 1) | slot);
}

} // namespace

TEST_CASE("pool_registry: a sealed pool has children, as many as were opened and not freed") {
    slots s{4};
    const pool_id parent = s.make(), other = s.make();
    const pool_id dropping = s.registry.open({.kind = pool_kind::ephemeral}, unlimited).value();
    CHECK(!s.registry.may_be_sealed(dropping)); // not published
    s.registry.publish(dropping);
    CHECK(!s.registry.may_be_sealed(dropping));
    CHECK(!s.registry.may_be_sealed(pool_id{}));
    CHECK(s.registry.may_be_sealed(parent));
    CHECK(!s.registry.is_sealed(parent));
    s.registry.seal(parent);
    CHECK(s.registry.is_sealed(parent));
    CHECK(!s.registry.is_sealed(other));
    CHECK(!s.registry.has_children(parent));
    const pool_id child = s.registry.open({.parent = parent}, unlimited).value();
    CHECK(s.registry.has_children(parent));
    s.registry.publish(child);
    CHECK(!s.registry.may_be_sealed(child));
    CHECK(s.registry.retire(child));
    CHECK(s.registry.has_children(parent)); // its pages are there still
    s.registry.free(child);
    CHECK(!s.registry.has_children(parent));
    const pool_id refused = s.registry.open({.parent = parent}, unlimited).value();
    s.registry.free(refused); // before it was published
    CHECK(!s.registry.has_children(parent));
    CHECK(s.registry.retire(parent));
    CHECK(!s.registry.is_sealed(parent));
    s.registry.free(parent);
    CHECK(!s.registry.is_sealed(s.make())); // of the same slot
}

TEST_CASE("pool_registry: a pool is sent to a wish and back, ends a move before another, and settles by its own route "
          "alone") {
    slots s{2};
    const node_id one{1}, two{2}, three{3};
    const pool_id pool = s.registry.open({.node = one}, unlimited).value();
    s.registry.publish(pool);
    const auto route = [&] { return s.records[0].route.load(); };
    const std::uint32_t first = route().number;
    CHECK(route().now == one);
    CHECK(!route().is_moving());
    CHECK(!s.registry.reroute(pool, one).is_moving()); // it is there
    CHECK(route().number == first);

    const pool_route there = s.registry.reroute(pool, two);
    CHECK(there.number == first + 1);
    CHECK(there.now == two);
    CHECK(there.before == one);
    CHECK(s.registry.reroute(pool, two).number == there.number); // on its way
    CHECK(s.registry.reroute(pool, three).number == there.number);
    CHECK(route().now == two);

    const pool_route back = s.registry.reroute(pool, one);
    CHECK(back.number == first + 2);
    CHECK(back.now == one);
    CHECK(back.before == two);
    CHECK(s.registry.settle(pool, there)); // somebody who went by the route before
    CHECK(route().number == back.number);
    CHECK(route().is_moving());
    CHECK(s.registry.settle(pool, back));
    CHECK(route().number == first + 3);
    CHECK(route().now == one);
    CHECK(!route().is_moving());

    // A pool that came to the slot meanwhile is not the one that moved.
    const pool_route last = s.registry.reroute(pool, three);
    REQUIRE(s.registry.retire(pool));
    s.registry.free(pool);
    const pool_id next = s.registry.open({.node = two, .strict_node = true}, unlimited).value();
    CHECK(route().now == strictly(two));
    CHECK(!route().is_moving());
    CHECK(route().number == last.number + 1);
    CHECK(s.registry.settle(pool, route()));
    CHECK(route().number == last.number + 1);
    CHECK(pool_ids::slot(next) == 0);
}

TEST_CASE("pool_registry: while a route is held nobody sends the pool on or back, or ends its move") {
    slots s{1};
    const node_id one{1}, two{2};
    const pool_id pool = s.registry.open({.node = one}, unlimited).value();
    s.registry.publish(pool);
    shared_route& route = s.records[0].route;
    route.hold();
    const std::uint32_t first = route.load().number;
    CHECK(s.registry.reroute(pool, two).number == first);
    CHECK(route.load().now == one);
    route.let_go();
    const pool_route there = s.registry.reroute(pool, two);
    CHECK(there.number == first + 1);

    route.hold();
    CHECK(s.registry.reroute(pool, one).number == there.number); // not back either
    CHECK(!s.registry.settle(pool, there));
    CHECK(route.load().is_moving());
    CHECK(s.registry.settle(pool, {there.number - 1, two, one})); // of no interest any more
    route.let_go();
    CHECK(s.registry.settle(pool, there));
    CHECK(!route.load().is_moving());
}

TEST_CASE("pool_registry: the lowest free slot is given out, and a dying one is not free") {
    slots s{4};
    const pool_id a = s.make(), b = s.make(), c = s.make();
    CHECK(pool_ids::slot(a) == 0);
    CHECK(pool_ids::slot(b) == 1);
    CHECK(pool_ids::slot(c) == 2);
    CHECK(s.registry.bound() == 3);
    CHECK(s.registry.retire(b));
    CHECK(!s.registry.retire(b));
    const pool_id d = s.make();
    CHECK(pool_ids::slot(d) == 3);
    CHECK(s.open().error() == status::limit);
    s.registry.free(b);
    const pool_id again = s.make();
    CHECK(pool_ids::slot(again) == 1);
    CHECK(again != b);
    CHECK(!s.registry.retire(b));
    CHECK(s.registry.check());
}

TEST_CASE("pool_registry: a pool that was not published yet is none, and its slot is taken") {
    slots s{2};
    const pool_id a = s.open().value();
    CHECK(!s.registry.retire(a));
    CHECK(s.registry.bound() == 0);
    CHECK(pool_ids::slot(s.open().value()) == 1);
    CHECK(s.open().error() == status::limit);
    s.registry.free(a);
    const pool_id b = s.make();
    CHECK(pool_ids::slot(b) == 0);
    CHECK(b != a);
}

TEST_CASE("pool_registry: only a live cache has a weight, and only a live pool a reservation") {
    slots s{3};
    const pool_id cache =
        s.registry.open({.kind = pool_kind::ephemeral, .reserved_bytes = 10, .weight = 7}, unlimited).value();
    const pool_id kept = s.registry.open({.reserved_bytes = 20, .weight = 7}, unlimited).value();
    const auto weight = [&](pool_id id) {
        return s.registry.table().records[pool_ids::slot(id)].weight.load(memory_order::relaxed);
    };
    const auto unmet = [&] { return s.registry.table().unmet.load(memory_order::relaxed); };
    CHECK(weight(cache) == 0);
    CHECK(unmet() == 0);
    s.registry.publish(cache);
    s.registry.publish(kept);
    CHECK(weight(cache) == 7);
    CHECK(weight(kept) == 0);
    CHECK(unmet() == 30);
    CHECK(s.registry.retire(cache));
    CHECK(weight(cache) == 0);
    CHECK(unmet() == 20);
    CHECK(s.registry.check());
}

TEST_CASE("pool_registry: a node's reservations are those of live pools that must be there") {
    slots s{8};
    const auto make = [&](std::size_t reserved, node_id node, bool strict) {
        const pool_id id =
            s.registry.open({.reserved_bytes = reserved, .node = node, .strict_node = strict}, unlimited).value();
        s.registry.publish(id);
        return id;
    };
    CHECK(s.registry.reserved_strictly_on(node_id{1}) == 0);
    const pool_id first = make(100, node_id{1}, true);
    static_cast<void>(make(20, node_id{1}, true));
    static_cast<void>(make(3000, node_id{1}, false));
    static_cast<void>(make(4000, node_id{0}, true));
    static_cast<void>(make(50'000, any_node, true));
    CHECK(s.registry.reserved_strictly_on(node_id{1}) == 120);
    CHECK(s.registry.reserved_strictly_on(node_id{0}) == 4000);
    CHECK(s.registry.reserved_strictly_on(node_id{2}) == 0);
    CHECK(s.registry.open({.reserved_bytes = 7, .node = node_id{2}, .strict_node = true}, unlimited));
    CHECK(s.registry.reserved_strictly_on(node_id{2}) == 0); // not published yet
    CHECK(s.registry.retire(first));
    CHECK(s.registry.reserved_strictly_on(node_id{1}) == 20);
}

TEST_CASE("pool_registry: what never was a pool can't be retired") {
    slots s{2};
    const pool_id a = s.make();
    CHECK(!s.registry.retire(pool_id{}));
    CHECK(!s.registry.retire(pool_ids::next(a, 0, pool_kind::persistent)));
    CHECK(!s.registry.retire(pool_ids::next({}, 0, pool_kind::ephemeral)));
    CHECK(!s.registry.retire(pool_ids::next({}, 1, pool_kind::persistent)));
    CHECK(!s.registry.retire(pool_ids::next({}, 2, pool_kind::persistent))); // beyond the last slot
    CHECK(s.registry.retire(a));
}

TEST_CASE("pool_registry: the bound follows the last slot in use, down over several") {
    slots s{8};
    pool_id ids[5];
    for (pool_id& id : ids) {
        id = s.make();
    }
    const auto end = [&](unsigned i) {
        CHECK(s.registry.retire(ids[i]));
        s.registry.free(ids[i]);
    };
    end(3);
    CHECK(s.registry.bound() == 5);
    end(4);
    CHECK(s.registry.bound() == 3);
    end(0);
    CHECK(s.registry.bound() == 3);
    CHECK(s.registry.retire(ids[2]));
    CHECK(s.registry.bound() == 3); // while it dies, somebody may still look at it
    s.registry.free(ids[2]);
    CHECK(s.registry.bound() == 2);
    end(1);
    CHECK(s.registry.bound() == 0);
}

TEST_CASE("pool_registry: a million pools of one slot have a million ids, and no old one is anybody's") {
    slots s{1};
    const pool_id first = s.make();
    pool_id last = first;
    bool rises = true, is_gone = true;
    for (std::uint32_t i = 0; i < 1u << 20; ++i) {
        CHECK_UNARY(s.registry.retire(last));
        s.registry.free(last);
        const pool_id next = s.make();
        // Generations that only rise are all different.
        rises = rises && pool_ids::generation(next) > pool_ids::generation(last);
        is_gone = is_gone && !s.registry.retire(last) && !s.registry.retire(first);
        last = next;
    }
    CHECK(rises);
    CHECK(is_gone);
    CHECK(pool_ids::generation(last) == (1u << 20) + 1);
}

TEST_CASE("pool_registry: a slot whose generations are used up serves no more") {
    slots s{3};
    s.records[1].id = last_of(1);
    CHECK(pool_ids::slot(s.make()) == 0);
    CHECK(pool_ids::slot(s.make()) == 2);
    CHECK(s.open().error() == status::limit);
    s.records[1].id = static_cast<pool_id>(static_cast<std::uint64_t>(last_of(1)) - (1u << (pool_ids::slot_bits + 1)));
    const pool_id last = s.make();
    CHECK(last == last_of(1));
    CHECK(s.registry.retire(last));
    s.registry.free(last);
    CHECK(s.open().error() == status::limit);
}

TEST_CASE(
    "pool_registry: reservations are counted from publish to retire, and refused beyond the most, however large") {
    slots s{8};
    constexpr std::size_t half = ~(~std::size_t{0} >> 1);
    CHECK(s.open(101, 100).error() == status::limit);
    const pool_id a = s.make(60, 100);
    CHECK(s.open(41, 100).error() == status::limit);
    CHECK(s.open(half, 100).error() == status::limit);
    CHECK(s.open(unlimited, 100).error() == status::limit);
    CHECK(s.open(1, 59).error() == status::limit); // the most may have become less
    CHECK(s.open(0, 59).error() == status::limit);
    const pool_id b = s.make(40, 100);
    CHECK(s.open(1, 100).error() == status::limit);
    CHECK(s.registry.table().unmet.load(memory_order::relaxed) == 100);
    CHECK(s.registry.check());
    CHECK(s.registry.retire(a));
    CHECK(s.registry.table().unmet.load(memory_order::relaxed) == 40);
    CHECK(s.registry.check());
    const pool_id c = s.make(60, 100); // its pages are still there, but nobody's reservation
    CHECK(s.registry.check());
    CHECK(s.registry.retire(b));
    CHECK(s.registry.retire(c));
    CHECK(s.registry.table().unmet.load(memory_order::relaxed) == 0);
    CHECK(s.make(half) != pool_id{});
    CHECK(s.open(half).error() == status::limit);
    CHECK(s.make(half - 1) != pool_id{});
    CHECK(s.open(1).error() == status::limit);
    CHECK(s.registry.check());
}

// In a store.

namespace {

/// A lock that says who has it, and calls back when it was let go. One thread.
struct calling_lock {
    static inline std::function<void(const calling_lock&)> after_unlock;
    static inline unsigned held = 0; // of all locks
    bool is_held = false;

    void lock() noexcept {
        CHECK_UNARY(!is_held);
        is_held = true;
        ++held;
    }
    void unlock() noexcept {
        CHECK_UNARY(is_held);
        is_held = false;
        --held;
        if (after_unlock) {
            const auto call = std::move(after_unlock);
            after_unlock = nullptr; // what it calls is not called back
            call(*this);
            after_unlock = call;
        }
    }
};
struct called_back : default_config {
    using lock_type = calling_lock;
    using parking_type = spin_parking; // its unlock calls the store, which would take that for a call within a call
    static constexpr unsigned max_pools = 3;
};
using called_store = partitioned_store<called_back>;

/// Whether the lock is the store's own (the registry's) and not that of a partition, which is in memory of the source.
bool is_registry_of(const called_store& store, const calling_lock& lock) {
    const auto* const begin = reinterpret_cast<const std::byte*>(&store);
    const auto* const at = reinterpret_cast<const std::byte*>(&lock);
    return std::less_equal<>{}(begin, at) && std::less<>{}(at, begin + sizeof store);
}

} // namespace

TEST_CASE("pool_registry: a pool that is being destroyed is gone for everybody, and its slot is nobody's yet") {
    for (const std::size_t partitions : {1u, 4u}) {
        CAPTURE(partitions);
        for (const pool_kind kind : {pool_kind::persistent, pool_kind::ephemeral}) {
            store_fixture<called_store> s{store_options{.partitions = partitions}};
            auto& store = s.store;
            const pool_id dying = s.make_pool({.kind = kind}), other = s.make_pool();
            constexpr std::uint64_t pages = 1500;
            for (std::uint64_t i = 0; i < pages; ++i) {
                REQUIRE(s.put({dying, i % 5, i}, i) == status::ok);
            }
            REQUIRE(s.put({other, 1, 1}, page_kind::text, 1) == status::ok);
            std::vector<std::byte> page(4096);
            unsigned calls = 0, registry_holds = 0, made = 0;
            std::set<std::uint64_t> ids;
            calling_lock::after_unlock = [&](const calling_lock& lock) {
                ++calls;
                registry_holds += is_registry_of(store, lock) ? 1 : 0;
                CHECK_UNARY(store.stats().stored_pages <= pages + 1);
                CHECK_UNARY(store.put({dying, 1, 1}, page_of(4096, 1)) == status::invalid);
                CHECK_UNARY(store.get({dying, calls % 5, calls}, page) == status::invalid);
                CHECK_UNARY(store.take({dying, calls % 5, calls}, page) == status::invalid);
                CHECK_UNARY(store.erase({dying, calls % 5, calls}) == status::invalid);
                CHECK_UNARY(store.erase_object(dying, 1).error() == status::invalid);
                CHECK_UNARY(store.statistics_of(dying).error() == status::invalid);
                CHECK_UNARY(store.get({other, 1, 1}, page) == status::ok);
                if (calling_lock::held != 0 || store.stats().stored_pages == 1) {
                    return; // its last page is gone: its slot may be given out from now on
                }
                CHECK_UNARY(store.destroy_pool(dying) == status::invalid);
                // Others come and go, with all three slots but its own.
                const auto one = store.create_pool(), two = store.create_pool();
                CHECK_UNARY(one && pool_ids::slot(*one) == 2);
                CHECK_UNARY(!two && two.error() == status::limit);
                if (one) {
                    CHECK_UNARY(ids.insert(static_cast<std::uint64_t>(*one)).second);
                    CHECK_UNARY(store.put({*one, 1, 1}, page_of(4096, calls)) == status::ok);
                    CHECK_UNARY(store.destroy_pool(*one) == status::ok);
                    ++made;
                }
            };
            CHECK(store.destroy_pool(dying) == status::ok);
            calling_lock::after_unlock = nullptr;
            CHECK(registry_holds == 2); // to begin and to end; in between it is free
            CHECK(calls > pages / 64);
            CHECK(made > pages / 64);
            CHECK(store.check());
            CHECK(store.stats().stored_pages == 1);
            CHECK(s.has({other, 1, 1}, page_kind::text, 1));
            CHECK(pool_ids::slot(s.make_pool()) == pool_ids::slot(dying));
        }
    }
}

TEST_CASE("pool_registry: a page that is put while its pool is destroyed never outlives it") {
    // Operations that have passed the first look meet the pool at every later moment of its end: the destruction runs from
    // between two of their holds.
    for (unsigned at = 1; at < 8; ++at) {
        store_fixture<called_store> s{store_options{.partitions = 2}};
        const pool_id dying = s.make_pool({.kind = pool_kind::ephemeral, .reserved_bytes = 100'000});
        for (std::uint64_t i = 0; i < 50; ++i) {
            REQUIRE(s.put({dying, 1, i * 64}, i) == status::ok);
        }
        unsigned calls = 0;
        status destroyed = status::busy;
        calling_lock::after_unlock = [&](const calling_lock&) {
            if (++calls == at && calling_lock::held == 0) {
                destroyed = s.store.destroy_pool(dying);
            }
        };
        for (std::uint64_t i = 0; destroyed == status::busy && i < 10; ++i) {
            static_cast<void>(s.put({dying, 2, i * 64}, i));
        }
        calling_lock::after_unlock = nullptr;
        CHECK(destroyed == status::ok);
        CHECK(s.store.stats().stored_pages == 0);
        CHECK(s.get({dying, 2, 0}) == status::invalid);
        CHECK(s.store.check());
        const pool_id next = s.make_pool();
        CHECK(pool_ids::slot(next) == pool_ids::slot(dying));
        CHECK(s.store.statistics_of(next).value().used_bytes == 0);
        CHECK(s.lacks({next, 2, 0}));
    }
}

TEST_CASE("pool_registry: a pool that can't be made leaves no partition open, no id, no reservation and no memory") {
    using fixture = store_fixture<partitioned_store<default_config>>;
    constexpr std::size_t limit = 64u << 20, reserved = 60u << 20;
    bool has_failed = true;
    for (std::uint64_t n = 1; has_failed; ++n) {
        CAPTURE(n);
        fixture s{store_options{.limit_bytes = limit, .partitions = 3}};
        s.source.refuse_nth(n);
        const auto made = s.store.create_pool({.reserved_bytes = reserved});
        has_failed = !made;
        if (made) {
            CHECK(n > 6);
            break;
        }
        CHECK(made.error() == status::no_memory);
        CHECK(s.store.check());
        for (const pool_kind kind : {pool_kind::persistent, pool_kind::ephemeral}) {
            const pool_id guess = pool_ids::next(pool_id{}, 0, kind);
            CHECK(s.put({guess, 1, 1}, 1) == status::invalid);
            CHECK(s.get({guess, 1, 1}) == status::invalid);
            CHECK(s.store.statistics_of(guess).error() == status::invalid);
            CHECK(s.store.destroy_pool(guess) == status::invalid);
        }
        const pool_id pool = s.make_pool({.reserved_bytes = reserved}); // twice would be more than the limit
        CHECK(pool_ids::slot(pool) == 0);
        CHECK(s.put({pool, 1, 1}, page_kind::text, 1) == status::ok);
        CHECK(s.store.check());
    }
    // And where a store is at work already: all slots of the partitions' first pages are taken.
    fixture s{store_options{.limit_bytes = limit, .partitions = 3}};
    std::vector<pool_id> pools{s.make_pool()};
    for (;;) {
        const std::size_t before = s.source.bytes_held();
        s.source.refuse_all(true);
        const auto made = s.store.create_pool({.reserved_bytes = 1000});
        s.source.refuse_all(false);
        CHECK(s.source.bytes_held() == before);
        if (!made) {
            break;
        }
        pools.push_back(*made);
    }
    CHECK(pools.size() > 4);
    const std::size_t before = s.source.bytes_held();
    for (std::uint64_t n = 1;; ++n) {
        CAPTURE(n);
        s.source.refuse_nth(n);
        const auto made = s.store.create_pool({.reserved_bytes = 1000});
        s.source.refuse_nth(0);
        if (made) {
            CHECK(n > 3);
            break;
        }
        CHECK(s.source.bytes_held() == before);
        CHECK(s.store.stats().total_bytes == before);
        CHECK(s.store.check());
    }
    for (const pool_id pool : pools) {
        CHECK(s.put({pool, 1, 1}, page_kind::word, 3) == status::ok);
    }
    CHECK(s.store.check());
}

namespace {

/// A page source that calls back, as an interrupt would that comes while a partition's lock is held.
struct calling_source {
    test_source pages;
    std::function<void()> call;

    [[nodiscard]] std::size_t page_size() const noexcept { return pages.page_size(); }
    result<void*> acquire(std::size_t count, node_id node) noexcept {
        if (call) {
            const auto once = std::move(call);
            call = nullptr;
            once();
            call = once;
        }
        return pages.acquire(count, node);
    }
    void release(void* p, std::size_t count) noexcept { pages.release(p, count); }
};

} // namespace

TEST_CASE("pool_registry: pools neither come nor go from within an operation, and nothing is left of the attempt") {
    calling_source source;
    partitioned_store<default_config> store{source, {.partitions = 8}};
    const pool_id pool = store.create_pool().value(), other = store.create_pool().value();
    unsigned calls = 0;
    bool all_busy = true;
    for (std::uint64_t i = 0; i < 300; ++i) {
        const std::vector<std::byte> page = page_of(4096, page_kind::random, i);
        // The first put's scratch and the like come before any partition's lock is held.
        source.call = i == 0 ? std::function<void()>{} : [&] {
            ++calls;
            all_busy = all_busy && store.create_pool({.reserved_bytes = 1000}).error() == status::busy &&
                       store.destroy_pool(other) == status::busy;
        };
        CHECK(store.put({pool, i, 0}, page) == status::ok);
        source.call = nullptr;
        CHECK_UNARY(store.check());
    }
    CHECK(all_busy);
    CHECK(calls > 100);
    CHECK(store.put({other, 1, 1}, page_of(4096, 1)) == status::ok);
    CHECK(store.destroy_pool(other) == status::ok);
    CHECK(store.check());
}

TEST_CASE("pool_registry: a stale id never reads the pool that has its slot now") {
    store_fixture<page_store<default_config>> s;
    const pool_id first = s.make_pool();
    static_cast<void>(s.make_pool()); // a neighbour keeps the table from shrinking each time
    REQUIRE(s.put({first, 1, 1}, page_kind::text, 1) == status::ok);
    pool_id last = first;
    bool all_refused = true;
    for (std::uint32_t i = 0; i < 1u << 20; ++i) {
        all_refused = all_refused && s.store.destroy_pool(last) == status::ok;
        const auto next = s.store.create_pool({.kind = static_cast<pool_kind>(i % 2)});
        all_refused = all_refused && next && *next != first && *next != last &&
                      s.store.statistics_of(last).error() == status::invalid;
        last = next.value();
        if (i % 4096 == 0) {
            REQUIRE(s.put({last, 1, 1}, page_kind::text, i) == status::ok);
            all_refused = all_refused && s.get({first, 1, 1}) == status::invalid &&
                          s.take({first, 1, 1}) == status::invalid && s.put({first, 1, 1}, 3) == status::invalid &&
                          s.store.erase({first, 1, 1}) == status::invalid && s.has({last, 1, 1}, page_kind::text, i);
        }
    }
    CHECK(all_refused);
    CHECK(pool_ids::slot(last) == pool_ids::slot(first));
    CHECK(s.store.check());
}

} // namespace pagefold::testing::unit_store_pool_registry
