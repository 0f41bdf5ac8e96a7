// SPDX-License-Identifier: MIT
#include <pagefold/store/demotion.hpp>

#include "support/environment.hpp"
#include "support/rng.hpp"
#include "support/store_fixture.hpp"
#include "support/test_tier.hpp"

#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/fifo.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/evict/s3_fifo.hpp>
#include <pagefold/evict/sieve.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/index/extent.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <thread>
#include <vector>

namespace pagefold::testing::unit_store_demotion {
namespace {

template <class Eviction = default_config::eviction_type>
struct tiered_config : default_config {
    using eviction_type = Eviction;
    using tier_type = test_tier;
};
template <class Eviction = default_config::eviction_type>
using tiered_store = page_store<tiered_config<Eviction>>;

constexpr pool_options demoting{.on_pressure = pressure_action::demote};

/// A store with a tier of so many copies.
template <class Eviction = default_config::eviction_type>
struct fixture {
    explicit fixture(std::size_t limit, std::size_t copies = ~std::size_t{0}, store_options options = {})
        : memory{copies}, f{[&] {
                                options.limit_bytes = limit;
                                return options;
                            }(),
                            default_config::compressor_type{}, default_config::admission_type{}, Eviction{},
                            test_tier{memory}} {}
    store_stats stats() const { return f.store.stats(); }

    test_tier_memory memory;
    store_fixture<tiered_store<Eviction>> f;
};
constexpr std::size_t limit = 512 * 1024;

TEST_CASE_TEMPLATE("demotion: a full store's pages go to the tier, all are found, and none is refused", Eviction,
                   default_config::eviction_type, pagefold::clock, fifo, lru, sieve, s3_fifo) {
    fixture<Eviction> x{limit};
    const pool_id pool = x.f.make_pool(demoting);
    constexpr std::uint64_t pages = 1200;
    for (std::uint64_t i = 0; i < pages; ++i) {
        REQUIRE(x.f.put({pool, 1, i}, i) == status::ok);
    }
    CHECK(x.f.store.check());
    const store_stats s = x.stats();
    CHECK(s.stored_pages + s.away_pages == pages);
    CHECK(s.away_pages > pages / 4);
    CHECK(s.away_pages == x.memory.copies());
    CHECK(s.total_bytes <= limit);
    CHECK(s.written_back_pages == x.memory.kept());
    CHECK(s.evicted_pages == 0);
    for (std::uint64_t i = 0; i < pages; ++i) {
        REQUIRE(x.f.has({pool, 1, i}, i));
    }
    CHECK(x.f.store.check());
    CHECK(x.stats().hits == pages);
    CHECK(x.f.store.destroy_pool(pool) == status::ok);
    CHECK(x.memory.copies() == 0);
    CHECK(x.stats().away_pages == 0);
}

TEST_CASE("demotion: pages that are away are erased, replaced, taken and looked for like any other") {
    fixture<> x{limit};
    const pool_id pool = x.f.make_pool({.on_pressure = pressure_action::demote, .promotes = false});
    for (std::uint64_t i = 0; i < 600; ++i) {
        REQUIRE(x.f.put({pool, i / 100, i % 100}, page_kind::text, i) == status::ok);
    }
    REQUIRE(x.f.store.shrink(limit) != 0);
    const std::uint64_t away = x.stats().away_pages;
    CHECK(away > 590); // all that has payload
    CHECK(x.stats().stored_pages == 600 - away);
    CHECK(x.stats().total_bytes < 150'000); // what is fixed, and entries
    CHECK(x.f.has({pool, 0, 5}, page_kind::text, 5));
    CHECK(x.stats().away_pages == away); // it doesn't promote
    CHECK(x.f.take({pool, 0, 6}) == status::ok);
    CHECK(x.f.got(page_kind::text, 6));
    CHECK(x.f.lacks({pool, 0, 6}));
    CHECK(x.f.take({pool, 0, 6}) == status::not_found);
    CHECK(x.f.store.erase({pool, 0, 7}) == status::ok);
    CHECK(x.f.store.erase({pool, 0, 7}) == status::not_found);
    CHECK(x.f.put({pool, 0, 8}, page_kind::text, 1008) == status::ok);
    CHECK(x.f.has({pool, 0, 8}, page_kind::text, 1008));
    CHECK(x.f.put({pool, 0, 9}, page_kind::zeros, 0) == status::ok);
    CHECK(x.f.has({pool, 0, 9}, page_kind::zeros, 0));
    CHECK(x.stats().away_pages == away - 4);
    CHECK(x.memory.copies() == away - 4);
    CHECK(x.f.store.erase_range(pool, 1, 10, 50).value() == 50);
    CHECK(x.f.store.erase_object(pool, 2).value() == 100);
    CHECK(x.memory.copies() == x.stats().away_pages);
    CHECK(x.f.lacks({pool, 1, 10}));
    CHECK(x.f.has({pool, 1, 9}, page_kind::text, 109));
    CHECK(x.f.store.statistics_of(pool).value().away_pages == x.stats().away_pages);
    CHECK(x.f.store.statistics_of(pool).value().written_back_pages == x.stats().written_back_pages);
    CHECK(x.f.store.check());
}

TEST_CASE("demotion: a page that is read comes back where there is room, and nothing goes for it") {
    fixture<> x{limit};
    const pool_id pool = x.f.make_pool(demoting);
    for (std::uint64_t i = 0; i < 100; ++i) {
        REQUIRE(x.f.put({pool, 0, i}, page_kind::text, i) == status::ok);
    }
    REQUIRE(x.f.store.shrink(limit) != 0);
    REQUIRE(x.stats().away_pages == 100);
    const std::uint64_t kept = x.memory.kept();
    for (std::uint64_t i = 0; i < 100; ++i) {
        REQUIRE(x.f.has({pool, 0, i}, page_kind::text, i));
    }
    CHECK(x.stats().away_pages == 0);
    CHECK(x.stats().promoted_pages == 100);
    CHECK(x.memory.copies() == 0);
    const std::uint64_t fetches = x.memory.fetches();
    for (std::uint64_t i = 0; i < 100; ++i) {
        REQUIRE(x.f.has({pool, 0, i}, page_kind::text, i));
    }
    CHECK(x.memory.fetches() == fetches);
    CHECK(x.memory.kept() == kept);
    CHECK(x.f.store.check());
}

TEST_CASE("demotion: a pool at its cap demotes its own, and counts what is left of its pages") {
    fixture<> x{8 * limit};
    const pool_id pool = x.f.make_pool({.cap_bytes = 64 * 1024, .on_pressure = pressure_action::demote});
    const pool_id other = x.f.make_pool(demoting);
    for (std::uint64_t i = 0; i < 50; ++i) {
        REQUIRE(x.f.put({other, 0, i}, page_kind::text, i) == status::ok);
    }
    for (std::uint64_t i = 0; i < 400; ++i) {
        REQUIRE(x.f.put({pool, 0, i}, page_kind::text, i) == status::ok);
        CHECK(x.f.store.statistics_of(pool).value().used_bytes <= 64 * 1024 + 8192);
    }
    CHECK(x.f.store.statistics_of(other).value().away_pages == 0);
    CHECK(x.f.store.statistics_of(pool).value().away_pages > 200);
    for (std::uint64_t i = 0; i < 400; ++i) {
        REQUIRE(x.f.has({pool, 0, i}, page_kind::text, i));
    }
    CHECK(x.f.store.check());
}

TEST_CASE("demotion: a tier that is full ends it: puts are refused, and every accepted page is there") {
    fixture<> x{limit, 50};
    const pool_id pool = x.f.make_pool(demoting);
    std::vector<bool> kept(1500);
    std::uint64_t refused = 0;
    for (std::uint64_t i = 0; i < kept.size(); ++i) {
        const status s = x.f.put({pool, 0, i}, i);
        REQUIRE((s == status::ok || s == status::limit));
        kept[i] = s == status::ok;
        refused += s != status::ok ? 1 : 0;
    }
    CHECK(refused != 0);
    CHECK(x.memory.copies() == 50);
    CHECK(x.stats().tier_refusals == x.memory.offers() - x.memory.kept());
    CHECK(x.f.store.stats(any_node).value().tier_refusals == x.stats().tier_refusals); // all partitions are on no node
    // A refused put asks the tier a bounded number of times.
    CHECK(x.memory.offers() <= x.memory.kept() + refused * 4 * 8 + 64);
    for (std::uint64_t i = 0; i < kept.size(); ++i) {
        REQUIRE((kept[i] ? x.f.has({pool, 0, i}, i) : x.f.lacks({pool, 0, i})));
    }
    CHECK(x.f.store.check());
}

TEST_CASE("demotion: a put asks a tier that takes nothing a few times, however many partitions there are") {
    using store_type = partitioned_store<tiered_config<>>;
    test_tier_memory memory{0};
    store_fixture<store_type> f{store_options{.limit_bytes = 6 * limit, .partitions = 32},
                                default_config::compressor_type{},
                                default_config::admission_type{},
                                default_config::place_type{},
                                default_config::eviction_type{},
                                test_tier{memory}};
    const pool_id pool = f.make_pool(demoting);
    unsigned refused = 0;
    for (std::uint64_t i = 0; refused < 30; ++i) {
        REQUIRE(i < 5000);
        const std::uint64_t before = memory.offers();
        const status s = f.put({pool, i, 0}, page_kind::text, i);
        REQUIRE((s == status::ok || s == status::limit));
        CHECK(memory.offers() - before <= 4 * 8);
        refused += s == status::ok ? 0 : 1;
    }
    CHECK(f.store.check());
}

TEST_CASE("demotion: what the tier can't read now is unavailable, what it has lost is corrupt, and both stay") {
    fixture<> x{limit};
    const pool_id pool = x.f.make_pool({.on_pressure = pressure_action::demote, .promotes = false});
    for (std::uint64_t i = 0; i < 20; ++i) {
        REQUIRE(x.f.put({pool, 0, i}, page_kind::text, i) == status::ok);
    }
    REQUIRE(x.f.put({pool, 0, 1}, page_kind::text, 1001) == status::ok);
    REQUIRE(x.f.store.shrink(limit) != 0);
    REQUIRE(x.f.put({pool, 0, 1}, page_kind::text, 1) == status::ok); // an older version has been there
    REQUIRE(x.f.store.shrink(limit) != 0);
    REQUIRE(x.stats().away_pages == 20);
    const auto reads = [&](const tier_faults& faults, status expected) {
        for (const bool takes : {false, true}) {
            CHECK(x.f.has({pool, 0, 3}, page_kind::text, 3)); // another stream is in the scratch
            x.memory.set_faults(faults);
            CHECK((takes ? x.f.take({pool, 0, 1}) : x.f.get({pool, 0, 1})) == expected);
            x.memory.set_faults({});
        }
        CHECK(x.stats().away_pages == 20);
        CHECK(x.f.has({pool, 0, 1}, page_kind::text, 1));
    };
    reads({.unreadable = 1}, status::unavailable);
    reads({.lost = 1}, status::corrupt);
    reads({.damage = 1}, status::corrupt);
    reads({.older = 1}, status::corrupt);
    reads({.nothing = 1}, status::corrupt);
    std::uint64_t others = 0;
    x.memory.set_faults({.other = 1});
    for (std::uint64_t i = 0; i < 20; ++i) {
        const status s = x.f.get({pool, 0, i});
        CHECK((s == status::corrupt || (s == status::ok && x.f.got(page_kind::text, i)))); // one is itself
        others += s == status::corrupt ? 1 : 0;
    }
    CHECK(others == 19);
    CHECK(x.stats().tier_read_fail == 10 + 19);
    CHECK(x.stats().decompress_fail == 8 + 19);
    x.memory.set_faults({});
    CHECK(x.f.take({pool, 0, 1}) == status::ok);
    CHECK(x.f.got(page_kind::text, 1));
    CHECK(x.f.store.check());
}

// Interleavings: another thread does something in the midst of each call of the tier.

/// What the other one does to the page that the tier is called for, or to all.
enum class meanwhile { nothing, erase, replace, replace_by_same, take, get, range, destroy, compact, shrink, last };

/// Room for a second scratch beside full pages: a thread in the tier has the first.
constexpr std::size_t roomy = 2'500'000;
constexpr page_kind kind_of_version(std::uint64_t version) {
    return version % 4 == 0 ? page_kind::text : page_kind::random;
}

/// Plays one store against one model, with `what` in the midst of every `one_in`th call of a kind.
void interleave(test_tier_memory::call when, meanwhile what, std::uint64_t one_in, const tier_faults& faults) {
    fixture<> x{roomy};
    pool_id pool = x.f.make_pool(demoting);
    std::map<std::uint64_t, std::uint64_t> model; // seeds of pages
    std::uint64_t versions = 1'000'000;
    rng random{static_cast<std::uint64_t>(what) * 4 + static_cast<std::uint64_t>(when)};
    std::uint64_t done = 0;
    bool is_destroyed = false;
    std::vector<std::byte> page(4096);
    const auto fill = [&] {
        for (std::uint64_t i = 0; i < 650; ++i) {
            if (x.f.put({pool, 1, i}, kind_of_version(versions), versions) == status::ok) {
                model[i] = versions;
            }
            ++versions;
        }
    };
    fill();
    x.memory.on_call = [&](test_tier_memory::call c, const page_key& called_for) {
        // What is forgotten is no page any more, which the model doesn't know yet: another, then.
        page_key key = called_for;
        key.index = (key.index + (c == test_tier_memory::call::forget ? 500 : 0)) % 1100;
        static thread_local bool is_inside = false;
        if (c != when || is_inside || is_destroyed || !random.one_in(one_in)) {
            return;
        }
        ++done;
        std::thread other{[&] {
            is_inside = true;
            auto& store = x.f.store;
            const auto found = model.find(key.index);
            switch (what) {
            case meanwhile::erase:
                CHECK((store.erase(key) == status::ok) == (found != model.end()));
                model.erase(key.index);
                break;
            case meanwhile::replace:
            case meanwhile::replace_by_same: {
                if (found == model.end()) {
                    break;
                }
                found->second = what == meanwhile::replace ? versions++ : found->second;
                make_page(page, kind_of_version(found->second), found->second);
                if (store.put(key, page) != status::ok) {
                    model.erase(found);
                }
                break;
            }
            case meanwhile::take:
            case meanwhile::get: {
                const status s = what == meanwhile::take ? store.take(key, page) : store.get(key, page);
                CHECK((s == status::ok || (s == status::unavailable && faults.unreadable != 0)) ==
                      (found != model.end()));
                if (s == status::ok && found != model.end()) {
                    std::vector<std::byte> expected(4096);
                    make_page(expected, kind_of_version(found->second), found->second);
                    CHECK(page == expected);
                }
                if (what == meanwhile::take && s == status::ok) {
                    model.erase(key.index);
                }
                break;
            }
            case meanwhile::range: {
                const std::uint64_t first = key.index >= 2 ? key.index - 2 : 0;
                static_cast<void>(store.erase_range(key.pool, key.object, first, 5));
                model.erase(model.lower_bound(first), model.lower_bound(first + 5));
                break;
            }
            case meanwhile::destroy:
                CHECK(store.destroy_pool(key.pool) == status::ok);
                model.clear();
                is_destroyed = true;
                break;
            case meanwhile::compact: static_cast<void>(store.compact(100'000)); break;
            case meanwhile::shrink: static_cast<void>(store.shrink(50'000)); break;
            case meanwhile::nothing:
            case meanwhile::last: break;
            }
            is_inside = false;
        }};
        other.join();
    };
    x.memory.set_faults(faults);
    std::vector<std::byte> in(4096), out(4096), expected(4096);
    for (unsigned step = 0; step < 900; ++step) {
        const page_key key{pool, 1, random.below(1100)};
        const std::uint64_t version = versions++;
        switch (random.below(8)) {
        case 0:
        case 1:
        case 2:
        case 3: {
            make_page(in, kind_of_version(version), version);
            const status s = x.f.store.put(key, in);
            if (is_destroyed) {
                break; // whichever came first
            }
            REQUIRE((s == status::ok || s == status::limit || s == status::busy));
            if (s == status::ok) {
                model[key.index] = version;
            } else if (s == status::limit) {
                model.erase(key.index);
            }
            break;
        }
        case 4:
        case 5:
        case 6: {
            // What is there before, or after what the other one did.
            const auto before = model.find(key.index);
            const std::uint64_t was = before != model.end() ? before->second : 0; // versions are not 0
            const status s = random.one_in(4) ? x.f.store.take(key, out) : x.f.store.get(key, out);
            const auto after = model.find(key.index);
            const std::uint64_t is = after != model.end() ? after->second : 0;
            const auto is_version = [&](std::uint64_t v) {
                make_page(expected, kind_of_version(v), v);
                return v != 0 && out == expected;
            };
            if (s == status::ok) {
                REQUIRE((is_version(was) || is_version(is)));
            } else if (s == status::not_found) {
                REQUIRE((was == 0 || is == 0 || is_destroyed));
            } else if (s == status::unavailable) {
                REQUIRE(faults.unreadable != 0);
            } else {
                REQUIRE(s == status::invalid);
                REQUIRE(is_destroyed);
            }
            // Whether it was a take that took, the store says.
            if (!is_destroyed && s == status::ok && is_version(is)) {
                x.memory.set_faults({});
                const bool is_inside_before = is_destroyed;
                is_destroyed = true; // nobody else now
                if (x.f.store.get(key, out) == status::not_found) {
                    model.erase(key.index);
                }
                is_destroyed = is_inside_before;
                x.memory.set_faults(faults);
            }
            break;
        }
        default: {
            const bool was_there = model.count(key.index) != 0;
            const status s = x.f.store.erase(key);
            REQUIRE((is_destroyed || (s == status::ok) == was_there));
            model.erase(key.index);
        }
        }
        if (is_destroyed) {
            model.clear();
            REQUIRE(x.f.get({pool, 1, 0}) == status::invalid);
            REQUIRE(x.memory.copies() == x.memory.unforgotten());
            pool = x.f.make_pool(demoting);
            fill();
            is_destroyed = false;
        }
        if (step % 100 == 0) {
            REQUIRE(x.f.store.check());
        }
    }
    CHECK((done != 0 || what == meanwhile::nothing));
    CHECK(x.stats().written_back_pages != 0);
    x.memory.on_call = nullptr;
    x.memory.set_faults({});
    for (std::uint64_t i = 0; i < 1100; ++i) {
        const auto found = model.find(i);
        REQUIRE((found != model.end() ? x.f.has({pool, 1, i}, kind_of_version(found->second), found->second)
                                      : x.f.lacks({pool, 1, i})));
    }
    CHECK(x.f.store.check());
    CHECK(x.stats().away_pages + x.memory.unforgotten() == x.memory.copies());
    CHECK(x.f.store.destroy_pool(pool) == status::ok);
    CHECK(x.memory.copies() == x.memory.unforgotten());
}

TEST_CASE(
    "demotion: whatever another thread does in the midst of a call of the tier, no page is lost and none is stale") {
    using call = test_tier_memory::call;
    for (const call when : {call::offer, call::fetch, call::forget}) {
        for (unsigned what = 0; what < static_cast<unsigned>(meanwhile::last); ++what) {
            CAPTURE(static_cast<int>(when));
            CAPTURE(what);
            const bool ends = static_cast<meanwhile>(what) == meanwhile::destroy;
            interleave(when, static_cast<meanwhile>(what), ends ? 20 : 3, {});
            interleave(when, static_cast<meanwhile>(what), ends ? 20 : 3,
                       {.full = 6, .busy = 6, .unreadable = 6, .odd_place = 20, .unforgotten = 10});
        }
    }
}

// Re-entry: the tier calls the store.

TEST_CASE("demotion: a tier that calls the store from within any call is answered") {
    fixture<> x{limit};
    const pool_id pool = x.f.make_pool(demoting), own = x.f.make_pool();
    std::uint64_t calls = 0, busy = 0, depth = 0;
    std::vector<std::byte> page(4096);
    x.memory.on_call = [&](test_tier_memory::call c, const page_key& key) {
        REQUIRE(depth < 3);
        ++depth;
        ++calls;
        const auto note = [&](status s) {
            busy += s == status::busy ? 1 : 0;
            CHECK(s != status::corrupt);
        };
        make_page(page, page_kind::text, calls);
        note(x.f.store.put({own, 1, calls % 20}, page));   // its own
        note(x.f.store.put({pool, 2, calls % 100}, page)); // one that needs room, perhaps
        note(x.f.store.get({own, 1, calls % 20}, page));
        note(x.f.store.get(key, page));                    // that it is called for
        note(x.f.store.get({pool, 1, calls % 300}, page)); // one that is away, perhaps
        note(x.f.store.resize(limit));
        if (c == test_tier_memory::call::offer) {
            note(x.f.store.erase({pool, 2, calls % 100}));
        }
        static_cast<void>(x.f.store.shrink(1));
        static_cast<void>(x.f.store.compact(5000));
        note(x.f.store.create_pool().error());
        note(x.f.store.quiesce());
        --depth;
    };
    for (std::uint64_t i = 0; i < 600; ++i) {
        const status s = x.f.put({pool, 1, i}, page_kind::text, i);
        REQUIRE((s == status::ok || s == status::limit));
        if (s == status::ok && i % 3 == 0) {
            REQUIRE(x.f.has({pool, 1, i}, page_kind::text, i));
            static_cast<void>(x.f.get({pool, 1, i / 2}));
        }
    }
    CHECK(calls > 50);
    CHECK(busy != 0);
    x.memory.on_call = nullptr;
    CHECK(x.f.store.check());
    CHECK(x.stats().away_pages == x.memory.copies());
}

TEST_CASE("demotion: nobody waits without end for pages that are changed each time the tier takes them") {
    fixture<> x{roomy};
    const pool_id pool = x.f.make_pool(demoting);
    std::uint64_t offers = 0, version = 1'000'000;
    bool is_inside = false;
    std::vector<std::byte> page(4096);
    x.memory.on_call = [&](test_tier_memory::call c, const page_key& key) {
        if (c != test_tier_memory::call::offer || is_inside) {
            return;
        }
        REQUIRE(++offers < 10'000);
        is_inside = true;
        make_page(page, page_kind::random, ++version);
        CHECK(x.f.store.put(key, page) == status::ok); // in the place that it has
        is_inside = false;
    };
    std::uint64_t next = 0;
    while (x.f.put({pool, 1, next}, page_kind::random, next) == status::ok) {
        REQUIRE(++next < 1000);
    }
    CHECK(offers != 0);
    offers = 0;
    CHECK(x.f.put({pool, 1, next}, page_kind::random, next) == status::limit);
    CHECK(offers <= 64);
    offers = 0;
    static_cast<void>(x.f.store.shrink(roomy));
    CHECK(x.stats().away_pages == 0);
    x.memory.on_call = nullptr;
    CHECK(x.f.put({pool, 1, next}, page_kind::random, next) == status::ok);
    CHECK(x.f.store.check());
    CHECK(x.stats().away_pages == x.memory.copies());
}

TEST_CASE("demotion: a standstill waits for the tier that is told to forget") {
    for (unsigned what = 0; what < 2; ++what) {
        fixture<> x{limit};
        const pool_id pool = x.f.make_pool(demoting);
        for (std::uint64_t i = 0; i < 20; ++i) {
            REQUIRE(x.f.put({pool, 0, i}, page_kind::text, i) == status::ok);
        }
        REQUIRE(x.f.store.shrink(limit) != 0);
        REQUIRE(x.stats().away_pages == 20);
        std::atomic<bool> is_there{false}, is_through{false};
        x.memory.on_call = [&](test_tier_memory::call c, const page_key&) {
            if (c == test_tier_memory::call::forget && !is_there.exchange(true)) {
                for (unsigned i = 0; i < in_part(20'000u); ++i) { // long enough for a standstill that doesn't wait
                    std::this_thread::yield();
                }
                is_through = true;
            }
        };
        std::thread other{[&] {
            if (what == 0) {
                CHECK(x.f.store.erase({pool, 0, 3}) == status::ok);
            } else {
                CHECK(x.f.store.erase_object(pool, 0).value() == 20);
            }
        }};
        while (!is_there) {
            std::this_thread::yield();
        }
        CHECK(x.f.store.quiesce() == status::ok);
        CHECK(is_through);
        x.f.store.resume();
        other.join();
        CHECK(x.stats().away_pages == x.memory.copies());
    }
}

constexpr std::uint64_t object = 0x7a3b5c9d1e2f4057; // that nothing else in memory looks like

/// A pool with pages 0 to 4 of that object, all of them away.
pool_id with_five_away(fixture<>& x) {
    const pool_id pool = x.f.make_pool(demoting);
    for (std::uint64_t i = 0; i < 5; ++i) {
        REQUIRE(x.f.put({pool, object, i}, page_kind::text, i) == status::ok);
    }
    REQUIRE(x.f.store.shrink(roomy) != 0);
    REQUIRE(x.stats().away_pages == 5);
    return pool;
}

TEST_CASE("demotion: a page that came for one that damage took from under its reader is not mistaken for it") {
    for (const bool takes : {false, true}) {
        fixture<> x{roomy};
        const pool_id pool = with_five_away(x);
        const page_key key{pool, object, 1};
        std::vector<std::byte> page(4096);
        unsigned hits = 0;
        x.memory.on_call = [&](test_tier_memory::call c, const page_key&) {
            if (c != test_tier_memory::call::fetch || hits != 0) {
                return;
            }
            x.f.source.for_each_run([&](std::byte* memory, std::size_t bytes) {
                for (std::size_t at = 0; at + sizeof(extent) <= bytes; at += 4) {
                    if (load_native<std::uint64_t>(memory + at) == object) {
                        memory[at + offsetof(extent, bitmap)] ^= std::byte{1};
                        ++hits;
                    }
                }
            });
            make_page(page, page_kind::random, 77);
            CHECK(x.f.store.put(key, page) == status::ok);
        };
        CHECK((takes ? x.f.take(key) : x.f.get(key)) == status::ok);
        CHECK(x.f.got(page_kind::random, 77));
        CHECK(hits == 1);
        CHECK((takes ? x.f.lacks(key) : x.f.has(key, page_kind::random, 77)));
    }
}

TEST_CASE("demotion: damage that a reader of the tier comes back to is counted once") {
    for (const unsigned byte : {0u, 1u}) { // a page that was there looks gone, or one more looks there
        fixture<> x{roomy};
        const pool_id pool = with_five_away(x);
        CHECK(x.f.store.check());
        std::size_t hits = 0;
        x.memory.on_call = [&](test_tier_memory::call c, const page_key&) {
            x.f.source.for_each_run([&](std::byte* memory, std::size_t bytes) {
                for (std::size_t at = 0; c == test_tier_memory::call::fetch && at + sizeof(extent) <= bytes; at += 4) {
                    if (load_native<std::uint64_t>(memory + at) == object) {
                        memory[at + offsetof(extent, bitmap) + byte] ^= std::byte{1};
                        ++hits;
                    }
                }
            });
        };
        CHECK(x.f.get({pool, object, 0}) == status::corrupt);
        CHECK(hits == 1);
        CHECK(x.stats().decompress_fail == 1);
        CHECK(x.f.get({pool, object, 1}) == status::not_found); // they went with it, which was said
        CHECK(x.stats().decompress_fail == 1);
        CHECK_FALSE(x.f.store.check()); // what the extent led to is known to nobody
        REQUIRE(x.f.put({pool, object, 0}, page_kind::text, 9) == status::ok);
        CHECK(x.f.has({pool, object, 0}, page_kind::text, 9));
        CHECK(x.f.store.destroy_pool(pool) == status::ok);
    }
}

struct wide : default_config {
    using tier_type = test_tier;
    using eviction_type = lru;
    static constexpr unsigned checksum_bits = 60;
};

TEST_CASE("demotion: a page that is away is told apart from every other state, in any config") {
    test_tier_memory memory;
    store_fixture<partitioned_store<wide>> f{store_options{.limit_bytes = 2 * limit, .partitions = 4},
                                             wide::compressor_type{},
                                             wide::admission_type{},
                                             wide::place_type{},
                                             lru{},
                                             test_tier{memory}};
    const pool_id pool = f.make_pool(demoting), cache = f.make_pool({.kind = pool_kind::ephemeral});
    for (std::uint64_t i = 0; i < 2000; ++i) {
        REQUIRE(f.put({pool, i % 5, i * 17}, i) == status::ok);
        REQUIRE(f.put({cache, i % 5, i * 17}, i) == status::ok);
    }
    CHECK(f.store.stats().away_pages != 0);
    CHECK(f.store.stats().evicted_pages != 0);
    for (std::uint64_t i = 0; i < 2000; ++i) {
        REQUIRE(f.has({pool, i % 5, i * 17}, i));
    }
    CHECK(f.store.check());
}

} // namespace
} // namespace pagefold::testing::unit_store_demotion
