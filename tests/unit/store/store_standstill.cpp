// SPDX-License-Identifier: MIT
//
// Standstill in one thread: who may, what waits, and that nothing is left of it. With threads: tests/stress/fork_guard.cpp.

#include "support/store_configs.hpp"
#include "support/store_fixture.hpp"

#include <pagefold/hosted/std_mutex.hpp>
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace pagefold::testing::unit_store_store_standstill {
namespace {

/// Tells how many there are, and which are held.
struct counted_lock {
    counted_lock() noexcept { ++made; }
    ~counted_lock() { ++gone; }
    void lock() noexcept {
        is_held = true;
        ++held;
    }
    void unlock() noexcept {
        CHECK(is_held);
        is_held = false;
        --held;
    }
    bool is_held = false;
    static inline int made = 0, gone = 0, held = 0;
};
struct counted_locks : default_config {
    using lock_type = counted_lock;
    static constexpr unsigned max_scratch = 3;
};
constexpr std::size_t partitions = 5;
using counted_fixture = store_fixture<partitioned_store<counted_locks>>;

/// Calls out of the store, in the midst of an operation.
struct calling_source {
    explicit calling_source(test_source& behind_it) noexcept : behind{behind_it} {}
    [[nodiscard]] std::size_t page_size() const noexcept { return behind.page_size(); }
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        call();
        return behind.acquire(pages, node);
    }
    void release(void* p, std::size_t pages) noexcept {
        call();
        behind.release(p, pages);
    }
    void call() noexcept {
        if (calls) {
            calls();
        }
    }
    test_source& behind;
    std::function<void()> calls;
};

TEST_CASE("store_standstill: it holds every lock, and none afterwards; the ones in a copy are new") {
    for (const bool alone : {false, true}) {
        counted_lock::made = counted_lock::gone = counted_lock::held = 0;
        counted_fixture f{store_options{.partitions = partitions}};
        const pool_id pool = f.make_pool();
        for (std::uint64_t i = 0; i < 50; ++i) {
            REQUIRE(f.put({pool, i % 3, i}, i) == status::ok);
        }
        const int made = counted_lock::made;
        for (int round = 0; round < 3; ++round) {
            REQUIRE(f.store.quiesce() == status::ok);
            CHECK(counted_lock::held == partitions + 1);
            alone ? f.store.resume_alone() : f.store.resume();
            CHECK(counted_lock::held == 0);
        }
        const int renewed = alone ? 3 * (static_cast<int>(partitions) + 1) : 0;
        CHECK(counted_lock::made - made == renewed);
        CHECK(counted_lock::gone == renewed);
        for (std::uint64_t i = 0; i < 50; ++i) {
            CHECK(f.has({pool, i % 3, i}, i));
        }
        CHECK(f.store.check());
        CHECK(f.store.destroy_pool(pool) == status::ok);
    }
}

TEST_CASE("store_standstill: calls of the same thread meanwhile answer busy, a second standstill too") {
    counted_fixture f{store_options{.partitions = partitions}};
    const pool_id pool = f.make_pool();
    REQUIRE(f.put({pool, 1, 1}, 1) == status::ok);
    REQUIRE(f.store.quiesce() == status::ok);
    CHECK(f.store.quiesce() == status::busy);
    CHECK(f.put({pool, 1, 2}, 2) == status::busy);
    CHECK(f.get({pool, 1, 1}) == status::busy);
    CHECK(f.take({pool, 1, 1}) == status::busy);
    CHECK(f.store.erase({pool, 1, 1}) == status::busy);
    CHECK(f.store.erase_object(pool, 1).error() == status::busy);
    CHECK(f.store.create_pool().error() == status::busy);
    CHECK(f.store.destroy_pool(pool) == status::busy);
    CHECK(f.store.resize(0) == status::busy);
    CHECK(f.store.shrink(1) == 0);
    CHECK(f.store.compact(1) == 0);
    f.store.resume();
    REQUIRE(f.store.resize(~std::size_t{0}) == status::ok);
    CHECK(f.has({pool, 1, 1}, 1));
    CHECK(f.put({pool, 1, 2}, 2) == status::ok);
    CHECK(f.store.check());
}

TEST_CASE("store_standstill: from within an operation it is refused, and nothing happened") {
    test_source behind;
    calling_source source{behind};
    partitioned_store<counted_locks> store{source, {.partitions = partitions, .seed = 1}};
    std::vector<status> answers;
    source.calls = [&] { answers.push_back(store.quiesce()); };
    const pool_id pool = store.create_pool().value(); // the registry's lock, and partitions'
    std::vector<std::byte> page(4096);
    for (std::uint64_t i = 0; i < 200; ++i) { // scratches, and partitions'
        make_page(page, i);
        REQUIRE(store.put({pool, 0, i}, page) == status::ok);
    }
    REQUIRE(store.erase_object(pool, 0).value() == 200);
    static_cast<void>(store.shrink(~std::size_t{0}));
    REQUIRE(answers.size() > 10);
    for (const status s : answers) {
        CHECK(s == status::busy);
    }
    source.calls = nullptr;
    REQUIRE(store.quiesce() == status::ok);
    store.resume();
    CHECK(store.check());
}

TEST_CASE("store_standstill: it waits for a thread that is giving pages back behind its lock") {
    test_source behind;
    calling_source source{behind};
    page_store<default_config> store{source, {.seed = 1}};
    const pool_id pool = store.create_pool().value();
    std::vector<std::byte> page(4096);
    make_page(page, page_kind::random, 1);
    REQUIRE(store.put({pool, 0, 0}, page) == status::ok);
    std::atomic<bool> has_begun{false}, is_given_back{false};
    bool was_given_back = false;
    std::thread other;
    source.calls = [&] {
        if (other.joinable()) {
            return;
        }
        other = std::thread{[&] {
            has_begun = true;
            CHECK(store.quiesce() == status::ok);
            was_given_back = is_given_back;
            store.resume();
        }};
        while (!has_begun) {
            std::this_thread::yield();
        }
        for (int i = 0; i < 2000; ++i) { // a standstill that waits for nothing has all the time to come about
            std::this_thread::yield();
        }
        is_given_back = true;
    };
    REQUIRE(store.erase({pool, 0, 0}) == status::ok);
    REQUIRE(other.joinable()); // a raw page has pages of its own, which went back
    other.join();
    CHECK(was_given_back);
    source.calls = nullptr;
    CHECK(store.destroy_pool(pool) == status::ok);
}

/// A codec that calls out, while no lock is held and a scratch is.
struct calling_codec : default_config::compressor_type {
    using base = default_config::compressor_type;
    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        if (calls) {
            calls();
        }
        return base::compress(in, out, scratch);
    }
    static inline std::function<void()> calls;
};
struct calling_codecs : counted_locks {
    using compressor_type = calling_codec;
};

TEST_CASE("store_standstill: from within a codec it is refused, and gives back what it had") {
    store_fixture<partitioned_store<calling_codecs>> f{store_options{.partitions = 2}};
    const pool_id pool = f.make_pool();
    counted_lock::held = 0;
    status answer = status::ok;
    calling_codec::calls = [&] { answer = f.store.quiesce(); };
    CHECK(f.put({pool, 0, 0}, 3) == status::ok);
    calling_codec::calls = nullptr;
    CHECK(answer == status::busy);
    CHECK(counted_lock::held == 0);
    CHECK(f.store.destroy_pool(f.make_pool()) == status::ok);
    REQUIRE(f.store.quiesce() == status::ok);
    f.store.resume();
    CHECK(f.has({pool, 0, 0}, 3));
}

struct parked_codecs : default_config {
    using compressor_type = calling_codec;
};

TEST_CASE(
    "store_standstill: from within a codec nobody waits for who stands still, and waits for the codec's scratch") {
    store_fixture<partitioned_store<parked_codecs>> f{store_options{.partitions = 2}};
    const pool_id pool = f.make_pool(), other = f.make_pool();
    std::thread still;
    std::vector<status> answers;
    calling_codec::calls = [&] {
        // Before there is such a one, and perhaps with it.
        for (unsigned round = 0; round < 2; ++round) {
            answers.push_back(f.store.quiesce());
            answers.push_back(f.store.create_pool().error());
            answers.push_back(f.store.set_node(pool, node_id{0}));
            answers.push_back(f.store.destroy_pool(other));
            if (round == 0) {
                still = std::thread{[&] {
                    if (f.store.quiesce() == status::ok) {
                        f.store.resume();
                    }
                }};
                for (unsigned i = 0; i < 1000; ++i) {
                    std::this_thread::yield();
                }
            }
        }
    };
    CHECK(f.put({pool, 0, 0}, 3) == status::ok);
    calling_codec::calls = nullptr;
    still.join();
    CHECK(answers == std::vector<status>(8, status::busy));
    CHECK(f.has({pool, 0, 0}, 3));
    CHECK(f.store.destroy_pool(other) == status::ok);
}

TEST_CASE("store_standstill: before the first pool, and of a store for one thread") {
    store_fixture<page_store<unlocked_config>> f;
    REQUIRE(f.store.quiesce() == status::ok);
    f.store.resume();
    REQUIRE(f.store.quiesce() == status::ok);
    f.store.resume_alone();
    const pool_id pool = f.make_pool();
    for (const bool alone : {false, true}) {
        REQUIRE(f.put({pool, 0, 0}, 3) == status::ok);
        REQUIRE(f.store.quiesce() == status::ok);
        CHECK(f.get({pool, 0, 0}) == status::busy);
        alone ? f.store.resume_alone() : f.store.resume();
        CHECK(f.has({pool, 0, 0}, 3));
    }
    CHECK(f.store.check());
}

/// Lets the test in while a pool is being destroyed.
struct calling_lock : counted_lock {
    void lock() noexcept {
        if (calls) {
            calls();
        }
        counted_lock::lock();
    }
    static inline std::function<void()> calls;
};
/// Another thread, played by this one.
struct played_threads : spin_parking {
    static inline std::uintptr_t caller = 1;
    [[nodiscard]] static std::uintptr_t self() noexcept { return caller; }
};
struct calling_locks : default_config {
    using lock_type = calling_lock;
    using parking_type = played_threads;
};

TEST_CASE("store_standstill: a pool that is being destroyed is gone in the copy, and its slot serves again") {
    // Of the copy there is only the thread that made it; here the other one goes on afterwards, and finds nothing to do.
    for (int stop = 0; stop < 8; ++stop) {
        store_fixture<partitioned_store<calling_locks>> f{store_options{.partitions = 2}};
        const pool_id kept = f.make_pool(), dying = f.make_pool();
        for (std::uint64_t i = 0; i < 300; ++i) {
            REQUIRE(f.put({dying, i, i}, i) == status::ok);
        }
        REQUIRE(f.put({kept, 0, 0}, 7) == status::ok);
        int locks = 0;
        bool was_copied = false;
        calling_lock::calls = [&] {
            if (++locks == stop + 2) { // after the pool was retired, at any lock from there on
                was_copied = true;
                played_threads::caller = 2;
                REQUIRE(f.store.quiesce() == status::ok);
                f.store.resume_alone();
                CHECK(f.store.stats().stored_pages == 1);
                CHECK(f.has({kept, 0, 0}, 7));
                CHECK(f.store.check());
                played_threads::caller = 1;
            }
        };
        CHECK(f.store.destroy_pool(dying) == status::ok);
        calling_lock::calls = nullptr;
        CHECK(was_copied);
        CHECK(f.store.check());
        played_threads::caller = 1;
    }
}

} // namespace
} // namespace pagefold::testing::unit_store_store_standstill
