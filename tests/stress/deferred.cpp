// SPDX-License-Identifier: MIT

// Threads on shared pages of one queue of puts, and others that work it off, over a source that refuses, while the limit
// goes up and down and pools come and go; and the oracle of stress/store_oracle.cpp, that knows of every read what it may have
// brought.
#include "support/environment.hpp"
#include "support/oracle_source.hpp"
#include "support/pages.hpp"
#include "support/rng.hpp"
#include "support/store_configs.hpp"
#include "support/store_contest.hpp"
#include "support/tsan_ordered.hpp"

#include <pagefold/hosted/fork_guard.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/deferred_store.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace stress_deferred {
namespace {

using namespace pagefold;
using namespace pagefold::testing;

template <class Store>
class contested_queue final : public contested_store {
public:
    contested_queue(oracle_source& source, const store_options& options, const deferred_options& queue,
                    unsigned workers)
        : store_{source, options}, queue_{store_, queue} {
        for (unsigned i = 0; i < workers; ++i) {
            threads_.emplace_back([this, i] { work(i); });
        }
    }
    ~contested_queue() override {
        ends_ = true;
        for (std::thread& t : threads_) {
            t.join();
        }
    }
    contested_queue(const contested_queue&) = delete;
    contested_queue& operator=(const contested_queue&) = delete;

    /// Workers rest, and the queue holds what the store does not take.
    void rest(bool rests) {
        rests_ = rests;
        while (rests && busy_ != 0) {
            std::this_thread::yield();
        }
        if (rests) {
            static_cast<void>(queue_.flush());
        }
    }

    result<pool_id> create_pool(const pool_options& options) override { return queue_.create_pool(options); }
    status destroy_pool(pool_id id) override { return queue_.destroy_pool(id); }
    status set_node(pool_id id, node_id node, std::size_t work) override {
        return store_.set_node(id, node, false, work);
    }
    status put(const page_key& key, byte_view page) override { return queue_.put(key, page); }
    status get(const page_key& key, byte_span out) override { return queue_.get(key, out); }
    status take(const page_key& key, byte_span out) override { return queue_.take(key, out); }
    status erase(const page_key& key) override { return queue_.erase(key); }
    result<std::size_t> erase_object(pool_id pool, std::uint64_t object) override {
        return queue_.erase_object(pool, object);
    }
    result<std::size_t> erase_range(pool_id pool, std::uint64_t object, std::uint64_t first,
                                    std::uint64_t count) override {
        return queue_.erase_range(pool, object, first, count);
    }
    status resize(std::size_t bytes) override { return queue_.resize(bytes); }
    std::size_t shrink(std::size_t bytes) override { return queue_.shrink(bytes); }
    std::size_t compact(std::size_t bytes) override { return store_.compact(bytes); }
    [[nodiscard]] store_stats stats() const override {
        store_stats s = store_.stats();
        const std::uint64_t queued = queue_.stats().queued_pages;
        s.stored_pages += queued;
        s.puts += queued;
        return s;
    }
    [[nodiscard]] result<pool_stats> statistics_of(pool_id id) const override { return store_.statistics_of(id); }
    [[nodiscard]] bool check() const override { return queue_.check(); }
    [[nodiscard]] deferred_stats queue_stats() const { return queue_.stats(); }

private:
    void work(unsigned number) {
        while (!ends_) {
            ++busy_;
            const std::size_t done = rests_ ? 0 : queue_.work(1 + number % 3 * 7);
            --busy_;
            if (done == 0) {
                std::this_thread::sleep_for(std::chrono::microseconds{rests_ ? 500 : 20});
            }
        }
    }

    Store store_;
    deferred_store<Store> queue_;
    std::atomic<bool> ends_{false}, rests_{false};
    std::atomic<unsigned> busy_{0};
    std::vector<std::thread> threads_;
};

template <class Store>
void contend(unsigned threads, unsigned workers, std::size_t pages, std::size_t shards, std::uint64_t operations) {
    CAPTURE(pages);
    contest_plan plan;
    plan.seed = number_from("PAGEFOLD_ORACLE_SEED", 1);
    plan.threads = threads;
    plan.operations = in_part(PAGEFOLD_TEST_TSAN ? operations / 8 : operations);
    plan.limit = 1'000'000 + (threads + workers) * 46'000 + pages * 4096;
    oracle_source source{plan.seed};
    contest_tally tally;
    deferred_stats queued{};
    {
        contested_queue<Store> queue{source,
                                     {.limit_bytes = plan.limit, .partitions = 4},
                                     {.queue_bytes = pages * 4096, .shards = shards},
                                     workers};
        plan.on_rest = [&](bool rests) { queue.rest(rests); };
        store_contest contest{plan, queue, source};
        contest.run();
        tally = contest.tally();
        queued = queue.queue_stats();
        CHECK_MESSAGE(contest.report().count() == 0, "\n", contest.report().text());
    }
    CHECK(source.bytes_held() == 0);
    MESSAGE(threads, " threads, ", workers, " workers, ", pages, " pages: ", tally.text(), "\n  deferred ",
            queued.deferred_puts, ", by workers ", queued.worker_puts, ", direct ", queued.direct_puts, ", superseded ",
            queued.superseded_pages, ", refused ", queued.refused_tries, ", dropped ", queued.dropped_pages, ", hits ",
            queued.queue_hits);
    CHECK((queued.deferred_puts != 0) == (pages != 0));
    CHECK((queued.superseded_pages != 0) == (pages != 0));
    CHECK(queued.direct_puts != 0);
    CHECK((queued.worker_puts != 0) == (pages != 0));
}

TEST_CASE("deferred: a queue is to its users as a store that does all at once") {
    contend<page_store<mutex_config>>(4, 2, 64, 4, 160'000);
    contend<partitioned_store<mutex_config>>(8, 8, 16, 2, 120'000); // more workers than processors
}
TEST_CASE("deferred: queues of one page and of none, and workers that never come") {
    contend<page_store<mutex_config>>(4, 2, 1, 0, 60'000);
    contend<page_store<mutex_config>>(4, 1, 0, 0, 30'000);
    contend<page_store<mutex_config>>(3, 0, 24, 3, 60'000);
}

#if !PAGEFOLD_TEST_TSAN // which does not follow into a child
TEST_CASE("deferred: a copy of the process, made at any moment, has every page whole, and goes on") {
    mmap_source<> source;
    page_store<mutex_config> store{source, {.seed = 1}};
    deferred_store<page_store<mutex_config>> queue{store, {.queue_bytes = 24 * 4096, .shards = 2, .seed = 1}};
    const fork_guard source_guard{source};
    const fork_guard store_guard{store};
    const fork_guard queue_guard{queue};
    const pool_id pool = queue.create_pool().value();
    constexpr std::uint64_t keys = 40;
    std::atomic<bool> ends{false};
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t < 3; ++t) {
        threads.emplace_back([&, t] {
            std::vector<std::byte> page(4096);
            rng random{t};
            while (!ends) {
                const std::uint64_t i = random.below(keys);
                make_page(page, page_kind::text, i * 8 + random.below(8));
                switch (random.below(8)) {
                case 0: static_cast<void>(queue.erase({pool, 0, i})); break;
                case 1: static_cast<void>(queue.take({pool, 0, i}, page)); break;
                case 2: static_cast<void>(queue.erase_range(pool, 0, i, 3)); break;
                case 3: static_cast<void>(queue.trim()); break;
                default: static_cast<void>(queue.put({pool, 0, i}, page)); break;
                }
            }
        });
        threads.emplace_back([&] {
            while (!ends) {
                queue.work(3);
            }
        });
    }
    const unsigned forks = in_part(60u);
    for (unsigned n = 0; n < forks; ++n) {
        const pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            alarm(60); // one that waits for ever
            std::vector<std::byte> out(4096), page(4096);
            bool good = queue_guard.is_usable() && store_guard.is_usable() && queue.check();
            for (const bool is_flushed : {false, true}) {
                good = good && (!is_flushed || (queue.flush() == status::ok && queue.stats().queued_pages == 0));
                for (std::uint64_t i = 0; i < keys && good; ++i) {
                    const status s = queue.get({pool, 0, i}, out);
                    bool is_one = s == status::not_found;
                    for (std::uint64_t version = 0; version < 8 && s == status::ok && !is_one; ++version) {
                        make_page(page, page_kind::text, i * 8 + version);
                        is_one = page == out;
                    }
                    good = is_one;
                }
            }
            good = good && queue.put({pool, 0, 0}, page) == status::ok && queue.check();
            _exit(good ? 0 : 1);
        }
        int how = 0;
        CHECK(waitpid(child, &how, 0) == child);
        CHECK_UNARY(WIFEXITED(how));
        CHECK(WEXITSTATUS(how) == 0);
    }
    ends = true;
    for (std::thread& t : threads) {
        t.join();
    }
    CHECK(queue.check());
}
#endif

} // namespace
} // namespace stress_deferred
