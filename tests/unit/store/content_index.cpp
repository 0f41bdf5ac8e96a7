// SPDX-License-Identifier: MIT
#include <pagefold/store/content_index.hpp>

#include "support/rng.hpp"
#include "support/test_source.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

namespace unit_store_content_index {

using namespace pagefold;
using namespace pagefold::testing;

namespace {

struct filled {
    explicit filled(std::uint64_t pages, std::size_t limit = ~std::size_t{0})
        : budget{limit}, index{content_index::make(source, budget, pages, 0).value()} {
        while (index->grow(0) == status::busy) {
        }
    }
    ~filled() { content_index::destroy(index); }
    filled(const filled&) = delete;
    filled& operator=(const filled&) = delete;

    test_source source;
    byte_budget budget;
    content_index* index;
};

} // namespace

TEST_CASE("content_index: an empty one finds nothing, and has no ordinal") {
    filled f{0};
    content_place place;
    CHECK(!f.index->find(0, place));
    CHECK(!f.index->find(~std::uint64_t{0}, place));
    CHECK(!f.index->locate(0, place));
    CHECK(!f.index->locate(0xffffffffu, place));
    CHECK(f.index->size() == 0);
    CHECK(f.index->bytes() == f.source.bytes_held());
    CHECK(!f.index->is_ready());
    f.index->publish();
    CHECK(f.index->is_ready());
}

TEST_CASE("content_index: nearly every page of a full one is found, by its hash and by its ordinal") {
    constexpr std::uint64_t pages = 50000;
    filled f{pages};
    rng random{1};
    std::vector<std::uint64_t> hashes;
    for (std::uint64_t i = 0; i < pages; ++i) {
        hashes.push_back(random());
        REQUIRE(f.index->add(hashes.back(), i / 1000, i % 1000, 0) == status::ok);
    }
    std::uint64_t found = 0;
    for (std::uint64_t i = 0; i < pages; ++i) {
        content_place place, again;
        if (f.index->find(hashes[i], place) && place.object == i / 1000 && place.index == i % 1000) {
            ++found;
            REQUIRE(f.index->locate(place.ordinal, again));
            REQUIRE((again.object == place.object && again.index == place.index));
        }
    }
    CHECK(found == f.index->size());
    CHECK(found > pages - pages / 100);
    CHECK(f.index->bytes() < 10 * pages);
    CHECK(f.index->bytes() == f.source.bytes_held());
    std::uint64_t wrong = 0;
    for (std::uint64_t i = 0; i < pages; ++i) {
        content_place place;
        wrong += f.index->find(random(), place) ? 1u : 0u;
    }
    CHECK(wrong < 10);
}

TEST_CASE("content_index: the same hash is kept once, and the first page with it is found") {
    filled f{10};
    content_place place;
    CHECK(f.index->add(0x123456789u, 7, 64, 0) == status::ok);
    CHECK(f.index->add(0x123456789u, 7, 65, 0) == status::ok);
    CHECK(f.index->size() == 1);
    CHECK(f.index->find(0x123456789u, place));
    CHECK(place.ordinal == 0);
    CHECK(place.object == 7);
    CHECK(place.index == 64);
    CHECK(!f.index->find(0x123456788u, place));
    CHECK(f.index->locate(63, place)); // a page of its extent, that nobody said is there
    CHECK(place.index == 127);
    CHECK(!f.index->locate(64, place));
}

TEST_CASE("content_index: hashes that meet in one bucket fill it, and no more come in") {
    filled f{100}; // 14 buckets
    content_place place;
    for (std::uint64_t i = 1; i <= 100; ++i) {
        // The same high bits, and low ones that leave the second bucket where it is.
        CHECK(f.index->add(i, 0, i, 0) == status::ok);
    }
    const std::uint64_t kept = f.index->size();
    CHECK(kept >= 2 * content_index::bucket_places);
    CHECK(kept <= 100);
    std::uint64_t found = 0;
    for (std::uint64_t i = 1; i <= 100; ++i) {
        found += f.index->find(i, place) && place.index == i ? 1u : 0u;
    }
    CHECK(found == kept);
}

TEST_CASE("content_index: the largest keys") {
    filled f{10};
    content_place place;
    CHECK(f.index->add(5, ~std::uint64_t{0}, max_page_index - 1, 0) == status::ok);
    CHECK(f.index->find(5, place));
    CHECK(place.object == ~std::uint64_t{0});
    CHECK(place.index == max_page_index - 1);
}

TEST_CASE("content_index: refused at each acquisition in turn, and drained to its last page") {
    for (std::uint64_t n = 1;; ++n) {
        test_source source;
        byte_budget budget{~std::size_t{0}};
        source.refuse_nth(n);
        const result<content_index*> made = content_index::make(source, budget, 3000, 0);
        if (!made) {
            CHECK(made.error() == status::no_memory);
            CHECK(source.bytes_held() == 0);
            continue;
        }
        content_index& index = **made;
        status s = status::busy;
        while (s == status::busy) {
            s = index.grow(0);
        }
        for (std::uint64_t i = 0; s == status::ok && i < 3000; ++i) {
            s = index.add(i * 0x9e3779b97f4a7c15u, i, 0, 0);
        }
        CHECK(index.bytes() == source.bytes_held());
        CHECK(budget.used() == source.bytes_held());
        while (!index.drain()) {
            CHECK(index.bytes() == source.bytes_held());
        }
        CHECK(source.bytes_held() == 4096);
        content_index::destroy(&index);
        CHECK(source.bytes_held() == 0);
        CHECK(budget.used() == 0);
        if (s == status::ok) {
            CHECK(n > 15);
            break;
        }
        CHECK(s == status::no_memory);
    }
}

TEST_CASE("content_index: leaves of the limit what is held back") {
    test_source source;
    byte_budget budget{4 * 4096};
    CHECK(content_index::make(source, budget, 1, 4 * 4096).error() == status::limit);
    content_index& index = *content_index::make(source, budget, 1, 3 * 4096).value();
    CHECK(index.grow(3 * 4096) == status::limit);
    CHECK(index.grow(2 * 4096) == status::ok);
    CHECK(index.add(1, 1, 1, 2 * 4096) == status::limit);
    CHECK(index.add(1, 1, 1, 4096) == status::ok);
    CHECK(index.bytes() == 3 * 4096);
    content_index::destroy(&index);
}

} // namespace unit_store_content_index
