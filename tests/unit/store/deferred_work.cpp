// SPDX-License-Identifier: MIT
#include <pagefold/store/deferred_work.hpp>

#include "support/deferred_fixture.hpp"
#include "support/store_configs.hpp"

#include <pagefold/admit/ratio.hpp>
#include <pagefold/compress/page_delta.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

namespace pagefold::testing::unit_store_deferred_work {
namespace {

using fixture = deferred_fixture<>;

/// Does something once, in the midst of the next put that compresses.
struct once : interrupted_compressor::scope {
    template <class F>
    explicit once(F f)
        : scope{[this, f]() mutable {
              if (!has_come) {
                  has_come = true;
                  f();
              }
          }} {}
    bool has_come = false;
};

TEST_CASE("deferred work: a page that changes while it is compressed is stored as it is in the end") {
    fixture f{8};
    const pool_id pool = f.make_pool();
    const page_key key{pool, 0, 0};
    for (const std::uint64_t before :
         {std::uint64_t{0}, std::uint64_t{1}}) { // without and with an older one in the store
        CAPTURE(before);
        SUBCASE("put") {
            CHECK(f.put(key, page_kind::text, 1) == status::ok);
            const once during{[&] {
                CHECK(f.put(key, page_kind::text, 2) == status::ok);
                CHECK(f.has(key, page_kind::text, 2));
                CHECK(f.put(key, page_kind::text, 3) == status::ok);
            }};
            CHECK(f.queue.work(1) == 1);
            CHECK(during.has_come);
            CHECK(f.has(key, page_kind::text, 3));
            CHECK(f.queue.waiting_pages() == 1);
            CHECK(f.queue.work(5) == 1);
            CHECK(f.queue.stats().queued_pages == 0);
            CHECK(f.has(key, page_kind::text, 3));
        }
        SUBCASE("erase") {
            CHECK(f.put(key, page_kind::text, 1) == status::ok);
            const once during{[&] {
                CHECK(f.queue.erase(key) == status::ok);
                CHECK(f.lacks(key));
                CHECK(f.queue.erase(key) == status::not_found);
                CHECK(f.take(key) == status::not_found);
                CHECK(f.queue.contains(key) == status::not_found);
                deferred_cursor cursor{.pages = {.pool = pool}}; // though the store may have it still
                walked_page one;
                CHECK(f.queue.walk(cursor, &one, 1).value() == 0);
            }};
            f.queue.work(1);
            CHECK(during.has_come);
            CHECK(f.lacks(key));
            CHECK(f.store.stats().stored_pages == 0);
        }
        SUBCASE("take, and put again") {
            CHECK(f.put(key, page_kind::text, 1) == status::ok);
            const once during{[&] {
                CHECK(f.take(key) == status::ok);
                CHECK(f.got(page_kind::text, 1));
                CHECK(f.take(key) == status::not_found);
                CHECK(f.put(key, page_kind::text, 4) == status::ok);
            }};
            f.queue.work(1);
            CHECK(during.has_come);
            CHECK(f.has(key, page_kind::text, 4));
            CHECK(f.queue.flush() == status::ok);
            CHECK(f.has(key, page_kind::text, 4));
        }
        SUBCASE("range") {
            CHECK(f.put(key, page_kind::text, 1) == status::ok);
            CHECK(f.put({pool, 0, 1}, page_kind::text, 1) == status::ok);
            CHECK(f.store.put({pool, 0, 9}, std::vector<std::byte>(4096)) == status::ok);
            const once during{[&] {
                CHECK(f.queue.erase_object(pool, 0).value() == 3);
                CHECK(f.lacks(key));
            }};
            f.queue.work(1);
            CHECK(during.has_come);
            CHECK(f.queue.flush() == status::ok);
            CHECK(f.lacks(key));
            CHECK(f.lacks({pool, 0, 1}));
            CHECK(f.store.stats().stored_pages == 0);
        }
        SUBCASE("the end of its pool") {
            const pool_id brief = f.make_pool();
            CHECK(f.put({brief, 0, 0}, page_kind::text, 1) == status::ok);
            CHECK(f.put({brief, 0, 1}, page_kind::text, 1) == status::ok);
            const once during{[&] {
                CHECK(f.queue.destroy_pool(brief) == status::busy); // by this thread; another may
                std::thread other{[&] {
                    CHECK(f.queue.destroy_pool(brief) == status::ok);
                    CHECK(f.get({brief, 0, 0}) == status::invalid);
                    CHECK(f.get({brief, 0, 1}) == status::invalid);
                    const pool_id next = f.make_pool(); // in its place
                    CHECK(f.lacks({next, 0, 0}));
                    CHECK(f.queue.destroy_pool(next) == status::ok);
                }};
                other.join();
            }};
            f.queue.work(1);
            CHECK(during.has_come);
            CHECK(f.queue.stats().queued_pages == 0);
            CHECK(f.queue.stats().dropped_pages == 2 * (before + 1));
        }
        CHECK(f.queue.check());
        if (before == 0) {
            CHECK(f.put(key, page_kind::text, 100) == status::ok);
            CHECK(f.queue.flush() == status::ok);
        }
    }
}

TEST_CASE("deferred work: no slot comes for a key while somebody puts its page past the queue") {
    fixture f{1};
    const pool_id pool = f.make_pool();
    CHECK(f.put({pool, 0, 9}, page_kind::text, 9) == status::ok);
    const once during{[&] {
        CHECK(f.queue.erase({pool, 0, 9}) == status::ok);
        CHECK(f.put({pool, 0, 0}, page_kind::text, 2) == status::ok);
        CHECK(f.queue.stats().direct_puts == 2);
        CHECK(f.queue.waiting_pages() == 0);
        CHECK(f.put({pool, 0, 1}, page_kind::text, 3) == status::ok); // of another there is one
        CHECK(f.queue.waiting_pages() == 1);
    }};
    CHECK(f.put({pool, 0, 0}, page_kind::text, 1) == status::ok);
    CHECK(during.has_come);
    CHECK(f.has({pool, 0, 0}, page_kind::text, 1)); // it began before the other, and ended behind it
    CHECK(f.queue.work(5) == 1);
    CHECK(f.put({pool, 0, 0}, page_kind::text, 4) == status::ok);
    CHECK(f.queue.waiting_pages() == 1); // now there may be one
    CHECK(f.has({pool, 0, 0}, page_kind::text, 4));
    CHECK(f.queue.check());
}

TEST_CASE("deferred work: what interrupts the same thread's work does none, and says busy where it would wait") {
    fixture f{8};
    const pool_id pool = f.make_pool();
    CHECK(f.put({pool, 0, 0}, page_kind::text, 1) == status::ok);
    CHECK(f.put({pool, 0, 1}, page_kind::text, 1) == status::ok);
    const once during{[&] {
        CHECK(f.queue.work(5) == 0);
        CHECK(f.queue.flush() == status::busy);
        CHECK(f.queue.quiesce() == status::busy);
    }};
    CHECK(f.queue.work(5) == 2);
    CHECK(during.has_come);
    CHECK(f.queue.quiesce() == status::ok);
    CHECK(f.queue.quiesce() == status::busy);
    CHECK(f.put({pool, 0, 2}, 1) == status::busy);
    CHECK(f.get({pool, 0, 0}) == status::ok); // finds no slot, and the store does not stand still
    CHECK(f.queue.erase({pool, 0, 0}) == status::busy);
    CHECK(f.take({pool, 0, 0}) == status::busy);
    CHECK(f.queue.destroy_pool(pool) == status::busy);
    CHECK(f.queue.flush() == status::busy);
    CHECK(f.queue.work(1) == 0);
    f.queue.resume();
    CHECK(f.put({pool, 0, 2}, 1) == status::ok);
    CHECK(f.queue.quiesce() == status::ok);
    f.queue.resume_alone();
    CHECK(f.has({pool, 0, 2}, 1));
    CHECK(f.queue.work(1) == 1);
    CHECK(f.queue.check());
}

TEST_CASE("deferred work: what interrupts a call of the store says busy where it would wait") {
    fixture f{8};
    const pool_id pool = f.make_pool(), direct = f.make_pool();
    CHECK(f.put({pool, 0, 0}, page_kind::text, 1) == status::ok);
    CHECK(f.queue.set_direct(direct) == status::ok);
    const once during{[&] { // others may wait for this thread's scratch, with a page of the queue
        CHECK(f.store.must_not_wait());
        CHECK(f.queue.flush() == status::busy);
        CHECK(f.queue.flush(direct) == status::busy);
        CHECK(f.queue.work(1) == 0);
        CHECK(f.queue.shrink(1) <= f.queue.capacity() * 4096);
        CHECK(f.put({pool, 0, 1}, page_kind::text, 2) == status::ok); // which needs memory
    }};
    CHECK_FALSE(f.store.must_not_wait());
    CHECK(f.put({direct, 0, 0}, page_kind::text, 1) == status::ok);
    CHECK(during.has_come);
    CHECK(f.queue.waiting_pages() == 2);
    CHECK(f.queue.flush() == status::ok);
    CHECK(f.has({pool, 0, 1}, page_kind::text, 2));
    CHECK(f.queue.check());
}

TEST_CASE("deferred work: a standstill waits for memory that the store lends or gets back") {
    deferred_fixture<interrupted_config, calling_test_source> f{8};
    const pool_id pool = f.make_pool();
    CHECK(f.put({pool, 0, 0}, page_kind::text, 1) == status::ok);
    std::thread stopper;
    std::atomic<bool> has_begun{false}, is_done{false};
    bool was_done = false;
    const auto meanwhile = [&] {
        if (stopper.joinable()) {
            return;
        }
        stopper = std::thread{[&] {
            has_begun = true;
            CHECK(f.queue.quiesce() == status::ok);
            was_done = is_done;
            f.queue.resume();
        }};
        while (!has_begun) {
            std::this_thread::yield();
        }
        for (int i = 0; i < 2000; ++i) { // one that waits for nothing has all the time to come about
            std::this_thread::yield();
        }
        is_done = true;
    };
    for (const bool takes : {true, false}) {
        CAPTURE(takes);
        has_begun = is_done = was_done = false;
        (takes ? f.source.on_acquire : f.source.on_release) = meanwhile;
        if (takes) {
            CHECK(f.put({pool, 0, 1}, page_kind::text, 1) == status::ok);
        } else {
            CHECK(f.queue.trim() == 4096);
        }
        f.source.on_acquire = f.source.on_release = nullptr;
        REQUIRE(stopper.joinable());
        stopper.join();
        CHECK(was_done);
    }
    CHECK(f.queue.check());
}

TEST_CASE("deferred work: pages that the store has no room for stay, are read, and go when there is some") {
    fixture f{8};
    const pool_id pool = f.make_pool({.cap_bytes = 40'000});
    for (std::uint64_t i = 0; i < 40; ++i) { // beyond the cap
        static_cast<void>(f.put({pool, i < 8 ? 0u : 1u, i}, page_kind::random, i));
    }
    CHECK(f.queue.flush() == status::limit);
    const deferred_stats full = f.queue.stats();
    CHECK(full.held_pages == 8);
    CHECK(full.queue_bytes == 10 * 4096); // records and reserve as well: a cap takes nothing from the queue
    CHECK(full.refused_tries >= 8);
    CHECK(f.queue.held_pages() == 8);
    CHECK(f.queue.waiting_pages() == 0);
    for (std::uint64_t i = 0; i < 8; ++i) {
        CHECK(f.has({pool, 0, i}, page_kind::random, i));
        CHECK(f.is_not_stored({pool, 0, i}));
    }
    CHECK(f.queue.work(100) == 0); // one try a call
    CHECK(f.queue.stats().queue_bytes == full.queue_bytes);
    CHECK(f.queue.stats().refused_tries == full.refused_tries + 1);
    // All slots are taken: a new put hears what the store says.
    CHECK(f.put({pool, 0, 50}, page_kind::random, 50) == status::limit);
    CHECK(f.lacks({pool, 0, 50}));
    // What comes in place of one that was refused may fit.
    CHECK(f.put({pool, 0, 0}, page_kind::zeros, 0) == status::ok);
    CHECK(f.queue.waiting_pages() == 1);
    CHECK(f.queue.work(1) == 1);
    CHECK(f.has({pool, 0, 0}, page_kind::zeros, 0));
    // Room for the others.
    CHECK(f.queue.erase_object(pool, 1).value() > 6);
    CHECK(f.queue.flush() == status::ok);
    for (std::uint64_t i = 1; i < 8; ++i) {
        CHECK(f.has({pool, 0, i}, page_kind::random, i));
    }
    CHECK(f.queue.check());
}

TEST_CASE("deferred work: a refusal erases the older page in the store, and the newer one is found") {
    fixture f{4};
    const pool_id pool = f.make_pool();
    const page_key key{pool, 0, 0};
    CHECK(f.put(key, page_kind::zeros, 1) == status::ok);
    CHECK(f.queue.flush() == status::ok);
    CHECK(f.put(key, page_kind::random, 2) == status::ok);
    static_cast<void>(f.queue.trim());
    f.source.refuse_all(true);
    CHECK(f.queue.flush() == status::no_memory);
    CHECK(f.is_not_stored(key));
    CHECK(f.has(key, page_kind::random, 2));
    CHECK(f.queue.contains(key) == status::ok);
    CHECK(f.queue.erase(key) == status::ok);
    CHECK(f.lacks(key));
    f.source.refuse_all(false);
    CHECK(f.queue.check());
}

TEST_CASE("deferred work: a full queue in a store whose limit is lowered turns into fewer bytes") {
    fixture f{64};
    const pool_id pool = f.make_pool();
    for (std::uint64_t i = 0; i < 64; ++i) {
        CHECK(f.put({pool, 0, i}, page_kind::text, i) == status::ok);
    }
    const std::size_t held = f.source.bytes_held();
    SUBCASE("by the queue") {
        CHECK(f.queue.resize(held - 50'000) == status::ok);
        CHECK(f.queue.stats().queued_pages == 0);
    }
    SUBCASE("behind its back") { // the queue can't go, nor can the store take a page
        CHECK(f.store.resize(held / 2) == status::limit);
        CHECK(f.queue.flush() == status::limit);
        CHECK(f.queue.held_pages() == 64);
        CHECK(f.put({pool, 1, 0}, page_kind::text, 1) == status::limit);
        CHECK(f.put({pool, 0, 0}, page_kind::text, 0) == status::ok); // it has its slot
        CHECK(f.has({pool, 0, 63}, page_kind::text, 63));
        CHECK(f.queue.check());
        CHECK(f.queue.resize(2 * held) == status::ok);
        CHECK(f.queue.flush() == status::ok);
        CHECK(f.queue.trim() != 0);
    }
    SUBCASE("by a shrink") { CHECK(f.queue.shrink(held / 4) >= held / 4); }
    for (std::uint64_t i = 0; i < 64; ++i) {
        CHECK(f.has({pool, 0, i}, page_kind::text, i));
    }
    CHECK(f.source.bytes_held() < held - 50'000);
    CHECK(f.queue.check());
    CHECK(f.queue.resize(~std::size_t{0}) == status::ok);
}

TEST_CASE("deferred work: a full queue in a full store is worked off with what it keeps in reserve") {
    fixture f{64, {.limit_bytes = 1'000'000}};
    const pool_id pool = f.make_pool();
    std::uint64_t put = 0;
    while (f.put({pool, 0, put}, put < 64 ? page_kind::text : page_kind::random, put) == status::ok) {
        REQUIRE(++put < 1000);
    }
    REQUIRE(f.queue.waiting_pages() == 64);
    CHECK(f.queue.flush() == status::ok);
    CHECK(f.queue.stats().refused_tries == 0);
    for (std::uint64_t i = 0; i < put; ++i) {
        CHECK(f.has({pool, 0, i}, i < 64 ? page_kind::text : page_kind::random, i));
    }
    CHECK(f.source.bytes_held() <= 1'000'000);
    CHECK(f.queue.check());
}

TEST_CASE("deferred work: a full queue in a full store is worked off where much is reserved for a pool") {
    fixture f{64, {.limit_bytes = 4'000'000}};
    const pool_id pool = f.make_pool();
    static_cast<void>(f.make_pool({.reserved_bytes = 2'000'000})); // a put leaves 125'000 more free
    std::uint64_t put = 0;
    while (f.put({pool, 0, put}, put < 64 ? page_kind::text : page_kind::random, put) == status::ok) {
        REQUIRE(++put < 1000);
    }
    REQUIRE(f.queue.waiting_pages() == 64);
    CHECK(f.queue.flush() == status::ok);
    CHECK(f.queue.stats().queued_pages == 0);
    CHECK(f.queue.check());
}

TEST_CASE("deferred work: idle memory goes back where the store was full, and is not empty enough for good") {
    fixture f{64, {.limit_bytes = 1'000'000, .accept_percent = 90}};
    const pool_id pool = f.make_pool();
    for (std::uint64_t i = 0; i < 64; ++i) {
        CHECK(f.put({pool, 0, i}, page_kind::zeros, i) == status::ok);
    }
    CHECK(f.queue.flush() == status::ok);
    std::vector<std::byte> page(4096);
    std::uint64_t others = 0;
    do {
        make_page(page, page_kind::random, others);
    } while (f.store.put({pool, 1, others++}, page) == status::ok);
    CHECK(f.store.erase_range(pool, 1, 0, 10).value() == 10); // there is room, below the limit
    CHECK(f.put({pool, 2, 0}, page_kind::random, 1) == status::ok);
    const std::size_t idle = f.queue.stats().queue_bytes;
    CHECK(f.queue.flush() == status::ok);
    CHECK(f.queue.stats().queue_bytes < idle);
    CHECK(f.store.contains({pool, 2, 0}) == status::ok);
    CHECK(f.queue.check());
}

TEST_CASE("deferred work: memory for a queue is not what pools have reserved") {
    fixture f{64, {.limit_bytes = 600'000}};
    const pool_id pool = f.make_pool();
    const pool_id reserving = f.make_pool({.reserved_bytes = 200'000});
    const std::size_t free = 600'000 - f.source.bytes_held();
    for (std::uint64_t i = 0; i < 300; ++i) {
        static_cast<void>(f.put({pool, 0, i}, page_kind::random, i));
    }
    CHECK(f.queue.stats().queue_bytes > 0);
    CHECK(f.source.bytes_held() <= 600'000 - 200'000);
    CHECK(free > 200'000);
    for (std::uint64_t i = 0; i < 40; ++i) {
        CHECK(f.store.put({reserving, 0, i}, std::vector<std::byte>(4096, std::byte{7})) == status::ok);
    }
    CHECK(f.queue.check());
}

TEST_CASE("deferred work: an ephemeral page that the store refuses is dropped, and nothing older comes back") {
    fixture f{4};
    const pool_id pool = f.make_pool({.kind = pool_kind::ephemeral});
    const page_key key{pool, 0, 0};
    CHECK(f.put(key, page_kind::zeros, 1) == status::ok);
    CHECK(f.queue.flush() == status::ok);
    CHECK(f.put(key, page_kind::random, 2) == status::ok);
    static_cast<void>(f.queue.trim());
    f.source.refuse_all(true);
    CHECK(f.queue.flush() == status::ok);
    CHECK(f.lacks(key));
    CHECK(f.queue.stats().dropped_pages == 1);
    CHECK(f.queue.stats().held_pages == 0);
    f.source.refuse_all(false);
    CHECK(f.queue.check());
}

/// Calls out, once, in front of a lock of the thread that asked for it, or behind one.
struct calling_lock : interrupted_config::lock_type {
    using base = interrupted_config::lock_type;
    void lock() noexcept {
        call(before);
        base::lock();
    }
    void unlock() noexcept {
        base::unlock();
        call(behind);
    }
    static inline thread_local std::function<void()> before{}, behind{};

private:
    static void call(std::function<void()>& f) {
        if (f) {
            std::exchange(f, nullptr)();
        }
    }
};

struct strict_config : interrupted_config {
    using lock_type = calling_lock;
    using delta_type = page_delta;
    static constexpr bool logs_changes = true;
    struct admission_type : ratio {
        admission_type() noexcept : ratio{is_hard ? 0u : 500u, admission::reject} {}
    };
    static inline bool is_hard = false;
};

TEST_CASE("deferred work: pages of a pool that is frozen stay, and keep no others from the store") {
    deferred_fixture<strict_config, calling_test_source> f{8};
    const pool_id frozen = f.make_pool(), pool = f.make_pool();
    CHECK(f.put({frozen, 0, 7}, page_kind::zeros, 7) == status::ok);
    CHECK(f.queue.flush() == status::ok);
    for (std::uint64_t i = 0; i < 3; ++i) {
        CHECK(f.put({frozen, 0, i}, page_kind::zeros, i) == status::ok);
        CHECK(f.put({pool, 0, i}, page_kind::zeros, i) == status::ok);
    }
    CHECK(f.store.log_changes(frozen, nullptr, 0, true) == status::ok);
    CHECK(f.queue.flush() == status::busy);
    for (std::uint64_t i = 0; i < 3; ++i) {
        CHECK(f.store.contains({pool, 0, i}) == status::ok);
        CHECK(f.is_not_stored({frozen, 0, i}));
        CHECK(f.has({frozen, 0, i}, page_kind::zeros, i));
    }
    CHECK(f.queue.waiting_pages() == 3);
    CHECK(f.queue.flush(pool) == status::ok);
    // Nor can they be erased in the store, as those in the queue can.
    CHECK(f.queue.erase_range(frozen, 0, 0, 3).error() == status::busy);
    CHECK(f.lacks({frozen, 0, 0}));
    CHECK(f.has({frozen, 0, 7}, page_kind::zeros, 7));
    CHECK(f.queue.waiting_pages() == 3);
    CHECK(f.queue.check());
    CHECK(f.store.log_changes(frozen, nullptr, 0, false) == status::ok);
    CHECK(f.queue.flush() == status::ok);
    CHECK(f.lacks({frozen, 0, 0}));
    CHECK(f.queue.waiting_pages() == 0);
    CHECK(f.queue.check());
}

TEST_CASE("deferred work: admission has no say on what a page of a clone that was promised is kept as") {
    strict_config::is_hard = true;
    deferred_fixture<strict_config, calling_test_source> f{8};
    strict_config::is_hard = false;
    const pool_id pool = f.make_pool();
    CHECK(f.put({pool, 0, 0}, page_kind::text, 1) == status::ok);
    CHECK(f.put({pool, 0, 1}, page_kind::text, 2) == status::ok);
    CHECK(f.queue.seal(pool) == status::ok);
    const pool_id child = f.make_pool({.parent = pool});
    CHECK(f.put({child, 0, 0}, page_kind::text, 1) == status::ok);
    std::vector<std::byte> page(4096), out(4096);
    make_page(page, page_kind::text, 2);
    page[100] ^= std::byte{1};
    CHECK(f.queue.put({child, 0, 1}, page) == status::ok);
    CHECK(f.queue.flush() == status::ok);
    CHECK(f.store.statistics_of(child).value().reference_pages == 1);
    CHECK(f.store.statistics_of(child).value().delta_pages == 1);
    CHECK(f.has({child, 0, 0}, page_kind::text, 1));
    CHECK(f.queue.get({child, 0, 1}, out) == status::ok);
    CHECK(out == page);
    CHECK(f.queue.set_direct(child) == status::ok);
    CHECK(f.put({child, 0, 0}, page_kind::text, 1) == status::incompressible);
    CHECK(f.queue.destroy_pool(child) == status::ok);
    CHECK(f.queue.check());
}

TEST_CASE("deferred work: a page is found though a try that was refused erased the older one, and the next stored it") {
    deferred_fixture<strict_config, calling_test_source> f{64, {.limit_bytes = 4'000'000}};
    const pool_id pool = f.make_pool();
    const page_key key{pool, 0, 0};
    for (std::uint64_t i = 0; i < 64; ++i) { // the queue keeps their memory
        CHECK(f.put({pool, 0, i}, page_kind::zeros, i) == status::ok);
    }
    CHECK(f.queue.flush() == status::ok);
    std::vector<std::byte> page(4096);
    const auto write = [&](byte_span to) noexcept {
        copy_bytes(to.data(), page);
        return true;
    };
    std::uint64_t others = 0;
    do {
        make_page(page, page_kind::random, others);
    } while (f.store.put_promised({pool, 1, others++}, 4096, write) == status::ok);
    enum { early, works, pauses, goes_on, is_over };
    std::atomic<int> stage{early};
    f.source.on_release = [&] { // behind the first try memory of the queue's goes back for the second
        if (stage == works && f.is_not_stored(key)) {
            stage = pauses;
            while (stage == pauses) {
                std::this_thread::yield();
            }
        }
    };
    std::thread worker;
    calling_lock::before = [&] { // the reader has found no slot, and comes to the store
        worker = std::thread{[&] {
            CHECK(f.put(key, page_kind::random, 700) == status::ok);
            stage = works;
            CHECK(f.queue.work(1) == 1);
            stage = is_over;
        }};
        while (stage != pauses && stage != is_over) {
            std::this_thread::yield();
        }
        CHECK(stage == pauses);
        calling_lock::behind = [&] { // and has not found the page there
            stage = goes_on;
            worker.join();
        };
    };
    CHECK(f.has(key, page_kind::random, 700));
    f.source.on_release = nullptr;
    CHECK_FALSE(worker.joinable());
    CHECK(f.queue.stats().queued_pages == 0);
    CHECK(f.queue.check());
}

TEST_CASE("deferred work: admission has no say on persistent pages that were promised, and its say on all others") {
    deferred_fixture<strict_config> f{4};
    const pool_id pool = f.make_pool(), cache = f.make_pool({.kind = pool_kind::ephemeral});
    CHECK(f.put({pool, 0, 0}, page_kind::random, 1) == status::ok);
    CHECK(f.put({cache, 0, 0}, page_kind::random, 1) == status::ok);
    CHECK(f.put({cache, 0, 1}, page_kind::zeros, 1) == status::ok);
    CHECK(f.queue.flush() == status::ok);
    CHECK(f.store.contains({pool, 0, 0}) == status::ok);
    CHECK(f.has({pool, 0, 0}, page_kind::random, 1));
    CHECK(f.lacks({cache, 0, 0}));
    CHECK(f.has({cache, 0, 1}, page_kind::zeros, 1));
    CHECK(f.queue.stats().dropped_pages == 1);
    // A pool that is direct asks it.
    CHECK(f.queue.set_direct(pool) == status::ok);
    CHECK(f.put({pool, 0, 1}, page_kind::random, 1) == status::incompressible);
    CHECK(f.put({pool, 0, 0}, page_kind::random, 2) == status::incompressible);
    CHECK(f.lacks({pool, 0, 0}));
    CHECK(f.queue.set_direct(pool, false) == status::ok);
    CHECK(f.put({pool, 0, 1}, page_kind::random, 1) == status::ok);
    CHECK(f.queue.set_direct(pool) == status::ok);
    CHECK(f.put({pool, 0, 1}, page_kind::random, 3) == status::ok); // in place of the one that waits
    CHECK(f.queue.flush(pool) == status::ok);
    CHECK(f.has({pool, 0, 1}, page_kind::random, 3));
    CHECK(f.queue.set_direct(pool_id{4711}) == status::invalid);
    CHECK(f.queue.check());
}

TEST_CASE("deferred work: who went to sleep while a page was flushed is woken for what is left of it") {
    fixture f{8};
    const pool_id pool = f.make_pool();
    const page_key key{pool, 0, 0};
    const auto bell = [&] { return f.queue.bell().load(memory_order::relaxed); };
    std::uint32_t asleep = 0;
    CHECK(f.put(key, page_kind::text, 1) == status::ok);
    {
        const once during{[&] {
            asleep = f.queue.arm(1);
            CHECK(f.queue.waiting_pages() == 0);
            CHECK(f.put(key, page_kind::text, 2) == status::ok);
            CHECK(bell() == asleep);
        }};
        CHECK(f.queue.flush() == status::ok);
    }
    CHECK(f.queue.waiting_pages() == 1);
    CHECK(bell() != asleep);
    // One that is refused.
    CHECK(f.queue.flush() == status::ok);
    CHECK(f.put(key, page_kind::random, 3) == status::ok);
    static_cast<void>(f.queue.trim());
    f.source.refuse_all(true);
    {
        const once during{[&] { asleep = f.queue.arm(1); }};
        CHECK(f.queue.flush() == status::no_memory);
        CHECK(during.has_come);
    }
    CHECK(f.queue.held_pages() == 1);
    CHECK(bell() != asleep);
    {
        const once during{[&] { asleep = f.queue.arm(1); }};
        CHECK(f.queue.flush() == status::no_memory); // it was among those refused before
        CHECK(during.has_come);
    }
    CHECK(bell() == asleep);
    f.source.refuse_all(false);
    CHECK(f.queue.check());
}

TEST_CASE("deferred work: behind a flush of a direct pool nothing of it is in the queue") {
    fixture f{8};
    const pool_id pool = f.make_pool(), other = f.make_pool();
    const page_key key{pool, 0, 0};
    CHECK(f.put(key, page_kind::text, 1) == status::ok);
    CHECK(f.put({other, 0, 0}, page_kind::text, 1) == status::ok);
    CHECK(f.queue.set_direct(pool) == status::ok);
    {
        const once during{[&] { CHECK(f.put(key, page_kind::text, 2) == status::ok); }};
        CHECK(f.queue.flush(pool) == status::ok);
        CHECK(during.has_come);
    }
    CHECK(f.queue.stats().queued_pages == 1); // the other's
    CHECK(f.store.contains(key) == status::ok);
    CHECK(f.has(key, page_kind::text, 2));
    // With a put into each page that is being flushed there is no end.
    CHECK(f.queue.set_direct(pool, false) == status::ok);
    CHECK(f.put(key, page_kind::text, 3) == status::ok);
    CHECK(f.queue.set_direct(pool) == status::ok);
    std::uint64_t next = 4;
    {
        const interrupted_compressor::scope always{[&] { CHECK(f.put(key, page_kind::text, next++) == status::ok); }};
        CHECK(f.queue.flush(pool) == status::busy);
    }
    CHECK(next < 20);
    CHECK(f.has(key, page_kind::text, next - 1));
    CHECK(f.queue.flush(pool) == status::ok);
    CHECK(f.queue.flush(pool_id{}) == status::ok); // no pool, or all of them
    CHECK(f.queue.stats().queued_pages == 0);
    CHECK(f.queue.check());
}

TEST_CASE("deferred work: a pool is sealed with all that was put before, or not at all") {
    deferred_fixture<cloning_config> f{8};
    const pool_id pool = f.make_pool();
    CHECK(f.put({pool, 0, 0}, page_kind::text, 1) == status::ok);
    CHECK(f.put({pool, 0, 1}, page_kind::random, 1) == status::ok);
    static_cast<void>(f.queue.trim());
    f.source.refuse_all(true);
    CHECK(f.queue.seal(pool) == status::no_memory);
    f.source.refuse_all(false);
    CHECK(f.put({pool, 0, 2}, page_kind::text, 1) == status::ok);
    CHECK(f.queue.seal(pool) == status::ok);
    CHECK(f.queue.stats().queued_pages == 0);
    CHECK(f.put({pool, 0, 3}, 1) == status::invalid);
    CHECK(f.put({pool, 0, 0}, 1) == status::invalid);
    CHECK(f.has({pool, 0, 0}, page_kind::text, 1));
    CHECK(f.has({pool, 0, 1}, page_kind::random, 1));
    const pool_id child = f.make_pool({.parent = pool});
    CHECK(f.put({child, 0, 0}, page_kind::text, 1) == status::ok);
    CHECK(f.is_not_stored({child, 0, 0}));
    CHECK(f.queue.destroy_pool(pool) == status::busy);
    CHECK(f.queue.flush() == status::ok);
    CHECK(f.store.statistics_of(child).value().reference_pages == 1);
    CHECK(f.has({child, 0, 0}, page_kind::text, 1));
    CHECK(f.queue.seal(child) == status::invalid);
    CHECK(f.queue.destroy_pool(child) == status::ok);
    CHECK(f.queue.destroy_pool(pool) == status::ok);
    CHECK(f.queue.destroy_pool(pool) == status::invalid);
    CHECK(f.queue.check());
}

TEST_CASE("deferred work: a flush and a standstill wait for a page that another thread is at, and nobody else does") {
    fixture f{8};
    const pool_id pool = f.make_pool();
    const page_key key{pool, 0, 0};
    CHECK(f.put(key, page_kind::text, 1) == status::ok);
    std::atomic<int> stage{0};
    std::atomic<bool> is_flushed{false}, is_quiet{false};
    const once during{[&] {
        stage = 1;
        while (stage == 1) {
            std::this_thread::yield();
        }
    }};
    std::thread worker{[&] { CHECK(f.queue.work(1) == 1); }};
    while (stage == 0) {
        std::this_thread::yield();
    }
    std::thread flusher{[&] {
        CHECK(f.queue.flush() == status::ok);
        is_flushed = true;
    }};
    std::thread stopper{[&] {
        CHECK(f.queue.quiesce() == status::ok);
        is_quiet = true;
        f.queue.resume();
    }};
    CHECK(f.has(key, page_kind::text, 1)); // while it is being compressed
    for (int i = 0; i < 1000; ++i) {
        std::this_thread::yield();
    }
    CHECK_FALSE(is_flushed);
    CHECK_FALSE(is_quiet);
    stage = 2;
    worker.join();
    flusher.join();
    stopper.join();
    CHECK(is_flushed);
    CHECK(is_quiet);
    CHECK(f.has(key, page_kind::text, 1));
    CHECK(f.queue.stats().queued_pages == 0);
    CHECK(f.queue.check());
}

} // namespace
} // namespace pagefold::testing::unit_store_deferred_work
