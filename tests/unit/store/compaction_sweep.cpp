// SPDX-License-Identifier: MIT
#include "support/partition_fixture.hpp"
#include "support/rng.hpp"

#include <doctest/doctest.h>

#include <pagefold/store/compaction_sweep.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/placement.hpp>

#include <cstring>
#include <map>

namespace unit_store_compaction_sweep {

using namespace pagefold;
using namespace pagefold::testing;

namespace {

using state_type = partition_state<default_config>;
using allocator_type = state_type::allocator_type;
using sweep_type = compaction_sweep<state_type>;

/// The state of a partition whose pages are of one byte each.
struct owner : partition_surroundings {
    owner() : partition_surroundings{pool_kind::persistent} {
        REQUIRE(state.pools.reserve(0) == status::ok);
        state.pools[0].id = id;
    }
    void put(std::uint64_t page, std::size_t size) {
        const std::vector<std::byte> stream(size, content(page));
        REQUIRE(placement<default_config>{state}.put(state.pools[0], at(1, page), stream, 0).result == status::ok);
        sizes[page] = size;
    }
    void erase(std::uint64_t page) {
        state.remove(state.pools[0], state.index.find(at(1, page)));
        sizes.erase(page);
    }
    /// Objects of three sizes, of which one in `kept_of` stays.
    void fill_and_thin(std::uint64_t pages, unsigned kept_of) {
        for (std::uint64_t i = 0; i < pages; ++i) {
            put(i, 600 + i % 3 * 700);
        }
        for (std::uint64_t i = 0; i < pages; ++i) {
            if (i % kept_of != 0) {
                erase(i);
            }
        }
    }
    [[nodiscard]] bool intact() {
        for (const auto& [page, size] : sizes) {
            const slot_id slot = state.index.find(at(1, page));
            const entry e = state.index.get(slot);
            const byte_view bytes = state.allocator.read(e.handle(), size, {});
            const std::vector<std::byte> expected(size, content(page));
            const byte_span place = state.allocator.place(e.handle());
            if (e.size() != size || std::memcmp(bytes.data(), expected.data(), size) != 0 ||
                (size != 4096 && load_native<slot_id>(place.data() + place.size() - 4) != slot)) {
                return false;
            }
        }
        return state.allocator.check() && state.index.check();
    }
    [[nodiscard]] std::size_t misplaced() {
        std::size_t count = 0;
        for (const auto& [page, size] : sizes) {
            count += state.allocator.misplaced(state.index.get(state.index.find(at(1, page))).handle()) ? 1 : 0;
        }
        return count;
    }
    static std::byte content(std::uint64_t page) { return static_cast<std::byte>(page * 7 + 1); }

    state_type state{source, budget, table, hasher, gauge, any_node};
    std::map<std::uint64_t, std::size_t> sizes;
};

} // namespace

TEST_CASE("a step moves one object at most, and a sweep gives back what it counts") {
    owner o;
    o.fill_and_thin(4000, 5);
    sweep_type sweep;
    compaction_work done;
    const auto bytes = [&] { return o.state.allocator.bytes_held() + o.state.allocator.table_bytes(); };
    const std::size_t held = bytes();
    std::size_t steps = 0;
    for (bool goes_on = true; goes_on; ++steps) {
        const compaction_work before = done;
        goes_on = sweep.step(o.state, ~std::size_t{0}, done);
        REQUIRE(done.objects_moved - before.objects_moved <= 1);
        REQUIRE(done.moved_bytes - before.moved_bytes <= allocator_type::max_size);
        REQUIRE(held - bytes() <= done.freed_bytes); // a step may have taken some again
        REQUIRE(steps < 10000);
        if (steps % 64 == 0) {
            REQUIRE(o.intact());
        }
    }
    CHECK(sweep.was_worthwhile());
    CHECK(done.objects_moved > 100);
    CHECK(held - bytes() == done.freed_bytes);
    CHECK(done.freed_bytes > held / 2);
    CHECK(steps < done.objects_moved + 200); // no walk over what stays
    CHECK(o.misplaced() == 0);
    CHECK(o.intact());
}

TEST_CASE("a plan as large as the store is made in shares, and ends with the last victim") {
    owner o;
    o.fill_and_thin(6000, 10);
    sweep_type sweep;
    compaction_work done;
    std::size_t marked = 0, steps = 0;
    // Until the first move all steps plan; none of them marks much more than a share.
    for (; done.objects_moved == 0 && steps < 1000; ++steps) {
        const std::size_t before = marked;
        REQUIRE(sweep.step(o.state, ~std::size_t{0}, done));
        marked = o.misplaced() + static_cast<std::size_t>(done.objects_moved);
        CHECK((marked - before) * 600 <= 2 * 32 * allocator_type::max_size);
    }
    CHECK(marked > 0);
    CHECK(steps > 2);
    while (sweep.step(o.state, 0, done)) {
    }
    CHECK(o.misplaced() == 0);
    CHECK(o.intact());
}

TEST_CASE("a budget is kept to, within the objects of one span") {
    owner o;
    o.fill_and_thin(4000, 4);
    sweep_type sweep;
    compaction_work done;
    while (sweep.step(o.state, 40'000, done)) {
    }
    CHECK(done.moved_bytes > 0);
    CHECK(done.moved_bytes <= 40'000);
    CHECK(o.intact());
    compaction_work nothing;
    CHECK_FALSE(sweep.step(o.state, 0, nothing));
    CHECK_FALSE(sweep.was_worthwhile());
    CHECK(nothing.objects_moved == 0);
}

TEST_CASE("pages come, go and change between the steps") {
    owner o;
    o.fill_and_thin(3000, 3);
    sweep_type sweep;
    compaction_work done;
    rng random{5};
    for (unsigned i = 0; i < 6000; ++i) {
        static_cast<void>(sweep.step(o.state, random.below(200'000), done));
        const std::uint64_t page = random.below(3000);
        if (o.sizes.find(page) != o.sizes.end() && random.one_in(2)) {
            o.erase(page);
        } else if (random.one_in(2)) {
            o.put(page, 9 + random.below(4088));
        }
        if (i % 512 == 0) {
            REQUIRE(o.intact());
        }
    }
    CHECK(done.objects_moved > 0);
    CHECK(o.intact());
}

TEST_CASE("an object whose tag leads elsewhere stays, and the sweep ends all the same") {
    owner o;
    o.fill_and_thin(2000, 5);
    const std::uint64_t other = 5;
    for (const std::uint64_t page : {std::uint64_t{10}, std::uint64_t{500}, std::uint64_t{1500}}) {
        const entry e = o.state.index.get(o.state.index.find(o.at(1, page)));
        const byte_span place = o.state.allocator.place(e.handle());
        const slot_id wrong = page == 10 ? no_slot : page == 500 ? 0x7fffffff : o.state.index.find(o.at(1, other));
        store_native(place.data() + place.size() - 4, wrong);
    }
    sweep_type sweep;
    compaction_work done;
    std::size_t steps = 0;
    while (sweep.step(o.state, ~std::size_t{0}, done)) {
        REQUIRE(++steps < 10'000);
    }
    CHECK(done.objects_moved > 0);
    for (const auto& [page, size] : o.sizes) {
        const entry e = o.state.index.get(o.state.index.find(o.at(1, page)));
        CHECK(o.state.allocator.read(e.handle(), size, {})[0] == owner::content(page));
    }
    CHECK(o.misplaced() == 0); // the spans of those that stay serve again
    CHECK(o.state.allocator.check());
}

TEST_CASE("an empty store has nothing to do") {
    owner o;
    compaction_work done;
    CHECK_FALSE(sweep_type{}.step(o.state, 1'000'000, done));
    CHECK(done.moved_bytes + done.freed_bytes + done.objects_moved == 0);
}

} // namespace unit_store_compaction_sweep
