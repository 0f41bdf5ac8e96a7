// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/admit/second_touch.hpp>
#include <pagefold/alloc/tlsf.hpp>
#include <pagefold/compress/lz4.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <rocksdb/secondary_cache.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace rocksdb_cache {

/// Blocks of any length up to 16 KiB, each kept when its key comes the second time. Most are of nearly one length: two levels of
/// free lists round them alike, so that the place of nearly any block that goes fits the next.
struct block_config : pagefold::default_config {
    static constexpr std::size_t page_size = 16384;
    static constexpr bool variable_length = true;
    using compressor_type = pagefold::lz4; // as RocksDB's own
    using admission_type = pagefold::second_touch;
    template <class Source, std::size_t PageSize>
    using allocator_type = pagefold::tlsf<Source, PageSize>;
};

/// A block that was found: there when Lookup returns, so that nobody has to wait for it.
class found_block : public rocksdb::SecondaryCacheResultHandle {
public:
    found_block(void* value, std::size_t charge) noexcept : value_{value}, charge_{charge} {}
    bool IsReady() override { return true; }
    void Wait() override {}
    void* Value() override { return value_; }
    std::size_t Size() override { return charge_; }

private:
    void* value_;
    std::size_t charge_;
};

/// RocksDB's secondary cache over a store of values: an ephemeral pool, whose limit is the cache's capacity, all tables included.
///
/// RocksDB names a block by 16 bytes: 8 of its file, 8 of its offset in it. The file is the object. Of the offset, the bits above
/// 10 are the page number, so that blocks that lie side by side share an extent of the index; the others go behind the block, and
/// are compared when it is read. Two blocks of one number displace each other, which none of 1 KiB and more do. A key of another
/// length, and a block that is too long, is not kept, which the interface leaves to the cache. Safe from many threads.
class store_cache : public rocksdb::SecondaryCache {
public:
    static constexpr std::size_t tail_bytes = 2;
    static constexpr std::size_t default_partitions = 4; // two for each thread at work
    static constexpr std::size_t most_bytes = block_config::page_size - tail_bytes;

    /// `heeds_advice`: a block that RocksDB's own cache takes goes from here, and comes back when it is dropped there, for one more
    /// compression. Else it stays, and is in both for a while.
    explicit store_cache(std::size_t capacity, std::size_t partitions = default_partitions,
                         const pagefold::second_touch& admission = pagefold::second_touch{}, bool heeds_advice = false)
        : store_{source_, {.limit_bytes = capacity, .partitions = partitions}, {}, admission, {}}, capacity_{capacity},
          heeds_advice_{heeds_advice} {
        static_cast<void>(open());
    }

    [[nodiscard]] const char* Name() const override { return "pagefold::store_cache"; }
    [[nodiscard]] bool SupportForceErase() const override { return true; }

    rocksdb::Status Insert(const rocksdb::Slice& key, void* value,
                           const rocksdb::Cache::CacheItemHelper* helper) override {
        if (value == nullptr || helper == nullptr) {
            return rocksdb::Status::InvalidArgument();
        }
        const std::size_t size = helper->size_cb(value);
        name n;
        if (size > most_bytes || !find_name(key, n)) {
            return rocksdb::Status::OK();
        }
        // The block comes straight into the store's scratch, and not at all where it is its key's first touch. What is refused,
        // for that or for want of room, is not kept, and no older version of it either.
        rocksdb::Status saved;
        static_cast<void>(store_.put_written(n.key, size + tail_bytes, [&](pagefold::byte_span to) noexcept {
            saved = helper->saveto_cb(value, 0, size, to.data());
            std::memcpy(to.data() + size, &n.tail, tail_bytes);
            return saved.ok();
        }));
        return saved;
    }

    std::unique_ptr<rocksdb::SecondaryCacheResultHandle> Lookup(const rocksdb::Slice& key,
                                                                const rocksdb::Cache::CreateCallback& create_cb,
                                                                bool /*wait*/, bool advise_erase,
                                                                bool& is_in_sec_cache) override {
        is_in_sec_cache = false;
        name n;
        if (!find_name(key, n)) {
            return nullptr;
        }
        const pagefold::byte_span block{buffer(), block_config::page_size};
        const bool leaves = advise_erase && heeds_advice_;
        const pagefold::result<std::size_t> length =
            leaves ? store_.take_value(n.key, block) : store_.get_value(n.key, block);
        if (!length || *length < tail_bytes ||
            std::memcmp(block.data() + *length - tail_bytes, &n.tail, tail_bytes) != 0) {
            return nullptr;
        }
        void* value = nullptr;
        std::size_t charge = 0;
        if (!create_cb(block.data(), *length - tail_bytes, &value, &charge).ok()) {
            return nullptr;
        }
        is_in_sec_cache = !leaves;
        return std::make_unique<found_block>(value, charge);
    }

    void Erase(const rocksdb::Slice& key) override {
        if (name n; find_name(key, n)) {
            static_cast<void>(store_.erase(n.key));
        }
    }
    void WaitAll(std::vector<rocksdb::SecondaryCacheResultHandle*> /*handles*/) override {}

    /// At 0 nothing is kept, and nothing found.
    rocksdb::Status SetCapacity(std::size_t capacity) override {
        capacity_.store(capacity);
        if (capacity == 0) {
            close();
        }
        // At 0 the pool's records and a scratch stay, as the store does.
        pagefold::status s;
        do {
            s = store_.resize(capacity);
        } while (s == pagefold::status::busy);
        return capacity == 0 || is_open() || open() ? rocksdb::Status::OK() : rocksdb::Status::MemoryLimit();
    }
    rocksdb::Status GetCapacity(std::size_t& capacity) override {
        capacity = capacity_.load();
        return rocksdb::Status::OK();
    }

    [[nodiscard]] pagefold::store_stats stats() const { return store_.stats(); }
    [[nodiscard]] bool check() const { return store_.check(); }

private:
    struct name {
        pagefold::page_key key{};
        std::uint16_t tail = 0;
    };
    static constexpr unsigned index_at = 10, index_bits = 50;
    static_assert(std::uint64_t{1} << index_bits == pagefold::max_page_index);

    /// False for a key that is none of RocksDB's, and where nothing is kept.
    [[nodiscard]] bool find_name(const rocksdb::Slice& key, name& n) const noexcept {
        const std::uint64_t pool = pool_.load(std::memory_order_acquire);
        if (key.size() != 16 || pool == 0) {
            return false;
        }
        std::uint64_t words[2];
        std::memcpy(words, key.data(), sizeof words);
        const std::uint64_t above = words[1] >> index_at;
        n.key = {static_cast<pagefold::pool_id>(pool), words[0], above & (pagefold::max_page_index - 1)};
        n.tail = static_cast<std::uint16_t>((words[1] & ((1u << index_at) - 1)) | above >> index_bits << index_at);
        return true;
    }
    /// Of this thread, with room for a block and its tail.
    [[nodiscard]] static std::byte* buffer() {
        thread_local const std::unique_ptr<std::byte[]> bytes{new std::byte[block_config::page_size]};
        return bytes.get();
    }
    [[nodiscard]] bool is_open() const noexcept { return pool_.load() != 0; }
    bool open() {
        const pagefold::result<pagefold::pool_id> pool = store_.create_pool({.kind = pagefold::pool_kind::ephemeral});
        pool_.store(pool ? static_cast<std::uint64_t>(*pool) : 0, std::memory_order_release);
        return static_cast<bool>(pool);
    }
    void close() {
        if (const std::uint64_t pool = pool_.exchange(0); pool != 0) {
            while (store_.destroy_pool(static_cast<pagefold::pool_id>(pool)) == pagefold::status::busy) {
            }
        }
    }

    pagefold::mmap_source<> source_{};
    pagefold::partitioned_store<block_config> store_;
    std::atomic<std::size_t> capacity_;
    bool heeds_advice_;
    std::atomic<std::uint64_t> pool_{0};
};

} // namespace rocksdb_cache
