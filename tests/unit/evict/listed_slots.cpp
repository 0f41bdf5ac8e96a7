// SPDX-License-Identifier: MIT
#include <pagefold/evict/listed_slots.hpp>

#include <support/slot_table.hpp>

#include <doctest/doctest.h>

#include <cstdint>

namespace pagefold::testing::unit_evict_listed_slots {
namespace {

TEST_CASE("listed_slots: a list reaches the links of a hook, and leaves the rest") {
    slot_table<listed_hook> slots{8};
    slots.add(3);
    slots.set(3, {{1, 2}, 77});
    links_view<slot_table<listed_hook>> links{slots};
    static_assert(slot_view<decltype(links), slot_list::links>);
    CHECK(links.get(3).next == 1);
    links.set(3, {5, 6});
    CHECK(slots.get(3).state == 77);
    CHECK(slots.get(3).links.previous == 6);
    CHECK(links.next(no_slot) == 3);
}

TEST_CASE("listed_slots: goes round those of one list alone") {
    slot_table<listed_hook> slots{8};
    for (const slot_id slot : {0u, 2u, 3u, 7u}) {
        slots.add(slot);
        slots.set(slot, {{}, slot % 2});
    }
    const auto odd = [](std::uint32_t state) noexcept { return state == 1; };
    const listed_slots some{slots, odd};
    CHECK(some.next(no_slot) == 3);
    CHECK(some.next(3) == 7);
    CHECK(some.next(7) == 3);
    const auto none = [](std::uint32_t state) noexcept { return state == 9; };
    CHECK(listed_slots{slots, none}.next(no_slot) == no_slot);
    slots.remove(7);
    CHECK(some.next(3) == 3);
}

} // namespace
} // namespace pagefold::testing::unit_evict_listed_slots
