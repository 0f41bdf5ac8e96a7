// SPDX-License-Identifier: MIT

// Memory: limits, shrinking, compaction, statistics, corruption, and every refusal of the page source in turn.

#include "support/failing_compressor.hpp"
#include "support/rng.hpp"
#include "support/store_fixture.hpp"

#include <pagefold/alloc/zs.hpp>
#include <pagefold/compress/chain.hpp>
#include <pagefold/compress/lz4.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace unit_store_basic_store {

namespace {

using namespace pagefold;
using namespace pagefold::testing;

struct failing_config : default_config {
    using compressor_type = failing_compressor<chain<lz4>>;
};
using fixture = store_fixture<page_store<failing_config>>;

constexpr std::size_t page_bytes = 4096;

/// What the store should make of a page.
std::vector<std::byte> stream_of(page_kind kind, std::uint64_t seed) {
    const chain<lz4> codec;
    std::vector<std::byte> stream(codec.bound(page_bytes)), scratch(codec.scratch_size(page_bytes) + scratch_alignment);
    const std::size_t shift = reinterpret_cast<std::uintptr_t>(scratch.data()) % scratch_alignment;
    const auto page = page_of(page_bytes, kind, seed);
    const result<std::size_t> size = codec.compress(
        page, stream,
        byte_span{scratch}.subview(shift == 0 ? 0 : scratch_alignment - shift, codec.scratch_size(page_bytes)));
    if (!size) {
        return page;
    }
    stream.resize(*size);
    return stream;
}

/// A source that tells where it is: for a test that damages what the store keeps.
class open_source : public test_source {
public:
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        const result<void*> memory = test_source::acquire(pages, node);
        if (memory) {
            spans_[static_cast<std::byte*>(*memory)] = pages * page_bytes;
        }
        return memory;
    }
    void release(void* p, std::size_t pages) noexcept {
        spans_.erase(static_cast<std::byte*>(p));
        test_source::release(p, pages);
    }
    /// Where the last of these bytes are; scratch is taken first, so that it is passed over.
    std::vector<std::byte*> find(const std::vector<std::byte>& bytes) {
        std::vector<std::byte*> places;
        for (const auto& [p, size] : spans_) {
            for (std::byte* at = p; (at = std::search(at, p + size, bytes.begin(), bytes.end())) != p + size; ++at) {
                places.push_back(at);
            }
        }
        return places;
    }

private:
    std::map<std::byte*, std::size_t> spans_;
};

} // namespace

TEST_CASE("a store takes no memory before its first pool, and gives all back") {
    test_source source;
    {
        page_store<failing_config> store{source};
        CHECK(store.stats().total_bytes == 0);
        CHECK(store.stats().ratio_permille() == 0);
        CHECK(store.compact(1000) == 0);
        CHECK(store.shrink(1000) == 0);
        CHECK(store.resize(0) == status::ok);
        CHECK(store.create_pool().error() == status::limit);
        CHECK(store.resize(1'000'000) == status::ok);
        CHECK(store.check());
        CHECK(source.acquisitions() == 0);
        const pool_id pool = store.create_pool().value();
        CHECK(source.bytes_held() > 0);
        for (std::uint64_t i = 0; i < 100; ++i) {
            CHECK(store.put({pool, i, i}, page_of(page_bytes, i)) == status::ok);
        }
        CHECK(store.stats().total_bytes == source.bytes_held());
    }
    CHECK(source.bytes_held() == 0);
}

TEST_CASE("the byte limit holds at every moment, whatever it is") {
    for (std::size_t limit = 0; limit < 400'000; limit += 18'000) {
        fixture s{store_options{.limit_bytes = limit}};
        const result<pool_id> cache = s.store.create_pool({.kind = pool_kind::ephemeral});
        const result<pool_id> kept = s.store.create_pool();
        for (std::uint64_t i = 0; cache && kept && i < 150; ++i) {
            const status a = s.put({*cache, 0, i}, i), b = s.put({*kept, 0, i}, i);
            CHECK((a == status::ok || a == status::limit));
            CHECK((b == status::ok || b == status::limit));
        }
        CHECK(s.source.peak_bytes() <= limit);
        CHECK(s.store.stats().mem_used_max == s.source.peak_bytes());
        CHECK(s.store.stats().mem_limit == limit);
        CHECK(s.store.check());
    }
}

TEST_CASE("resize drops ephemeral pages and gives the memory back") {
    fixture s;
    const pool_id cache = s.make_pool({.kind = pool_kind::ephemeral});
    const pool_id kept = s.make_pool();
    for (std::uint64_t i = 0; i < 200; ++i) {
        CHECK(s.put({cache, 0, i}, page_kind::text, i) == status::ok);
        CHECK(s.put({kept, 0, i}, page_kind::text, i) == status::ok);
    }
    const std::size_t full = s.source.bytes_held();
    const std::size_t wanted = full - full / 3;
    CHECK(s.store.resize(wanted) == status::ok);
    CHECK(s.source.bytes_held() <= wanted);
    CHECK(s.source.bytes_held() > wanted - full / 8); // and no more than it needs to
    CHECK(s.store.resize(full / 4) == status::limit); // below the persistent pages
    CHECK(s.store.statistics_of(cache).value().stored_pages == 0);
    CHECK(s.put({kept, 1, 0}, page_kind::random, 0) == status::limit);
    for (std::uint64_t i = 0; i < 200; ++i) {
        CHECK(s.has({kept, 0, i}, page_kind::text, i));
    }
    CHECK(s.store.resize(full) == status::ok);
    CHECK(s.put({kept, 1, 0}, page_kind::random, 0) == status::ok);
    CHECK(s.store.check());
}

TEST_CASE("resize does a bounded piece of a large job and says busy") {
    fixture s;
    const pool_id cache = s.make_pool({.kind = pool_kind::ephemeral});
    const auto page = page_of(page_bytes, page_kind::word, 1);
    for (std::uint64_t i = 0; i < 60'000; ++i) {
        REQUIRE(s.store.put({cache, 0, i}, page) == status::ok);
    }
    const std::size_t limit = s.source.bytes_held() / 8;
    CHECK(s.store.resize(limit) == status::busy);
    CHECK(s.store.stats().stored_pages > 10'000);
    unsigned calls = 1;
    while (s.store.resize(limit) == status::busy) {
        REQUIRE(++calls < 10);
    }
    CHECK(s.source.bytes_held() <= limit);
    CHECK(s.store.stats().stored_pages > 0);
    CHECK(s.store.check());
}

TEST_CASE("shrink gives back what was asked for, and says how much") {
    fixture s;
    const pool_id cache = s.make_pool({.kind = pool_kind::ephemeral});
    for (std::uint64_t i = 0; i < 400; ++i) {
        CHECK(s.put({cache, 0, i}, page_kind::text, i) == status::ok);
    }
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{100'000}, std::size_t{300'000}}) {
        const std::size_t before = s.source.bytes_held();
        const std::size_t given_back = s.store.shrink(bytes);
        CHECK(given_back >= bytes);
        CHECK(given_back < bytes + 100'000);
        CHECK(s.source.bytes_held() == before - given_back);
    }
    CHECK(s.store.stats().stored_pages > 50);
    const std::size_t before = s.source.bytes_held();
    const std::size_t given_back = s.store.shrink(~std::size_t{0});
    CHECK(s.source.bytes_held() == before - given_back);
    CHECK(s.store.stats().stored_pages == 0);
    CHECK(s.store.stats().mem_used_total == 0);
    CHECK(s.store.shrink(1) == 0);
    CHECK(s.store.check());
}

TEST_CASE("compact gives the pages of a sparse store back and harms no content") {
    fixture s;
    const pool_id pool = s.make_pool();
    const pool_id cache = s.make_pool({.kind = pool_kind::ephemeral});
    rng random{5};
    std::vector<std::uint64_t> left;
    for (std::uint64_t i = 0; i < 1500; ++i) {
        CHECK(s.put({i % 3 == 0 ? cache : pool, i % 5, i}, i) == status::ok);
    }
    for (std::uint64_t i = 0; i < 1500; ++i) {
        const page_key key{i % 3 == 0 ? cache : pool, i % 5, i};
        if (random.one_in(4)) {
            left.push_back(i);
        } else {
            CHECK(s.store.erase(key) == status::ok);
        }
    }
    const store_stats before = s.store.stats();
    std::size_t given_back = 0, calls = 0;
    for (std::size_t now = s.store.compact(20'000); now != 0; now = s.store.compact(20'000)) {
        given_back += now;
        ++calls;
    }
    const store_stats after = s.store.stats();
    CHECK(calls > 1);
    CHECK(before.total_bytes - after.total_bytes == given_back);
    CHECK(after.total_bytes == s.source.bytes_held());
    CHECK(after.pages_compacted == given_back / 4096);
    CHECK(after.objects_moved > 0);
    CHECK(after.mem_used_total < before.mem_used_total * 8 / 10);
    CHECK(after.stored_pages == left.size());
    CHECK(after.compr_data_size == before.compr_data_size);
    for (const std::uint64_t i : left) {
        CHECK(s.has({i % 3 == 0 ? cache : pool, i % 5, i}, i));
    }
    CHECK(s.store.check());
}

TEST_CASE("after nearly everything was erased at random, the tables are as small as a new store's") {
    for (const bool dense : {true, false}) {
        fixture s, fresh;
        const pool_id pool = s.make_pool(), there = fresh.make_pool();
        const auto page = page_of(page_bytes, page_kind::zeros, 0);
        const auto key = [&](pool_id of, std::uint64_t i) {
            return dense ? page_key{of, i >> 14, i & 16383} : page_key{of, i, 0};
        };
        for (std::uint64_t i = 0; i < 300'000; ++i) {
            REQUIRE(s.store.put(key(pool, i), page) == status::ok);
        }
        rng random{3};
        for (std::uint64_t i = 0; i < 300'000; ++i) {
            if (random.one_in(20)) {
                REQUIRE(fresh.store.put(key(there, i), page) == status::ok);
            } else {
                REQUIRE(s.store.erase(key(pool, i)) == status::ok);
            }
        }
        static_cast<void>(s.store.shrink(~std::size_t{0}));
        CAPTURE(dense);
        CHECK(s.store.stats().stored_pages == fresh.store.stats().stored_pages);
        CHECK(s.source.bytes_held() <= fresh.source.bytes_held() * 106 / 100);
        CHECK(s.store.check());
    }
}

TEST_CASE("a limit that is lowered ends fragmentation, even where it was met before") {
    fixture s;
    const pool_id pool = s.make_pool();
    for (std::uint64_t i = 0; i < 2000; ++i) {
        CHECK(s.put({pool, 0, i}, i) == status::ok);
    }
    for (std::uint64_t i = 0; i < 2000; ++i) {
        if (i % 4 != 0) {
            CHECK(s.store.erase({pool, 0, i}) == status::ok);
        }
    }
    const store_stats before = s.store.stats();
    REQUIRE(before.mem_used_total - before.allocated_bytes > before.mem_used_total / 8);
    CHECK(s.store.resize(~std::size_t{0}) == status::ok);
    CHECK(s.store.resize(before.total_bytes + 1'000'000) == status::ok);
    const store_stats after = s.store.stats();
    CHECK(after.stored_pages == 500);
    CHECK(after.mem_used_total < before.mem_used_total * 6 / 10);
    CHECK(s.store.compact(1'000'000) == 0); // nothing is left to gain
    CHECK(s.store.resize(~std::size_t{0}) == status::ok);
    CHECK(s.store.check());
}

TEST_CASE("a page that does not shrink is not refused while there are pages to drop") {
    fixture s{store_options{.limit_bytes = 1'000'000}};
    const pool_id cache = s.make_pool({.kind = pool_kind::ephemeral});
    rng random{8};
    for (std::uint64_t i = 0; i < 4000; ++i) {
        const page_kind kind = random.one_in(10) ? page_kind::random
                               : i % 2 == 0      ? page_kind::text
                                                 : page_kind::pointers;
        REQUIRE(s.put({cache, 0, random.below(2000)}, kind, i) == status::ok);
    }
    const store_stats stats = s.store.stats();
    CHECK(stats.evicted_pages > 1000);
    CHECK(stats.reject_reclaim_fail == 0);
    CHECK(stats.pool_limit_hit > 0);
    CHECK(s.store.check());
}

TEST_CASE("a store without anything to drop takes places that are much too large, rather than refuse") {
    fixture s{store_options{.limit_bytes = 440'000}};
    const pool_id pool = s.make_pool();
    std::uint64_t stored = 0;
    while (s.put({pool, 0, stored}, page_kind::pointers, stored) == status::ok) {
        ++stored;
    }
    REQUIRE(stored > 100);
    REQUIRE(stream_of(page_kind::sparse, 1).size() * 2 < stream_of(page_kind::pointers, 3).size());
    while (s.put({pool, 2, stored}, page_kind::sparse, stored) == status::ok) {
        ++stored; // what places are left
    }
    REQUIRE(s.store.erase({pool, 0, 3}) == status::ok);
    CHECK(s.put({pool, 1, 0}, page_kind::sparse, 1) == status::ok);
    CHECK(s.has({pool, 1, 0}, page_kind::sparse, 1));
    CHECK(s.store.check());
}

TEST_CASE("a compaction can be left and taken up between other operations") {
    fixture s;
    const pool_id pool = s.make_pool();
    std::map<std::uint64_t, std::uint64_t> pages;
    rng random{6};
    for (std::uint64_t i = 0; i < 6000; ++i) {
        const std::uint64_t index = random.below(900);
        if (i % 3 == 2 || i > 4000) {
            CHECK(s.store.erase({pool, 0, index}) == (pages.erase(index) != 0 ? status::ok : status::not_found));
        } else {
            CHECK(s.put({pool, 0, index}, i) == status::ok);
            pages[index] = i;
        }
        if (i % 5 == 0) {
            static_cast<void>(s.store.compact(1 + random.below(3000)));
        }
        if (i % 500 == 0) {
            CHECK(s.store.check());
        }
    }
    for (const auto& [index, seed] : pages) {
        CHECK(s.has({pool, 0, index}, seed));
    }
    CHECK(s.store.stats().objects_moved > 0);
}

TEST_CASE("every statistic of a small store is what one works out by hand") {
    fixture s{store_options{.limit_bytes = 1'000'000}};
    const pool_id pool = s.make_pool();
    const pool_id cache = s.make_pool({.kind = pool_kind::ephemeral});
    const std::size_t text = stream_of(page_kind::text, 1).size();
    const std::size_t sparse = stream_of(page_kind::sparse, 1).size();
    CHECK(s.put({pool, 0, 0}, page_kind::zeros, 0) == status::ok);
    s.source.refuse_all(true);
    CHECK(s.put({pool, 0, 9}, page_kind::random, 4) == status::no_memory);
    s.source.refuse_all(false);
    CHECK(s.put({pool, 0, 1}, page_kind::word, 1) == status::ok);
    CHECK(s.put({pool, 0, 2}, page_kind::random, 1) == status::ok);
    CHECK(s.put({pool, 0, 3}, page_kind::text, 1) == status::ok);
    CHECK(s.put({pool, 0, 4}, page_kind::text, 1) == status::ok);
    CHECK(s.put({cache, 0, 0}, page_kind::word, 2) == status::ok);
    CHECK(s.put({cache, 0, 1}, page_kind::random, 2) == status::ok);
    CHECK(s.put({cache, 0, 2}, page_kind::random, 3) == status::ok);
    CHECK(s.put({cache, 0, 3}, page_kind::sparse, 1) == status::ok);
    CHECK(s.put({cache, 0, 2}, page_kind::word, 3) == status::ok); // replaces a huge page
    CHECK(s.has({pool, 0, 3}, page_kind::text, 1));
    CHECK(s.has({cache, 0, 2}, page_kind::word, 3));
    CHECK(s.take({cache, 0, 0}) == status::ok);
    CHECK(s.lacks({cache, 0, 0}));
    CHECK(s.take({pool, 0, 77}) == status::not_found);
    CHECK(s.store.erase({pool, 0, 1}) == status::ok);
    CHECK(s.store.erase({pool, 0, 1}) == status::not_found); // no miss: nobody wanted the content

    // A slot of its own size class: what a page occupies where no larger slot was lent.
    test_source elsewhere;
    const zs<test_source> allocator{elsewhere, any_node};
    const std::size_t rounded_text = allocator.rounded(text + 4), rounded_sparse = allocator.rounded(sparse + 4);

    const store_stats all = s.store.stats();
    CHECK(all.orig_data_size == 7 * page_bytes);
    CHECK(all.compr_data_size == 2 * page_bytes + 2 * text + sparse);
    CHECK(all.mem_limit == 1'000'000);
    CHECK(all.mem_used_max == s.source.peak_bytes() + 0);
    CHECK(all.same_pages == 2);
    CHECK(all.pages_compacted == 0);
    CHECK(all.huge_pages == 2);
    CHECK(all.huge_pages_since == 3);
    CHECK(all.stored_pages == 7);
    CHECK(all.pool_limit_hit == 0);
    CHECK(all.reject_reclaim_fail == 0);
    CHECK(all.reject_alloc_fail == 1);
    CHECK(all.reject_compress_poor == 0);
    CHECK(all.decompress_fail == 0);
    CHECK(all.total_bytes == s.source.bytes_held());
    CHECK(all.allocated_bytes >= 2 * page_bytes + 2 * rounded_text + rounded_sparse);
    CHECK(all.mem_used_total >= all.allocated_bytes);
    CHECK(all.mem_used_total % page_bytes == 0);
    CHECK(all.metadata_bytes == all.total_bytes - all.mem_used_total);
    CHECK(all.puts == 10);
    CHECK(all.hits == 3);
    CHECK(all.misses == 2);
    CHECK(all.erased_pages == 3);
    CHECK(all.evicted_pages == 0);
    CHECK(all.objects_moved == 0);
    CHECK(all.ratio_permille() == 7 * page_bytes * 1000 / s.source.bytes_held());

    const pool_stats p = s.store.statistics_of(pool).value();
    CHECK(p.stored_pages == 4);
    CHECK(p.same_pages == 1);
    CHECK(p.huge_pages == 1);
    CHECK(p.compr_data_size == page_bytes + 2 * text);
    CHECK(p.used_bytes == page_bytes + 2 * rounded_text + 40 + 4 + 6 * 12); // an extent, its bucket, an array for six
    CHECK(p.puts == 5);
    CHECK(p.hits == 1);
    CHECK(p.misses == 1);
    CHECK(p.evicted_pages == 0);
    CHECK(p.rejected_puts == 1);
    const pool_stats c = s.store.statistics_of(cache).value();
    CHECK(c.stored_pages == 3);
    CHECK(c.same_pages == 1);
    CHECK(c.huge_pages == 1);
    CHECK(c.compr_data_size == page_bytes + sparse);
    CHECK(c.used_bytes == page_bytes + rounded_sparse + 40 + 4 + 4 * 12);
    CHECK(c.puts == 5);
    CHECK(c.hits == 2);
    CHECK(c.misses == 1);
    CHECK(c.evicted_pages == 0);
    CHECK(c.rejected_puts == 0);
}

TEST_CASE("ratio_permille is data over memory, overhead included") {
    store_stats s{};
    CHECK(s.ratio_permille() == 0);
    s.orig_data_size = 3 * 4096;
    s.total_bytes = 4096;
    CHECK(s.ratio_permille() == 3000);
    s.total_bytes = 8 * 4096;
    CHECK(s.ratio_permille() == 375);
}

TEST_CASE("metadata is at most 16 bytes a page of dense objects and 48 a page alone") {
    for (const bool dense : {true, false}) {
        fixture s;
        const pool_id pool = s.make_pool({.kind = dense ? pool_kind::ephemeral : pool_kind::persistent});
        const auto page = page_of(page_bytes, page_kind::sparse, 4);
        constexpr std::uint64_t pages = 100'000;
        for (std::uint64_t i = 0; i < pages; ++i) {
            REQUIRE(s.store.put({pool, dense ? i / 10'000 : i * 7, i}, page) == status::ok);
        }
        CHECK(s.store.stats().metadata_bytes <= pages * (dense ? 16 : 48));
    }
}

TEST_CASE("a damaged stream is answered corrupt, or right, never wrong") {
    open_source source;
    page_store<failing_config> store{source};
    const pool_id pools[] = {store.create_pool().value(), store.create_pool({.kind = pool_kind::ephemeral}).value()};
    std::vector<std::byte> out(page_bytes);
    std::uint64_t damages = 0;
    for (std::uint64_t seed = 1; seed < 30; ++seed) {
        if (kind_of(seed) <= page_kind::word) {
            continue; // no payload
        }
        const page_key key{pools[seed % 2], 3, seed};
        const auto page = page_of(page_bytes, seed);
        const auto stream = stream_of(kind_of(seed), seed);
        REQUIRE(store.put(key, page) == status::ok);
        for (std::byte* const copy : source.find(stream)) {
            for (std::size_t at = 0; at < stream.size(); at += 61) {
                const std::byte flipped = std::byte{1} << (at + seed) % 8;
                copy[at] ^= flipped;
                const status got = store.get(key, out);
                if (got == status::corrupt) {
                    ++damages;
                    CHECK(store.take(key, out) == status::corrupt);
                    CHECK(store.take(key, out) == status::corrupt);
                    damages += 2;
                } else {
                    CHECK(got == status::ok); // a copy that only lay in scratch
                    CHECK(out == page);
                }
                copy[at] ^= flipped;
                CHECK(store.get(key, out) == status::ok);
                CHECK(out == page);
            }
        }
        CHECK(store.stats().decompress_fail == damages);
    }
    CHECK(damages > 300);
    CHECK(store.check());
}

TEST_CASE("a put over a damaged page heals it, and a damaged page can be erased") {
    open_source source;
    page_store<failing_config> store{source};
    const pool_id pool = store.create_pool().value();
    std::vector<std::byte> out(page_bytes);
    for (const page_kind healed_by : {page_kind::zeros, page_kind::text, page_kind::random}) {
        const page_key key{pool, 1, 1};
        const auto page = page_of(page_bytes, page_kind::pointers, 7);
        REQUIRE(store.put(key, page) == status::ok);
        for (std::byte* const copy : source.find(stream_of(page_kind::pointers, 7))) {
            copy[30] ^= std::byte{4};
        }
        CHECK(store.get(key, out) == status::corrupt);
        CHECK(store.put(key, page_of(page_bytes, healed_by, 8)) == status::ok);
        CHECK(store.get(key, out) == status::ok);
        CHECK(out == page_of(page_bytes, healed_by, 8));
        CHECK(store.erase(key) == status::ok);
    }
    const page_key key{pool, 1, 2};
    REQUIRE(store.put(key, page_of(page_bytes, page_kind::random, 7)) == status::ok);
    for (std::byte* const copy : source.find(stream_of(page_kind::random, 7))) {
        copy[4000] ^= std::byte{1};
    }
    CHECK(store.get(key, out) == status::corrupt);
    CHECK(store.erase(key) == status::ok);
    CHECK(store.get(key, out) == status::not_found);
    CHECK(store.check());
}

TEST_CASE("a whole stream in another page's place is noticed") {
    open_source source;
    page_store<failing_config> store{source};
    const pool_id pool = store.create_pool().value();
    const auto one = page_of(page_bytes, page_kind::random, 1), other = page_of(page_bytes, page_kind::random, 2);
    REQUIRE(store.put({pool, 0, 1}, one) == status::ok);
    REQUIRE(store.put({pool, 0, 2}, other) == status::ok);
    for (std::byte* const place : source.find(one)) {
        std::copy(other.begin(), other.end(), place);
    }
    std::vector<std::byte> out(page_bytes);
    CHECK(store.get({pool, 0, 1}, out) == status::corrupt);
    CHECK(store.take({pool, 0, 1}, out) == status::corrupt);
    CHECK(store.get({pool, 0, 2}, out) == status::ok);
}

TEST_CASE("a whole entry in another page's place is noticed, its own checksum and all") {
    open_source source;
    page_store<failing_config> store{source};
    const pool_id pool = store.create_pool().value();
    const auto one = page_of(page_bytes, page_kind::word, 1), other = page_of(page_bytes, page_kind::word, 2);
    REQUIRE(store.put({pool, 0, 1}, one) == status::ok);
    REQUIRE(store.put({pool, 0, 2}, other) == status::ok);
    constexpr std::ptrdiff_t entry_bytes = 12;
    unsigned exchanged = 0;
    for (std::byte* const place : source.find({one.begin(), one.begin() + 8})) {
        if (std::equal(other.begin(), other.begin() + 8, place + entry_bytes)) {
            std::swap_ranges(place, place + entry_bytes, place + entry_bytes);
            ++exchanged;
        }
    }
    REQUIRE(exchanged == 1);
    std::vector<std::byte> out(page_bytes);
    CHECK(store.get({pool, 0, 1}, out) == status::corrupt);
    CHECK(store.take({pool, 0, 2}, out) == status::corrupt);
    CHECK(store.put({pool, 0, 1}, one) == status::ok);
    CHECK(store.get({pool, 0, 1}, out) == status::ok);
}

namespace {

/// Some fifty operations that meet every structure. Whatever fails on the way, everything answered `ok` must hold.
class scenario {
public:
    scenario(test_source& source, std::size_t limit, compress_faults& faults)
        : store_{source, store_options{.limit_bytes = limit}, failing_config::compressor_type{faults}},
          out_(page_bytes) {}

    void run() {
        const pool_id kept = pool({}), cache = pool({.kind = pool_kind::ephemeral});
        for (std::uint64_t i = 0; i < 9; ++i) {
            put({kept, 1, 60 + i}, i); // across two extents
        }
        put({kept, 2, 0}, 3);
        put({kept, 2, 1'000'000}, 4);
        for (std::uint64_t i = 0; i < 6; ++i) {
            put({cache, 1, i * 40}, i + 20);
        }
        for (std::uint64_t i = 0; i < 7; ++i) {
            put({kept, 1, 60 + i}, i + 8); // smaller, larger, to the entry and out of it
        }
        read({kept, 1, 62}, true);
        read({cache, 1, 80}, true);
        read({kept, 1, 63}, false);
        erase({kept, 1, 64});
        erase({cache, 1, 40});
        erase_range(kept, 1, 66, 2);
        static_cast<void>(store_.compact(50'000));
        check();
        const pool_id second = pool({.kind = pool_kind::ephemeral, .cap_bytes = 20'000});
        for (std::uint64_t i = 0; i < 8; ++i) {
            put({second, i, i}, page_kinds * i + 5);
        }
        static_cast<void>(store_.shrink(8'000));
        CHECK(store_.destroy_pool(cache) == status::ok);
        std::erase_if(pages_, [&](const auto& page) { return page.first.first == cache; });
        CHECK(store_.get({cache, 1, 0}, out_) == status::invalid);
        const pool_id third = pool({.reserved_bytes = 5'000});
        put({third, 1, 0}, 5);
        put({kept, 3, 3}, 11);
        erase_range(second, 2, 0, ~std::uint64_t{0});
        static_cast<void>(store_.compact(50'000));
        for (const auto& [where, seed] : std::map{pages_}) {
            read({where.first, where.second.first, where.second.second}, false);
        }
        check();
    }

private:
    /// Each run meets one failure: the second try succeeds, unless the limit is what refuses.
    pool_id pool(const pool_options& options) {
        const result<pool_id> first = store_.create_pool(options);
        check();
        if (first) {
            return *first;
        }
        CHECK((first.error() == status::no_memory || first.error() == status::limit));
        return store_.create_pool(options).value();
    }
    void put(const page_key& key, std::uint64_t seed) {
        const auto where = std::pair{key.pool, std::pair{key.object, key.index}};
        const status s = store_.put(key, page_of(page_bytes, seed));
        if (s == status::ok) {
            pages_[where] = seed;
        } else {
            CHECK((s == status::no_memory || s == status::limit));
            pages_.erase(where);
        }
        read(key, false);
        check();
    }
    void read(const page_key& key, bool removing) {
        const auto it = pages_.find({key.pool, {key.object, key.index}});
        const status s = removing ? store_.take(key, out_) : store_.get(key, out_);
        if (s == status::ok) {
            REQUIRE(it != pages_.end());
            CHECK(out_ == page_of(page_bytes, it->second));
        } else if (it == pages_.end() && pages_.empty()) {
            CHECK(s != status::corrupt); // there may be no scratch yet
        } else {
            CHECK(s == status::not_found);
            CHECK((it == pages_.end() || pool_ids::kind(key.pool) == pool_kind::ephemeral));
        }
        if (it != pages_.end() && (removing || s != status::ok)) {
            pages_.erase(it);
        }
    }
    void erase(const page_key& key) {
        const bool known = pages_.erase({key.pool, {key.object, key.index}}) != 0;
        const status s = store_.erase(key);
        CHECK((s == (known ? status::ok : status::not_found) || pool_ids::kind(key.pool) == pool_kind::ephemeral));
    }
    void erase_range(pool_id pool, std::uint64_t object, std::uint64_t first, std::uint64_t count) {
        CHECK(store_.erase_range(pool, object, first, count));
        std::erase_if(pages_, [&](const auto& page) {
            const auto& [of, place] = page.first;
            return of == pool && place.first == object && place.second >= first && place.second - first < count;
        });
    }
    void check() { CHECK(store_.check()); }

    page_store<failing_config> store_;
    std::map<std::pair<pool_id, std::pair<std::uint64_t, std::uint64_t>>, std::uint64_t> pages_;
    std::vector<std::byte> out_;
};

} // namespace

TEST_CASE("whichever acquisition fails, nothing is lost, stale or leaked") {
    for (const std::size_t limit : {~std::size_t{0}, std::size_t{180'000}}) {
        std::uint64_t failing = 0;
        for (bool failed = true; failed;) {
            ++failing;
            INFO("limit ", limit, ", failing acquisition ", failing);
            test_source source;
            compress_faults faults;
            source.refuse_nth(failing);
            scenario{source, limit, faults}.run();
            failed = source.refusals() != 0;
            REQUIRE(source.bytes_held() == 0);
        }
        CHECK(failing > 20);
    }
}

TEST_CASE("whichever compression fails, the page is kept raw and nothing is lost") {
    std::uint64_t failing = 0;
    for (bool failed = true; failed;) {
        ++failing;
        INFO("failing compression ", failing);
        test_source source;
        compress_faults faults;
        faults.at = failing;
        scenario{source, ~std::size_t{0}, faults}.run();
        failed = faults.failures != 0;
        REQUIRE(source.bytes_held() == 0);
    }
    CHECK(failing > 30);
}

} // namespace unit_store_basic_store
