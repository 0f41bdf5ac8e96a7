// SPDX-License-Identifier: MIT

// Random batches against a map of what must be in the pools, member by member in the order given: keys that come twice, members that
// are invalid, pools that are mixed, limits that are met midway, a source that refuses.

#include "support/environment.hpp"
#include "support/rng.hpp"
#include "support/store_configs.hpp"
#include "support/store_fixture.hpp"
#include "support/test_tier.hpp"

#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

namespace model_batch {

namespace {

using namespace pagefold;
using namespace pagefold::testing;
using bytes = std::vector<std::byte>;

constexpr std::size_t most = 100; // members: more than three windows
constexpr std::uint64_t objects = 3, indexes = 150;

bytes content(std::uint64_t seed) {
    bytes page = page_of(4096, seed / 2);
    if (seed % 2 == 1) {
        page[1000] ^= std::byte{1};
    }
    return page;
}

/// What is done to a pool, and what is known of it then.
struct pool_model {
    pool_id id{};
    bool drops = false;    ///< a page may be gone
    bool is_fixed = false; ///< sealed
};

template <class Store>
class batch_model {
public:
    using key = std::tuple<std::size_t, std::uint64_t, std::uint64_t>; // pool's number, object, index

    batch_model(store_fixture<Store>& f, std::uint64_t seed) : f_{f}, random_{seed}, outs_(most, bytes(4096)) {}

    void add_pool(const pool_model& pool) { pools_.push_back(pool); }
    void seal(std::size_t pool) {
        REQUIRE(f_.store.seal(pools_[pool].id) == status::ok);
        pools_[pool].is_fixed = true;
    }
    /// Pages of nobody's, so that the store is larger than a cache.
    void fill(std::size_t pages) {
        const pool_id ballast = f_.make_pool();
        const bytes noise = page_of(4096, page_kind::random, 1);
        for (std::uint64_t i = 0; i < pages; ++i) {
            REQUIRE(f_.store.put_raw({ballast, 1, i}, noise) == status::ok);
        }
    }
    [[nodiscard]] pool_id pool(std::size_t number) const { return pools_[number].id; }
    bool may_refuse = false; ///< a put

    void step() {
        const std::size_t count = random_.one_in(8) ? random_.below(3) : random_.below(most + 1);
        choose(count);
        switch (random_.below(8)) {
        case 0:
        case 1:
        case 2: put(count); break;
        case 3: erase(count); break;
        case 4: read(count, true); break;
        default: read(count, false); break;
        }
    }
    void check_all() {
        REQUIRE(f_.store.check());
        const std::map<key, std::uint64_t> pages = pages_;
        for (const auto& [k, seed] : pages) {
            static_cast<void>(seed);
            read_one(k, f_.store.get(at(k), outs_[0]), outs_[0], false);
        }
    }

private:
    page_key at(const key& k) const { return {pools_[std::get<0>(k)].id, std::get<1>(k), std::get<2>(k)}; }
    /// A run, or keys from anywhere; some of them invalid.
    void choose(std::size_t count) {
        keys_.clear();
        seeds_.clear();
        const bool is_run = random_.one_in(3);
        const key first{random_.below(pools_.size()), random_.below(objects), random_.below(indexes)};
        for (std::size_t i = 0; i < count; ++i) {
            key k{random_.below(pools_.size()), random_.below(objects), random_.below(indexes)};
            if (is_run) {
                k = {std::get<0>(first), std::get<1>(first), std::get<2>(first) + i};
            } else if (!keys_.empty() && random_.one_in(6)) {
                k = keys_[random_.below(keys_.size())];
            }
            if (random_.one_in(40)) {
                std::get<2>(k) = max_page_index + random_.below(2);
            }
            keys_.push_back(k);
            seeds_.push_back(random_.below(200));
        }
    }
    [[nodiscard]] static bool is_bad(const key& k) { return std::get<2>(k) >= max_page_index; }
    [[nodiscard]] const pool_model& pool_of(const key& k) const { return pools_[std::get<0>(k)]; }

    void put(std::size_t count) {
        std::vector<bytes> contents(count);
        std::vector<put_request> requests(count);
        for (std::size_t i = 0; i < count; ++i) {
            contents[i] = content(seeds_[i]);
            requests[i] = {at(keys_[i]), byte_view{contents[i]}.first(seeds_[i] == 7 ? 4095 : 4096), status::busy};
        }
        f_.store.put_many(requests.data(), count);
        for (std::size_t i = 0; i < count; ++i) {
            CAPTURE(i);
            const status s = requests[i].outcome;
            const bool is_invalid = is_bad(keys_[i]) || seeds_[i] == 7 || pool_of(keys_[i]).is_fixed;
            REQUIRE((s == status::invalid) == is_invalid);
            if (s == status::ok) {
                pages_[keys_[i]] = seeds_[i];
            } else if (!is_invalid) {
                REQUIRE(may_refuse);
                REQUIRE((s == status::limit || s == status::no_memory));
                pages_.erase(keys_[i]);
            }
        }
    }
    void erase(std::size_t count) {
        std::vector<erase_request> requests(count);
        for (std::size_t i = 0; i < count; ++i) {
            requests[i] = {at(keys_[i]), status::busy};
        }
        f_.store.erase_many(requests.data(), count);
        for (std::size_t i = 0; i < count; ++i) {
            CAPTURE(i);
            const bool is_invalid = is_bad(keys_[i]) || pool_of(keys_[i]).is_fixed;
            const bool had = !is_invalid && pages_.erase(keys_[i]) != 0;
            const status s = requests[i].outcome;
            REQUIRE((s == (is_invalid ? status::invalid
                           : had      ? status::ok
                                      : status::not_found) ||
                     (had && pool_of(keys_[i]).drops && s == status::not_found)));
        }
    }
    void read(std::size_t count, bool takes) {
        std::vector<page_request> requests(count);
        for (std::size_t i = 0; i < count; ++i) {
            requests[i] = {at(keys_[i]), byte_span{outs_[i]}.first(seeds_[i] == 7 ? 4095 : 4096), status::busy, 0};
        }
        const std::uint64_t looked = f_.store.stats().hits + f_.store.stats().misses;
        if (takes) {
            f_.store.take_many(requests.data(), count);
        } else {
            f_.store.get_many(requests.data(), count);
        }
        std::uint64_t looks = 0;
        for (std::size_t i = 0; i < count; ++i) {
            CAPTURE(i);
            if (is_bad(keys_[i]) || seeds_[i] == 7 || (takes && pool_of(keys_[i]).is_fixed)) {
                REQUIRE(requests[i].outcome == status::invalid);
                continue;
            }
            ++looks;
            REQUIRE((requests[i].outcome != status::ok || requests[i].length == 4096));
            read_one(keys_[i], requests[i].outcome, outs_[i], takes);
        }
        REQUIRE(f_.store.stats().hits + f_.store.stats().misses == looked + looks);
    }
    void read_one(const key& k, status s, const bytes& out, bool takes) {
        const auto known = pages_.find(k);
        if (s == status::not_found) {
            REQUIRE((known == pages_.end() || pool_of(k).drops));
            pages_.erase(k);
            return;
        }
        REQUIRE(s == status::ok);
        REQUIRE(known != pages_.end());
        REQUIRE(out == content(known->second));
        if (takes) {
            pages_.erase(known);
        }
    }

    store_fixture<Store>& f_;
    rng random_;
    std::vector<pool_model> pools_;
    std::map<key, std::uint64_t> pages_;
    std::vector<key> keys_;
    std::vector<std::uint64_t> seeds_;
    std::vector<bytes> outs_;
};

template <class Model>
void run(Model& m, unsigned steps) {
    for (unsigned i = 0; i < steps; ++i) {
        CAPTURE(i);
        m.step();
        if (i % 64 == 0) {
            m.check_all();
        }
    }
    m.check_all();
}

TEST_CASE("batch model: a store with and without a limit, in and beyond a cache") {
    using store = partitioned_store<default_config>;
    for (const std::size_t limit : {~std::size_t{0}, std::size_t{5500} << 10, std::size_t{400} << 10}) {
        CAPTURE(limit);
        store_fixture<store> f{{.limit_bytes = limit, .partitions = 3}};
        batch_model<store> m{f, limit};
        for (unsigned i = 0; i < 6; ++i) { // more than a window keeps the routes of
            const bool drops = i % 3 == 1;
            const pool_options options{.kind = drops ? pool_kind::ephemeral : pool_kind::persistent};
            m.add_pool({f.make_pool(options), drops});
        }
        m.may_refuse = limit != ~std::size_t{0};
        m.fill(limit > (std::size_t{5} << 20) ? 1100 : 0);
        run(m, in_part(400u));
    }
}

TEST_CASE("batch model: a source that refuses now and then") {
    using store = partitioned_store<default_config>;
    store_fixture<store> f{{.partitions = 3}};
    batch_model<store> m{f, 5};
    m.add_pool({f.make_pool()});
    m.add_pool({f.make_pool({.kind = pool_kind::ephemeral}), true});
    m.fill(1100);
    m.may_refuse = true;
    rng random{9};
    for (unsigned i = 0; i < in_part(300u); ++i) {
        CAPTURE(i);
        f.source.refuse_nth(random.below(8));
        m.step();
    }
    f.source.refuse_nth(0);
    m.check_all();
}

TEST_CASE("batch model: clones, of a parent in which nothing changes") {
    using store = partitioned_store<migrating_config>;
    store_fixture<store> f{{.partitions = 3}};
    batch_model<store> m{f, 3};
    m.fill(1100);
    m.add_pool({f.make_pool()});
    run(m, in_part(60u));
    m.seal(0);
    m.add_pool({f.make_pool({.parent = m.pool(0)})});
    m.add_pool({f.make_pool()});
    run(m, in_part(300u));
}

TEST_CASE("batch model: pages that are in a tier") {
    using store = page_store<tiered_config>;
    test_tier_memory memory;
    store_fixture<store> f{{.limit_bytes = std::size_t{400} << 10},
                           default_config::compressor_type{},
                           default_config::admission_type{},
                           default_config::eviction_type{},
                           test_tier{memory}};
    batch_model<store> m{f, 4};
    m.add_pool({f.make_pool({.on_pressure = pressure_action::demote})});
    m.add_pool({f.make_pool({.kind = pool_kind::ephemeral}), true});
    run(m, in_part(300u));
    CHECK(f.store.stats().away_pages + f.store.stats().promoted_pages > 0);
}

} // namespace
} // namespace model_batch
