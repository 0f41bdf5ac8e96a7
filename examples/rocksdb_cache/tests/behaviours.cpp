// SPDX-License-Identifier: MIT

// What RocksDB expects of a secondary cache, asked of the one over a store directly, and through RocksDB's own block cache.

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "store_cache.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace rocksdb_cache::tests {
namespace {

constexpr std::size_t mib = std::size_t{1} << 20;
constexpr pagefold::second_touch at_once{0};

/// What a block cache keeps: bytes that it can write out and make anew.
struct item {
    std::string bytes;
};
std::size_t size_of(void* value) { return static_cast<item*>(value)->bytes.size(); }
rocksdb::Status save(void* value, std::size_t offset, std::size_t length, void* out) {
    const std::string& bytes = static_cast<item*>(value)->bytes;
    if (offset + length > bytes.size()) {
        return rocksdb::Status::InvalidArgument();
    }
    std::memcpy(out, bytes.data() + offset, length);
    return rocksdb::Status::OK();
}
rocksdb::Status save_in_vain(void* /*value*/, std::size_t /*offset*/, std::size_t /*length*/, void* /*out*/) {
    return rocksdb::Status::NotSupported();
}
void destroy(const rocksdb::Slice& /*key*/, void* value) { delete static_cast<item*>(value); }
rocksdb::Cache::CacheItemHelper helper{size_of, save, destroy};
rocksdb::Cache::CacheItemHelper failing_helper{size_of, save_in_vain, destroy};

rocksdb::Status create(const void* bytes, std::size_t size, void** out, std::size_t* charge) {
    *out = new item{std::string(static_cast<const char*>(bytes), size)};
    *charge = size;
    return rocksdb::Status::OK();
}

/// A key as RocksDB makes them: of a file and an offset in it.
std::string key_of(std::uint64_t file, std::uint64_t offset) {
    std::string key(16, '\0');
    std::memcpy(key.data(), &file, 8);
    std::memcpy(key.data() + 8, &offset, 8);
    return key;
}
std::string content_of(std::size_t size, unsigned seed) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<char>(i / 7 * (seed + 1) % 251 + i % 3);
    }
    return bytes;
}

struct fixture {
    explicit fixture(std::size_t capacity = 8 * mib, bool heeds = true)
        : heeds_advice{heeds}, cache{capacity, 4, at_once, heeds} {}

    rocksdb::Status insert(const std::string& key, const std::string& bytes) {
        item one{bytes};
        return cache.Insert(key, &one, &helper);
    }
    /// Whether a look-up brings these bytes.
    bool finds(const std::string& key, const std::string& bytes, bool advise_erase = false) {
        bool stays = false;
        const auto found = cache.Lookup(key, create, true, advise_erase, stays);
        if (found == nullptr || !found->IsReady()) {
            return false;
        }
        found->Wait();
        const std::unique_ptr<item> made{static_cast<item*>(found->Value())};
        return made != nullptr && made->bytes == bytes && found->Size() == bytes.size() &&
               stays == !(advise_erase && heeds_advice);
    }
    bool lacks(const std::string& key) {
        bool stays = true;
        const auto found = cache.Lookup(key, create, true, false, stays);
        if (found != nullptr) {
            delete static_cast<item*>(found->Value()); // is the caller's
        }
        return found == nullptr && !stays;
    }

    bool heeds_advice;
    store_cache cache;
};

TEST_CASE("a block comes back as it was put, of any length") {
    fixture f;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{6}, std::size_t{100}, std::size_t{4100},
                                   std::size_t{16381}, store_cache::most_bytes}) {
        CAPTURE(size);
        const std::string key = key_of(1, size * 4096), bytes = content_of(size, 1);
        CHECK(f.lacks(key));
        CHECK(f.insert(key, bytes).ok());
        CHECK(f.finds(key, bytes));
        CHECK(f.finds(key, bytes)); // and stays
    }
    CHECK(f.cache.check());
    // What is too long, or has no name of RocksDB's, is not kept, and that is no error.
    CHECK(f.insert(key_of(2, 1), content_of(store_cache::most_bytes + 1, 1)).ok());
    CHECK(f.lacks(key_of(2, 1)));
    CHECK(f.insert("short", content_of(100, 1)).ok());
    CHECK(f.lacks("short"));
}

TEST_CASE("a block that is put again replaces the old one, whatever its length") {
    fixture f;
    const std::string key = key_of(1, 4096);
    for (const unsigned size : {5000u, 100u, 16000u, 4u, 5000u}) {
        CHECK(f.insert(key, content_of(size, size)).ok());
        CHECK(f.finds(key, content_of(size, size)));
    }
    CHECK(f.cache.stats().stored_pages == 1);
}

TEST_CASE("keys that differ in any bit are never mixed up") {
    fixture f;
    const std::string first = key_of(0x123456789abcdef0, 0xfedcba9876543210);
    REQUIRE(f.insert(first, content_of(500, 0)).ok());
    for (unsigned bit = 0; bit < 128; ++bit) {
        CAPTURE(bit);
        std::string other = first;
        other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << bit % 8));
        CHECK(f.lacks(other));
        CHECK(f.insert(other, content_of(600, bit)).ok());
        CHECK(f.finds(other, content_of(600, bit)));
        CHECK((f.finds(first, content_of(500, 0)) || f.lacks(first))); // two of one page number displace each other
        CHECK(f.insert(first, content_of(500, 0)).ok());
    }
}

TEST_CASE("who says that it keeps a block itself leaves none behind, where the cache heeds that") {
    for (const bool heeds : {true, false}) {
        fixture f{8 * mib, heeds};
        const std::string key = key_of(1, 4096), bytes = content_of(4100, 3);
        REQUIRE(f.insert(key, bytes).ok());
        CHECK(f.finds(key, bytes, true));
        CHECK(f.lacks(key) == heeds);
        CHECK(f.insert(key, bytes).ok());
        CHECK(f.finds(key, bytes));
    }
}

TEST_CASE("an erased block is gone, and the others are there") {
    fixture f;
    CHECK(f.cache.SupportForceErase());
    REQUIRE(f.insert(key_of(1, 4096), content_of(4100, 1)).ok());
    REQUIRE(f.insert(key_of(1, 8192), content_of(4100, 2)).ok());
    f.cache.Erase(key_of(1, 4096));
    f.cache.Erase(key_of(9, 4096));
    f.cache.Erase("short");
    CHECK(f.lacks(key_of(1, 4096)));
    CHECK(f.finds(key_of(1, 8192), content_of(4100, 2)));
}

TEST_CASE("nothing is kept of what cannot be written out, and nothing found of what cannot be made") {
    fixture f;
    const std::string key = key_of(1, 4096), bytes = content_of(4100, 1);
    item one{bytes};
    CHECK(f.cache.Insert(key, nullptr, &helper).IsInvalidArgument());
    CHECK(f.cache.Insert(key, &one, nullptr).IsInvalidArgument());
    CHECK(f.cache.Insert(key, &one, &failing_helper).IsNotSupported());
    CHECK(f.lacks(key));
    REQUIRE(f.insert(key, bytes).ok());
    bool stays = true;
    const auto refuse = [](const void*, std::size_t, void**, std::size_t*) { return rocksdb::Status::NotSupported(); };
    CHECK(f.cache.Lookup(key, refuse, true, false, stays) == nullptr);
    CHECK(!stays);
    CHECK(f.finds(key, bytes)); // it is as good as before
}

TEST_CASE("a handle is ready at once, and waiting for many is no waiting") {
    fixture f;
    std::vector<std::unique_ptr<rocksdb::SecondaryCacheResultHandle>> found;
    std::vector<rocksdb::SecondaryCacheResultHandle*> handles;
    for (unsigned i = 0; i < 6; ++i) {
        REQUIRE(f.insert(key_of(1, i * 4096), content_of(1000 + i, i)).ok());
        bool stays = false;
        found.push_back(f.cache.Lookup(key_of(1, i * 4096), create, false, false, stays));
        REQUIRE(found.back() != nullptr);
        handles.push_back(found.back().get());
    }
    f.cache.WaitAll(handles);
    for (unsigned i = 0; i < 6; ++i) {
        CHECK(handles[i]->IsReady());
        const std::unique_ptr<item> made{static_cast<item*>(handles[i]->Value())};
        CHECK(made->bytes == content_of(1000 + i, i));
    }
}

TEST_CASE("its memory is within its capacity, which may change, to nothing and back") {
    fixture f{4 * mib};
    std::size_t capacity = 0;
    CHECK(f.cache.GetCapacity(capacity).ok());
    CHECK(capacity == 4 * mib);
    const auto fill = [&] {
        for (unsigned i = 0; i < 2000; ++i) {
            REQUIRE(f.insert(key_of(3, i * 4096), content_of(4000 + i, i)).ok());
        }
    };
    fill();
    CHECK(f.cache.stats().evicted_pages > 0);
    CHECK(f.cache.stats().total_bytes <= 4 * mib);
    CHECK(f.cache.stats().orig_data_size > f.cache.stats().stored_pages * 4000);
    const std::uint64_t kept = f.cache.stats().stored_pages;
    CHECK(f.cache.SetCapacity(2 * mib).ok());
    CHECK(f.cache.GetCapacity(capacity).ok());
    CHECK(capacity == 2 * mib);
    CHECK(f.cache.stats().total_bytes <= 2 * mib);
    CHECK(f.cache.stats().stored_pages < kept);
    CHECK(f.cache.SetCapacity(0).ok());
    CHECK(f.cache.stats().stored_pages == 0);
    CHECK(f.insert(key_of(1, 4096), content_of(4100, 1)).ok());
    CHECK(f.lacks(key_of(1, 4096)));
    CHECK(f.cache.SetCapacity(6 * mib).ok());
    CHECK(f.lacks(key_of(3, 1999 * 4096)));
    fill();
    CHECK(f.finds(key_of(3, 1999 * 4096), content_of(5999, 1999)));
    CHECK(f.cache.stats().total_bytes <= 6 * mib);
    CHECK(f.cache.check());
}

TEST_CASE("a block is kept when its key comes the second time") {
    store_cache cache{8 * mib, 2};
    item one{content_of(4100, 1)};
    bool stays = false;
    for (unsigned touch = 1; touch <= 2; ++touch) {
        REQUIRE(cache.Insert(key_of(1, 4096), &one, &helper).ok());
        const auto found = cache.Lookup(key_of(1, 4096), create, true, false, stays);
        CHECK((found != nullptr) == (touch == 2));
        if (found != nullptr) {
            destroy({}, found->Value());
        }
    }
}

TEST_CASE("RocksDB's block cache brings back from it what it had dropped") {
    const auto below = std::make_shared<store_cache>(8 * mib, 2, at_once);
    rocksdb::LRUCacheOptions options;
    options.capacity = 64 * 1024;
    options.num_shard_bits = 0;
    options.secondary_cache = below;
    const std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(options);
    for (unsigned i = 0; i < 200; ++i) {
        REQUIRE(cache->Insert(key_of(1, i * 4096), new item{content_of(4000 + i, i)}, &helper, 4000 + i).ok());
    }
    CHECK(below->stats().stored_pages > 150);
    for (const bool waits : {true, false}) {
        for (unsigned i = 0; i < 150; ++i) {
            CAPTURE(i);
            rocksdb::Cache::Handle* const handle =
                cache->Lookup(key_of(1, i * 4096), &helper, create, rocksdb::Cache::Priority::LOW, waits);
            REQUIRE(handle != nullptr);
            std::vector<rocksdb::Cache::Handle*> handles{handle};
            cache->WaitAll(handles);
            REQUIRE(cache->IsReady(handle));
            CHECK(static_cast<item*>(cache->Value(handle))->bytes == content_of(4000 + i, i));
            cache->Release(handle);
        }
    }
    // What is erased in both is gone; RocksDB's cache of this version erases its own block alone.
    cache->Erase(key_of(1, 5 * 4096));
    below->Erase(key_of(1, 5 * 4096));
    CHECK(cache->Lookup(key_of(1, 5 * 4096), &helper, create, rocksdb::Cache::Priority::LOW, true) == nullptr);
    CHECK(below->check());
}

TEST_CASE("threads that put, look up, erase and change the capacity never see another's block") {
    fixture f{3 * mib, false};
    std::atomic<unsigned> wrong{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (unsigned i = 0; i < 4000; ++i) {
                const unsigned block = (i * 37 + t * 11) % 500;
                const std::string key = key_of(1, block * 4096), bytes = content_of(100 + block * 23, block);
                if (i % 3 == 0) {
                    static_cast<void>(f.insert(key, bytes));
                } else if (i % 31 == 0) {
                    f.cache.Erase(key);
                } else if (t == 0 && i % 997 == 1) {
                    static_cast<void>(f.cache.SetCapacity(i % 2 == 0 ? 2 * mib : 3 * mib));
                } else {
                    bool stays = false;
                    if (const auto found = f.cache.Lookup(key, create, true, i % 5 == 0, stays); found != nullptr) {
                        const std::unique_ptr<item> made{static_cast<item*>(found->Value())};
                        wrong += made->bytes == bytes ? 0u : 1u;
                    }
                }
            }
        });
    }
    for (std::thread& one : threads) {
        one.join();
    }
    CHECK(wrong == 0);
    CHECK(f.cache.stats().decompress_fail == 0);
    CHECK(f.cache.check());
}

} // namespace
} // namespace rocksdb_cache::tests
