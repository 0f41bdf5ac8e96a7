// SPDX-License-Identifier: MIT
#include <pagefold/store/partition_set.hpp>

#include "support/node_test_source.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <set>

namespace pagefold::testing::unit_store_partition_set {
namespace {

/// Says when it comes and goes, and where.
struct alignas(64) dweller {
    dweller(std::set<std::size_t>& all, std::size_t n) noexcept : present{all}, number{n} { present.insert(number); }
    ~dweller() { present.erase(number); }
    dweller(const dweller&) = delete;
    dweller& operator=(const dweller&) = delete;
    std::set<std::size_t>& present;
    std::size_t number;
    std::byte body[1000];
};
using machine = node_test_source<3>;
using dwellers = partition_set<dweller, machine>;

node_id node_of_number(std::size_t i) { return i % 4 == 3 ? any_node : static_cast<node_id>(i % 4); }
status fill(dwellers& set, std::size_t count, std::set<std::size_t>& present) {
    return set.create(count, node_of_number, [&](void* place, std::size_t i) { ::new (place) dweller{present, i}; });
}

TEST_CASE("partition_set: each lies on its node, by itself, and all go at the end") {
    for (const std::size_t count : {1u, 2u, 3u, 4u, 7u, 100u, 1024u}) {
        machine source{4096};
        std::set<std::size_t> present;
        {
            dwellers set{source};
            CHECK(set.size() == 0);
            CHECK(set.bytes() == 0);
            CHECK(source.bytes_held() == 0);
            REQUIRE(fill(set, count, present) == status::ok);
            CHECK(set.size() == count);
            CHECK(present.size() == count);
            CHECK(set.bytes() == source.bytes_held());
            CHECK(set.bytes() <= (count * (sizeof(dweller) + 64) / 4096 + 5) * 4096);
            std::set<std::uintptr_t> places;
            for (std::size_t i = 0; i < count; ++i) {
                const auto at = reinterpret_cast<std::uintptr_t>(&set[i]);
                CHECK(at % alignof(dweller) == 0);
                CHECK(set[i].number == i);
                const auto above = places.lower_bound(at);
                CHECK((above == places.end() || *above >= at + sizeof(dweller)));
                CHECK((above == places.begin() || *std::prev(above) + sizeof(dweller) <= at));
                places.insert(at);
                if (i % 4 != 3) {
                    CHECK(source.node_at(&set[i]) == i % 4);
                }
            }
        }
        CHECK(present.empty());
        CHECK(source.bytes_held() == 0);
    }
}

TEST_CASE("partition_set: whichever acquisition is refused, it holds nothing, and can be made again") {
    for (std::uint64_t refused = 1; refused <= 4; ++refused) {
        machine source{4096};
        std::set<std::size_t> present;
        dwellers set{source};
        source.refuse_nth(refused);
        CHECK(fill(set, 9, present) == status::no_memory);
        CHECK(present.empty());
        CHECK(set.size() == 0);
        CHECK(set.bytes() == 0);
        CHECK(source.bytes_held() == 0);
        source.refuse_nth(0);
        CHECK(fill(set, 9, present) == status::ok);
        CHECK(present.size() == 9);
    }
}

} // namespace
} // namespace pagefold::testing::unit_store_partition_set
