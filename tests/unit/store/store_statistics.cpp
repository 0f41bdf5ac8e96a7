// SPDX-License-Identifier: MIT
//
// What a store says of itself, and what its check must see: each beside a store that is right.
#include <pagefold/store/store_statistics.hpp>

#include "support/store_fixture.hpp"

#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace pagefold::testing::unit_store_store_statistics {
namespace {

/// Says that it holds more than it does.
template <class Source, std::size_t PageSize>
class lying : public zs<Source, PageSize> {
public:
    using zs<Source, PageSize>::zs;
    [[nodiscard]] std::size_t bytes_held() const noexcept { return zs<Source, PageSize>::bytes_held() + lie; }
    static inline std::size_t lie = 0;
};
/// Has no answer to every second page, where it is told so.
struct failing : default_config::compressor_type {
    using base = default_config::compressor_type;
    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        return fails && ++calls % 2 == 0 ? status::corrupt : base::compress(in, out, scratch);
    }
    static inline bool fails = false;
    static inline unsigned calls = 0;
};
struct config : default_config {
    using compressor_type = failing;
    template <class Source, std::size_t PageSize>
    using allocator_type = lying<Source, PageSize>;
};
using store_type = partitioned_store<config>;
using allocator = lying<limited_source, config::page_size>;

struct fixture : store_fixture<store_type> {
    explicit fixture(std::size_t limit = ~std::size_t{0})
        : store_fixture{store_options{.limit_bytes = limit, .partitions = 3}} {}
    /// Pages of all kinds in all partitions.
    pool_id fill(const pool_options& options = {}, std::uint64_t count = 120) {
        const pool_id pool = make_pool(options);
        for (std::uint64_t i = 0; i < count; ++i) {
            REQUIRE(put({pool, i, i}, i) == status::ok);
        }
        return pool;
    }
    /// What lies in the memory of the store, where it is this one.
    template <class T, class IsIt>
    [[nodiscard]] T* find(std::size_t step, IsIt is_it) const {
        T* found = nullptr;
        source.for_each_run([&](std::byte* memory, std::size_t bytes) {
            for (std::size_t at = 0; at + sizeof(T) <= bytes; at += step) {
                T* const one = reinterpret_cast<T*>(memory + at);
                found = is_it(*one) ? one : found;
            }
        });
        REQUIRE(found != nullptr);
        return found;
    }
    [[nodiscard]] pool_record& record_of(pool_id id) const {
        return *find<pool_record>(alignof(pool_record), [&](const pool_record& record) {
            std::size_t mark;
            pool_id whose;
            std::memcpy(&mark, &record.live, sizeof mark);
            std::memcpy(&whose, &record.id, sizeof whose);
            return mark == pool_ids::mark(id) && whose == id;
        });
    }
};

TEST_CASE("store_statistics: a store without a pool says what it is told, and knows no pool") {
    fixture f{12'345'678};
    const store_stats s = f.store.stats();
    CHECK(s.mem_limit == 12'345'678);
    CHECK(s.mem_used_max == 0);
    CHECK(s.total_bytes == 0);
    CHECK(f.store.statistics_of(pool_id{}).error() == status::invalid);
    CHECK(f.store.statistics_of(static_cast<pool_id>(1u << 13)).error() == status::invalid);
    CHECK(f.store.check());
}

TEST_CASE("store_statistics: all partitions are in the sums, and all that was taken is somebody's or fixed") {
    fixture f;
    const pool_id pool = f.fill(), cache = f.fill({.kind = pool_kind::ephemeral});
    const store_stats s = f.store.stats();
    CHECK(s.stored_pages == 240);
    CHECK(s.puts == 240);
    CHECK(s.orig_data_size == 240 * 4096);
    CHECK(s.total_bytes == f.source.bytes_held());
    CHECK(s.metadata_bytes == s.total_bytes - s.mem_used_total);
    CHECK(s.mem_used_total > 0);
    const pool_stats one = f.store.statistics_of(pool).value(), other = f.store.statistics_of(cache).value();
    CHECK(one.stored_pages == 120);
    CHECK(other.stored_pages == 120);
    CHECK(one.used_bytes > one.compr_data_size);
    CHECK(other.used_bytes > other.compr_data_size);
    CHECK(s.fixed_bytes == s.total_bytes - one.used_bytes - other.used_bytes);
    CHECK(f.store.check());
}

TEST_CASE("store_statistics: the peak stays when memory goes back") {
    fixture f;
    const pool_id pool = f.fill({}, 600);
    const std::size_t peak = f.source.peak_bytes();
    CHECK(f.store.destroy_pool(pool) == status::ok);
    CHECK(f.put({f.make_pool(), 1, 1}, 1) == status::ok);
    const store_stats s = f.store.stats();
    CHECK(s.total_bytes == f.source.bytes_held());
    CHECK(s.total_bytes < peak);
    CHECK(s.mem_used_max == peak);
}

TEST_CASE("store_statistics: pages that the codec failed on are told, and kept raw") {
    fixture f;
    const pool_id pool = f.make_pool();
    failing::fails = true;
    for (std::uint64_t i = 0; i < 10; ++i) {
        REQUIRE(f.put({pool, i, 0}, page_kind::text, i) == status::ok);
    }
    failing::fails = false;
    CHECK(f.store.stats().reject_compress_fail == 5);
    CHECK(f.store.stats().huge_pages == 5);
}

TEST_CASE("store_statistics: of no id but a live pool's there are any") {
    fixture f;
    const pool_id pool = f.fill();
    const auto number = static_cast<std::uint64_t>(pool);
    for (const std::uint64_t wrong :
         {std::uint64_t{0}, number + 1, number + 4000, number + (1u << 13), number ^ 1u << 12}) {
        CHECK(f.store.statistics_of(static_cast<pool_id>(wrong)).error() == status::invalid);
    }
    CHECK(f.store.destroy_pool(pool) == status::ok);
    CHECK(f.store.statistics_of(pool).error() == status::invalid);
}

TEST_CASE("store_statistics: check sees a record that says of its pool what no partition does") {
    fixture f;
    const pool_id pool = f.fill();
    pool_record& record = f.record_of(pool);
    REQUIRE(f.store.check());
    for (atomic<std::size_t>* const count : {&record.payload, &record.tables, &record.unmet}) {
        for (const std::size_t by : {std::size_t{1}, ~std::size_t{0}}) {
            count->fetch_add(by, memory_order::relaxed);
            CHECK(!f.store.check());
            count->fetch_sub(by, memory_order::relaxed);
            CHECK(f.store.check());
        }
    }
    for (const pool_stage stage : {pool_stage::free, pool_stage::dying}) {
        record.stage = stage;
        CHECK(!f.store.check()); // it is open in the partitions
        record.stage = pool_stage::live;
        CHECK(f.store.check());
    }
    record.id = static_cast<pool_id>(static_cast<std::uint64_t>(pool) + (1u << 13));
    CHECK(!f.store.check());
    record.id = pool;
    record.options.reserved_bytes = 1;
    CHECK(!f.store.check());
    record.options.reserved_bytes = 0;
    CHECK(f.store.check());
}

TEST_CASE("store_statistics: check sees damage in any partition") {
    for (std::uint64_t i = 0; i < 12; ++i) { // of objects in all three
        fixture f;
        const pool_id pool = f.make_pool();
        for (std::uint64_t object = 0; object < 12; ++object) {
            REQUIRE(f.put({pool, 0xabcdef0123456700 + object, 0}, page_kind::text, object) == status::ok);
        }
        REQUIRE(f.store.check());
        extent* const x = f.find<extent>(
            sizeof(extent), [&](const extent& one) { return one.object == 0xabcdef0123456700 + i && one.is_whole(); });
        x->bitmap ^= 1;
        CHECK(!f.store.check());
    }
}

TEST_CASE("store_statistics: check compares what the parts hold with what was taken, to the byte") {
    fixture f;
    f.fill();
    REQUIRE(f.store.check());
    allocator::lie = 1;
    CHECK(!f.store.check());
    allocator::lie = 0;
    CHECK(f.store.check());
}

TEST_CASE("store_statistics: over larger pages, those that are idle and their books are counted") {
    test_source source{16384};
    store_type store{source, {.partitions = 3, .seed = 1}};
    const pool_id pool = store.create_pool().value();
    std::vector<std::byte> page(4096);
    for (std::uint64_t i = 0; i < 50; ++i) {
        make_page(page, i);
        REQUIRE(store.put({pool, i, i}, page) == status::ok);
        REQUIRE(store.check());
        REQUIRE(store.stats().total_bytes == source.bytes_held());
    }
    for (std::uint64_t i = 0; i < 50; i += 2) {
        REQUIRE(store.erase({pool, i, i}) == status::ok);
        REQUIRE(store.check());
    }
}

} // namespace
} // namespace pagefold::testing::unit_store_store_statistics
