// SPDX-License-Identifier: MIT
#pragma once

#include <rocksdb/secondary_cache.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace rocksdb_cache {

/// Counts what a secondary cache is asked and finds, the same way for any.
class counted_cache : public rocksdb::SecondaryCache {
public:
    explicit counted_cache(std::shared_ptr<rocksdb::SecondaryCache> of) : of_{std::move(of)} {}

    [[nodiscard]] const char* Name() const override { return "counted_cache"; }
    [[nodiscard]] bool SupportForceErase() const override { return of_->SupportForceErase(); }
    rocksdb::Status Insert(const rocksdb::Slice& key, void* value,
                           const rocksdb::Cache::CacheItemHelper* helper) override {
        inserts_.fetch_add(1, std::memory_order_relaxed);
        return of_->Insert(key, value, helper);
    }
    std::unique_ptr<rocksdb::SecondaryCacheResultHandle> Lookup(const rocksdb::Slice& key,
                                                                const rocksdb::Cache::CreateCallback& create_cb,
                                                                bool wait, bool advise_erase,
                                                                bool& is_in_sec_cache) override {
        lookups_.fetch_add(1, std::memory_order_relaxed);
        auto found = of_->Lookup(key, create_cb, wait, advise_erase, is_in_sec_cache);
        hits_.fetch_add(found != nullptr ? 1 : 0, std::memory_order_relaxed);
        return found;
    }
    void Erase(const rocksdb::Slice& key) override { of_->Erase(key); }
    void WaitAll(std::vector<rocksdb::SecondaryCacheResultHandle*> handles) override {
        of_->WaitAll(std::move(handles));
    }
    rocksdb::Status SetCapacity(std::size_t capacity) override { return of_->SetCapacity(capacity); }
    rocksdb::Status GetCapacity(std::size_t& capacity) override { return of_->GetCapacity(capacity); }

    struct counts {
        std::uint64_t inserts, lookups, hits;
    };
    [[nodiscard]] counts now() const noexcept {
        return {inserts_.load(std::memory_order_relaxed), lookups_.load(std::memory_order_relaxed),
                hits_.load(std::memory_order_relaxed)};
    }

private:
    std::shared_ptr<rocksdb::SecondaryCache> of_;
    std::atomic<std::uint64_t> inserts_{0}, lookups_{0}, hits_{0};
};

} // namespace rocksdb_cache
