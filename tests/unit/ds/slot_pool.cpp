// SPDX-License-Identifier: MIT
#include <pagefold/ds/slot_pool.hpp>

#include <support/rng.hpp>
#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

namespace pagefold::testing::unit_ds_slot_pool {
namespace {

struct element {
    std::uint32_t value; // 0: not live
    std::uint32_t link;
    std::uint32_t rest[6];

    bool live() const noexcept { return value != 0; }
    std::uint32_t& free_link() noexcept { return link; }
};
using pool = slot_pool<element, test_source>;
constexpr std::uint32_t chunk = 4096 / sizeof(element);

struct not_trivially_copyable : element {
    not_trivially_copyable(const not_trivially_copyable&);
};
struct without_live {
    std::uint32_t& free_link() noexcept;
};
struct narrow_link {
    bool live() const noexcept;
    std::uint16_t& free_link() noexcept;
};
static_assert(slot_pool_element<element>);
static_assert(!slot_pool_element<not_trivially_copyable>);
static_assert(!slot_pool_element<without_live>);
static_assert(!slot_pool_element<narrow_link>);

[[nodiscard]] std::uint32_t must_insert(pool& p, std::uint32_t value) {
    const result<std::uint32_t> id = p.insert();
    REQUIRE(id.has_value());
    const element& e = p[*id];
    CHECK(e.value == 0);
    CHECK(e.link == 0);
    CHECK(std::all_of(e.rest, e.rest + 6, [](std::uint32_t word) { return word == 0; }));
    p[*id] = {value, value, {value, value, value, value, value, value}};
    return *id;
}

TEST_CASE("a pool takes nothing before it is used, and nothing is in it") {
    test_source source;
    const pool p{source, any_node};
    CHECK(p.size() == 0);
    CHECK(p.bound() == 0);
    CHECK(p.bytes() == 0);
    CHECK_FALSE(p.contains(0));
    CHECK_FALSE(p.contains(~0u));
    CHECK(p.find(0) == nullptr);
    CHECK(p.next_live(0) == 0);
    CHECK(p.check());
    CHECK(source.acquisitions() == 0);
}

TEST_CASE("numbers are given lowest first and again after an erase") {
    test_source source;
    pool p{source, any_node};
    for (std::uint32_t i = 0; i < 3 * chunk; ++i) {
        REQUIRE(must_insert(p, i + 1) == i);
    }
    CHECK(p.bound() == 3 * chunk);
    p.erase(2 * chunk + 5);
    p.erase(chunk + 5);
    p.erase(5);
    CHECK(p.size() == 3 * chunk - 3);
    CHECK(p.check());
    CHECK(must_insert(p, 1) == 5);
    CHECK(must_insert(p, 1) == chunk + 5);
    CHECK(must_insert(p, 1) == 2 * chunk + 5);
    CHECK(must_insert(p, 1) == 3 * chunk);
    CHECK(p.check());
}

TEST_CASE("elements keep their place and contents") {
    test_source source;
    pool p{source, any_node};
    std::vector<const element*> places;
    for (std::uint32_t i = 0; i < 5 * chunk; ++i) {
        places.push_back(&p[must_insert(p, i + 1)]);
    }
    for (std::uint32_t i = 0; i < 5 * chunk; ++i) {
        REQUIRE(&p[i] == places[i]);
        REQUIRE(p[i].rest[5] == i + 1);
    }
}

TEST_CASE("a chunk goes back to its source with its last element, wherever it is, and comes again") {
    test_source source;
    pool p{source, any_node};
    for (std::uint32_t i = 0; i < 3 * chunk; ++i) {
        static_cast<void>(must_insert(p, 1));
    }
    const std::size_t full = p.bytes();
    for (std::uint32_t i = chunk; i < 2 * chunk; ++i) {
        p.erase(i);
    }
    CHECK(p.bytes() == full - chunk * sizeof(element));
    CHECK(p.bytes() == source.bytes_held());
    CHECK_FALSE(p.contains(chunk + 1));
    CHECK(p.next_live(chunk) == 2 * chunk);
    CHECK(p.check());
    CHECK(must_insert(p, 1) == chunk);
    CHECK(p.bytes() == full);
    for (std::uint32_t i = 0; i < 3 * chunk; ++i) {
        if (p.contains(i)) {
            p.erase(i);
        }
    }
    CHECK(p.size() == 0);
    CHECK(p.bytes() == 0);
    CHECK(p.check());
}

TEST_CASE("any number may be prefetched, and nothing comes of it that can be seen") {
    test_source source;
    pool p{source, any_node};
    p.prefetch(0);
    const std::uint32_t id = must_insert(p, 5);
    for (const std::uint32_t any : {id, id + 1, chunk, 2 * chunk + 1, 0xffffffffu}) {
        p.prefetch(any);
    }
    CHECK(p[id].value == 5);
    CHECK(p.size() == 1);
    CHECK(p.check());
}

TEST_CASE("next_live visits the live numbers in order") {
    test_source source;
    pool p{source, any_node};
    for (std::uint32_t i = 0; i < 4 * chunk; ++i) {
        static_cast<void>(must_insert(p, 1));
    }
    std::vector<std::uint32_t> expected;
    for (std::uint32_t i = 0; i < 4 * chunk; ++i) {
        if (i % 7 == 3 && i / chunk != 2) {
            expected.push_back(i);
        } else {
            p.erase(i);
        }
    }
    std::vector<std::uint32_t> seen;
    for (std::uint32_t i = p.next_live(0); i != p.bound(); i = p.next_live(i + 1)) {
        seen.push_back(i);
    }
    CHECK(seen == expected);
}

TEST_CASE("a refused insertion leaves the pool as it was") {
    for (std::uint64_t refused = 1; refused <= 16; ++refused) {
        CAPTURE(refused);
        test_source source;
        pool p{source, any_node};
        source.refuse_nth(refused, status::limit);
        std::uint32_t inserted = 0;
        for (std::uint32_t i = 0; i < 12 * chunk; ++i) {
            const std::uint64_t before = source.refusals();
            const result<std::uint32_t> id = p.insert();
            if (!id) {
                CHECK(id.error() == status::limit);
                CHECK(source.refusals() == before + 1);
                CHECK(p.size() == inserted);
                CHECK(p.check());
                CHECK(p.bytes() == source.bytes_held());
                continue;
            }
            p[*id].value = 1;
            ++inserted;
        }
        CHECK(p.size() == inserted);
        CHECK(p.check());
        CHECK(source.refusals() == (refused <= 13 ? 1 : 0)); // twelve chunks and their directory
    }
}

TEST_CASE("the pool agrees with a map through random insertions and erasures") {
    test_source source;
    {
        pool p{source, any_node};
        std::map<std::uint32_t, std::uint32_t> model;
        rng random{1};
        for (unsigned round = 0; round < 12; ++round) {
            for (unsigned i = 0; i < 1500; ++i) {
                if (model.empty() || random.below(100) < (round % 4 < 2 ? 75u : 20u)) {
                    const std::uint32_t value = 1 + static_cast<std::uint32_t>(random.below(1000000));
                    const std::uint32_t id = must_insert(p, value);
                    REQUIRE(model.emplace(id, value).second);
                } else {
                    auto at = model.lower_bound(static_cast<std::uint32_t>(random.below(p.bound())));
                    at = at == model.end() ? model.begin() : at;
                    REQUIRE(p[at->first].value == at->second);
                    p.erase(at->first);
                    REQUIRE_FALSE(p.contains(at->first));
                    model.erase(at);
                }
            }
            CHECK(p.check());
            CHECK(p.size() == model.size());
            CHECK(p.bytes() == source.bytes_held());
            for (const auto& [id, value] : model) {
                REQUIRE(p.contains(id));
                REQUIRE(p.find(id) == &p[id]);
                REQUIRE(p[id].value == value);
            }
        }
    }
    CHECK(source.bytes_held() == 0);
}

struct meter {
    static inline unsigned steps = 0;
    static void step() noexcept { ++steps; }
};

TEST_CASE("no insert and no erase looks at more than a few words, however many chunks there are") {
    test_source source;
    slot_pool<element, test_source, meter> p{source, any_node};
    constexpr std::uint32_t chunks = 12000;
    unsigned most = 0;
    const auto insert = [&] {
        meter::steps = 0;
        const std::uint32_t id = p.insert().value();
        p[id].value = 1;
        most = meter::steps > most ? meter::steps : most;
        return id;
    };
    const auto erase = [&](std::uint32_t id) {
        meter::steps = 0;
        p.erase(id);
        most = meter::steps > most ? meter::steps : most;
    };
    for (std::uint32_t i = 0; i < chunks * chunk; ++i) {
        static_cast<void>(insert());
    }
    erase(3 * chunk + 1);
    CHECK(insert() == 3 * chunk + 1);
    CHECK(insert() == chunks * chunk); // every chunk is full again
    for (std::uint32_t i = 0; i < chunk; ++i) {
        erase(5 * chunk + i);
    }
    erase(chunks * chunk); // the last chunk goes
    CHECK(insert() == 5 * chunk);
    for (std::uint32_t i = 1; i < chunk; ++i) {
        static_cast<void>(insert());
    }
    CHECK(insert() == chunks * chunk);
    CHECK(most <= 12);
    // The one erase that looks at more: that of the last element behind many absent chunks.
    for (std::uint32_t i = chunk; i < chunks * chunk; ++i) {
        erase(i);
    }
    CHECK(most <= 12);
    CHECK(p.bound() == (chunks + 1) * chunk);
    erase(chunks * chunk);
    CHECK(most <= 12 + 2 * (chunks / 64 + 2));
    CHECK(p.bound() == chunk);
    CHECK(p.check());
}

TEST_CASE("the bound falls with the last chunks, and the tables go with it") {
    test_source source;
    pool p{source, any_node};
    constexpr std::uint32_t chunks = 3000;
    for (std::uint32_t i = 0; i < chunks * chunk; ++i) {
        static_cast<void>(must_insert(p, 1));
    }
    for (std::uint32_t id = chunks * chunk; id-- > chunk;) {
        p.erase(id);
        REQUIRE(p.bound() == (id == chunk ? 1 : (id - 1) / chunk + 1) * chunk);
    }
    CHECK(p.bytes() == 4096); // one chunk, as that of a new pool with so many elements
    CHECK(p.bytes() == source.bytes_held());
    CHECK(p.check());
}

TEST_CASE("chunks that come and go at the edge of a table leave the table where it is") {
    test_source source;
    pool p{source, any_node};
    for (const std::uint32_t edge :
         {8u, 256u, 448u, 512u}) { // chunks in the directory and a leaf, words in the directory
        CAPTURE(edge);
        while (p.bound() <= edge * chunk) {
            static_cast<void>(must_insert(p, 1));
        }
        const std::uint64_t before = source.acquisitions();
        for (int i = 0; i < 10; ++i) {
            p.erase(p.last_live());
            CHECK(p.bound() == edge * chunk);
            CHECK(must_insert(p, 1) == edge * chunk);
        }
        CHECK(source.acquisitions() == before + 10); // the chunk alone
    }
}

TEST_CASE("insert_lowest takes a missing chunk before a later one with room") {
    test_source source;
    pool p{source, any_node};
    for (std::uint32_t i = 0; i < 4 * chunk; ++i) {
        static_cast<void>(must_insert(p, 1));
    }
    for (std::uint32_t i = chunk; i < 2 * chunk; ++i) {
        p.erase(i);
    }
    p.erase(3 * chunk + 7);
    CHECK(must_insert(p, 1) == 3 * chunk + 7);
    p.erase(3 * chunk + 7);
    source.refuse_all(true);
    CHECK(p.insert_lowest().error() == status::no_memory);
    CHECK(p.check());
    source.refuse_all(false);
    const std::uint32_t id = p.insert_lowest().value();
    CHECK(id == chunk);
    p[id].value = 1;
    CHECK(must_insert(p, 1) == chunk + 1);
    CHECK(p.insert_lowest().value() == chunk + 2);
}

TEST_CASE("the last live number is found, and that of an empty pool is its bound") {
    test_source source;
    pool p{source, any_node};
    CHECK(p.last_live() == p.bound());
    for (std::uint32_t i = 0; i < 3 * chunk; ++i) {
        REQUIRE(must_insert(p, 1) == i);
        REQUIRE(p.last_live() == i);
    }
    p.erase(5); // not the last
    CHECK(p.last_live() == 3 * chunk - 1);
    for (std::uint32_t id = 3 * chunk; id-- > 6;) {
        p.erase(id);
        REQUIRE(p.last_live() == (id == 6 ? 4 : id - 1));
    }
}

/// Moves the last elements down as the pool's owner does; the moves that it took.
unsigned gather(pool& p, std::map<std::uint32_t, std::uint32_t>& model) {
    unsigned moves = 0;
    while (p.is_sparse()) {
        const std::uint32_t from = p.last_live();
        REQUIRE(from == model.rbegin()->first);
        const result<std::uint32_t> to = p.insert_lower();
        if (!to) {
            break;
        }
        REQUIRE(*to / chunk < from / chunk);
        p[*to] = p[from];
        p.erase(from);
        REQUIRE(model.emplace(*to, model.rbegin()->second).second);
        model.erase(from);
        ++moves;
    }
    REQUIRE(p.check());
    for (const auto& [id, value] : model) {
        REQUIRE(p[id].value == value);
    }
    return moves;
}

TEST_CASE("a pool whose owner moves the last elements down is no greater than a new one, whatever it held before") {
    for (std::uint64_t seed = 1; seed <= 2; ++seed) {
        for (const std::uint32_t kept_of_1000 : {1u, 10u, 300u, 900u}) {
            CAPTURE(seed);
            CAPTURE(kept_of_1000);
            test_source source, fresh_source;
            pool p{source, any_node}, fresh{fresh_source, any_node};
            std::map<std::uint32_t, std::uint32_t> model;
            rng random{seed};
            for (std::uint32_t i = 0; i < 700 * chunk; ++i) {
                model.emplace(must_insert(p, i + 1), i + 1);
            }
            for (auto at = model.begin(); at != model.end();) {
                // Some whole chunks stay, at the end above all, so that there are absent ones below full ones.
                const bool stays = seed % 2 == 0 ? random.below(1000) < kept_of_1000
                                                 : at->first >= (1000 - kept_of_1000) * 700 / 1000 * chunk;
                if (stays) {
                    ++at;
                } else {
                    p.erase(at->first);
                    at = model.erase(at);
                }
            }
            gather(p, model);
            for (std::size_t i = 0; i < model.size(); ++i) {
                static_cast<void>(must_insert(fresh, 1));
            }
            CHECK(p.bytes() <= fresh.bytes() + 2 * 4096 + 2 * 4096); // two chunks, and a table that the gap still needs
            CHECK(p.bound() <= fresh.bound() * 5 / 4 + 11 * chunk);
            CHECK(p.bytes() == source.bytes_held());
        }
    }
}

TEST_CASE("a pool that is refused memory while it is gathered stays whole, and goes on later") {
    test_source source;
    pool p{source, any_node};
    std::map<std::uint32_t, std::uint32_t> model;
    for (std::uint32_t i = 0; i < 40 * chunk; ++i) {
        model.emplace(must_insert(p, i + 1), i + 1);
    }
    for (std::uint32_t id = 0; id < 35 * chunk; ++id) { // the last five stay, and all of them are full
        p.erase(id);
        model.erase(id);
    }
    source.refuse_all(true);
    CHECK(gather(p, model) == 0);
    CHECK(p.is_sparse());
    source.refuse_all(false);
    CHECK(gather(p, model) > 0);
    CHECK(p.bound() == 5 * chunk);
    source.refuse_all(true);
    for (std::uint32_t id = 0; id < 5 * chunk; id += 2) {
        p.erase(id);
        model.erase(id);
    }
    CHECK(gather(p, model) > 0); // elements at hand need no memory
    CHECK_FALSE(p.is_sparse());
}

TEST_CASE("check finds a count that is wrong and a list that is damaged") {
    test_source source;
    pool p{source, any_node};
    for (std::uint32_t i = 0; i < 10; ++i) {
        static_cast<void>(must_insert(p, 1));
    }
    p.erase(4);
    p.erase(6);
    REQUIRE(p.check());
    const element saved = p[4];
    p[4].value = 1; // live, but in the free list
    CHECK_FALSE(p.check());
    p[4] = saved;
    CHECK(p.check());
    p[6].link = 7; // to itself
    CHECK_FALSE(p.check());
    p[6].link = 5;
    CHECK(p.check());
    p[0].value = 0; // neither live nor free
    CHECK_FALSE(p.check());
    p[0].value = 1;
    CHECK(p.check());
}

TEST_CASE("elements that don't divide a page come in chunks of several with little left over") {
    struct odd {
        std::uint32_t value;
        std::uint32_t link;
        std::uint32_t rest[8]; // 40 bytes

        bool live() const noexcept { return value != 0; }
        std::uint32_t& free_link() noexcept { return link; }
    };
    test_source source;
    slot_pool<odd, test_source> p{source, any_node};
    std::uint32_t count = 0;
    while (p.bytes() == 0 || count < p.bound()) {
        const result<std::uint32_t> id = p.insert();
        REQUIRE(id.has_value());
        p[*id].value = 1;
        ++count;
    }
    CHECK(p.bytes() - count * sizeof(odd) <= p.bytes() / 8);
    CHECK(p.check());
}

TEST_CASE("greater pages hold greater chunks") {
    test_source source{65536};
    pool p{source, any_node};
    const std::uint32_t in_chunk = 65536 / sizeof(element);
    for (std::uint32_t i = 0; i < in_chunk; ++i) {
        REQUIRE(must_insert(p, 1) == i);
    }
    CHECK(p.bytes() == 65536);
    CHECK(must_insert(p, 1) == in_chunk);
    CHECK(p.bytes() == 2 * 65536);
    CHECK(p.check());
}

} // namespace
} // namespace pagefold::testing::unit_ds_slot_pool
