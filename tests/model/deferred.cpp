// SPDX-License-Identifier: MIT
//
// A queue of puts against a map: whatever is done, worked off, refused or comes in between a worker's put, what is read is what
// was put last.
#include "support/deferred_fixture.hpp"
#include "support/environment.hpp"
#include "support/rng.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <tuple>
#include <vector>

namespace pagefold::testing::model_deferred {
namespace {

using fixture = deferred_fixture<>;

struct model {
    model(std::size_t pages, std::size_t shards, std::uint64_t seed, std::size_t limit)
        : f{pages, {.limit_bytes = limit}, shards}, random{seed} {
        for (int i = 0; i < 3; ++i) {
            pools.push_back(f.make_pool({.kind = i == 1 ? pool_kind::ephemeral : pool_kind::persistent}));
        }
    }
    using name = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>;
    [[nodiscard]] static name of(const page_key& k) { return {static_cast<std::uint64_t>(k.pool), k.object, k.index}; }
    [[nodiscard]] static bool may_go(const page_key& k) { return pool_ids::kind(k.pool) == pool_kind::ephemeral; }

    /// In the midst of a put by the same thread, which has the only scratch.
    [[nodiscard]] static bool is_refused_within(status s) {
        return interrupted_compressor::is_within && s == status::busy;
    }

    page_key any_key() { return {pools[random.below(pools.size())], random.below(2), random.below(12)}; }

    void put(const page_key& k) {
        const std::uint64_t seed = ++next;
        const status s = f.put(k, seed);
        if (s == status::ok) {
            content[of(k)] = seed;
        } else if (!is_refused_within(s)) {
            CHECK_UNARY(s == status::limit || s == status::no_memory);
            content.erase(of(k));
            ++refused;
        }
    }
    /// A page of an ephemeral pool may be gone; no other, and never another content.
    void expect(const page_key& k, status s, bool is_taken) {
        const auto found = content.find(of(k));
        if (s == status::ok) {
            const bool is_right = found != content.end() && f.got(found->second);
            CHECK_UNARY(is_right);
            if (is_taken) {
                content.erase(of(k));
            }
        } else if (!is_refused_within(s)) {
            CHECK_UNARY(s == status::not_found);
            const bool may_lack = found == content.end() || may_go(k);
            CHECK_UNARY(may_lack);
            content.erase(of(k));
        }
    }
    void range(const page_key& k) {
        const std::uint64_t first = random.below(12), count = random.below(14);
        std::size_t least = 0, most = 0;
        for (std::uint64_t i = first; i < first + count; ++i) {
            if (content.erase({static_cast<std::uint64_t>(k.pool), k.object, i}) != 0) {
                ++most;
                least += may_go(k) ? 0u : 1u;
            }
        }
        const result<std::size_t> erased = f.queue.erase_range(k.pool, k.object, first, count);
        REQUIRE_UNARY(static_cast<bool>(erased));
        CHECK_UNARY(*erased >= least);
        CHECK_UNARY(*erased <= most);
    }
    void walk() {
        const pool_id pool = pools[random.below(pools.size())];
        deferred_cursor cursor;
        cursor.pages.pool = pool;
        std::set<std::pair<std::uint64_t, std::uint64_t>> seen;
        walked_page few[5];
        while (!cursor.has_ended()) {
            const result<std::size_t> listed = f.queue.walk(cursor, few, 1 + random.below(5));
            REQUIRE_UNARY(static_cast<bool>(listed));
            for (std::size_t i = 0; i < *listed; ++i) {
                CHECK_UNARY(content.contains({static_cast<std::uint64_t>(pool), few[i].object, few[i].index}));
                seen.emplace(few[i].object, few[i].index);
            }
        }
        for (const auto& [key, seed] : content) {
            if (std::get<0>(key) == static_cast<std::uint64_t>(pool) && !may_go({pool, 0, 0})) {
                CHECK_UNARY(seen.contains({std::get<1>(key), std::get<2>(key)}));
            }
        }
    }
    void renew_pool() {
        const std::size_t i = random.below(pools.size());
        const pool_id gone = pools[i];
        CHECK_UNARY(f.queue.destroy_pool(gone) == status::ok);
        CHECK_UNARY(f.put({gone, 0, 0}, 1) == status::invalid);
        CHECK_UNARY(f.get({gone, 0, 0}) == status::invalid);
        CHECK_UNARY(f.queue.erase({gone, 0, 0}) == status::invalid);
        std::erase_if(content,
                      [&](const auto& one) { return std::get<0>(one.first) == static_cast<std::uint64_t>(gone); });
        pools[i] = pool_id{};
        const result<pool_id> made =
            f.queue.create_pool({.kind = i == 1 ? pool_kind::ephemeral : pool_kind::persistent});
        if (made) {
            pools[i] = *made;
        } else {
            pools.erase(pools.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }

    void step(bool is_within) {
        const page_key k = any_key();
        switch (random.below(is_within ? 9 : 16)) {
        case 0:
        case 1:
        case 2:
        case 3: put(k); break;
        case 4: expect(k, f.get(k), false); break;
        case 5: expect(k, f.take(k), true); break;
        case 6: {
            const bool was_there = content.erase(of(k)) != 0;
            const status s = f.queue.erase(k);
            const bool is_right =
                s == (was_there ? status::ok : status::not_found) || (may_go(k) && s == status::not_found);
            CHECK_UNARY(is_right);
            break;
        }
        case 7: range(k); break;
        case 8: {
            const status s = f.queue.contains(k);
            const bool is_right = s == (content.contains(of(k)) ? status::ok : status::not_found) ||
                                  (may_go(k) && s == status::not_found);
            CHECK_UNARY(is_right);
            break;
        }
        case 9:
        case 10:
        case 11: f.queue.work(1 + random.below(4)); break;
        case 12: f.source.refuse_nth(random.below(4)); break;
        case 13: walk(); break;
        case 14:
            switch (random.below(6)) {
            case 0: static_cast<void>(f.queue.flush()); break;
            case 1: static_cast<void>(f.queue.trim()); break;
            case 2: static_cast<void>(f.queue.flush(k.pool)); break;
            case 3: static_cast<void>(f.queue.shrink(random.below(1u << 16))); break;
            case 4: CHECK_UNARY(f.queue.set_direct(k.pool, random.one_in(2)) == status::ok); break;
            default:
                if (random.one_in(4) && pools.size() == 3) {
                    renew_pool();
                }
                break;
            }
            break;
        default: f.queue.work(1); break;
        }
    }

    fixture f;
    rng random;
    std::vector<pool_id> pools;
    std::map<name, std::uint64_t> content;
    std::uint64_t next = 0, refused = 0;
};

void run(std::size_t pages, std::size_t shards, std::size_t limit) {
    CAPTURE(pages);
    CAPTURE(limit);
    std::uint64_t deferred = 0, superseded = 0, within = 0;
    for (std::uint64_t seed = 0; seed < in_part(6u); ++seed) {
        CAPTURE(seed);
        model m{pages, shards, seed, limit};
        const interrupted_compressor::scope interrupt{[&] {
            if (m.random.one_in(3)) {
                ++within;
                m.step(true);
            }
        }};
        for (unsigned i = 0; i < 1200; ++i) {
            m.step(false);
            if (i % 8 == 0) {
                REQUIRE_UNARY(m.f.queue.check());
                REQUIRE_UNARY(m.f.store.stats().total_bytes == m.f.source.bytes_held());
                REQUIRE_UNARY(m.f.source.bytes_held() <= limit);
            }
        }
        m.f.source.refuse_nth(0);
        for (const pool_id pool : m.pools) {
            for (std::uint64_t i = 0; i < 24; ++i) {
                const page_key k{pool, i / 12, i % 12};
                m.expect(k, m.f.get(k), false);
            }
        }
        deferred += m.f.queue.stats().deferred_puts;
        superseded += m.f.queue.stats().superseded_pages;
    }
    CHECK((deferred != 0) == (pages != 0));
    CHECK((superseded != 0) == (pages != 0));
    CHECK(within > 50);
}

TEST_CASE("deferred: what is read is what was put last, whoever comes in between, from whatever source") {
    run(0, 0, ~std::size_t{0});
    run(1, 0, ~std::size_t{0});
    run(3, 2, ~std::size_t{0});
    run(16, 4, ~std::size_t{0});
    run(80, 0, ~std::size_t{0});
}

TEST_CASE("deferred: and in a store that is full") {
    run(1, 0, 200'000);
    run(8, 2, 200'000);
    run(24, 0, 260'000);
}

} // namespace
} // namespace pagefold::testing::model_deferred
