// SPDX-License-Identifier: MIT
#include "support/hold_counter.hpp"
#include "support/partition_fixture.hpp"
#include "support/rng.hpp"
#include "support/store_configs.hpp"

#include <doctest/doctest.h>

#include <pagefold/alloc/tlsf.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partition.hpp>

namespace unit_store_partition {

using namespace pagefold;
using namespace pagefold::testing;

namespace {

constexpr pool_kind persistent = pool_kind::persistent, ephemeral = pool_kind::ephemeral;

/// All steps of compaction, payload then index, with check() now and then; what they did.
template <class Config>
compaction_work compact_all(lone_partition<Config>& p, std::size_t budget = std::size_t{1} << 30) {
    compaction_work done;
    std::size_t steps = 0;
    while (p.part.compact_payload(budget, done) || p.part.payload_was_worthwhile()) {
        REQUIRE(++steps < 100'000);
        if (steps % 2000 == 0) {
            REQUIRE(p.part.check());
        }
    }
    for (unsigned sweeps = 0; sweeps < 3;) {
        REQUIRE(++steps < 200'000);
        sweeps += p.part.compact_index(done) ? 0 : 1;
        if (steps % 200 == 0) {
            REQUIRE(p.part.check());
        }
    }
    return done;
}

} // namespace

TEST_CASE("evict drops as many pages as it is asked for, in one hold, and stops when nothing is left") {
    hold_counter::holds = 0;
    lone_partition<hold_counting_config> p{ephemeral};
    for (std::uint64_t i = 0; i < 100; ++i) {
        REQUIRE(p.put(i, 1000) == status::ok);
    }
    bool is_under_way = false;
    const std::uint64_t before = hold_counter::holds;
    CHECK(p.part.evict(0, 30, is_under_way) == 30);
    CHECK(hold_counter::holds == before + 1);
    CHECK(is_under_way);
    CHECK(p.part.evict(0, 1000, is_under_way) == room<hold_counting_config>::steps_a_hold); // a hold does no more
    CHECK(is_under_way);
    CHECK(p.part.evict(0, 1000, is_under_way) == 6);
    CHECK(p.part.evict(0, 1, is_under_way) == 0);
    CHECK_FALSE(is_under_way);
    CHECK(p.part.evict(7, 1, is_under_way) == 0); // no such pool
    CHECK_FALSE(is_under_way);
    CHECK(p.part.check());
}

TEST_CASE("a hold gives at most its steps of second chances, and goes on in the next") {
    lone_partition<> p{ephemeral};
    for (std::uint64_t i = 0; i < 500; ++i) {
        REQUIRE(p.put(i, 104) == status::ok);
        REQUIRE(p.holds(i, 104)); // all are hit
    }
    bool is_under_way = false;
    std::size_t calls = 1;
    while (p.part.evict(0, 1, is_under_way) == 0) {
        REQUIRE(is_under_way);
        REQUIRE(++calls < 100);
    }
    CHECK(calls == 500 / room<default_config>::steps_a_hold + 1);
    CHECK(p.part.check());
}

TEST_CASE("evict leaves a persistent pool alone") {
    lone_partition<> p{persistent};
    REQUIRE(p.put(0, 1000) == status::ok);
    bool is_under_way = true;
    CHECK(p.part.evict(0, 10, is_under_way) == 0);
    CHECK_FALSE(is_under_way);
    CHECK(p.holds(0, 1000));
}

TEST_CASE("a put that is refused leaves the old content, until it is the last try") {
    lone_partition<> p{persistent};
    REQUIRE(p.put(5, 1000, 1).result == status::ok);
    p.source.refuse_all(true);
    CHECK(p.put(5, 4096, 2).result == status::no_memory);
    CHECK(p.holds(5, 1000, 1));
    CHECK(p.put(5, 4096, 2, {.is_last = true}).result == status::no_memory);
    CHECK_FALSE(p.holds(5, 1000, 1));
    CHECK_FALSE(p.holds(5, 4096, 2));
    CHECK(p.part.check());
    p.source.refuse_all(false);
    REQUIRE(p.put(5, 2000, 3).result == status::ok);
    p.source.refuse_all(true);
    CHECK(p.put(5, 1504, 4, {.is_last = true}).result == status::ok); // in its own place
    CHECK(p.holds(5, 1504, 4));
    CHECK(p.part.check());
}

TEST_CASE("the last try gives up the old content for the new one's room") {
    // The new content fits when the page of the old one has gone.
    lone_partition<> p{persistent};
    REQUIRE(p.put(1, 600) == status::ok); // the allocator's tables are there
    REQUIRE(p.put(5, 4096, 1).result == status::ok);
    REQUIRE(p.put(6, 4096, 2).result == status::ok);
    p.budget.set_limit(p.budget.used());
    REQUIRE(p.put(7, 4096, 3).result == status::limit);
    CHECK(p.put(6, 2000, 4).result == status::limit); // another place is needed, and the old one stays
    CHECK(p.holds(6, 4096, 2));
    CHECK(p.put(6, 2000, 4, {.is_last = true}).result == status::ok);
    CHECK(p.holds(6, 2000, 4));
    CHECK(p.holds(5, 4096, 1));
    CHECK(p.part.check());
}

TEST_CASE("a page that gets no larger is stored, even where its pool has come to be above its cap") {
    lone_partition<> p{persistent};
    p.record.options.cap_bytes = 3 * 4096;
    REQUIRE(p.put(1, 4096) == status::ok);
    REQUIRE(p.put(2, 4096) == status::ok);
    p.table.payload_rate.store(0x20000, memory_order::relaxed); // each byte is charged two
    CHECK(p.put(2, 4096, 7).result == status::ok);
    CHECK(p.put(2, 3000, 8).result == status::ok);
    CHECK(p.holds(2, 3000, 8));
    const auto larger = p.put(2, 3904, 9);
    CHECK(larger.result == status::limit);
    CHECK(larger.at_cap);
    const auto another = p.put(3, 40, 9);
    CHECK(another.result == status::limit);
    CHECK(another.at_cap);
    CHECK(p.holds(2, 3000, 8));
    CHECK(p.part.check());
}

TEST_CASE("an overwrite takes the old place only where that fits well") {
    lone_partition<> p{persistent};
    const auto occupied = [&] {
        std::size_t bytes = 0;
        auto look = [&](const auto& allocator) { bytes = allocator.allocated_bytes(); };
        p.part.look_at_allocator(look);
        return bytes;
    };
    REQUIRE(p.put(5, 3000, 1).result == status::ok);
    const std::size_t large = occupied();
    CHECK(p.put(5, 2984, 2).result == status::ok);
    CHECK(occupied() == large);
    CHECK(p.put(5, 504, 3).result == status::ok);
    CHECK(occupied() < 600);
    CHECK(p.put(5, 3000, 4).result == status::ok);
    CHECK(occupied() == large);
    CHECK(p.holds(5, 3000, 4));
    CHECK(p.part.check());
}

TEST_CASE("a take of a page that fails its check leaves it") {
    lone_partition<> p{persistent};
    const std::vector<std::byte> stream = page_of(1000, page_kind::random, 1);
    const located_key k = p.at(1, 5);
    REQUIRE(p.part.put(k, stream, checksum(stream, k.sum_seed) ^ ~std::uint64_t{0}, 0, {}).result == status::ok);
    std::vector<std::byte> out(4096), buffer(4096);
    partition<default_config>::fetched found;
    for (int i = 0; i < 2; ++i) {
        CHECK(p.part.fetch(k, out, buffer, true, found) == status::corrupt);
    }
    CHECK(p.part.fetch(k, out, buffer, false, found) == status::ok);
    CHECK(equal_bytes(found.stream.data(), stream.data(), stream.size()));
    CHECK(p.part.check());
}

TEST_CASE("a page that is read or overwritten gets a second chance, in its place or in another") {
    for (const std::size_t size : {std::size_t{1000}, std::size_t{3000}}) {
        lone_partition<> p{ephemeral};
        for (std::uint64_t i = 0; i < 10; ++i) {
            REQUIRE(p.put(i, 1000) == status::ok);
        }
        REQUIRE(p.put(0, size, 77).result == status::ok);
        REQUIRE(p.holds(2, 1000));
        bool is_under_way = false;
        REQUIRE(p.part.evict(0, 2, is_under_way) == 2);
        CHECK(p.holds(0, size, 77));
        CHECK_FALSE(p.holds(1, 1000));
        CHECK(p.holds(2, 1000));
        CHECK_FALSE(p.holds(3, 1000));
        CHECK(p.part.check());
    }
}

TEST_CASE("check sees a tag that leads elsewhere") {
    lone_partition<> p{persistent};
    for (std::uint64_t i = 0; i < 3; ++i) {
        REQUIRE(p.put(i, 1000) == status::ok);
    }
    CHECK(p.part.check());
    std::vector<std::byte> out(4096), buffer(4096);
    partition<default_config>::fetched found;
    REQUIRE(p.part.fetch(p.at(1, 1), out, buffer, false, found) == status::ok);
    auto flip = [&](const auto& allocator) {
        const byte_span place = allocator.place(found.e.handle());
        place[place.size() - 1] ^= std::byte{4};
    };
    p.part.look_at_allocator(flip);
    CHECK_FALSE(p.part.check());
    p.part.look_at_allocator(flip);
    CHECK(p.part.check());
}

TEST_CASE("a put drops a bounded number of the victims that it may have, and says so") {
    lone_partition<> p{ephemeral};
    for (std::uint64_t i = 0; i < 400; ++i) {
        REQUIRE(p.put(i, 40) == status::ok);
    }
    p.budget.set_limit(p.budget.used());
    p.source.refuse_all(true);
    const auto none = p.put(1000, 4096, 1);
    CHECK(none.result == status::limit);
    CHECK_FALSE(none.has_dropped);
    const auto some = p.put(1000, 4096, 1, {.victims = 0});
    CHECK(some.result != status::ok);
    CHECK(some.has_dropped);
    pool_stats s{};
    REQUIRE(p.part.add_to(s, p.id));
    CHECK(s.evicted_pages > 0);
    CHECK(s.evicted_pages <= 16);
    CHECK(p.part.check());
}

TEST_CASE_TEMPLATE("compaction gives payload and index back, ends, and moves nothing wrongly", Config, default_config,
                   lru_config) {
    lone_partition<Config> p{ephemeral};
    const auto size_of = [](std::uint64_t i) { return 904 + i % 3 * 504; };
    for (std::uint64_t i = 0; i < 30'000; ++i) {
        REQUIRE(p.put(i * 17, size_of(i), i).result == status::ok);
    }
    rng random{3};
    std::vector<std::uint64_t> left;
    for (std::uint64_t i = 0; i < 30'000; ++i) {
        if (random.one_in(20)) {
            left.push_back(i);
        } else {
            REQUIRE(p.part.erase(p.at(1, i * 17)) == status::ok);
        }
    }
    const std::size_t before = p.part.bytes_taken();
    const compaction_work done = compact_all(p);
    CHECK(done.objects_moved > 0);
    CHECK(p.part.bytes_taken() == before - done.freed_bytes);
    CHECK(p.part.check());

    lone_partition<Config> fresh{ephemeral};
    for (const std::uint64_t i : left) {
        CHECK(p.holds(i * 17, size_of(i), i));
        REQUIRE(fresh.put(i * 17, size_of(i), i).result == status::ok);
    }
    CHECK(p.part.bytes_taken() <= fresh.part.bytes_taken() * 106 / 100 + 3 * 4096);
    bool is_under_way = true;
    std::size_t dropped = 0;
    while (is_under_way) { // the policy still knows every page
        dropped += p.part.evict(0, 16, is_under_way);
    }
    CHECK(dropped == left.size());
    CHECK(p.part.check());
}

TEST_CASE("a hold of the payload's compaction moves one object, one of the index's does 64 pages' work") {
    hold_counter::holds = 0;
    lone_partition<hold_counting_config> p{persistent};
    for (std::uint64_t i = 0; i < 4000; ++i) {
        REQUIRE(p.put(i, 904 + i % 3 * 504) == status::ok);
    }
    for (std::uint64_t i = 0; i < 4000; ++i) {
        if (i % 4 != 0) {
            REQUIRE(p.part.erase(p.at(1, i)) == status::ok);
        }
    }
    compaction_work done;
    for (bool goes_on = true; goes_on;) {
        const compaction_work so_far = done;
        const std::uint64_t before = hold_counter::holds;
        goes_on = p.part.compact_payload(1 << 20, done);
        REQUIRE(hold_counter::holds == before + 1);
        REQUIRE(done.objects_moved - so_far.objects_moved <= 1);
    }
    CHECK(done.objects_moved > 100);
    for (bool goes_on = true; goes_on;) {
        const compaction_work so_far = done;
        goes_on = p.part.compact_index(done);
        REQUIRE(done.moved_bytes - so_far.moved_bytes <= 2 * 64 * 12 + 64 * 44);
    }
    CHECK(p.part.check());
}

TEST_CASE("a closed pool answers nothing, and its pages go in bounded holds") {
    for (const std::uint64_t stride : {std::uint64_t{extent_pages}, std::uint64_t{1}}) {
        lone_partition<> p{ephemeral};
        for (std::uint64_t i = 0; i < 500; ++i) {
            REQUIRE(p.put(i * stride, 504) == status::ok);
        }
        p.part.close_pool(p.id);
        CHECK(p.put(0, 504) == status::invalid);
        CHECK_FALSE(p.holds(0, 504));
        std::size_t holds = 1;
        std::uint64_t stored = 500;
        for (bool done = false; !done; ++holds) {
            done = p.part.drain_pool(0);
            store_stats s{};
            p.part.add_to(s);
            REQUIRE(stored - s.stored_pages <= 64);
            stored = s.stored_pages;
            REQUIRE(p.part.check());
        }
        CHECK(holds >= 500 / 64);
        CHECK(stored == 0);
        CHECK(p.record.payload.load(memory_order::relaxed) == 0);
        CHECK(p.record.tables.load(memory_order::relaxed) == 0);
    }
}

namespace {

/// Where the stream of a page lies that a fetch found: in the buffer for it, in the caller's page, or where it was.
enum class lies_in { buffer, page, place };
template <class Config>
lies_in fetched_to(lone_partition<Config>& p, std::uint64_t index, bool removing) {
    std::vector<std::byte> out(4096), buffer(4096);
    typename partition<Config>::fetched found;
    REQUIRE(p.part.fetch(p.at(1, index), out, buffer, removing, found) == status::ok);
    return found.stream.data() == buffer.data() ? lies_in::buffer
           : found.stream.data() == out.data()  ? lies_in::page
                                                : lies_in::place;
}

} // namespace

TEST_CASE("a stream is copied out, but where one thread at a time uses the store and its page stays") {
    lone_partition<> many{persistent};
    lone_partition<unlocked_config> alone{persistent};
    for (const std::uint64_t i : {0u, 1u}) {
        REQUIRE(many.put(i, 1000) == status::ok);
        REQUIRE(alone.put(i, 1000) == status::ok);
    }
    CHECK(fetched_to(many, 0, false) == lies_in::buffer);
    CHECK(fetched_to(many, 0, true) == lies_in::buffer);
    CHECK(fetched_to(alone, 0, false) == lies_in::place);
    CHECK(fetched_to(alone, 0, true) == lies_in::buffer);
    REQUIRE(many.put(2, 4096) == status::ok);
    CHECK(fetched_to(many, 2, false) == lies_in::page);
    CHECK(fetched_to(many, 2, true) == lies_in::page);
}

TEST_CASE("the longest packed stream is the longest one that takes less than a page") {
    lone_partition<> p{persistent};
    const std::size_t most = p.part.most_packed();
    const auto charged = [&](std::size_t size) {
        const std::size_t before = p.record.payload.load(memory_order::relaxed);
        const std::vector<std::byte> stream(size, std::byte{7});
        REQUIRE(p.part.put(p.at(1, size), stream, 0, 0, {}).result == status::ok);
        return p.record.payload.load(memory_order::relaxed) - before;
    };
    CHECK(charged(most) < 4096);
    CHECK(charged(most + 1) == 4096);
}

TEST_CASE("a few pages that come or go show in the gauge, though no memory did") {
    lone_partition<> p{persistent};
    for (std::uint64_t i = 0; i < 48; ++i) {
        REQUIRE(p.put(i, i < 32 ? 40 : 104) == status::ok);
    }
    const std::uint64_t calls = p.source.acquisitions();
    const std::size_t charged = p.record.payload.load(memory_order::relaxed);
    for (std::uint64_t i = 0; i < 16; ++i) {
        REQUIRE(p.put(i, 104) == status::ok);
    }
    REQUIRE(p.source.acquisitions() == calls);
    CHECK(p.gauge.payload_charged.load(memory_order::relaxed) > charged);
}

TEST_CASE("what is idle shows in the gauge") {
    lone_partition<> p{persistent};
    for (std::uint64_t i = 0; i < 1000; ++i) {
        REQUIRE(p.put(i, 1000) == status::ok);
    }
    const std::size_t full = p.gauge.payload_idle();
    for (std::uint64_t i = 0; i < 1000; ++i) {
        if (i % 5 != 0) {
            REQUIRE(p.part.erase(p.at(1, i)) == status::ok);
        }
    }
    CHECK(p.gauge.payload_idle() > full + 200'000);
    static_cast<void>(compact_all(p));
    CHECK(p.gauge.payload_idle() < full + 100'000);
}

} // namespace unit_store_partition
