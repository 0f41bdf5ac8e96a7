// SPDX-License-Identifier: MIT
#include <pagefold/store/divided_source.hpp>

#include "conformance/page_source.hpp"
#include "support/dies.hpp"
#include "support/pages.hpp"
#include "support/rng.hpp"
#include "support/test_source.hpp"

#include <pagefold/alloc/tlsf.hpp>
#include <pagefold/alloc/xv.hpp>
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/platform/static_source.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <vector>

namespace pagefold::testing::unit_store_divided_source {
namespace {

constexpr std::size_t small = 4096;
constexpr std::size_t unlimited = ~std::size_t{0};

/// A source of large pages, divided, and who takes small ones as a store does.
struct divided {
    explicit divided(std::size_t large, std::size_t limit = unlimited) : source{large}, budget{limit} {}

    test_source source;
    byte_budget budget;
    divided_source<null_lock> pages{source, small, budget};
    limited_source taker{page_source_ref{pages}, budget};
};

struct run {
    std::size_t pages;
    std::uint64_t mark;
};

/// What the limit refuses is not to be had.
struct limitless {
    limited_source& source;

    [[nodiscard]] std::size_t page_size() const noexcept { return source.page_size(); }
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        const result<void*> memory = source.acquire(pages, node);
        return memory.error() == status::limit ? result<void*>{status::no_memory} : memory;
    }
    void release(void* p, std::size_t pages) noexcept { source.release(p, pages); }
};

TEST_CASE("divided_source keeps the contract of a page source") {
    for (const std::size_t large : {std::size_t{8192}, std::size_t{16384}, std::size_t{65536}, 64 * small}) {
        CAPTURE(large);
        std::vector<std::byte> memory(std::size_t{8} << 20);
        static_source<> source{memory, large};
        byte_budget budget{unlimited};
        divided_source<null_lock> pages{source, small, budget};
        limited_source limited{page_source_ref{pages}, budget};
        limitless taker{limited};
        CHECK(page_source_violation(taker, 3000) == "");
        CHECK(pages.check());
        CHECK(budget.used() == 0);
        CHECK(source.acquired_bytes() == 0);
    }
}

TEST_CASE("divided_source: random runs, each page somebody's once, and charged to the byte") {
    for (const std::size_t large : {std::size_t{16384}, std::size_t{65536}, 64 * small}) {
        CAPTURE(large);
        divided d{large, std::size_t{24} << 20};
        std::map<std::byte*, run> live;
        rng random{large};
        for (int i = 0; i < 20'000; ++i) {
            const bool grows = i / 2000 % 2 == 0;
            if (live.empty() || random.below(10) < (grows ? 6u : 4u)) {
                const std::size_t most = random.one_in(50) ? 300 : random.one_in(4) ? 20 : 3;
                const std::size_t pages = 1 + static_cast<std::size_t>(random.below(most));
                const node_id node = random.one_in(8) ? node_id{1} : any_node;
                if (random.one_in(10)) {
                    d.source.refuse_nth(1);
                }
                const std::size_t before = d.budget.used();
                const result<void*> taken = d.taker.acquire(pages, node);
                d.source.refuse_nth(0);
                REQUIRE(d.pages.check());
                if (!taken) {
                    REQUIRE(d.budget.used() - before <= large); // a page of the books at most
                    continue;
                }
                auto* const at = static_cast<std::byte*>(*taken);
                REQUIRE(reinterpret_cast<std::uintptr_t>(at) % small == 0);
                const auto above = live.lower_bound(at);
                REQUIRE((above == live.end() || at + pages * small <= above->first));
                REQUIRE(
                    (above == live.begin() || std::prev(above)->first + std::prev(above)->second.pages * small <= at));
                std::memset(at, static_cast<int>(i), pages * small);
                live[at] = {pages, static_cast<std::uint64_t>(i)};
            } else {
                const auto one = std::next(live.begin(), static_cast<std::ptrdiff_t>(random.below(live.size())));
                REQUIRE(one->first[one->second.pages * small - 1] == static_cast<std::byte>(one->second.mark));
                d.taker.release(one->first, one->second.pages);
                live.erase(one);
                REQUIRE(d.pages.check());
            }
            std::size_t taken = 0;
            for (const auto& [at, one] : live) {
                taken += one.pages * small;
            }
            REQUIRE(d.budget.used() == d.source.bytes_held());
            REQUIRE(d.budget.used() <= d.budget.limit());
            REQUIRE(taken + d.pages.idle_bytes() + d.pages.table_bytes() == d.budget.used());
        }
        for (const auto& [at, one] : live) {
            d.taker.release(at, one.pages);
        }
        CHECK(d.pages.check());
        CHECK(d.pages.idle_bytes() == 0);
        CHECK(d.budget.used() == 0);
        CHECK(d.source.bytes_held() == 0);
    }
}

TEST_CASE("divided_source: small pages fill large ones before another is taken, each where it fits best") {
    divided d{65536};
    std::vector<void*> pages;
    for (int i = 0; i < 32; ++i) {
        pages.push_back(d.taker.acquire(1, any_node).value());
    }
    CHECK(d.source.bytes_held() == 3 * 65536); // one of them is the books'
    d.taker.release(pages[3], 1);
    d.taker.release(pages[20], 1);
    d.taker.release(pages[21], 1);
    CHECK(d.taker.acquire(1, any_node).value() == pages[3]);
    CHECK(d.taker.acquire(2, any_node).value() == pages[20]);
    d.taker.release(pages[20], 2);
    for (int i = 0; i < 32; ++i) {
        if (i != 20 && i != 21) {
            d.taker.release(pages[static_cast<std::size_t>(i)], 1);
        }
    }
    CHECK(d.source.bytes_held() == 0);
    CHECK(d.budget.used() == 0);
}

TEST_CASE("divided_source: pages of one node don't come from another's") {
    divided d{16384};
    void* const one = d.taker.acquire(1, node_id{1}).value();
    void* const two = d.taker.acquire(1, node_id{2}).value();
    void* const three = d.taker.acquire(1, node_id{1}).value();
    CHECK(static_cast<std::byte*>(three) == static_cast<std::byte*>(one) + small);
    CHECK(d.source.bytes_held() == 3 * 16384);
    for (void* const p : {one, two, three}) {
        d.taker.release(p, 1);
    }
    CHECK(d.budget.used() == 0);
}

TEST_CASE("divided_source: the group goes that fits best, one that just fits before a larger one") {
    divided d{65536};
    void* const first = d.taker.acquire(12, any_node).value(); // leaves four
    void* const second = d.taker.acquire(8, any_node).value(); // leaves eight
    CHECK(d.source.bytes_held() == 3 * 65536);
    void* const four = d.taker.acquire(4, any_node).value();
    CHECK(four == static_cast<std::byte*>(first) + 12 * small);
    void* const eight = d.taker.acquire(8, any_node).value();
    CHECK(eight == static_cast<std::byte*>(second) + 8 * small);
    CHECK(d.source.bytes_held() == 3 * 65536);
    CHECK(d.pages.idle_bytes() == 0);
    d.taker.release(first, 12);
    d.taker.release(second, 8);
    d.taker.release(four, 4);
    d.taker.release(eight, 8);
    CHECK(d.budget.used() == 0);
}

TEST_CASE("divided_source: of other nodes' groups four are passed over, and then a new one is taken") {
    for (std::uint16_t others = 2; others <= 6; ++others) {
        CAPTURE(others);
        divided d{16384};
        std::vector<void*> taken{d.taker.acquire(1, node_id{0}).value()}; // and three are free
        for (std::uint16_t i = 1; i <= others; ++i) {                     // the latest is looked at first
            taken.push_back(d.taker.acquire(1, node_id{i}).value());
        }
        const std::size_t held = d.source.bytes_held();
        taken.push_back(d.taker.acquire(1, node_id{0}).value());
        CHECK((d.source.bytes_held() == held) == (others < 4));
        for (void* const p : taken) {
            d.taker.release(p, 1);
        }
        CHECK(d.budget.used() == 0);
    }
}

TEST_CASE("divided_source: no size is too small or too large to be answered, and nothing is taken for one") {
    divided d{65536};
    CHECK(d.pages.acquire(0, any_node).error() == status::invalid);
    for (const std::size_t pages : {~std::size_t{0}, ~std::size_t{0} / 4096, ~std::size_t{0} / 65536 + 1}) {
        CHECK(d.pages.acquire(pages, any_node).error() == status::no_memory);
    }
    CHECK(d.source.acquisitions() == 0);
    CHECK(d.budget.used() == 0);
    CHECK(d.pages.check());
}

TEST_CASE("divided_source: up to 64 small pages of a large one, and of a whole one just one") {
    for (const std::size_t of_one : {std::size_t{1}, std::size_t{2}, std::size_t{64}, std::size_t{128}}) {
        test_source source{of_one * small};
        byte_budget budget{unlimited};
        const divided_source<null_lock> pages{source, small, budget};
        CHECK(pages.can_divide() == (of_one <= 64));
        CHECK(pages.page_size() == small);
    }
}

TEST_CASE("divided_source: the limit has room for the whole large page, and for the books, or it is not taken") {
    for (const bool has_books : {false, true}) {
        for (const std::size_t less : {std::size_t{0}, std::size_t{1}}) {
            divided d{65536};
            void* const before = has_books ? d.taker.acquire(16, any_node).value() : nullptr; // and nothing is idle
            d.budget.set_limit(d.budget.used() + (has_books ? 1 : 2) * 65536 - less);
            const result<void*> taken = d.taker.acquire(1, any_node);
            CHECK(static_cast<bool>(taken) == (less == 0));
            CHECK(d.budget.used() == d.source.bytes_held());
            CHECK(d.budget.used() <= d.budget.limit());
            if (taken) {
                CHECK(d.pages.idle_bytes() == 15 * small);
                d.taker.release(*taken, 1);
            } else {
                CHECK(taken.error() == status::limit);
            }
            if (has_books) {
                d.taker.release(before, 16);
            }
            CHECK(d.pages.check());
            CHECK(d.budget.used() == d.source.bytes_held());
        }
    }
}

TEST_CASE("divided_source: what a long run leaves over is idle, and charged") {
    divided d{65536};
    void* const run = d.taker.acquire(70, any_node).value(); // five large pages
    CHECK(d.pages.idle_bytes() == 10 * small);
    CHECK(d.budget.used() == 80 * small + d.pages.table_bytes());
    d.taker.release(run, 70);
    CHECK(d.budget.used() == 0);
}

TEST_CASE("divided_source: a release of what was not taken so is a caller's bug, and asserted") {
    divided d{65536};
    auto* const run = static_cast<std::byte*>(d.taker.acquire(4, any_node).value());
    auto* const one = static_cast<std::byte*>(d.taker.acquire(1, any_node).value());
    auto* const long_run = static_cast<std::byte*>(d.taker.acquire(70, any_node).value());
    std::vector<std::byte> elsewhere(small);
    const auto kills = [&](std::byte* p, std::size_t pages) { return dies([&] { d.pages.release(p, pages); }); };
    CHECK(kills(run + 1, 1));
    CHECK(kills(run, 0));
    CHECK(kills(one, 2));         // the second is nobody's
    CHECK(kills(one, 13));        // beyond the end
    CHECK(kills(one + small, 1)); // nobody's
    CHECK(kills(long_run, 69));   // a part
    CHECK(kills(long_run + small, 69));
    CHECK(kills(elsewhere.data(), 1));
    CHECK(kills(nullptr, 1));
    void* const rest = d.taker.acquire(11, any_node).value();
    CHECK(kills(one, 13)); // beyond the end of a group that is all taken
    d.taker.release(rest, 11);
    CHECK(!kills(run, 4));
    CHECK(!kills(long_run, 70));
    d.taker.release(run, 4);
    CHECK(kills(run, 4)); // twice
    d.taker.release(one, 1);
    d.taker.release(long_run, 70);
    CHECK(kills(one, 1));
    CHECK(d.budget.used() == 0);
}

/// Says whether it is held, to the source that is called under it.
struct told_lock {
    void lock() noexcept { is_held = true; }
    void unlock() noexcept { is_held = false; }
    static inline bool is_held = false;
};
struct watching_source {
    [[nodiscard]] std::size_t page_size() const noexcept { return behind.page_size(); }
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        unlocked += told_lock::is_held ? 0 : 1;
        return behind.acquire(pages, node);
    }
    void release(void* p, std::size_t pages) noexcept {
        unlocked += told_lock::is_held ? 0 : 1;
        behind.release(p, pages);
    }
    test_source behind{16384};
    unsigned unlocked = 0;
};

TEST_CASE("divided_source: the books are changed under the lock, and it is let go") {
    watching_source source;
    byte_budget budget{unlimited};
    divided_source<told_lock> pages{source, small, budget};
    for (const std::size_t count : {std::size_t{1}, std::size_t{4}, std::size_t{100}}) {
        const result<void*> taken = pages.acquire(count, any_node);
        REQUIRE(taken);
        CHECK(!told_lock::is_held);
        CHECK(pages.check());
        pages.release(*taken, count);
        CHECK(!told_lock::is_held);
    }
    CHECK(source.unlocked == 0);
    CHECK(source.behind.bytes_held() == 0);
}

template <template <class, std::size_t> class Allocator>
struct over : default_config {
    template <page_source Source, std::size_t Unit>
    using allocator_type = Allocator<Source, Unit>;
};
template <class Source, std::size_t Unit>
using plain_xv = xv<Source, Unit>;
template <class Source, std::size_t Unit>
using plain_tlsf = tlsf<Source, Unit>;

/// Puts, erasures and gets, compared with a map; what is held stays within the limit, and all of it comes back.
template <class Store>
void live_on(std::size_t large) {
    constexpr std::size_t limit = std::size_t{3} << 20;
    test_source source{large};
    {
        Store store{source, {.limit_bytes = limit, .seed = 5}};
        const pool_id kept = store.create_pool().value();
        const pool_id cache = store.create_pool({.kind = pool_kind::ephemeral}).value();
        std::map<std::uint64_t, std::uint64_t> model;
        std::vector<std::byte> page(Store::page_size), out(Store::page_size);
        rng random{large};
        unsigned refused = 0;
        for (std::uint64_t i = 0; i < 12'000; ++i) {
            const std::uint64_t index = random.below(1200);
            if (random.one_in(3)) {
                REQUIRE(store.erase({kept, 0, index}) == (model.erase(index) != 0 ? status::ok : status::not_found));
            } else {
                make_page(page, kind_of(i), i);
                const status s = store.put({kept, 0, index}, page);
                REQUIRE((s == status::ok || s == status::limit));
                refused += s == status::limit ? 1 : 0;
                s == status::ok ? static_cast<void>(model[index] = i) : static_cast<void>(model.erase(index));
                static_cast<void>(store.put({cache, 0, index}, page));
            }
            REQUIRE(store.stats().total_bytes == source.bytes_held());
            REQUIRE(store.stats().total_bytes <= limit);
            if (i % 1000 == 999) {
                REQUIRE(store.check());
                for (const auto& [at, seed] : model) {
                    make_page(page, kind_of(seed), seed);
                    REQUIRE(store.get({kept, 0, at}, out) == status::ok);
                    REQUIRE(out == page);
                }
            }
        }
        CHECK(refused < 1000);
        CHECK(store.destroy_pool(cache) == status::ok);
        CHECK(store.destroy_pool(kept) == status::ok);
        static_cast<void>(store.shrink(unlimited));
        CHECK(source.bytes_held() <= 40 * large);
    }
    CHECK(source.bytes_held() == 0);
}

TEST_CASE("divided_source: a store lives on pages larger than its own") {
    for (const std::size_t large : {std::size_t{16384}, std::size_t{65536}}) {
        CAPTURE(large);
        live_on<page_store<default_config>>(large);
        live_on<page_store<over<plain_xv>>>(large);
        live_on<page_store<over<plain_tlsf>>>(large);
        live_on<partitioned_store<default_config>>(large);
    }
}

TEST_CASE("divided_source: what a source refuses at any acquisition leaves the store whole") {
    for (std::uint64_t nth = 1; nth < 40; ++nth) {
        test_source source{65536};
        page_store<default_config> store{source, {.seed = 5}};
        source.refuse_nth(nth);
        const result<pool_id> pool = store.create_pool();
        std::vector<std::byte> page(4096);
        for (std::uint64_t i = 0; pool && i < 300; ++i) {
            make_page(page, kind_of(i), i);
            const status s = store.put({*pool, 0, i}, page);
            REQUIRE((s == status::ok || s == status::no_memory));
            REQUIRE((store.get({*pool, 0, i}, page) == status::ok) == (s == status::ok));
        }
        REQUIRE(store.check());
        REQUIRE(store.stats().total_bytes == source.bytes_held());
    }
}

TEST_CASE("divided_source: pages too large to be divided are invalid, and nothing else happens") {
    test_source source{std::size_t{512} << 10};
    page_store<default_config> store{source};
    CHECK(store.create_pool().error() == status::invalid);
    CHECK(source.acquisitions() == 0);
}

} // namespace
} // namespace pagefold::testing::unit_store_divided_source
