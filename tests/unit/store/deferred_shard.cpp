// SPDX-License-Identifier: MIT
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/deferred_shard.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing::unit_store_deferred_shard {
namespace {

using stage = deferred_slot::stage;

struct shard_of_slots {
    explicit shard_of_slots(std::uint32_t count) : slots(count), memory(count * 8) {
        shard.set_up(slots.data(), count);
    }
    deferred_slot* open(std::uint64_t index, std::uint32_t hash) {
        std::byte* page = memory.data() + used * 8;
        deferred_slot* const s = shard.open({pool_id{1}, 0, index}, hash, page);
        used += page == nullptr ? 1u : 0u;
        return s;
    }
    deferred_slot* find(std::uint64_t index, std::uint32_t hash) { return shard.find({pool_id{1}, 0, index}, hash); }

    std::vector<deferred_slot> slots;
    std::vector<std::byte> memory;
    std::size_t used = 0;
    deferred_shard<null_lock> shard;
};

TEST_CASE("deferred_shard: without slots it finds nothing, and has room for nothing") {
    deferred_shard<null_lock> none;
    std::byte memory[8];
    std::byte* page = memory;
    CHECK(none.find({pool_id{1}, 0, 0}, 7) == nullptr);
    CHECK(none.open({pool_id{1}, 0, 0}, 7, page) == nullptr);
    CHECK(page == memory);
    CHECK_FALSE(none.has_cold());
    CHECK(none.take_memory() == nullptr);
    CHECK(none.first_of(stage::waiting) == nullptr);
    CHECK(none.check());
}

TEST_CASE("deferred_shard: slots come with memory, keep it, and are found by their key among those of a bucket") {
    shard_of_slots s{3};
    std::byte* nothing = nullptr;
    CHECK(s.shard.open({pool_id{1}, 0, 9}, 0, nothing) == nullptr); // all are cold
    // Three of one hash, then of one bucket.
    deferred_slot* const a = s.open(0, 5);
    deferred_slot* const b = s.open(1, 5);
    deferred_slot* const c = s.open(2, 8);
    REQUIRE(a != nullptr);
    REQUIRE(b != nullptr);
    REQUIRE(c != nullptr);
    CHECK(s.open(3, 5) == nullptr);
    CHECK(s.shard.live.load(memory_order::relaxed) == 3);
    CHECK(s.find(0, 5) == a);
    CHECK(s.find(1, 5) == b);
    CHECK(s.find(2, 8) == c);
    CHECK(s.find(2, 5) == nullptr);
    CHECK(s.find(3, 5) == nullptr);
    CHECK(s.shard.check());
    s.shard.close(*b); // from the middle of the chain
    CHECK(s.find(1, 5) == nullptr);
    CHECK(s.find(0, 5) == a);
    CHECK(s.find(2, 8) == c);
    CHECK(s.shard.check());
    CHECK(s.shard.open({pool_id{1}, 0, 4}, 1, nothing) == b); // warm: with the memory that it had
    CHECK(b->page != nullptr);
    s.shard.close(*b);
    CHECK(s.shard.take_memory() != nullptr);
    CHECK(s.shard.take_memory() == nullptr);
    CHECK(s.shard.has_cold());
    CHECK(s.shard.open({pool_id{1}, 0, 4}, 1, nothing) == nullptr);
    CHECK(s.shard.check());
}

TEST_CASE("deferred_shard: lines keep their order, and let anybody go") {
    shard_of_slots s{5};
    deferred_slot* of[5];
    for (std::uint32_t i = 0; i < 5; ++i) {
        of[i] = s.open(i, i);
        s.shard.line_up(*of[i], stage::waiting);
    }
    CHECK(s.shard.first_of(stage::waiting) == of[0]);
    for (const unsigned i : {2u, 0u, 4u}) { // the middle, the first, the last
        s.shard.take(*of[i]);
        CHECK(s.shard.check());
    }
    CHECK(s.shard.first_of(stage::waiting) == of[1]);
    CHECK(s.shard.waiting.load(memory_order::relaxed) == 2);
    s.shard.line_up(*of[2], stage::held);
    s.shard.line_up(*of[0], stage::held);
    CHECK(s.shard.first_of(stage::held) == of[2]);
    CHECK(s.shard.held.load(memory_order::relaxed) == 2);
    s.shard.line_up(*of[4], stage::waiting);
    s.shard.take(*of[1]);
    s.shard.take(*of[3]);
    CHECK(s.shard.first_of(stage::waiting) == of[4]);
    CHECK(s.shard.check());
    // Who had the others is gone.
    s.shard.forget_others();
    CHECK(s.shard.waiting.load(memory_order::relaxed) == 3);
    CHECK(s.shard.check());
}

TEST_CASE("deferred_shard: who is at the store keeps slots of its hash away, and too many all") {
    deferred_shard<null_lock> shard;
    CHECK_FALSE(shard.is_passed(3));
    for (std::uint32_t i = 0; i < 16; ++i) {
        shard.go_past(i / 2);
    }
    CHECK(shard.is_passed(3));
    CHECK_FALSE(shard.is_passed(8));
    shard.go_past(100);
    CHECK(shard.is_passed(8)); // it is one of those that are not noted, perhaps
    shard.come_back(3);
    CHECK(shard.is_passed(3));
    shard.come_back(100);
    CHECK(shard.is_passed(3)); // the other
    CHECK_FALSE(shard.is_passed(8));
    shard.come_back(3);
    CHECK_FALSE(shard.is_passed(3));
    for (std::uint32_t i = 0; i < 8; ++i) {
        CHECK(shard.is_passed(i) == (i != 3));
    }
    shard.forget_others();
    CHECK_FALSE(shard.is_passed(0));
}

TEST_CASE("deferred_shard: check finds what does not agree") {
    shard_of_slots s{4};
    deferred_slot* const a = s.open(0, 1);
    deferred_slot* const b = s.open(1, 2);
    s.shard.line_up(*a, stage::waiting);
    s.shard.line_up(*b, stage::waiting);
    REQUIRE(s.shard.check());
    a->after = deferred_slot::none;
    CHECK_FALSE(s.shard.check());
    a->after = 1;
    REQUIRE(s.shard.check());
    b->is = stage::held;
    CHECK_FALSE(s.shard.check());
    b->is = stage::waiting;
    b->hash = 3;
    CHECK_FALSE(s.shard.check());
    b->hash = 2;
    std::byte* const page = b->page;
    b->page = nullptr;
    CHECK_FALSE(s.shard.check());
    b->page = page;
    s.shard.live.store(1, memory_order::relaxed);
    CHECK_FALSE(s.shard.check());
    s.shard.live.store(2, memory_order::relaxed);
    CHECK(s.shard.check());
}

} // namespace
} // namespace pagefold::testing::unit_store_deferred_shard
