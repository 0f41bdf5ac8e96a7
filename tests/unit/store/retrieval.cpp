// SPDX-License-Identifier: MIT
#include <pagefold/store/retrieval.hpp>

#include "support/partition_fixture.hpp"

#include <pagefold/store/default_config.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing::unit_store_retrieval {
namespace {

constexpr pool_kind persistent = pool_kind::persistent, ephemeral = pool_kind::ephemeral;

/// A state, and who reads from it: where a stream is read in place, and where it is copied out.
struct fixture : lone_state<default_config> {
    using lone_state::lone_state;
    using found_type = retrieval<default_config, false>::fetched_type;

    template <bool InPlace = false>
    status fetch(std::uint64_t index, bool removing, found_type& found) {
        return retrieval<default_config, InPlace>{state}.fetch(pool(), at(1, index), out, buffer, removing, found);
    }
    status fetch(std::uint64_t index, bool removing = false) {
        found_type found;
        return fetch(index, removing, found);
    }

    std::vector<std::byte> out = std::vector<std::byte>(4096), buffer = std::vector<std::byte>(4096);
};

enum class lies_in { entry, buffer, page, place };
[[nodiscard]] lies_in where(const fixture& f, const fixture::found_type& found) {
    const std::byte* const at = found.stream.data();
    return at == found.inline_stream ? lies_in::entry
           : at == f.buffer.data()   ? lies_in::buffer
           : at == f.out.data()      ? lies_in::page
                                     : lies_in::place;
}

TEST_CASE("retrieval: a stream is found where its kind says, and is the one that was put") {
    for (const bool removing : {false, true}) {
        for (const std::size_t size :
             {min_stream_size, std::size_t{9}, std::size_t{1000}, std::size_t{4092}, std::size_t{4096}}) {
            CAPTURE(size);
            for (const bool in_place : {false, true}) {
                fixture f{ephemeral};
                REQUIRE(f.put(3, size) == status::ok);
                fixture::found_type found;
                REQUIRE((in_place ? f.fetch<true>(3, removing, found) : f.fetch<false>(3, removing, found)) ==
                        status::ok);
                const lies_in packed = in_place && !removing ? lies_in::place : lies_in::buffer;
                CHECK(where(f, found) == (size == min_stream_size ? lies_in::entry
                                          : size == 4096          ? lies_in::page
                                                                  : packed));
                const std::vector<std::byte> expected = f.stream_of(size, 3);
                REQUIRE(found.stream.size() == size);
                CHECK(equal_bytes(found.stream.data(), expected.data(), size));
                CHECK(found.e.matches(checksum(expected, f.at(1, 3).sum_seed)));
                CHECK(f.lacks(3) == removing);
                CHECK(f.check());
            }
        }
    }
}

TEST_CASE("retrieval: hits and misses count, for the pool and for all, and a take erases once") {
    fixture f{persistent};
    REQUIRE(f.put(3, 1000) == status::ok);
    const auto counted = [&](std::uint64_t hits, std::uint64_t misses, std::uint64_t erased) {
        return f.pool().counts.hits == hits && f.state.totals.hits == hits && f.pool().counts.misses == misses &&
               f.state.totals.misses == misses && f.state.erased_pages == erased;
    };
    CHECK(f.fetch(4) == status::not_found); // in the same extent
    CHECK(f.fetch(400) == status::not_found);
    CHECK(counted(0, 2, 0));
    CHECK(f.fetch(3) == status::ok);
    CHECK(counted(1, 2, 0));
    CHECK(f.fetch(3, true) == status::ok);
    CHECK(counted(2, 2, 1));
    CHECK(f.record.payload.load(memory_order::relaxed) == 0); // it is settled
    CHECK(f.record.tables.load(memory_order::relaxed) == 0);
    CHECK(f.fetch(3, true) == status::not_found);
    CHECK(counted(2, 3, 1));
    CHECK(f.state.corruptions == 0);
}

TEST_CASE("retrieval: a take of a page that fails its check leaves it there, and a get leaves the check to others") {
    for (const std::size_t size : {min_stream_size, std::size_t{1000}, std::size_t{4096}}) {
        fixture f{ephemeral};
        const std::vector<std::byte> stream = f.stream_of(size, 1);
        const located_key k = f.at(1, 3);
        REQUIRE(placement<default_config>{f.state}.put(f.pool(), k, stream, ~checksum(stream, k.sum_seed)).result ==
                status::ok);
        for (std::uint64_t i = 1; i <= 2; ++i) {
            CHECK(f.fetch(3, true) == status::corrupt);
            CHECK(f.state.corruptions == i);
        }
        CHECK(f.pool().counts.hits == 0);
        CHECK(f.state.erased_pages == 0);
        CHECK(f.fetch(3) == status::ok);
        CHECK(f.state.corruptions == 2);
        CHECK(f.check());
    }
}

TEST_CASE("retrieval: the policy hears of a get, not of a take, and only of a cache's") {
    for (const pool_kind kind : {persistent, ephemeral}) {
        fixture f{kind};
        for (std::uint64_t i = 0; i < 3; ++i) {
            REQUIRE(f.put(i, 1000) == status::ok);
        }
        CHECK(f.fetch(1) == status::ok);
        CHECK(f.state.index.hook(f.slot(0)) == 0);
        CHECK(f.state.index.hook(f.slot(1)) == (kind == ephemeral ? 1 : 0));
        CHECK(f.fetch(1, true) == status::ok);
        CHECK(f.pool().eviction.size() == (kind == ephemeral ? 2 : 0));
        CHECK(f.check());
    }
}

TEST_CASE("retrieval: an entry that leads nowhere goes with its page, is told once, and frees no other's object") {
    for (const bool removing : {false, true}) {
        fixture f{ephemeral};
        REQUIRE(f.put(3, 1000) == status::ok);
        REQUIRE(f.put(4, 1000) == status::ok);
        const auto e = f.state.index.get(f.slot(3));
        f.state.index.set(f.slot(3), {e.word() ^ std::uint64_t{1} << 30, e.meta()});
        const std::size_t allocated = f.state.allocator.allocated_bytes();
        CHECK(f.fetch(3, removing) == status::corrupt);
        CHECK(f.state.corruptions == 1);
        CHECK(f.state.damage == 2); // and its object, which nobody knows any more
        CHECK(f.state.allocator.allocated_bytes() == allocated);
        CHECK(f.record.tables.load(memory_order::relaxed) == f.pool().ring.bytes);
        CHECK(f.fetch(3, removing) == status::not_found);
        CHECK(f.state.corruptions == 1);
        CHECK(f.fetch(4) == status::ok);
        CHECK(f.pool().eviction.size() == 1);
    }
}

TEST_CASE("retrieval: an entry that is whole and says more than its object holds is not followed") {
    fixture f{persistent};
    REQUIRE(f.put(3, 500) == status::ok);
    const auto e = f.state.index.get(f.slot(3));
    for (const auto& wrong : {entry::with_payload(e.handle(), 4096, 0), entry::with_payload(e.handle(), 65536, 0),
                              entry::with_payload(object_handle{0x7fffffffffff}, 500, 0)}) {
        f.state.index.set(f.slot(3), wrong);
        CHECK(!f.state.is_readable(wrong));
    }
    CHECK(f.fetch(3) == status::corrupt);
    CHECK(f.fetch(3) == status::not_found);
}

TEST_CASE("retrieval: a page whose extent is damaged is lost once, and one that was not in it is only missed") {
    fixture f{ephemeral};
    REQUIRE(f.put(3, 1000) == status::ok);
    REQUIRE(f.put(1000, 1000) == status::ok);
    f.state.index.metas_of(f.slot(3) / extent_pages).single->bitmap ^= 1;
    CHECK(f.fetch(3) == status::corrupt);
    CHECK(f.pool().counts.misses == 0);
    CHECK(f.record.tables.load(memory_order::relaxed) == f.pool().ring.bytes);
    CHECK(f.fetch(3) == status::not_found);
    CHECK(f.pool().counts.misses == 1);
    CHECK(f.fetch(1000) == status::ok);
    f.state.index.metas_of(f.slot(1000) / extent_pages).single->bitmap ^= 1;
    CHECK(f.fetch(1001) == status::not_found); // the damage goes with the extent
    CHECK(f.fetch(1000) == status::not_found);
    CHECK(f.state.corruptions == 2);
}

} // namespace
} // namespace pagefold::testing::unit_store_retrieval
