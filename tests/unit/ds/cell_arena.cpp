// SPDX-License-Identifier: MIT

#include "support/rng.hpp"
#include "support/test_source.hpp"

#include <pagefold/ds/cell_arena.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <set>
#include <utility>
#include <vector>

namespace {

using namespace pagefold;
using namespace pagefold::testing;

struct sizes {
    static constexpr unsigned class_count = 4;
    [[nodiscard]] static constexpr std::size_t cell_bytes(unsigned c) noexcept {
        constexpr std::size_t bytes[] = {2, 24, 768, 3 * 4096};
        return bytes[c];
    }
};
using arena = cell_arena<sizes, test_source>;

constexpr std::size_t block = 3 * 4096;

} // namespace

TEST_CASE("cells of all classes hold their content until they are freed") {
    test_source source;
    arena cells{source, any_node};
    struct live_cell {
        cell_ref ref;
        unsigned size_class;
        unsigned char content;
    };
    std::vector<live_cell> live;
    rng random{1};
    for (int i = 0; i < 20'000; ++i) {
        const bool grows = i / 4000 % 2 == 0;
        if (live.empty() || random.below(10) < (grows ? 7u : 3u)) {
            const unsigned size_class = static_cast<unsigned>(random.below(random.one_in(50) ? 4 : 3));
            source.refuse_nth(random.below(4));
            const std::size_t before = source.bytes_held();
            const result<cell_ref> cell = cells.allocate(size_class);
            if (!cell) {
                REQUIRE(cell.error() == status::no_memory);
                REQUIRE(source.bytes_held() - before <= 4096); // a table of numbers at most
                continue;
            }
            source.refuse_nth(0);
            const auto content = static_cast<unsigned char>(random());
            REQUIRE(cells.size_class(*cell) == size_class);
            std::memset(cells.data(*cell), content, sizes::cell_bytes(size_class));
            live.push_back({*cell, size_class, content});
        } else {
            std::swap(live[random.below(live.size())], live.back());
            const live_cell cell = live.back();
            live.pop_back();
            const std::byte* const data = cells.data(cell.ref);
            for (std::size_t at = 0; at < sizes::cell_bytes(cell.size_class); ++at) {
                REQUIRE(data[at] == std::byte{cell.content});
            }
            cells.deallocate(cell.ref);
        }
        if (i % 500 == 0) {
            REQUIRE(cells.check());
            REQUIRE(cells.cell_count() == live.size());
            REQUIRE(cells.bytes() == source.bytes_held());
        }
    }
    for (const live_cell& cell : live) {
        cells.deallocate(cell.ref);
    }
    CHECK(cells.check());
    CHECK(cells.cell_count() == 0);
    CHECK(cells.bytes() == source.bytes_held());
    CHECK(cells.bytes() < block); // what is left are tables of numbers
}

TEST_CASE("a block is filled to its last cell before there is another") {
    test_source source;
    arena cells{source, any_node};
    for (unsigned size_class = 0; size_class < sizes::class_count; ++size_class) {
        std::vector<cell_ref> refs;
        const std::size_t fit = block / sizes::cell_bytes(size_class);
        const std::size_t before = cells.bytes();
        for (std::size_t i = 0; i < fit; ++i) {
            refs.push_back(cells.allocate(size_class).value());
        }
        CHECK(cells.bytes() <= before + block + 4096);
        const std::size_t full = cells.bytes();
        refs.push_back(cells.allocate(size_class).value());
        CHECK(cells.bytes() == full + block);
        cells.deallocate(refs.back());
        refs.pop_back();
        CHECK(cells.bytes() == full);
        std::set<std::byte*> places;
        for (const cell_ref ref : refs) {
            places.insert(cells.data(ref));
            cells.deallocate(ref);
        }
        CHECK(places.size() == fit);
        CHECK(cells.cell_count() == 0);
    }
    CHECK(cells.check());
}

TEST_CASE("a refused block changes nothing, and an arena takes nothing beforehand") {
    test_source source;
    arena cells{source, any_node};
    CHECK(source.acquisitions() == 0);
    CHECK(cells.bytes() == 0);
    for (std::uint64_t failing = 1; source.refusals() == failing - 1; ++failing) {
        source.refuse_nth(failing);
        const result<cell_ref> cell = cells.allocate(1);
        source.refuse_nth(0);
        CHECK(cells.check());
        CHECK(cells.bytes() == source.bytes_held());
        CHECK(cells.cell_count() == (cell ? 1 : 0));
        if (cell) {
            CHECK(failing > 1);
            break;
        }
        CHECK(cell.error() == status::no_memory);
    }
}

TEST_CASE("an arena gives back what is still live") {
    test_source source;
    {
        arena cells{source, any_node};
        for (unsigned i = 0; i < 4000; ++i) {
            REQUIRE(cells.allocate(i % 3));
        }
        CHECK(source.bytes_held() > 0);
    }
    CHECK(source.bytes_held() == 0);
}
