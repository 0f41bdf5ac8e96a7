// SPDX-License-Identifier: MIT
#include <pagefold/store/tier_copies.hpp>

#include <doctest/doctest.h>

#include <cstdint>

namespace pagefold::testing::unit_store_tier_copies {
namespace {

tier_copy copy_at(std::uint32_t place, std::uint64_t index = 0) {
    return {{static_cast<pool_id>(1), 2, index}, static_cast<tier_place>(place)};
}

TEST_CASE("tier_copies: what leaves is taken once, in order") {
    tier_copies copies;
    CHECK(!copies.has_leaving());
    CHECK(copies.take_leaving().count == 0);
    copies.leave(copy_at(1));
    copies.forget(copy_at(2));
    CHECK(copies.has_leaving());
    CHECK(!copies.is_at_rest());
    const leaving_copies taken = copies.take_leaving();
    REQUIRE(taken.count == 2);
    CHECK(taken.of[0].place == tier_place{1});
    CHECK(taken.of[1].place == tier_place{2});
    CHECK(!copies.has_leaving());
    CHECK(copies.is_at_rest());
}

TEST_CASE("tier_copies: one that goes on elsewhere is not forgotten") {
    tier_copies copies;
    copies.keep_last();
    copies.leave(copy_at(1));
    copies.leave(copy_at(2));
    copies.keep_last();
    const leaving_copies taken = copies.take_leaving();
    REQUIRE(taken.count == 1);
    CHECK(taken.of[0].place == tier_place{1});
}

TEST_CASE("tier_copies: more than a hold can leave are counted, and kept by the tier") {
    tier_copies copies;
    for (std::uint32_t i = 0; i < leaving_copies::most; ++i) {
        copies.leave(copy_at(i));
    }
    CHECK(copies.lost() == 0);
    copies.leave(copy_at(99));
    CHECK(copies.lost() == 1);
    CHECK(copies.take_leaving().count == leaving_copies::most);
}

TEST_CASE("tier_copies: each reader of a copy learns that it has left, and no other reader") {
    tier_copies copies;
    copy_watch a, b, other_place, other_key;
    copies.begin(a, copy_at(1));
    copies.begin(other_place, copy_at(2));
    copies.begin(other_key, copy_at(1, 7));
    copies.begin(b, copy_at(1));
    CHECK(!copies.is_at_rest());
    copies.forget(copy_at(1)); // no page had it
    CHECK(!a.has_left());
    copies.leave(copy_at(1));
    CHECK(a.has_left());
    CHECK(b.has_left());
    CHECK(!other_place.has_left());
    CHECK(!other_key.has_left());
    copies.end(other_place); // from between the others
    copies.end(b);           // the last that came
    copies.end(a);           // the first
    copies.end(a);           // and once more
    copies.leave(copy_at(1, 7));
    CHECK(other_key.has_left());
    copies.end(other_key);
    static_cast<void>(copies.take_leaving());
    CHECK(copies.is_at_rest());
    copies.begin(a, copy_at(1)); // anew
    CHECK(!a.has_left());
    copies.end(a);
}

} // namespace
} // namespace pagefold::testing::unit_store_tier_copies
