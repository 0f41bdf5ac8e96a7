// SPDX-License-Identifier: MIT
#include <pagefold/alloc/tlsf_span.hpp>

#include <doctest/doctest.h>

#include <cstddef>

namespace pagefold::testing::unit_alloc_tlsf_span {
namespace {

using span = tlsf_span<4096>;
alignas(4096) std::byte memory[3 * 4096];

TEST_CASE("a span is two cache lines where a pointer has eight bytes, and remembers what it was opened with") {
    CHECK((sizeof(void*) != 8 || sizeof(span) == 128));
    span s{};
    CHECK_FALSE(s.live());
    for (unsigned units = 1; units <= span::max_units; ++units) {
        s.open(memory, units, 0x7ffedcba);
        CHECK(s.live());
        CHECK(s.base() == memory);
        CHECK(s.units() == units);
        CHECK(s.bytes() == units * 4096);
        CHECK(s.end() == units * 128);
        CHECK(s.id() == 0x7ffedcba);
        CHECK_FALSE(s.is_victim());
        CHECK_FALSE(s.has_reserved());
        CHECK(s.vacant_record() == 0);
    }
}

TEST_CASE("used granules and the victim's mark don't touch each other") {
    span s{};
    s.open(memory, 3, 1);
    s.add_used(384);
    CHECK(s.used() == 384);
    s.set_victim(true);
    s.subtract_used(383);
    CHECK(s.used() == 1);
    CHECK(s.is_victim());
    s.set_victim(false);
    CHECK_FALSE(s.is_victim());
    CHECK(s.used() == 1);
    CHECK(s.base() == memory);
    CHECK(s.units() == 3);
}

TEST_CASE("records are found by where their blocks start and end") {
    span s{};
    s.open(memory, 3, 0x00017fff); // the number's halves lie beside the lanes that are searched
    const unsigned starts[] = {0, 100, 382}, sizes[] = {50, 3, 2};
    for (unsigned i = 0; i < span::record_count; ++i) {
        CHECK(s.vacant_record() == i);
        s.use_record(i);
        s.set_record(i, starts[i], sizes[i]);
    }
    CHECK(s.vacant_record() == span::no_record);
    CHECK(s.id() == 0x00017fff);
    for (unsigned at = 0; at <= 384; ++at) {
        CAPTURE(at);
        CHECK(s.record_that_starts(at) == (at == 0 ? 0u : at == 100 ? 1u : at == 382 ? 2u : span::no_record));
        CHECK(s.record_that_ends(at) == (at == 50 ? 0u : at == 103 ? 1u : at == 384 ? 2u : span::no_record));
    }
    s.clear_record(1);
    CHECK(s.vacant_record() == 1);
    CHECK(s.record_that_starts(100) == span::no_record);
    CHECK(s.record_that_ends(103) == span::no_record);
    CHECK(s.record_that_starts(382) == 2);
}

TEST_CASE("reserved blocks are no objects, and are counted apart from records and unlisted blocks") {
    span s{};
    s.open(memory, 3, 1);
    for (unsigned i = 0; i < span::record_count; ++i) {
        s.use_record(i);
    }
    s.increase_unlisted();
    CHECK_FALSE(s.has_reserved());
    CHECK(s.reserved_count() == 0);
    REQUIRE(s.map.take(0, 384, 2) == 2);
    REQUIRE(s.map.take(2, 382, 8) == 8);
    REQUIRE(s.map.take(10, 374, 200) == 200);
    REQUIRE(s.map.take(210, 174, 20) == 20);
    s.flip_reserved(2);
    s.flip_reserved(210);
    CHECK(s.has_reserved());
    CHECK(s.reserved_count() == 2);
    CHECK(s.end_of_object(0) == 2);
    CHECK(s.end_of_object(2) == 0);
    CHECK(s.end_of_object(10) == 210);
    CHECK(s.end_of_object(210) == 0);
    CHECK(s.end_of_object(230) == 0); // free
    CHECK(s.end_of_object(384) == 0);
    CHECK(s.end_of_object(0xffff) == 0);
    s.flip_reserved(2);
    s.flip_reserved(210);
    CHECK(s.end_of_object(210) == 230);
    CHECK(s.reserved_count() == 0);
    CHECK(s.unlisted() == 1);
    s.decrease_unlisted();
    CHECK(s.unlisted() == 0);
}

} // namespace
} // namespace pagefold::testing::unit_alloc_tlsf_span
