// SPDX-License-Identifier: MIT

// Threads that work by batches beside threads that work page by page, on the same pages, while the store is compacted and shrunk:
// every page that is read is one that was put under its key.

#include "support/environment.hpp"
#include "support/pages.hpp"
#include "support/rng.hpp"
#include "support/test_source.hpp"

#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace stress_store_batch {
namespace {

using namespace pagefold;
using namespace pagefold::testing;
using bytes = std::vector<std::byte>;

constexpr std::uint64_t indexes = 400, versions = 2;

/// The pages that a key can have.
class catalogue {
public:
    catalogue() {
        for (std::uint64_t i = 0; i < indexes * versions; ++i) {
            pages_.push_back(page_of(4096, i));
        }
    }
    [[nodiscard]] const bytes& page(std::uint64_t index, std::uint64_t version) const {
        return pages_[index * versions + version];
    }
    [[nodiscard]] bool has(std::uint64_t index, const bytes& out) const {
        return out == page(index, 0) || out == page(index, 1);
    }

private:
    std::vector<bytes> pages_;
};

using store_type = partitioned_store<default_config>;

struct worker {
    store_type& store;
    const catalogue& known;
    pool_id pools[2];
    std::atomic<unsigned>& wrong;

    [[nodiscard]] page_key any(rng& random) const { return {pools[random.below(2)], 1, random.below(indexes)}; }
    void judge(const page_key& key, status s, const bytes& out) const {
        const bool is_right = s == status::ok ? known.has(key.index, out) : s == status::not_found;
        wrong += is_right ? 0 : 1;
    }
    void by_batches(std::uint64_t seed, unsigned turns) const {
        rng random{seed};
        std::vector<bytes> outs(48, bytes(4096));
        for (unsigned t = 0; t < turns; ++t) {
            const std::size_t count = 1 + random.below(48);
            const std::uint64_t first = random.below(indexes - 48);
            const bool is_run = random.one_in(2);
            std::vector<page_request> reads(count);
            std::vector<put_request> puts(count);
            std::vector<erase_request> erasures(count);
            for (std::size_t i = 0; i < count; ++i) {
                page_key key = any(random);
                key.index = is_run ? first + i : key.index;
                reads[i] = {key, outs[i]};
                puts[i] = {key, known.page(key.index, random.below(versions))};
                erasures[i] = {key};
            }
            switch (random.below(6)) {
            case 0:
            case 1: store.put_many(puts.data(), count); break;
            case 2: store.erase_many(erasures.data(), count); break;
            case 3:
                store.take_many(reads.data(), count);
                judge_all(reads, outs);
                break;
            default:
                store.get_many(reads.data(), count);
                judge_all(reads, outs);
                break;
            }
            for (const put_request& one : puts) {
                wrong += one.outcome == status::corrupt ? 1 : 0;
            }
        }
    }
    void judge_all(const std::vector<page_request>& reads, const std::vector<bytes>& outs) const {
        for (std::size_t i = 0; i < reads.size(); ++i) {
            judge(reads[i].key, reads[i].outcome, outs[i]);
        }
    }
    void one_by_one(std::uint64_t seed, unsigned turns) const {
        rng random{seed};
        bytes out(4096);
        for (unsigned t = 0; t < turns; ++t) {
            const page_key key = any(random);
            switch (random.below(8)) {
            case 0:
            case 1:
            case 2: static_cast<void>(store.put(key, known.page(key.index, random.below(versions)))); break;
            case 3: static_cast<void>(store.erase(key)); break;
            case 4: judge(key, store.take(key, out), out); break;
            default: judge(key, store.get(key, out), out); break;
            }
            if (t % 512 == 0) {
                static_cast<void>(store.compact(std::size_t{64} << 10));
                static_cast<void>(store.shrink(std::size_t{16} << 10));
            }
        }
    }
};

TEST_CASE("store_batch stress: batches beside single operations on the same pages") {
    const catalogue known;
    for (const std::uint32_t partitions : {1u, 5u}) {
        CAPTURE(partitions);
        test_source source;
        store_type store{source, {.limit_bytes = std::size_t{5500} << 10, .partitions = partitions, .seed = 1}};
        const pool_id ballast = store.create_pool().value(); // as batches look ahead in larger stores only
        for (std::uint64_t i = 0; i < 1100; ++i) {
            REQUIRE(store.put_raw({ballast, 1, i}, page_of(4096, page_kind::random, i)) == status::ok);
        }
        const pool_id pools[] = {store.create_pool().value(),
                                 store.create_pool({.kind = pool_kind::ephemeral}).value()};
        std::atomic<unsigned> wrong{0};
        const worker w{store, known, {pools[0], pools[1]}, wrong};
        const unsigned turns = in_part(1500u);
        std::vector<std::thread> threads;
        for (unsigned n = 0; n < 3; ++n) {
            threads.emplace_back([&w, n, turns] { w.by_batches(n, turns); });
        }
        for (unsigned n = 0; n < 2; ++n) {
            threads.emplace_back([&w, n, turns] { w.one_by_one(n + 10, turns * 16); });
        }
        for (std::thread& one : threads) {
            one.join();
        }
        CHECK(wrong.load() == 0);
        CHECK(store.check());
    }
}

} // namespace
} // namespace stress_store_batch
