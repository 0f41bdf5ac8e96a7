// SPDX-License-Identifier: MIT
#include <pagefold/paging/transit_queue.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

namespace pagefold::testing::unit_paging_transit_queue {
namespace {

std::byte* bytes(slot_id* memory) { return static_cast<std::byte*>(static_cast<void*>(memory)); }

TEST_CASE("a queue has room for as many as it was asked for") {
    CHECK(transit_queue::bytes_for(0) == sizeof(slot_id));
    CHECK(transit_queue::bytes_for(1) == sizeof(slot_id));
    CHECK(transit_queue::bytes_for(5) == 8 * sizeof(slot_id));
    CHECK(transit_queue::bytes_for(128) == 128 * sizeof(slot_id));
    slot_id memory[1] = {};
    transit_queue one;
    CHECK(one.capacity() == 0);
    one.open(bytes(memory), 1);
    CHECK(one.capacity() == 1);
    const std::uint32_t number = one.push(9);
    CHECK(one.has(9, number));
    CHECK(one.front() == 9);
    CHECK(one.front_number() == number);
    one.pop();
    CHECK(one.length() == 0);
    CHECK_FALSE(one.has(9, number));
}

TEST_CASE("what comes first leaves first, and numbers are never mixed up around the ring") {
    slot_id memory[4] = {};
    transit_queue queue;
    queue.open(bytes(memory), 4);
    std::deque<std::pair<slot_id, std::uint32_t>> expected;
    for (slot_id page = 0; page < 1000; ++page) {
        if (page % 3 != 0 || queue.length() == 4) {
            CHECK(queue.front() == expected.front().first);
            CHECK(queue.front_number() == expected.front().second);
            queue.pop();
            CHECK_FALSE(queue.has(expected.front().first, expected.front().second));
            expected.pop_front();
        }
        for (unsigned i = 0; i < 2 && queue.length() < 4; ++i) {
            expected.emplace_back(page, queue.push(page));
        }
        CHECK(queue.length() == expected.size());
        for (const auto& [at, number] : expected) {
            CHECK(queue.has(at, number));
            CHECK_FALSE(queue.has(at + 1000, number));
            CHECK_FALSE(queue.has(at, number + 4));
        }
    }
}

} // namespace
} // namespace pagefold::testing::unit_paging_transit_queue
