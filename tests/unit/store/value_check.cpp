// SPDX-License-Identifier: MIT
#include <pagefold/store/value_check.hpp>

#include "support/partition_fixture.hpp"
#include "support/values.hpp"

#include <pagefold/core/bits.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/retrieval.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing::unit_store_value_check {
namespace {

using bytes = std::vector<std::byte>;

TEST_CASE("value_check: a check tells the length, and goes with no other") {
    const bytes stream = value_of(100, page_kind::random, 7);
    const std::uint64_t whole = checksum(stream, 99);
    for (const std::size_t page_size : {std::size_t{4096}, std::size_t{65536}}) {
        for (std::size_t length = 0; length <= page_size; length += length < 20 ? 1 : 97) {
            const std::uint64_t check = value_check::of(stream, 99, length, page_size);
            CHECK(value_check::length_of(check) == length);
            CHECK((check & 0xf) == 0);
            CHECK((check >> 21) != (whole >> 21));
            CHECK((check >> 21) != (value_check::of(stream, 99, length + 1, page_size) >> 21));
            CHECK((check >> 21) != (value_check::of(stream, 98, length, page_size) >> 21));
        }
        const std::uint64_t check = value_check::of(stream, 99, page_size, page_size);
        CHECK(value_check::length_of(check) == page_size);
        CHECK((check >> 21) == (whole >> 21));
    }
}

struct config : default_config {
    static constexpr bool variable_length = true;
};

/// A state of values, raw ones or such as stand in their entries.
struct fixture : lone_state<config> {
    using lone_state::lone_state;
    using reader = retrieval<config, false>;

    status put_value(std::uint64_t index, const bytes& stream, std::size_t length) {
        const located_key k = at(1, index);
        const status s =
            placement<config>{state}.put(pool(), k, stream, state_type::check_of(stream, k.sum_seed, length)).result;
        state.settle(pool());
        return s;
    }
    status fetch(std::uint64_t index, std::size_t room, bool removing, reader::fetched_type& found) {
        return reader{state}.fetch(pool(), at(1, index), byte_span{out}.first(room), buffer, removing, found);
    }
    bytes out = bytes(4096), buffer = bytes(4096);
};

TEST_CASE("value_check: whatever bit of an entry is flipped, no length is told but the right one") {
    for (const std::size_t length :
         {std::size_t{0}, std::size_t{5}, std::size_t{8}, std::size_t{3000}, std::size_t{4095}}) {
        const bytes stream =
            length <= 8 || length == 3000 ? value_of(8, page_kind::text, 3) : value_of(length, page_kind::random, 3);
        unsigned refused = 0;
        for (unsigned bit = 0; bit < 128; ++bit) {
            CAPTURE(length);
            CAPTURE(bit);
            fixture f{pool_kind::persistent};
            REQUIRE(f.put_value(3, stream, length) == status::ok);
            const auto e = f.state.index.get(f.slot(3));
            const std::uint64_t one = std::uint64_t{1} << bit % 64;
            f.state.index.set(f.slot(3), bit < 64 ? fixture::state_type::entry_type{e.word() ^ one, e.meta()}
                                                  : fixture::state_type::entry_type{e.word(), e.meta() ^ one});
            std::size_t told = length;
            const status looked = fixture::reader{f.state}.look_up(f.pool(), f.at(1, 3), told);
            CHECK((looked == status::corrupt || (looked == status::ok && told == length)));
            fixture::reader::fetched_type found;
            if (length != 0) {
                const status s = f.fetch(3, length - 1, true, found);
                CHECK((s == status::too_short || s == status::corrupt));
                CHECK((s == status::corrupt || looked == status::ok));
            }
            const status s = f.fetch(3, 4096, true, found);
            refused += s != status::ok ? 1 : 0;
            CHECK((s == status::ok || s == status::corrupt || s == status::not_found));
            CHECK((s != status::ok || fixture::state_type::length_of(found.e) == length));
        }
        CHECK(refused == 125); // those of the policy are nobody's
        static_cast<void>(refused);
    }
}

TEST_CASE("value_check: damage that keeps the parity is found by the check") {
    fixture f{pool_kind::persistent};
    const bytes stream = value_of(2000, page_kind::random, 3);
    for (const std::uint64_t flips : {std::uint64_t{0b11}, std::uint64_t{1} << 16 | 1, std::uint64_t{1} << 11 | 1}) {
        REQUIRE(f.put_value(3, stream, 2000) == status::ok);
        const auto e = f.state.index.get(f.slot(3));
        f.state.index.set(f.slot(3),
                          fixture::state_type::entry_type{e.word(), e.meta() ^ flips << value_check::length_at});
        fixture::reader::fetched_type found;
        CHECK(f.fetch(3, 4096, true, found) == status::corrupt);
    }
}

TEST_CASE("value_check: a buffer that is too short is no use of the value") {
    fixture f{pool_kind::ephemeral};
    const bytes stream = value_of(2000, page_kind::random, 3);
    REQUIRE(f.put_value(3, stream, 2000) == status::ok);
    fixture::reader::fetched_type found;
    std::size_t length = 0;
    for (const bool removing : {false, true}) {
        CHECK(f.fetch(3, 1999, removing, found) == status::too_short);
        CHECK(fixture::reader{f.state}.look_up(f.pool(), f.at(1, 3), length) == status::ok);
        CHECK(length == 2000);
    }
    CHECK(fixture::reader{f.state}.look_up(f.pool(), f.at(1, 4), length) == status::not_found);
    CHECK(f.state.index.hook(f.slot(3)) == 0);
    CHECK(f.pool().counts.hits + f.pool().counts.misses == 0);
    CHECK(f.state.corruptions == 0);
    CHECK(f.fetch(3, 2000, false, found) == status::ok);
    CHECK(found.stream.data() == f.out.data()); // a raw value goes where it is wanted
    CHECK(f.check());
}

TEST_CASE("value_check: a raw value without room for its tag has a page, and one with room a tag") {
    for (std::size_t length = 4080; length <= 4096; ++length) {
        CAPTURE(length);
        fixture f{pool_kind::persistent};
        const bytes stream = value_of(length, page_kind::random, length);
        REQUIRE(f.put_value(3, stream, length) == status::ok);
        CHECK(f.state.totals.huge_pages == 1);
        CHECK(f.state.totals.payload_bytes == 4096);
        CHECK(f.state.totals.short_bytes == 4096 - length);
        fixture::reader::fetched_type found;
        REQUIRE(f.fetch(3, length, false, found) == status::ok);
        CHECK(equal_bytes(found.stream.data(), stream.data(), length));
        // Another length in its place.
        const bytes other = value_of(8176 - length, page_kind::random, 1);
        REQUIRE(f.put_value(3, other, 8176 - length) == status::ok);
        REQUIRE(f.fetch(3, 4096, true, found) == status::ok);
        CHECK(found.stream.size() == other.size());
        CHECK(equal_bytes(found.stream.data(), other.data(), other.size()));
        CHECK(f.state.totals.short_bytes == 0);
        CHECK(f.check());
    }
}

} // namespace
} // namespace pagefold::testing::unit_store_value_check
