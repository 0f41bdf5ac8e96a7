// SPDX-License-Identifier: MIT
//
// A store over decorated allocators, each one line of its configuration: random operations against a map of what must be
// in it, and the store's check(), which walks the allocator's, after every one of them. That the whole store is right is
// the business of tests/model/store.cpp; here it is a user of allocators that looks at its objects all the time.

#include "support/environment.hpp"
#include "support/pages.hpp"
#include "support/rng.hpp"
#include "support/store_fixture.hpp"

#include <pagefold/alloc/counted.hpp>
#include <pagefold/alloc/guarded.hpp>
#include <pagefold/alloc/wiped.hpp>
#include <pagefold/alloc/zs.hpp>
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>

namespace pagefold::testing::model_decorated_store {
namespace {

struct guarded_config : default_config {
    template <class Source, std::size_t PageSize>
    using allocator_type = guarded<zs<Source, PageSize>>;
};
struct counted_config : default_config {
    template <class Source, std::size_t PageSize>
    using allocator_type = counted<zs<Source, PageSize>>;
};
struct wiped_config : default_config {
    using lock_type = null_lock;
    template <class Source, std::size_t PageSize>
    using allocator_type = wiped<zs<Source, PageSize>>;
};
struct composed_config : default_config {
    template <class Source, std::size_t PageSize>
    using allocator_type = guarded<counted<wiped<zs<Source, PageSize>>>>;
};
struct large_config : composed_config {
    static constexpr std::size_t page_size = 65536;
};

static_assert(store_config<guarded_config> && store_config<counted_config> && store_config<wiped_config> &&
              store_config<composed_config> && store_config<large_config>);

constexpr std::size_t unlimited = ~std::size_t{0};

template <class Store>
class store_walk {
public:
    store_walk(std::uint64_t seed, std::size_t limit, std::size_t partitions)
        : random_{seed}, limited_{limit != unlimited}, s_{store_options{.limit_bytes = limit,
                                                                        .partitions = partitions}},
          kept_{s_.make_pool()}, lossy_{s_.make_pool({.kind = pool_kind::ephemeral})} {}

    void run(unsigned steps) {
        for (unsigned i = 0; i < steps; ++i) {
            CAPTURE(i);
            step(i / (steps / 6) % 2 == 0);
            REQUIRE(s_.store.check());
            REQUIRE(s_.store.stats().total_bytes == s_.source.bytes_held());
        }
        REQUIRE((s_.store.stats().objects_moved != 0 || limited_)); // too few of a size, then
        for (const auto& [index, seed] : model_) {
            REQUIRE(s_.has({kept_, 1, index}, seed));
        }
        REQUIRE(s_.store.destroy_pool(kept_) == status::ok);
        REQUIRE(s_.store.destroy_pool(lossy_) == status::ok);
        REQUIRE(s_.store.stats().allocated_bytes == 0);
        REQUIRE(s_.store.stats().mem_used_total == 0);
        REQUIRE(s_.store.check());
    }

private:
    void step(bool filling) {
        const std::uint64_t index = random_.below(300), seed = random_.below(1000), what = random_.below(100);
        if (what < (filling ? 60u : 20u)) {
            put(index, seed);
        } else if (what < (filling ? 75u : 35u)) {
            read(index);
        } else if (what < 92) {
            const status erased = s_.store.erase({kept_, 1, index});
            REQUIRE(erased == (model_.erase(index) != 0 ? status::ok : status::not_found));
            static_cast<void>(s_.store.erase({lossy_, 1, index}));
        } else if (what < 97) {
            static_cast<void>(s_.store.compact(1 << 20));
        } else {
            static_cast<void>(s_.store.shrink(random_.below(1 << 18)));
        }
    }
    void put(std::uint64_t index, std::uint64_t seed) {
        if (s_.put({kept_, 1, index}, seed) == status::ok) {
            model_[index] = seed;
        } else {
            model_.erase(index); // refused, and no older version is readable
        }
        if (s_.put({lossy_, 1, index}, index) == status::ok) {
            REQUIRE(s_.has({lossy_, 1, index}, index));
        }
    }
    void read(std::uint64_t index) {
        const auto it = model_.find(index);
        if (it == model_.end()) {
            REQUIRE(s_.lacks({kept_, 1, index}));
        } else if (random_.one_in(3)) {
            REQUIRE(s_.take({kept_, 1, index}) == status::ok);
            REQUIRE(s_.got(it->second));
            model_.erase(it);
        } else {
            REQUIRE(s_.has({kept_, 1, index}, it->second));
        }
        if (const status got = s_.get({lossy_, 1, index}); got != status::not_found) {
            REQUIRE(got == status::ok);
            REQUIRE(s_.got(index));
        }
    }

    rng random_;
    bool limited_;
    store_fixture<Store> s_;
    pool_id kept_, lossy_;
    std::map<std::uint64_t, std::uint64_t> model_;
};

TEST_CASE_TEMPLATE("a page_store over decorated allocators", Config, guarded_config, counted_config, wiped_config,
                   composed_config) {
    store_walk<page_store<Config>>{1, unlimited, 1}.run(in_part(1500u));
    store_walk<page_store<Config>>{2, 400'000, 1}.run(in_part(2500u)); // the ephemeral pages make room all the time
    store_walk<page_store<Config>>{3, 160'000, 1}.run(in_part(1500u));
}

TEST_CASE("a page_store of 64 KiB pages over decorated allocators") {
    store_walk<page_store<large_config>>{4, unlimited, 1}.run(300);
    store_walk<page_store<large_config>>{5, 4'000'000, 1}.run(300);
}

TEST_CASE("a partitioned_store over decorated allocators") {
    store_walk<partitioned_store<composed_config>>{6, 700'000, 3}.run(in_part(2000u));
}

TEST_CASE("what the allocators of a store have counted can be had from it") {
    store_fixture<partitioned_store<counted_config>> s{store_options{.partitions = 3}};
    unsigned looks = 0;
    allocation_counts sum{};
    const auto look = [&](const auto& allocator) {
        ++looks;
        sum += allocator.total();
    };
    s.store.look_at_allocators(look);
    CHECK(looks == 0); // a store takes its partitions with its first pool
    const pool_id pool = s.make_pool();
    for (std::uint64_t i = 0; i < 500; ++i) {
        REQUIRE(s.put({pool, 1, i * extent_pages}, page_kind::text, i) == status::ok);
    }
    REQUIRE(s.store.erase_range(pool, 1, 0, 100 * extent_pages).value_or(0) == 100);
    s.store.look_at_allocators(look);
    CHECK(looks == 3);
    CHECK(sum.allocations == 500);
    CHECK(sum.frees == 100);
    CHECK(sum.live_objects == 400);
    CHECK(sum.live_bytes == s.store.stats().allocated_bytes);
}

} // namespace
} // namespace pagefold::testing::model_decorated_store
