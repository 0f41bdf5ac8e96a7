// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/acquire_context.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/store/pool.hpp>

#include <cstdint>

// A page's key and all that is worked out from it, once for each operation.
//
// Keys are chosen by tenants: page numbers are offsets in a sparse file, objects are inode numbers. With a known hash a
// tenant can choose 20,000 numbers of one hash value, and every operation on that chain takes 60 microseconds under the
// lock. So the hash has a secret: five words that are made of the store's seed. Each step multiplies two words, both mixed
// with secrets, and folds the product (the step of wyhash); a tenant who doesn't know the secrets can't choose collisions.
// What is looked up under is folded once more: one step of numbers that are evenly spaced gives numbers nearly so, and for
// one seed in a thousand or so nearly all of them fall into a few buckets (a chain of 646 of 16,384 was seen).

namespace pagefold::inline PAGEFOLD_ABI {

struct located_key {
    page_key key{};
    std::uint32_t pool = 0;        ///< the pool's slot
    std::uint32_t route = 0;       ///< number of the pool's route by which it is looked for; 0 in a hasher's answer
    std::uint64_t object_hash = 0; ///< of pool slot and object
    std::uint64_t extent_hash = 0; ///< of pool slot, object and extent number
    std::uint64_t sum_seed = 0;    ///< of the whole key: what the page's checksum is bound to
    acquire_context context{};     ///< in which memory is taken for it

    [[nodiscard]] constexpr std::uint64_t extent() const noexcept { return key.index / extent_pages; }
    [[nodiscard]] constexpr unsigned page() const noexcept { return static_cast<unsigned>(key.index % extent_pages); }
};

/// The store's hash of keys, under a secret. Immutable.
class key_hasher {
public:
    constexpr explicit key_hasher(std::uint64_t seed) noexcept {
        std::uint64_t state = seed;
        for (std::uint64_t& secret : secrets_) { // splitmix64 (Steele, Lea, Flood: OOPSLA 2014)
            state += 0x9e3779b97f4a7c15u;
            std::uint64_t z = (state ^ state >> 30) * 0xbf58476d1ce4e5b9u;
            z = (z ^ z >> 27) * 0x94d049bb133111ebu;
            secret = (z ^ z >> 31) | 1u;
        }
    }

    [[nodiscard]] constexpr std::uint64_t object(std::uint32_t pool, std::uint64_t object) const noexcept {
        return folded_multiply(folded_multiply(object ^ secrets_[0], pool ^ secrets_[1]), secrets_[4]);
    }
    [[nodiscard]] constexpr std::uint64_t extent(std::uint64_t object_hash, std::uint64_t number) const noexcept {
        return folded_multiply(folded_multiply(object_hash ^ secrets_[2], number ^ secrets_[3]), secrets_[4]);
    }
    [[nodiscard]] constexpr std::uint64_t extent(std::uint32_t pool, std::uint64_t object,
                                                 std::uint64_t number) const noexcept {
        return extent(this->object(pool, object), number);
    }
    /// Of the whole key, its extent's hash given. With the whole id: slots come again, ids don't.
    [[nodiscard]] constexpr std::uint64_t page(std::uint64_t extent_hash, pool_id pool,
                                               std::uint64_t index) const noexcept {
        return folded_multiply(extent_hash ^ static_cast<std::uint64_t>(pool) ^ secrets_[1], index ^ secrets_[0]);
    }
    [[nodiscard]] constexpr located_key locate(const page_key& key) const noexcept {
        const std::uint32_t pool = pool_ids::slot(key.pool);
        const std::uint64_t of_object = object(pool, key.object);
        const std::uint64_t of_extent = extent(of_object, key.index / extent_pages);
        return {key, pool, 0, of_object, of_extent, page(of_extent, key.pool, key.index), {}};
    }

private:
    std::uint64_t secrets_[5]{};
};

} // namespace pagefold
