// SPDX-License-Identifier: MIT
#include <pagefold/evict/clock.hpp>
#include <pagefold/paging/region_pager.hpp>
#include <pagefold/paging/working_set_recorder.hpp>

#include <support/rng.hpp>
#include <support/test_paged_store.hpp>
#include <support/test_paging_backend.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <set>
#include <vector>

namespace pagefold::testing::unit_paging_working_set_recorder {
namespace {

struct fixture {
    fixture(std::size_t pages, std::size_t runs) : memory(working_set_recorder::bytes_for(pages, runs) / 8 + 1) {
        CHECK(record.open(span(), pages, runs) == status::ok);
    }
    fixture(const fixture&) = delete;
    fixture& operator=(const fixture&) = delete;
    [[nodiscard]] byte_span span() {
        return {static_cast<std::byte*>(static_cast<void*>(memory.data())), memory.size() * 8};
    }
    void note(std::initializer_list<slot_id> pages) {
        for (const slot_id page : pages) {
            CHECK(record.note(page));
        }
    }
    [[nodiscard]] std::vector<slot_id> all(std::size_t most) {
        std::vector<slot_id> pages;
        record.rewind();
        for (page_run run = record.next(most); run.count != 0; run = record.next(most)) {
            CHECK(run.count <= most);
            for (std::uint32_t i = 0; i < run.count; ++i) {
                pages.push_back(run.first + i);
            }
        }
        return pages;
    }
    [[nodiscard]] std::vector<std::byte> saved() const {
        std::vector<std::byte> bytes(record.saved_bytes());
        CHECK(record.save(bytes).value_or(0) == bytes.size());
        return bytes;
    }

    std::vector<std::uint64_t> memory;
    working_set_recorder record{};
};

TEST_CASE("pages come in the order of their first touch, each once") {
    fixture f{100, 10};
    f.note({5, 6, 7, 50, 3});
    for (const slot_id page : {slot_id{6}, slot_id{3}, slot_id{100}, no_slot}) {
        CHECK_FALSE(f.record.note(page));
    }
    f.note({4, 8});
    CHECK(f.record.runs() == 4); // 5 to 7, 50, 3 and 4, 8
    CHECK(f.record.noted() == 7);
    CHECK(f.record.has(8));
    CHECK_FALSE(f.record.has(9));
    CHECK_FALSE(f.record.has(200));
    for (const std::size_t most : {std::size_t{1}, std::size_t{2}, std::size_t{64}}) {
        CHECK(f.all(most) == std::vector<slot_id>{5, 6, 7, 50, 3, 4, 8});
    }
    CHECK(f.record.next(0) == page_run{});
    CHECK(f.record.check());
    f.record.clear();
    CHECK(f.record.noted() == 0);
    CHECK(f.all(9).empty());
    f.note({5});
    CHECK(f.record.check());
}

TEST_CASE("what is noted behind the end of a replay comes as well, in the last run or in a new one") {
    fixture f{100, 10};
    f.note({5});
    CHECK(f.record.next(1).first == 5);
    CHECK(f.record.next(1).count == 0);
    f.note({6});
    const page_run grown = f.record.next(1);
    CHECK(grown.first == 6);
    CHECK(grown.count == 1);
    CHECK(f.record.next(1).count == 0);
    f.note({40});
    CHECK(f.record.next(1).first == 40);
    CHECK(f.record.next(1).count == 0);
}

TEST_CASE("a record that is full keeps what it has, and goes on where a run does") {
    fixture f{100, 2};
    f.note({10, 20});
    CHECK_FALSE(f.record.note(30));
    CHECK_FALSE(f.record.note(30));
    CHECK(f.record.missed() == 2);
    f.note({21, 22});
    CHECK(f.all(64) == std::vector<slot_id>{10, 20, 21, 22});
    CHECK(f.record.check());
    fixture none{100, 0};
    CHECK_FALSE(none.record.note(1));
    CHECK(none.record.missed() == 1);
    CHECK(none.record.check());
}

TEST_CASE("regions of no page and of one, and memory that is too small") {
    fixture f{0, 3};
    CHECK_FALSE(f.record.note(0));
    CHECK(f.record.check());
    fixture one{1, 1};
    one.note({0});
    CHECK(one.all(8) == std::vector<slot_id>{0});
    working_set_recorder record;
    CHECK_FALSE(record.note(0));
    CHECK(record.check());
    const std::size_t needed = working_set_recorder::bytes_for(1, 1);
    CHECK(record.open(one.span().first(needed), 1, 1) == status::ok);
    CHECK(record.open(one.span().first(needed - 1), 1, 1) == status::invalid);
    CHECK_FALSE(record.note(0));
    CHECK(record.open(one.span().subview(4), 0, 0) == status::invalid);
    CHECK(record.open(one.span(), no_slot, 0) == status::invalid);
    CHECK(record.open(one.span(), 1, ~std::size_t{0} / 8) == status::invalid);
    CHECK(record.load({}) == status::corrupt);
    record.clear();
}

TEST_CASE("what was saved is what is loaded") {
    fixture f{1000, 100};
    rng random{3};
    for (unsigned i = 0; i < 60; ++i) {
        const auto first = static_cast<slot_id>(random.below(990));
        for (slot_id page = first; page < first + random.below(9); ++page) {
            static_cast<void>(f.record.note(page));
        }
    }
    const auto bytes = f.saved();
    fixture g{1000, f.record.runs()};
    g.note({1, 2});
    CHECK(g.record.load(bytes) == status::ok);
    CHECK(g.all(7) == f.all(100));
    CHECK(g.record.check());
    CHECK(g.saved() == bytes);
    std::vector<std::byte> less(bytes.size() - 1);
    CHECK(f.record.save(less).error() == status::too_short);
    fixture small{1000, f.record.runs() - 1};
    CHECK(small.record.load(bytes) == status::limit);
    CHECK(small.record.noted() == 0);
    fixture other{1001, 100};
    CHECK(other.record.load(bytes) == status::corrupt);
    fixture empty{1000, 0};
    CHECK(g.record.load(empty.saved()) == status::ok);
    CHECK(g.record.noted() == 0);
}

TEST_CASE("no damage of a saved record is believed") {
    fixture f{300, 20};
    f.note({9, 10, 11, 250, 251, 7, 299});
    const auto bytes = f.saved();
    fixture g{300, 20};
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        auto damaged = bytes;
        damaged[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
        CHECK(g.record.load(damaged) == status::corrupt);
        CHECK(g.record.noted() == 0);
    }
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        CHECK(g.record.load(byte_view{bytes.data(), size}) == status::corrupt);
    }
    auto longer = bytes;
    longer.resize(bytes.size() + 8);
    CHECK(g.record.load(longer) == status::corrupt);
    CHECK(g.record.check());
}

TEST_CASE("a record with a right sum and wrong runs is not believed either") {
    // Made by a recorder of another mind: its memory is written over before it saves.
    fixture g{64, 8};
    const auto answers = [&](std::initializer_list<page_run> runs) {
        fixture f{64, runs.size()};
        for (std::size_t i = 0; i < runs.size(); ++i) {
            f.note({static_cast<slot_id>(2 * i)});
        }
        auto* const at = static_cast<page_run*>(static_cast<void*>(f.memory.data() + 2));
        std::size_t i = 0;
        for (const page_run& run : runs) {
            at[i++] = run;
        }
        const status s = g.record.load(f.saved());
        CHECK(g.record.check());
        return s;
    };
    CHECK(answers({{0, 64}}) == status::ok);
    CHECK(answers({{0, 65}}) == status::corrupt);
    CHECK(answers({{64, 1}}) == status::corrupt);
    CHECK(answers({{63, 0xffffffffu}}) == status::corrupt);
    CHECK(answers({{5, 0}}) == status::corrupt);
    CHECK(answers({{5, 3}, {7, 1}}) == status::corrupt);
    CHECK(answers({{5, 3}, {8, 1}, {4, 1}}) == status::ok);
}

TEST_CASE("the pages that a guest touched come back in batches before it asks") {
    region_pager_options options;
    options.limit = 50;
    using pager_type = region_pager<test_paged_store, based_test_backend, clock>;
    std::vector<std::uint64_t> tables(pager_type::bytes_for(400, options) / 8 + 1);
    const byte_span memory{static_cast<std::byte*>(static_cast<void*>(tables.data())), tables.size() * 8};
    fixture f{400, 64};
    const auto touched = [](unsigned i) { return slot_id{(i / 4 * 37 + i % 4) % 400}; };
    {
        based_test_backend backend{400};
        test_paged_store store{400};
        pager_type pager{store, backend};
        CHECK(pager.open(memory, 400, options) == status::ok);
        for (unsigned i = 0; i < 48; ++i) {
            CHECK(pager.fault(touched(i), i % 3 == 0) == status::ok);
            static_cast<void>(f.record.note(touched(i)));
        }
    }
    CHECK(f.record.noted() == 48);
    based_test_backend backend{400};
    test_paged_store store{400};
    pager_type pager{store, backend};
    CHECK(pager.open(memory, 400, options) == status::ok);
    std::size_t batches = 0;
    const auto prefetch = [&](slot_id first, std::size_t count) noexcept {
        ++batches;
        return pager.prefetch(first, count);
    };
    f.record.rewind();
    CHECK(f.record.replay(10, 3, prefetch) == 10);
    backend.refuse(test_paging_backend::call::place, true);
    CHECK(f.record.replay(100, 16, prefetch) == 0);
    backend.refuse(test_paging_backend::call::place, false);
    pager.set_limit(20);
    CHECK(f.record.replay(100, 16, prefetch) == 10); // the limit
    pager.set_limit(50);
    CHECK(f.record.replay(100, 16, prefetch) == 28);
    CHECK(f.record.replay(100, 16, prefetch) == 0);
    CHECK(batches < 24);
    CHECK(pager.statistics().faults == 0);
    for (unsigned i = 0; i < 48; ++i) {
        CHECK(backend.see(touched(i)) != nullptr);
    }
    CHECK(pager.check());
}

TEST_CASE("a replay passes by what is lost") {
    fixture f{20, 4};
    f.note({3, 4, 5, 6, 10});
    const auto prefetch = [](slot_id first, std::size_t count) noexcept {
        return first <= 5 && first + count > 5 ? pages_done{5 - first, status::corrupt} : pages_done{count, status::ok};
    };
    CHECK(f.record.replay(100, 16, prefetch) == 4);
    CHECK(f.record.next(1) == page_run{});
}

} // namespace
} // namespace pagefold::testing::unit_paging_working_set_recorder
