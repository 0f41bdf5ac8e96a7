// SPDX-License-Identifier: MIT

// Random operations on a store, each against a map of what must be in it, over memory that now and then refuses.
//
// The model knows of each page which content was answered `ok` last. A persistent page must read back so until it is
// erased. An ephemeral page may read back so or be gone, and then stays gone: the model forgets it at the first miss.

#include "support/failing_compressor.hpp"
#include "support/pages.hpp"
#include "support/rng.hpp"
#include "support/test_source.hpp"

#include <pagefold/alloc/tlsf.hpp>
#include <pagefold/alloc/xv.hpp>
#include <pagefold/compress/chain.hpp>
#include <pagefold/compress/lz4.hpp>
#include <pagefold/compress/zstd.hpp>
#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/clock2q_plus.hpp>
#include <pagefold/evict/fifo.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/evict/s3_fifo.hpp>
#include <pagefold/evict/sieve.hpp>
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

namespace model_store {

namespace {

using namespace pagefold;
using namespace pagefold::testing;

// Variety without the cross product: every policy, allocator, lock, page size and codec stands in one of these.
struct plain_config : default_config {
    using lock_type = null_lock;
    using compressor_type = failing_compressor<chain<lz4>>;
    static constexpr bool finds_same_filled = true;
};
struct shared_config : default_config {
    static constexpr unsigned sparse_candidates = 8;
    using compressor_type = failing_compressor<chain<lz4>>;
    static constexpr unsigned max_pools = 5;
    static constexpr bool finds_same_filled = true;
};
struct medium_config : default_config {
    static constexpr std::size_t page_size = 16384;
    template <class Source, std::size_t PageSize>
    using allocator_type = xv<Source, PageSize>;
    static constexpr unsigned sparse_candidates = 4;
    using eviction_type = lru;
    using compressor_type = failing_compressor<lz4>;
    static constexpr unsigned max_scratch = 1;
    static constexpr bool finds_same_filled = false;
};
struct large_config : default_config {
    static constexpr std::size_t page_size = 65536;
    template <class Source, std::size_t PageSize>
    using allocator_type = tlsf<Source, PageSize>;
    using eviction_type = fifo;
    using lock_type = null_lock;
    using compressor_type = failing_compressor<zstd>;
    static constexpr bool finds_same_filled = false;
};

struct clocked_config : plain_config {
    using eviction_type = pagefold::clock;
};
struct queued_config : shared_config {
    using eviction_type = s3_fifo;
};
struct windowed_config : plain_config {
    using eviction_type = clock2q_plus;
};
struct sieved_config : shared_config {
    using eviction_type = sieve;
};

constexpr std::size_t unlimited = ~std::size_t{0};

struct plan {
    std::uint64_t seed;
    unsigned steps;
    std::size_t limit;
    bool faults;
    bool calm = false; ///< nothing that takes much away at once: the store fills
};

template <template <class> class Store, class Config>
class modelled_store {
    static constexpr std::size_t page_size = Config::page_size;

    struct modelled_page {
        std::uint64_t seed;
        bool same_filled;
    };
    struct modelled_pool {
        pool_id id;
        pool_options options;
        std::map<std::pair<std::uint64_t, std::uint64_t>, modelled_page> pages; // by object and index
        std::uint64_t puts = 0, hits = 0, misses = 0, rejected_puts = 0;

        [[nodiscard]] bool is_ephemeral() const { return options.kind == pool_kind::ephemeral; }
    };

public:
    modelled_store(const plan& p, std::size_t partitions)
        : plan_{p}, partitions_{partitions}, random_{p.seed}, limit_{p.limit},
          store_{source_, store_options{p.limit, partitions, p.seed}, typename Config::compressor_type{faults_}},
          page_(page_size), expected_(page_size) {
        faults_.every = p.faults ? 13 : 0;
    }

    void run() {
        INFO("seed ", plan_.seed, ", step ", step_, ", operation ", doctest::String{operation_});
        REQUIRE(source_.bytes_held() == 0);
        while (step_++ < plan_.steps) {
            const std::size_t before = source_.bytes_held();
            refusals_before_ = source_.refusals();
            if (plan_.faults && random_.one_in(6)) {
                source_.refuse_nth(1 + random_.below(4));
            }
            operate();
            source_.refuse_nth(0);
            compare(before);
        }
        finish();
    }

private:
    // Choosing.

    modelled_pool& some_pool() { return pools_[random_.below(pools_.size())]; }
    page_key some_key(const modelled_pool& pool) {
        static constexpr std::uint64_t objects[] = {0, 1, 77, ~std::uint64_t{0}};
        const std::uint64_t object = objects[random_.below(std::size(objects))];
        const std::uint64_t shape = random_.below(10);
        return {pool.id, object,
                shape < 6   ? random_.below(150)
                : shape < 9 ? random_.below(60) * extent_pages + random_.below(2)
                            : max_page_index - 1 - random_.below(70)};
    }
    /// A page that the model has, if there is one.
    page_key known_key(const modelled_pool& pool) {
        if (pool.pages.empty()) {
            return some_key(pool);
        }
        const page_key near = some_key(pool);
        auto it = pool.pages.lower_bound({near.object, near.index});
        it = it == pool.pages.end() ? pool.pages.begin() : it;
        return {pool.id, it->first.first, it->first.second};
    }
    page_key key_to_read(const modelled_pool& pool) { return random_.one_in(4) ? some_key(pool) : known_key(pool); }

    void operate() {
        // The rarer ones take much away: between two of them the store must have time to fill.
        const std::uint64_t what = pools_.size() < 2 ? 952 : random_.below(1000);
        if (what < 480) {
            put(some_pool());
        } else if (what < 700) {
            read(some_pool(), false);
        } else if (what < 750) {
            read(some_pool(), true);
        } else if (what < 830) {
            erase(some_pool());
        } else if (what < (plan_.calm ? 832 : 844)) {
            erase_many(some_pool());
        } else if (what < 908 || (plan_.calm && what < 952)) {
            compact();
        } else if (what < 924) {
            shrink();
        } else if (what < 950) {
            resize();
        } else if (what < 952) {
            destroy_pool();
        } else if (what < 957) {
            create_pool();
        } else {
            misuse();
        }
    }

    // Operations.

    void put(modelled_pool& pool) {
        operation_ = "put";
        const page_key key = random_.one_in(3) ? known_key(pool) : some_key(pool);
        const std::uint64_t seed = random_.below(100000);
        make_page(page_, seed);
        const std::uint64_t failures = faults_.failures;
        const status s = store_.put(key, page_);
        if (s == status::ok) {
            const bool same = Config::finds_same_filled && kind_of(seed) <= page_kind::word;
            pool.pages[{key.object, key.index}] = {seed, same && failures == faults_.failures};
            ++pool.puts;
            ++puts_;
        } else {
            REQUIRE((s == status::no_memory || s == status::limit));
            REQUIRE((s != status::no_memory || source_.refusals() != refusals_before_));
            REQUIRE((s != status::limit || limit_ != unlimited || pool.options.cap_bytes != unlimited));
            pool.pages.erase({key.object, key.index});
            ++pool.rejected_puts;
            source_.refuse_nth(0);
            if (random_.one_in(4)) {
                expect(pool, key, false);
            }
        }
    }
    void read(modelled_pool& pool, bool removing) {
        operation_ = removing ? "take" : "get";
        expect(pool, key_to_read(pool), removing);
    }
    void expect(modelled_pool& pool, const page_key& key, bool removing) {
        const auto it = pool.pages.find({key.object, key.index});
        const status s = removing ? store_.take(key, page_) : store_.get(key, page_);
        if (s == status::ok) {
            ++pool.hits;
            ++hits_;
            REQUIRE(it != pool.pages.end());
            make_page(expected_, it->second.seed);
            REQUIRE(page_ == expected_);
            if (removing) {
                pool.pages.erase(it);
            }
            return;
        }
        if (s == status::not_found) {
            ++pool.misses;
            ++misses_;
        } else { // no scratch was ever to be had: then nothing was ever stored
            REQUIRE((s == status::no_memory || s == status::limit));
            REQUIRE(puts_ == 0);
        }
        forget(pool, it);
    }
    void forget(modelled_pool& pool, typename decltype(modelled_pool::pages)::iterator it) {
        if (it != pool.pages.end()) {
            REQUIRE(pool.is_ephemeral());
            pool.pages.erase(it);
        }
    }
    void erase(modelled_pool& pool) {
        operation_ = "erase";
        const page_key key = key_to_read(pool);
        const auto it = pool.pages.find({key.object, key.index});
        const status s = store_.erase(key);
        if (s == status::ok) {
            REQUIRE(it != pool.pages.end());
            pool.pages.erase(it);
        } else {
            REQUIRE(s == status::not_found);
            forget(pool, it);
        }
    }
    void erase_many(modelled_pool& pool) {
        operation_ = "erase_range";
        const page_key from = key_to_read(pool);
        const bool whole = random_.one_in(10);
        const std::uint64_t first = whole ? 0 : from.index;
        const std::uint64_t counts[] = {
            0, 1, random_.below(9), random_.below(70), random_.below(4000), ~std::uint64_t{0}};
        const std::uint64_t count = whole ? ~std::uint64_t{0} : counts[random_.below(std::size(counts))];
        const result<std::size_t> erased =
            whole ? store_.erase_object(pool.id, from.object) : store_.erase_range(pool.id, from.object, first, count);
        std::size_t known = 0;
        for (auto it = pool.pages.lower_bound({from.object, first});
             it != pool.pages.end() && it->first.first == from.object && it->first.second - first < count;) {
            it = pool.pages.erase(it);
            ++known;
        }
        REQUIRE(erased);
        REQUIRE((pool.is_ephemeral() ? *erased <= known : *erased == known));
        expect(pool, from, false);
    }

    void compact() {
        operation_ = "compact";
        const std::size_t before = source_.bytes_held();
        const std::size_t given_back = store_.compact(random_.below(40) * page_size);
        // In each partition, a sweep of the index that is not at its end may hold a block, to gather arrays in, and a page of table.
        REQUIRE(before + 4 * partitions_ * source_.page_size() >= source_.bytes_held() + given_back);
        read(some_pool(), false);
    }
    void shrink() {
        operation_ = "shrink";
        const std::size_t before = source_.bytes_held();
        const std::size_t wanted = random_.below(10) * page_size;
        const std::size_t given_back = store_.shrink(wanted);
        // A compaction may take a page of table, and then find nothing to give back.
        REQUIRE((given_back == 0 ? source_.bytes_held() <= before + 4 * partitions_ * source_.page_size()
                                 : before - source_.bytes_held() == given_back));
        if (given_back < wanted) {
            nothing_to_drop();
        }
    }
    void resize() {
        operation_ = "resize";
        const std::size_t used = source_.bytes_held();
        const std::size_t limits[] = {plan_.limit, plan_.limit,     plan_.limit,
                                      unlimited,   used - used / 8, used + 5 * page_size};
        limit_ = limits[random_.below(std::size(limits))];
        status s = store_.resize(limit_);
        for (unsigned rounds = 0; s == status::busy; ++rounds) {
            REQUIRE(source_.bytes_held() > limit_);
            REQUIRE(rounds < 100);
            s = store_.resize(limit_);
        }
        REQUIRE(s == (source_.bytes_held() <= limit_ ? status::ok : status::limit));
        if (s == status::limit) {
            nothing_to_drop();
        }
    }
    /// Where the store could not shrink as asked, no page may be left that it could have dropped.
    void nothing_to_drop() {
        for (const modelled_pool& pool : pools_) {
            if (pool.is_ephemeral()) {
                const pool_stats s = store_.statistics_of(pool.id).value();
                const std::size_t reserved = pool.options.reserved_bytes;
                REQUIRE(
                    (s.stored_pages == 0 || (reserved != 0 && s.used_bytes < reserved + (page_size + 128) * 3 / 2)));
            }
        }
    }

    void create_pool() {
        operation_ = "create_pool";
        pool_options options;
        options.kind = random_.one_in(2) ? pool_kind::ephemeral : pool_kind::persistent;
        options.weight = static_cast<std::uint32_t>(1 + random_.below(300));
        options.cap_bytes = random_.one_in(4) ? (5 + random_.below(50)) * page_size : unlimited;
        options.reserved_bytes = random_.one_in(6) ? random_.below(6) * page_size : 0;
        options.reserved_bytes = std::min(options.reserved_bytes, options.cap_bytes);
        const result<pool_id> id = store_.create_pool(options);
        if (!id) {
            REQUIRE((id.error() == status::limit || id.error() == status::no_memory));
            REQUIRE((id.error() != status::no_memory || source_.refusals() != refusals_before_));
            REQUIRE((id.error() != status::limit || limit_ != unlimited || pools_.size() == Config::max_pools));
            return;
        }
        REQUIRE(pools_.size() < Config::max_pools);
        for (const modelled_pool& pool : pools_) {
            REQUIRE(pool.id != *id);
        }
        REQUIRE(std::find(dead_.begin(), dead_.end(), *id) == dead_.end());
        pools_.push_back({*id, options, {}});
        // Whoever had the slot before, none of its pages is seen.
        expect(pools_.back(), some_key(pools_.back()), false);
        if (pools_.size() > 4 && Config::max_pools > 5) {
            destroy_pool();
        }
    }
    void destroy_pool() {
        operation_ = "destroy_pool";
        const std::size_t which = random_.below(pools_.size());
        REQUIRE(store_.destroy_pool(pools_[which].id) == status::ok);
        dead_.push_back(pools_[which].id);
        pools_.erase(pools_.begin() + static_cast<std::ptrdiff_t>(which));
    }
    void misuse() {
        operation_ = "misuse";
        page_key key = some_key(some_pool());
        if (random_.one_in(2) && !dead_.empty()) {
            key.pool = dead_[random_.below(dead_.size())];
            REQUIRE(store_.destroy_pool(key.pool) == status::invalid);
            REQUIRE(store_.statistics_of(key.pool).error() == status::invalid);
            REQUIRE(store_.erase_object(key.pool, key.object).error() == status::invalid);
        } else {
            key.index = max_page_index + random_.below(3) * (random_() >> 20);
        }
        make_page(page_, 1);
        // Without any scratch a put or get of a pool that is gone may say so, too.
        const bool may_lack_scratch = puts_ == 0;
        for (const status s :
             {store_.put(key, page_), store_.get(key, page_), store_.take(key, page_), store_.erase(key)}) {
            REQUIRE((s == status::invalid || (may_lack_scratch && s != status::ok)));
        }
        REQUIRE(store_.create_pool({.weight = 0}).error() == status::invalid);
        REQUIRE(store_.create_pool({.cap_bytes = 10, .reserved_bytes = 11}).error() == status::invalid);
        key = some_key(some_pool());
        REQUIRE(store_.put(key, byte_view{page_}.first(page_size - 8)) == status::invalid);
        REQUIRE(store_.get(key, byte_span{page_}.first(page_size / 2)) == status::invalid);
    }

    // Comparing.

    void compare(std::size_t bytes_before) {
        const store_stats s = store_.stats();
        const std::size_t held = source_.bytes_held();
        REQUIRE(s.total_bytes == held);
        REQUIRE(held <= std::max(limit_, bytes_before));
        REQUIRE(s.mem_limit == limit_);
        REQUIRE(s.mem_used_max >= std::max<std::uint64_t>(held, peak_));
        peak_ = s.mem_used_max;
        REQUIRE(s.metadata_bytes == held - s.mem_used_total);
        REQUIRE(s.puts == puts_);
        REQUIRE(s.hits == hits_);
        REQUIRE(s.misses == misses_);
        REQUIRE(s.decompress_fail == 0);
        REQUIRE(s.orig_data_size == s.stored_pages * page_size);
        REQUIRE(s.puts == s.stored_pages + s.erased_pages + s.evicted_pages);
        if (step_ % 8 == 0) {
            compare_pools(s);
        }
        if (step_ % 100 == 0) {
            REQUIRE(store_.check());
        }
    }
    void compare_pools(const store_stats& s) {
        std::uint64_t stored = 0, same = 0, huge = 0, data = 0;
        for (const modelled_pool& pool : pools_) {
            const pool_stats p = store_.statistics_of(pool.id).value();
            const auto same_here = static_cast<std::uint64_t>(std::count_if(
                pool.pages.begin(), pool.pages.end(), [](const auto& page) { return page.second.same_filled; }));
            if (pool.is_ephemeral()) {
                REQUIRE(p.stored_pages <= pool.pages.size());
                REQUIRE(p.same_pages <= same_here);
            } else {
                REQUIRE(p.stored_pages == pool.pages.size());
                REQUIRE(p.same_pages == same_here);
                REQUIRE(p.evicted_pages == 0);
            }
            REQUIRE(p.puts == pool.puts);
            REQUIRE(p.hits == pool.hits);
            REQUIRE(p.misses == pool.misses);
            REQUIRE(p.rejected_puts == pool.rejected_puts);
            // What is idle is shared out anew when others erase: a sixteenth at most, of the index an eighth.
            REQUIRE(p.used_bytes - p.used_bytes / 12 <= pool.options.cap_bytes);
            REQUIRE(p.same_pages + p.huge_pages <= p.stored_pages);
            stored += p.stored_pages;
            same += p.same_pages;
            huge += p.huge_pages;
            data += p.compr_data_size;
        }
        REQUIRE(s.stored_pages == stored);
        REQUIRE(s.same_pages == same);
        REQUIRE(s.huge_pages == huge);
        REQUIRE(s.compr_data_size == data);
        REQUIRE(s.allocated_bytes >= data);
        REQUIRE(s.mem_used_total >= s.allocated_bytes);
    }

    void finish() {
        operation_ = "finish";
        for (modelled_pool& pool : pools_) {
            const auto pages = pool.pages;
            for (const auto& [where, page] : pages) {
                expect(pool, {pool.id, where.first, where.second}, page.seed % 2 == 0);
            }
        }
        compare(unlimited);
        while (!pools_.empty()) {
            destroy_pool();
            REQUIRE(store_.check());
        }
        const store_stats s = store_.stats();
        REQUIRE(s.stored_pages == 0);
        REQUIRE(s.allocated_bytes == 0);
        REQUIRE(s.mem_used_total == 0);
        REQUIRE(s.total_bytes == source_.bytes_held());
    }

    plan plan_;
    std::size_t partitions_;
    rng random_;
    std::size_t limit_;
    compress_faults faults_{};
    test_source source_;
    Store<Config> store_;
    std::vector<std::byte> page_, expected_;
    std::vector<modelled_pool> pools_;
    std::vector<pool_id> dead_;
    std::uint64_t puts_ = 0, hits_ = 0, misses_ = 0, peak_ = 0, refusals_before_ = 0;
    unsigned step_ = 0;
    const char* operation_ = "";
};

template <template <class> class Store, class Config>
void run(const plan& p, std::size_t partitions = 1) {
    modelled_store<Store, Config>{p, partitions}.run();
}

} // namespace

TEST_CASE("page_store of 4 KiB pages, probation_clock, one thread, against the model") {
    run<page_store, plain_config>({101, 12000, unlimited, false});
    run<page_store, plain_config>({102, 10000, unlimited, true, true});
    run<page_store, plain_config>({103, 12000, 400'000, true});
    run<page_store, plain_config>({104, 4000, 130'000, true});
}

TEST_CASE("partitioned_store of 4 KiB pages, probation_clock, spin_lock, five pools, against the model") {
    run<partitioned_store, shared_config>({201, 8000, unlimited, true}, 4);
    run<partitioned_store, shared_config>({202, 12000, 2'000'000, true, true}, 3);
    run<partitioned_store, shared_config>({203, 8000, 900'000, false}, 7);
    run<partitioned_store, shared_config>({204, 4000, 250'000, true}, 2);
}

TEST_CASE("page_store of 16 KiB pages, lru, bare lz4, one scratch, against the model") {
    run<page_store, medium_config>({301, 4000, unlimited, true});
    run<page_store, medium_config>({302, 5000, 3'000'000, true, true});
    run<page_store, medium_config>({303, 3000, 300'000, true});
}

TEST_CASE("page_store of 64 KiB pages, fifo, bare zstd, one thread, against the model") {
    run<page_store, large_config>({401, 700, unlimited, true});
    run<page_store, large_config>({402, 1200, 3'000'000, true});
}

TEST_CASE("page_store of 4 KiB pages, clock, against the model") {
    run<page_store, clocked_config>({501, 6000, unlimited, true});
    run<page_store, clocked_config>({502, 10000, 1'500'000, true, true});
    run<page_store, clocked_config>({503, 8000, 400'000, true});
}

TEST_CASE("stores of 4 KiB pages, s3_fifo, clock2q_plus and sieve, against the model") {
    run<partitioned_store, queued_config>({601, 8000, 2'000'000, true, true}, 3);
    run<partitioned_store, queued_config>({602, 4000, 400'000, true}, 2);
    run<page_store, windowed_config>({603, 6000, 1'500'000, true, true});
    run<page_store, windowed_config>({604, 4000, 300'000, true});
    run<partitioned_store, sieved_config>({605, 6000, 2'000'000, true, true}, 3);
    run<partitioned_store, sieved_config>({606, 4000, 400'000, true}, 2);
}

} // namespace model_store
