// SPDX-License-Identifier: MIT
#include "support/hold_counter.hpp"
#include "support/node_test_source.hpp"
#include "support/pages.hpp"
#include "support/store_configs.hpp"
#include "support/store_fixture.hpp"

#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing::unit_store_store_batch {
namespace {

using counted_store = page_store<hold_counting_config>;
constexpr std::uint64_t window = batch_window::max_pages, a_hold = batch_window::pages_a_hold;
constexpr std::uint64_t steps = static_cast<std::uint64_t>(batch_step::streams) + 1;

struct counted_fixture : store_fixture<counted_store> {
    explicit counted_fixture(bool is_large) {
        pool = make_pool();
        const auto noise = page_of(4096, page_kind::random, 1);
        for (std::uint64_t i = 0; i < (is_large ? 1100u : 1u); ++i) {
            REQUIRE(store.put_raw({pool, 9, i}, noise) == status::ok);
        }
    }
    std::uint64_t holds_of_gets(std::uint64_t object, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            requests[i] = {{pool, object, i}, outs[i]};
        }
        const std::uint64_t before = hold_counter::holds;
        store.get_many(requests.data(), count);
        return hold_counter::holds - before;
    }
    pool_id pool{};
    std::vector<std::vector<std::byte>> outs{100, std::vector<std::byte>(4096)};
    std::vector<page_request> requests{100};
};

TEST_CASE("store_batch: holds for so many pages, not for each") {
    for (const bool is_large : {false, true}) {
        CAPTURE(is_large);
        const std::uint64_t looks = is_large ? steps : 0;
        counted_fixture f{is_large};
        for (std::uint64_t i = 0; i < 100; ++i) {
            REQUIRE(f.put({f.pool, 1, i}, page_kind::word, i) == status::ok);
            REQUIRE(f.put({f.pool, 2, i}, page_kind::random, i) == status::ok);
        }
        CHECK(f.holds_of_gets(1, 0) == 0);
        CHECK(f.holds_of_gets(1, 1) == 1); // as the single operation
        CHECK(f.holds_of_gets(1, 2) == looks + 1);
        CHECK(f.holds_of_gets(1, window) == looks + window / a_hold);
        CHECK(f.holds_of_gets(1, window + 1) == looks + window / a_hold + 1);
        CHECK(f.holds_of_gets(3, window) == looks + window / a_hold); // none is there
        // Streams of a page each: what a scratch has room for.
        CHECK(f.holds_of_gets(2, window) == looks + window / 2);
        for (std::size_t i = 0; i < window; ++i) {
            CHECK(f.requests[i].outcome == status::ok);
            CHECK(f.outs[i] == page_of(4096, page_kind::random, i));
        }
    }
}

TEST_CASE("store_batch: holds of puts and erasures") {
    counted_fixture f{true};
    const auto page = page_of(4096, page_kind::text, 1);
    std::vector<put_request> puts(window);
    std::vector<erase_request> erasures(window);
    for (std::size_t i = 0; i < window; ++i) {
        puts[i] = {{f.pool, 1, i}, page};
        erasures[i] = {{f.pool, 1, i}};
    }
    std::uint64_t before = hold_counter::holds;
    REQUIRE(f.store.put(puts[0].key, page) == status::ok);
    const std::uint64_t of_one = hold_counter::holds - before;
    before = hold_counter::holds;
    f.store.put_many(puts.data(), window);
    CHECK(hold_counter::holds - before == steps - 1 + window * of_one);
    before = hold_counter::holds;
    f.store.erase_many(erasures.data(), window);
    CHECK(hold_counter::holds - before == steps - 1 + window / a_hold);
    for (const erase_request& one : erasures) {
        CHECK(one.outcome == status::ok);
    }
    CHECK(f.store.stats().stored_pages == 1100);
}

TEST_CASE("store_batch: what is invalid takes nothing, and a store without pools has no memory") {
    test_source source;
    counted_store store{source};
    std::vector<std::byte> out(4096);
    page_request requests[2] = {{{}, out}, {{}, out}};
    store.get_many(requests, 2);
    CHECK(requests[0].outcome == status::invalid);
    CHECK(requests[1].outcome == status::invalid);
    store.take_many(requests, 2);
    CHECK(requests[1].outcome == status::invalid);
    CHECK(source.bytes_held() == 0);
}

TEST_CASE("store_batch: while a pool moves its pages are found where they are") {
    node_test_source<3> source{1u << 20};
    partitioned_store<by_node_config> store{source, {.partitions = 12, .seed = 1}, {}, {}, by_node{source}};
    const pool_id still = store.create_pool().value();
    const pool_id moving = store.create_pool({.node = node_id{0}, .strict_node = true}).value();
    constexpr std::size_t count = 90;
    std::vector<std::vector<std::byte>> pages;
    std::vector<put_request> puts(count);
    for (std::size_t i = 0; i < count; ++i) {
        pages.push_back(page_of(4096, kind_of(i), i));
        puts[i] = {{i % 3 == 0 ? still : moving, 1, i}, pages[i]};
    }
    store.put_many(puts.data(), count);
    std::vector<std::vector<std::byte>> outs(count, std::vector<std::byte>(4096));
    std::vector<page_request> reads(count);
    std::vector<erase_request> erasures(count);
    status moved = store.set_node(moving, node_id{2}, true, 1);
    for (unsigned n = 0; n < 200 && moved != status::ok; ++n) {
        CAPTURE(n);
        for (std::size_t i = 0; i < count; ++i) {
            REQUIRE(puts[i].outcome == status::ok);
            reads[i] = {puts[i].key, outs[i]};
            erasures[i] = {puts[i].key};
        }
        if (n % 3 == 0) {
            store.take_many(reads.data(), count);
        } else {
            store.get_many(reads.data(), count);
            store.erase_many(erasures.data(), count);
        }
        for (std::size_t i = 0; i < count; ++i) {
            CHECK(reads[i].outcome == status::ok);
            CHECK(outs[i] == pages[i]);
            CHECK((n % 3 == 0 || erasures[i].outcome == status::ok));
        }
        CHECK(store.stats().stored_pages == 0);
        store.put_many(puts.data(), count);
        moved = store.set_node(moving, node_id{2}, true, 1);
    }
    CHECK(moved == status::ok);
    CHECK(store.check());
}

} // namespace
} // namespace pagefold::testing::unit_store_store_batch
