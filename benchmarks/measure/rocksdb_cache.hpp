// SPDX-License-Identifier: MIT
#pragma once

#include <rocksdb/version.h>

#if ROCKSDB_MAJOR != 7
#error "the interface of RocksDB's secondary cache is that of version 7"
#endif

#include <rocksdb/cache.h>
#include <rocksdb/secondary_cache.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace pagefold::measure {

/// RocksDB's compressed secondary cache, with LZ4 and room for everything.
class rocksdb_cache {
public:
    explicit rocksdb_cache(std::size_t pages)
        : cache_(rocksdb::NewCompressedSecondaryCache(2 * pages * page_size)), is_known_(pages) {}

    bool put(std::uint64_t key, const std::byte* page) {
        const bool is_first = !is_known_[key];
        is_known_[key] = true;
        // The first insert of a key only notes that it was seen.
        return (!is_first || insert(key, page)) && insert(key, page);
    }

    bool get(std::uint64_t key, std::byte* out) {
        const rocksdb::Cache::CreateCallback copy = [out](const void* from, std::size_t size, void** object,
                                                          std::size_t* charge) {
            std::memcpy(out, from, size);
            *object = out;
            *charge = size;
            return rocksdb::Status::OK();
        };
        bool is_kept = false;
        const auto found = cache_->Lookup(name(key), copy, true, false, is_kept);
        return found != nullptr && found->Value() == out && found->Size() == page_size;
    }

private:
    static constexpr std::size_t page_size = 4096;

    static rocksdb::Slice name(const std::uint64_t& key) { return {reinterpret_cast<const char*>(&key), sizeof key}; }

    bool insert(std::uint64_t key, const std::byte* page) {
        static const rocksdb::Cache::CacheItemHelper helper{
            [](void*) { return page_size; },
            [](void* from, std::size_t offset, std::size_t length, void* to) {
                std::memcpy(to, static_cast<const char*>(from) + offset, length);
                return rocksdb::Status::OK();
            },
            [](const rocksdb::Slice&, void*) {}};
        return cache_->Insert(name(key), const_cast<std::byte*>(page), &helper).ok();
    }

    std::shared_ptr<rocksdb::SecondaryCache> cache_;
    std::vector<bool> is_known_;
};

} // namespace pagefold::measure
