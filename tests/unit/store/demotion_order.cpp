// SPDX-License-Identifier: MIT
#include <pagefold/store/demotion_order.hpp>

#include "support/rng.hpp"
#include "support/test_source.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <set>
#include <vector>

namespace pagefold::testing::unit_store_demotion_order {
namespace {

using order_type = demotion_order<test_source>;

struct fixture {
    explicit fixture(std::uint32_t extents) {
        for (std::uint32_t id = 0; id < extents; ++id) {
            REQUIRE(order.reserve(id) == status::ok);
        }
    }
    /// The pages of a list, as a round brings them.
    std::set<slot_id> round(const extent_list& list) const {
        std::set<slot_id> seen;
        const slot_id first = order.next(list, no_slot);
        for (slot_id s = first; s != no_slot && seen.insert(s).second;) {
            s = order.next(list, s);
            if (s == first) {
                break;
            }
        }
        return seen;
    }

    test_source source;
    order_type order{source, any_node};
};

TEST_CASE("demotion_order: nothing is in order at first, whatever is asked") {
    fixture f{0};
    extent_list list;
    CHECK(!f.order.has(0));
    CHECK(!f.order.has(no_slot - 1));
    CHECK(f.order.pages_of(extent_list::none) == 0);
    CHECK(f.order.next(list, no_slot) == no_slot);
    CHECK(f.order.remove_all(list, 5));
    CHECK(f.order.reset(5) == 0);
    CHECK(f.order.bytes() == 0);
}

TEST_CASE("demotion_order: a page alone is followed by itself") {
    fixture f{3};
    extent_list list;
    f.order.add(list, 130);
    CHECK(f.order.next(list, no_slot) == 130);
    CHECK(f.order.next(list, 130) == 130);
    CHECK(f.order.has(130));
    CHECK(!f.order.has(131));
    CHECK(list.size == 1);
    CHECK(f.order.remove(list, 130));
    CHECK(f.order.next(list, no_slot) == no_slot);
    CHECK(list.size == 0);
    CHECK(list.newest == extent_list::none);
    CHECK(list.oldest == extent_list::none);
}

TEST_CASE("demotion_order: rounds of several lists bring their pages, whatever comes, goes and moves") {
    constexpr std::uint32_t extents = 600, lists = 3;
    fixture f{extents};
    extent_list list[lists];
    std::set<slot_id> model[lists];
    rng random{3};
    // An extent is of one list: its number modulo their count, and moves within.
    for (unsigned step = 0; step < 60'000; ++step) {
        const std::uint32_t id = static_cast<std::uint32_t>(random.below(step < 30'000 ? extents : 12));
        const std::uint32_t of = id % lists;
        const slot_id s = id * extent_pages + static_cast<slot_id>(random.below(random.one_in(2) ? 3 : extent_pages));
        const std::uint64_t what = random.below(20);
        if (what < 9) {
            if (!f.order.has(s)) {
                f.order.add(list[of], s);
                model[of].insert(s);
            }
        } else if (what < 18) {
            CHECK(f.order.remove(list[of], s));
            model[of].erase(s);
        } else if (what == 18) {
            REQUIRE(f.order.remove_all(list[of], id));
            model[of].erase(model[of].lower_bound(id * extent_pages), model[of].lower_bound((id + 1) * extent_pages));
        } else {
            const std::uint32_t to = static_cast<std::uint32_t>(random.below(extents / lists)) * lists + of;
            if (to != id && f.order.pages_of(to) == 0) {
                const std::uint64_t pages = f.order.pages_of(id);
                REQUIRE(f.order.move(list[of], id, to));
                CHECK(f.order.pages_of(to) == pages);
                CHECK(f.order.pages_of(id) == 0);
                std::set<slot_id> moved;
                for (const slot_id m : model[of]) {
                    moved.insert(m / extent_pages == id ? to * extent_pages + m % extent_pages : m);
                }
                model[of] = moved;
            }
        }
        if (step % 500 == 0) {
            for (std::uint32_t l = 0; l < lists; ++l) {
                REQUIRE(f.round(list[l]) == model[l]);
            }
        }
        CHECK(f.order.has(s) == (model[of].count(s) != 0));
    }
}

TEST_CASE("demotion_order: links that are damaged are not followed, and the list is empty then") {
    for (const unsigned which : {0u, 1u, 2u}) {
        fixture f{8};
        extent_list list;
        for (const std::uint32_t id : {1u, 3u, 5u}) {
            f.order.add(list, id * extent_pages);
        }
        // Three pages of marks are not needed: all is in the first. Links are the second word of each mark.
        f.source.for_each_run([&](std::byte* memory, std::size_t bytes) {
            if (bytes == 4096 && f.order.bytes() <= 2 * 4096) {
                std::uint32_t links[2];
                std::memcpy(links, memory + 3 * 16 + 8, sizeof links);
                if (links[0] == 5 && links[1] == 1) {
                    links[which % 2] = which == 2 ? 0x7fffffffu : 7;
                    std::memcpy(memory + 3 * 16 + 8, links, sizeof links);
                }
            }
        });
        CHECK(!f.order.remove(list, 3 * extent_pages));
        CHECK(list.size == 0);
        CHECK(f.order.next(list, no_slot) == no_slot);
        CHECK(f.order.remove(list, 5 * extent_pages)); // said once
        CHECK(f.order.reset(1) == 1);
        f.order.add(list, 1 * extent_pages);
        CHECK(f.order.next(list, no_slot) == 1 * extent_pages);
    }
}

TEST_CASE("demotion_order: memory is a page for 256 extents, refused as the source says, and given back") {
    fixture f{0};
    f.source.refuse_nth(1);
    CHECK(f.order.reserve(0) == status::no_memory);
    CHECK(f.order.reserve(0) == status::ok);
    const std::size_t one = f.order.bytes();
    CHECK(one == 4096);
    CHECK(f.order.reserve(255) == status::ok);
    CHECK(f.order.bytes() == one);
    for (std::uint32_t id = 256; id < 10 * 256; ++id) {
        REQUIRE(f.order.reserve(id) == status::ok);
    }
    const std::size_t ten = f.order.bytes();
    CHECK(ten >= 10 * 4096);
    CHECK(!f.order.trim(256, 3)); // bounded
    CHECK(f.order.bytes() <= ten - 3 * 4096);
    CHECK(f.order.trim(256, 32));
    CHECK(f.order.bytes() <= 3 * 4096);
    CHECK(f.order.pages_of(255) == 0);
    CHECK(f.order.trim(0, 32));
    CHECK(f.order.bytes() == 0);
}

} // namespace
} // namespace pagefold::testing::unit_store_demotion_order
