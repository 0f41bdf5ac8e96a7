// SPDX-License-Identifier: MIT

// Threads that put, read and take pages of children of one parent, while other children come and go. Every version of a page is
// taken once, what is read is one of its versions to the last byte, and the parent can't go.

#include "support/environment.hpp"
#include "support/pages.hpp"
#include "support/rng.hpp"
#include "support/store_configs.hpp"
#include "support/test_source.hpp"

#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <set>
#include <thread>
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

} // namespace

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
