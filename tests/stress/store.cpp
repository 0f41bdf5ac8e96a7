// SPDX-License-Identifier: MIT

// Threads against one store, for a race detector to watch. Each thread knows what its own pages must hold; of pages that
// all threads write, any version ever put may be read, but a whole one; and meanwhile one thread turns every other knob.

#include "support/rng.hpp"
#include "support/test_source.hpp"
#include "support/versioned_page.hpp"

#include <pagefold/evict/lru.hpp>
#include <pagefold/place/hashed.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace stress_store {

namespace {

using namespace pagefold;
using namespace pagefold::testing;

using page = versioned_page;

/// Looks at the wish, as the policies for machines of several nodes do.
struct wishful : hashed {
    [[nodiscard]] partition_id home(const page_key& key, std::uint64_t hash, node_id wish,
                                    std::size_t count) const noexcept {
        const partition_id id = hashed::home(key, hash, wish, count);
        return wish == any_node ? id : (id + 1) % count;
    }
};
struct small_lru : default_config {
    using eviction_type = lru;
    using place_type = wishful;
    static constexpr unsigned max_scratch = 2; // fewer than threads
    static constexpr unsigned max_pools = 6;
};

constexpr unsigned workers = 3;
constexpr unsigned operations = 8000;
constexpr std::size_t limit = 1'500'000;

template <class Store>
class contest {
public:
    explicit contest(std::size_t partitions)
        : store_{source_, store_options{.limit_bytes = limit, .partitions = partitions}},
          kept_{store_.create_pool().value()},
          cache_{store_.create_pool({.kind = pool_kind::ephemeral, .cap_bytes = 300'000}).value()},
          fleeting_{store_.create_pool().value()} {}

    void run() {
        std::vector<std::thread> threads;
        for (unsigned t = 0; t < workers; ++t) {
            threads.emplace_back([this, t] { work(t); });
        }
        std::thread warden{[this] { turn_knobs(); }};
        for (std::thread& thread : threads) {
            thread.join();
        }
        done_.store(true);
        warden.join();
        CHECK(errors_ == 0);
        CHECK(store_.check());
        const store_stats s = store_.stats();
        CHECK(s.total_bytes == source_.bytes_held());
        CHECK(s.decompress_fail == 0);
        CHECK(s.puts == s.stored_pages + s.erased_pages + s.evicted_pages);
        CHECK(s.hits + s.misses > 1000);
    }

private:
    void expect(bool condition) { errors_ += condition ? 0 : 1; }

    void work(unsigned thread) {
        rng random{thread + 1};
        std::array<std::uint64_t, 80> own{}; // versions; 0 where there is none
        page p{};
        for (unsigned i = 1; i <= operations; ++i) {
            if (random.one_in(2)) {
                work_on_own(thread, random, own, p, i);
            } else if (random.one_in(6)) {
                work_on_fleeting(random, p);
            } else {
                work_on_shared(thread, random, p, i);
            }
        }
        for (std::uint64_t index = 0; index < own.size(); ++index) {
            const status s = store_.get({kept_, thread, index}, p);
            expect(s == (own[index] != 0 ? status::ok : status::not_found));
            expect(s != status::ok || version_of(p, name(thread, index)) == own[index]);
        }
    }
    static std::uint64_t name(std::uint64_t object, std::uint64_t index) { return 1 + object * 1000 + index; }

    void work_on_own(unsigned thread, rng& random, auto& own, page& p, std::uint64_t version) {
        const std::uint64_t index = random.below(own.size());
        const page_key key{kept_, thread, index};
        const std::uint64_t what = random.below(10);
        if (what < 5) {
            describe(p, name(thread, index), version);
            const status s = store_.put(key, p);
            expect(s == status::ok || s == status::limit);
            own[index] = s == status::ok ? version : 0;
        } else if (what < 9) {
            const bool removing = what == 8;
            const status s = removing ? store_.take(key, p) : store_.get(key, p);
            expect(s == (own[index] != 0 ? status::ok : status::not_found));
            expect(s != status::ok || version_of(p, name(thread, index)) == own[index]);
            own[index] = removing ? 0 : own[index];
        } else {
            expect(store_.erase(key) == (own[index] != 0 ? status::ok : status::not_found));
            own[index] = 0;
        }
    }
    void work_on_shared(unsigned thread, rng& random, page& p, std::uint64_t version) {
        const std::uint64_t index = random.below(40);
        const page_key key{random.one_in(2) ? kept_ : cache_, 1000, index};
        const std::uint64_t what = random.below(12);
        if (what < 5) {
            describe(p, name(1000, index), version * workers + thread);
            const status s = store_.put(key, p);
            expect(s == status::ok || s == status::limit);
        } else if (what < 10) {
            const status s = what == 9 ? store_.take(key, p) : store_.get(key, p);
            expect(s == status::ok || s == status::not_found);
            const std::uint64_t found = s == status::ok ? version_of(p, name(1000, index)) : 1;
            expect(found != 0 && found < (operations + 1) * workers);
        } else if (what < 11) {
            expect(store_.erase(key) != status::invalid);
        } else {
            expect(bool{store_.erase_range(key.pool, 1000, index, random.below(10))});
        }
    }
    /// A pool that may be gone at any moment, and another one in its slot.
    void work_on_fleeting(rng& random, page& p) {
        const pool_id pool = fleeting_.load();
        const page_key key{pool, 5, random.below(30)};
        describe(p, static_cast<std::uint64_t>(pool), 1 + key.index);
        const status put = store_.put(key, p);
        expect(put == status::ok || put == status::limit || put == status::invalid);
        const status got = store_.get(key, p);
        expect(got == status::ok || got == status::not_found || got == status::invalid);
        expect(got != status::ok || version_of(p, static_cast<std::uint64_t>(pool)) == 1 + key.index);
        static_cast<void>(store_.statistics_of(pool));
    }

    void turn_knobs() {
        rng random{99};
        while (!done_.load()) {
            switch (random.below(7)) {
            case 0: {
                const store_stats s = store_.stats();
                expect(s.mem_used_max <= limit && s.decompress_fail == 0);
                break;
            }
            case 1: static_cast<void>(store_.shrink(random.below(50'000))); break;
            case 2: static_cast<void>(store_.compact(random.below(100'000))); break;
            case 3: static_cast<void>(store_.resize(limit - random.below(limit / 2))); break;
            case 4: expect(store_.statistics_of(kept_).value().evicted_pages == 0); break;
            default: replace_pool(random); break;
            }
            std::this_thread::yield();
        }
        expect(store_.resize(limit) == status::ok);
    }
    void replace_pool(rng& random) {
        const pool_id last = fleeting_.load();
        expect(store_.destroy_pool(last) == status::ok);
        pool_options options;
        options.kind = random.one_in(2) ? pool_kind::ephemeral : pool_kind::persistent;
        options.node = random.one_in(2) ? any_node : node_id{0};
        options.cap_bytes = random.one_in(2) ? 40'000 : ~std::size_t{0};
        options.reserved_bytes = random.one_in(2) ? 10'000 : 0;
        std::this_thread::yield(); // others find the pool gone
        result<pool_id> next = store_.create_pool(options);
        while (!next) { // the limit may be too low for a record just now
            expect(store_.resize(limit) == status::ok);
            next = store_.create_pool(options);
        }
        expect(*next != last);
        fleeting_.store(*next);
        page p{};
        const status s = store_.get({last, 5, 1}, p);
        expect(s == status::invalid);
    }

    test_source source_;
    Store store_;
    pool_id kept_, cache_;
    std::atomic<pool_id> fleeting_;
    std::atomic<bool> done_{false};
    std::atomic<unsigned> errors_{0};
};

template <class Store>
void race_takers(std::size_t partitions) {
    test_source source;
    Store store{source, store_options{.partitions = partitions}};
    const pool_id pools[] = {store.create_pool().value(), store.create_pool({.kind = pool_kind::ephemeral}).value()};
    constexpr std::uint64_t pages = 150;
    for (std::uint64_t round = 1; round <= 4; ++round) {
        for (std::uint64_t i = 0; i < pages; ++i) {
            page p{};
            describe(p, i + 1, round);
            REQUIRE(store.put({pools[i % 2], i % 3, i}, p) == status::ok);
        }
        std::array<std::atomic<unsigned>, pages> taken{};
        std::atomic<unsigned> errors{0}, waiting{0};
        const auto take_all = [&](bool backwards) {
            page p{};
            ++waiting;
            while (waiting.load() < 3) {
                std::this_thread::yield();
            }
            for (std::uint64_t n = 0; n < pages; ++n) {
                const std::uint64_t i = backwards ? pages - 1 - n : n;
                const status s = store.take({pools[i % 2], i % 3, i}, p);
                taken[i] += s == status::ok ? 1 : 0;
                errors += s == status::ok ? version_of(p, i + 1) != round : s != status::not_found;
            }
        };
        std::thread threads[] = {std::thread{take_all, false}, std::thread{take_all, false},
                                 std::thread{take_all, true}};
        for (std::thread& thread : threads) {
            thread.join();
        }
        CHECK(errors == 0);
        CHECK(std::all_of(taken.begin(), taken.end(), [](const auto& count) { return count == 1; }));
    }
    CHECK(store.stats().stored_pages == 0);
    CHECK(store.check());
}

} // namespace

TEST_CASE("threads on one partition, every knob turned meanwhile") { contest<page_store<default_config>>{1}.run(); }
TEST_CASE("threads on four partitions, every knob turned meanwhile") { contest<partitioned_store<small_lru>>{4}.run(); }
TEST_CASE("of several takers exactly one gets the page") {
    race_takers<page_store<default_config>>(1);
    race_takers<partitioned_store<small_lru>>(3);
}

} // namespace stress_store
