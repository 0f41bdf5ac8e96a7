// SPDX-License-Identifier: MIT

// Threads that put, read and take pages of children of one parent, while other children come and go. Every version of a page is
// taken once, what is read is one of its versions to the last byte, and the parent can't go.

#include "support/environment.hpp"
#include "support/pages.hpp"
#include "support/rng.hpp"
#include "support/store_configs.hpp"
#include "support/test_source.hpp"
#include "support/tsan_ordered.hpp"

#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <set>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace stress_store_clones {

namespace {

using namespace pagefold;
using namespace pagefold::testing;

constexpr std::size_t page_size = 4096;
constexpr std::uint64_t keys = 6;
using bytes = std::vector<std::byte>;

/// Version 0 is the parent's page; another has one word that says which it is.
bytes page_of(std::uint64_t key, std::uint64_t version) {
    bytes page(page_size);
    make_page(page, page_kind::pointers, key);
    if (version != 0) {
        std::memcpy(page.data() + 2048, &version, sizeof version);
    }
    return page;
}
std::uint64_t version_of(const bytes& page, std::uint64_t key) {
    std::uint64_t version = 0;
    std::memcpy(&version, page.data() + 2048, sizeof version);
    return page == page_of(key, 0) ? 0 : version;
}

struct contest {
    contest() {
        parent = store.create_pool().value();
        for (std::uint64_t key = 0; key < keys; ++key) {
            REQUIRE(store.put({parent, 0, key}, page_of(key, 0)) == status::ok);
        }
        REQUIRE(store.seal(parent) == status::ok);
        child = store.create_pool({.parent = parent}).value();
    }
    void expect(bool holds) { wrong += holds ? 0u : 1u; }
    void work(std::uint64_t thread, std::uint64_t operations) {
        rng random{thread};
        bytes out(page_size);
        for (std::uint64_t i = 1; i <= operations; ++i) {
            const std::uint64_t key = random.below(keys), version = thread << 32 | i;
            switch (random.below(5)) {
            case 0: expect(store.put({child, 0, key}, page_of(key, version)) == status::ok); break;
            case 1: expect(store.put({child, 0, key}, page_of(key, 0)) == status::ok); break;
            case 2: {
                const status s = store.get({child, 0, key}, out);
                expect(s == status::not_found || (s == status::ok && out == page_of(key, version_of(out, key))));
                break;
            }
            default: {
                const status s = store.take({child, 0, key}, out);
                expect(s == status::not_found || (s == status::ok && out == page_of(key, version_of(out, key))));
                if (s == status::ok && version_of(out, key) != 0) {
                    const std::lock_guard guard{mutex};
                    expect(taken.insert(version_of(out, key)).second);
                }
                break;
            }
            }
        }
    }
    /// Children that come and go, with others at them who learn of it by `invalid` alone.
    void come_and_go(std::uint64_t rounds) {
        for (std::uint64_t i = 0; i < rounds; ++i) {
            const result<pool_id> id = store.create_pool({.parent = parent});
            expect(static_cast<bool>(id));
            if (!id) {
                return;
            }
            for (std::uint64_t key = 0; key < keys; ++key) {
                expect(store.put({*id, 0, key}, page_of(key, key % 2)) == status::ok);
            }
            visited.store(static_cast<std::uint64_t>(*id));
            std::this_thread::yield();
            expect(store.destroy_pool(parent) == status::busy);
            expect(store.destroy_pool(*id) == status::ok);
        }
        visited.store(0);
    }
    void visit() {
        bytes out(page_size);
        rng random{99};
        while (!is_over.load()) {
            const pool_id id{visited.load()};
            const std::uint64_t key = random.below(keys);
            const status s = id == pool_id{} ? status::invalid : store.get({id, 0, key}, out);
            expect(s == status::invalid || s == status::not_found || (s == status::ok && out == page_of(key, key % 2)));
        }
    }

    test_source source;
    partitioned_store<cloning_config> store{source, {.partitions = 3, .seed = 5}};
    pool_id parent{}, child{};
    std::atomic<std::uint64_t> wrong{0}, visited{0};
    std::atomic<bool> is_over{false};
    std::mutex mutex;
    std::set<std::uint64_t> taken;
};

/// Parents that come, are sealed by several, sent around and destroyed, and children of theirs that are filled meanwhile.
struct sealed_contest {
    static constexpr std::uint64_t pages = 120;

    static bytes base(std::uint64_t i) {
        bytes page(page_size);
        make_page(page, page_kind::pointers, i);
        return page;
    }
    void expect(bool holds) { wrong += holds ? 0u : 1u; }
    void make(std::uint64_t rounds) {
        for (std::uint64_t i = 0; i < rounds; ++i) {
            const pool_id parent = store.create_pool().value();
            for (std::uint64_t at = 0; at < pages; ++at) {
                expect(store.put({parent, at % 3, at}, bases[at]) == status::ok);
            }
            expect(store.seal(parent) == status::ok);
            published.store(static_cast<std::uint64_t>(parent));
            const status s = store.seal(parent, {.by_content = true});
            expect(s == status::ok || s == status::busy);
            for (const std::uint64_t before = lives.load(); lives.load() < before + 4;) {
                std::this_thread::yield();
            }
            published.store(0);
            while (store.destroy_pool(parent) == status::busy) {
                std::this_thread::yield();
            }
        }
        is_over.store(true);
    }
    /// A child's life, again and again.
    void live(std::uint64_t thread) {
        rng random{thread};
        bytes out(page_size);
        while (!is_over.load()) {
            const pool_id parent{published.load()};
            const result<pool_id> made =
                parent == pool_id{} ? result<pool_id>{status::invalid} : store.create_pool({.parent = parent});
            if (!made) {
                expect(made.error() == status::invalid);
                ++lives;
                continue;
            }
            std::uint64_t kept[24];
            for (std::uint64_t at = 0; at < 24; ++at) {
                kept[at] = random.below(pages);
                expect(store.put({*made, 7, at}, bases[kept[at]]) == status::ok);
            }
            references += store.statistics_of(*made).value().reference_pages;
            for (std::uint64_t at = 0; at < 24; ++at) {
                const status s = at % 4 == 0 ? store.take({*made, 7, at}, out) : store.get({*made, 7, at}, out);
                expect(s == status::ok && out == bases[kept[at]]);
                if (at % 4 == 1) {
                    expect(store.erase({*made, 7, at}) == status::ok);
                }
            }
            expect(store.destroy_pool(*made) == status::ok);
            ++lives;
        }
    }
    void move() {
        rng random{5};
        bytes out(page_size);
        while (!is_over.load()) {
            const pool_id parent{published.load()};
            if (parent != pool_id{}) {
                const status s = store.set_node(parent, static_cast<node_id>(random.below(3)));
                expect(s == status::ok || s == status::busy || s == status::invalid);
                const status sealed = store.seal(parent, {.by_content = true});
                expect(sealed == status::ok || sealed == status::busy || sealed == status::invalid);
                const std::uint64_t at = random.below(pages);
                const status read = store.get({parent, at % 3, at}, out);
                expect(read == status::invalid || (read == status::ok && out == bases[at]));
            }
            std::this_thread::yield();
        }
    }

    three_nodes source;
    partitioned_store<cloning_node_config> store{source, {.partitions = 6, .seed = 5}, {}, {}, by_node{source}};
    std::vector<bytes> bases;
    std::atomic<std::uint64_t> wrong{0}, published{0}, lives{0}, references{0};
    std::atomic<bool> is_over{false};
};

} // namespace

TEST_CASE("store_clones: pools are sealed by content, sent around and destroyed beside their children") {
    sealed_contest c;
    for (std::uint64_t at = 0; at < sealed_contest::pages; ++at) {
        c.bases.push_back(sealed_contest::base(at));
    }
    std::vector<std::thread> threads;
    threads.emplace_back([&c] { c.live(1); });
    threads.emplace_back([&c] { c.live(2); });
    threads.emplace_back([&c] { c.move(); });
    c.make(number_from("PAGEFOLD_CLONE_OPERATIONS", 12000) / 400);
    for (std::thread& t : threads) {
        t.join();
    }
    CHECK(c.wrong == 0);
    CHECK(c.references > 0);
    CHECK(c.store.stats().decompress_fail == 0);
    CHECK(c.store.stats().content_indexes_size == 0);
    CHECK(c.store.stats().stored_pages == 0);
    CHECK(c.store.stats().total_bytes == c.source.bytes_held());
    CHECK(c.store.check());
}

#if !PAGEFOLD_TEST_TSAN // which has its own of fork
TEST_CASE("store_clones: a process that is forked while a pool is sealed has no half of an index") {
    test_source source;
    partitioned_store<cloning_config> store{source, {.partitions = 2, .seed = 5}};
    unsigned halves = 0;
    for (unsigned round = 0; round < 40; ++round) {
        const pool_id parent = store.create_pool().value();
        for (std::uint64_t at = 0; at < 200; ++at) {
            REQUIRE(store.put({parent, at % 50, at}, page_of(at, 0)) == status::ok);
        }
        std::thread sealer{[&] { static_cast<void>(store.seal(parent, {.by_content = true})); }};
        while (store.stats().content_indexes_size < round % 4 * page_size) {
            std::this_thread::yield();
        }
        REQUIRE(store.quiesce() == status::ok);
        const pid_t child = fork();
        if (child == 0) {
            alarm(60);
            store.resume_alone();
            const store_stats s = store.stats();
            const bool is_whole = store.check() && s.total_bytes == source.bytes_held();
            const bool had_none = s.content_indexes_size == 0;
            const bool is_new = store.seal(parent, {.by_content = true}) == status::ok && store.check() &&
                                store.statistics_of(parent).value().content_index_size != 0;
            const bool goes = store.destroy_pool(parent) == status::ok && store.check() &&
                              store.stats().total_bytes == source.bytes_held();
            _exit(!is_whole || !is_new || !goes ? 1 : had_none ? 2 : 3);
        }
        store.resume();
        sealer.join();
        int how = 0;
        REQUIRE(waitpid(child, &how, 0) == child);
        REQUIRE(WIFEXITED(how));
        REQUIRE(WEXITSTATUS(how) >= 2);
        halves += WEXITSTATUS(how) == 2 ? 1u : 0u;
        CHECK(store.check());
        CHECK(store.statistics_of(parent).value().content_index_size != 0);
        CHECK(store.destroy_pool(parent) == status::ok);
    }
    CHECK(halves > 0);
}

namespace {

/// A lock at which one thread stops until it is told to go on.
struct gated_lock {
    void lock() noexcept {
        if (is_gated) {
            const unsigned number = arrived.fetch_add(1) + 1;
            while (granted.load() < number) {
                std::this_thread::yield();
            }
        }
        inner.lock();
    }
    void unlock() noexcept { inner.unlock(); }

    default_config::lock_type inner{};
    static inline thread_local bool is_gated = false;
    static inline std::atomic<unsigned> arrived{0}, granted{0};
};
struct gated_config : cloning_config {
    using lock_type = gated_lock;
};

} // namespace

TEST_CASE("store_clones: a process that is forked just when an index is whole has it, and the pages that it keeps") {
    test_source source;
    partitioned_store<gated_config> store{source, {.partitions = 2, .seed = 5}};
    const pool_id parent = store.create_pool().value();
    for (std::uint64_t at = 0; at < 20; ++at) {
        REQUIRE(store.put({parent, 1, at}, page_of(at, 0)) == status::ok);
    }
    REQUIRE(store.seal(parent) == status::ok);
    const pool_id clone = store.create_pool({.parent = parent}).value();
    std::thread sealer{[&] {
        gated_lock::is_gated = true;
        static_cast<void>(store.seal(parent, {.by_content = true}));
    }};
    for (unsigned step = 1;; ++step) { // until it stands between the one and the other
        REQUIRE(step < 10'000);
        while (gated_lock::arrived.load() < step) {
            std::this_thread::yield();
        }
        REQUIRE(store.put({clone, 9, 9}, page_of(3, 0)) == status::ok);
        if (store.statistics_of(clone).value().reference_pages != 0) {
            break;
        }
        gated_lock::granted.store(step);
    }
    REQUIRE(store.quiesce() == status::ok);
    const pid_t child = fork();
    if (child == 0) {
        alarm(60);
        store.resume_alone();
        std::vector<std::byte> out(page_size);
        const bool has_page = store.get({clone, 9, 9}, out) == status::ok && out == page_of(3, 0) && store.check();
        const bool goes = store.destroy_pool(clone) == status::ok && store.destroy_pool(parent) == status::ok &&
                          store.check() && store.stats().total_bytes == source.bytes_held();
        _exit(has_page && goes ? 0 : has_page ? 1 : 2);
    }
    store.resume();
    gated_lock::granted.store(~0u);
    sealer.join();
    int how = 0;
    REQUIRE(waitpid(child, &how, 0) == child);
    REQUIRE(WIFEXITED(how));
    CHECK(WEXITSTATUS(how) == 0);
    CHECK(store.check());
}
#endif

TEST_CASE("store_clones: threads at one child, while others come and go") {
    const std::uint64_t operations = number_from("PAGEFOLD_CLONE_OPERATIONS", 12000) / 4;
    contest c;
    std::thread visitor{[&] { c.visit(); }};
    std::vector<std::thread> threads;
    for (std::uint64_t t = 1; t <= 3; ++t) {
        threads.emplace_back([&c, t, operations] { c.work(t, operations); });
    }
    c.come_and_go(operations / 10);
    for (std::thread& t : threads) {
        t.join();
    }
    c.is_over.store(true);
    visitor.join();
    CHECK(c.wrong == 0);
    CHECK(c.taken.size() > 10);
    CHECK(c.store.check());
    CHECK(c.store.stats().decompress_fail == 0);
    CHECK(c.store.destroy_pool(c.child) == status::ok);
    CHECK(c.store.destroy_pool(c.parent) == status::ok);
}

} // namespace stress_store_clones
