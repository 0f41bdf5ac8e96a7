// SPDX-License-Identifier: MIT
#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/paging/region_pager.hpp>

#include <support/test_paged_store.hpp>
#include <support/test_paging_backend.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace pagefold::testing::unit_paging_region_pager {
namespace {

constexpr std::size_t page_size = test_paging_backend::page_size;
using call = test_paging_backend::call;

/// A pager over a backend and a store of its own.
template <class Backend = test_paging_backend, class Policy = clock>
struct fixture {
    using pager_type = region_pager<test_paged_store, Backend, Policy>;

    explicit fixture(std::size_t pages, const region_pager_options& options = {}, const test_paging_kind& kind = {})
        : backend{pages, kind}, store{pages + 1}, memory(pager_type::bytes_for(pages, options) / 8 + 1) {
        CHECK(pager.open(span(), pages, options) == status::ok);
    }
    ~fixture() { CHECK(backend.misuses() == 0); }
    fixture(const fixture&) = delete;
    fixture& operator=(const fixture&) = delete;

    [[nodiscard]] byte_span span() {
        return {static_cast<std::byte*>(static_cast<void*>(memory.data())), memory.size() * 8};
    }
    void write(slot_id page, unsigned char value) {
        std::byte content[page_size];
        fill_bytes(content, value, page_size);
        if (!backend.write(page, content)) {
            CHECK(pager.fault(page, true) == status::ok);
            CHECK(backend.write(page, content));
        }
    }
    /// Its first byte; 256 where it can't be read.
    [[nodiscard]] unsigned read(slot_id page) {
        if (backend.see(page) == nullptr) {
            static_cast<void>(pager.fault(page, false));
        }
        const std::byte* const seen = backend.see(page);
        return seen != nullptr ? static_cast<unsigned>(seen[0]) : 256;
    }
    void evict(std::initializer_list<slot_id> pages) {
        for (const slot_id page : pages) {
            CHECK(pager.evict_page(page) == status::ok);
            CHECK(pager.check());
        }
    }

    Backend backend;
    test_paged_store store;
    pager_type pager{store, backend};
    std::vector<std::uint64_t> memory;
};

TEST_CASE("a page goes through all states") {
    fixture<> f{4};
    CHECK(f.pager.state(1) == page_state::nowhere);
    CHECK(f.read(1) == 0);
    CHECK(f.pager.state(1) == page_state::clean);
    f.evict({1});
    CHECK(f.pager.state(1) == page_state::nowhere);
    CHECK(f.store.puts() == 0);
    f.write(1, 7);
    CHECK(f.pager.state(1) == page_state::resident);
    f.evict({1});
    CHECK(f.pager.state(1) == page_state::stored);
    CHECK(f.read(1) == 7);
    CHECK(f.pager.state(1) == page_state::clean);
    CHECK(f.store.has(1));
    f.evict({1});
    CHECK(f.store.puts() == 1);
    f.write(1, 0);
    CHECK_FALSE(f.store.has(1));
    f.evict({1});
    CHECK(f.pager.state(1) == page_state::zero);
    f.write(1, 9);
    f.evict({1});
    f.store.spoil(1);
    CHECK(f.pager.fault(1, false) == status::corrupt);
    CHECK(f.pager.state(1) == page_state::lost);
    CHECK(f.backend.hears_an_error(1));
    CHECK(f.pager.fault(1, true) == status::corrupt);
    CHECK(f.pager.drop(1, 1) == status::ok);
    CHECK(f.pager.state(1) == page_state::zero);
    CHECK(f.read(1) == 0);
    CHECK(f.pager.check());
    const region_pager_stats s = f.pager.statistics();
    CHECK(s.lost_pages == 1);
    CHECK(s.zero_pages == 1);
    CHECK(s.clean_pages == 3);
    CHECK(s.evicted_pages == 5);
    CHECK(to_string(page_state::in_transit) == std::string{"in_transit"});
    CHECK(to_string(static_cast<page_state>(77)) == std::string{"unknown"});
}

TEST_CASE("a region of no page answers everything") {
    fixture<> f{0};
    CHECK(f.pager.fault(0, false) == status::invalid);
    CHECK(f.pager.evict(10).freed == 0);
    CHECK_FALSE(f.pager.evict(10).goes_on);
    CHECK(f.pager.evict_page(0) == status::invalid);
    CHECK(f.pager.prefetch(0, 0) == pages_done{});
    CHECK(f.pager.prefetch(0, 1).why == status::invalid);
    CHECK(f.pager.drop(0, 0) == status::ok);
    CHECK(f.pager.drop(0, 1) == status::invalid);
    CHECK(f.pager.forget(0, 0) == status::ok);
    CHECK(f.pager.appeared(1, 0) == status::invalid);
    CHECK(f.pager.drop_copies(5) == 0);
    CHECK(f.pager.check());
}

TEST_CASE("one page, and room for none") {
    region_pager_options options;
    options.limit = 0;
    fixture<> f{1, options};
    f.write(0, 3); // the limit gives way
    CHECK(f.pager.in_memory() == 1);
    CHECK(f.pager.evict(1).freed == 1);
    CHECK(f.read(0) == 3);
    CHECK(f.pager.evict(100).freed == 1);
    CHECK_FALSE(f.pager.evict(1).goes_on);
    CHECK(f.pager.evict(0).freed == 0);
    CHECK(f.pager.prefetch(0, 1) == pages_done{0, status::limit});
    CHECK(f.pager.check());
}

TEST_CASE("ranges end at the region's end") {
    fixture<> f{8};
    CHECK(f.pager.fault(8, false) == status::invalid);
    CHECK(f.pager.fault(no_slot, true) == status::invalid);
    CHECK(f.pager.drop(7, 2) == status::invalid);
    CHECK(f.pager.drop(8, 0) == status::ok);
    CHECK(f.pager.drop(no_slot, ~std::size_t{0}) == status::invalid);
    CHECK(f.pager.drop(1, ~std::size_t{0}) == status::invalid);
    CHECK(f.pager.forget(3, 6) == status::invalid);
    CHECK(f.pager.prefetch(9, 0).why == status::invalid);
    CHECK(f.pager.prefetch(0, 8) == pages_done{8, status::ok});
}

TEST_CASE("an open that can't be leaves a region of no page") {
    fixture<> f{8};
    f.write(2, 1);
    region_pager_options options;
    const auto opens = [&](byte_span memory, std::size_t pages) {
        const status s = f.pager.open(memory, pages, options);
        CHECK(f.pager.pages() == (s == status::ok ? pages : 0));
        CHECK(f.pager.in_memory() == 0);
        CHECK(f.pager.fault(0, false) == (s == status::ok && pages != 0 ? status::ok : status::invalid));
        CHECK(f.pager.check());
        return s;
    };
    const std::size_t needed = decltype(f.pager)::bytes_for(8, options);
    CHECK(opens(f.span().first(needed - 1), 8) == status::invalid);
    CHECK(opens(f.span().subview(1), 7) == status::invalid); // misaligned
    CHECK(opens(f.span(), ~std::size_t{0} / 2) == status::invalid);
    options.batch = 0;
    CHECK(opens(f.span(), 8) == status::invalid);
    options.batch = 65;
    CHECK(opens(f.span(), 8) == status::invalid);
    options = {};
    options.read_ahead = 0;
    CHECK(opens(f.span(), 8) == status::invalid);
    options.read_ahead = 65;
    CHECK(opens(f.span(), 8) == status::invalid);
    options = {};
    options.queue = ~std::size_t{0};
    CHECK(opens(f.span(), 8) == status::invalid);
    options = {};
    for (const std::uint64_t first : {~std::uint64_t{0} - 3, max_page_index - 7, max_page_index + 1}) {
        options.first_index = first;
        CHECK(opens(f.span(), 8) == status::invalid);
    }
    options = {};
    options.may_vanish = true; // and there is no base
    CHECK(opens(f.span(), 8) == status::invalid);
    CHECK(f.pager.drop(0, 0) == status::ok);
    f.backend.lose_memory(2);
    options = {};
    CHECK(opens(f.span().first(needed), 8) == status::ok);
    CHECK(f.pager.fault(7, false) == status::ok);
}

TEST_CASE("a call from within a call is answered busy and changes nothing") {
    fixture<> f{6};
    f.write(0, 1);
    f.write(1, 2);
    unsigned met = 0;
    const auto call_back = [&] {
        ++met;
        CHECK(f.pager.fault(0, true) == status::busy);
        CHECK(f.pager.fault(5, false) == status::busy);
        CHECK(f.pager.evict(4).freed == 0);
        CHECK_FALSE(f.pager.evict(4).goes_on);
        CHECK(f.pager.evict_page(1) == status::busy);
        CHECK(f.pager.drop(0, 6) == status::busy);
        CHECK(f.pager.forget(0, 6) == status::busy);
        CHECK(f.pager.appeared(0, 6) == status::busy);
        CHECK(f.pager.prefetch(0, 6) == pages_done{0, status::busy});
        CHECK(f.pager.drop_copies(6) == 0);
        CHECK(f.pager.open(f.span(), 6, {}) == status::busy);
    };
    f.backend.on_call = [&](call, slot_id) { call_back(); };
    f.store.on_call = [&](test_paged_store::call, std::uint64_t) { call_back(); };
    f.evict({0}); // a fault of the page that is being evicted, among them
    CHECK(f.read(0) == 1);
    f.write(3, 9);
    CHECK(f.pager.drop(3, 1) == status::ok);
    f.backend.on_call = nullptr;
    f.store.on_call = nullptr;
    CHECK(met > 8);
    CHECK(f.read(0) == 1);
    CHECK(f.read(1) == 2);
    CHECK(f.pager.state(5) == page_state::nowhere);
    CHECK(f.pager.check());
}

TEST_CASE("a backend that refuses for ever loses nothing, and all goes on when it no longer does") {
    for (const call which : {call::place, call::bring, call::bring_zeros, call::let_write, call::take_out, call::read,
                             call::put_back, call::drop, call::set_lost, call::wake}) {
        CAPTURE(static_cast<int>(which));
        region_pager_options options;
        options.limit = 6;
        options.queue = 2;
        fixture<> f{16, options};
        for (slot_id page = 0; page < 10; ++page) {
            f.write(page, static_cast<unsigned char>(page + 1));
        }
        f.backend.refuse(which, true);
        for (unsigned round = 0; round < 200; ++round) {
            const slot_id page = round % 12;
            static_cast<void>(f.pager.fault(page, round % 3 == 0));
            static_cast<void>(f.pager.evict(3));
            static_cast<void>(f.pager.evict_page(page));
            REQUIRE(f.pager.check());
        }
        CHECK(f.pager.in_memory() <= 16);
        f.backend.refuse(which, false);
        for (slot_id page = 0; page < 10; ++page) {
            CHECK(f.read(page) == page + 1);
        }
        CHECK(f.pager.drop(0, 16) == status::ok);
        CHECK(f.backend.in_memory() == 0);
        CHECK(f.store.size() == 0);
    }
}

TEST_CASE("pages that can be neither dropped nor put back wait in transit, and others still go") {
    fixture<> f{300};
    for (slot_id page = 0; page < 300; ++page) {
        f.write(page, 5);
    }
    f.backend.refuse(call::drop, true);
    f.backend.refuse(call::put_back, true);
    while (f.pager.evict(64).goes_on) {
    }
    CHECK(f.pager.statistics().in_transit_pages == 128);
    CHECK(f.pager.evict_page(299) == status::busy); // the queue is full
    CHECK(f.pager.check());
    f.backend.refuse(call::drop, false);
    CHECK(f.pager.evict(64).freed == 64);
    CHECK(f.pager.evict(64).freed == 64);
    // Few of them: the others have their turn.
    f.write(0, 6);
    f.write(1, 6);
    f.backend.refuse(call::drop, true);
    static_cast<void>(f.pager.evict_page(0));
    static_cast<void>(f.pager.evict_page(1));
    CHECK(f.pager.state(1) == page_state::in_transit);
    f.backend.refuse(call::drop, false);
    f.store.refuses_puts = true;
    f.backend.refuse(call::read, true);
    CHECK(f.pager.evict(2).freed == 2); // what was put before is good
    CHECK(f.pager.check());
}

TEST_CASE("a page in transit is dropped, forgotten, prefetched, or faulted back") {
    for (unsigned how = 0; how < 5; ++how) {
        CAPTURE(how);
        region_pager_options options;
        options.queue = 8;
        fixture<> f{8, options, {true, true, 4}};
        f.write(2, 9);
        f.write(3, 4);
        CHECK(f.pager.evict(1).freed == 1); // 2 has left, 3 waits in the queue
        CHECK(f.store.puts() == 1);
        REQUIRE(f.pager.state(3) == page_state::in_transit);
        CHECK(f.backend.see(3) == nullptr);
        CHECK(f.pager.statistics().in_transit_pages == 1);
        switch (how) {
        case 0:
            f.backend.refuse(call::drop, true);
            CHECK(f.pager.drop(3, 1) == status::busy);
            CHECK(f.pager.state(3) == page_state::in_transit);
            f.backend.refuse(call::drop, false);
            CHECK(f.pager.drop(3, 1) == status::ok);
            CHECK(f.read(3) == 0);
            break;
        case 1:
            f.backend.lose_memory(3);
            CHECK(f.pager.forget(3, 1) == status::ok);
            CHECK(f.read(3) == 0);
            break;
        case 2:
            CHECK(f.pager.prefetch(2, 2) == pages_done{2, status::ok});
            CHECK(f.read(3) == 4);
            break;
        case 3:
            CHECK(f.read(3) == 4);
            CHECK(f.pager.statistics().queue_faults == 1);
            break;
        default:
            f.write(3, 5);
            CHECK(f.read(3) == 5);
            break;
        }
        CHECK(f.pager.check());
        CHECK(f.pager.statistics().in_transit_pages == 0);
        CHECK(f.store.puts() == 1);
        // Its place in the queue is passed by.
        f.write(3, 6);
        for (unsigned i = 0; i < 3 && f.pager.in_memory() != 0; ++i) {
            static_cast<void>(f.pager.evict(8));
            static_cast<void>(f.pager.evict_page(3));
            static_cast<void>(f.pager.evict_page(2));
        }
        CHECK(f.pager.in_memory() == 0);
        CHECK(f.read(3) == 6);
        CHECK(f.pager.check());
    }
}

TEST_CASE("who comes back from the queue pays no codec, and the oldest leave first") {
    region_pager_options options;
    options.queue = 4;
    fixture<> f{32, options, {true, true, 4}};
    for (slot_id page = 0; page < 8; ++page) {
        f.write(page, static_cast<unsigned char>(page + 1));
    }
    CHECK(f.pager.evict(2).freed == 2);
    CHECK(f.pager.statistics().in_transit_pages == 2); // it grows by as many as leave
    CHECK(f.pager.evict(2).freed == 2);
    CHECK(f.pager.statistics().in_transit_pages == 4);
    CHECK(f.store.size() == 4);
    const std::uint64_t gets = f.store.gets();
    for (slot_id page = 0; page < 8; ++page) {
        if (f.pager.state(page) == page_state::in_transit) {
            CHECK(f.read(page) == page + 1);
        }
    }
    CHECK(f.store.gets() == gets);
    CHECK(f.pager.statistics().queue_faults == 4);
}

TEST_CASE("a store that is full keeps pages where they are, and copies give their room first") {
    fixture<> f{20};
    for (slot_id page = 0; page < 10; ++page) {
        f.write(page, 3);
    }
    CHECK(f.pager.evict(10).freed == 10);
    f.store.set_most(10);
    for (slot_id page = 0; page < 5; ++page) {
        CHECK(f.read(page) == 3);
    }
    CHECK(f.pager.statistics().copied_pages == 5);
    f.write(10, 4);
    f.evict({10}); // the copies of 0 to 4 have gone
    CHECK(f.pager.statistics().dropped_copies == 5);
    CHECK(f.pager.state(0) == page_state::resident);
    f.store.refuses_puts = true;
    CHECK(f.pager.evict_page(0) == status::limit);
    CHECK(f.pager.state(0) == page_state::resident);
    CHECK(f.read(0) == 3);
    std::byte content[page_size];
    fill_bytes(content, 3, page_size);
    CHECK(f.backend.write(0, content)); // without a fault: it is dirty as it is
    const pages_freed done = f.pager.evict(4);
    CHECK(done.freed == 0);
    CHECK_FALSE(done.goes_on);
    CHECK(f.pager.statistics().refused_pages >= 5);
    f.store.refuses_puts = false;
    CHECK(f.pager.evict(4).freed == 4);
    CHECK(f.pager.check());
}

TEST_CASE("what the store won't have because it does not shrink waits for a write, where one is told") {
    for (const bool tells : {true, false}) {
        CAPTURE(tells);
        fixture<> f{4, {}, {tells, false, 4}};
        f.write(0, 200);
        f.store.refuses_puts = true;
        f.store.refusal = status::incompressible;
        CHECK(f.pager.evict(1).freed == 0);
        const std::uint64_t puts = f.store.puts();
        CHECK(f.pager.evict(1).goes_on == !tells);
        CHECK((f.store.puts() == puts) == tells);
        CHECK((f.pager.statistics().barred_pages == 1) == tells);
        f.write(0, 100);
        f.store.refuses_puts = false;
        CHECK(f.pager.evict(1).freed == 1);
        CHECK(f.read(0) == 100);
    }
}

TEST_CASE("duplicate faults wake and change nothing") {
    fixture<> f{4};
    f.write(0, 1);
    for (const bool is_write : {false, true, false}) {
        f.backend.wait(0);
        CHECK(f.pager.fault(0, is_write) == status::ok);
        CHECK_FALSE(f.backend.is_waited_for(0));
    }
    CHECK(f.pager.statistics().duplicate_faults == 3);
    CHECK(f.read(0) == 1);
    f.backend.refuse(call::wake, true);
    f.backend.wait(0);
    CHECK(f.pager.fault(0, false) == status::busy);
    CHECK(f.backend.is_waited_for(0));
    f.backend.refuse(call::wake, false);
    CHECK(f.pager.drop(0, 4) == status::ok);
    CHECK_FALSE(f.backend.is_waited_for(0));
    // A read fault leaves a clean page clean, a write ends it once.
    CHECK(f.read(1) == 0);
    f.backend.refuse(call::let_write, true);
    f.backend.wait(1);
    CHECK(f.pager.fault(1, true) == status::busy);
    CHECK(f.backend.is_waited_for(1));
    CHECK(f.pager.statistics().write_faults == 0);
    f.backend.refuse(call::let_write, false);
    f.evict({1});
    CHECK(f.read(1) == 0);
    CHECK(f.pager.fault(1, false) == status::ok);
    CHECK(f.pager.state(1) == page_state::clean);
    CHECK(f.pager.fault(1, true) == status::ok);
    CHECK(f.pager.fault(1, true) == status::ok);
    CHECK(f.pager.statistics().write_faults == 1);
}

TEST_CASE("the limit holds while something can go") {
    region_pager_options options;
    options.limit = 10;
    options.batch = 3;
    fixture<> f{100, options};
    for (slot_id page = 0; page < 100; ++page) {
        f.write(page, static_cast<unsigned char>(page + 1));
        CHECK(f.pager.in_memory() <= 10);
    }
    f.pager.set_limit(1);
    CHECK(f.read(50) == 51);
    CHECK(f.pager.in_memory() == 1);
    f.pager.set_limit(4);
    CHECK(f.read(0) == 1);
    CHECK(f.pager.in_memory() <= 4);
    CHECK(f.pager.prefetch(0, 100).why == status::limit);
    CHECK(f.pager.in_memory() == 4);
    CHECK(f.pager.check());
}

TEST_CASE("a backend without memory gets it by evictions") {
    fixture<> f{40};
    f.backend.most_memory = 6;
    for (slot_id page = 0; page < 40; ++page) {
        f.write(page, static_cast<unsigned char>(page + 1));
    }
    for (slot_id page = 0; page < 40; ++page) {
        CHECK(f.read(page) == page + 1);
    }
    f.store.refuses_puts = true; // nothing can go but what is clean
    for (slot_id page = 0; page < 40; ++page) {
        f.backend.most_memory = f.backend.in_memory();
        const page_state before = f.pager.state(page);
        if (before == page_state::stored) {
            CHECK((f.read(page) == page + 1u || f.pager.state(page) == page_state::stored));
        }
    }
    CHECK(f.pager.check());
}

TEST_CASE("a page that comes back soon is a refault, one that comes late is none") {
    fixture<test_paging_backend, lru> f{200};
    for (slot_id page = 0; page < 20; ++page) {
        f.write(page, 1);
    }
    f.evict({0});
    CHECK(f.read(0) == 1);
    CHECK(f.pager.statistics().refaults == 1);
    f.evict({1});
    for (slot_id page = 30; page < 60; ++page) {
        f.write(page, 1);
        f.evict({page});
    }
    CHECK(f.read(1) == 1); // 31 went, 19 are there
    CHECK(f.pager.statistics().refaults == 1);
}

TEST_CASE("pages of a base cost no put, unless it is slow") {
    for (const bool stores : {false, true}) {
        region_pager_options options;
        options.stores_base = stores;
        fixture<based_test_backend> f{8, options};
        CHECK(f.read(2) == 3);
        f.evict({2});
        CHECK(f.pager.state(2) == (stores ? page_state::stored : page_state::nowhere));
        CHECK(f.read(2) == 3);
        f.store.refuses_puts = true;
        CHECK(f.read(3) == 4);
        f.evict({3}); // the base has it, whatever the store says
        CHECK(f.pager.state(3) == page_state::nowhere);
        f.store.refuses_puts = false;
        f.write(4, 0);
        f.evict({4});
        CHECK(f.pager.state(4) == page_state::zero);
        CHECK(f.read(4) == 0);
        CHECK(f.pager.drop(2, 1) == status::ok);
        CHECK(f.read(2) == 0); // a drop gives zeros
        f.backend.refuse(call::fill, true);
        CHECK(f.read(5) == 256);
        CHECK(f.pager.fault(5, false) == status::unavailable);
        f.backend.refuse(call::fill, false);
        CHECK(f.read(5) == 6);
    }
}

TEST_CASE("an ephemeral pool may lose pages of the base, and never has written ones") {
    region_pager_options options;
    options.may_vanish = options.stores_base = true;
    options.keeps_copies = false;
    fixture<based_test_backend> f{8, options, {false, false, 4}};
    CHECK(f.read(1) == 2);
    f.evict({1});
    CHECK(f.store.has(1));
    f.store.drop(1);
    CHECK(f.read(1) == 2);
    f.evict({1});
    f.store.spoil(1);
    CHECK(f.read(1) == 2);
    CHECK_FALSE(f.store.has(1));
    CHECK(f.pager.statistics().vanished_pages == 2);
    CHECK(f.pager.statistics().lost_pages == 0);
    f.evict({1});
    CHECK(f.read(1) == 2);
    CHECK_FALSE(f.store.has(1)); // no copy stays
    f.write(1, 77);
    CHECK(f.pager.evict_page(1) == status::unavailable);
    CHECK(f.read(1) == 77);
    CHECK_FALSE(f.pager.evict(1).goes_on);
    CHECK(f.pager.drop(1, 1) == status::ok);
    CHECK(f.pager.check());
}

TEST_CASE("accessed bits are a second chance") {
    fixture<based_test_backend> f{8};
    for (slot_id page = 0; page < 8; ++page) {
        f.write(page, 9);
    }
    CHECK(f.pager.evict(1).freed == 1); // after a round
    for (slot_id page = 0; page < 8; ++page) {
        if (f.pager.state(page) == page_state::resident && page != 4) {
            static_cast<void>(f.backend.see(page));
        }
    }
    CHECK(f.pager.state(4) == page_state::resident);
    CHECK(f.pager.evict(1).freed == 1);
    CHECK(f.pager.state(4) == page_state::stored);
}

TEST_CASE("read-ahead brings runs, backwards too, and never what is lost or there") {
    region_pager_options options;
    options.read_ahead = 8;
    fixture<> f{64, options};
    for (slot_id page = 0; page < 64; ++page) {
        f.write(page, static_cast<unsigned char>(page + 1));
    }
    while (f.pager.in_memory() != 0) {
        CHECK(f.pager.evict(64).freed != 0);
    }
    std::uint64_t faults = f.pager.statistics().faults;
    for (slot_id page = 0; page < 64; ++page) {
        CHECK(f.read(page) == page + 1);
    }
    CHECK(f.pager.statistics().faults - faults < 16);
    CHECK(f.pager.statistics().read_ahead_pages > 40);
    while (f.pager.in_memory() != 0) {
        CHECK(f.pager.evict(64).freed != 0);
    }
    faults = f.pager.statistics().faults;
    for (slot_id page = 64; page-- != 0;) {
        CHECK(f.read(page) == page + 1);
    }
    CHECK(f.pager.statistics().faults - faults < 16);
    while (f.pager.in_memory() != 0) {
        CHECK(f.pager.evict(64).freed != 0);
    }
    f.store.spoil(10);
    unsigned lost = 0;
    for (slot_id page = 0; page < 64; ++page) {
        const unsigned got = f.read(page);
        CHECK(got == (page == 10 ? 256 : page + 1));
        lost += got == 256 ? 1 : 0;
    }
    CHECK(lost == 1);
    CHECK(f.pager.prefetch(8, 8) == pages_done{2, status::corrupt});
    CHECK(f.pager.check());
}

TEST_CASE("a corrupt page behind one that can't be mapped is not the first one's fault") {
    region_pager_options options;
    options.read_ahead = 8;
    fixture<> f{16, options};
    for (slot_id page = 0; page < 16; ++page) {
        f.write(page, 8);
    }
    while (f.pager.in_memory() != 0) {
        CHECK(f.pager.evict(64).freed != 0);
    }
    CHECK(f.read(0) == 8);
    f.store.spoil(2);
    f.backend.refuse(call::bring, true);
    CHECK(f.pager.fault(1, false) == status::busy);
    CHECK(f.pager.state(1) == page_state::stored);
    f.backend.refuse(call::bring, false);
    CHECK(f.read(1) == 8);
    CHECK(f.pager.fault(2, false) == status::corrupt);
}

TEST_CASE("pages that come and go by themselves are believed") {
    fixture<> f{8};
    std::byte content[page_size];
    fill_bytes(content, 33, page_size);
    f.write(0, 1);
    f.evict({0});
    f.backend.appear(0, content);
    CHECK(f.pager.appeared(0, 1) == status::ok);
    CHECK_FALSE(f.store.has(0));
    f.evict({0});
    CHECK(f.read(0) == 33);
    fill_bytes(content, 44, page_size);
    f.backend.lose_memory(0); // it goes and comes before anybody hears of it
    f.backend.appear(0, content);
    CHECK(f.pager.state(0) == page_state::clean);
    CHECK(f.pager.appeared(0, 1) == status::ok);
    f.evict({0});
    CHECK(f.read(0) == 44);
    f.backend.lose_memory(0);
    CHECK(f.pager.forget(0, 1) == status::ok);
    CHECK(f.read(0) == 0);
    CHECK(f.pager.check());
}

TEST_CASE("a page that is lost in the midst of a run stays lost, wherever the run goes on") {
    fixture<> f{16};
    for (slot_id page = 0; page < 4; ++page) {
        f.write(page, 8);
    }
    f.evict({0, 1, 2, 3});
    f.store.spoil(2);
    f.backend.refuse_next(3); // the place, page 0, page 1
    CHECK(f.pager.prefetch(0, 4) == pages_done{2, status::corrupt});
    CHECK(f.pager.state(2) == page_state::lost);
    CHECK(f.read(2) == 256);
    CHECK(f.pager.state(3) == page_state::stored);
    CHECK(f.pager.check());
}

TEST_CASE("who waits for a lost page is asked for again until he has heard of it") {
    for (const call refused : {call::set_lost, call::wake}) {
        fixture<> f{4};
        f.write(1, 3);
        f.evict({1});
        f.store.spoil(1);
        f.backend.wait(1);
        f.backend.refuse(refused, true);
        CHECK(f.pager.fault(1, false) == status::busy);
        CHECK(f.pager.state(1) == page_state::lost);
        CHECK(f.backend.is_waited_for(1));
        f.backend.refuse(refused, false);
        CHECK(f.pager.fault(1, false) == status::corrupt);
        CHECK_FALSE(f.backend.is_waited_for(1));
        CHECK(f.backend.hears_an_error(1));
    }
}

/// Its file is damaged.
class damaged_test_backend : public based_test_backend {
public:
    using based_test_backend::based_test_backend;
    status fill(slot_id, byte_span) noexcept { return is_damaged ? status::corrupt : status::ok; }
    bool is_damaged = true;
};

TEST_CASE("a base that can't be read is no page that is lost") {
    fixture<damaged_test_backend> f{8};
    f.backend.wait(5);
    CHECK(f.pager.fault(5, false) == status::unavailable);
    CHECK(f.pager.state(5) == page_state::nowhere);
    CHECK(f.backend.is_waited_for(5));
    f.backend.is_damaged = false;
    CHECK(f.pager.fault(5, false) == status::ok);
    CHECK(f.pager.check());
}

TEST_CASE("a page that appears while an older one is in transit is the one that counts") {
    fixture<> f{4};
    std::byte content[page_size];
    fill_bytes(content, 44, page_size);
    f.write(0, 1);
    f.evict({0});
    CHECK(f.read(0) == 1);
    f.backend.refuse(call::drop, true);
    f.backend.refuse(call::put_back, true);
    CHECK(f.pager.evict_page(0) == status::busy);
    CHECK(f.pager.state(0) == page_state::in_transit);
    f.backend.lose_memory(0);
    f.backend.appear(0, content);
    CHECK(f.pager.appeared(0, 1) == status::ok);
    CHECK(f.pager.state(0) == page_state::resident);
    CHECK(f.pager.check());
    f.backend.refuse(call::drop, false);
    f.backend.refuse(call::put_back, false);
    CHECK(f.pager.evict(4).freed == 1);
    CHECK(f.read(0) == 44);
    CHECK(f.pager.check());
}

TEST_CASE("a lost page that is forgotten is missing for the backend, too") {
    fixture<> f{4};
    f.write(1, 3);
    f.evict({1});
    f.store.spoil(1);
    CHECK(f.pager.fault(1, false) == status::corrupt);
    f.backend.refuse(call::set_lost, true);
    CHECK(f.pager.forget(1, 1) == status::busy);
    CHECK(f.pager.state(1) == page_state::lost);
    f.backend.refuse(call::set_lost, false);
    CHECK(f.pager.forget(1, 1) == status::ok);
    CHECK(f.read(1) == 0);
    CHECK(f.pager.check());
}

TEST_CASE("a put that is refused looks at a bounded number of pages for copies that may go") {
    fixture<> f{1000};
    for (slot_id page = 0; page < 1000; ++page) {
        f.write(page, 1);
    }
    while (f.pager.evict(64).freed != 0) {
    }
    for (slot_id page = 0; page < 1000; ++page) {
        CHECK(f.read(page) == 1);
    }
    f.write(7, 2);
    f.store.refuses_puts = true;
    f.store.erase_refuses_one_in = 1;
    unsigned erases = 0;
    f.store.on_call = [&erases](test_paged_store::call which, std::uint64_t) {
        erases += which == test_paged_store::call::erase ? 1u : 0u;
    };
    CHECK(f.pager.evict_page(7) == status::limit);
    CHECK(erases > 256);
    CHECK(erases <= 512 + 5);
    f.store.on_call = nullptr;
    CHECK(f.pager.check());
}

TEST_CASE("an eviction puts a bounded number of pages, however many wait and however many copies there are") {
    region_pager_options options;
    options.queue = 2000;
    fixture<> f{4000, options};
    for (slot_id page = 0; page < 4000; ++page) {
        f.write(page, 1);
    }
    for (unsigned i = 0; i < 40; ++i) {
        static_cast<void>(f.pager.evict(64));
    }
    CHECK(f.pager.statistics().in_transit_pages > 1000);
    f.store.refuses_puts = true;
    std::uint64_t most = 0;
    for (unsigned i = 0; i < 50; ++i) {
        const std::uint64_t before = f.store.puts();
        static_cast<void>(f.pager.evict(64));
        most = f.store.puts() - before > most ? f.store.puts() - before : most;
    }
    CHECK(most <= 256);
    CHECK(most != 0);
    f.store.refuses_puts = false;
    CHECK(f.pager.check());
    fixture<> g{1000};
    for (slot_id page = 0; page < 1000; ++page) {
        g.write(page, 1);
    }
    while (g.pager.evict(64).freed != 0) {
    }
    for (slot_id page = 0; page < 1000; ++page) {
        CHECK(g.read(page) == 1);
    }
    g.write(7, 2);
    g.store.refuses_puts = true;
    const std::uint64_t before = g.store.puts();
    CHECK(g.pager.evict_page(7) == status::limit);
    CHECK(g.store.puts() - before == 5);
    CHECK(g.pager.statistics().dropped_copies == 4 * 64);
}

TEST_CASE("pages of a pager that ended are adopted by the next") {
    fixture<based_test_backend> f{8};
    f.write(0, 1);
    f.write(1, 2);
    f.write(2, 0);
    f.write(3, 9);
    f.evict({0, 1, 2, 3});
    f.store.spoil(3);
    CHECK(f.pager.fault(3, false) == status::corrupt);
    page_state saved[8] = {};
    for (slot_id page = 0; page < 8; ++page) {
        saved[page] = f.pager.state(page);
    }
    based_test_backend backend{8};
    region_pager<test_paged_store, based_test_backend, clock> next{f.store, backend};
    std::vector<std::uint64_t> memory(f.memory.size());
    CHECK(next.open({static_cast<std::byte*>(static_cast<void*>(memory.data())), memory.size() * 8}, 8, {}) ==
          status::ok);
    for (slot_id page = 0; page < 8; ++page) {
        CHECK(next.adopt(page, 1, saved[page]) == status::ok);
        CHECK(next.state(page) == saved[page]);
    }
    CHECK(next.check());
    CHECK(next.statistics().stored_pages == 2);
    CHECK(next.adopt(4, 4, page_state::clean) == status::invalid);
    CHECK(next.adopt(0, 8, page_state::zero) == status::invalid); // it has some of them
    CHECK(next.adopt(7, 2, page_state::zero) == status::invalid);
    for (const slot_id page : {slot_id{0}, slot_id{1}, slot_id{2}, slot_id{5}}) {
        CHECK(next.fault(page, false) == status::ok);
    }
    CHECK(backend.see(0)[0] == std::byte{1});
    CHECK(backend.see(1)[0] == std::byte{2});
    CHECK(backend.see(2)[0] == std::byte{0});
    CHECK(backend.see(5)[0] == std::byte{6});
    CHECK(next.fault(3, false) == status::corrupt);
    CHECK(next.adopt(0, 1, page_state::stored) == status::invalid);
    CHECK(next.drop(0, 8) == status::ok);
    CHECK(next.check());
    CHECK(backend.misuses() == 0);
    CHECK(f.store.size() == 0);
    region_pager_options vanishing;
    vanishing.may_vanish = true;
    fixture<based_test_backend> v{4, vanishing};
    CHECK(v.pager.adopt(0, 2, page_state::stored) == status::ok);
    CHECK(v.pager.adopt(2, 1, page_state::zero) == status::ok);
    for (slot_id page = 0; page < 4; ++page) { // the pool has none of them: it may
        CHECK(v.read(page) == (page == 2 ? 0 : page + 1));
    }
    // One that the pool does not have after all is lost, and says so.
    CHECK(next.adopt(6, 1, page_state::stored) == status::ok);
    CHECK(next.fault(6, false) == status::corrupt);
}

TEST_CASE("an entry that can't be erased is older than the page, and never read") {
    fixture<> f{4};
    f.write(0, 1);
    f.evict({0});
    CHECK(f.read(0) == 1);
    f.store.erase_refuses_one_in = 1;
    f.write(0, 2);
    CHECK(f.store.has(0));
    CHECK(f.pager.drop(0, 1) == status::busy); // zeros would be told from the entry by nothing
    CHECK(f.read(0) == 2);
    f.write(0, 0);
    CHECK(f.pager.evict_page(0) == status::busy);
    CHECK(f.read(0) == 0);
    f.store.erase_refuses_one_in = 0;
    f.evict({0});
    CHECK(f.pager.state(0) == page_state::zero);
    CHECK_FALSE(f.store.has(0));
}

TEST_CASE("a million pages, few of them in memory") {
    constexpr std::size_t pages = 1'000'000;
    region_pager_options options;
    options.limit = 100;
    fixture<> f{pages, options};
    for (std::size_t i = 0; i < 1000; ++i) {
        f.write(static_cast<slot_id>(i * 999 % pages), static_cast<unsigned char>(1 + i % 200));
    }
    for (std::size_t i = 0; i < 1000; ++i) {
        REQUIRE(f.read(static_cast<slot_id>(i * 999 % pages)) == 1 + i % 200);
    }
    CHECK(f.pager.in_memory() <= 100);
    CHECK(f.pager.check());
    CHECK(f.pager.drop(0, pages) == status::ok);
    CHECK(f.store.size() == 0);
}

} // namespace
} // namespace pagefold::testing::unit_paging_region_pager
