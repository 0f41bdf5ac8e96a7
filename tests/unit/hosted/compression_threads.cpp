// SPDX-License-Identifier: MIT
#include <pagefold/hosted/compression_threads.hpp>

#include "support/pages.hpp"
#include "support/sanitized.hpp"
#include "support/store_configs.hpp"

#include <pagefold/hosted/fork_guard.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/deferred_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <sched.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace pagefold::testing::unit_hosted_compression_threads {
namespace {

using store_type = partitioned_store<mutex_config>;
using queue_type = deferred_store<store_type>;
using threads_type = compression_threads<queue_type>;

struct served {
    explicit served(std::size_t pages = 64) : queue{store, {.queue_bytes = pages * 4096}} {}
    status put(std::uint64_t index, std::uint64_t seed) {
        make_page(page, kind_of(seed), seed);
        return queue.put({pool, 0, index}, page);
    }
    bool has(std::uint64_t index, std::uint64_t seed) {
        make_page(page, kind_of(seed), seed);
        return queue.get({pool, 0, index}, out) == status::ok && out == page;
    }
    /// Until the threads have stored everything; a test that hangs here has found something.
    void wait() {
        while (queue.stats().queued_pages != 0) {
            std::this_thread::yield();
        }
    }

    mmap_source<> source;
    store_type store{source, {.partitions = 2}};
    queue_type queue;
    pool_id pool = queue.create_pool().value();
    std::vector<std::byte> page = std::vector<std::byte>(4096), out = std::vector<std::byte>(4096);
};

TEST_CASE("compression_threads: they store what is put, a single page and many, and sleep in between") {
    served s;
    threads_type threads{s.queue};
    CHECK_FALSE(threads.is_running());
    CHECK(threads.size() == 0);
    CHECK(threads.start({.threads = 2, .linger_us = 200}) == status::ok);
    CHECK(threads.is_running());
    CHECK(threads.size() == 2);
    CHECK(threads.start() == status::invalid); // they run
    for (std::uint64_t round = 0; round < 20; ++round) {
        for (std::uint64_t i = 0; i < (round % 2 == 0 ? 1u : 150u); ++i) {
            CHECK(s.put(i, round * 1000 + i) == status::ok);
        }
        s.wait();
        CHECK(s.queue.stats().queued_pages == 0);
    }
    CHECK(s.has(0, 19'000));
    CHECK(s.has(149, 19'149));
    CHECK(s.queue.stats().worker_puts > 20);
    CHECK(threads.wakes() > 0);
    CHECK(threads.stop() == status::ok);
    CHECK_FALSE(threads.is_running());
    CHECK(s.queue.check());
}

TEST_CASE("compression_threads: to stop flushes, or leaves what there is") {
    served s;
    threads_type threads{s.queue};
    CHECK(threads.stop() == status::ok); // none run
    // Nobody comes back from the first page's lingering before the end.
    const compression_threads_options slow{.linger_us = 60'000'000, .burst_pages = 1000};
    CHECK(threads.start(slow) == status::ok);
    CHECK(s.put(1, 1) == status::ok);
    CHECK(s.put(2, 2) == status::ok);
    CHECK(threads.stop(false) == status::ok);
    CHECK(s.has(1, 1));
    CHECK(s.has(2, 2));
    CHECK(threads.start(slow) == status::ok);
    CHECK(s.put(3, 3) == status::ok);
    CHECK(threads.stop() == status::ok);
    CHECK(s.queue.stats().queued_pages == 0);
    CHECK(s.store.stats().stored_pages == 3);
    {
        threads_type others{s.queue};
        CHECK(others.start({.threads = 3}) == status::ok);
        CHECK(s.put(4, 4) == status::ok);
    } // and so does their end
    CHECK(s.has(4, 4));
    CHECK(s.queue.check());
}

TEST_CASE("compression_threads: pages that were refused are tried again, though nobody puts any") {
    static_assert(compression_threads_options{}.retry_us() == 50'000);
    static_assert(compression_threads_options{.retry_ms = 0}.retry_us() == 1000);
    static_assert(compression_threads_options{.retry_ms = 0xffffffffu}.retry_us() == 0xffffffffu * std::uint64_t{1000});
    served s;
    const pool_id small = s.queue.create_pool({.cap_bytes = 40'000}).value();
    threads_type threads{s.queue};
    CHECK(threads.start({.linger_us = 0, .retry_ms = 0}) == status::ok);
    for (std::uint64_t i = 0; i < 12; ++i) { // three or four more than the cap lets in
        make_page(s.page, page_kind::random, i);
        CHECK(s.queue.put({small, 0, i}, s.page) == status::ok);
    }
    while (s.queue.waiting_pages() != 0 || s.queue.held_pages() == 0) {
        std::this_thread::yield();
    }
    CHECK(s.store.erase_object(small, 0).value() > 4); // behind the queue's back, which has the others
    s.wait();
    CHECK(threads.stop() == status::ok);
    CHECK(s.queue.check());
}

TEST_CASE("compression_threads: numbers and processors that can't be are invalid, and nothing runs") {
    served s;
    threads_type threads{s.queue};
    CHECK(threads.start({.threads = 0}) == status::invalid);
    CHECK(threads.start({.threads = most_compression_threads + 1}) == status::invalid);
    const unsigned here = static_cast<unsigned>(sched_getcpu());
    for (const unsigned wrong : {1023u, 4'000'000'000u}) { // one that no such machine has, and no number of one
        const unsigned processors[] = {here, wrong};
        CHECK(threads.start({.threads = 2, .processors = processors}) == status::invalid);
        CHECK_FALSE(threads.is_running());
    }
    const unsigned processors[] = {here, here};
    CHECK(threads.start({.threads = 2, .processors = processors}) == status::ok);
    CHECK(s.put(1, 1) == status::ok);
    s.wait();
    CHECK(threads.stop() == status::ok);
}

struct refusing_calls {
    static inline unsigned left = 0;
    static int create(pthread_t* thread, const pthread_attr_t* how, void* (*body)(void*), void* argument) noexcept {
        if (left == 0) {
            return EAGAIN;
        }
        --left;
        return pthread_create(thread, how, body, argument);
    }
};

TEST_CASE("compression_threads: where the system refuses a thread, none stay") {
    served s;
    compression_threads<queue_type, refusing_calls> threads{s.queue};
    for (const unsigned allowed : {0u, 1u, 3u}) {
        refusing_calls::left = allowed;
        CHECK(threads.start({.threads = 4}) == status::no_memory);
        CHECK_FALSE(threads.is_running());
        CHECK(s.put(allowed, 1) == status::ok);
        CHECK(s.queue.waiting_pages() == 1);
        CHECK(s.queue.work(1) == 1);
    }
    refusing_calls::left = 4;
    CHECK(threads.start({.threads = 4}) == status::ok);
    CHECK(threads.size() == 4);
    CHECK(threads.stop() == status::ok);
}

TEST_CASE("compression_threads: more than there are processors, behind more who put") {
    served s{16};
    threads_type threads{s.queue};
    CHECK(threads.start({.threads = 24, .linger_us = 0}) == status::ok);
    std::vector<std::thread> putters;
    std::atomic<unsigned> failed{0};
    for (std::uint64_t t = 0; t < 6; ++t) {
        putters.emplace_back([&, t] {
            std::vector<std::byte> page(4096);
            for (std::uint64_t i = 0; i < 300; ++i) {
                make_page(page, page_kind::text, t * 1000 + i % 7);
                failed += s.queue.put({s.pool, i % 3 == 0 ? 0 : t + 1, i % 50}, page) != status::ok ? 1u : 0u;
            }
        });
    }
    for (std::thread& t : putters) {
        t.join();
    }
    CHECK(failed == 0);
    CHECK(threads.stop() == status::ok);
    CHECK(s.queue.stats().queued_pages == 0);
    CHECK(s.queue.check());
}

TEST_CASE("compression_threads: a child of the process has the queue, and no threads") {
    served s;
    const fork_guard source_guard{s.source};
    const fork_guard store_guard{s.store};
    const fork_guard queue_guard{s.queue};
    threads_type threads{s.queue};
    compression_threads<queue_type, refusing_calls> refused{s.queue};
    refusing_calls::left = 1;
    CHECK(refused.start() == status::ok);
    CHECK(threads.start({.threads = 2, .linger_us = 0}) == status::ok);
    for (std::uint64_t round = 0; round < 10; ++round) {
        for (std::uint64_t i = 0; i < 60; ++i) {
            CHECK(s.put(i, round * 100 + i) == status::ok);
        }
        const pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            bool good = queue_guard.is_usable() && store_guard.is_usable() && !threads.is_running();
            for (std::uint64_t i = 0; i < 60; ++i) {
                good = good && s.has(i, round * 100 + i);
            }
            good = good && s.put(99, 5) == status::ok;
            refusing_calls::left = 0;
            good = good && refused.start() == status::no_memory && refused.stop(false) == status::ok;
            if (may_start_threads_in_child && round % 2 != 0) {
                good = good && threads.start({.threads = 2}) == status::ok;
            }
            good = good && s.put(98, 5) == status::ok && threads.stop() == status::ok && s.has(98, 5);
            good = good && s.queue.stats().queued_pages == 0 && s.queue.check();
            for (std::uint64_t i = 0; i < 60; ++i) {
                good = good && s.has(i, round * 100 + i);
            }
            _exit(good ? 0 : 1);
        }
        int how = 0;
        CHECK(waitpid(child, &how, 0) == child);
        CHECK(WIFEXITED(how));
        CHECK(WEXITSTATUS(how) == 0);
    }
    CHECK(threads.stop() == status::ok);
    CHECK(s.queue.check());
}

} // namespace
} // namespace pagefold::testing::unit_hosted_compression_threads
