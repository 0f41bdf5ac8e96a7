// SPDX-License-Identifier: MIT
#include <pagefold/store/partition_detach.hpp>

#include "support/partition_fixture.hpp"
#include "support/test_tier.hpp"

#include <pagefold/evict/fifo.hpp>
#include <pagefold/store/default_config.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

namespace pagefold::testing::unit_store_partition_detach {
namespace {

struct tiered : default_config {
    using eviction_type = fifo; // so that who goes next is known
    using tier_type = test_tier;
};
/// A policy that notes how many slots it is allowed to look at.
struct noted_fifo : fifo {
    static inline std::size_t most_steps = 0;
    template <class View, class Predicate>
    [[nodiscard]] slot_id evict(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        most_steps = steps > most_steps ? steps : most_steps;
        return fifo::evict(v, predicate, steps);
    }
};
struct noting : tiered {
    using eviction_type = noted_fifo;
};
static_assert(eviction_policy<noted_fifo>);

template <class Config = tiered>
struct fixture : partition_surroundings {
    using partition_type = partition<Config>;
    using batch_type = typename partition_type::batch_type;

    explicit fixture(std::size_t reserved = 0) : partition_surroundings{pool_kind::persistent} {
        record.options.on_pressure = pressure_action::demote;
        record.reserved.store(reserved, memory_order::relaxed);
        REQUIRE(part.open_pool(id) == status::ok);
    }
    status put(std::uint64_t index, std::size_t size, std::uint64_t seed) {
        const std::vector<std::byte> stream = page_of(size, page_kind::random, seed);
        const located_key k = at(1, index);
        return part.put(k, stream, checksum(stream, k.sum_seed), 0, {}).result;
    }
    status put(std::uint64_t index, std::size_t size) { return put(index, size, index); }
    eviction_outcome detach(batch_type& batch, std::size_t need = 0, bool own = true) {
        return part.detach(0, need, own, copies, batch);
    }
    /// As the tier would.
    void keep(batch_type& batch) {
        for (unsigned i = 0; i < batch.count; ++i) {
            const result<tier_place> place = stage.offer(batch.of[i].key, batch.of[i].stream);
            REQUIRE(place.has_value());
            batch.of[i].place = *place;
            batch.of[i].is_kept = true;
        }
    }
    store_stats stats() {
        store_stats s{};
        part.add_to(s);
        return s;
    }
    /// The page is in the tier, or here.
    status look(std::uint64_t index, bool& is_away) {
        std::vector<std::byte> out(4096), buffer(4096);
        typename partition_type::fetched found;
        const located_key k = at(1, index);
        status s = part.fetch(k, out, buffer, false, found);
        is_away = s == is_in_tier;
        if (is_away) {
            s = part.arrive(k, status::unavailable, false, 0, found) == status::unavailable ? status::ok
                                                                                            : status::corrupt;
        }
        return s;
    }
    bool is_away(std::uint64_t index) {
        bool away = false;
        return look(index, away) == status::ok && away;
    }
    bool is_here(std::uint64_t index) {
        bool away = false;
        return look(index, away) == status::ok && !away;
    }

    test_tier_memory memory;
    tier_stage<test_tier> stage{test_tier{memory}};
    std::vector<std::byte> copies = std::vector<std::byte>(4096);
    partition_type part{source, budget, table, hasher, gauge, any_node, {}, 0, &stage};
};

TEST_CASE("detach: a batch is the policy's next pages, copied, which stay where they are") {
    fixture f;
    for (std::uint64_t i = 0; i < 10; ++i) {
        REQUIRE(f.put(i, 1000) == status::ok);
    }
    fixture<>::batch_type batch;
    CHECK(f.detach(batch) == eviction_outcome::dropped);
    REQUIRE(batch.count == 4); // a page of memory has room for four
    for (unsigned i = 0; i < 4; ++i) {
        CHECK(batch.of[i].key == f.at(1, i).key);
        const std::vector<std::byte> expected = page_of(1000, page_kind::random, i);
        CHECK(batch.of[i].stream.size() == 1000);
        CHECK(equal_bytes(batch.of[i].stream.data(), expected.data(), 1000));
        CHECK(f.is_here(i));
    }
    fixture<>::batch_type next;
    std::vector<std::byte> more(4096);
    CHECK(f.part.detach(0, 0, true, more, next) == eviction_outcome::dropped);
    CHECK(next.of[0].key == f.at(1, 4).key); // nobody is detached twice
    CHECK(f.part.dispose(next) == 0);
    f.keep(batch);
    CHECK(f.part.dispose(batch) == 4);
    for (std::uint64_t i = 0; i < 10; ++i) {
        CHECK(f.is_away(i) == (i < 4));
        CHECK(f.is_here(i) == (i >= 4));
    }
    CHECK(f.stats().away_pages == 4);
    CHECK(f.stats().stored_pages == 6);
    CHECK(f.memory.copies() == 4);
    CHECK(f.part.check());
}

TEST_CASE("detach: eight at most, however short they are, and a raw page alone") {
    fixture f;
    for (std::uint64_t i = 0; i < 20; ++i) {
        REQUIRE(f.put(i, 136) == status::ok);
    }
    fixture<>::batch_type batch;
    CHECK(f.detach(batch) == eviction_outcome::dropped);
    CHECK(batch.count == 8);
    CHECK(f.part.dispose(batch) == 0);
    fixture raw;
    REQUIRE(raw.put(0, 4096) == status::ok);
    REQUIRE(raw.put(1, 4096) == status::ok);
    fixture<>::batch_type one;
    CHECK(raw.detach(one) == eviction_outcome::dropped);
    CHECK(one.count == 1);
    CHECK(one.of[0].stream.size() == 4096);
    raw.keep(one);
    CHECK(raw.part.dispose(one) == 1);
    CHECK(raw.part.check());
}

TEST_CASE("detach: nothing of no pool, of one that keeps its pages, of same-filled ones, and of what is away") {
    fixture f;
    fixture<>::batch_type batch;
    CHECK(f.detach(batch) == eviction_outcome::none);
    CHECK(f.part.detach(7, 0, true, f.copies, batch) == eviction_outcome::none);
    const std::uint64_t word = 5;
    const located_key k = f.at(1, 0);
    const byte_view stream{reinterpret_cast<const std::byte*>(&word), 8};
    REQUIRE(f.part.put(k, stream, checksum(stream, k.sum_seed), 0, {}).result == status::ok);
    CHECK(f.detach(batch) == eviction_outcome::none);
    CHECK(batch.count == 0);
    REQUIRE(f.put(1, 1000) == status::ok);
    CHECK(f.detach(batch) == eviction_outcome::dropped);
    f.keep(batch);
    CHECK(f.part.dispose(batch) == 1);
    fixture<>::batch_type again;
    CHECK(f.detach(again) == eviction_outcome::none);
    CHECK(f.part.check());
}

TEST_CASE("detach: no batch takes a pool below what it has reserved, unless for its own") {
    fixture f{20 * 1100};
    for (std::uint64_t i = 0; i < 30; ++i) {
        REQUIRE(f.put(i, 1000) == status::ok);
    }
    std::size_t gone = 0;
    for (;;) {
        fixture<>::batch_type batch;
        if (f.detach(batch, 0, false) != eviction_outcome::dropped) {
            break;
        }
        f.keep(batch);
        gone += f.part.dispose(batch);
    }
    CHECK(gone > 2);
    CHECK(f.record.payload.load(memory_order::relaxed) + f.record.tables.load(memory_order::relaxed) >= 20 * 1100);
    fixture<>::batch_type batch;
    CHECK(f.detach(batch, 0, true) == eviction_outcome::dropped);
    CHECK(f.part.dispose(batch) == 0);
    CHECK(f.part.check());
}

TEST_CASE("detach: a batch has no more pages than the pool can lose, each as large as a page can be") {
    fixture f;
    for (std::uint64_t i = 0; i < 20; ++i) {
        REQUIRE(f.put(i, 1000) == status::ok);
    }
    const std::size_t used = f.record.payload.load(memory_order::relaxed) + f.record.tables.load(memory_order::relaxed);
    for (const unsigned pages : {0u, 1u, 2u, 3u}) {
        f.record.reserved.store(used - 1000 - pages * 4500, memory_order::relaxed);
        fixture<>::batch_type batch;
        CHECK((f.detach(batch, 0, false) == eviction_outcome::dropped) == (pages != 0));
        CHECK(batch.count == pages);
        CHECK(f.part.dispose(batch) == 0);
    }
    CHECK(f.part.check());
}

TEST_CASE("detach: a hold looks at no more slots than any, wherever pages are") {
    noted_fifo::most_steps = 0;
    fixture<noting> f;
    for (std::uint64_t i = 0; i < 3000; ++i) {
        REQUIRE(f.put(i * 64, 200) == status::ok); // each alone in its extent
    }
    for (unsigned round = 0; round < 800; ++round) {
        fixture<noting>::batch_type batch;
        if (f.detach(batch, 100) != eviction_outcome::dropped) {
            break;
        }
        f.keep(batch);
        static_cast<void>(f.part.dispose(batch));
    }
    CHECK(f.stats().away_pages == 3000);
    CHECK(noted_fifo::most_steps <= room<noting>::steps_a_hold);
    CHECK(f.part.check());
}

TEST_CASE("dispose: a page that was replaced, erased or taken meanwhile is not what the tier has") {
    fixture f;
    for (std::uint64_t i = 0; i < 4; ++i) {
        REQUIRE(f.put(i, 1000) == status::ok);
    }
    fixture<>::batch_type batch;
    REQUIRE(f.detach(batch) == eviction_outcome::dropped);
    REQUIRE(batch.count == 4);
    REQUIRE(f.put(0, 1000, 99) == status::ok);       // in place, by another content,
    REQUIRE(f.put(1, 1000, 1) == status::ok);        // by the same,
    REQUIRE(f.part.erase(f.at(1, 2)) == status::ok); // gone,
    REQUIRE(f.part.erase(f.at(1, 3)) == status::ok); // gone, and there again
    REQUIRE(f.put(3, 1000, 98) == status::ok);
    f.keep(batch);
    CHECK(f.part.dispose(batch) == 1);
    CHECK(f.is_here(0));
    CHECK(f.is_away(1));
    bool away = false;
    CHECK(f.look(2, away) == status::not_found);
    CHECK(f.is_here(3));
    CHECK(f.memory.copies() == 1); // the others were forgotten
    CHECK(f.part.check());
    // Those that stayed are in order.
    fixture<>::batch_type next;
    REQUIRE(f.detach(next) == eviction_outcome::dropped);
    CHECK(next.count == 2);
    CHECK(f.part.dispose(next) == 0);
    CHECK(f.part.check());
}

TEST_CASE("dispose: a page that two have detached is in one place then") {
    fixture f;
    REQUIRE(f.put(0, 1000) == status::ok);
    fixture<>::batch_type first, second;
    REQUIRE(f.detach(first) == eviction_outcome::dropped);
    REQUIRE(f.put(0, 1000, 0) == status::ok); // the same again: in order, too
    std::vector<std::byte> more(4096);
    REQUIRE(f.part.detach(0, 0, true, more, second) == eviction_outcome::dropped);
    f.keep(first);
    f.keep(second);
    CHECK(f.memory.copies() == 2);
    CHECK(f.part.dispose(second) == 1);
    CHECK(f.part.dispose(first) == 0);
    CHECK(f.memory.copies() == 1);
    CHECK(f.is_away(0));
    CHECK(f.part.check());
}

TEST_CASE("dispose: of a pool that was closed nothing is left, in the tier neither") {
    fixture f;
    for (std::uint64_t i = 0; i < 8; ++i) {
        REQUIRE(f.put(i, 1000) == status::ok);
    }
    fixture<>::batch_type away, batch;
    REQUIRE(f.detach(away) == eviction_outcome::dropped);
    f.keep(away);
    REQUIRE(f.part.dispose(away) == 4);
    REQUIRE(f.detach(batch) == eviction_outcome::dropped);
    f.part.close_pool(f.id);
    f.keep(batch);
    CHECK(f.part.dispose(batch) == 0);
    while (!f.part.drain_pool(0)) {
    }
    CHECK(f.memory.copies() == 0);
    CHECK(f.stats().away_pages == 0);
    CHECK(f.part.check());
}

TEST_CASE("arrive: a reader is told when the page is not that one any more") {
    fixture f;
    REQUIRE(f.put(0, 1000) == status::ok);
    fixture<>::batch_type batch;
    REQUIRE(f.detach(batch) == eviction_outcome::dropped);
    f.keep(batch);
    REQUIRE(f.part.dispose(batch) == 1);
    std::vector<std::byte> out(4096), buffer(4096);
    const located_key k = f.at(1, 0);
    const auto begin = [&](fixture<>::partition_type::fetched& found) {
        return f.part.fetch(k, out, buffer, false, found) == is_in_tier;
    };
    {
        fixture<>::partition_type::fetched found;
        REQUIRE(begin(found));
        CHECK(f.part.arrive(k, status::unavailable, false, 0, found) == status::unavailable);
    }
    {
        fixture<>::partition_type::fetched found;
        REQUIRE(begin(found));
        CHECK(f.part.arrive(k, status::corrupt, false, 0, found) == status::corrupt);
        CHECK(f.stats().decompress_fail == 1);
    }
    {
        fixture<>::partition_type::fetched found;
        REQUIRE(begin(found));
        REQUIRE(f.put(0, 904, 5) == status::ok);
        CHECK(f.part.arrive(k, status::ok, true, 0, found) == has_moved); // and nothing was taken
    }
    CHECK(f.is_here(0));
    CHECK(f.memory.copies() == 0);
    CHECK(f.part.check());
}

} // namespace
} // namespace pagefold::testing::unit_store_partition_detach
