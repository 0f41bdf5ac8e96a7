// SPDX-License-Identifier: MIT
#include <pagefold/alloc/whole_units.hpp>

#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <set>
#include <type_traits>
#include <vector>

namespace pagefold::testing::unit_alloc_whole_units {
namespace {

constexpr std::uint32_t no_limit = 0x7fffffff;

TEST_CASE_TEMPLATE("each unit is memory of its own, under a number of its own", Units, whole_units<test_source, 4096>,
                   whole_units<test_source, 65536>) {
    constexpr bool large = std::is_same_v<Units, whole_units<test_source, 65536>>;
    constexpr std::size_t unit = large ? 65536 : 4096;
    test_source source;
    {
        Units units{source, any_node};
        CHECK(units.bytes_held() == 0);
        CHECK(units.table_bytes() == 0);
        CHECK_FALSE(units.contains(0));
        std::vector<std::uint32_t> ids;
        std::set<std::byte*> addresses;
        for (std::size_t i = 0; i < 700; ++i) {
            const result<std::uint32_t> id = units.allocate(no_limit);
            REQUIRE(id.has_value());
            ids.push_back(*id);
            addresses.insert(units.address(*id));
            std::memset(units.address(*id), static_cast<int>(i % 251), unit);
            CHECK(units.bytes_held() == (i + 1) * unit);
            CHECK(units.bytes_held() + units.table_bytes() == source.bytes_held());
        }
        CHECK(addresses.size() == 700);
        CHECK(std::set<std::uint32_t>(ids.begin(), ids.end()).size() == 700);
        bool kept = true;
        for (std::size_t i = 0; i < 700; ++i) {
            const std::byte expected{static_cast<unsigned char>(i % 251)};
            kept = kept && units.address(ids[i])[0] == expected && units.address(ids[i])[unit - 1] == expected;
        }
        CHECK(kept);
        for (std::size_t i = 0; i < 700; i += 2) {
            units.deallocate(ids[i]);
            CHECK_FALSE(units.contains(ids[i]));
            CHECK(units.contains(ids[i + 1]));
        }
        CHECK(units.bytes_held() == 350 * unit);
        CHECK(units.check());
    }
    CHECK(source.bytes_held() == 0); // the other half went with the owner
}

TEST_CASE("whichever acquisition is refused, no unit is lost") {
    for (std::uint64_t refused = 1; refused <= 4; ++refused) {
        CAPTURE(refused);
        test_source source;
        whole_units<test_source, 4096> units{source, any_node};
        source.refuse_nth(refused, status::limit);
        unsigned failed = 0;
        for (unsigned i = 0; i < 8; ++i) {
            const result<std::uint32_t> id = units.allocate(no_limit);
            failed += id ? 0 : 1;
            CHECK((id || id.error() == status::limit));
            CHECK(units.bytes_held() == (i + 1 - failed) * 4096);
            CHECK(units.bytes_held() + units.table_bytes() == source.bytes_held());
            CHECK(units.check());
        }
        CHECK(failed == 1);
    }
}

TEST_CASE("numbers end at the limit") {
    test_source source;
    whole_units<test_source, 4096> units{source, any_node};
    CHECK(units.allocate(0).error() == status::limit);
    CHECK(units.bytes_held() == 0);
    std::vector<std::uint32_t> ids;
    for (result<std::uint32_t> id = units.allocate(5); id; id = units.allocate(5)) {
        CHECK(*id < 5);
        ids.push_back(*id);
        REQUIRE(ids.size() <= 5);
    }
    CHECK(units.bytes_held() == ids.size() * 4096);
    CHECK(units.allocate(5).error() == status::limit);
    REQUIRE_FALSE(ids.empty());
    units.deallocate(ids.front());
    CHECK(units.allocate(5).value_or(99) == ids.front());
    CHECK(units.check());
}

} // namespace
} // namespace pagefold::testing::unit_alloc_whole_units
