// SPDX-License-Identifier: MIT

#include "support/rng.hpp"
#include "support/test_source.hpp"

#include <pagefold/ds/cell_arena.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <set>
#include <utility>
#include <vector>

namespace unit_ds_cell_arena {

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
constexpr std::uint32_t first_limit = 4096 / 32; // numbers below it are never too high: a chunk of descriptors

struct live_cell {
    cell_ref ref;
    unsigned size_class;
    unsigned char content;
};

[[nodiscard]] result<live_cell> make_cell(arena& cells, unsigned size_class, unsigned char content) {
    const result<cell_ref> cell = cells.allocate(size_class);
    if (!cell) {
        return cell.error();
    }
    std::memset(cells.data(*cell), content, sizes::cell_bytes(size_class));
    return live_cell{*cell, size_class, content};
}
void check_content(const arena& cells, const live_cell& cell) {
    REQUIRE(cells.contains(cell.ref));
    REQUIRE(cells.size_class(cell.ref) == cell.size_class);
    const std::byte* const data = cells.data(cell.ref);
    const std::byte* const end = data + sizes::cell_bytes(cell.size_class);
    REQUIRE(std::all_of(data, end, [&](std::byte b) { return b == std::byte{cell.content}; }));
}
/// One walk of the owner; how many cells moved.
std::size_t gather(arena& cells, std::vector<live_cell>& live) {
    std::size_t moved = 0;
    for (live_cell& cell : live) {
        if (cells.misplaced(cell.ref)) {
            const std::size_t before = cells.bytes();
            if (const result<cell_ref> to = cells.relocate(cell.ref); to) {
                REQUIRE((cells.bytes() < before || !cells.misplaced(*to))); // a block less makes lower numbers high
                moved += *to != cell.ref ? 1 : 0;
                cell.ref = *to;
            }
        }
    }
    REQUIRE(cells.check());
    REQUIRE(cells.cell_count() == live.size());
    for (const live_cell& cell : live) {
        check_content(cells, cell);
    }
    return moved;
}

} // namespace

TEST_CASE("cells of all classes hold their content until they are freed") {
    test_source source;
    arena cells{source, any_node};
    std::vector<live_cell> live;
    rng random{1};
    for (int i = 0; i < 20'000; ++i) {
        const bool grows = i / 4000 % 2 == 0;
        if (live.empty() || random.below(10) < (grows ? 7u : 3u)) {
            const unsigned size_class = static_cast<unsigned>(random.below(random.one_in(50) ? 4 : 3));
            source.refuse_nth(random.below(4));
            const std::size_t before = source.bytes_held();
            const result<live_cell> cell = make_cell(cells, size_class, static_cast<unsigned char>(random()));
            if (!cell) {
                REQUIRE(cell.error() == status::no_memory);
                REQUIRE(source.bytes_held() - before <= 4096); // a table of numbers at most
                continue;
            }
            source.refuse_nth(0);
            live.push_back(*cell);
        } else {
            std::swap(live[random.below(live.size())], live.back());
            const live_cell cell = live.back();
            live.pop_back();
            check_content(cells, cell);
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

TEST_CASE("two walks leave no more blocks than the cells need and one a class, and the descriptors of few") {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        for (const unsigned kept_of_1000 : {0u, 5u, 100u, 500u, 950u}) {
            for (const bool scattered : {true, false}) { // what stays: anything, or the last that came
                CAPTURE(seed);
                CAPTURE(kept_of_1000);
                CAPTURE(scattered);
                test_source source, fresh_source;
                arena cells{source, any_node}, fresh{fresh_source, any_node};
                std::vector<live_cell> live, rest;
                rng random{seed};
                for (unsigned i = 0; i < 9'000; ++i) {
                    const unsigned size_class = random.one_in(40) ? 3 : 1 + static_cast<unsigned>(random.below(2));
                    live.push_back(make_cell(cells, size_class, static_cast<unsigned char>(random())).value());
                }
                for (std::size_t i = 0; i < live.size(); ++i) {
                    if (scattered ? random.below(1000) < kept_of_1000
                                  : i * 1000 >= live.size() * (1000 - kept_of_1000)) {
                        rest.push_back(live[i]);
                    } else {
                        cells.deallocate(live[i].ref);
                    }
                }
                static_cast<void>(gather(cells, rest));
                static_cast<void>(gather(cells, rest));
                CHECK(cells.bytes() == source.bytes_held());
                std::size_t needed[sizes::class_count] = {}, fresh_blocks = 0, blocks = 0, bytes = 0;
                for (const live_cell& cell : rest) {
                    REQUIRE(fresh.allocate(cell.size_class));
                    needed[cell.size_class] += sizes::cell_bytes(cell.size_class);
                    bytes += sizes::cell_bytes(cell.size_class);
                }
                for (const std::size_t class_bytes : needed) {
                    fresh_blocks += (class_bytes + block - 1) / block;
                    blocks += class_bytes != 0 ? (class_bytes + block - 1) / block + 1 : 0;
                }
                CHECK(cells.used_bytes() == bytes);
                CHECK(fresh.used_bytes() == bytes);
                const std::size_t descriptors = fresh.bytes() - fresh_blocks * block;
                CHECK(cells.bytes() <= blocks * block + descriptors + 2 * 4096);
                CHECK(gather(cells, rest) * 100 <= rest.size()); // from numbers that became too high meanwhile
                CHECK(gather(cells, rest) == 0);
            }
        }
    }
}

TEST_CASE("a cell that is moved takes no memory while the blocks at hand have room") {
    test_source source;
    arena cells{source, any_node};
    std::vector<live_cell> live, rest;
    for (unsigned i = 0; i < 16 * 100; ++i) {
        live.push_back(make_cell(cells, 2, static_cast<unsigned char>(i)).value());
    }
    CHECK(gather(cells, live) == 0); // full blocks with low numbers
    for (std::size_t i = 0; i < live.size(); ++i) {
        if (i % 4 == 0) {
            rest.push_back(live[i]);
        } else {
            cells.deallocate(live[i].ref);
        }
    }
    source.refuse_all(true);
    CHECK(gather(cells, rest) > 0);
    CHECK(source.refusals() == 0);
    CHECK(cells.bytes() <= (25 + 1) * block + 4096);
    CHECK(gather(cells, rest) == 0);
}

TEST_CASE("a block with a number that is too high is left for a low one, and stays where that is refused") {
    test_source source;
    arena cells{source, any_node};
    std::vector<live_cell> low, high;
    for (std::uint32_t i = 0; i < 3 * first_limit; ++i) {
        low.push_back(make_cell(cells, 3, 0).value());
    }
    for (unsigned i = 0; i < 16; ++i) {
        high.push_back(make_cell(cells, 2, static_cast<unsigned char>(i)).value());
    }
    high.push_back(make_cell(cells, 1, 77).value()); // in a block that its class fills
    CHECK_FALSE(cells.misplaced(high[0].ref));
    for (const live_cell& cell : low) {
        cells.deallocate(cell.ref);
    }
    for (const live_cell& cell : high) {
        CHECK(cells.misplaced(cell.ref));
    }
    const std::size_t before = cells.bytes();
    for (const std::uint64_t refused : {1u, 2u}) { // the block, and the chunk of its descriptor
        source.refuse_nth(refused);
        CHECK(cells.relocate(high[0].ref).error() == status::no_memory);
        CHECK(cells.bytes() == before);
        CHECK(cells.check());
        check_content(cells, high[0]);
    }
    source.refuse_nth(0);
    // A new cell takes what is there, high or not; there it does not stay.
    source.refuse_all(true);
    high.push_back(make_cell(cells, 1, 78).value());
    source.refuse_all(false);
    CHECK(cells.misplaced(high.back().ref));
    CHECK(gather(cells, high) == high.size());
    CHECK(cells.bytes() == 2 * block + 4096);
    CHECK(gather(cells, high) == 0);
}

TEST_CASE("where a chunk of descriptors is refused a new block takes a high number rather than none") {
    test_source source;
    arena cells{source, any_node};
    std::vector<live_cell> live;
    for (std::uint32_t i = 0; i < 2 * first_limit; ++i) {
        live.push_back(make_cell(cells, 3, 0).value());
    }
    for (std::uint32_t i = 0; i < 2 * first_limit - 1; ++i) { // one is left, in the second chunk
        cells.deallocate(live[i].ref);
    }
    source.refuse_nth(2);
    CHECK(cells.allocate(2).has_value());
    CHECK(source.refusals() == 1);
    CHECK(cells.check());
}

TEST_CASE("any value may be asked whether it names a cell") {
    test_source source;
    arena cells{source, any_node};
    CHECK_FALSE(cells.contains(cell_ref{0}));
    std::vector<cell_ref> refs;
    for (unsigned i = 0; i < 40; ++i) {
        refs.push_back(cells.allocate(2).value());
    }
    std::set<cell_ref> live{refs.begin(), refs.end()};
    for (std::uint32_t value = 0; value < 4 * 8192; ++value) { // references of four blocks
        REQUIRE(cells.contains(cell_ref{value}) == (live.count(cell_ref{value}) != 0));
    }
    for (unsigned bit = 0; bit < 32; ++bit) {
        static_cast<void>(cells.contains(cell_ref{1u << bit}));
        CHECK_FALSE(cells.contains(cell_ref{~(1u << bit)}));
    }
    CHECK_FALSE(cells.contains(cell_ref{0xffffffffu}));
    for (const cell_ref ref : refs) {
        cells.deallocate(ref);
    }
    for (const cell_ref ref : refs) {
        CHECK_FALSE(cells.contains(ref)); // their blocks are gone
    }
}

TEST_CASE("random changes and walks under refusals agree with what the owner wrote") {
    test_source source;
    arena cells{source, any_node};
    std::vector<live_cell> live;
    rng random{9};
    std::size_t moved = 0;
    for (int round = 0; round < 150; ++round) {
        const unsigned kept = static_cast<unsigned>(random.below(100));
        for (int i = 0; i < 300; ++i) {
            source.refuse_nth(random.below(6));
            const unsigned size_class = random.one_in(4) ? 3 : static_cast<unsigned>(random.below(3));
            if (const auto cell = make_cell(cells, size_class, static_cast<unsigned char>(random())); cell) {
                live.push_back(*cell);
            }
        }
        source.refuse_nth(0);
        std::vector<live_cell> rest;
        for (const live_cell& cell : live) {
            if (random.below(100) < kept) {
                rest.push_back(cell);
            } else {
                check_content(cells, cell);
                cells.deallocate(cell.ref);
            }
        }
        live = rest;
        REQUIRE(cells.check());
        source.refuse_nth(random.below(4));
        moved += gather(cells, live);
        source.refuse_nth(0);
        REQUIRE(cells.bytes() == source.bytes_held());
    }
    CHECK(moved > 1000);
}

TEST_CASE("cells stay where they are while their class has no more free ones than a block") {
    test_source source;
    arena cells{source, any_node};
    std::vector<live_cell> live;
    for (unsigned i = 0; i < 16 * 10; ++i) {
        live.push_back(make_cell(cells, 2, static_cast<unsigned char>(i)).value());
    }
    for (unsigned i = 0; i < 8; ++i) { // two of each of eight blocks
        cells.deallocate(live[16 * i].ref);
        cells.deallocate(live[16 * i + 1].ref);
    }
    const auto misplaced = [&] {
        unsigned count = 0;
        for (unsigned i = 0; i < 16 * 10 - 1; ++i) {
            const bool is_live = i >= 16 * 8 || i % 16 >= 2;
            count += is_live && cells.misplaced(live[i].ref) ? 1 : 0;
        }
        return count;
    };
    CHECK(misplaced() == 0);
    cells.deallocate(live.back().ref);
    CHECK(misplaced() == 7 * 14 + 15); // all in blocks with room, but for the one that is filled
}

TEST_CASE("a block with a high number gives way to a low one that has room before one is taken from the source") {
    test_source source;
    arena cells{source, any_node};
    std::vector<live_cell> low, filler, high;
    for (unsigned i = 0; i < 16; ++i) {
        low.push_back(make_cell(cells, 2, static_cast<unsigned char>(i)).value());
    }
    for (std::uint32_t i = 0; i < 2 * first_limit; ++i) {
        filler.push_back(make_cell(cells, 3, 0).value());
    }
    for (unsigned i = 0; i < 8; ++i) {
        high.push_back(make_cell(cells, 2, static_cast<unsigned char>(i)).value());
    }
    for (const live_cell& cell : filler) {
        cells.deallocate(cell.ref);
    }
    cells.deallocate(low[5].ref);
    source.refuse_all(true);
    const cell_ref to = cells.relocate(high[0].ref).value();
    CHECK(to == low[5].ref);
    CHECK(cells.relocate(high[1].ref).error() == status::no_memory); // the low one is full again
    check_content(cells, high[1]);
    CHECK(cells.check());
}

} // namespace unit_ds_cell_arena
