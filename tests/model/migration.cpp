// SPDX-License-Identifier: MIT

// Migrations with random operations between their bounded steps, over a sink that refuses, against a map of what must be in the
// pools: a pool and a clone with its parent. At a random step some are cancelled: then the origin goes on as the map says.

#include "support/environment.hpp"
#include "support/image_streams.hpp"
#include "support/rng.hpp"
#include "support/store_configs.hpp"
#include "support/store_fixture.hpp"

#include <pagefold/store/migration_stream.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

namespace model_migration {

namespace {

using namespace pagefold;
using namespace pagefold::testing;
using bytes = std::vector<std::byte>;
using store_type = partitioned_store<migrating_config>;
using key = std::tuple<unsigned, std::uint64_t, std::uint64_t>; // pool, object, index

constexpr unsigned pools = 3; // a parent, its child, another

bytes content(std::uint64_t seed) {
    bytes page = page_of(4096, static_cast<page_kind>(seed / 2 % page_kinds), seed / 2);
    if (seed % 2 == 1) {
        page[1000] ^= std::byte{1};
    }
    return page;
}

struct origin_model {
    explicit origin_model(std::uint64_t seed) : random{seed} {
        ids[0] = f.make_pool();
        for (unsigned i = 0; i < 60; ++i) {
            put(0);
        }
        REQUIRE(f.store.seal(ids[0]) == status::ok);
        ids[1] = f.make_pool({.parent = ids[0]});
        ids[2] = f.make_pool();
        for (unsigned i = 0; i < 100; ++i) {
            put(1 + i % 2);
        }
    }
    page_key at(const key& k) { return {ids[std::get<0>(k)], std::get<1>(k), std::get<2>(k)}; }
    key any(unsigned pool) { return {pool, random.below(3), random.below(80)}; }
    void put(unsigned pool) {
        const key k = any(pool);
        const std::uint64_t seed = random.below(80);
        REQUIRE(f.store.put(at(k), content(seed)) == status::ok);
        pages[k] = seed;
    }
    void use() {
        const unsigned pool = 1 + static_cast<unsigned>(random.below(2));
        const key k = any(pool);
        const std::uint64_t how = random.below(10);
        if (how == 0) {
            const std::uint64_t first = std::get<2>(k), object = std::get<1>(k);
            REQUIRE(f.store.erase_range(ids[pool], object, first, 10));
            for (std::uint64_t i = first; i < first + 10; ++i) {
                pages.erase({pool, object, i});
            }
        } else if (how < 3) {
            const status s = how == 1 ? f.store.erase(at(k)) : f.take(at(k));
            REQUIRE(s == (pages.erase(k) != 0 ? status::ok : status::not_found));
        } else {
            put(pool);
        }
    }
    template <class Store>
    void check(Store& store, const pool_id* in) {
        bytes page(4096);
        std::uint64_t stored = 0;
        for (unsigned p = 0; p < pools; ++p) {
            stored += store.statistics_of(in[p]).value().stored_pages;
        }
        REQUIRE(stored == pages.size());
        for (const auto& [k, seed] : pages) {
            REQUIRE(store.peek({in[std::get<0>(k)], std::get<1>(k), std::get<2>(k)}, page) == status::ok);
            REQUIRE(page == content(seed));
        }
        REQUIRE(store.check());
    }

    rng random;
    store_fixture<store_type> f{{.partitions = 3}};
    pool_id ids[pools]{};
    std::map<key, std::uint64_t> pages;
};

} // namespace

TEST_CASE("migration model: random operations between steps, cancelled or not") {
    const std::uint64_t rounds = in_part(std::uint64_t{300});
    for (std::uint64_t n = 0; n < rounds; ++n) {
        CAPTURE(n);
        origin_model m{n + 1};
        rng& random = m.random;
        const std::size_t words = std::size_t{1} << random.below(8);
        std::vector<atomic<std::uint32_t>> now(words);
        std::vector<std::uint32_t> taken(words), marks(words);
        change_log log{now.data(), words};
        kept_image sink;
        bytes buffer(least_image_buffer(4096) + random.below(40000));
        std::vector<image_pool> list;
        for (unsigned p = 0; p < pools; ++p) {
            list.push_back({m.ids[p], p});
        }
        std::uint64_t left = random.one_in(3) ? random.below(60) : ~std::uint64_t{0}; // steps before it is cancelled
        bool has_ended = false;
        {
            migration_origin origin{m.f.store, sink, buffer, list.data(), pools, log, taken.data(), {.id = random()}};
            REQUIRE(origin.start() == status::ok);
            bool is_frozen = false;
            while (left-- != 0 && !has_ended) {
                const std::size_t before = static_cast<std::size_t>(origin.bytes_sent());
                if (random.one_in(5)) {
                    sink.refuse_beyond(before + random.below(6000), status::busy);
                }
                const status s = origin.step();
                REQUIRE((s == status::ok || s == status::busy || s == status::unavailable));
                sink.bytes.resize(static_cast<std::size_t>(origin.bytes_sent()));
                if (!is_frozen) {
                    for (std::uint64_t ops = random.below(6); ops != 0; --ops) {
                        m.use();
                    }
                } else {
                    REQUIRE(m.f.store.put({m.ids[2], 0, 0}, content(1)) == status::busy);
                    REQUIRE(m.f.store.erase({m.ids[1], 0, 0}) == status::busy);
                }
                if (s == status::ok && is_frozen) {
                    has_ended = origin.finish() == status::ok;
                    sink.bytes.resize(static_cast<std::size_t>(origin.bytes_sent()));
                } else if (s == status::ok) {
                    if (random.one_in(3)) {
                        REQUIRE(origin.freeze() == status::ok);
                        is_frozen = true;
                    }
                    REQUIRE(origin.next_round() == status::ok);
                }
            }
        }
        m.check(m.f.store, m.ids);
        store_fixture<store_type> g{{.partitions = 1 + random.below(4), .seed = n + 5}};
        image_bytes source{sink.bytes, random.one_in(2) ? 1 + random.below(500) : ~std::size_t{0}};
        pool_id ids[pools]{};
        restored_pools into{g.store, ids, pools};
        bytes room(buffer.size());
        image_reader reader{
            g.store, source, into, room, {.verifies = n % 2 == 0, .marks = marks.data(), .mark_words = words}};
        status s;
        do {
            if (random.one_in(20)) {
                g.source.refuse_nth(1 + random.below(2));
            }
            source.refusals = random.one_in(8) ? 1 : 0;
            s = reader.step();
        } while (s == status::busy || s == status::unavailable || s == status::no_memory);
        g.source.refuse_nth(0);
        if (has_ended) {
            REQUIRE(s == status::ok);
            m.check(g.store, ids);
        } else {
            REQUIRE(s == status::corrupt);
            REQUIRE(reader.is_cut());
            into.drop_all();
            REQUIRE(g.store.stats().stored_pages == 0);
        }
        m.use();
        m.check(m.f.store, m.ids);
    }
}

} // namespace model_migration
