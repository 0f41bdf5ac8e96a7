// SPDX-License-Identifier: MIT
#include <pagefold/evict/slot_list.hpp>

#include <support/slot_table.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <vector>

namespace pagefold::testing::unit_evict_slot_list {
namespace {

using table = slot_table<slot_list::links>;
constexpr auto any = [](slot_id) noexcept { return true; };

struct fixture {
    explicit fixture(std::initializer_list<slot_id> slots) {
        for (const slot_id slot : slots) {
            slots_of.add(slot);
            list.push_front(slots_of, slot);
        }
    }
    void remove(slot_id slot) {
        list.remove(slots_of, slot);
        slots_of.remove(slot);
    }
    std::vector<slot_id> drain() {
        std::vector<slot_id> order;
        std::size_t steps = 100;
        for (slot_id slot = list.remove_last_if(slots_of, any, steps); slot != no_slot;
             slot = list.remove_last_if(slots_of, any, steps)) {
            slots_of.remove(slot);
            order.push_back(slot);
            REQUIRE(list.check(slots_of));
        }
        CHECK_FALSE(slots_of.was_misused());
        return order;
    }
    table slots_of{16};
    slot_list list;
};

TEST_CASE("slot_list: comes out in the order in which it went in") {
    CHECK(fixture{}.drain().empty());
    CHECK(fixture{0}.drain() == std::vector<slot_id>{0});
    CHECK(fixture{3, 15, 0, 7}.drain() == std::vector<slot_id>{3, 15, 0, 7});
}

TEST_CASE("slot_list: a slot can be removed at either end and between") {
    for (const slot_id gone : {1u, 2u, 3u}) {
        CAPTURE(gone);
        fixture f{1, 2, 3};
        f.remove(gone);
        CHECK(f.list.size() == 2);
        CHECK(f.list.check(f.slots_of));
        std::vector<slot_id> rest{1, 2, 3};
        rest.erase(rest.begin() + (gone - 1));
        CHECK(f.drain() == rest);
    }
}

TEST_CASE("slot_list: a slot can be moved to the front from anywhere") {
    fixture f{1, 2, 3};
    f.list.move_to_front(f.slots_of, 3);
    f.list.move_to_front(f.slots_of, 1);
    f.list.move_to_front(f.slots_of, 3);
    CHECK(f.list.size() == 3);
    CHECK(f.drain() == std::vector<slot_id>{2, 1, 3});
}

TEST_CASE("slot_list: what the predicate refuses keeps its place") {
    fixture f{1, 2, 3, 4};
    std::size_t steps = 100;
    CHECK(f.list.remove_last_if(
              f.slots_of, [](slot_id slot) noexcept { return slot == 3; }, steps) == 3);
    f.slots_of.remove(3);
    CHECK(f.list.remove_last_if(
              f.slots_of, [](slot_id) noexcept { return false; }, steps) == no_slot);
    CHECK(f.drain() == std::vector<slot_id>{1, 2, 4});
}

TEST_CASE("slot_list: a slot that moved keeps its place, at either end, between and alone") {
    for (const slot_id from : {1u, 2u, 3u}) {
        CAPTURE(from);
        fixture f{1, 2, 3};
        f.slots_of.move(from, 9);
        f.list.move(f.slots_of, from, 9);
        CHECK(f.list.check(f.slots_of));
        std::vector<slot_id> order{1, 2, 3};
        order[from - 1] = 9;
        CHECK(f.drain() == order);
    }
    fixture alone{4};
    alone.slots_of.move(4, 0);
    alone.list.move(alone.slots_of, 4, 0);
    CHECK(alone.drain() == std::vector<slot_id>{0});
}

TEST_CASE("slot_list: a walk ends with its steps, and each slot asked about is one") {
    fixture f{1, 2, 3, 4};
    const auto is_3 = [](slot_id slot) noexcept { return slot == 3; };
    for (std::size_t given : {0u, 1u, 2u}) {
        std::size_t steps = given;
        CHECK(f.list.remove_last_if(f.slots_of, is_3, steps) == no_slot);
        CHECK(steps == 0);
    }
    std::size_t steps = 3;
    CHECK(f.list.remove_last_if(f.slots_of, is_3, steps) == 3);
    CHECK(steps == 0);
    f.slots_of.remove(3);
    steps = 10;
    CHECK(f.list.remove_last_if(f.slots_of, is_3, steps) == no_slot);
    CHECK(steps == 7);
}

TEST_CASE("slot_list: check sees broken links and slots that are not listed") {
    fixture f{1, 2, 3};
    REQUIRE(f.list.check(f.slots_of));
    const slot_list::links good = f.slots_of.get(2);
    for (const slot_list::links broken :
         {slot_list::links{good.next, no_slot}, slot_list::links{no_slot, good.previous},
          slot_list::links{2, good.previous}, slot_list::links{3, good.previous}}) {
        f.slots_of.set(2, broken);
        CHECK_FALSE(f.list.check(f.slots_of));
    }
    f.slots_of.set(2, good);
    f.slots_of.add(4);
    CHECK_FALSE(f.list.check(f.slots_of));
    f.slots_of.remove(4);
    CHECK(f.list.check(f.slots_of));
}

} // namespace
} // namespace pagefold::testing::unit_evict_slot_list
