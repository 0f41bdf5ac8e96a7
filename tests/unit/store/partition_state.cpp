// SPDX-License-Identifier: MIT
#include "support/partition_fixture.hpp"

#include <doctest/doctest.h>

#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partition_state.hpp>

#include <cstddef>
#include <cstdint>

namespace unit_store_partition_state {

using namespace pagefold;
using namespace pagefold::testing;

namespace {

using state_type = partition_state<default_config>;

/// The state of a partition with one ephemeral pool.
struct owner : lone_state<> {
    owner() : lone_state<>{pool_kind::ephemeral} {}
    slot_id put(std::uint64_t index, std::size_t size = min_stream_size) {
        REQUIRE(lone_state<>::put(index, size) == status::ok);
        return slot(index);
    }
};

} // namespace

TEST_CASE("a policy sets the bits of any page, whether it looked at it before or not") {
    owner o;
    const slot_id slots[] = {o.put(0), o.put(1), o.put(5 * extent_pages), o.put(5 * extent_pages + 9)};
    auto view = o.state.slots(o.state.pools[0]);
    for (const slot_id slot : slots) {
        view.set(slot, 1);
    }
    view.set(slots[0], 0);
    view.set(slots[3], 0);
    auto fresh = o.state.slots(o.state.pools[0]);
    CHECK(fresh.get(slots[0]) == 0);
    CHECK(fresh.get(slots[1]) == 1);
    CHECK(fresh.get(slots[2]) == 1);
    CHECK(fresh.get(slots[3]) == 0);
    CHECK(o.state.index.check());
}

TEST_CASE("a pool is found by its id and its slot while it is open, and by no other id") {
    owner o;
    CHECK(o.state.find_pool(o.id) == &o.state.pools[0]);
    CHECK(o.state.pool_at(0) == &o.state.pools[0]);
    const auto number = static_cast<std::uint64_t>(o.id);
    CHECK(o.state.find_pool(static_cast<pool_id>(number + (1u << 13))) == nullptr);
    CHECK(o.state.find_pool(static_cast<pool_id>(number + 1)) == nullptr);
    CHECK(o.state.find_pool(pool_id{}) == nullptr);
    CHECK(o.state.pool_at(max_pool_slots - 1) == nullptr);
    o.state.pools[0].id = pool_id{};
    CHECK(o.state.find_pool(o.id) == nullptr);
    CHECK(o.state.find_pool(pool_id{}) == nullptr);
    CHECK(o.state.pool_at(0) == nullptr);
}

TEST_CASE("an entry is readable where it is whole and leads to an object that is long enough") {
    owner o;
    const entry e = o.state.index.get(o.put(1, 1000));
    CHECK(o.state.is_readable(e));
    CHECK(o.state.is_readable(o.state.index.get(o.put(2)))); // without an object
    CHECK_FALSE(o.state.is_readable(entry{e.word() ^ std::uint64_t{1} << 16, e.meta()}));
    CHECK_FALSE(o.state.is_readable(entry{e.word(), e.meta() ^ 0x80u}));
    CHECK(o.state.is_readable(entry::with_payload(e.handle(), 1001, 0)));
    CHECK_FALSE(o.state.is_readable(entry::with_payload(e.handle(), 2000, 0)));
    CHECK_FALSE(o.state.is_readable(entry::with_payload(object_handle{0x7fffffffffff}, 1000, 0)));
}

TEST_CASE("a damaged entry frees no object, and counts") {
    owner o;
    const entry e = o.state.index.get(o.put(1, 1000));
    const std::size_t before = o.state.allocator.allocated_bytes();
    o.state.free_object(entry{e.word() ^ std::uint64_t{1} << 16, e.meta()});
    o.state.free_object(entry::with_payload(object_handle{0x7fffffffffff}, 1000, 0));
    CHECK(o.state.allocator.allocated_bytes() == before);
    CHECK(o.state.damage == 2);
    o.state.free_object(e);
    CHECK(o.state.allocator.allocated_bytes() == 0);
    CHECK(o.state.damage == 2);
}

TEST_CASE("a stream's object has room for a tag, a raw page's has none") {
    owner o;
    for (const std::size_t size : {std::size_t{9}, std::size_t{100}, std::size_t{2000}}) {
        CHECK(state_type::object_bytes(size) == size + sizeof(slot_id));
        const entry e = o.state.index.get(o.put(size, size));
        CHECK(o.state.occupied_by(e) == o.state.allocator.rounded(size + sizeof(slot_id)));
    }
    CHECK(state_type::object_bytes(4096) == 4096);
    CHECK(o.state.occupied_by(o.state.index.get(o.put(4096, 4096))) == 4096);
    CHECK(o.state.occupied_by(o.state.index.get(o.put(8))) == 0);
}

} // namespace unit_store_partition_state
