// SPDX-License-Identifier: MIT
#pragma once

// What the store is compared with, all with the two functions of a contender: put(key, page) and get(key, out), for
// keys counted from zero, false on failure.

#include "../support/huge_buffer.hpp"
#include "../support/zram_device.hpp"

#include <lz4.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace pagefold::measure {

inline constexpr int page_bytes = 4096;
inline constexpr int stream_bound = LZ4_COMPRESSBOUND(page_bytes);

/// liblz4 as every contender here calls it: with a hash table kept by the caller, and room enough for its fast path.
/// The length is at least page_bytes when the page does not shrink.
inline int compress_page(LZ4_stream_t& table, const std::byte* page, std::byte* out) {
    return LZ4_compress_fast_extState(&table, reinterpret_cast<const char*>(page), reinterpret_cast<char*>(out),
                                      page_bytes, stream_bound, 1);
}

inline bool decompress_page(const std::byte* stream, int size, std::byte* out) {
    if (size == page_bytes) {
        std::memcpy(out, stream, page_bytes);
        return true;
    }
    return LZ4_decompress_safe(reinterpret_cast<const char*>(stream), reinterpret_cast<char*>(out), size, page_bytes) ==
           page_bytes;
}

/// The physical limit: streams are compressed straight into a slab that was touched before and lies on 2 MiB pages, and
/// an array says where each is. Nothing is reused, locked, checked or counted.
class raw_lz4 {
public:
    /// `bump`: streams lie one behind the other in the order of their puts. Nothing is reused, so every page is
    /// overwritten in whole passes, with restart() before each; reads come between passes. `fixed`: each key has a place
    /// of its own, and may be overwritten at any time.
    enum class layout { bump, fixed };

    explicit raw_lz4(std::size_t pages, layout how = layout::bump)
        : slab_(pages * place_bytes), end_{pages * place_bytes}, streams_(pages), is_fixed_{how == layout::fixed} {}
    /// `bump`, for streams that take no more than so many bytes all together. A put beyond them fails.
    raw_lz4(std::size_t pages, std::size_t stream_bytes)
        : slab_(stream_bytes + place_bytes), end_{stream_bytes + place_bytes}, streams_(pages), is_fixed_{false} {}

    void restart() noexcept { next_ = 0; }

    bool put(std::size_t key, const std::byte* page) {
        const std::uint64_t at = is_fixed_ ? key * place_bytes : next_;
        if (at + place_bytes > end_) [[unlikely]] {
            return false;
        }
        int size = compress_page(*table_, page, slab_.data() + at);
        if (size >= page_bytes) {
            std::memcpy(slab_.data() + at, page, page_bytes);
            size = page_bytes;
        }
        streams_[key] = {at, size};
        next_ += static_cast<std::uint64_t>(size);
        return size > 0;
    }

    bool get(std::size_t key, std::byte* out) const {
        const stream& one = streams_[key];
        return decompress_page(slab_.data() + one.at, one.size, out);
    }

private:
    static constexpr std::size_t place_bytes = stream_bound;
    struct stream {
        std::uint64_t at;
        int size;
    };

    support::huge_buffer slab_;
    std::uint64_t end_;
    std::vector<stream> streams_;
    std::unique_ptr<LZ4_stream_t> table_ = std::make_unique<LZ4_stream_t>();
    std::uint64_t next_ = 0;
    bool is_fixed_;
};

/// What one writes in an afternoon: a hash map of allocated blocks under a mutex.
class naive_map {
public:
    ~naive_map() {
        for (const auto& [key, one] : streams_) {
            std::free(one.bytes);
        }
    }
    naive_map() = default;
    naive_map(const naive_map&) = delete;
    naive_map& operator=(const naive_map&) = delete;

    bool put(std::uint64_t key, const std::byte* page) {
        LZ4_stream_t table;
        std::byte buffer[stream_bound];
        int size = compress_page(table, page, buffer);
        const std::byte* from = buffer;
        if (size >= page_bytes) {
            from = page;
            size = page_bytes;
        }
        auto* const bytes = static_cast<std::byte*>(std::malloc(static_cast<std::size_t>(size)));
        if (bytes == nullptr) {
            return false;
        }
        std::memcpy(bytes, from, static_cast<std::size_t>(size));
        const std::lock_guard lock(mutex_);
        stream& one = streams_[key];
        std::free(one.bytes);
        one = {bytes, size};
        return true;
    }

    bool get(std::uint64_t key, std::byte* out) {
        const std::lock_guard lock(mutex_);
        const auto found = streams_.find(key);
        return found != streams_.end() && decompress_page(found->second.bytes, found->second.size, out);
    }

private:
    struct stream {
        std::byte* bytes = nullptr;
        int size = 0;
    };

    std::mutex mutex_;
    std::unordered_map<std::uint64_t, stream> streams_;
};

/// The kernel's compressed block device, with lz4.
class zram_disk {
public:
    explicit zram_disk(std::size_t pages) : device_(support::zram_device::create(pages)) {}

    [[nodiscard]] const support::zram_device& device() const noexcept { return device_; }
    bool put(std::size_t key, const std::byte* page) { return device_.write(key, page); }
    bool get(std::size_t key, std::byte* out) { return device_.read(key, out); }

private:
    support::zram_device device_;
};

} // namespace pagefold::measure
