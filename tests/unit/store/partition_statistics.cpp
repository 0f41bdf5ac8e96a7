// SPDX-License-Identifier: MIT
#include <pagefold/store/partition_statistics.hpp>

#include "support/partition_fixture.hpp"

#include <pagefold/store/default_config.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace pagefold::testing::unit_store_partition_statistics {
namespace {

constexpr pool_kind persistent = pool_kind::persistent, ephemeral = pool_kind::ephemeral;
constexpr std::uint64_t marked = 0xfedcba9876543210u; // an object that is found in memory

/// A page alone in its extent, which has its entry; where that is in memory.
extent& put_marked(lone_partition<default_config>& p, pool_id pool, std::uint64_t number, std::size_t size) {
    const located_key k = p.hasher.locate({pool, marked, number * extent_pages});
    const std::vector<std::byte> stream = page_of(128 + size / 8 * 8, page_kind::random, number);
    const byte_view content = byte_view{stream}.first(size);
    REQUIRE(p.part.put(k, content, checksum(content, k.sum_seed), 0, {}).result == status::ok);
    extent* found = nullptr;
    p.source.for_each_run([&](std::byte* memory, std::size_t bytes) {
        for (std::size_t offset = 0; offset + sizeof(extent) <= bytes; offset += sizeof(extent)) {
            extent* const x = reinterpret_cast<extent*>(memory + offset);
            const bool is_it =
                x->object == marked && x->number() == number && x->pool() == pool_ids::slot(pool) && x->is_whole();
            found = is_it ? x : found;
        }
    });
    REQUIRE(found != nullptr);
    REQUIRE(found->is_single());
    return *found;
}

struct fixture : lone_partition<default_config> {
    using lone_partition::lone_partition;

    status fetch(std::uint64_t index, bool removing = false) {
        std::vector<std::byte> out(4096), buffer(4096);
        partition<default_config>::fetched found;
        return part.fetch(at(1, index), out, buffer, removing, found);
    }
    store_stats stats() {
        store_stats s{};
        part.add_to(s);
        return s;
    }
    pool_stats of_pool() {
        pool_stats s{};
        REQUIRE(part.add_to(s, id));
        return s;
    }
    extent& put_marked(std::uint64_t number, std::size_t size) {
        return unit_store_partition_statistics::put_marked(*this, id, number, size);
    }
};

/// A change to an entry in an extent, whose seal is kept.
void flip_word(extent& x, std::uint64_t bits) {
    x.note_change(bits);
    x.bitmap ^= bits;
}
void flip_meta(extent& x, std::uint32_t bits) {
    x.note_change(bits);
    x.cell ^= bits;
}

TEST_CASE("partition_statistics: every count of a small history, of the partition and of its pool") {
    fixture f{ephemeral};
    for (std::uint64_t i = 0; i < 10; ++i) {
        REQUIRE(f.put(i, 1000) == status::ok);
    }
    REQUIRE(f.put(10, 4096) == status::ok);
    REQUIRE(f.put(11, 4096) == status::ok);
    REQUIRE(f.put(12, min_stream_size) == status::ok);
    REQUIRE(f.put(0, 2000, 7).result == status::ok); // in place of another
    REQUIRE(f.fetch(0) == status::ok);
    REQUIRE(f.fetch(10, true) == status::ok);
    REQUIRE(f.fetch(99) == status::not_found);
    REQUIRE(f.fetch(99, true) == status::not_found);
    REQUIRE(f.fetch(98) == status::not_found);
    REQUIRE(f.part.erase(f.at(1, 1)) == status::ok);
    bool is_under_way = false;
    REQUIRE(f.part.evict(0, 2, is_under_way) == 2); // pages 2 and 3: 0 was hit
    REQUIRE(f.part.refuse(f.at(1, 4), status::no_memory) == status::ok);
    REQUIRE(f.part.refuse(f.at(1, 50), status::limit) == status::ok);
    REQUIRE(f.part.refuse(f.at(1, 50), status::limit) == status::ok);
    REQUIRE(f.part.refuse(f.at(1, 50), status::incompressible) == status::ok);
    f.part.note_limit();
    f.part.note_corruption();
    f.part.note_corruption();
    REQUIRE(f.part.check());

    const store_stats s = f.stats();
    CHECK(s.stored_pages == 8); // 0, 5 to 9, 11 and 12
    CHECK(s.orig_data_size == 8 * 4096);
    CHECK(s.compr_data_size == 2000 + 5 * 1000 + 4096);
    CHECK(s.same_pages == 1);
    CHECK(s.huge_pages == 1);
    CHECK(s.huge_pages_since == 2);
    CHECK(s.puts == 14);
    CHECK(s.hits == 2);
    CHECK(s.misses == 3);
    CHECK(s.erased_pages == 4); // replaced, taken, erased, refused
    CHECK(s.evicted_pages == 2);
    CHECK(s.pool_limit_hit == 1);
    CHECK(s.reject_alloc_fail == 1);
    CHECK(s.reject_reclaim_fail == 0);
    CHECK(s.reject_threshold == 2);
    CHECK(s.reject_compress_poor == 1);
    CHECK(s.decompress_fail == 2);
    CHECK(s.damaged_tables == 0);
    CHECK(s.objects_moved == 0);
    CHECK(s.pages_compacted == 0);
    CHECK(s.allocated_bytes >= s.compr_data_size);
    CHECK(s.mem_used_total >= s.allocated_bytes);
    CHECK(s.mem_used_total % 4096 == 0);

    const pool_stats p = f.of_pool();
    CHECK(p.stored_pages == s.stored_pages);
    CHECK(p.same_pages == s.same_pages);
    CHECK(p.huge_pages == s.huge_pages);
    CHECK(p.compr_data_size == s.compr_data_size);
    CHECK(p.puts == s.puts);
    CHECK(p.hits == s.hits);
    CHECK(p.misses == s.misses);
    CHECK(p.evicted_pages == s.evicted_pages);
    CHECK(p.rejected_puts == 4);
}

TEST_CASE("partition_statistics: they are added to what is there, and of an unknown pool nothing is") {
    fixture f{persistent};
    REQUIRE(f.put(1, 1000) == status::ok);
    REQUIRE(f.fetch(1) == status::ok);
    store_stats s{};
    f.part.add_to(s);
    f.part.add_to(s);
    CHECK(s.stored_pages == 2);
    CHECK(s.orig_data_size == 2 * 4096);
    CHECK(s.hits == 2);
    CHECK(s.puts == 2);
    pool_stats p{};
    const auto number = static_cast<std::uint64_t>(f.id);
    for (const std::uint64_t wrong : {std::uint64_t{0}, number + 1, number + (1u << 13), number ^ 1u << 12}) {
        CHECK(!f.part.add_to(p, static_cast<pool_id>(wrong)));
        CHECK(p.stored_pages == 0);
        CHECK(p.puts == 0);
    }
    CHECK(f.part.add_to(p, f.id));
    CHECK(f.part.add_to(p, f.id));
    CHECK(p.stored_pages == 2);
    f.part.close_pool(f.id);
    CHECK(!f.part.add_to(p, f.id));
    CHECK(p.stored_pages == 2);
}

TEST_CASE("partition_statistics: what compaction moved and gave back") {
    fixture f{persistent};
    for (std::uint64_t i = 0; i < 2000; ++i) {
        REQUIRE(f.put(i, 1000) == status::ok);
    }
    for (std::uint64_t i = 0; i < 2000; ++i) {
        if (i % 5 != 0) {
            REQUIRE(f.part.erase(f.at(1, i)) == status::ok);
        }
    }
    compaction_work done;
    while (f.part.compact_payload(std::size_t{1} << 30, done)) {
    }
    const store_stats s = f.stats();
    CHECK(s.objects_moved == done.objects_moved);
    CHECK(s.pages_compacted == done.freed_bytes / 4096);
    CHECK(s.pages_compacted > 100);
}

TEST_CASE("partition_statistics: bytes taken are the source's, whatever comes and goes") {
    fixture f{ephemeral};
    for (std::uint64_t i = 0; i < 500; ++i) {
        REQUIRE(f.put(i * 37, i % 9 == 0 ? 4096 : 504) == status::ok);
        REQUIRE(f.part.bytes_taken() == f.source.bytes_held());
    }
    for (std::uint64_t i = 0; i < 500; i += 2) {
        REQUIRE(f.part.erase(f.at(1, i * 37)) == status::ok);
        REQUIRE(f.part.bytes_taken() == f.source.bytes_held());
    }
}

TEST_CASE("partition_statistics: a slot's share is what its record was told, and the id while the pool is open") {
    fixture f{persistent};
    const auto told = [&] {
        const auto share = f.part.share_of(0);
        return share.payload == f.record.payload.load(memory_order::relaxed) &&
               share.tables == f.record.tables.load(memory_order::relaxed);
    };
    CHECK(f.part.share_of(0).id == f.id);
    CHECK(told());
    REQUIRE(f.put(1, 1000) == status::ok);
    CHECK(told());
    CHECK(f.part.share_of(0).payload >= 1000);
    CHECK(f.part.share_of(0).tables > 0);
    for (const std::uint32_t slot : {max_pool_slots - 1, max_pool_slots, ~std::uint32_t{0}}) {
        const auto none = f.part.share_of(slot);
        CHECK(none.id == pool_id{});
        CHECK(none.payload == 0);
        CHECK(none.tables == 0);
    }
    f.part.close_pool(f.id);
    CHECK(f.part.share_of(0).id == pool_id{});
    CHECK(told());
    CHECK(f.part.share_of(0).payload >= 1000); // until they are drained
    CHECK(f.part.drain_pool(0));
    CHECK(f.part.share_of(0).payload == 0);
    CHECK(told());
}

TEST_CASE("partition_statistics: who looks at the allocator sees the one that has the streams") {
    fixture f{persistent};
    REQUIRE(f.put(1, 1000) == status::ok);
    std::size_t bytes = 0;
    auto look = [&](const auto& allocator) { bytes += allocator.allocated_bytes(); };
    f.part.look_at_allocator(look);
    CHECK(bytes == f.stats().allocated_bytes);
    CHECK(bytes >= 1000);
}

TEST_CASE("partition_statistics: check sees an entry that can't be read, and follows it nowhere") {
    for (unsigned bit = 0; bit < 64; ++bit) {
        fixture f{persistent};
        extent& x = f.put_marked(1, 1000);
        REQUIRE(f.part.check());
        flip_word(x, std::uint64_t{1} << bit);
        CHECK(!f.part.check());
        flip_word(x, std::uint64_t{1} << bit);
        CHECK(f.part.check());
    }
}

TEST_CASE("partition_statistics: check sees lengths and kinds of pages that its counts don't have") {
    fixture f{persistent};
    extent& x = f.put_marked(1, 1000);
    REQUIRE(f.put(7, 1000) == status::ok);
    flip_word(x, 3); // another length, which its place has room for
    CHECK(!f.part.check());
    flip_word(x, 3);
    CHECK(f.part.check());
    flip_meta(x, 1); // a same-filled page
    CHECK(!f.part.check());
    flip_meta(x, 1);
    CHECK(f.part.check());
}

TEST_CASE("partition_statistics: check looks at each pool's counts, not only at what they come to together") {
    fixture f{persistent};
    pool_record records[2]; // in place of the one
    records[0].id = f.id;
    records[1].id = pool_ids::next(pool_id{}, 1, persistent);
    f.table.records = records;
    f.table.count = 2;
    REQUIRE(f.part.open_pool(records[1].id) == status::ok);
    extent& x = f.put_marked(1, 1000);
    extent& y = unit_store_partition_statistics::put_marked(f, records[1].id, 1, 997);
    REQUIRE(f.part.check());
    flip_word(x, 3); // 997
    CHECK(!f.part.check());
    flip_word(y, 3); // 1000
    CHECK(!f.part.check());
    flip_word(x, 3);
    flip_word(y, 3);
    CHECK(f.part.check());
}

TEST_CASE("partition_statistics: what damage left counted goes with its pool, and nothing of another's") {
    fixture f{persistent};
    pool_record records[2]; // in place of the one
    records[0].id = f.id;
    records[1].id = pool_ids::next(pool_id{}, 1, persistent);
    f.table.records = records;
    f.table.count = 2;
    REQUIRE(f.part.open_pool(records[1].id) == status::ok);
    extent& x = f.put_marked(1, 1000);
    unit_store_partition_statistics::put_marked(f, records[1].id, 1, min_stream_size);
    flip_meta(x, 1); // a same-filled page, of which the pool has none
    REQUIRE(f.part.erase(f.hasher.locate({f.id, marked, extent_pages})) == status::ok);
    CHECK(f.of_pool().same_pages == 0);
    CHECK(f.of_pool().compr_data_size == 1000); // nobody knows what it was
    CHECK(f.stats().same_pages == 1);
    CHECK(f.stats().compr_data_size == 1000);
    f.part.close_pool(f.id);
    CHECK(f.part.drain_pool(0));
    CHECK(f.stats().stored_pages == 1);
    CHECK(f.stats().same_pages == 1);
    CHECK(f.stats().compr_data_size == 0);
    CHECK(f.part.share_of(0).payload == 0); // or the slot's next pool would be charged with it
    CHECK(records[0].payload.load(memory_order::relaxed) == 0);
    CHECK(records[0].tables.load(memory_order::relaxed) == 0);
}

TEST_CASE("partition_statistics: check sees two pages with one object") {
    fixture f{persistent};
    extent &x = f.put_marked(1, 1000), &y = f.put_marked(2, 1000);
    const std::uint64_t word = x.bitmap ^ y.bitmap;
    const std::uint32_t meta = x.cell ^ y.cell;
    REQUIRE(f.part.check());
    flip_word(x, word);
    flip_meta(x, meta);
    CHECK(!f.part.check());
    flip_word(x, word);
    flip_meta(x, meta);
    CHECK(f.part.check());
}

TEST_CASE("partition_statistics: check asks the policy of a cache, and of nobody else's pages") {
    for (const pool_kind kind : {persistent, ephemeral}) {
        fixture f{kind};
        extent& x = f.put_marked(1, 1000);
        REQUIRE(f.part.check());
        flip_meta(x, 4); // not on probation any more, which the policy doesn't know
        CHECK(f.part.check() == (kind == persistent));
    }
}

TEST_CASE("partition_statistics: check sees damage of the index, wherever a bit is flipped in an extent") {
    for (unsigned bit = 0; bit < 8 * sizeof(extent); ++bit) {
        fixture f{ephemeral};
        extent& x = f.put_marked(1, 1000);
        REQUIRE(f.put(7, 1000) == status::ok);
        auto* const bytes = reinterpret_cast<std::byte*>(&x);
        bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
        REQUIRE(!f.part.check());
        bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    }
}

} // namespace
} // namespace pagefold::testing::unit_store_partition_statistics
