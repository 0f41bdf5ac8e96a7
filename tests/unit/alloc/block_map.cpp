// SPDX-License-Identifier: MIT
#include <pagefold/alloc/block_map.hpp>

#include <support/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

namespace pagefold::testing::unit_alloc_block_map {
namespace {

using map = block_map<384>;

struct block {
    unsigned start;
    unsigned size;
    bool free;
    friend bool operator==(const block&, const block&) = default;
};

[[nodiscard]] std::vector<block> blocks_of(const map& m, unsigned end) {
    std::vector<block> all;
    m.for_each_free([&](unsigned start, unsigned size) { all.push_back({start, size, true}); });
    m.for_each_used(end, [&](unsigned start, unsigned size) {
        all.push_back({start, size, false});
        return true;
    });
    std::sort(all.begin(), all.end(), [](const block& a, const block& b) { return a.start < b.start; });
    return all;
}

TEST_CASE("a block is cut from the start of a free one, and never leaves one granule") {
    map m;
    m.reset(384);
    CHECK(m.take(0, 384, 10) == 10);
    CHECK(m.end_of_used(0) == 10);
    CHECK(m.starts_free(10));
    CHECK(m.take(10, 374, 373) == 374);
    CHECK(m.end_of_used(10) == 384);
    CHECK(m.check(384));
}

TEST_CASE("a freed block becomes one with free neighbours on either side and on both") {
    map m;
    m.reset(128);
    for (unsigned start = 0; start < 128; start += 32) {
        REQUIRE(m.take(start, 128 - start, 32) == 32);
    }
    const auto first = m.give_back(0, 32, 128);
    CHECK((first.start == 0 && first.stop == 32));
    const auto third = m.give_back(64, 96, 128);
    CHECK((third.start == 64 && third.stop == 96));
    const auto last = m.give_back(96, 128, 128); // one before it
    CHECK((last.start == 64 && last.stop == 128));
    const auto second = m.give_back(32, 64, 128); // on both sides
    CHECK((second.start == 0 && second.stop == 128));
    CHECK(m.check(128));
}

TEST_CASE("only the start of a used block has an end") {
    map m;
    m.reset(256);
    REQUIRE(m.take(0, 256, 2) == 2);
    REQUIRE(m.take(2, 254, 2) == 2);
    REQUIRE(m.take(4, 252, 200) == 200);
    static_cast<void>(m.give_back(2, 4, 256)); // free, of two granules: three bits in a row
    for (unsigned at = 0; at < 256; ++at) {
        CAPTURE(at);
        CHECK(m.end_of_used(at) == (at == 0 ? 2u : at == 4 ? 204u : 0u));
    }
}

TEST_CASE("a map agrees with a list of blocks") {
    for (const unsigned end : {128u, 256u, 384u}) {
        CAPTURE(end);
        rng random{end};
        map m;
        m.reset(end);
        std::vector<block> model{{0, end, true}};
        for (unsigned i = 0; i < 6000; ++i) {
            const std::size_t at = random.below(model.size());
            block& b = model[at];
            const unsigned ends[] = {b.start, b.start + b.size}; // of a block, now or before
            const bool filling = i / 200 % 2 == 0;
            if (b.free) {
                const unsigned most = random.one_in(8) ? b.size : std::min(b.size, filling ? 4u : 40u);
                const unsigned size = 2 + static_cast<unsigned>(random.below(most - 1));
                const unsigned taken = m.take(b.start, b.size, size);
                REQUIRE(taken == (b.size - size < 2 ? b.size : size));
                const block rest{b.start + taken, b.size - taken, true};
                b = {b.start, taken, false};
                if (rest.size != 0) {
                    model.insert(model.begin() + static_cast<std::ptrdiff_t>(at) + 1, rest);
                }
            } else if (!filling || random.one_in(2)) {
                REQUIRE(m.end_of_used(b.start) == b.start + b.size);
                const auto merged = m.give_back(b.start, b.start + b.size, end);
                b.free = true;
                const auto here = model.begin() + static_cast<std::ptrdiff_t>(at);
                if (here + 1 != model.end() && (here + 1)->free) {
                    here->size += (here + 1)->size;
                    model.erase(here + 1);
                }
                block expected = *here;
                if (here != model.begin() && (here - 1)->free) {
                    (here - 1)->size += here->size;
                    expected = *(here - 1);
                    model.erase(here);
                }
                REQUIRE((merged.start == expected.start && merged.stop == expected.start + expected.size));
            }
            REQUIRE(m.check(end));
            REQUIRE(blocks_of(m, end) == model);
            for (const unsigned from : ends) {
                const auto found = std::find_if(model.begin(), model.end(),
                                                [from](const block& one) { return !one.free && one.start >= from; });
                const auto used = m.next_used(from, end);
                REQUIRE(used.start == (found != model.end() ? found->start : end));
                REQUIRE(used.stop == (found != model.end() ? found->start + found->size : end));
            }
        }
    }
}

} // namespace
} // namespace pagefold::testing::unit_alloc_block_map
