// SPDX-License-Identifier: MIT
//
// Calls of a store that come from within another call of the same thread: from its compressor, from its page source, from a
// timer's signal. reentry_steps.cpp tries every instruction; here it is who calls.

#include "support/dies.hpp"
#include "support/pages.hpp"
#include "support/prefix_codec.hpp"
#include "support/signal_safe_source.hpp"
#include "support/test_source.hpp"
#include "support/tsan_ordered.hpp"

#include <pagefold/platform/null_lock.hpp>
#include <pagefold/platform/spin_lock.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <sys/time.h>
#include <vector>

namespace pagefold::testing::unit_store_reentry {
namespace {

/// Calls out whenever it is at work, but not from within that call.
struct call_back {
    std::function<void()> call;
    unsigned calls = 0;
    bool is_inside = false;

    void operator()() {
        if (call && !is_inside) {
            is_inside = true;
            ++calls;
            call();
            is_inside = false;
        }
    }
};

struct calling_codec : prefix_codec {
    call_back* back = nullptr;

    calling_codec() noexcept = default;
    explicit calling_codec(call_back& b) noexcept : back{&b} {}
    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        (*back)();
        return prefix_codec::compress(in, out, scratch);
    }
    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        const status s = prefix_codec::decompress(in, out, scratch);
        (*back)();
        return s;
    }
};

/// A page source that calls back: a caller's bug, which must not hang all the same.
struct calling_source {
    test_source memory;
    call_back back;

    [[nodiscard]] std::size_t page_size() const noexcept { return 4096; }
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        back();
        return memory.acquire(pages, node);
    }
    void release(void* p, std::size_t pages) noexcept {
        back();
        memory.release(p, pages);
    }
};

template <unsigned Scratch, class Lock = default_config::lock_type>
struct calling_config : default_config {
    using compressor_type = calling_codec;
    using lock_type = Lock;
    static constexpr unsigned max_scratch = Scratch;
};
template <unsigned Scratch, class Lock = default_config::lock_type>
struct plain_config : default_config {
    using compressor_type = prefix_codec;
    using lock_type = Lock;
    static constexpr unsigned max_scratch = Scratch;
};

prefix_page prefix_page_of(std::uint64_t size, std::uint64_t name) {
    prefix_page page;
    write_prefix_page(page, size, name);
    return page;
}

// From the compressor, which works while no lock is held.

template <class Config>
void call_from_compressor(bool has_scratch_for_both) {
    call_back back;
    test_source source;
    page_store<Config> store{source, store_options{}, calling_codec{back}};
    const pool_id pool = store.create_pool().value();
    const page_key outer{pool, 1, 1}, inner{pool, 2, 2}, erased{pool, 3, 3};
    const prefix_page first = prefix_page_of(200, 1), second = prefix_page_of(300, 2);
    REQUIRE(store.put(outer, first) == status::ok);
    const status expected = has_scratch_for_both ? status::ok : status::busy;
    prefix_page out{}, out_inner{};

    back.call = [&] {
        CHECK(store.put(inner, second) == expected);
        CHECK(store.get(inner, out_inner) == (has_scratch_for_both ? status::ok : status::busy));
        CHECK((out_inner == second) == has_scratch_for_both);
        CHECK(store.get(outer, out_inner) == expected); // what was there before, or is being read
        CHECK((out_inner == first) == has_scratch_for_both);
        CHECK(store.take(erased, out_inner) == (has_scratch_for_both ? status::not_found : status::busy));
        CHECK(store.erase(erased) == status::not_found); // needs no scratch
        CHECK(store.erase_range(pool, 3, 0, 10).value() == 0);
        CHECK(store.stats().total_bytes == source.bytes_held());
        CHECK(store.statistics_of(pool).value().stored_pages >= 1);
        static_cast<void>(store.compact(100'000));
        static_cast<void>(store.shrink(0));
        CHECK(store.check());
    };
    const prefix_page third = prefix_page_of(250, 3);
    REQUIRE(store.put(outer, third) == status::ok);
    CHECK(back.calls == 1);
    back.call = [&] {
        CHECK(store.erase(outer) == status::ok); // what is being read is in a scratch
        CHECK(store.put(inner, first) == expected);
    };
    REQUIRE(store.get(outer, out) == status::ok);
    CHECK(out == third);
    CHECK(back.calls == 2);
    back.call = nullptr;
    CHECK(store.get(outer, out) == status::not_found);
    CHECK(store.get(inner, out) == (has_scratch_for_both ? status::ok : status::not_found));
    CHECK((!has_scratch_for_both || out == first));
    CHECK(store.check());
}

/// The default codec, which calls out while it decodes.
struct nesting_codec : default_config::compressor_type {
    std::function<void()>* call = nullptr;

    nesting_codec() noexcept = default;
    explicit nesting_codec(std::function<void()>& c) noexcept : call{&c} {}
    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        (*call)();
        return default_config::compressor_type::decompress(in, out, scratch);
    }
};
struct nesting_config : default_config {
    using compressor_type = nesting_codec;
};

// From the page source, with the store's own locks held.

template <class Store>
void call_from_source(std::size_t limit) {
    auto source = std::make_unique<calling_source>();
    {
        Store store{*source, store_options{.limit_bytes = limit, .partitions = 2}};
        const pool_id pool = store.create_pool().value(),
                      cache = store.create_pool({.kind = pool_kind::ephemeral}).value();
        const prefix_page inner_page = prefix_page_of(100, 5);
        prefix_page out_inner{};
        unsigned wrong = 0, busy = 0;
        bool is_destroyed = false; // the second pool, or it is about to be
        const auto note = [&](status s) {
            busy += s == status::busy ? 1 : 0;
            const bool is_gone = is_destroyed && s == status::invalid;
            wrong +=
                s == status::busy || s == status::ok || s == status::not_found || s == status::limit || is_gone ? 0 : 1;
        };
        source->back.call = [&] {
            for (std::uint64_t i = 0; i < 6; ++i) { // of both partitions
                const page_key key{i % 2 == 0 ? pool : cache, 99 + i, i};
                note(store.put(key, inner_page));
                note(store.get(key, out_inner));
                note(store.take(key, out_inner));
                note(store.erase(key));
            }
            const result<std::size_t> erased = store.erase_object(pool, 99);
            note(erased ? status::ok : erased.error());
        };
        prefix_page page, out;
        unsigned stored = 0;
        for (std::uint64_t i = 0; i < 600; ++i) {
            write_prefix_page(page, i % 5 == 0 ? 4096 : 64 + i * 13 % 3000, i);
            const page_key key{i % 3 == 0 ? pool : cache, i / 100, i};
            const status s = store.put(key, page);
            CHECK((s == status::ok || s == status::limit));
            if (s == status::ok) {
                ++stored;
                const status got = store.get(key, out);
                CHECK(got == status::ok);
                CHECK(out == page);
            }
        }
        CHECK(stored > 300);
        static_cast<void>(store.erase_object(pool, 2));
        static_cast<void>(store.compact(1'000'000));
        static_cast<void>(store.shrink(50'000));
        is_destroyed = true;
        CHECK(store.destroy_pool(cache) == status::ok);
        CHECK(wrong == 0);
        CHECK(busy > 0);
        CHECK(source->back.calls > 50);
        source->back.call = nullptr;
        CHECK(store.check());
        CHECK(store.stats().decompress_fail == 0);
        CHECK(store.stats().total_bytes == source->memory.bytes_held());
    }
}

// From a timer.

using timed_store = page_store<plain_config<1>>;
using timed_store_64 = page_store<plain_config<64>>;

/// What the handler shares with the thread that it interrupts.
struct timer_scene {
    std::function<status()> put;
    volatile std::sig_atomic_t calls = 0, ok = 0, busy = 0, others = 0;
};
timer_scene* timed = nullptr;

void handle_alarm(int) {
    const status s = timed->put();
    timed->calls = timed->calls + 1;
    timed->ok = timed->ok + (s == status::ok ? 1 : 0);
    timed->busy = timed->busy + (s == status::busy ? 1 : 0);
    timed->others = timed->others + (s == status::ok || s == status::busy ? 0 : 1);
}

template <class Store>
void put_from_timer() {
    signal_safe_source source;
    Store store{source, store_options{.limit_bytes = 1'000'000}};
    const pool_id pool = store.create_pool().value(), cache = store.create_pool({.kind = pool_kind::ephemeral}).value();
    constexpr std::uint64_t keys = 16;
    std::array<std::uint64_t, keys> version{}; // that the handler stored last
    std::uint64_t turn = 0;
    prefix_page inner;
    timer_scene scene;
    scene.put = [&] {
        ++turn;
        write_prefix_page(inner, 200, turn);
        const status s = store.put({pool, 2, turn % keys}, inner);
        version[turn % keys] = s == status::ok ? turn : version[turn % keys];
        return s;
    };
    timed = &scene;
    struct sigaction mine {
    }, kept{};
    mine.sa_handler = handle_alarm;
    mine.sa_flags = SA_RESTART;
    REQUIRE(sigaction(SIGALRM, &mine, &kept) == 0);
    const itimerval often{{0, 100}, {0, 100}}, never{};
    REQUIRE(setitimer(ITIMER_REAL, &often, nullptr) == 0);
    prefix_page page, out;
    unsigned wrong = 0;
    for (std::uint64_t i = 0; i < 400'000 && (i < 20'000 || scene.calls < 500); ++i) {
        write_prefix_page(page, 64 + i % 3900, i);
        const page_key key{i % 2 == 0 ? pool : cache, 1, i % 2 == 0 ? i % 50 : i};
        wrong += store.put(key, page) == status::ok ? 0 : 1;
        const status s = store.get(key, out);
        wrong += s == status::ok && out == page ? 0 : 1;
        if (i % 5 == 0) {
            wrong += store.erase(key) == status::ok ? 0 : 1;
        }
        if (i % 1000 == 0) {
            static_cast<void>(store.compact(20'000));
        }
    }
    REQUIRE(setitimer(ITIMER_REAL, &never, nullptr) == 0);
    sigaction(SIGALRM, &kept, nullptr);
    timed = nullptr;
    CHECK(wrong == 0);
    CHECK(scene.calls > 0);
    CHECK(scene.ok > 0);
    CHECK(scene.others == 0);
    for (std::uint64_t i = 0; i < keys; ++i) {
        const status s = store.get({pool, 2, i}, out);
        CHECK(s == (version[i] != 0 ? status::ok : status::not_found));
        CHECK((s != status::ok || is_prefix_page(out, 200, version[i])));
    }
    CHECK(store.check());
    CHECK(store.stats().total_bytes == source.bytes_held());
    CHECK(store.stats().decompress_fail == 0);
}

} // namespace

TEST_CASE("a call for a pool that interrupts another is answered busy") {
    auto source = std::make_unique<calling_source>();
    {
        page_store<default_config> store{*source, store_options{}};
        unsigned busy = 0, others = 0;
        const auto note = [&](status s) { ++(s == status::busy ? busy : others); };
        source->back.call = [&] {
            note(store.create_pool().error());
            note(store.destroy_pool(pool_ids::next(pool_id{}, 0, pool_kind::persistent)));
        };
        const pool_id pool = store.create_pool().value();
        CHECK(busy > 0);
        CHECK(others == 0);
        source->back.call = nullptr;
        CHECK(store.destroy_pool(pool) == status::ok);
        CHECK(store.check());
    }
    CHECK(source->memory.bytes_held() == 0);
}

TEST_CASE("reentry: a compressor calls the store that it works for") {
    call_from_compressor<calling_config<64>>(true);
    call_from_compressor<calling_config<2>>(true);
    call_from_compressor<calling_config<1>>(false);
}

TEST_CASE("reentry: the same in a store without locks") {
    call_from_compressor<calling_config<2, null_lock>>(true);
    call_from_compressor<calling_config<1, null_lock>>(false);
}

TEST_CASE("reentry: a store that one thread filled to its limit has scratch for four readers at a time") {
    std::function<void()> call = [] {};
    test_source source;
    page_store<nesting_config> store{source, store_options{.limit_bytes = 8u << 20}, nesting_codec{call}};
    const pool_id pool = store.create_pool().value();
    std::vector<std::byte> page(4096);
    std::uint64_t stored = 0;
    for (status s = status::ok; s == status::ok; stored += s == status::ok ? 1 : 0) {
        make_page(page, page_kind::pointers, stored);
        s = store.put({pool, 1, stored}, page);
        REQUIRE((s == status::ok || s == status::limit));
    }
    REQUIRE(stored > 1000);
    // One within the other, each with a scratch of its own.
    unsigned depth = 0, right = 0;
    const std::uint64_t before = source.acquisitions();
    call = [&] {
        if (++depth < 4) {
            std::vector<std::byte> out(4096), expected(4096);
            make_page(expected, page_kind::pointers, depth);
            right += store.get({pool, 1, depth}, out) == status::ok && out == expected ? 1 : 0;
        }
    };
    CHECK(store.get({pool, 1, 0}, page) == status::ok);
    CHECK(depth == 4);
    CHECK(right == 3);
    CHECK(source.acquisitions() == before + 3);
    CHECK(store.stats().total_bytes <= 8u << 20);
    CHECK(store.check());
}

TEST_CASE("reentry: a page source that calls back is answered busy, and nothing hangs or is lost") {
    for (const std::size_t limit : {~std::size_t{0}, std::size_t{600'000}}) {
        CAPTURE(limit);
        call_from_source<page_store<plain_config<64>>>(limit);
        call_from_source<page_store<plain_config<1>>>(limit);
        call_from_source<page_store<plain_config<1, null_lock>>>(limit);
        call_from_source<partitioned_store<plain_config<64, spin_lock>>>(limit);
    }
}

TEST_CASE("reentry: a page source that asks for statistics is told that it must not") {
    CHECK(dies([] {
        calling_source source;
        source.memory.forgive();
        page_store<plain_config<64>> store{source};
        const pool_id pool = store.create_pool().value();
        source.back.call = [&] { static_cast<void>(store.stats()); };
        static_cast<void>(store.put({pool, 1, 1}, prefix_page_of(100, 1)));
        source.back.call = nullptr;
    }));
}

TEST_CASE("reentry: a timer's handler puts into the store that its thread uses") {
    if (PAGEFOLD_TEST_TSAN != 0) {
        MESSAGE("skipped: this machine runs ThreadSanitizer, which calls a timer's handler later");
        return;
    }
    put_from_timer<timed_store>();
    put_from_timer<timed_store_64>();
}

} // namespace pagefold::testing::unit_store_reentry
