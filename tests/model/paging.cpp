// SPDX-License-Identifier: MIT
//
// A region pager over a backend and a store that refuse at random, beside the plainest reference: what each page must
// read as. No content is ever other than that; a page is lost only where its stored bytes were spoiled, and then always
// told.

#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/probation_clock.hpp>
#include <pagefold/paging/region_pager.hpp>

#include <support/environment.hpp>
#include <support/rng.hpp>
#include <support/test_paged_store.hpp>
#include <support/test_paging_backend.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing::model_paging {
namespace {

constexpr std::size_t page_size = test_paging_backend::page_size;

struct trouble {
    std::uint64_t backend_refuses_one_in = 0;
    std::uint64_t store_refuses_one_in = 0;
    std::uint64_t erase_refuses_one_in = 0;
    std::uint64_t spoils_one_in = 0;
    std::size_t most_stored = ~std::size_t{0};
};

/// `Backend` has the region's pages as based_test_backend's base, or zeros.
template <class Backend, class Policy>
class model {
public:
    using pager_type = region_pager<test_paged_store, Backend, Policy>;

    model(std::size_t pages, const test_paging_kind& kind, region_pager_options options, const trouble& t,
          std::uint64_t seed)
        : options_{options}, trouble_{t}, random_{seed}, backend_{pages, kind, seed + 1},
          store_{pages, t.most_stored, seed + 2}, pager_{store_, backend_},
          memory_(pager_type::bytes_for(pages, options) / sizeof(std::uint64_t) + 1), pages_(pages) {
        backend_.refuses_one_in = t.backend_refuses_one_in;
        store_.refuses_one_in = t.store_refuses_one_in;
        store_.erase_refuses_one_in = t.erase_refuses_one_in;
        REQUIRE(pager_.open({static_cast<std::byte*>(static_cast<void*>(memory_.data())),
                             memory_.size() * sizeof(std::uint64_t)},
                            pages, options) == status::ok);
        for (std::size_t page = 0; page < pages; ++page) {
            const std::byte base = based_backend<Backend> ? based_test_backend::base_byte(page) : std::byte{0};
            fill_bytes(pages_[page].bytes, static_cast<unsigned char>(base), page_size);
        }
    }

    void run(std::size_t steps) {
        for (std::size_t step = 0; step < steps; ++step) {
            turn();
            if (step % 61 == 0) {
                REQUIRE(pager_.check());
                REQUIRE(backend_.in_memory() == pager_.in_memory());
            }
        }
        REQUIRE(backend_.misuses() == 0);
        end();
    }
    [[nodiscard]] region_pager_stats stats() const { return pager_.statistics(); }
    [[nodiscard]] std::uint64_t told_lost() const { return told_lost_; }

private:
    struct page_of {
        std::byte bytes[page_size] = {};
        bool is_spoiled = false; // its only copy is
    };
    static constexpr unsigned patience = 3; // a program's; it comes again

    void turn() {
        const auto page = static_cast<slot_id>(next_page());
        // What is written stays in memory where the pool may lose it: with many writes nothing else would happen.
        switch (options_.may_vanish && !random_.one_in(30) ? random_.below(2) * 8 + random_.below(2) * 64
                                                           : random_.below(64)) {
        case 0: static_cast<void>(pager_.evict(1 + random_.below(20))); break;
        case 1: static_cast<void>(pager_.evict_page(page)); break;
        case 2: drop(page, 1 + random_.below(6)); break;
        case 3: static_cast<void>(pager_.drop_copies(1 + random_.below(4))); break;
        case 4: prefetch(page, 1 + random_.below(10)); break;
        case 5: fault_for_nothing(page); break;
        case 6: pager_.set_limit(1 + random_.below(options_.limit)); break;
        case 7: spoil(page); break;
        case 8: vanish(page); break;
        case 9: come_and_go(page); break;
        case 64: read(page); break;
        default: random_.one_in(3) ? write(page) : read(page); break;
        }
    }
    /// Now and then a stream, forwards, backwards or in steps.
    std::size_t next_page() {
        if (stream_left_ == 0 && random_.one_in(40)) {
            stream_left_ = random_.below(30);
            stride_ = random_.below(7) + pages_.size() * 4 - 3;
        }
        if (stream_left_ == 0) {
            return at_ = random_.below(pages_.size());
        }
        --stream_left_;
        return at_ = (at_ + stride_) % pages_.size();
    }
    /// The program's accesses. False where it gave up: something refused too often.
    template <class Access>
    bool access(slot_id page, bool is_write, Access try_it) {
        for (unsigned i = 0; i < patience; ++i) {
            if (try_it()) {
                return true;
            }
            if (backend_.hears_an_error(page)) {
                REQUIRE(pager_.state(page) == page_state::lost);
                REQUIRE(pages_[page].is_spoiled);
                ++told_lost_;
                return false;
            }
            backend_.wait(page);
            const status s = pager_.fault(page, is_write);
            REQUIRE(s != status::invalid);
            REQUIRE((s != status::corrupt || pages_[page].is_spoiled));
            REQUIRE((s != status::ok || !backend_.is_waited_for(page)));
        }
        return false;
    }
    void read(slot_id page) {
        access(page, false, [&] {
            const std::byte* const seen = backend_.see(page);
            REQUIRE((seen == nullptr || equal_bytes(seen, pages_[page].bytes, page_size)));
            return seen != nullptr;
        });
    }
    void write(slot_id page) {
        std::byte content[page_size] = {};
        if (!random_.one_in(4)) {
            store_native(content, random_());
        }
        if (access(page, true, [&] { return backend_.write(page, content); })) {
            copy_bytes(pages_[page].bytes, content, page_size);
        }
    }
    void drop(slot_id page, std::size_t count) {
        count = count < pages_.size() - page ? count : pages_.size() - page;
        const status s = pager_.drop(page, count);
        // What of it is done is zeros, and the rest as it was.
        for (std::size_t i = page; i < page + count; ++i) {
            if (pager_.state(static_cast<slot_id>(i)) == page_state::zero) {
                fill_bytes(pages_[i].bytes, 0, page_size);
                pages_[i].is_spoiled = false;
            }
            REQUIRE((s != status::ok || pager_.state(static_cast<slot_id>(i)) == page_state::zero));
        }
    }
    void prefetch(slot_id page, std::size_t count) {
        count = count < pages_.size() - page ? count : pages_.size() - page;
        const std::size_t before = pager_.in_memory();
        const pages_done done = pager_.prefetch(page, count);
        REQUIRE((done.done == count) == (done.why == status::ok));
        for (std::size_t i = page; i < page + done.done; ++i) {
            const page_state state = pager_.state(static_cast<slot_id>(i));
            REQUIRE((state == page_state::resident || state == page_state::clean));
        }
        REQUIRE((done.why != status::corrupt || pages_[page + done.done].is_spoiled));
        REQUIRE(pager_.in_memory() <= before + count);
    }
    /// Twice, of pages that are there, and of none.
    void fault_for_nothing(slot_id page) {
        static_cast<void>(pager_.fault(page, false));
        static_cast<void>(pager_.fault(page, random_.one_in(2)));
        REQUIRE(pager_.fault(static_cast<slot_id>(pages_.size()), true) == status::invalid);
    }
    void spoil(slot_id page) {
        if (trouble_.spoils_one_in != 0 && random_.one_in(trouble_.spoils_one_in) &&
            pager_.state(page) == page_state::stored) {
            store_.spoil(page);
            pages_[page].is_spoiled = !options_.may_vanish;
        }
    }
    void vanish(slot_id page) {
        if (options_.may_vanish) {
            store_.drop(page);
        }
    }
    /// Pages that go and come without the pager, which hears of it afterwards.
    void come_and_go(slot_id page) {
        std::byte content[page_size] = {};
        store_native(content, random_());
        if (pager_.state(page) == page_state::lost || backend_.is_taken(page)) {
            return;
        }
        if (backend_.is_present(page)) {
            backend_.lose_memory(page);
            while (pager_.forget(page, 1) != status::ok) {
            }
            fill_bytes(pages_[page].bytes, 0, page_size);
        } else {
            backend_.appear(page, content);
            REQUIRE(pager_.appeared(page, 1) == status::ok);
            copy_bytes(pages_[page].bytes, content, page_size);
        }
        pages_[page].is_spoiled = false;
    }
    /// Once nothing refuses any more, every page is there, as it must be, or lost.
    void end() {
        backend_.refuses_one_in = store_.refuses_one_in = store_.erase_refuses_one_in = 0;
        for (slot_id page = 0; page < pages_.size(); ++page) {
            const std::uint64_t told = told_lost_;
            bool was_read = false;
            access(page, false, [&] {
                const std::byte* const seen = backend_.see(page);
                REQUIRE((seen == nullptr || equal_bytes(seen, pages_[page].bytes, page_size)));
                return was_read = seen != nullptr;
            });
            REQUIRE(was_read == (told == told_lost_));
            REQUIRE((was_read || pages_[page].is_spoiled));
        }
        REQUIRE(pager_.check());
        REQUIRE(pager_.drop(0, pages_.size()) == status::ok);
        REQUIRE(pager_.check());
        REQUIRE(store_.size() == 0);
        REQUIRE(backend_.in_memory() == 0);
        REQUIRE(backend_.misuses() == 0);
    }

    region_pager_options options_;
    trouble trouble_;
    rng random_;
    Backend backend_;
    test_paged_store store_;
    pager_type pager_;
    std::vector<std::uint64_t> memory_;
    std::vector<page_of> pages_;
    std::size_t at_ = 0, stride_ = 1;
    std::uint64_t stream_left_ = 0, told_lost_ = 0;
};

region_pager_options with_limit(std::size_t limit) {
    region_pager_options options;
    options.limit = limit;
    options.batch = 4;
    return options;
}

constexpr trouble none{};
constexpr trouble much{9, 9, 5, 3, 40};
constexpr trouble some{60, 60, 30, 8, 60};

template <class Backend, class Policy>
region_pager_stats run(std::size_t pages, const test_paging_kind& kind, const region_pager_options& options,
                       const trouble& t, std::size_t steps, std::uint64_t seed) {
    CAPTURE(pages);
    CAPTURE(seed);
    model<Backend, Policy> m{pages, kind, options, t, seed};
    m.run(in_part(steps));
    return m.stats();
}

TEST_CASE("a pager over a backend that protects never shows other bytes, whatever is refused") {
    std::uint64_t seed = 1;
    for (const trouble& t : {none, some, much}) {
        for (const std::size_t queue : {std::size_t{0}, std::size_t{7}}) {
            for (const bool moves : {false, true}) {
                region_pager_options options = with_limit(24);
                options.queue = queue;
                options.read_ahead = moves ? 8 : 1;
                const auto s = run<test_paging_backend, clock>(96, {true, moves, 4}, options, t, 300'000, ++seed);
                CHECK(s.evicted_pages != 0);
                CHECK(s.refaults != 0);
                CHECK((s.queue_faults != 0 || queue == 0));
                CHECK((s.backend_refusals != 0) == (t.backend_refuses_one_in != 0));
            }
        }
    }
}

TEST_CASE("the same over a base, with bits for what was accessed and written") {
    std::uint64_t seed = 100;
    for (const trouble& t : {none, some, much}) {
        for (const std::size_t queue : {std::size_t{0}, std::size_t{5}}) {
            for (const bool tells : {false, true}) {
                region_pager_options options = with_limit(30);
                options.queue = queue;
                options.read_ahead = 16;
                options.keeps_copies = queue == 0;
                options.stores_base = tells;
                const auto s = run<based_test_backend, probation_clock>(80, {tells, !tells, 1 + queue}, options, t,
                                                                        300'000, ++seed);
                CHECK(s.base_faults != 0);
                CHECK(s.read_ahead_pages != 0);
                CHECK(s.zero_pages != 0);
            }
        }
    }
}

TEST_CASE("a pool that loses pages costs another reading of the base, and written pages stay out of it") {
    std::uint64_t seed = 200;
    for (const trouble& t : {none, some, much}) {
        for (const bool keeps : {false, true}) {
            region_pager_options options = with_limit(20);
            options.may_vanish = options.stores_base = true;
            options.keeps_copies = keeps;
            std::uint64_t vanished = 0;
            for (unsigned i = 0; i < 40; ++i) { // each page is written sooner or later
                const auto s = run<based_test_backend, clock>(60, {keeps, false, 3}, options, t, 10'000, ++seed);
                CHECK(s.lost_pages == 0);
                vanished += s.vanished_pages;
            }
            CHECK(vanished != 0);
        }
    }
}

TEST_CASE("regions of no page, of one, and of a few") {
    for (const std::size_t pages : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{65}}) {
        for (const trouble& t : {none, much}) {
            run<test_paging_backend, clock>(pages, {true, false, 2}, with_limit(1), t, 50'000, pages);
        }
    }
    run<based_test_backend, clock>(5000, {true, true, 8}, with_limit(3), some, 100'000, 77); // few of many
}

TEST_CASE("ten million steps") {
    region_pager_options options = with_limit(12);
    options.queue = 3;
    options.read_ahead = 4;
    run<test_paging_backend, clock>(40, {true, true, 4}, options, some, 5'500'000, 500);
}

} // namespace
} // namespace pagefold::testing::model_paging
