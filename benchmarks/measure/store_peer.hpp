// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/compress/lz4.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace pagefold::measure {

/// LZ4 alone: no same-filled front, so that the store's codec does what the raw codec and zram's do.
struct lz4_config : default_config {
    using compressor_type = lz4;
};

/// A store as a contender. Keys are dense: 4096 pages an object, in one pool.
template <class Store>
class store_peer {
public:
    explicit store_peer(const store_options& options = {}, pool_kind kind = pool_kind::persistent)
        : store_{source_, options} {
        pool_options pool;
        pool.kind = kind;
        const result<pool_id> made = store_.create_pool(pool);
        if (!made) {
            throw std::runtime_error(std::string("no pool: ") + to_string(made.error()));
        }
        pool_ = *made;
    }

    bool put(std::size_t key, const std::byte* page) { return store_.put(at(key), {page, page_bytes}) == status::ok; }
    bool get(std::size_t key, std::byte* out) { return store_.get(at(key), {out, page_bytes}) == status::ok; }

    /// A page alone in its object.
    bool put_alone(std::size_t key, const std::byte* page) {
        return store_.put({pool_, key, mix(key, 0) % 100'000}, {page, page_bytes}) == status::ok;
    }

    [[nodiscard]] store_stats stats() const { return store_.stats(); }

private:
    static constexpr std::size_t page_bytes = 4096;
    static constexpr std::uint64_t object_pages = 4096;

    [[nodiscard]] page_key at(std::size_t key) const { return {pool_, key / object_pages, key % object_pages}; }

    mmap_source<> source_;
    Store store_;
    pool_id pool_{};
};

} // namespace pagefold::measure
